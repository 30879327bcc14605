/* What table.h promises besides the rows: refusals, lifetimes, empty tables, what is not read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "fixture.h"
#include "support/fault_fs.h"

static struct fl_table_builder *builder_of(struct fixture *fixture, uint32_t block_size) {
    struct fl_table_options options = fixture_options(block_size, FL_CODEC_LZ4);
    struct fl_table_builder *builder;
    scratch_remove(fixture->path);
    assert_int_equal(
        fl_table_builder_create(&fixture->env, fixture->path, TABLE_ID, &options, &builder),
        FLOWDB_OK);
    return builder;
}

static struct fl_table *finish(struct fixture *fixture, struct fl_table_builder *builder) {
    struct fl_table_properties properties;
    struct fl_table *table;
    assert_int_equal(fl_table_builder_finish(builder, &properties), FLOWDB_OK);
    fl_table_builder_destroy(builder);
    assert_int_equal(
        fl_table_open(&fixture->env, fixture->path, TABLE_ID, properties.file_size, &table),
        FLOWDB_OK);
    assert_memory_equal(fl_table_properties(table), &properties, sizeof properties);
    return table;
}

static struct fl_row put(const char *key, int64_t ts) {
    return (struct fl_row){.key = flowdb_str(key),
                           .ts = ts,
                           .seq = 1,
                           .expire_at = FLOWDB_NEVER,
                           .value = flowdb_str("v"),
                           .op = FL_OP_PUT};
}

static void rows_that_are_not_above_the_last_are_refused_and_leave_no_trace(void **state) {
    struct fixture *fixture = *state;
    struct fl_table_builder *builder = builder_of(fixture, 8192);
    struct fl_row good[] = {put("b", 5), put("b", 6), put("c", -1)};
    struct fl_row bad[] = {put("b", 5), put("b", 4), put("a", 9), put("", 9)};
    assert_int_equal(fl_table_builder_add(builder, &good[0]), FLOWDB_OK);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(fl_table_builder_add(builder, &bad[i]), FLOWDB_INVALID_ARGUMENT);
    assert_int_equal(fl_table_builder_add(builder, &good[1]), FLOWDB_OK);
    assert_int_equal(fl_table_builder_add(builder, &good[2]), FLOWDB_OK);
    struct fl_table *table = finish(fixture, builder);
    struct rows rows = {.rows = good, .count = 3};
    struct fl_bounds bounds = bounds_all(false);
    check_scan(table, &rows, &bounds, flowdb_bytes(NULL, 0), 0);
    fl_table_unref(table);
}

static void keys_and_values_out_of_bounds_are_refused(void **state) {
    struct fixture *fixture = *state;
    struct fl_table_builder *builder = builder_of(fixture, 8192);
    uint8_t *bytes = calloc(FL_VALUE_MAX + 1, 1);
    struct fl_row row = put("k", 0);
    row.key = flowdb_bytes(bytes, FL_KEY_MAX + 1);
    assert_int_equal(fl_table_builder_add(builder, &row), FLOWDB_INVALID_ARGUMENT);
    row.key.size = FL_KEY_MAX;
    row.value = flowdb_bytes(bytes, FL_VALUE_MAX + 1);
    assert_int_equal(fl_table_builder_add(builder, &row), FLOWDB_INVALID_ARGUMENT);
    row.value.size = FL_VALUE_MAX;
    row.op = FL_OP_DELETE_RANGE;
    assert_int_equal(fl_table_builder_add(builder, &row), FLOWDB_INVALID_ARGUMENT);
    row.op = FL_OP_PUT;
    assert_int_equal(fl_table_builder_add(builder, &row), FLOWDB_OK);
    struct fl_table *table = finish(fixture, builder);
    struct rows rows = {.rows = &row, .count = 1};
    struct fl_bounds bounds = bounds_all(true);
    check_scan(table, &rows, &bounds, flowdb_bytes(NULL, 0), 0);
    fl_table_unref(table);
    free(bytes);
}

static void a_file_that_exists_is_not_overwritten(void **state) {
    struct fixture *fixture = *state;
    struct fl_table_options options = fixture_options(8192, FL_CODEC_LZ4);
    struct fl_table_builder *builder = NULL;
    scratch_write(fixture->path, "precious", 8);
    assert_int_not_equal(
        fl_table_builder_create(&fixture->env, fixture->path, TABLE_ID, &options, &builder),
        FLOWDB_OK);
    assert_null(builder);
    size_t size;
    uint8_t *bytes = scratch_read(fixture->path, &size);
    assert_int_equal(size, 8);
    assert_memory_equal(bytes, "precious", 8);
    free(bytes);
}

static void check_no_rows(struct fl_table *table) {
    flowdb_slice key = flowdb_str("k");
    struct rows none = {0};
    struct fl_row row;
    struct fl_table_pin pin = {0};
    bool found = true;
    assert_false(fl_table_may_contain(table, key, fl_hash_key(key)));
    assert_int_equal(fl_table_get(table, key, fl_hash_key(key), 0, &read_all, &found, &row, &pin),
                     FLOWDB_OK);
    assert_false(found);
    for (int reverse = 0; reverse < 2; reverse++) {
        struct fl_bounds bounds = bounds_all(reverse == 1);
        check_scan(table, &none, &bounds, flowdb_bytes(NULL, 0), 0);
        check_scan(table, &none, &bounds, key, 0);
    }
    const struct fl_table_properties *properties = fl_table_properties(table);
    assert_int_equal(properties->row_count, 0);
    assert_int_equal(fl_table_min_key(table).size, 0);
    assert_int_equal(fl_table_max_key(table).size, 0);
    assert_true(properties->min_ts > properties->max_ts);
    assert_true(properties->min_expire_at > properties->max_expire_at);
}

static void a_table_may_hold_range_tombstones_alone_or_nothing(void **state) {
    struct fixture *fixture = *state;
    struct fl_table *table = finish(fixture, builder_of(fixture, 8192));
    size_t count = 1;
    check_no_rows(table);
    fl_table_range_tombstones(table, &count);
    assert_int_equal(count, 0);
    assert_true(fl_table_properties(table)->min_seq > fl_table_properties(table)->max_seq);
    fl_table_unref(table);

    static const struct fl_range_tombstone given[] = {
        {{"m", 1}, {"q", 1}, 7, INT64_MIN, INT64_MAX},
        {{"", 0}, {"", 0}, 9, INT64_MIN, INT64_MAX},
        {{"host2", 5}, {"", 0}, 3, -1, 1},
        {{"m", 1}, {"n", 1}, 8, INT64_MIN, 0},
        {{"", 0}, {"host1", 5}, 4, 5, INT64_MAX},
    };
    static const size_t order[] = {1, 4, 2, 3, 0};
    struct fl_table_builder *builder = builder_of(fixture, 8192);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(fl_table_builder_add_range_tombstone(builder, &given[i]), FLOWDB_OK);
    table = finish(fixture, builder);
    check_no_rows(table);
    const struct fl_range_tombstone *found = fl_table_range_tombstones(table, &count);
    assert_int_equal(count, 5);
    for (size_t i = 0; i < 5; i++) {
        const struct fl_range_tombstone *expected = &given[order[i]];
        assert_true(fl_slice_equal(found[i].start, expected->start));
        assert_true(fl_slice_equal(found[i].end, expected->end));
        assert_true(found[i].seq == expected->seq && found[i].ts_start == expected->ts_start &&
                    found[i].ts_end == expected->ts_end);
    }
    assert_true(fl_table_properties(table)->min_seq == 3 &&
                fl_table_properties(table)->max_seq == 9);
    fl_table_unref(table);
}

static struct rows some_rows(size_t keys, size_t points) {
    struct rows rows = {0};
    char key[32], value[32];
    for (size_t i = 0; i < keys; i++) {
        snprintf(key, sizeof key, "key%04zu", i);
        for (size_t point = 0; point < points; point++) {
            snprintf(value, sizeof value, "%zu.%zu", i, point * 7919 % 1000);
            rows_put(&rows, key, (int64_t)point * 1000, point * keys + i, value);
        }
    }
    return rows;
}

static void an_obsolete_table_goes_with_its_last_reader(void **state) {
    struct fixture *fixture = *state;
    struct rows rows = some_rows(20, 50);
    struct fl_table_options options = fixture_options(700, FL_CODEC_ZSTD);
    struct fl_table *table = fixture_table(fixture, &rows, &options);
    struct fl_bounds bounds = bounds_all(false);
    struct fl_source *source;
    assert_int_equal(fl_table_source(table, &bounds, &read_all, &source), FLOWDB_OK);
    fl_table_mark_obsolete(table);
    fl_table_unref(table);
    assert_true(scratch_exists(fixture->path));
    assert_int_equal(fl_source_seek(source, flowdb_bytes(NULL, 0), 0), FLOWDB_OK);
    for (size_t i = 0; i < rows.count; i++) {
        assert_row(&source->row, &rows.rows[i]);
        assert_int_equal(fl_source_next(source), FLOWDB_OK);
    }
    fl_source_close(source);
    assert_false(scratch_exists(fixture->path));

    table = fixture_table(fixture, &rows, &options);
    fl_table_ref(table);
    fl_table_unref(table);
    fl_table_unref(table);
    assert_true(scratch_exists(fixture->path));
    fl_table_unref(NULL);
    rows_free(&rows);
}

static void a_pinned_row_outlives_the_table(void **state) {
    struct fixture *fixture = *state;
    struct rows rows = some_rows(20, 50);
    struct fl_table_options options = fixture_options(700, FL_CODEC_LZ4);
    struct fl_table *table = fixture_table(fixture, &rows, &options);
    const struct fl_row *expected = &rows.rows[333];
    struct fl_row row;
    struct fl_table_pin pin = {0};
    bool found;
    assert_int_equal(fl_table_get(table, expected->key, fl_hash_key(expected->key), expected->ts,
                                  &read_all, &found, &row, &pin),
                     FLOWDB_OK);
    fl_table_unref(table);
    assert_true(found);
    assert_row(&row, expected);
    fl_table_pin_release(&pin);
    fl_table_pin_release(&pin); /* harmless */
    rows_free(&rows);
}

