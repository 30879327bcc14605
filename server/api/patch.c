/*
 * PATCH /record: changes the value, the expiry or both of a record that is there. What the body
 * does not name stays; "ttl_secs":0 means no expiry from now on.
 */
#include "api/reading.h"
#include "api/record_reader.h"

#include <stdlib.h>

struct patch {
    struct fl_record_reader *reader;
    const struct fl_record_fields *fields; /* the reader's; NULL until the object was read */
    enum fl_precision precision;
    flowdb_record record; /* what they make, with slices into them */
    bool whole;           /* the reader has seen the end */
};

static bool take_record(void *context, const struct fl_record_fields *fields,
                        const struct fl_record_place *place, struct fl_http_reply *reply) {
    struct patch *patch = context;
    patch->fields = fields;
    return fl_record_fields_finish(fields, place, patch->precision, &patch->record, reply);
}

static bool begin_patch(struct fl_http_request *request) {
    struct patch *patch = calloc(1, sizeof *patch);
    request->state = patch;
    if (patch != NULL) {
        struct fl_record_sink sink = {.context = patch, .take = take_record};
        patch->precision = fl_precision_of(&request->params);
        patch->reader = fl_record_reader_create(&sink, &request->service->limits);
    }
    return (patch != NULL && patch->reader != NULL) ||
           fl_http_reply_fail(&request->reply, 500, "out of memory");
}

static bool take_body(struct fl_http_request *request, const void *bytes, size_t size) {
    struct patch *patch = request->state;
    return fl_record_reader_feed(patch->reader, bytes, size, &request->reply);
}

static bool read_end(struct fl_http_request *request) {
    struct patch *patch = request->state;
    if (!patch->whole)
        patch->whole = fl_record_reader_finish(patch->reader, &request->reply);
    return patch->whole;
}

static bool commit(struct fl_http_request *request, bool tries) {
    const struct patch *patch = request->state;
    bool has_value = fl_record_fields_has(patch->fields, FL_RECORD_VALUE) ||
                     fl_record_fields_has(patch->fields, FL_RECORD_VALUE_BASE64);
    bool has_expiry = fl_record_fields_has(patch->fields, FL_RECORD_TTL_SECS) ||
                      fl_record_fields_has(patch->fields, FL_RECORD_EXPIRE_AT);
    flowdb_patch changes = {.value = has_value ? &patch->record.value : NULL,
                            .expire_at = has_expiry ? &patch->record.expire_at : NULL};
    flowdb_result updated = {0};
    flowdb_status (*write)(flowdb *, flowdb_slice, int64_t, const flowdb_patch *, flowdb_result *) =
        tries ? flowdb_try_patch_record : flowdb_patch_record;
    flowdb_status status =
        write(fl_api_db(request), patch->record.key, patch->record.ts, &changes, &updated);
    if (status == FLOWDB_OK) {
        struct fl_written written = {1, request->body_size, 0};
        fl_counters_add_written(fl_api_of(request)->counters, FL_PROTOCOL_JSON, &written);
        fl_reply_record(request, &updated.records[0]);
    } else if (status != FLOWDB_WOULD_WAIT) {
        fl_api_fail(request, status);
    }
    flowdb_result_free(&updated);
    return status != FLOWDB_WOULD_WAIT;
}

static bool try_finish_patch(struct fl_http_request *request) {
    return !read_end(request) || commit(request, true);
}

static void finish_patch(struct fl_http_request *request) {
    if (read_end(request))
        commit(request, false);
}

static void release_patch(struct fl_http_request *request) {
    struct patch *patch = request->state;
    if (patch == NULL)
        return;
    fl_record_reader_destroy(patch->reader);
    free(patch);
}

const struct fl_http_handler fl_api_patch_record = {.begin = begin_patch,
                                                    .body = take_body,
                                                    .try_finish = try_finish_patch,
                                                    .finish = finish_patch,
                                                    .release = release_patch};
