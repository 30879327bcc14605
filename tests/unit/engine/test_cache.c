/* What reads through the interface keep in memory, and that they go on where nothing may be kept. */
#include "engine_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/engine.h"

enum { KEYS = 40, ROWS = 600, HOT = 40 };

/* Many small blocks of values that do not compress, in one table. */
static void fill(struct engine *engine) {
    struct seeded dice = {3};
    engine->config.compaction_threshold = 64;
    engine->config.memtable_size_mb = 16;
    engine->config.wal_segment_size_mb = 32;
    engine->config.block_size = 4096;
    engine_open(engine);
    for (int key = 0; key < KEYS; key++) {
        static flowdb_record records[ROWS];
        static uint64_t values[ROWS][16];
        char name[16];
        snprintf(name, sizeof name, "key%02d", key);
        for (int row = 0; row < ROWS; row++) {
            for (int word = 0; word < 16; word++)
                values[row][word] = seeded_next(&dice);
            records[row] = (flowdb_record){.key = flowdb_str(name),
                                           .ts = row,
                                           .expire_at = FLOWDB_NEVER,
                                           .value = flowdb_bytes(values[row], 128)};
        }
        engine_assert_ok(flowdb_write(engine->db, records, ROWS));
    }
    engine_flush(engine);
    assert_int_equal(engine->db->version->table_count, 1);
}

static void get_some(struct engine *engine, int64_t ts) {
    for (int i = 0; i < HOT; i++) {
        char name[16];
        flowdb_result result = {0};
        snprintf(name, sizeof name, "key%02d", i % KEYS);
        engine_assert_ok(flowdb_get(engine->db, flowdb_str(name), ts, &result));
        flowdb_result_free(&result);
    }
}

static void get_hot_set(struct engine *engine) {
    get_some(engine, 7);
}

static struct fl_cache_counts counts(struct engine *engine) {
    struct fl_cache_counts counts;
    fl_cache_counts(engine->db->cache, &counts);
    return counts;
}

static void scan_all(struct engine *engine, bool fill_cache) {
    flowdb_read_options options = flowdb_read_options_default();
    options.fill_cache = fill_cache;
    flowdb_range all = flowdb_range_all();
    flowdb_iterator *iterator;
    flowdb_record record;
    engine_assert_ok(flowdb_scan(engine->db, &all, &options, &iterator));
    unsigned count = 0;
    while (flowdb_iterator_next(iterator, &record) == FLOWDB_OK)
        count++;
    flowdb_iterator_destroy(iterator);
    assert_int_equal(count, KEYS * ROWS);
}

static void a_scan_of_everything_spares_what_points_ask_for(void **state) {
    struct engine *engine = *state;
    engine->config.block_cache_capacity_mb = 1;
    fill(engine);
    get_hot_set(engine);
    get_hot_set(engine);
    struct fl_cache_counts before = counts(engine);
    uint64_t reads = engine->fault.counts[FAULT_READ];
    /* Three megabytes go through a cache of one. */
    scan_all(engine, true);
    scan_all(engine, true);
    struct fl_cache_counts after = counts(engine);
    assert_true(after.evictions > before.evictions + 100);
    assert_true(after.bytes <= 1 << 20);
    assert_true(engine->fault.counts[FAULT_READ] > reads);
    reads = engine->fault.counts[FAULT_READ];
    get_hot_set(engine);
    struct fl_cache_counts then = counts(engine);
    assert_int_equal(then.misses, after.misses);
    assert_int_equal(then.hits, after.hits + HOT);
    assert_int_equal(engine->fault.counts[FAULT_READ], reads);
    assert_int_equal(then.pinned_bytes, 0);
}

static void a_scan_that_does_not_fill_the_cache_changes_nothing_in_it(void **state) {
    struct engine *engine = *state;
    fill(engine);
    get_hot_set(engine);
    struct fl_cache_counts before = counts(engine);
    scan_all(engine, false);
    struct fl_cache_counts after = counts(engine);
    assert_int_equal(after.entries, before.entries);
    assert_int_equal(after.bytes, before.bytes);
    scan_all(engine, true);
    assert_true(counts(engine).entries > before.entries);
}