static void the_size_is_known_roughly_while_building(void **state) {
    struct fixture *fixture = *state;
    struct rows rows = some_rows(300, 20);
    struct fl_table_builder *builder = builder_of(fixture, 2000);
    uint64_t before = fl_table_builder_size(builder);
    for (size_t i = 0; i < rows.count; i++) {
        assert_int_equal(fl_table_builder_add(builder, &rows.rows[i]), FLOWDB_OK);
        assert_true(fl_table_builder_size(builder) + 2100 >= before);
        before = fl_table_builder_size(builder);
    }
    struct fl_table *table = finish(fixture, builder);
    uint64_t size = fl_table_properties(table)->file_size;
    assert_in_range(before, size * 7 / 10, size * 13 / 10);
    fl_table_unref(table);
    rows_free(&rows);
}

/* ---- one source, sought again and again ---- */

static size_t first_at(const struct rows *rows, flowdb_slice key, int64_t ts, bool reverse) {
    size_t i = 0;
    for (; i < rows->count; i++) {
        int order = fl_slice_compare(rows->rows[i].key, key);
        if (order == 0)
            order = rows->rows[i].ts < ts ? -1 : rows->rows[i].ts > ts;
        if (reverse ? order > 0 : order >= 0)
            break;
    }
    return reverse ? i - 1 : i; /* SIZE_MAX: none */
}

