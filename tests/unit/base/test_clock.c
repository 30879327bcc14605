/* The machine's clocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/fake_clock.h"

static void the_wall_clock_counts_microseconds_since_the_epoch(void **state) {
    (void)state;
    int64_t before = (int64_t)time(NULL) * 1000000;
    int64_t now = fl_clock_wall_us(fl_clock_system());
    /* time() may lag behind by a tick. */
    assert_true(now >= before && now < before + 60 * INT64_C(1000000));
}

static void the_monotonic_clock_never_runs_backwards(void **state) {
    (void)state;
    int64_t last = fl_clock_monotonic_us(fl_clock_system());
    for (int i = 0; i < 10000; i++) {
        int64_t now = fl_clock_monotonic_us(fl_clock_system());
        assert_true(now >= last);
        last = now;
    }
}

static void nanoseconds_are_of_the_same_clock(void **state) {
    (void)state;
    const struct fl_clock *clock = fl_clock_system();
    for (int i = 0; i < 1000; i++) {
        int64_t before = fl_clock_monotonic_us(clock);
        int64_t now = fl_clock_monotonic_ns(clock);
        int64_t after = fl_clock_monotonic_us(clock);
        assert_true(now / 1000 >= before && now / 1000 <= after);
    }
}

static void a_fake_clock_says_what_it_is_told(void **state) {
    (void)state;
    struct fake_clock fake;
    fake_clock_init(&fake, -5);
    assert_true(fl_clock_wall_us(&fake.clock) == -5);
    assert_true(fl_clock_monotonic_us(&fake.clock) == 0);
    atomic_store(&fake.wall_us, INT64_MIN);
    atomic_store(&fake.monotonic_us, 7);
    assert_true(fl_clock_wall_us(&fake.clock) == INT64_MIN);
    assert_true(fl_clock_monotonic_us(&fake.clock) == 7);
    assert_true(fl_clock_monotonic_ns(&fake.clock) == 7000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wall_clock_counts_microseconds_since_the_epoch),
        cmocka_unit_test(the_monotonic_clock_never_runs_backwards),
        cmocka_unit_test(nanoseconds_are_of_the_same_clock),
        cmocka_unit_test(a_fake_clock_says_what_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
