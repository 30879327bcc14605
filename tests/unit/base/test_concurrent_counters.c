/* Counters and histograms lose nothing, however many threads there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/counters.h"
#include "base/histogram.h"
#include "support/failing_alloc.h"

/* More than there are lines, so that some have to share. */
enum { THREADS = 150, ROUNDS = 2000 };

struct shared {
    struct fl_counters counters;
    struct fl_histogram histogram;
    pthread_barrier_t barrier;
};

static void *count(void *argument) {
    struct shared *shared = argument;
    pthread_barrier_wait(&shared->barrier); /* all are alive at once */
    for (uint64_t i = 0; i < ROUNDS; i++) {
        fl_counters_add(&shared->counters, 0, 1);
        fl_counters_add(&shared->counters, FL_COUNTERS - 1, i);
        fl_histogram_record(&shared->histogram, i + 1, 2);
    }
    return NULL;
}

static void run_threads(struct shared *shared, unsigned threads) {
    pthread_t ids[THREADS];
    pthread_barrier_init(&shared->barrier, NULL, threads);
    for (unsigned i = 0; i < threads; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, count, shared), 0);
    for (unsigned i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    pthread_barrier_destroy(&shared->barrier);
}

static void assert_counted(const struct shared *shared, uint64_t threads) {
    assert_int_equal(fl_counters_sum(&shared->counters, 0), threads * ROUNDS);
    assert_int_equal(fl_counters_sum(&shared->counters, 1), 0);
    assert_int_equal(fl_counters_sum(&shared->counters, FL_COUNTERS - 1),
                     threads * (ROUNDS - 1) * ROUNDS / 2);
    struct fl_histogram_counts counts;
    fl_histogram_read(&shared->histogram, &counts);
    assert_int_equal(counts.count, threads * ROUNDS * 2);
    assert_int_equal(counts.sum, threads * ROUNDS * (ROUNDS + 1));
}

static void nothing_is_lost_where_threads_come_and_go(void **state) {
    (void)state;
    struct shared shared;
    assert_int_equal(fl_counters_init(&shared.counters, fl_alloc_system()), FLOWDB_OK);
    assert_int_equal(fl_histogram_init(&shared.histogram, fl_alloc_system(), 4), FLOWDB_OK);
    run_threads(&shared, 8);
    assert_counted(&shared, 8);
    run_threads(&shared, THREADS);
    assert_counted(&shared, THREADS + 8);
    run_threads(&shared, 3);
    assert_counted(&shared, THREADS + 11);
    fl_histogram_deinit(&shared.histogram);
    fl_counters_deinit(&shared.counters);
}

static void a_thread_keeps_its_line(void **state) {
    (void)state;
    struct fl_counters counters;
    assert_int_equal(fl_counters_init(&counters, fl_alloc_system()), FLOWDB_OK);
    struct fl_counter_line *mine = fl_counters_line(&counters);
    assert_non_null(mine);
    assert_int_equal((uintptr_t)mine % 64, 0);
    assert_ptr_equal(fl_counters_line(&counters), mine);
    fl_counters_add(&counters, 3, 5);
    assert_int_equal(atomic_load(&mine->values[3]), 5);
    fl_counters_deinit(&counters);
    fl_counters_deinit(&counters);
}

/* Who meets strangers wherever it looks counts in the line that all share. */
static void who_finds_no_line_shares_one(void **state) {
    (void)state;
    struct fl_counters counters;
    assert_int_equal(fl_counters_init(&counters, fl_alloc_system()), FLOWDB_OK);
    for (size_t i = 0; i < FL_COUNTER_LINES; i++)
        atomic_store(&counters.owners[i], (uintptr_t)1);
    assert_null(fl_counters_line(&counters));
    fl_counters_add(&counters, 3, 5);
    fl_counters_add(&counters, 3, 6);
    assert_int_equal(atomic_load(&counters.lines[FL_COUNTER_LINES].values[3]), 11);
    assert_int_equal(fl_counters_sum(&counters, 3), 11);
    fl_counters_deinit(&counters);
}

static void no_memory_is_said(void **state) {
    (void)state;
    struct failing_alloc failing;
    failing_alloc_init(&failing);
    failing.fail_at = 1;
    struct fl_counters counters;
    assert_int_equal(fl_counters_init(&counters, &failing.alloc), FLOWDB_NO_MEMORY);
    fl_counters_deinit(&counters);
    assert_int_equal(failing.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_where_threads_come_and_go),
        cmocka_unit_test(a_thread_keeps_its_line),
        cmocka_unit_test(who_finds_no_line_shares_one),
        cmocka_unit_test(no_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
