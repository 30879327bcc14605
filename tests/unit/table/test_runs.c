/* What a source says of the rows that it has before a place: a merge believes it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "fixture.h"

static int compare_place(const struct fl_row *row, flowdb_slice key, int64_t ts) {
    int order = fl_slice_compare(row->key, key);
    return order != 0 ? order : row->ts < ts ? -1 : row->ts > ts;
}

static const struct recipe recipes[] = {
    {.keys = 1, .rows_per_key = 4000, .value_size_max = 4},
    {.keys = 900, .rows_per_key = 1, .value_size_max = 10, .fixed_values = true},
    {.keys = 60, .rows_per_key = 40, .regular = true, .value_size_max = 10},
    {.keys = 200, .rows_per_key = 9, .value_size_max = 30, .long_keys = true},
};

/* A place at a row, or beside one. */
static void some_place(struct seeded *dice, const struct rows *rows, flowdb_slice *key,
                       int64_t *ts) {
    const struct fl_row *row = &rows->rows[pick(dice, rows->count)];
    *key = row->key;
    *ts = row->ts;
    switch (pick(dice, 6)) {
    case 0:
        *ts = INT64_MIN;
        break;
    case 1:
        *ts = INT64_MAX;
        break;
    case 2:
        *ts += *ts < INT64_MAX;
        break;
    case 3:
        key->size -= key->size > 1;
        break;
    default:
        break;
    }
}

/* Follows what is said of a run; returns its length. */
static size_t follow_run(struct fl_source *source, bool reverse, flowdb_slice key, int64_t ts) {
    size_t run = fl_source_run(source, key, ts);
    for (size_t i = 0; i < run; i++) {
        assert_int_equal(fl_source_next(source), FLOWDB_OK);
        assert_true(source->valid);
        int order = compare_place(&source->row, key, ts);
        assert_true(reverse ? order > 0 : order < 0);
    }
    return run;
}

static size_t try_runs(struct seeded *dice, struct fl_table *table, const struct rows *rows,
                       const struct fl_bounds *bounds) {
    struct fl_source *source;
    size_t total = 0;
    assert_int_equal(fl_table_source(table, bounds, &read_all, &source), FLOWDB_OK);
    for (int round = 0; round < 300; round++) {
        flowdb_slice key, bound;
        int64_t ts, bound_ts;
        some_place(dice, rows, &key, &ts);
        some_place(dice, rows, &bound, &bound_ts);
        assert_int_equal(fl_source_seek(source, key, ts), FLOWDB_OK);
        if (source->valid)
            total += follow_run(source, bounds->reverse, bound, bound_ts);
    }
    fl_source_close(source);
    return total;
}

static void the_rows_that_a_source_promises_come_before_the_place(void **state) {
    struct fixture *fixture = *state;
    struct seeded dice = seeded_begin("runs");
    struct fl_table_options options = fixture_options(2048, FL_CODEC_LZ4);
    for (size_t i = 0; i < 4 * sizeof recipes / sizeof *recipes; i++) {
        struct rows rows = {0};
        rows_random(&rows, &dice, &recipes[i / 4]);
        struct fl_table *table = fixture_table(fixture, &rows, &options);
        struct fl_bounds bounds = bounds_all(i % 2 == 1);
        if (i % 4 >= 2) {
            const struct fl_row *a = &rows.rows[pick(&dice, rows.count)];
            const struct fl_row *b = &rows.rows[pick(&dice, rows.count)];
            bounds.ts_low = FL_MIN(a->ts, b->ts);
            bounds.ts_high = FL_MAX(a->ts, b->ts);
            bounds.key_low = a < b ? a->key : b->key;
            bounds.key_high = a < b ? b->key : a->key;
            bounds.key_high_kind = FL_BOUND_INCLUSIVE;
        }
        size_t total = try_runs(&dice, table, &rows, &bounds);
        /* A source that never promises anything is right, but of no use. */
        if (i % 4 < 2)
            assert_true(total > 1000);
        fl_table_unref(table);
        rows_free(&rows);
    }
}

/* Every value a number with two digits behind the point, but one in `odd`. */
static void make_decimal(struct rows *rows, struct seeded *dice, size_t odd) {
    for (size_t i = 0; i < rows->count; i++) {
        char text[16];
        int size = snprintf(text, sizeof text, "%u.%02u%s", (unsigned)pick(dice, 500),
                            (unsigned)pick(dice, 100), odd != 0 && pick(dice, odd) == 0 ? "?" : "");
        if (rows->rows[i].op == FL_OP_PUT)
            rows->rows[i].value = rows_keep(rows, text, (size_t)size);
    }
}