static void a_source_can_be_sought_anywhere_at_any_time(void **state) {
    struct fixture *fixture = *state;
    struct rows rows = some_rows(12, 200);
    struct seeded dice = seeded_begin("seeks");
    struct fl_table_options options = fixture_options(900, FL_CODEC_LZ4);
    struct fl_table *table = fixture_table(fixture, &rows, &options);
    for (int reverse = 0; reverse < 2; reverse++) {
        struct fl_bounds bounds = bounds_all(reverse == 1);
        struct fl_source *source;
        assert_int_equal(fl_table_source(table, &bounds, &read_all, &source), FLOWDB_OK);
        for (int round = 0; round < 2000; round++) {
            const struct fl_row *to = &rows.rows[pick(&dice, rows.count)];
            int64_t ts = to->ts + (int64_t)pick(&dice, 3) - 1;
            size_t at = first_at(&rows, to->key, ts, reverse == 1);
            assert_int_equal(fl_source_seek(source, to->key, ts), FLOWDB_OK);
            for (uint64_t steps = pick(&dice, 5); steps > 0 && at < rows.count; steps--) {
                assert_true(source->valid);
                assert_row(&source->row, &rows.rows[at]);
                assert_int_equal(fl_source_next(source), FLOWDB_OK);
                at = reverse == 1 ? at - 1 : at + 1;
            }
            assert_true(source->valid == (at < rows.count));
        }
        fl_source_close(source);
    }
    fl_table_unref(table);
    rows_free(&rows);
}

