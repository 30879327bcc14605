/*
 * POST /write/binary: frames as datagrams carry them, back to back. Records are taken from the body as
 * it arrives; nothing is written before its end was read. The mac of a version 2 frame is not looked
 * at: the request was authenticated.
 */
#include "api/tally.h"
#include "ingest/frame.h"

#include <stdlib.h>

struct write {
    flowdb_batch *batch;
    struct fl_output rest; /* what a piece of the body left: a part of a head or record */
    uint64_t frames;       /* whose heads were read */
    struct fl_tally tally;
    size_t left; /* records that the current frame still has */
};

static bool begin_write(struct fl_http_request *request) {
    struct write *write = calloc(1, sizeof *write);
    request->state = write;
    if (write != NULL) {
        fl_tally_init(&write->tally, request);
        write->batch = flowdb_batch_create();
    }
    return (write != NULL && write->batch != NULL) ||
           fl_http_reply_fail(&request->reply, 500, "out of memory");
}

static bool refuse(struct fl_http_request *request, const char *why) {
    const struct write *write = request->state;
    size_t record = flowdb_batch_count(write->batch);
    return fl_http_reply_fail(&request->reply, 400, "frame %llu, record %zu of the body: %s",
                              (unsigned long long)(write->frames > 0 ? write->frames - 1 : 0),
                              record, why);
}

static bool take_head(struct fl_http_request *request, const struct fl_frame_head *head) {
    struct write *write = request->state;
    size_t limit = request->service->limits.max_batch_records;
    write->frames++;
    write->left = head->count;
    return flowdb_batch_count(write->batch) + head->count <= limit ||
           fl_http_reply_fail(&request->reply, 400,
                              "the body has more than %zu records, send them in several requests",
                              limit);
}

/* The record's times are in the request's unit, but for the length of its life. */
static bool scale(const struct fl_tally *tally, flowdb_record *record) {
    int64_t ts = record->ts, life_us = record->expire_at - ts;
    if (!fl_time_read(tally->precision, ts, &record->ts))
        return false;
    return record->expire_at == FLOWDB_NEVER ||
           !__builtin_add_overflow(record->ts, life_us, &record->expire_at);
}

static bool take_record(struct fl_http_request *request, flowdb_record *record) {
    struct write *write = request->state;
    if (write->tally.precision != FL_PRECISION_US && !scale(&write->tally, record))
        return refuse(request, "a time is beyond the range of microseconds");
    flowdb_status status =
        flowdb_batch_put(write->batch, record->key, record->ts, record->expire_at, record->value);
    write->left--;
    fl_tally_add(&write->tally, record);
    if (status != FLOWDB_OK)
        fl_api_fail(request, status);
    return status == FLOWDB_OK;
}

/* Takes what is whole at `bytes`; *used is how much that was. */
static bool take_whole(struct fl_http_request *request, const uint8_t *bytes, size_t size,
                       size_t *used) {
    struct write *write = request->state;
    for (*used = 0; *used < size;) {
        size_t step = 0;
        if (write->left == 0) {
            struct fl_frame_head head;
            enum fl_frame_fault fault = fl_frame_read_head(bytes + *used, size - *used, &head);
            if (fault == FL_FRAME_TRUNCATED)
                return true;
            if (fault != FL_FRAME_FINE)
                return refuse(request, fault == FL_FRAME_BAD_MAGIC ? "what follows is no frame"
                                                                   : "an unknown version");
            if (!take_head(request, &head))
                return false;
            step = head.size;
        } else {
            flowdb_record record;
            const char *why;
            enum fl_frame_fault fault = fl_frame_read_record(
                bytes + *used, size - *used, &request->service->limits, &record, &step, &why);
            if (fault == FL_FRAME_TRUNCATED)
                return true;
            if (fault != FL_FRAME_FINE)
                return refuse(request, why);
            if (!take_record(request, &record))
                return false;
        }
        *used += step;
    }
    return true;
}

/* The longest record has some 130 KB, so `rest` stays that small. */
static bool take_body(struct fl_http_request *request, const void *bytes, size_t size) {
    struct write *write = request->state;
    const uint8_t *at = bytes;
    size_t used;
    if (write->rest.size > 0) {
        fl_output_append(&write->rest, bytes, size);
        if (write->rest.failed)
            return fl_http_reply_fail(&request->reply, 500, "out of memory");
        at = (const uint8_t *)write->rest.data;
        size = write->rest.size;
    }
    if (!take_whole(request, at, size, &used))
        return false;
    if (at != bytes) {
        memmove(write->rest.data, at + used, size - used);
        write->rest.size = size - used;
    } else {
        fl_output_append(&write->rest, at + used, size - used);
    }
    return !write->rest.failed || fl_http_reply_fail(&request->reply, 500, "out of memory");
}

static bool commit(struct fl_http_request *request, bool tries) {
    struct write *write = request->state;
    if (write->left > 0 || write->rest.size > 0 || write->frames == 0) {
        refuse(request, "the body ends in the middle of a frame");
        return true;
    }
    flowdb_status status = fl_api_commit(request, &write->batch, tries);
    if (status == FLOWDB_OK)
        fl_tally_reply(&write->tally, request, FL_PROTOCOL_BINARY);
    else if (status != FLOWDB_WOULD_WAIT)
        fl_api_fail(request, status);
    return status != FLOWDB_WOULD_WAIT;
}

static bool try_finish_write(struct fl_http_request *request) {
    return commit(request, true);
}

static void finish_write(struct fl_http_request *request) {
    commit(request, false);
}

static void release_write(struct fl_http_request *request) {
    struct write *write = request->state;
    if (write == NULL)
        return;
    flowdb_batch_destroy(write->batch);
    fl_output_deinit(&write->rest);
    free(write);
}

const struct fl_http_handler fl_api_write_binary = {.begin = begin_write,
                                                    .body = take_body,
                                                    .try_finish = try_finish_write,
                                                    .finish = finish_write,
                                                    .release = release_write,
                                                    .slow_from = FL_API_LARGE_WRITE};