/* Every row expires so long after its time. */
static void expire_in_step(struct rows *rows) {
    for (size_t i = 0; i < rows->count; i++)
        if (rows->rows[i].op == FL_OP_PUT)
            rows->rows[i].expire_at = rows->rows[i].ts + 3600;
}

/* Takes from the one source and moves the other row by row; returns how many rows were taken. */
static size_t take_some(struct fl_source *source, struct fl_source *other, size_t most) {
    struct fl_stretch stretch;
    flowdb_slice key = source->row.key;
    int64_t ts = source->row.ts, expire_at = source->row.expire_at;
    size_t count = fl_source_take(source, most, &stretch);
    assert_true(count <= most);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(fl_source_next(other), FLOWDB_OK);
        assert_true(other->valid);
        struct fl_row row = {.key = stretch.keys != NULL ? stretch.keys[i] : key,
                             .ts = ts += stretch.step,
                             .seq = other->row.seq,
                             .expire_at = expire_at,
                             .value = stretch.values[i],
                             .op = FL_OP_PUT};
        assert_row(&row, &other->row);
    }
    assert_true(source->valid && other->valid);
    assert_row(&source->row, &other->row);
    return count;
}

/* Walks two sources side by side: by taking, a step now and then, and seeks. */
static size_t try_taking(struct seeded *dice, struct fl_table *table, const struct rows *rows,
                         const struct fl_bounds *bounds) {
    struct fl_source *pair[2];
    size_t taken = 0;
    for (int i = 0; i < 2; i++)
        assert_int_equal(fl_table_source(table, bounds, &read_all, &pair[i]), FLOWDB_OK);
    for (int round = 0; round < 60; round++) {
        flowdb_slice key;
        int64_t ts;
        some_place(dice, rows, &key, &ts);
        for (int i = 0; i < 2; i++)
            assert_int_equal(fl_source_seek(pair[i], key, ts), FLOWDB_OK);
        for (size_t steps = pick(dice, 20); steps > 0 && pair[0]->valid; steps--) {
            taken += take_some(pair[0], pair[1], pick(dice, 4) == 0 ? pick(dice, 5) : 1000);
            for (int i = 0; i < 2; i++)
                assert_int_equal(fl_source_next(pair[i]), FLOWDB_OK);
            assert_int_equal(pair[0]->valid, pair[1]->valid);
        }
    }
    for (int i = 0; i < 2; i++)
        fl_source_close(pair[i]);
    return taken;
}

static void rows_taken_at_once_are_those_that_next_gives(void **state) {
    static const struct recipe alike[] = {
        {.keys = 6, .rows_per_key = 900, .regular = true, .value_size_max = 6},
        {.keys = 700,
         .rows_per_key = 1,
         .regular = true,
         .value_size_max = 40,
         .fixed_values = true},
        {.keys = 700, .rows_per_key = 1, .regular = true, .long_keys = true, .value_size_max = 9},
        {.keys = 60, .rows_per_key = 40, .regular = true, .value_size_max = 8, .expires = true},
        {.keys = 60, .rows_per_key = 40, .regular = true, .value_size_max = 8, .delete_percent = 1},
    };
    struct fixture *fixture = *state;
    struct seeded dice = seeded_begin("taking");
    struct fl_table_options options = fixture_options(2048, FL_CODEC_LZ4);
    size_t total = 0;
    for (size_t i = 0; i < 6 * sizeof alike / sizeof *alike; i++) {
        struct rows rows = {0};
        rows_random(&rows, &dice, &alike[i / 6]);
        if (i % 3 > 0)
            make_decimal(&rows, &dice, i % 3 == 1 ? 0 : 40);
        if (i % 6 == 2)
            expire_in_step(&rows);
        struct fl_table *table = fixture_table(fixture, &rows, &options);
        struct fl_bounds bounds = bounds_all(false);
        if (i % 6 >= 3) {
            bounds.ts_low = rows.rows[0].ts + 5 * 10000000;
            bounds.ts_high = rows.rows[rows.count - 1].ts - 3;
        }
        total += try_taking(&dice, table, &rows, &bounds);
        fl_table_unref(table);
        rows_free(&rows);
    }
    assert_true(total > 10000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_taken_at_once_are_those_that_next_gives,
                                        fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(the_rows_that_a_source_promises_come_before_the_place,
                                        fixture_set_up, fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
