/* GET /admin/ingest: what comes in by protocol, how fast, and which inputs were refused last. */
#include <math.h>
#include <stdlib.h>

#include "api/api.h"
#include "api/listing.h"
#include "api/precision.h"

static const struct {
    const char *total, *rate;
    size_t offset;
} counted[] = {
    {"records", "records_per_sec", offsetof(struct fl_protocol_counts, records)},
    {"bytes", "bytes_per_sec", offsetof(struct fl_protocol_counts, bytes)},
    {"writes", "writes_per_sec", offsetof(struct fl_protocol_counts, writes)},
    {"expired", "expired_per_sec", offsetof(struct fl_protocol_counts, expired)},
    {"rejected", "rejected_per_sec", offsetof(struct fl_protocol_counts, rejected)},
};

static uint64_t count_at(const struct fl_protocol_counts *counts, size_t offset) {
    uint64_t count;
    memcpy(&count, (const char *)counts + offset, sizeof count);
    return count;
}

static void write_protocols(struct fl_json_writer *writer, const struct fl_api *api) {
    struct fl_protocol_counts added[FL_PROTOCOLS], totals;
    double secs;
    fl_rates_read(api->rates, added, &secs);
    fl_list_double(writer, "window_secs", round(secs * 1000) / 1000);
    fl_list_begin(writer, "protocols");
    for (unsigned at = 0; at < FL_PROTOCOLS; at++) {
        enum fl_protocol protocol = (enum fl_protocol)at;
        fl_counters_protocol(api->counters, protocol, &totals);
        fl_json_begin_object(writer);
        fl_list_text(writer, "protocol", fl_protocol_name(protocol));
        for (size_t i = 0; i < sizeof counted / sizeof counted[0]; i++) {
            double more = (double)count_at(&added[at], counted[i].offset);
            fl_list_uint(writer, counted[i].total, count_at(&totals, counted[i].offset));
            fl_list_double(writer, counted[i].rate, round(more / secs * 1000) / 1000);
        }
        fl_json_end_object(writer);
    }
    fl_list_end(writer);
}

/* A reason may quote what a client sent, which may be a key that went astray. */
static void write_rejections(struct fl_json_writer *writer, const struct fl_api *api,
                             const struct fl_rejection *rejections, enum fl_precision precision,
                             size_t count) {
    fl_list_begin(writer, "rejections");
    for (size_t i = 0; i < count; i++) {
        const char *reason = rejections[i].reason;
        fl_json_begin_object(writer);
        fl_list_int(writer, "at", fl_time_write(precision, rejections[i].at_us));
        fl_list_text(writer, "protocol", fl_protocol_name(rejections[i].protocol));
        fl_list_text(writer, "reason",
                     fl_live_config_reveals(api->live, reason) ? "(not shown: it quotes a key)"
                                                               : reason);
        fl_json_end_object(writer);
    }
    fl_list_end(writer);
}

static void finish_ingest(struct fl_http_request *request) {
    const struct fl_api *api = fl_api_of(request);
    struct fl_rejection *rejections = calloc(FL_REJECTIONS, sizeof *rejections);
    if (rejections == NULL) {
        fl_http_reply_fail(&request->reply, 500, "out of memory");
        return;
    }
    size_t count = fl_counters_rejections(api->counters, rejections);
    struct fl_json_writer writer = {.output = &request->reply.body};
    request->reply.status = 200;
    fl_json_begin_object(&writer);
    write_protocols(&writer, api);
    fl_list_uint(&writer, "unit_warnings", fl_counters_unit_warnings(api->counters));
    write_rejections(&writer, api, rejections, fl_precision_of(&request->params), count);
    fl_json_end_object(&writer);
    free(rejections);
}

const struct fl_http_handler fl_api_ingest = {.finish = finish_ingest};
