#include "api/record_writer.h"

#include "text/base64.h"
#include "text/number.h"
#include "text/utf8.h"

/* What stands before a CSV field that is base64 where the others are text. */
#define CSV_BASE64 "base64:"
/* A long key's head is not worth keeping. */
#define HEAD_KEPT ((size_t)64 << 10)

void fl_record_writer_init(struct fl_record_writer *writer, const struct fl_http_params *params,
                           flowdb_slice accept) {
    writer->format = fl_record_format_accepted(accept);
    if (fl_http_params_has(params, FL_PARAM_FORMAT))
        writer->format = (enum fl_record_format)fl_http_params_number(params, FL_PARAM_FORMAT, 0);
    writer->precision = fl_precision_of(params);
    writer->text = fl_http_params_number(params, FL_PARAM_ENCODING, 0) == 1;
}

void fl_record_writer_deinit(struct fl_record_writer *writer) {
    fl_output_deinit(&writer->key);
    fl_output_deinit(&writer->head);
}

const char *fl_record_writer_type(const struct fl_record_writer *writer) {
    static const char *const types[] = {"application/json", "application/x-ndjson",
                                        "text/csv; charset=utf-8"};
    return types[writer->format];
}

void fl_record_writer_begin(struct fl_record_writer *writer, struct fl_output *output) {
    if (writer->format == FL_FORMAT_JSON)
        fl_output_append_str(output, writer->more != NULL ? "{\"series\":["
                                     : writer->keys_only  ? "{\"keys\":["
                                                          : "{\"records\":[");
    else if (writer->format == FL_FORMAT_CSV)
        fl_output_append_str(output, "key,ts,expire_at,value\r\n");
}

/* ------------------------------------------------------------------------------------- CSV -- */

/* The text of a field, in quotes where RFC 4180 wants them. */
static void csv_field(struct fl_output *output, flowdb_slice text) {
    const char *at = text.data;
    const char *end = at + text.size;
    bool quoted = false;
    for (const char *look = at; look < end && !quoted; look++)
        quoted = *look == '"' || *look == ',' || *look == '\r' || *look == '\n';
    if (!quoted) {
        fl_output_append(output, at, text.size);
        return;
    }
    fl_output_append(output, "\"", 1);
    while (at < end) {
        const char *quote = memchr(at, '"', (size_t)(end - at));
        const char *stop = quote != NULL ? quote + 1 : end;
        fl_output_append(output, at, (size_t)(stop - at));
        if (quote != NULL)
            fl_output_append(output, "\"", 1);
        at = stop;
    }
    fl_output_append(output, "\"", 1);
}

/* Bytes that are text, if they can be told apart from those that are not. */
static void csv_text(struct fl_output *output, flowdb_slice bytes) {
    const size_t mark = sizeof CSV_BASE64 - 1;
    bool marked = bytes.size >= mark && memcmp(bytes.data, CSV_BASE64, mark) == 0;
    if (!marked && fl_utf8_valid(bytes.data, bytes.size)) {
        csv_field(output, bytes);
        return;
    }
    fl_output_append(output, CSV_BASE64, mark);
    fl_base64_encode(output, bytes.data, bytes.size);
}

/* ---------------------------------------------------------------------------------- records -- */

/* Up to where the time stands. */
static void make_head(struct fl_record_writer *writer, flowdb_slice key) {
    struct fl_output *head = &writer->head;
    fl_output_clear(head);
    fl_output_clear(&writer->key);
    fl_output_append(&writer->key, key.data, key.size);
    if (writer->format == FL_FORMAT_CSV) {
        csv_text(head, key);
        fl_output_append(head, ",", 1);
        return;
    }
    struct fl_json_writer json = {.output = head};
    bool text = fl_utf8_valid(key.data, key.size);
    fl_json_begin_object(&json);
    fl_json_member(&json, text ? "key" : "key_base64");
    if (text)
        fl_json_string(&json, key);
    else
        fl_json_base64(&json, key);
    fl_output_append_str(head, writer->more != NULL ? "" : writer->keys_only ? "}" : ",\"ts\":");
}

