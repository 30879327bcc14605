/* POST /admin/flush, /admin/compact and /admin/gc; POST /admin/delete. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "api/precision.h"
#include "api/record_reader.h"

static void finish_flush(struct fl_http_request *request) {
    flowdb_status status = flowdb_flush(fl_api_db(request));
    if (status == FLOWDB_OK)
        fl_http_reply_ok(&request->reply, "flush completed");
    else
        fl_api_fail(request, status);
}

static void finish_compact(struct fl_http_request *request) {
    bool ran = false;
    flowdb_status status = flowdb_compact(fl_api_db(request), &ran);
    if (status == FLOWDB_OK)
        fl_http_reply_ok(&request->reply, ran ? "compaction: ran=true" : "compaction: ran=false");
    else
        fl_api_fail(request, status);
}

static void finish_gc(struct fl_http_request *request) {
    uint64_t purged = 0;
    char message[64];
    flowdb_status status = flowdb_gc(fl_api_db(request), &purged);
    if (status != FLOWDB_OK) {
        fl_api_fail(request, status);
        return;
    }
    snprintf(message, sizeof message, "gc completed, purged %" PRIu64, purged);
    fl_http_reply_ok(&request->reply, message);
}

const struct fl_http_handler fl_api_flush = {.finish = finish_flush, .slow = true};
const struct fl_http_handler fl_api_compact = {.finish = finish_compact, .slow = true};
const struct fl_http_handler fl_api_gc = {.finish = finish_gc, .slow = true};

/* ----------------------------------------------------------------------------------- delete -- */

struct deletion {
    struct fl_http_request *request;
    struct fl_record_reader *reader;
    flowdb_record record; /* which one; its slices are the reader's */
    bool whole;           /* the reader has seen the end */
};

static bool take_record(void *context, const struct fl_record_fields *fields,
                        const struct fl_record_place *place, struct fl_http_reply *reply) {
    struct deletion *deletion = context;
    const unsigned key = 1U << FL_RECORD_KEY | 1U << FL_RECORD_KEY_BASE64;
    if ((fields->given & ~(key | 1U << FL_RECORD_TS)) != 0)
        return fl_http_reply_fail(reply, 400, "only key, key_base64 and ts say what to delete");
    return fl_record_fields_finish(fields, place, fl_precision_of(&deletion->request->params),
                                   &deletion->record, reply);
}

static bool begin_delete(struct fl_http_request *request) {
    struct deletion *deletion = calloc(1, sizeof *deletion);
    request->state = deletion;
    if (deletion != NULL) {
        struct fl_record_sink sink = {.context = deletion, .take = take_record};
        deletion->request = request;
        deletion->reader = fl_record_reader_create(&sink, &request->service->limits);
    }
    return (deletion != NULL && deletion->reader != NULL) ||
           fl_http_reply_fail(&request->reply, 500, "out of memory");
}

static bool take_body(struct fl_http_request *request, const void *bytes, size_t size) {
    struct deletion *deletion = request->state;
    return fl_record_reader_feed(deletion->reader, bytes, size, &request->reply);
}

static bool read_end(struct fl_http_request *request) {
    struct deletion *deletion = request->state;
    if (!deletion->whole)
        deletion->whole = fl_record_reader_finish(deletion->reader, &request->reply);
    return deletion->whole;
}

static bool try_finish_delete(struct fl_http_request *request) {
    const struct deletion *deletion = request->state;
    return !read_end(request) ||
           fl_api_delete(request, deletion->record.key, deletion->record.ts, true);
}

static void finish_delete(struct fl_http_request *request) {
    const struct deletion *deletion = request->state;
    if (read_end(request))
        fl_api_delete(request, deletion->record.key, deletion->record.ts, false);
}

static void release_delete(struct fl_http_request *request) {
    struct deletion *deletion = request->state;
    if (deletion == NULL)
        return;
    fl_record_reader_destroy(deletion->reader);
    free(deletion);
}

const struct fl_http_handler fl_api_admin_delete = {.begin = begin_delete,
                                                    .body = take_body,
                                                    .try_finish = try_finish_delete,
                                                    .finish = finish_delete,
                                                    .release = release_delete};
