#include "api/reading.h"

#include <stdlib.h>

#include "text/utf8.h"

/* The first part, which is made before anything is sent. */
#define FIRST_PART ((size_t)32 << 10)
/* Between two looks at whether the read is to stop. */
#define CHECK_EVERY 256

static void destroy(struct fl_http_source *source) {
    struct fl_reading *reading = (struct fl_reading *)source;
    bool completed = reading->stopped == FL_RUNNING_COMPLETED;
    fl_running_finish(reading->running, completed ? FL_RUNNING_COMPLETED : FL_RUNNING_ABANDONED);
    flowdb_iterator_destroy(reading->iterator);
    flowdb_iterator_destroy(reading->finder);
    if (reading->own != NULL)
        reading->release_own(reading->own);
    fl_record_writer_deinit(&reading->writer);
    fl_output_deinit(&reading->next);
    free(reading);
}

/* Behind the record that reaches the limit: its place, as long as it is known. */
static void keep_place(struct fl_reading *reading, const flowdb_record *record) {
    struct fl_cursor place = {record->key, record->ts};
    fl_cursor_write(reading->request, &place, &reading->next);
}

static enum fl_http_fill finish(struct fl_reading *reading, bool more, struct fl_output *output) {
    flowdb_slice next = flowdb_bytes(reading->next.data, more ? reading->next.size : 0);
    fl_record_writer_end(&reading->writer, next, output);
    output->failed = output->failed || reading->next.failed;
    reading->stopped = FL_RUNNING_COMPLETED;
    return FL_HTTP_DONE;
}

static enum fl_http_fill fill_part(struct fl_reading *reading, struct fl_output *output,
                                   size_t target) {
    struct fl_record_writer *writer = &reading->writer;
    do {
        flowdb_record record;
        if (writer->count % CHECK_EVERY == 0)
            reading->stopped = fl_running_check(reading->running);
        if (reading->stopped != FL_RUNNING_GOES_ON)
            return FL_HTTP_BROKEN;
        flowdb_status status = reading->step(reading, &record);
        if (reading->stopped != FL_RUNNING_GOES_ON)
            return FL_HTTP_BROKEN;
        if (status == FLOWDB_DONE)
            return finish(reading, false, output);
        if (status != FLOWDB_OK) {
            reading->failed = status;
            return FL_HTTP_BROKEN;
        }
        if (writer->count == reading->limit)
            return finish(reading, true, output);
        fl_record_writer_add(writer, &record, output);
        if (writer->count == reading->limit)
            keep_place(reading, &record);
    } while (output->size < target && !output->failed);
    return FL_HTTP_MORE;
}

static enum fl_http_fill fill(struct fl_http_source *source, struct fl_output *output,
                              size_t target) {
    struct fl_reading *reading = (struct fl_reading *)source;
    fl_running_begin_part(reading->running);
    enum fl_http_fill filled = FL_HTTP_BROKEN;
    reading->stopped = fl_running_check(reading->running);
    if (reading->stopped == FL_RUNNING_GOES_ON)
        filled = fill_part(reading, output, target);
    fl_running_end_part(reading->running, reading->writer.count);
    if (reading->failed != FLOWDB_OK)
        fl_api_log_failure(reading->request->service->logger, reading->failed);
    return filled;
}

/* The parameters that choose, as `name="value"`. */
static void describe(const struct fl_http_params *params, char text[FL_RUNNING_TEXT]) {
    static const char hex[] = "0123456789abcdef";
    struct fl_output out = {0};
    for (unsigned i = 0; i < FL_PARAM_COUNT; i++) {
        enum fl_http_param param = (enum fl_http_param)i;
        flowdb_slice value = fl_http_params_bytes(params, param);
        if (!fl_http_params_has(params, param) || param == FL_PARAM_CURSOR)
            continue;
        bool utf8 = fl_utf8_valid(value.data, value.size);
        fl_output_append_str(&out, out.size > 0 ? " " : "");
        fl_output_append_str(&out, fl_http_param_name(param));
        fl_output_append_str(&out, "=\"");
        for (size_t at = 0; at < value.size && out.size < FL_RUNNING_TEXT; at++) {
            unsigned char byte = ((const unsigned char *)value.data)[at];
            bool plain = byte >= ' ' && byte != 0x7f && byte != '"' && byte != '\\';
            if (plain && (byte < 0x80 || utf8))
                fl_output_append(&out, &byte, 1);
            else
                fl_output_append(&out, (char[]){'\\', 'x', hex[byte >> 4], hex[byte & 15]}, 4);
        }
        fl_output_append(&out, "\"", 1);
    }
    size_t size = out.size < FL_RUNNING_TEXT ? out.size : FL_RUNNING_TEXT - 1;
    while (size > 0 && !fl_utf8_valid(out.data, size))
        size--;
    if (size > 0)
        memcpy(text, out.data, size);
    text[size] = '\0';
    fl_output_deinit(&out);
}

