#include "http/meters.h"

#include <stdlib.h>
#include <time.h>

const unsigned fl_http_meter_statuses[FL_HTTP_STATUSES] = {
    200, 201, 204, 206, 304, 308, 400, 401, 403, 404, 405, 406, 408,
    409, 411, 413, 414, 415, 417, 429, 431, 500, 503, 507, 0};

const uint64_t fl_http_meter_bounds_us[FL_HTTP_LATENCY_BUCKETS] = {
    100,    250,    500,     1000,    2500,     10000,     25000,
    100000, 250000, 1000000, 5000000, 30000000, UINT64_MAX};

struct fl_http_meters *fl_http_meters_create(size_t route_count) {
    struct fl_http_meters *meters =
        calloc(1, sizeof *meters + (route_count + 1) * sizeof meters->routes[0]);
    if (meters != NULL)
        meters->count = route_count + 1;
    return meters;
}

void fl_http_meters_destroy(struct fl_http_meters *meters) {
    free(meters);
}

static void add(_Atomic uint64_t *counter, uint64_t more) {
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

void fl_http_meters_begin(struct fl_http_meters *meters) {
    add(&meters->begun, 1);
}

/* The bit's number; the last method for none. */
static unsigned method_index(unsigned method) {
    unsigned index = 0;
    while (index < FL_HTTP_METHODS - 1 && method != 1U << index)
        index++;
    return index;
}

static unsigned status_index(unsigned status) {
    unsigned index = 0;
    while (index < FL_HTTP_STATUSES - 1 && fl_http_meter_statuses[index] != status)
        index++;
    return index;
}

void fl_http_meters_end(struct fl_http_meters *meters, const struct fl_http_metered *request) {
    struct fl_http_meter *meter = &meters->routes[request->route];
    unsigned bucket = 0;
    while (request->duration_us > fl_http_meter_bounds_us[bucket])
        bucket++;
    add(&meter->answers[method_index(request->method)][status_index(request->status)], 1);
    add(&meter->latencies[bucket], 1);
    add(&meter->latency_us, request->duration_us);
    add(&meters->bytes_in, request->bytes_in);
    add(&meters->bytes_out, request->bytes_out);
    add(&meters->rejected, request->status >= 400);
    add(&meters->ended, 1);
}

void fl_http_meters_connection(struct fl_http_meters *meters, bool begun) {
    add(begun ? &meters->connections_begun : &meters->connections_ended, 1);
}

const char *fl_http_cut_name(unsigned cut) {
    static const char *const names[FL_HTTP_CUTS] = {"slow_headers", "slow_body", "idle",
                                                    "max_connections", "max_connections_per_ip"};
    return names[cut];
}

void fl_http_meters_cut(struct fl_http_meters *meters, enum fl_http_cut why) {
    add(&meters->cuts[why], 1);
}

int64_t fl_http_meters_now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
