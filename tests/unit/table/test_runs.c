/* What a source says of the rows that it has before a place: a merge believes it. */
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_rows_that_a_source_promises_come_before_the_place,
                                        fixture_set_up, fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
