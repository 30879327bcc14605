/* A request such as "GET /query?prefix=a": refused with a reason, or its parameters, written out again,
   are read as the same. Numbers and times are held against their texts. */
#include "api/api.h"
#include "api/precision.h"
#include "fuzz/server/given.h"
#include "text/number.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct fl_limits limits = {.max_key_bytes = 24};

static void check_time(enum fl_precision precision, int64_t time) {
    int64_t us, start, end;
    if (!fl_time_read(precision, time, &us))
        return;
    int64_t back = fl_time_write(precision, us);
    expect(precision == FL_PRECISION_NS ? back <= time && (uint64_t)time - (uint64_t)back < 1000
                                        : back == time);
    expect(fl_time_read_start(precision, time, &start) && start >= us && start - us <= 1);
    expect(fl_time_read_end(precision, time, &end) && end >= us);
    expect(fl_time_write(precision, end) == back || end == INT64_MAX);
    expect(fl_time_write_expiry(precision, us) != FLOWDB_NEVER || us == FLOWDB_NEVER);
}

/* The number's own text reads as it, and so do its times in every unit. */
static void check_number(int64_t number) {
    struct fl_output text = {0};
    int64_t again;
    fl_number_append(&text, number);
    expect(fl_number_parse(text.data, text.size, &again) == FL_NUMBER_OK && again == number);
    fl_output_deinit(&text);
    for (unsigned i = 0; i < 4; i++)
        check_time((enum fl_precision)i, number);
}

static void write_again(const struct fl_http_params *params, struct fl_output *text) {
    for (unsigned i = FL_PARAM_COUNT; i-- > 0;) {
        enum fl_http_param param = (enum fl_http_param)i;
        if (!fl_http_params_has(params, param))
            continue;
        fl_output_format(text, "&%s=", fl_http_param_name(param));
        given_escape(text, fl_http_params_bytes(params, param));
        check_number(fl_http_params_number(params, param, 0));
    }
}

static void check_same(const struct fl_http_params *one, const struct fl_http_params *other) {
    expect(one->given == other->given);
    for (unsigned i = 0; i < FL_PARAM_COUNT; i++) {
        enum fl_http_param param = (enum fl_http_param)i;
        expect(given_same(fl_http_params_bytes(one, param), fl_http_params_bytes(other, param)));
        expect(fl_http_params_number(one, param, 0) == fl_http_params_number(other, param, 0));
    }
}

/* Keys keep to the limit, and nothing is there that the path does not take. */
static void check_bounds(const struct fl_http_params *params, uint32_t allowed) {
    static const enum fl_http_param keys[] = {FL_PARAM_KEY, FL_PARAM_KEY_START, FL_PARAM_KEY_END,
                                              FL_PARAM_PREFIX};
    expect((params->given & ~allowed) == 0);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        expect(fl_http_params_bytes(params, keys[i]).size <= limits.max_key_bytes);
    expect(fl_http_params_number(params, FL_PARAM_LIMIT, 1) >= 1);
}

static void check_query(const struct fl_http_route *route, flowdb_slice query,
                        struct fl_http_reply *reply) {
    struct fl_http_params params = {0}, again = {0};
    struct fl_output text = {0};
    if (given_query(&params, route->params, query, &limits, reply)) {
        check_bounds(&params, route->params);
        write_again(&params, &text);
        expect(
            given_query(&again, route->params, flowdb_bytes(text.data, text.size), &limits, reply));
        check_same(&params, &again);
        bool whole = fl_http_params_require(&params, route->required, reply);
        expect(whole == ((params.given & route->required) == route->required));
    }
    fl_http_params_deinit(&params);
    fl_http_params_deinit(&again);
    fl_output_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fl_http_reply reply = {0};
    flowdb_slice query;
    const struct fl_http_route *route = given_route(flowdb_bytes(data, size), &query, &reply);
    if (route != NULL)
        check_query(route, query, &reply);
    if (reply.status != 0)
        given_check_refusal(&reply);
    fl_http_reply_deinit(&reply);
    return 0;
}
