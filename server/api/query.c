/*
 * GET /query: an iterator's records, written as the client takes them. Between two parts of the
 * answer nothing is held but the iterator and what did not fit the last part.
 */
#include "api/api.h"

#include <stdlib.h>

struct query {
    struct fl_http_source source; /* first: the reply owns the query by it */
    flowdb_iterator *iterator;
    const struct fl_logger *logger;
    int64_t count;
    bool comma; /* a record was written before */
};

static void destroy_query(struct fl_http_source *source) {
    struct query *query = (struct query *)source;
    flowdb_iterator_destroy(query->iterator);
    free(query);
}

static void write_end(const struct query *query, struct fl_output *output) {
    struct fl_json_writer writer = {.output = output, .comma = true};
    fl_json_end_array(&writer);
    fl_json_member(&writer, "count");
    fl_json_int(&writer, query->count);
    fl_json_end_object(&writer);
}

static enum fl_http_fill fill_query(struct fl_http_source *source, struct fl_output *output,
                                    size_t target) {
    struct query *query = (struct query *)source;
    struct fl_json_writer writer = {.output = output, .comma = query->comma};
    while (output->size < target && !output->failed) {
        flowdb_record record;
        flowdb_status status = flowdb_iterator_next(query->iterator, &record);
        if (status == FLOWDB_DONE) {
            write_end(query, output);
            return FL_HTTP_DONE;
        }
        if (status != FLOWDB_OK) {
            fl_api_log_failure(query->logger, status);
            return FL_HTTP_BROKEN;
        }
        fl_api_write_record(&writer, &record);
        query->comma = true;
        query->count++;
    }
    return FL_HTTP_MORE;
}

static flowdb_range build_range(const struct fl_http_params *params) {
    int64_t ts_start = fl_http_params_number(params, FL_PARAM_TS_START, INT64_MIN);
    int64_t ts_end = fl_http_params_number(params, FL_PARAM_TS_END, INT64_MAX);
    if (fl_http_params_has(params, FL_PARAM_PREFIX))
        return flowdb_range_prefix_time(fl_http_params_bytes(params, FL_PARAM_PREFIX), ts_start,
                                        ts_end);
    return flowdb_range_keys_time(fl_http_params_bytes(params, FL_PARAM_KEY_START),
                                  fl_http_params_bytes(params, FL_PARAM_KEY_END), ts_start, ts_end);
}

static flowdb_status open_iterator(struct fl_http_request *request, flowdb_iterator **iterator) {
    const struct fl_http_params *params = &request->params;
    flowdb_range range = build_range(params);
    flowdb_read_options options = flowdb_read_options_default();
    options.reverse = fl_http_params_number(params, FL_PARAM_ORDER, 0) == 1;
    options.limit = (size_t)fl_http_params_number(params, FL_PARAM_LIMIT, 0);
    return flowdb_scan(fl_api_db(request), &range, &options, iterator);
}

static bool begin_query(struct fl_http_request *request) {
    const uint32_t keys = FL_PARAM_BIT(FL_PARAM_KEY_START) | FL_PARAM_BIT(FL_PARAM_KEY_END);
    return !fl_http_params_has(&request->params, FL_PARAM_PREFIX) ||
           (request->params.given & keys) == 0 ||
           fl_http_reply_fail(&request->reply, 400, "prefix excludes key_start and key_end");
}

/*
 * The first part is produced before the status is sent, so that an engine that fails at once is
 * answered with an error, and a short answer goes out whole.
 */
static void finish_query(struct fl_http_request *request) {
    static const size_t first_part = (size_t)32 << 10;
    struct fl_http_reply *reply = &request->reply;
    struct query *query = calloc(1, sizeof *query);
    if (query == NULL) {
        fl_http_reply_fail(reply, 500, "out of memory");
        return;
    }
    query->source = (struct fl_http_source){fill_query, destroy_query};
    query->logger = request->service->logger;
    reply->source = &query->source;
    flowdb_status status = open_iterator(request, &query->iterator);
    if (status != FLOWDB_OK) {
        fl_api_fail(request, status);
        return;
    }
    reply->status = 200;
    fl_output_append_str(&reply->body, "{\"records\":[");
    enum fl_http_fill filled = fill_query(reply->source, &reply->body, first_part);
    if (filled == FL_HTTP_BROKEN) {
        fl_http_reply_fail(reply, 500, "the engine failed; the server's log has more");
    } else if (filled == FL_HTTP_DONE) {
        destroy_query(reply->source);
        reply->source = NULL;
    }
}

const struct fl_http_handler fl_api_query = {.begin = begin_query, .finish = finish_query};
