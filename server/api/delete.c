#include "api/api.h"
#include "api/precision.h"

static void finish_record(struct fl_http_request *request) {
    flowdb_slice key = fl_http_params_bytes(&request->params, FL_PARAM_KEY);
    int64_t ts;
    if (!fl_time_param(&request->params, FL_PARAM_TS, fl_time_read, 0, &ts, &request->reply))
        return;
    flowdb_status status = flowdb_delete(fl_api_db(request), key, ts);
    if (status == FLOWDB_OK)
        fl_http_reply_ok(&request->reply, "deleted");
    else
        fl_api_fail(request, status);
}

const struct fl_http_handler fl_api_delete_record = {.begin = fl_api_require_key,
                                                     .finish = finish_record};

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

static flowdb_status delete_prefix(flowdb *db, flowdb_slice prefix, struct fl_output *end) {
    fl_output_append(end, prefix.data, prefix.size);
    if (end->failed)
        return FLOWDB_NO_MEMORY;
    size_t size = successor((unsigned char *)end->data, end->size);
    return flowdb_delete_range(db, prefix, flowdb_bytes(end->data, size));
}

static void finish_range(struct fl_http_request *request) {
    const struct fl_http_params *params = &request->params;
    flowdb *db = fl_api_db(request);
    flowdb_status status;
    if (fl_http_params_has(params, FL_PARAM_PREFIX)) {
        struct fl_output end = {0};
        status = delete_prefix(db, fl_http_params_bytes(params, FL_PARAM_PREFIX), &end);
        fl_output_deinit(&end);
    } else {
        status = flowdb_delete_range(db, fl_http_params_bytes(params, FL_PARAM_KEY_START),
                                     fl_http_params_bytes(params, FL_PARAM_KEY_END));
    }
    if (status == FLOWDB_OK)
        fl_http_reply_ok(&request->reply, "range deleted");
    else
        fl_api_fail(request, status);
}

const struct fl_http_handler fl_api_delete_range = {.begin = begin_range, .finish = finish_range};
