/*
 * POST and PUT /write: the records of one request commit together. They are gathered in a batch
 * while the body arrives, and nothing is written before its end was read.
 */
#include "api/api.h"
#include "api/record_reader.h"
#include "api/tally.h"

#include <stdlib.h>

struct write {
    struct fl_http_request *request;
    flowdb_batch *batch;
    struct fl_record_reader *reader;
    struct fl_tally tally;
    bool whole; /* the reader has seen the end */
};

static bool take_record(void *context, const struct fl_record_fields *fields,
                        const struct fl_record_place *place, struct fl_http_reply *reply) {
    struct write *write = context;
    flowdb_record record;
    if (!fl_record_fields_finish(fields, place, write->tally.precision, &record, reply))
        return false;
    flowdb_status status =
        flowdb_batch_put(write->batch, record.key, record.ts, record.expire_at, record.value);
    if (status != FLOWDB_OK)
        fl_api_fail(write->request, status);
    fl_tally_add(&write->tally, &record);
    return status == FLOWDB_OK;
}

static void restart_list(void *context) {
    struct write *write = context;
    fl_tally_clear(&write->tally);
    flowdb_batch_clear(write->batch);
}

static bool begin_write(struct fl_http_request *request) {
    struct write *write = calloc(1, sizeof *write);
    request->state = write;
    if (write != NULL) {
        struct fl_record_sink sink = {true, write, take_record, restart_list};
        write->request = request;
        fl_tally_init(&write->tally, request);
        write->batch = flowdb_batch_create();
        write->reader = fl_record_reader_create(&sink, &request->service->limits);
    }
    return (write != NULL && write->batch != NULL && write->reader != NULL) ||
           fl_http_reply_fail(&request->reply, 500, "out of memory");
}

static bool take_body(struct fl_http_request *request, const void *bytes, size_t size) {
    struct write *write = request->state;
    return fl_record_reader_feed(write->reader, bytes, size, &request->reply);
}

static bool read_end(struct fl_http_request *request) {
    struct write *write = request->state;
    if (!write->whole)
        write->whole = fl_record_reader_finish(write->reader, &request->reply);
    return write->whole;
}

static bool commit(struct fl_http_request *request, bool tries) {
    struct write *write = request->state;
    flowdb_status status = fl_api_commit(request, &write->batch, tries);
    if (status == FLOWDB_OK)
        fl_tally_reply(&write->tally, request, FL_PROTOCOL_JSON);
    else if (status != FLOWDB_WOULD_WAIT)
        fl_api_fail(request, status);
    return status != FLOWDB_WOULD_WAIT;
}

static bool try_finish_write(struct fl_http_request *request) {
    return !read_end(request) || commit(request, true);
}

static void finish_write(struct fl_http_request *request) {
    if (read_end(request))
        commit(request, false);
}

static void release_write(struct fl_http_request *request) {
    struct write *write = request->state;
    if (write == NULL)
        return;
    flowdb_batch_destroy(write->batch);
    fl_record_reader_destroy(write->reader);
    free(write);
}

const struct fl_http_handler fl_api_write = {.begin = begin_write,
                                             .body = take_body,
                                             .try_finish = try_finish_write,
                                             .finish = finish_write,
                                             .release = release_write,
                                             .slow_from = FL_API_LARGE_WRITE};