static bool has_head(const struct fl_record_writer *writer, flowdb_slice key) {
    return writer->key.size == key.size && key.size > 0 &&
           memcmp(writer->key.data, key.data, key.size) == 0;
}

static char *put(char *at, const char *bytes, size_t size) {
    memcpy(at, bytes, size);
    return at + size;
}

/* From the key to where the value stands. */
static void write_start(struct fl_record_writer *writer, const flowdb_record *record,
                        struct fl_output *output) {
    static const char json_expiry[] = ",\"expire_at\":";
    static const char never[] = "9223372036854775807";
    bool json = writer->format != FL_FORMAT_CSV;
    size_t room = writer->head.size + sizeof json_expiry + (size_t)2 * FL_NUMBER_SIZE + 2;
    char *start = fl_output_reserve(output, room);
    char *at = start;
    if (start == NULL)
        return;
    if (writer->format == FL_FORMAT_JSON && writer->count > 0)
        *at++ = ',';
    at = put(at, writer->head.data, writer->head.size);
    if (!writer->keys_only) {
        at = fl_number_write(at, fl_time_write(writer->precision, record->ts));
        at = json ? put(at, json_expiry, sizeof json_expiry - 1) : put(at, ",", 1);
        if (record->expire_at == FLOWDB_NEVER)
            at = put(at, never, sizeof never - 1);
        else
            at = fl_number_write(at, fl_time_write_expiry(writer->precision, record->expire_at));
    }
    output->size += (size_t)(at - start);
}

static void write_json_value(const struct fl_record_writer *writer, flowdb_slice value,
                             struct fl_output *output) {
    static const char name[] = ",\"value\":";
    struct fl_json_writer json = {.output = output};
    if (writer->text && fl_utf8_valid(value.data, value.size)) {
        fl_output_append(output, name, sizeof name - 1);
        fl_json_string(&json, value);
    } else {
        fl_output_append_str(output, writer->text ? ",\"value_base64\":" : name);
        fl_json_base64(&json, value);
    }
    fl_output_append(output, "}\n", writer->format == FL_FORMAT_NDJSON ? 2 : 1);
}

static void write_csv_value(const struct fl_record_writer *writer, flowdb_slice value,
                            struct fl_output *output) {
    fl_output_append(output, ",", 1);
    if (writer->text)
        csv_text(output, value);
    else
        fl_base64_encode(output, value.data, value.size);
    fl_output_append(output, "\r\n", 2);
}

static void write_more(const struct fl_record_writer *writer, struct fl_output *output) {
    struct fl_json_writer json = {.output = output, .comma = true};
    writer->more(writer, &json);
    fl_json_end_object(&json);
}

void fl_record_writer_add(struct fl_record_writer *writer, const flowdb_record *record,
                          struct fl_output *output) {
    if (!has_head(writer, record->key))
        make_head(writer, record->key);
    write_start(writer, record, output);
    if (writer->format == FL_FORMAT_CSV)
        write_csv_value(writer, record->value, output);
    else if (writer->more != NULL)
        write_more(writer, output);
    else if (!writer->keys_only)
        write_json_value(writer, record->value, output);
    writer->count++;
    output->failed = output->failed || writer->head.failed || writer->key.failed;
    if (writer->head.capacity > HEAD_KEPT)
        fl_record_writer_deinit(writer);
}

void fl_record_writer_end(const struct fl_record_writer *writer, flowdb_slice next,
                          struct fl_output *output) {
    if (writer->format != FL_FORMAT_JSON)
        return;
    struct fl_json_writer json = {.output = output, .comma = true};
    fl_json_end_array(&json);
    fl_json_member(&json, "count");
    fl_json_int(&json, (int64_t)writer->count);
    if (next.size > 0) {
        fl_json_member(&json, "next");
        fl_json_string(&json, next);
    }
    fl_json_end_object(&json);
}
