#include "api/record_reader.h"

#include <stdlib.h>

/* The longest way to write one byte of a string: \u00xx. */
#define ESCAPED_MAX 6

enum place {
    AT_TOP,     /* nothing read yet */
    IN_BODY,    /* inside the outer object of a list */
    AT_RECORDS, /* behind "records": */
    IN_LIST,    /* between records */
    IN_RECORD,  /* between a record's members */
    AT_VALUE,   /* behind the name of a member that counts */
    AT_SKIPPED, /* behind the name of one that does not */
    AT_END
};

struct fl_record_reader {
    struct fl_json_reader *json;
    struct fl_record_sink sink;
    const struct fl_limits *limits;
    struct fl_record_fields fields;
    enum place place;
    enum fl_record_field field; /* whose value is next, AT_VALUE */
    enum place after_skip;
    unsigned skip_depth;           /* the depth at which the skipped value began */
    struct fl_record_place record; /* which one is being read */
    bool seen_list;
    struct fl_http_reply *reply; /* during a call */
};

static bool refuse(struct fl_record_reader *reader, const char *what, const char *wanted) {
    return fl_http_reply_fail(reader->reply, 400, "%s must be %s", what, wanted);
}

static bool skip_next(struct fl_record_reader *reader, const struct fl_json_event *member,
                      enum place after) {
    reader->place = AT_SKIPPED;
    reader->after_skip = after;
    reader->skip_depth = member->depth;
    return true;
}

/* A skipped value is over with its only event, or with the bracket that closes it. */
static bool skip(struct fl_record_reader *reader, const struct fl_json_event *event) {
    bool opens = event->type == FL_JSON_BEGIN_OBJECT || event->type == FL_JSON_BEGIN_ARRAY;
    if (!opens && event->depth == reader->skip_depth)
        reader->place = reader->after_skip;
    return true;
}

static bool begin_record(struct fl_record_reader *reader, const struct fl_json_event *event) {
    if (reader->sink.list) {
        if (reader->record.index == reader->limits->max_batch_records)
            return fl_http_reply_fail(reader->reply, 400,
                                      "records has more than %zu, send them in several requests",
                                      reader->limits->max_batch_records);
        if (event->type != FL_JSON_BEGIN_OBJECT)
            return fl_http_reply_fail(reader->reply, 400, "records[%zu] must be an object",
                                      reader->record.index);
    }
    fl_record_fields_reset(&reader->fields);
    reader->place = IN_RECORD;
    return true;
}

static bool at_top(struct fl_record_reader *reader, const struct fl_json_event *event) {
    if (event->type != FL_JSON_BEGIN_OBJECT)
        return refuse(reader, "the body", "a JSON object");
    if (!reader->sink.list)
        return begin_record(reader, event);
    reader->place = IN_BODY;
    return true;
}

static bool in_body(struct fl_record_reader *reader, const struct fl_json_event *event) {
    static const char list_name[] = "records";
    if (event->type == FL_JSON_END_OBJECT) {
        reader->place = AT_END;
        return reader->seen_list || fl_http_reply_fail(reader->reply, 400, "records is missing");
    }
    if (event->text.size != strlen(list_name) ||
        memcmp(event->text.data, list_name, event->text.size) != 0)
        return skip_next(reader, event, IN_BODY);
    reader->place = AT_RECORDS;
    return true;
}

static bool at_records(struct fl_record_reader *reader, const struct fl_json_event *event) {
    if (event->type != FL_JSON_BEGIN_ARRAY)
        return refuse(reader, "records", "an array");
    reader->sink.restart(reader->sink.context);
    reader->seen_list = true;
    reader->record.index = 0;
    reader->place = IN_LIST;
    return true;
}

static bool in_list(struct fl_record_reader *reader, const struct fl_json_event *event) {
    if (event->type != FL_JSON_END_ARRAY)
        return begin_record(reader, event);
    reader->place = IN_BODY;
    return true;
}

static bool in_record(struct fl_record_reader *reader, const struct fl_json_event *event) {
    if (event->type == FL_JSON_MEMBER) {
        reader->field = fl_record_field_find(event->text);
        if (reader->field == FL_RECORD_FIELDS)
            return skip_next(reader, event, IN_RECORD);
        reader->place = AT_VALUE;
        return true;
    }
    reader->place = reader->sink.list ? IN_LIST : AT_END;
    bool taken =
        reader->sink.take(reader->sink.context, &reader->fields, &reader->record, reader->reply);
    reader->record.index++;
    return taken;
}

static bool at_value(struct fl_record_reader *reader, const struct fl_json_event *event) {
    reader->place = IN_RECORD;
    return fl_record_fields_set(&reader->fields, reader->field, event, &reader->record,
                                reader->limits, reader->reply);
}

static bool on_event(void *context, const struct fl_json_event *event) {
    struct fl_record_reader *reader = context;
    switch (reader->place) {
    case AT_TOP:
        return at_top(reader, event);
    case IN_BODY:
        return in_body(reader, event);
    case AT_RECORDS:
        return at_records(reader, event);
    case IN_LIST:
        return in_list(reader, event);
    case IN_RECORD:
        return in_record(reader, event);
    case AT_VALUE:
        return at_value(reader, event);
    case AT_SKIPPED:
        return skip(reader, event);
    case AT_END:
        break;
    }
    return false;
}

struct fl_record_reader *fl_record_reader_create(const struct fl_record_sink *sink,
                                                 const struct fl_limits *limits) {
    struct fl_record_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        return NULL;
    size_t longest = limits->max_key_bytes > limits->max_value_bytes ? limits->max_key_bytes
                                                                     : limits->max_value_bytes;
    reader->sink = *sink;
    reader->record.in_list = sink->list;
    reader->limits = limits;
    reader->json = fl_json_reader_create(longest * ESCAPED_MAX + 2, on_event, reader);
    if (reader->json == NULL) {
        free(reader);
        return NULL;
    }
    return reader;
}

void fl_record_reader_destroy(struct fl_record_reader *reader) {
    if (reader == NULL)
        return;
    fl_json_reader_destroy(reader->json);
    fl_record_fields_deinit(&reader->fields);
    free(reader);
}

static bool judge(struct fl_record_reader *reader, enum fl_json_status status) {
    switch (status) {
    case FL_JSON_OK:
        return true;
    case FL_JSON_MALFORMED:
        return fl_http_reply_fail(reader->reply, 400, "the body is not valid JSON: %s",
                                  fl_json_reader_error(reader->json));
    case FL_JSON_NO_MEMORY:
        return fl_http_reply_fail(reader->reply, 500, "out of memory");
    case FL_JSON_STOPPED:
        break;
    }
    return false;
}

bool fl_record_reader_feed(struct fl_record_reader *reader, const void *bytes, size_t size,
                           struct fl_http_reply *reply) {
    reader->reply = reply;
    return judge(reader, fl_json_reader_feed(reader->json, bytes, size));
}

bool fl_record_reader_finish(struct fl_record_reader *reader, struct fl_http_reply *reply) {
    reader->reply = reply;
    return judge(reader, fl_json_reader_finish(reader->json));
}
