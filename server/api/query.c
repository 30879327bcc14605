/* GET /query: the records of a range of keys and times. GET /record: one of them. */
#include "api/reading.h"

static flowdb_status next_record(struct fl_reading *reading, flowdb_record *record) {
    return flowdb_iterator_next(reading->iterator, record);
}

/* The first step of a page: the record that the last one ended with may be there still. */
static flowdb_status skip_seen(struct fl_reading *reading, const struct fl_cursor *place) {
    flowdb_record record;
    flowdb_status status = flowdb_iterator_seek(reading->iterator, place->key, place->ts);
    if (status == FLOWDB_OK)
        status = flowdb_iterator_next(reading->iterator, &record);
    if (status != FLOWDB_OK)
        return status == FLOWDB_DONE ? FLOWDB_OK : status;
    bool seen = record.ts == place->ts && record.key.size == place->key.size &&
                memcmp(record.key.data, place->key.data, record.key.size) == 0;
    return seen ? FLOWDB_OK : flowdb_iterator_seek(reading->iterator, record.key, record.ts);
}

static flowdb_status open_iterator(struct fl_reading *reading, int64_t ts_start, int64_t ts_end,
                                   const struct fl_cursor *place) {
    const struct fl_http_params *params = &reading->request->params;
    flowdb_slice start = fl_http_params_bytes(params, FL_PARAM_KEY_START);
    flowdb_slice end = fl_http_params_bytes(params, FL_PARAM_KEY_END);
    flowdb_slice prefix = fl_http_params_bytes(params, FL_PARAM_PREFIX);
    flowdb_range range = fl_http_params_has(params, FL_PARAM_PREFIX)
                             ? flowdb_range_prefix_time(prefix, ts_start, ts_end)
                             : flowdb_range_keys_time(start, end, ts_start, ts_end);
    flowdb_read_options options = fl_reading_options(reading);
    options.reverse = fl_http_params_number(params, FL_PARAM_ORDER, 0) == 1;
    flowdb_status status =
        flowdb_scan(fl_api_db(reading->request), &range, &options, &reading->iterator);
    return status == FLOWDB_OK && place != NULL ? skip_seen(reading, place) : status;
}

static bool begin_query(struct fl_http_request *request) {
    const uint32_t keys = FL_PARAM_BIT(FL_PARAM_KEY_START) | FL_PARAM_BIT(FL_PARAM_KEY_END);
    return !fl_http_params_has(&request->params, FL_PARAM_PREFIX) ||
           (request->params.given & keys) == 0 ||
           fl_http_reply_fail(&request->reply, 400, "prefix excludes key_start and key_end");
}

static void finish_query(struct fl_http_request *request) {
    int64_t ts_start, ts_end;
    struct fl_output bytes = {0};
    struct fl_cursor place;
    bool paged = false;
    if (fl_reading_times(request, &ts_start, &ts_end) &&
        fl_cursor_read(request, &bytes, &place, &paged)) {
        struct fl_reading *reading = fl_reading_create(request);
        if (reading != NULL) {
            reading->step = next_record;
            fl_reading_start(reading,
                             open_iterator(reading, ts_start, ts_end, paged ? &place : NULL));
        }
    }
    fl_output_deinit(&bytes);
}

const struct fl_http_handler fl_api_query = {.begin = begin_query, .finish = finish_query};

static void finish_record(struct fl_http_request *request) {
    int64_t ts;
    flowdb_result found = {0};
    if (!fl_time_param(&request->params, FL_PARAM_TS, fl_time_read, 0, &ts, &request->reply))
        return;
    flowdb_status status = flowdb_get(
        fl_api_db(request), fl_http_params_bytes(&request->params, FL_PARAM_KEY), ts, &found);
    if (status == FLOWDB_OK)
        fl_reply_record(request, &found.records[0]);
    else
        fl_api_fail(request, status);
    flowdb_result_free(&found);
}

bool fl_api_require_key(struct fl_http_request *request) {
    return fl_http_params_bytes(&request->params, FL_PARAM_KEY).size > 0 ||
           fl_http_reply_fail(&request->reply, 400, "key must not be empty");
}

const struct fl_http_handler fl_api_get_record = {.begin = fl_api_require_key,
                                                  .finish = finish_record};
