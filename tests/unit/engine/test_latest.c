/* flowdb_get_latest: which record it finds, and what it reads to find it. */
#include "engine_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* Tables stay as they were flushed, and nothing is cached: each block that is used is read. */
static void open_uncached(struct engine *engine) {
    engine->config.compaction_threshold = 64;
    engine->config.block_cache_capacity_mb = 0;
    engine_open(engine);
}

static uint64_t reads(struct engine *engine) {
    return engine->fault.counts[FAULT_READ];
}

/* `expected` as "ts=value", NULL where there is none; found with so many reads of files. */
static void assert_latest(struct engine *engine, const char *key, const char *expected,
                          uint64_t blocks) {
    flowdb_result result = {0};
    uint64_t before = reads(engine);
    flowdb_status status = flowdb_get_latest(engine->db, flowdb_str(key), &result);
    assert_int_equal(reads(engine) - before, blocks);
    if (expected == NULL) {
        assert_int_equal(status, FLOWDB_NOT_FOUND);
        return;
    }
    engine_assert_ok(status);
    char found[64];
    const flowdb_record *record = &result.records[0];
    snprintf(found, sizeof found, "%lld=%.*s", (long long)record->ts, (int)record->value.size,
             (const char *)record->value.data);
    assert_string_equal(found, expected);
    flowdb_result_free(&result);
}

static void put_and_flush(struct engine *engine, const char *key, int64_t ts, const char *value) {
    engine_put(engine, key, ts, value);
    engine_flush(engine);
}

static void of_tables_one_after_the_other_in_time_only_the_last_is_read(void **state) {
    struct engine *engine = *state;
    open_uncached(engine);
    for (int64_t ts = 1; ts <= 5; ts++) {
        engine_put(engine, "b", ts, "b");
        put_and_flush(engine, "a", ts, "a");
    }
    assert_latest(engine, "a", "5=a", 1);
    assert_latest(engine, "b", "5=b", 1);
    /* What memory has is as late as any of them. */
    engine_put(engine, "a", 5, "memory");
    assert_latest(engine, "a", "5=memory", 0);
    engine_put(engine, "a", 4, "late");
    assert_latest(engine, "a", "5=memory", 0);
}

static void one_block_is_read_of_each_table_that_may_have_something_later(void **state) {
    struct engine *engine = *state;
    open_uncached(engine);
    put_and_flush(engine, "a", 10, "ten");
    engine_put(engine, "a", 5, "five");
    put_and_flush(engine, "b", 20, "b");
    put_and_flush(engine, "a", 1, "one");
    put_and_flush(engine, "a", 9, "nine");
    /* Up to 20, up to 10; the others end before 10. */
    assert_latest(engine, "a", "10=ten", 2);
    assert_latest(engine, "b", "20=b", 1);
}

static void of_one_time_the_newest_version_counts_wherever_it_is(void **state) {
    struct engine *engine = *state;
    open_uncached(engine);
    put_and_flush(engine, "a", 5, "old");
    engine_put(engine, "z", 9, "z");
    put_and_flush(engine, "a", 5, "new");
    /* The table of the new one comes first; the other is older as a whole. */
    assert_latest(engine, "a", "5=new", 1);
    engine_put(engine, "a", 5, "newest");
    assert_latest(engine, "a", "5=newest", 1); /* up to 9: there might be something at 7 */
    engine_delete(engine, "a", 5);
    assert_latest(engine, "a", NULL, 1); /* below it there is nothing, as the indexes know */
}

static void dead_records_give_way_to_what_is_below_them(void **state) {
    struct engine *engine = *state;
    open_uncached(engine);
    put_and_flush(engine, "a", 1, "one");
    put_and_flush(engine, "a", 2, "two");
    engine_put_until(engine, "a", 3, ENGINE_NOW + 10, "short");
    engine_flush(engine);
    assert_latest(engine, "a", "3=short", 1);
    engine->clock.wall_us += 10;
    assert_latest(engine, "a", "2=two", 2);
    engine_delete(engine, "a", 2);
    assert_latest(engine, "a", "1=one", 2);
    engine_delete_range(engine, "a", "b");
    /* All of it is older than what hides it: nothing is read. */
    assert_latest(engine, "a", NULL, 0);
    engine_flush(engine);
    assert_latest(engine, "a", NULL, 0);
    put_and_flush(engine, "a", 0, "after");
    assert_latest(engine, "a", "0=after", 1);
}

