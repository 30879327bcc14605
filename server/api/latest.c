/*
 * GET /latest: the record with the greatest ts of one key, or of each key with a prefix, up to ts_end
 * where that is given. GET /keys: the keys alone.
 *
 * Both go from key to key. One iterator finds the keys in order; of /latest a second one, which runs
 * backwards, is put on each key's end and finds its last record there.
 */
#include "api/reading.h"

static flowdb_status next_key(struct fl_reading *reading, flowdb_record *record) {
    return flowdb_iterator_next_key(reading->iterator, record);
}

static bool same_key(flowdb_slice one, flowdb_slice other) {
    return one.size == other.size && memcmp(one.data, other.data, one.size) == 0;
}

/* A key that was deleted between the making of the two iterators is passed over. */
static flowdb_status next_latest(struct fl_reading *reading, flowdb_record *record) {
    for (;;) {
        flowdb_record first;
        flowdb_status status = flowdb_iterator_next_key(reading->iterator, &first);
        if (status == FLOWDB_OK)
            status = flowdb_iterator_seek(reading->finder, first.key, reading->ts_end);
        if (status != FLOWDB_OK)
            return status;
        status = flowdb_iterator_next(reading->finder, record);
        if (status == FLOWDB_OK && same_key(first.key, record->key))
            return FLOWDB_OK;
        if (status != FLOWDB_OK && status != FLOWDB_DONE)
            return status;
    }
}

static flowdb_status open_iterators(struct fl_reading *reading, bool latest,
                                    const struct fl_cursor *place) {
    flowdb *db = fl_api_db(reading->request);
    flowdb_slice prefix = fl_http_params_bytes(&reading->request->params, FL_PARAM_PREFIX);
    flowdb_range range = flowdb_range_prefix_time(prefix, INT64_MIN, reading->ts_end);
    flowdb_read_options options = fl_reading_options(reading);
    flowdb_status status = flowdb_scan(db, &range, &options, &reading->iterator);
    options.reverse = true;
    if (status == FLOWDB_OK && latest)
        status = flowdb_scan(db, &range, &options, &reading->finder);
    return status == FLOWDB_OK && place != NULL ? fl_reading_skip_key(reading, place) : status;
}

/* Both, by prefix. */
static void read_keys(struct fl_http_request *request, bool latest) {
    int64_t ts_start, ts_end;
    struct fl_output bytes = {0};
    struct fl_cursor place;
    bool paged = false;
    if (fl_reading_times(request, &ts_start, &ts_end) &&
        fl_cursor_read(request, &bytes, &place, &paged)) {
        struct fl_reading *reading = fl_reading_create(request);
        if (reading != NULL) {
            reading->step = latest ? next_latest : next_key;
            reading->writer.keys_only = !latest;
            if (!latest)
                reading->writer.format = FL_FORMAT_JSON;
            reading->ts_end = ts_end;
            fl_reading_start(reading, open_iterators(reading, latest, paged ? &place : NULL));
        }
    }
    fl_output_deinit(&bytes);
}

/* ----------------------------------------------------------------------------------- /latest -- */

static bool begin_latest(struct fl_http_request *request) {
    const struct fl_http_params *params = &request->params;
    bool key = fl_http_params_has(params, FL_PARAM_KEY);
    bool prefix = fl_http_params_has(params, FL_PARAM_PREFIX);
    if (key == prefix)
        return fl_http_reply_fail(&request->reply, 400,
                                  key ? "key excludes prefix" : "key or prefix is missing");
    if (key && fl_http_params_has(params, FL_PARAM_CURSOR))
        return fl_http_reply_fail(&request->reply, 400, "cursor goes with prefix, not with key");
    return !key || fl_api_require_key(request);
}

/* Up to a time, by a scan that ends with its first record. */
static flowdb_status find_until(flowdb *db, flowdb_slice key, int64_t ts_end,
                                flowdb_result *found) {
    flowdb_range range = flowdb_range_keys_time(key, key, INT64_MIN, ts_end);
    flowdb_read_options options = flowdb_read_options_default();
    options.reverse = true;
    options.limit = 1;
    flowdb_status status = flowdb_query(db, &range, &options, found);
    return status == FLOWDB_OK && found->count == 0 ? FLOWDB_NOT_FOUND : status;
}

static void finish_latest(struct fl_http_request *request) {
    const struct fl_http_params *params = &request->params;
    flowdb_slice key = fl_http_params_bytes(params, FL_PARAM_KEY);
    int64_t ts_start, ts_end;
    if (fl_http_params_has(params, FL_PARAM_PREFIX)) {
        read_keys(request, true);
        return;
    }
    if (!fl_reading_times(request, &ts_start, &ts_end))
        return;
    flowdb_result found = {0};
    flowdb_status status = fl_http_params_has(params, FL_PARAM_TS_END)
                               ? find_until(fl_api_db(request), key, ts_end, &found)
                               : flowdb_get_latest(fl_api_db(request), key, &found);
    if (status == FLOWDB_OK)
        fl_reply_record(request, &found.records[0]);
    else
        fl_api_fail(request, status);
    flowdb_result_free(&found);
}

const struct fl_http_handler fl_api_latest = {.begin = begin_latest, .finish = finish_latest};

/* ------------------------------------------------------------------------------------- /keys -- */

static void finish_keys(struct fl_http_request *request) {
    read_keys(request, false);
}

const struct fl_http_handler fl_api_keys = {.finish = finish_keys};