/* ---- what is not read ---- */

static uint64_t reads_of_scan(struct fl_table *table, struct fault_fs *fs,
                              const struct fl_bounds *bounds, const struct rows *rows) {
    uint64_t before = fs->counts[FAULT_READ];
    check_scan(table, rows, bounds, flowdb_bytes(NULL, 0), 0);
    return fs->counts[FAULT_READ] - before;
}

static void blocks_outside_the_question_are_not_read(void **state) {
    struct fixture *fixture = *state;
    struct fault_fs fs;
    fault_fs_init(&fs);
    fixture->env.fs = &fs.fs;
    struct rows rows = some_rows(20, 500);
    struct fl_table_options options = fixture_options(200, FL_CODEC_NONE);
    struct fl_table *table = fixture_table(fixture, &rows, &options);
    assert_true(fl_table_properties(table)->block_count > 50);
    for (int reverse = 0; reverse < 2; reverse++) {
        struct fl_bounds late = bounds_all(reverse == 1), one = late, few = late;
        late.ts_low = 500000;
        assert_int_equal(reads_of_scan(table, &fs, &late, &rows), 0);
        one.key_low = one.key_high = flowdb_str("key0011");
        one.key_high_kind = FL_BOUND_INCLUSIVE;
        one.ts_low = one.ts_high = 123000;
        assert_int_equal(reads_of_scan(table, &fs, &one, &rows), 1);
        few.key_low = flowdb_str("key0005");
        few.key_high = flowdb_str("key0006");
        few.key_high_kind = FL_BOUND_EXCLUSIVE;
        assert_in_range(reads_of_scan(table, &fs, &few, &rows), 1, 8);
    }
    uint64_t before = fs.counts[FAULT_READ];
    bool found;
    struct fl_row row;
    struct fl_table_pin pin = {0};
    flowdb_slice key = rows.rows[0].key, absent = flowdb_str("key0005x");
    assert_int_equal(fl_table_get(table, key, fl_hash_key(key), -1, &read_all, &found, &row, &pin),
                     FLOWDB_OK);
    assert_false(found);
    assert_int_equal(
        fl_table_get(table, absent, fl_hash_key(absent), 0, &read_all, &found, &row, &pin),
        FLOWDB_OK);
    assert_false(found);
    assert_true(fs.counts[FAULT_READ] == before);
    fl_table_unref(table);
    rows_free(&rows);
    fault_fs_deinit(&fs);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(rows_that_are_not_above_the_last_are_refused_and_leave_no_trace),
        TEST(keys_and_values_out_of_bounds_are_refused),
        TEST(a_file_that_exists_is_not_overwritten),
        TEST(a_table_may_hold_range_tombstones_alone_or_nothing),
        TEST(an_obsolete_table_goes_with_its_last_reader),
        TEST(a_pinned_row_outlives_the_table),
        TEST(the_size_is_known_roughly_while_building),
        TEST(a_source_can_be_sought_anywhere_at_any_time),
        TEST(blocks_outside_the_question_are_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
