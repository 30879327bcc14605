#include "api/tally.h"

#include <stdio.h>
#include <time.h>

#include "json/json_writer.h"

void fl_tally_init(struct fl_tally *tally, const struct fl_http_request *request) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *tally = (struct fl_tally){.precision = fl_precision_of(&request->params),
                               .named = fl_http_params_has(&request->params, FL_PARAM_PRECISION),
                               .now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000,
                               .default_ttl_us = fl_api_of(request)->default_ttl_us,
                               .unit = FL_PRECISION_US};
}

void fl_tally_clear(struct fl_tally *tally) {
    tally->records = 0;
    tally->expired = 0;
    tally->unit = FL_PRECISION_US;
}

void fl_tally_add(struct fl_tally *tally, const flowdb_record *record) {
    int64_t end = record->expire_at;
    if (end == FLOWDB_NEVER && tally->default_ttl_us > 0 &&
        __builtin_add_overflow(record->ts, tally->default_ttl_us, &end))
        end = FLOWDB_NEVER;
    tally->expired += end <= tally->now_us;
    if (!tally->named && tally->unit == FL_PRECISION_US) {
        tally->unit = fl_time_guess(record->ts);
        tally->suspect = tally->records;
    }
    tally->records++;
}

static void write_warning(const struct fl_tally *tally, struct fl_json_writer *writer) {
    static const char *const units[] = {"seconds", "milliseconds", "microseconds", "nanoseconds"};
    char text[200];
    snprintf(text, sizeof text,
             "the ts of record %zu looks like %s but was taken as microseconds: add precision=%s, "
             "or precision=us if microseconds are meant",
             tally->suspect, units[tally->unit], fl_precision_name(tally->unit));
    fl_json_member(writer, "warning");
    fl_json_string(writer, flowdb_str(text));
}

void fl_tally_reply(const struct fl_tally *tally, struct fl_http_request *request,
                    enum fl_protocol protocol) {
    struct fl_counters *counters = fl_api_of(request)->counters;
    struct fl_written written = {tally->records, request->body_size, tally->expired};
    struct fl_json_writer writer = {.output = &request->reply.body};
    request->reply.status = 200;
    fl_json_begin_object(&writer);
    fl_json_member(&writer, "written");
    fl_json_int(&writer, (int64_t)tally->records);
    if (tally->expired > 0) {
        fl_json_member(&writer, "expired");
        fl_json_int(&writer, (int64_t)tally->expired);
    }
    if (tally->unit != FL_PRECISION_US)
        write_warning(tally, &writer);
    fl_json_end_object(&writer);
    fl_counters_add_written(counters, protocol, &written);
    if (tally->unit != FL_PRECISION_US)
        fl_counters_add_unit_warning(counters);
}