static void many_dead_records_are_passed_over_too(void **state) {
    struct engine *engine = *state;
    open_uncached(engine);
    put_and_flush(engine, "a", -5, "live");
    for (int64_t ts = 0; ts < 100; ts++)
        engine_put_until(engine, "a", ts, ENGINE_NOW + 10, "short");
    engine_put(engine, "b", INT64_MIN, "first");
    engine_flush(engine);
    for (int64_t ts = 50; ts < 60; ts++)
        engine_delete(engine, "a", ts);
    engine->clock.wall_us += 10;
    flowdb_result result = {0};
    engine_assert_ok(flowdb_get_latest(engine->db, flowdb_str("a"), &result));
    assert_true(result.records[0].ts == -5);
    flowdb_result_free(&result);
    engine_delete(engine, "b", INT64_MIN);
    assert_int_equal(flowdb_get_latest(engine->db, flowdb_str("b"), &result), FLOWDB_NOT_FOUND);
}

static void a_key_that_filters_rule_out_is_looked_for_nowhere(void **state) {
    struct engine *engine = *state;
    engine->config.bloom_bits_per_key = 64;
    open_uncached(engine);
    for (int64_t ts = 1; ts <= 3; ts++) {
        engine_put(engine, "a", ts, "a");
        put_and_flush(engine, "z", ts, "z");
    }
    assert_latest(engine, "m", NULL, 0);
    put_and_flush(engine, "m", 0, "m");
    assert_latest(engine, "m", "0=m", 1);
}

/* ---- against a scan */

static void some_write(struct engine *engine, struct seeded *dice, const char *key) {
    int64_t ts = seeded_below(dice, 30);
    switch (seeded_below(dice, 12)) {
    case 0:
    case 1:
        engine_delete(engine, key, ts);
        break;
    case 2:
        engine_delete_range(engine, key, key[0] < 'm' && seeded_chance(dice, 50) ? "m" : "");
        break;
    case 3:
    case 4:
    case 5:
        engine_put_until(engine, key, ts, engine->clock.wall_us + 1 + seeded_below(dice, 40), "x");
        break;
    default:
        engine_put(engine, key, ts, "value");
    }
}

static void assert_as_by_scan(struct engine *engine, const char *key) {
    flowdb_read_options options = flowdb_read_options_default();
    options.reverse = true;
    options.limit = 1;
    flowdb_range range = flowdb_range_keys(flowdb_str(key), flowdb_str(key));
    flowdb_result expected = {0}, found = {0};
    engine_assert_ok(flowdb_query(engine->db, &range, &options, &expected));
    flowdb_status status = flowdb_get_latest(engine->db, flowdb_str(key), &found);
    assert_int_equal(status, expected.count == 1 ? FLOWDB_OK : FLOWDB_NOT_FOUND);
    assert_int_equal(found.count, expected.count);
    if (found.count == 1) {
        assert_true(found.records[0].ts == expected.records[0].ts);
        assert_true(found.records[0].expire_at == expected.records[0].expire_at);
        assert_true(fl_slice_equal(found.records[0].value, expected.records[0].value));
    }
    flowdb_result_free(&expected);
    flowdb_result_free(&found);
}

static void it_finds_what_a_scan_down_finds_first(void **state) {
    struct engine *engine = *state;
    static const char *const keys[] = {"a", "b", "c", "n"};
    struct seeded dice = seeded_begin(__func__);
    engine->config.compaction_threshold = 4;
    engine_open(engine);
    for (int i = 0; i < 4000; i++) {
        some_write(engine, &dice, keys[seeded_below(&dice, 4)]);
        engine->clock.wall_us += seeded_below(&dice, 4);
        if (seeded_chance(&dice, 5))
            engine_flush(engine);
        assert_as_by_scan(engine, keys[seeded_below(&dice, 4)]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(of_tables_one_after_the_other_in_time_only_the_last_is_read),
        ENGINE_TEST(one_block_is_read_of_each_table_that_may_have_something_later),
        ENGINE_TEST(of_one_time_the_newest_version_counts_wherever_it_is),
        ENGINE_TEST(dead_records_give_way_to_what_is_below_them),
        ENGINE_TEST(many_dead_records_are_passed_over_too),
        ENGINE_TEST(a_key_that_filters_rule_out_is_looked_for_nowhere),
        ENGINE_TEST(it_finds_what_a_scan_down_finds_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
