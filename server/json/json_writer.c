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

/* Writes the escape of the character at `at`; returns how many bytes it took from the text. */
static size_t escape(struct fl_output *output, const unsigned char *at) {
    static const char names[] = "\"\"\\\\\nn\rr\tt";
    for (const char *name = names; *name != '\0'; name += 2) {
        if ((unsigned char)name[0] == *at) {
            fl_output_append(output, (char[]){'\\', name[1]}, 2);
            return 1;
        }
    }
    bool separator = *at == 0xe2;
    unsigned code = separator ? 0x2000U | (at[2] & 0x3fU) : *at;
    char text[7];
    snprintf(text, sizeof text, "\\u%04x", code & 0xffffU);
    fl_output_append(output, text, 6);
    return separator ? 3 : 1;
}

void fl_json_string(struct fl_json_writer *writer, flowdb_slice text) {
    struct fl_output *output = writer->output;
    const unsigned char *at = text.data;
    const unsigned char *end = at + text.size;
    const unsigned char *plain = at; /* from here to `at` nothing needs an escape */
    separate(writer);
    fl_output_append(output, "\"", 1);
    while (at < end) {
        if (*at >= 0x20 && *at != '"' && *at != '\\' && *at != '<' && *at != 0x7f &&
            !is_line_separator(at, end)) {
            at++;
            continue;
        }
        fl_output_append(output, plain, (size_t)(at - plain));
        at += escape(output, at);
        plain = at;
    }
    fl_output_append(output, plain, (size_t)(at - plain));
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
