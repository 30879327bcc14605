/* A clock that stands still until a test turns it. Thread-safe. */
#ifndef TESTS_SUPPORT_FAKE_CLOCK_H
#define TESTS_SUPPORT_FAKE_CLOCK_H

#include <stdatomic.h>

#include "base/clock.h"

struct fake_clock {
    struct fl_clock clock; /* hand this out */
    _Atomic int64_t wall_us;
    _Atomic int64_t monotonic_us;
};

/* The monotonic clock starts at 0. */
void fake_clock_init(struct fake_clock *fake, int64_t wall_us);

#endif
