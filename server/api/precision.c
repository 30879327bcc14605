#include "api/precision.h"

/* Microseconds of a unit; nanoseconds, which are finer, apart. */
static const int64_t unit_us[] = {
    [FL_PRECISION_S] = 1000000, [FL_PRECISION_MS] = 1000, [FL_PRECISION_US] = 1};
#define NS_PER_US 1000

enum fl_precision fl_precision_of(const struct fl_http_params *params) {
    return (enum fl_precision)fl_http_params_number(params, FL_PARAM_PRECISION, FL_PRECISION_US);
}

const char *fl_precision_name(enum fl_precision precision) {
    static const char *const names[] = {"s", "ms", "us", "ns"};
    return names[precision];
}

static int64_t divide_down(int64_t number, int64_t by) {
    return number / by - (number % by < 0);
}

bool fl_time_read(enum fl_precision precision, int64_t time, int64_t *us) {
    if (precision != FL_PRECISION_NS)
        return !__builtin_mul_overflow(time, unit_us[precision], us);
    *us = divide_down(time, NS_PER_US);
    return true;
}

bool fl_time_read_start(enum fl_precision precision, int64_t time, int64_t *us) {
    if (!fl_time_read(precision, time, us))
        return false;
    *us += precision == FL_PRECISION_NS && time % NS_PER_US != 0;
    return true;
}

bool fl_time_read_end(enum fl_precision precision, int64_t time, int64_t *us) {
    if (!fl_time_read(precision, time, us))
        return false;
    if (precision != FL_PRECISION_NS && __builtin_add_overflow(*us, unit_us[precision] - 1, us))
        *us = INT64_MAX;
    return true;
}

bool fl_time_read_expiry(enum fl_precision precision, int64_t time, int64_t *us) {
    if (time != FLOWDB_NEVER)
        return fl_time_read(precision, time, us);
    *us = FLOWDB_NEVER;
    return true;
}

int64_t fl_time_write(enum fl_precision precision, int64_t us) {
    int64_t time;
    if (precision != FL_PRECISION_NS)
        return divide_down(us, unit_us[precision]);
    if (__builtin_mul_overflow(us, (int64_t)NS_PER_US, &time))
        return us < 0 ? INT64_MIN : INT64_MAX;
    return time;
}

int64_t fl_time_write_expiry(enum fl_precision precision, int64_t us) {
    if (us == FLOWDB_NEVER)
        return us;
    int64_t time = fl_time_write(precision, us);
    return time == FLOWDB_NEVER ? FLOWDB_NEVER - 1 : time;
}

enum fl_precision fl_time_guess(int64_t us) {
    const int64_t from = 1262304000, to = 4102444800; /* 2010 and 2100 in seconds */
    if (us < from)
        return FL_PRECISION_US;
    if (us < to)
        return FL_PRECISION_S;
    if (us >= from * 1000 && us < to * 1000)
        return FL_PRECISION_MS;
    return us >= from * 1000000000 && us < to * 1000000000 ? FL_PRECISION_NS : FL_PRECISION_US;
}

bool fl_time_param(const struct fl_http_params *params, enum fl_http_param param,
                   bool (*read)(enum fl_precision, int64_t, int64_t *), int64_t otherwise,
                   int64_t *us, struct fl_http_reply *reply) {
    *us = otherwise;
    if (!fl_http_params_has(params, param))
        return true;
    enum fl_precision precision = fl_precision_of(params);
    return read(precision, fl_http_params_number(params, param, 0), us) ||
           fl_http_reply_fail(reply, 400, "%s in %s is beyond the range of a time",
                              fl_http_param_name(param), fl_precision_name(precision));
}