static void an_iterator_pins_one_block_of_each_table_and_no_more(void **state) {
    struct engine *engine = *state;
    engine->config.block_cache_capacity_mb = 1;
    fill(engine);
    flowdb_range all = flowdb_range_all();
    flowdb_iterator *iterator;
    flowdb_record record;
    engine_assert_ok(flowdb_scan(engine->db, &all, NULL, &iterator));
    engine_assert_ok(flowdb_iterator_next(iterator, &record));
    flowdb_record first = record;
    /* Point reads of other blocks push the iterator's block out of the cache. */
    for (int64_t ts = 100; ts < ROWS; ts += 25)
        get_some(engine, ts);
    uint64_t pinned = counts(engine).pinned_bytes;
    assert_in_range(pinned, 1, 16384);
    assert_int_equal(first.value.size, 128);
    struct seeded dice = {3};
    uint64_t word = seeded_next(&dice);
    assert_memory_equal(first.value.data, &word, sizeof word);
    for (int i = 0; i < KEYS * ROWS / 2; i++)
        engine_assert_ok(flowdb_iterator_next(iterator, &record));
    assert_in_range(counts(engine).pinned_bytes, 0, pinned * 2);
    flowdb_iterator_destroy(iterator);
    assert_int_equal(counts(engine).pinned_bytes, 0);
}

/* ---- nothing is kept: each read of anything is one of the file, and any may fail */

static flowdb_status read_each_way(struct engine *engine, unsigned *found) {
    flowdb_result result = {0};
    flowdb_status status = flowdb_get(engine->db, flowdb_str("key17"), 300, &result);
    *found = status == FLOWDB_OK;
    flowdb_result_free(&result);
    if (status == FLOWDB_OK)
        status = flowdb_get_latest(engine->db, flowdb_str("key18"), &result);
    if (status == FLOWDB_OK)
        *found += result.records[0].ts == ROWS - 1;
    flowdb_result_free(&result);
    flowdb_range range = flowdb_range_prefix_time(flowdb_str("key2"), 100, 104);
    if (status == FLOWDB_OK)
        status = flowdb_query(engine->db, &range, NULL, &result);
    *found += (unsigned)result.count;
    flowdb_result_free(&result);
    return status;
}

static void without_budget_and_cache_all_is_read_and_each_read_may_fail(void **state) {
    struct engine *engine = *state;
    engine->config.index_memory_budget_mb = 0;
    engine->config.block_cache_capacity_mb = 0;
    fill(engine);
    engine_reopen(engine);
    unsigned found;
    for (uint64_t n = 1;; n++) {
        fault_fs_arm(&engine->fault, n, false, FAULT_BEFORE, FLOWDB_IO_ERROR);
        flowdb_status status = read_each_way(engine, &found);
        uint64_t failures = engine->fault.failures;
        fault_fs_disarm(&engine->fault);
        if (failures == 0) {
            engine_assert_ok(status);
            assert_int_equal(found, 2 + 10 * 5);
            assert_true(n > 20);
            break;
        }
        assert_int_equal(status, FLOWDB_IO_ERROR);
        assert_true(found <= 2);
    }
    for (uint64_t n = 1;; n++) {
        engine->failing.calls = 0;
        engine->failing.fail_at = n;
        int64_t live = engine->failing.live;
        flowdb_status status = read_each_way(engine, &found);
        engine->failing.fail_at = 0;
        assert_true(engine->failing.live == live);
        if (status == FLOWDB_OK) {
            assert_int_equal(found, 2 + 10 * 5);
            assert_true(n > 20);
            break;
        }
        assert_int_equal(status, FLOWDB_NO_MEMORY);
    }
    struct fl_index_budget *budget = &engine->db->index_budget;
    assert_int_equal(budget->limit, 0);
    assert_true(budget->used > 0); /* roots */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(a_scan_of_everything_spares_what_points_ask_for),
        ENGINE_TEST(a_scan_that_does_not_fill_the_cache_changes_nothing_in_it),
        ENGINE_TEST(an_iterator_pins_one_block_of_each_table_and_no_more),
        ENGINE_TEST(without_budget_and_cache_all_is_read_and_each_read_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
