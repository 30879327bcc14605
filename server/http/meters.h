/*
 * What HTTP has done since the start: requests by path, method and answer, their times, bytes and
 * connections. Counted in atomics by the threads that answer; read at any time by whoever shows them.
 */
#ifndef FL_HTTP_METERS_H
#define FL_HTTP_METERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* Methods as labels: those that routes have, in their bits' order, OPTIONS, and any other. */
    FL_HTTP_METHODS = 8,
    FL_HTTP_STATUSES = 25,
    FL_HTTP_LATENCY_BUCKETS = 13 /* the last one is without bound */
};

/* Which answers are told apart, ending with 0: none was sent, for the client was gone, or it is none
   of the others. */
extern const unsigned fl_http_meter_statuses[FL_HTTP_STATUSES];
/* Upper bounds in microseconds; UINT64_MAX for the last. */
extern const uint64_t fl_http_meter_bounds_us[FL_HTTP_LATENCY_BUCKETS];

/* Why a connection was ended by the server. */
enum fl_http_cut {
    FL_HTTP_CUT_SLOW_HEADERS,
    FL_HTTP_CUT_SLOW_BODY,
    FL_HTTP_CUT_IDLE,
    FL_HTTP_CUT_TOO_MANY,
    FL_HTTP_CUT_TOO_MANY_OF_ADDRESS,
    FL_HTTP_CUTS
};
const char *fl_http_cut_name(unsigned cut);

/* Of one path; of unknown ones together. */
struct fl_http_meter {
    _Atomic uint64_t answers[FL_HTTP_METHODS][FL_HTTP_STATUSES];
    _Atomic uint64_t latencies[FL_HTTP_LATENCY_BUCKETS]; /* each by itself, not summed up */
    _Atomic uint64_t latency_us;                         /* added up */
};

struct fl_http_meters {
    size_t count; /* of `routes` */
    _Atomic uint64_t begun, ended, rejected;
    _Atomic uint64_t bytes_in, bytes_out; /* of bodies, as they went over the wire */
    _Atomic uint64_t connections_begun, connections_ended;
    _Atomic uint64_t cuts[FL_HTTP_CUTS];
    struct fl_http_meter routes[]; /* as in the route table; the last one is of unknown paths */
};

/* A request that has ended. */
struct fl_http_metered {
    size_t route;    /* its place in the table; the table's length for an unknown path */
    unsigned method; /* FL_HTTP_…; 0 for one that no route has */
    unsigned status; /* 0: no answer */
    uint64_t bytes_in, bytes_out;
    uint64_t duration_us;
};

/* NULL where memory is out. */
struct fl_http_meters *fl_http_meters_create(size_t route_count);
void fl_http_meters_destroy(struct fl_http_meters *meters); /* NULL is fine */

void fl_http_meters_begin(struct fl_http_meters *meters);
void fl_http_meters_end(struct fl_http_meters *meters, const struct fl_http_metered *request);
void fl_http_meters_connection(struct fl_http_meters *meters, bool begun);
void fl_http_meters_cut(struct fl_http_meters *meters, enum fl_http_cut why);

static inline uint64_t fl_http_meter_read(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Microseconds on a clock that nobody sets. */
int64_t fl_http_meters_now_us(void);

#endif
