/* What a clock that jumps may do: within a life, and from one to the next. */
#include "engine_fixture.h"

#include <string.h>

static void set_clock(struct engine *engine, int64_t wall_us) {
    atomic_store(&engine->clock.wall_us, wall_us);
}

static void time_never_runs_backwards_in_one_life(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put_until(engine, "a", 1, ENGINE_NOW + ENGINE_HOUR, "soon");
    engine_put_until(engine, "b", 1, ENGINE_NOW + 2 * ENGINE_HOUR, "later");
    engine_assert_contents(engine, "a@1=soon b@1=later");
    set_clock(engine, ENGINE_NOW + ENGINE_HOUR);
    engine_assert_contents(engine, "b@1=later");
    set_clock(engine, ENGINE_NOW - 10 * ENGINE_YEAR);
    engine_assert_contents(engine, "b@1=later");
    engine_flush(engine);
    engine_assert_contents(engine, "b@1=later");
    engine_put_until(engine, "c", 1, ENGINE_NOW, "past"); /* expired when it is written */
    engine_assert_contents(engine, "b@1=later");
}

/* Up to a day the stored time is believed: what has expired stays so. */
static void a_clock_that_is_set_back_by_hours_brings_nothing_back(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put_until(engine, "a", 1, ENGINE_NOW + ENGINE_HOUR, "soon");
    engine_put(engine, "b", 1, "for ever");
    set_clock(engine, ENGINE_NOW + ENGINE_DAY);
    engine_assert_contents(engine, "b@1=for ever");
    engine_close(engine);
    set_clock(engine, ENGINE_NOW);
    engine_open(engine);
    assert_int_equal(engine->warnings, 0);
    engine_assert_contents(engine, "b@1=for ever");
    engine_go_on_after_crash(engine);
    engine_assert_contents(engine, "b@1=for ever");
}

/* A year is no time that passed: it is logged and ignored, and no data is lost by it. */
static void a_clock_that_was_a_year_ahead_costs_no_data(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put_until(engine, "a", 1, ENGINE_NOW + ENGINE_HOUR, "log");
    engine_put_until(engine, "b", 1, ENGINE_NOW + ENGINE_HOUR, "table");
    engine_flush(engine);
    engine_put_until(engine, "a", 1, ENGINE_NOW + ENGINE_HOUR, "log again");
    set_clock(engine, ENGINE_NOW + ENGINE_YEAR);
    engine_assert_contents(engine, "");
    engine_reopen(engine); /* with the wrong clock, too */
    engine_assert_contents(engine, "");
    engine_put(engine, "c", 1, "written then");
    engine_flush(engine);
    engine_close(engine);
    set_clock(engine, ENGINE_NOW);
    engine_open(engine);
    assert_int_equal(engine->warnings, 1);
    assert_non_null(strstr(engine->last_warning, "ahead of the clock"));
    engine_assert_contents(engine, "a@1=log again b@1=table c@1=written then");
    /* The wrong time is forgotten. */
    engine_reopen(engine);
    assert_int_equal(engine->warnings, 1);
    engine_assert_contents(engine, "a@1=log again b@1=table c@1=written then");
}

static void the_furthest_times_are_no_overflow(void **state) {
    struct engine *engine = *state;
    static const int64_t times[] = {INT64_MAX, INT64_MIN, 0, INT64_MAX - 1, INT64_MIN + 1};
    engine_open(engine);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        set_clock(engine, times[i]);
        engine_put(engine, "a", (int64_t)i, "x");
        engine_reopen(engine);
        engine_go_on_after_crash(engine);
    }
    engine_assert_contents(engine, "a@0=x a@1=x a@2=x a@3=x a@4=x");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(time_never_runs_backwards_in_one_life),
        ENGINE_TEST(a_clock_that_is_set_back_by_hours_brings_nothing_back),
        ENGINE_TEST(a_clock_that_was_a_year_ahead_costs_no_data),
        ENGINE_TEST(the_furthest_times_are_no_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
