/* A memtable against a plain list of what was written into it. */
#include "reference.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "memtable/internal.h"

/* Few keys and times, so that versions meet; sources and snapshots in between. */
static void random_writes_read_back_at_every_snapshot(void **state) {
    (void)state;
    struct seeded seeded = seeded_begin("memtable, few keys");
    for (int life = 0; life < 12; life++) {
        struct pair pair;
        pair_init(&pair, (struct seeded){seeded_next(&seeded)}, 20, 9);
        for (int round = 0; round < 120; round++) {
            pair_write(&pair, 1 + seeded_below(&pair.seeded, 12), life % 3 == 0 ? 15 : 0);
            pair_check_gets(&pair, pair_snapshot(&pair), 10);
            uint8_t low[PAIR_KEY_BYTES + 1], high[PAIR_KEY_BYTES + 1];
            struct fl_bounds bounds = pair_bounds(&pair, low, high);
            pair_check_source(&pair, &bounds, pair_snapshot(&pair));
            if (round % 10 == 0)
                pair_check_ranges(&pair, pair_snapshot(&pair));
        }
        for (int i = 0; i < 10; i++)
            pair_check_all(&pair, pair_snapshot(&pair));
        pair_deinit(&pair);
    }
}

/* So many keys that the directory has runs of all lengths, sorted by comparison and by radix. */
static void many_keys_come_out_in_order_whenever_they_are_asked_for(void **state) {
    (void)state;
    struct seeded seeded = seeded_begin("memtable, many keys");
    for (int life = 0; life < 3; life++) {
        struct pair pair;
        pair_init(&pair, (struct seeded){seeded_next(&seeded)}, 6000, 4);
        for (int round = 0; round < 60; round++) {
            uint32_t batches = seeded_chance(&pair.seeded, 20) ? 20 : 1;
            for (uint32_t i = 0; i < batches; i++)
                pair_write(&pair, 1 + seeded_below(&pair.seeded, 100), 0);
            uint8_t low[PAIR_KEY_BYTES + 1], high[PAIR_KEY_BYTES + 1];
            struct fl_bounds bounds = pair_bounds(&pair, low, high);
            pair_check_source(&pair, &bounds, pair_snapshot(&pair));
        }
        pair_check_all(&pair, pair.next_seq - 1);
        pair_deinit(&pair);
    }
}

/* In order of time, as measurements come: everything is in the arrays, which grow. */
static void versions_in_order_of_time_read_back(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair, seeded_begin("memtable, in order"), 5, 2000);
    for (uint32_t i = 0; i < 300; i++) {
        struct pair_batch made;
        pair_make_batch(&pair, 1, 0, &made);
        made.versions[0].ts = (int64_t)i;
        memcpy(made.span.data + 8, &made.versions[0].ts, 8);
        assert_int_equal(fl_memtable_prepare(pair.memtable, &made.batch), FLOWDB_OK);
        fl_memtable_publish(pair.memtable);
        pair_note(&pair, &made);
        pair_batch_release(&made);
        struct fl_bounds bounds = {.ts_low = i / 3, .ts_high = 2 * i / 3, .reverse = i % 2 == 1};
        pair_check_source(&pair, &bounds, pair_snapshot(&pair));
    }
    pair_check_all(&pair, pair.next_seq - 1);
    pair_deinit(&pair);
}

/* How many arrays 300 versions of a key lie in, one after the other, where so many were expected. */
static unsigned arrays_for(uint64_t expected) {
    struct pair pair;
    pair_init(&pair, seeded_begin("memtable, expected versions"), 1, 2000);
    fl_memtable_expect(pair.memtable, expected);
    const struct fl_slot *slots = NULL;
    unsigned arrays = 0;
    for (int64_t ts = 0; ts < 300; ts++) {
        struct pair_batch made;
        pair_make_batch(&pair, 1, 0, &made);
        made.versions[0].ts = ts;
        memcpy(made.span.data + 8, &ts, 8);
        assert_int_equal(fl_memtable_prepare(pair.memtable, &made.batch), FLOWDB_OK);
        fl_memtable_publish(pair.memtable);
        pair_note(&pair, &made);
        pair_batch_release(&made);
        struct fl_series *series =
            fl_memtable_find(pair.memtable, pair.keys[0], fl_hash_key(pair.keys[0]));
        arrays += atomic_load(&series->slots) != slots;
        slots = atomic_load(&series->slots);
    }
    pair_check_all(&pair, pair.next_seq - 1);
    pair_deinit(&pair);
    return arrays;
}

