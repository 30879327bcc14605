/*
 * Power cuts and kills after every operation of the file system.
 *
 *   FLOWDB_CRASH_STATES  how many states to look at (20000)
 *   FLOWDB_SEED          the seed (random)
 *   FLOWDB_CRASH_REPLAY  seed:operation:number, as a failure prints it: only that state
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "explore.h"

static void whatever_a_crash_leaves_is_a_beginning_of_what_was_written(void **state) {
    (void)state;
    struct explore explore;
    const char *given = getenv("FLOWDB_CRASH_STATES");
    explore_init(&explore, "crash states");
    explore_lives(&explore, given != NULL ? strtoull(given, NULL, 10) : 20000);
    explore_print(&explore);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_a_crash_leaves_is_a_beginning_of_what_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
