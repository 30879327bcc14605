/* Tables written and read back: whole, by row, and by ranges. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "fixture.h"

static void a_table_gives_back_what_was_put_in(void **state) {
    struct fixture *fixture = *state;
    struct rows rows = {0};
    rows_put(&rows, "a", -5, 7, "one");
    rows_put(&rows, "a", 3, 1, "");
    rows_put(&rows, "ab", INT64_MIN, 9, "two");
    rows_put(&rows, "ab", INT64_MAX, UINT64_MAX, "three");
    rows_put(&rows, "b", 0, 2, "four");
    struct fl_table_options options = fixture_options(8192, FL_CODEC_LZ4);
    struct fl_table *table = fixture_table(fixture, &rows, &options);
    check_gets(table, &rows);
    struct fl_bounds bounds = bounds_all(false), reverse = bounds_all(true);
    check_scan(table, &rows, &bounds, flowdb_bytes(NULL, 0), 0);
    check_scan(table, &rows, &reverse, flowdb_bytes(NULL, 0), 0);

    const struct fl_table_properties *properties = fl_table_properties(table);
    assert_int_equal(properties->row_count, 5);
    assert_int_equal(properties->key_count, 3);
    assert_int_equal(properties->raw_bytes, 7 + 15);
    assert_true(properties->min_seq == 1 && properties->max_seq == UINT64_MAX);
    assert_true(properties->min_ts == INT64_MIN && properties->max_ts == INT64_MAX);
    assert_true(properties->min_expire_at == FLOWDB_NEVER);
    assert_true(fl_slice_equal(fl_table_min_key(table), flowdb_str("a")));
    assert_true(fl_slice_equal(fl_table_max_key(table), flowdb_str("b")));
    assert_int_equal(fl_table_id(table), TABLE_ID);
    fl_table_unref(table);
    rows_free(&rows);
}

static flowdb_slice some_key(struct seeded *dice, const struct rows *rows, uint8_t *space) {
    flowdb_slice key = rows->rows[pick(dice, rows->count)].key;
    size_t size = FL_MIN(key.size, (size_t)500);
    memcpy(space, key.data, size);
    switch (pick(dice, 6)) {
    case 0:
        space[size++] = (uint8_t)seeded_next(dice);
        break;
    case 1:
        size -= size > 1;
        break;
    case 2:
        space[pick(dice, size)]++;
        break;
    default:
        break;
    }
    return flowdb_bytes(space, size);
}

static int64_t some_ts(struct seeded *dice, const struct rows *rows) {
    switch (pick(dice, 10)) {
    case 0:
        return INT64_MIN;
    case 1:
        return INT64_MAX;
    default:
        return rows->rows[pick(dice, rows->count)].ts + (int64_t)pick(dice, 3) - 1;
    }
}

static void check_some_scan(struct fl_table *table, const struct rows *rows, struct seeded *dice) {
    uint8_t low[512], high[512], from[512];
    struct fl_bounds bounds = bounds_all(pick(dice, 2) == 0);
    if (pick(dice, 2) == 0)
        bounds.key_low = some_key(dice, rows, low);
    if (pick(dice, 2) == 0) {
        bounds.key_high = some_key(dice, rows, high);
        bounds.key_high_kind = pick(dice, 2) ? FL_BOUND_INCLUSIVE : FL_BOUND_EXCLUSIVE;
    }
    if (pick(dice, 8) == 0) {
        bounds.key_high = bounds.key_low;
        bounds.key_high_kind = FL_BOUND_INCLUSIVE;
    }
    if (pick(dice, 2) == 0)
        bounds.ts_low = some_ts(dice, rows);
    if (pick(dice, 2) == 0)
        bounds.ts_high = some_ts(dice, rows);
    flowdb_slice key = flowdb_bytes(NULL, 0);
    if (pick(dice, 2) == 0)
        key = some_key(dice, rows, from);
    check_scan(table, rows, &bounds, key, some_ts(dice, rows));
}

static void check_recipe(struct fixture *fixture, const struct recipe *recipe,
                         struct seeded *dice) {
    struct rows rows = {0};
    rows_random(&rows, dice, recipe);
    static const uint32_t block_sizes[] = {128, 700, 8192, 65536};
    for (size_t i = 0; i < 4; i++) {
        struct fl_table_options options = fixture_options(block_sizes[i], (enum fl_codec)(i % 3));
        options.bloom_bits_per_key = i == 1 ? 0 : 10;
        struct fl_table *table = fixture_table(fixture, &rows, &options);
        check_gets(table, &rows);
        for (int scan = 0; scan < 60; scan++)
            check_some_scan(table, &rows, dice);
        fl_table_unref(table);
    }
    rows_free(&rows);
}

static void random_tables_answer_as_their_rows_do(void **state) {
    static const struct recipe recipes[] = {
        {.keys = 8, .rows_per_key = 500, .regular = true, .value_size_max = 6},
        {.keys = 8, .rows_per_key = 500, .value_size_max = 6, .expires = true},
        {.keys = 900,
         .rows_per_key = 1,
         .regular = true,
         .value_size_max = 128,
         .fixed_values = true,
         .same_value = true},
        {.keys = 300,
         .rows_per_key = 4,
         .value_size_max = 128,
         .fixed_values = true,
         .long_keys = true},
        {.keys = 40,
         .rows_per_key = 60,
         .value_size_max = 20,
         .delete_percent = 30,
         .expires = true,
         .long_keys = true},
        {.keys = 1, .rows_per_key = 3000, .regular = true, .value_size_max = 5, .expires = true},
        {.keys = 30, .rows_per_key = 30, .regular = true, .delete_percent = 100},
        {.keys = 500, .rows_per_key = 3, .value_size_max = 0, .long_keys = true},
    };
    struct seeded dice = seeded_begin("random tables");
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++)
        check_recipe(*state, &recipes[i], &dice);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_table_gives_back_what_was_put_in, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(random_tables_answer_as_their_rows_do, fixture_set_up,
                                        fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