static void arrays_begin_as_large_as_is_expected(void **state) {
    (void)state;
    assert_int_equal(arrays_for(0), 11); /* in the series, then 4 8 16 32 64 96 128 192 256 384 */
    assert_int_equal(arrays_for(4), 11);
    assert_int_equal(arrays_for(65), 6); /* then 96 128 192 256 384 */
    assert_int_equal(arrays_for(96), 6);
    assert_int_equal(arrays_for(97), 5);
    assert_int_equal(arrays_for(1000000), 5); /* 128 at the most */
}

static void range_tombstones_count_for_the_snapshots_that_see_them(void **state) {
    (void)state;
    struct seeded seeded = seeded_begin("memtable, range tombstones");
    for (int life = 0; life < 6; life++) {
        struct pair pair;
        pair_init(&pair, (struct seeded){seeded_next(&seeded)}, 30, 5);
        /* So many that they are put into a skyline, again and again, with snapshots from before. */
        for (int round = 0; round < 300; round++) {
            pair_write(&pair, 1 + seeded_below(&pair.seeded, 3), 90);
            if (round % 5 == 0)
                pair_check_ranges(&pair, pair_snapshot(&pair));
        }
        for (int i = 0; i < 20; i++)
            pair_check_ranges(&pair, pair_snapshot(&pair));
        pair_deinit(&pair);
    }
}

static void what_is_cancelled_is_never_seen(void **state) {
    (void)state;
    struct seeded seeded = seeded_begin("memtable, cancelled");
    for (int life = 0; life < 8; life++) {
        struct pair pair;
        pair_init(&pair, (struct seeded){seeded_next(&seeded)}, 40, 9);
        pair_cancel(&pair, 30, 20);
        assert_true(fl_memtable_empty(pair.memtable));
        pair_check_all(&pair, UINT64_MAX);
        for (int round = 0; round < 60; round++) {
            uint64_t records = fl_memtable_records(pair.memtable);
            pair_cancel(&pair, 1 + seeded_below(&pair.seeded, 30), 15);
            assert_int_equal(fl_memtable_records(pair.memtable), records);
            pair_check_gets(&pair, UINT64_MAX, 20);
            if (seeded_chance(&pair.seeded, 70))
                pair_write(&pair, 1 + seeded_below(&pair.seeded, 12), 15);
            if (round % 6 == 0)
                pair_check_all(&pair, pair_snapshot(&pair));
        }
        pair_check_all(&pair, UINT64_MAX);
        pair_deinit(&pair);
    }
}

/* A full disk fails write after write: the memtable must not keep the bytes of each. */
static void what_is_cancelled_again_and_again_does_not_pile_up(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair, seeded_begin("memtable, cancelled often"), 4, 5);
    pair_write(&pair, 50, 0);
    uint64_t before = atomic_load(&pair.pool.resident);
    for (int i = 0; i < 50; i++) {
        struct pair_batch made;
        pair_make_batch(&pair, 20, 0, &made);
        size_t size = 1 << 20;
        uint8_t *large = fl_allocate(&pair.failing.alloc, size);
        memcpy(large, made.batch.entries, made.batch.size);
        struct fl_chunk *chunk;
        assert_int_equal(fl_chunk_pool_adopt(&pair.pool, large, size, &chunk), FLOWDB_OK);
        made.batch.chunk = chunk;
        made.batch.entries = large;
        assert_int_equal(fl_memtable_prepare(pair.memtable, &made.batch), FLOWDB_OK);
        fl_memtable_cancel(pair.memtable);
        fl_chunk_unref(chunk);
        pair_batch_release(&made);
    }
    assert_true(atomic_load(&pair.pool.resident) < before + (4 << 20));
    pair_check_all(&pair, UINT64_MAX);
    pair_deinit(&pair);
}

static void it_counts_what_it_holds(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair, seeded_begin("memtable, counts"), 50, 9);
    assert_true(fl_memtable_empty(pair.memtable));
    assert_int_equal(fl_memtable_records(pair.memtable), 0);
    assert_int_equal(fl_memtable_series(pair.memtable), 0);
    uint64_t bytes = fl_memtable_bytes(pair.memtable), charged = 0;
    for (int i = 0; i < 20; i++) {
        struct pair_batch made;
        pair_make_batch(&pair, 10, 10, &made);
        assert_int_equal(fl_memtable_prepare(pair.memtable, &made.batch), FLOWDB_OK);
        fl_memtable_publish(pair.memtable);
        charged += made.batch.charge;
        pair_note(&pair, &made);
        pair_batch_release(&made);
    }
    assert_int_equal(fl_memtable_records(pair.memtable), 200);
    assert_false(fl_memtable_empty(pair.memtable));
    assert_true(fl_memtable_bytes(pair.memtable) >= bytes + charged);
    uint64_t series = 0;
    for (uint32_t key = 0; key < pair.key_count; key++) {
        bool there = false;
        for (size_t i = 0; i < pair.version_count; i++)
            there = there || pair.versions[i].key == key;
        series += there;
    }
    assert_int_equal(fl_memtable_series(pair.memtable), series);
    pair_deinit(&pair);
}