struct fl_reading *fl_reading_create(struct fl_http_request *request) {
    char filters[FL_RUNNING_TEXT];
    struct fl_reading *reading = calloc(1, sizeof *reading);
    if (reading != NULL) {
        describe(&request->params, filters);
        reading->running = fl_running_begin(fl_api_of(request)->running, request->route->path,
                                            filters, request->socket);
    }
    if (reading == NULL || reading->running == NULL) {
        free(reading);
        fl_http_reply_fail(&request->reply, 500, "out of memory");
        return NULL;
    }
    reading->source = (struct fl_http_source){fill, destroy};
    reading->request = request;
    reading->limit = (uint64_t)fl_http_params_number(&request->params, FL_PARAM_LIMIT, INT64_MAX);
    fl_record_writer_init(&reading->writer, &request->params, request->accept);
    request->reply.source = &reading->source;
    return reading;
}

/* The answer to a read that broke before anything of it was sent. */
static void reply_broken(struct fl_reading *reading) {
    struct fl_http_reply *reply = &reading->request->reply;
    enum fl_running_end stopped = reading->stopped;
    if (stopped == FL_RUNNING_GOES_ON) {
        fl_http_reply_fail(reply, 500, "the engine failed; the server's log has more");
        return;
    }
    reply->retry_after_secs = 1;
    if (stopped == FL_RUNNING_CANCELLED)
        fl_http_reply_fail(reply, 503, "the query was cancelled");
    else
        fl_http_reply_fail(reply, 503,
                           "the query took longer than request_timeout_secs allows; ask for less, "
                           "by a narrower range or with a limit and cursors");
}

static bool must_stop(void *context) {
    struct fl_reading *reading = context;
    reading->stopped = fl_running_check(reading->running);
    return reading->stopped != FL_RUNNING_GOES_ON;
}

flowdb_read_options fl_reading_options(struct fl_reading *reading) {
    flowdb_read_options options = flowdb_read_options_default();
    options.interrupt = must_stop;
    options.interrupt_context = reading;
    return options;
}

void fl_reading_start(struct fl_reading *reading, flowdb_status opened) {
    struct fl_http_reply *reply = &reading->request->reply;
    if (opened != FLOWDB_OK) {
        if (reading->stopped != FL_RUNNING_GOES_ON)
            reply_broken(reading);
        else
            fl_api_fail(reading->request, opened);
        return;
    }
    reply->status = 200;
    reply->type = fl_record_writer_type(&reading->writer);
    fl_record_writer_begin(&reading->writer, &reply->body);
    enum fl_http_fill filled = fill(reply->source, &reply->body, FIRST_PART);
    if (filled == FL_HTTP_BROKEN) {
        reply_broken(reading);
    } else if (filled == FL_HTTP_DONE) {
        destroy(reply->source);
        reply->source = NULL;
    }
}

flowdb_status fl_reading_skip_key(struct fl_reading *reading, const struct fl_cursor *place) {
    flowdb_record record;
    flowdb_status status = flowdb_iterator_seek(reading->iterator, place->key, INT64_MIN);
    if (status == FLOWDB_OK)
        status = flowdb_iterator_next(reading->iterator, &record);
    if (status != FLOWDB_OK)
        return status == FLOWDB_DONE ? FLOWDB_OK : status;
    bool seen = record.key.size == place->key.size &&
                memcmp(record.key.data, place->key.data, record.key.size) == 0;
    return seen ? FLOWDB_OK : flowdb_iterator_seek(reading->iterator, record.key, record.ts);
}

void fl_reply_record(struct fl_http_request *request, const flowdb_record *record) {
    struct fl_http_reply *reply = &request->reply;
    struct fl_record_writer writer = {0};
    fl_record_writer_init(&writer, &request->params, request->accept);
    reply->status = 200;
    reply->type = fl_record_writer_type(&writer);
    fl_record_writer_begin(&writer, &reply->body);
    fl_record_writer_add(&writer, record, &reply->body);
    fl_record_writer_end(&writer, flowdb_bytes(NULL, 0), &reply->body);
    fl_record_writer_deinit(&writer);
}

bool fl_reading_times(struct fl_http_request *request, int64_t *ts_start, int64_t *ts_end) {
    return fl_time_param(&request->params, FL_PARAM_TS_START, fl_time_read_start, INT64_MIN,
                         ts_start, &request->reply) &&
           fl_time_param(&request->params, FL_PARAM_TS_END, fl_time_read_end, INT64_MAX, ts_end,
                         &request->reply);
}
