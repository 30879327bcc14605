/* What time it is, behind an interface so that tests can turn the clock. */
#ifndef FL_BASE_CLOCK_H
#define FL_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Thread-safe. */
struct fl_clock {
    int64_t (*wall_us)(void *context);      /* since the Unix epoch; may jump either way */
    int64_t (*monotonic_us)(void *context); /* since some start; never runs backwards */
    int64_t (*monotonic_ns)(void *context); /* the same, finer; NULL: made of monotonic_us */
    void *context;
};

/* clock_gettime's CLOCK_REALTIME and CLOCK_MONOTONIC. */
const struct fl_clock *fl_clock_system(void);

static inline int64_t fl_clock_wall_us(const struct fl_clock *clock) {
    return clock->wall_us(clock->context);
}

static inline int64_t fl_clock_monotonic_us(const struct fl_clock *clock) {
    return clock->monotonic_us(clock->context);
}

/* Costs 22 ns or so: calls that take little more are not timed one and all. */
static inline int64_t fl_clock_monotonic_ns(const struct fl_clock *clock) {
    return clock->monotonic_ns != NULL ? clock->monotonic_ns(clock->context)
                                       : clock->monotonic_us(clock->context) * 1000;
}

#endif