static void entries_stay_while_a_reader_holds_the_memtable(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair, seeded_begin("memtable, held"), 20, 9);
    pair_write(&pair, 100, 5);
    struct fl_bounds bounds = {.ts_low = INT64_MIN, .ts_high = INT64_MAX};
    struct fl_source *source;
    fl_memtable_ref(pair.memtable);
    assert_int_equal(fl_memtable_source(pair.memtable, &bounds, UINT64_MAX, &source), FLOWDB_OK);
    struct fl_memtable *memtable = pair.memtable;
    fl_memtable_unref(memtable); /* the engine's */
    size_t rows = 0;
    uint64_t sum = 0;
    assert_int_equal(fl_source_seek(source, (flowdb_slice){0}, 0), FLOWDB_OK);
    for (; source->valid; rows++) {
        sum += fl_hash_key(source->row.key) + fl_hash_key(source->row.value);
        assert_int_equal(fl_source_next(source), FLOWDB_OK);
    }
    assert_true(rows > 0 && sum != 0);
    fl_source_close(source);
    pair_deinit(&pair); /* drops the last reference */
}

static void a_table_sized_for_its_keys_answers_as_one_that_grows(void **state) {
    (void)state;
    static const size_t expected[] = {1, 31, 32, 33, 100, 5000};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct pair pair;
        pair_init(&pair, seeded_begin("memtable, sized"), 300, 3);
        fl_memtable_unref(pair.memtable);
        assert_int_equal(
            fl_memtable_create(&pair.failing.alloc, &pair.pool, expected[i], &pair.memtable),
            FLOWDB_OK);
        pair_write(&pair, 1500, 0);
        pair_check_all(&pair, pair.next_seq - 1);
        pair_deinit(&pair);
    }
}

static bool outgrows_its_table(struct pair *pair, size_t expected) {
    fl_memtable_unref(pair->memtable);
    assert_int_equal(
        fl_memtable_create(&pair->failing.alloc, &pair->pool, expected, &pair->memtable),
        FLOWDB_OK);
    const struct fl_series_table *before = atomic_load(&pair->memtable->table);
    for (int i = 0; i < 4; i++)
        pair_write(pair, 5000, 0);
    assert_int_equal(fl_memtable_series(pair->memtable), pair->key_count);
    return atomic_load(&pair->memtable->table) != before;
}

static void a_table_is_not_outgrown_by_the_keys_that_it_was_sized_for(void **state) {
    (void)state;
    for (uint32_t keys = 700; keys <= 800; keys += 25) {
        struct pair pair;
        pair_init(&pair, seeded_begin("memtable, not outgrown"), keys, 3);
        assert_false(outgrows_its_table(&pair, pair.key_count));
        pair_deinit(&pair);
        pair_init(&pair, seeded_begin("memtable, outgrown"), keys, 3);
        assert_true(outgrows_its_table(&pair, pair.key_count / 2 - 1));
        pair_deinit(&pair);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_writes_read_back_at_every_snapshot),
        cmocka_unit_test(many_keys_come_out_in_order_whenever_they_are_asked_for),
        cmocka_unit_test(versions_in_order_of_time_read_back),
        cmocka_unit_test(arrays_begin_as_large_as_is_expected),
        cmocka_unit_test(range_tombstones_count_for_the_snapshots_that_see_them),
        cmocka_unit_test(what_is_cancelled_is_never_seen),
        cmocka_unit_test(what_is_cancelled_again_and_again_does_not_pile_up),
        cmocka_unit_test(it_counts_what_it_holds),
        cmocka_unit_test(entries_stay_while_a_reader_holds_the_memtable),
        cmocka_unit_test(a_table_sized_for_its_keys_answers_as_one_that_grows),
        cmocka_unit_test(a_table_is_not_outgrown_by_the_keys_that_it_was_sized_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
