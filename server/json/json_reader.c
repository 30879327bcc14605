#include "json/json_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <yajl/yajl_parse.h>

#include "json/json_guard.h"

#define MAX_DEPTH 32
/* Pieces are gathered up to this size: see json_guard.h on what small ones cost. */
#define PENDING_CAPACITY ((size_t)16 << 10)

struct fl_json_reader {
    yajl_handle yajl;
    struct fl_json_guard guard;
    fl_json_on_event *on_event;
    void *context;
    unsigned depth;
    uint64_t parsed; /* bytes that yajl took */
    bool too_deep;
    char error[160];
    size_t pending_size;
    unsigned char pending[PENDING_CAPACITY];
};

static int emit(struct fl_json_reader *reader, enum fl_json_type type, const void *text,
                size_t size) {
    struct fl_json_event event = {type, flowdb_bytes(text, size), reader->depth};
    return reader->on_event(reader->context, &event) ? 1 : 0;
}

static int begin(struct fl_json_reader *reader, enum fl_json_type type) {
    if (reader->depth == MAX_DEPTH) {
        reader->too_deep = true;
        return 0;
    }
    int go_on = emit(reader, type, NULL, 0);
    reader->depth++;
    return go_on;
}

static int end(struct fl_json_reader *reader, enum fl_json_type type) {
    reader->depth--;
    return emit(reader, type, NULL, 0);
}

static int on_null(void *context) {
    return emit(context, FL_JSON_NULL, NULL, 0);
}

static int on_boolean(void *context, int value) {
    (void)value;
    return emit(context, FL_JSON_BOOL, NULL, 0);
}

static int on_number(void *context, const char *text, size_t size) {
    return emit(context, FL_JSON_NUMBER, text, size);
}

static int on_string(void *context, const unsigned char *text, size_t size) {
    return emit(context, FL_JSON_STRING, text, size);
}

static int on_begin_object(void *context) {
    return begin(context, FL_JSON_BEGIN_OBJECT);
}

static int on_member(void *context, const unsigned char *text, size_t size) {
    return emit(context, FL_JSON_MEMBER, text, size);
}

static int on_end_object(void *context) {
    return end(context, FL_JSON_END_OBJECT);
}

static int on_begin_array(void *context) {
    return begin(context, FL_JSON_BEGIN_ARRAY);
}

static int on_end_array(void *context) {
    return end(context, FL_JSON_END_ARRAY);
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_begin_object,
    .yajl_map_key = on_member,
    .yajl_end_map = on_end_object,
    .yajl_start_array = on_begin_array,
    .yajl_end_array = on_end_array,
};

struct fl_json_reader *fl_json_reader_create(size_t max_token, fl_json_on_event *on_event,
                                             void *context) {
    struct fl_json_reader *reader = malloc(sizeof *reader);
    if (reader == NULL)
        return NULL;
    memset(reader, 0, offsetof(struct fl_json_reader, pending));
    reader->guard.max_token = max_token;
    reader->on_event = on_event;
    reader->context = context;
    reader->yajl = yajl_alloc(&callbacks, NULL, reader);
    if (reader->yajl == NULL) {
        free(reader);
        return NULL;
    }
    yajl_config(reader->yajl, yajl_dont_validate_strings, 1);
    return reader;
}

void fl_json_reader_destroy(struct fl_json_reader *reader) {
    if (reader == NULL)
        return;
    yajl_free(reader->yajl);
    free(reader);
}

/* yajl's own words, without the newline they end in. */
static enum fl_json_status report_yajl(struct fl_json_reader *reader, uint64_t offset) {
    unsigned char *message = yajl_get_error(reader->yajl, 0, NULL, 0);
    if (message == NULL)
        return FL_JSON_NO_MEMORY;
    size_t size = strcspn((const char *)message, "\n");
    snprintf(reader->error, sizeof reader->error, "%.*s, near byte %" PRIu64, (int)size, message,
             offset);
    yajl_free_error(reader->yajl, message);
    return FL_JSON_MALFORMED;
}

static enum fl_json_status judge(struct fl_json_reader *reader, yajl_status status) {
    if (status == yajl_status_ok)
        return FL_JSON_OK;
    uint64_t offset = reader->parsed + yajl_get_bytes_consumed(reader->yajl);
    if (status == yajl_status_error)
        return report_yajl(reader, offset);
    if (!reader->too_deep)
        return FL_JSON_STOPPED;
    snprintf(reader->error, sizeof reader->error,
             "more than %d brackets are open at once, near byte %" PRIu64, MAX_DEPTH, offset);
    return FL_JSON_MALFORMED;
}

static enum fl_json_status report_guard(struct fl_json_reader *reader) {
    snprintf(reader->error, sizeof reader->error, "%s, near byte %" PRIu64, reader->guard.error,
             reader->guard.offset);
    return FL_JSON_MALFORMED;
}

static enum fl_json_status parse(struct fl_json_reader *reader, const unsigned char *bytes,
                                 size_t size) {
    if (!fl_json_guard_feed(&reader->guard, bytes, size))
        return report_guard(reader);
    enum fl_json_status status = judge(reader, yajl_parse(reader->yajl, bytes, size));
    reader->parsed += size;
    return status;
}

static enum fl_json_status parse_pending(struct fl_json_reader *reader) {
    size_t size = reader->pending_size;
    reader->pending_size = 0;
    return size > 0 ? parse(reader, reader->pending, size) : FL_JSON_OK;
}

enum fl_json_status fl_json_reader_feed(struct fl_json_reader *reader, const void *bytes,
                                        size_t size) {
    const unsigned char *at = bytes;
    if (reader->pending_size == 0 && size >= PENDING_CAPACITY)
        return parse(reader, at, size);
    enum fl_json_status status = FL_JSON_OK;
    while (size > 0 && status == FL_JSON_OK) {
        size_t room = PENDING_CAPACITY - reader->pending_size;
        size_t taken = size < room ? size : room;
        memcpy(reader->pending + reader->pending_size, at, taken);
        reader->pending_size += taken;
        at += taken;
        size -= taken;
        if (reader->pending_size == PENDING_CAPACITY)
            status = parse_pending(reader);
    }
    return status;
}

enum fl_json_status fl_json_reader_finish(struct fl_json_reader *reader) {
    enum fl_json_status status = parse_pending(reader);
    if (status != FL_JSON_OK)
        return status;
    if (!fl_json_guard_finish(&reader->guard))
        return report_guard(reader);
    return judge(reader, yajl_complete_parse(reader->yajl));
}

const char *fl_json_reader_error(const struct fl_json_reader *reader) {
    return reader->error;
}
