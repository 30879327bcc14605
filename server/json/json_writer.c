#include "json/json_writer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "text/base64.h"
#include "text/number.h"

static void separate(struct fl_json_writer *writer) {
    if (writer->comma)
        fl_output_append(writer->output, ",", 1);
    writer->comma = true;
}

static void open_bracket(struct fl_json_writer *writer, const char *bracket) {
    separate(writer);
    fl_output_append(writer->output, bracket, 1);
    writer->comma = false;
}

static void close_bracket(struct fl_json_writer *writer, const char *bracket) {
    fl_output_append(writer->output, bracket, 1);
    writer->comma = true;
}

void fl_json_begin_object(struct fl_json_writer *writer) {
    open_bracket(writer, "{");
}

void fl_json_end_object(struct fl_json_writer *writer) {
    close_bracket(writer, "}");
}

void fl_json_begin_array(struct fl_json_writer *writer) {
    open_bracket(writer, "[");
}

void fl_json_end_array(struct fl_json_writer *writer) {
    close_bracket(writer, "]");
}

void fl_json_member(struct fl_json_writer *writer, const char *name) {
    separate(writer);
    fl_output_append(writer->output, "\"", 1);
    fl_output_append_str(writer->output, name);
    fl_output_append(writer->output, "\":", 2);
    writer->comma = false;
}

/* U+2028 or U+2029, which are E2 80 A8 and E2 80 A9: they end a line in JavaScript. */
static bool is_line_separator(const unsigned char *at, const unsigned char *end) {
    return end - at >= 3 && at[0] == 0xe2 && at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9);
}

/* Writes the escape of the character at *at, which it passes; returns where the escape ends. */
static char *escape(char *out, const unsigned char **at) {
    static const char names[] = "\"\"\\\\\nn\rr\tt";
    static const char hex[] = "0123456789abcdef";
    const unsigned char *character = *at;
    *out++ = '\\';
    for (const char *name = names; *name != '\0'; name += 2) {
        if ((unsigned char)name[0] == *character) {
            *out++ = name[1];
            *at += 1;
            return out;
        }
    }
    bool separator = *character == 0xe2;
    unsigned code = separator ? 0x2000U | (character[2] & 0x3fU) : *character;
    *at += separator ? 3 : 1;
    *out++ = 'u';
    for (unsigned shift = 16; shift > 0;) {
        shift -= 4;
        *out++ = hex[code >> shift & 15];
    }
    return out;
}

/* A byte in each that is not 0 of `word`, whose highest bit is set where the byte equals `byte`; bytes
   above the first such one may have it too. */
static uint64_t equal_bytes(uint64_t word, uint8_t byte) {
    const uint64_t ones = 0x0101010101010101U;
    uint64_t zero_where_equal = word ^ ones * byte;
    return (zero_where_equal - ones) & ~zero_where_equal;
}

/* Are the eight bytes ASCII that stands for itself? */
static bool is_plain(const unsigned char *at) {
    const uint64_t spaces = 0x2020202020202020U;
    uint64_t word;
    memcpy(&word, at, sizeof word);
    uint64_t special = word | ((word - spaces) & ~word) | equal_bytes(word, '"') |
                       equal_bytes(word, '\\') | equal_bytes(word, '<') | equal_bytes(word, 0x7f);
    return (special & 0x8080808080808080U) == 0;
}

/* Writes from `at` until `stop`, or a character's rest behind it; *out moves on. */
static const unsigned char *write_text(char **out, const unsigned char *at,
                                       const unsigned char *stop, const unsigned char *end) {
    char *to = *out;
    while (at < stop) {
        if (stop - at >= 8 && is_plain(at)) {
            memcpy(to, at, 8);
            at += 8;
            to += 8;
        } else if (*at >= 0x20 && *at != '"' && *at != '\\' && *at != '<' && *at != 0x7f &&
                   !is_line_separator(at, end)) {
            *to++ = (char)*at++;
        } else {
            to = escape(to, &at);
        }
    }
    *out = to;
    return at;
}

void fl_json_string(struct fl_json_writer *writer, flowdb_slice text) {
    enum { PIECE = 4096, LONGEST_ESCAPE = 6 };
    struct fl_output *output = writer->output;
    const unsigned char *at = text.data;
    const unsigned char *end = text.size > 0 ? at + text.size : at;
    separate(writer);
    fl_output_append(output, "\"", 1);
    while (at < end) {
        size_t piece = (size_t)(end - at) < PIECE ? (size_t)(end - at) : PIECE;
        char *start = fl_output_reserve(output, piece * LONGEST_ESCAPE);
        char *out = start;
        if (start == NULL)
            return;
        at = write_text(&out, at, at + piece, end);
        output->size += (size_t)(out - start);
    }
    fl_output_append(output, "\"", 1);
}

void fl_json_base64(struct fl_json_writer *writer, flowdb_slice bytes) {
    separate(writer);
    fl_output_append(writer->output, "\"", 1);
    fl_base64_encode(writer->output, bytes.data, bytes.size);
    fl_output_append(writer->output, "\"", 1);
}

void fl_json_int(struct fl_json_writer *writer, int64_t number) {
    separate(writer);
    fl_number_append(writer->output, number);
}

void fl_json_uint(struct fl_json_writer *writer, uint64_t number) {
    separate(writer);
    fl_output_format(writer->output, "%" PRIu64, number);
}

void fl_json_double(struct fl_json_writer *writer, double number) {
    char text[32];
    separate(writer);
    if (!isfinite(number)) {
        fl_output_append_str(writer->output, "null");
        return;
    }
    if (floor(number) == number && fabs(number) < 1e15) {
        fl_output_format(writer->output, "%.0f", number);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    fl_output_append_str(writer->output, text);
}

void fl_json_bool(struct fl_json_writer *writer, bool value) {
    separate(writer);
    fl_output_append_str(writer->output, value ? "true" : "false");
}
