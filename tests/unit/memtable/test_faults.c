/* A memtable whose memory runs out at every allocation that it makes. */
#include "reference.h"

#include <stdlib.h>
#include <string.h>

static void arm(struct pair *pair, uint64_t nth, bool persistent) {
    pair->failing.calls = 0;
    pair->failing.fail_at = nth;
    pair->failing.persistent = persistent;
}

static void disarm(struct pair *pair) {
    pair->failing.fail_at = 0;
}

/* Prepares the batch with every allocation failing in turn, until none does. */
static void prepare_through_failures(struct pair *pair, const struct fl_memtable_batch *batch,
                                     bool persistent, unsigned *failures) {
    for (uint64_t nth = 1;; nth++) {
        arm(pair, nth, persistent);
        flowdb_status status = fl_memtable_prepare(pair->memtable, batch);
        bool struck = pair->failing.calls >= nth;
        disarm(pair);
        if (status == FLOWDB_OK) {
            assert_false(struck);
            return;
        }
        assert_int_equal(status, FLOWDB_NO_MEMORY);
        assert_true(struck);
        ++*failures;
        /* Nothing of it is to be seen. */
        pair_check_gets(pair, UINT64_MAX, 5);
        pair_check_ranges(pair, UINT64_MAX);
        if (nth % 3 == 0)
            pair_check_all(pair, UINT64_MAX);
    }
}

static void a_write_without_memory_changes_nothing(void **state) {
    (void)state;
    struct seeded seeded = seeded_begin("memtable, failing writes");
    unsigned failures = 0;
    for (int life = 0; life < 12; life++) {
        struct pair pair;
        pair_init(&pair, (struct seeded){seeded_next(&seeded)}, life % 2 == 0 ? 30 : 3000, 9);
        for (int round = 0; round < 25; round++) {
            struct pair_batch made;
            uint32_t count =
                1 + seeded_below(&pair.seeded, seeded_chance(&pair.seeded, 20) ? 900 : 40);
            pair_make_batch(&pair, count, 10, &made);
            prepare_through_failures(&pair, &made.batch, seeded_chance(&pair.seeded, 50),
                                     &failures);
            if (seeded_chance(&pair.seeded, 30)) {
                fl_memtable_cancel(pair.memtable);
            } else {
                fl_memtable_publish(pair.memtable);
                pair_note(&pair, &made);
            }
            pair_batch_release(&made);
        }
        pair_check_all(&pair, UINT64_MAX);
        pair_deinit(&pair);
    }
    assert_true(failures > 50);
}

static void a_read_without_memory_says_so_and_works_later(void **state) {
    (void)state;
    struct seeded seeded = seeded_begin("memtable, failing reads");
    unsigned failures = 0;
    for (int life = 0; life < 10; life++) {
        struct pair pair;
        pair_init(&pair, (struct seeded){seeded_next(&seeded)}, 2500, 3);
        for (int round = 0; round < 12; round++) {
            pair_write(&pair, 1 + seeded_below(&pair.seeded, 700), 4);
            struct fl_bounds bounds = {.ts_low = INT64_MIN, .ts_high = INT64_MAX};
            struct fl_source *source = NULL;
            flowdb_status status = FLOWDB_NO_MEMORY;
            for (uint64_t nth = 1; status != FLOWDB_OK; nth++) {
                arm(&pair, nth, round % 2 == 0);
                status = fl_memtable_source(pair.memtable, &bounds, UINT64_MAX, &source);
                disarm(&pair);
                assert_true(status == FLOWDB_OK || status == FLOWDB_NO_MEMORY);
                assert_int_equal(source != NULL, status == FLOWDB_OK);
                failures += status != FLOWDB_OK;
            }
            fl_source_close(source);
            struct fl_memtable_ranges ranges = {0};
            uint64_t seq = pair_snapshot(&pair);
            status = FLOWDB_NO_MEMORY;
            for (uint64_t nth = 1; status != FLOWDB_OK; nth++) {
                arm(&pair, nth, round % 2 == 0);
                status = fl_memtable_ranges(pair.memtable, seq, &ranges);
                disarm(&pair);
                assert_true(status == FLOWDB_OK || status == FLOWDB_NO_MEMORY);
                failures += status != FLOWDB_OK;
            }
            fl_memtable_ranges_release(&ranges);
            pair_check_all(&pair, pair_snapshot(&pair));
        }
        pair_deinit(&pair);
    }
    assert_true(failures > 50);
}

static void a_memtable_that_cannot_be_made_leaves_nothing(void **state) {
    (void)state;
    struct failing_alloc failing;
    failing_alloc_init(&failing);
    flowdb_status status = FLOWDB_NO_MEMORY;
    for (uint64_t nth = 1; status != FLOWDB_OK; nth++) {
        struct fl_chunk_pool pool;
        fl_chunk_pool_init(&pool, &failing.alloc, 64 << 10, 4);
        struct fl_memtable *memtable = NULL;
        failing.calls = 0;
        failing.fail_at = nth;
        status = fl_memtable_create(&failing.alloc, &pool, 100000, &memtable);
        failing.fail_at = 0;
        assert_int_equal(memtable != NULL, status == FLOWDB_OK);
        fl_memtable_unref(memtable);
        fl_chunk_pool_deinit(&pool);
        assert_int_equal(failing.live, 0);
        assert_true(nth < 20);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_without_memory_changes_nothing),
        cmocka_unit_test(a_read_without_memory_says_so_and_works_later),
        cmocka_unit_test(a_memtable_that_cannot_be_made_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
