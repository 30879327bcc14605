#include "base/clock.h"

#include <time.h>

static int64_t read_clock_us(clockid_t id) {
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t system_wall_us(void *context) {
    (void)context;
    return read_clock_us(CLOCK_REALTIME);
}

static int64_t system_monotonic_us(void *context) {
    (void)context;
    return read_clock_us(CLOCK_MONOTONIC);
}

static int64_t system_monotonic_ns(void *context) {
    (void)context;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

const struct fl_clock *fl_clock_system(void) {
    static const struct fl_clock clock = {
        .wall_us = system_wall_us,
        .monotonic_us = system_monotonic_us,
        .monotonic_ns = system_monotonic_ns,
    };
    return &clock;
}
