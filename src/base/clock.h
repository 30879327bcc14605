/* What time it is, behind an interface so that tests can turn the clock. */
#ifndef FL_BASE_CLOCK_H
#define FL_BASE_CLOCK_H

#include <stdint.h>

/* Thread-safe. */
struct fl_clock {
    int64_t (*wall_us)(void *context);      /* since the Unix epoch; may jump either way */
    int64_t (*monotonic_us)(void *context); /* since some start; never runs backwards */
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

#endif
