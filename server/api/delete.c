#include "api/api.h"
#include "api/precision.h"

/* What is to be deleted goes into a batch, which can be written without waiting. Answers, unless it
   would have to. */
static bool commit(struct fl_http_request *request, flowdb_batch *batch, flowdb_status status,
                   bool tries, const char *message) {
    if (status == FLOWDB_OK)
        status = fl_api_commit(request, &batch, tries);
    flowdb_batch_destroy(batch);
    if (status == FLOWDB_OK)
        fl_http_reply_ok(&request->reply, message);
    else if (status != FLOWDB_WOULD_WAIT)
        fl_api_fail(request, status);
    return status != FLOWDB_WOULD_WAIT;
}

bool fl_api_delete(struct fl_http_request *request, flowdb_slice key, int64_t ts, bool tries) {
    flowdb_batch *batch = flowdb_batch_create();
    if (batch == NULL) {
        fl_http_reply_fail(&request->reply, 500, "out of memory");
        return true;
    }
    return commit(request, batch, flowdb_batch_delete(batch, key, ts), tries, "deleted");
}

static bool delete_record(struct fl_http_request *request, bool tries) {
    flowdb_slice key = fl_http_params_bytes(&request->params, FL_PARAM_KEY);
    int64_t ts;
    return !fl_time_param(&request->params, FL_PARAM_TS, fl_time_read, 0, &ts, &request->reply) ||
           fl_api_delete(request, key, ts, tries);
}

static bool try_finish_record(struct fl_http_request *request) {
    return delete_record(request, true);
}

static void finish_record(struct fl_http_request *request) {
    delete_record(request, false);
}

const struct fl_http_handler fl_api_delete_record = {
    .begin = fl_api_require_key, .try_finish = try_finish_record, .finish = finish_record};

/* All keys may be meant, but only by saying so: key_start= and key_end= both there and empty. */
static bool begin_range(struct fl_http_request *request) {
    const uint32_t both = FL_PARAM_BIT(FL_PARAM_KEY_START) | FL_PARAM_BIT(FL_PARAM_KEY_END);
    struct fl_http_params *params = &request->params;
    if (!fl_http_params_has(params, FL_PARAM_PREFIX))
        return fl_http_params_require(params, both, &request->reply);
    if ((params->given & both) != 0)
        return fl_http_reply_fail(&request->reply, 400, "prefix excludes key_start and key_end");
    return fl_http_params_bytes(params, FL_PARAM_PREFIX).size > 0 ||
           fl_http_reply_fail(&request->reply, 400, "prefix must not be empty");
}

/*
 * Turns a prefix into the smallest key above all that have it, in place: trailing 0xFF bytes go,
 * the last byte that stays grows by one. Nothing is left where no key is above.
 */
static size_t successor(unsigned char *bytes, size_t size) {
    while (size > 0 && bytes[size - 1] == 0xff)
        size--;
    if (size > 0)
        bytes[size - 1]++;
    return size;
}

static flowdb_status add_prefix(flowdb_batch *batch, flowdb_slice prefix, struct fl_output *end) {
    fl_output_append(end, prefix.data, prefix.size);
    if (end->failed)
        return FLOWDB_NO_MEMORY;
    size_t size = successor((unsigned char *)end->data, end->size);
    return flowdb_batch_delete_range(batch, prefix, flowdb_bytes(end->data, size));
}

static bool delete_range(struct fl_http_request *request, bool tries) {
    const struct fl_http_params *params = &request->params;
    flowdb_batch *batch = flowdb_batch_create();
    flowdb_status status;
    if (batch == NULL) {
        fl_http_reply_fail(&request->reply, 500, "out of memory");
        return true;
    }
    if (fl_http_params_has(params, FL_PARAM_PREFIX)) {
        struct fl_output end = {0};
        status = add_prefix(batch, fl_http_params_bytes(params, FL_PARAM_PREFIX), &end);
        fl_output_deinit(&end);
    } else {
        status = flowdb_batch_delete_range(batch, fl_http_params_bytes(params, FL_PARAM_KEY_START),
                                           fl_http_params_bytes(params, FL_PARAM_KEY_END));
    }
    return commit(request, batch, status, tries, "range deleted");
}

static bool try_finish_range(struct fl_http_request *request) {
    return delete_range(request, true);
}

static void finish_range(struct fl_http_request *request) {
    delete_range(request, false);
}

const struct fl_http_handler fl_api_delete_range = {
    .begin = begin_range, .try_finish = try_finish_range, .finish = finish_range};
