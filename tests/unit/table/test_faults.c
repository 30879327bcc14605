/* Memory and files that fail at any call: the failure is reported, nothing leaks or half works. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "fixture.h"
#include "support/fault_fs.h"

struct faults {
    struct fixture *fixture;
    struct fault_fs fs;
    struct fl_env real; /* as it was before */
    struct rows rows;
    struct fl_table_options options;
    uint64_t file_size;
};

/* Several blocks and index partitions, and a range tombstone. */
static int set_up(void **state) {
    void *made;
    if (fixture_set_up(&made) != 0)
        return -1;
    struct faults *faults = calloc(1, sizeof *faults);
    struct seeded dice = {11};
    struct recipe recipe = {.keys = 60, .rows_per_key = 12, .value_size_max = 30, .expires = true};
    faults->fixture = made;
    faults->real = faults->fixture->env;
    fault_fs_init(&faults->fs);
    rows_random(&faults->rows, &dice, &recipe);
    faults->options = fixture_options(128, FL_CODEC_ZSTD);
    faults->options.bloom_bits_per_key = 64;
    *state = faults;
    return 0;
}

static int tear_down(void **state) {
    struct faults *faults = *state;
    void *fixture = faults->fixture;
    int64_t open_files = faults->fs.open_files;
    rows_free(&faults->rows);
    fault_fs_deinit(&faults->fs);
    free(faults);
    int result = fixture_tear_down(&fixture);
    return open_files == 0 ? result : -1;
}

static const struct fl_range_tombstone tombstone = {
    .start = {"b", 1}, .end = {"c", 1}, .seq = 5, .ts_start = INT64_MIN, .ts_end = INT64_MAX};

/* ---- what is tried: each returns the first failure, having cleaned up ---- */

static flowdb_status build(struct faults *faults) {
    struct fl_table_builder *builder = NULL;
    struct fl_table_properties properties = {.file_size = 77};
    const struct rows *rows = &faults->rows;
    scratch_remove(faults->fixture->path);
    flowdb_status status = fl_table_builder_create(&faults->fixture->env, faults->fixture->path,
                                                   TABLE_ID, &faults->options, &builder);
    if (status != FLOWDB_OK) {
        assert_null(builder);
        return status;
    }
    for (size_t i = 0; status == FLOWDB_OK && i < rows->count; i++)
        status = fl_table_builder_add(builder, &rows->rows[i]);
    if (status == FLOWDB_OK)
        status = fl_table_builder_add_range_tombstone(builder, &tombstone);
    if (status == FLOWDB_OK)
        status = fl_table_builder_finish(builder, &properties);
    if (status == FLOWDB_OK)
        faults->file_size = properties.file_size;
    else
        assert_int_equal(properties.file_size, 77);
    fl_table_builder_destroy(builder);
    return status;
}

static flowdb_status open_table(struct faults *faults, struct fl_table **table) {
    struct fl_table *opened = NULL;
    flowdb_status status = fl_table_open(&faults->fixture->env, faults->fixture->path, TABLE_ID,
                                         faults->file_size, &opened);
    if (status != FLOWDB_OK)
        assert_null(opened);
    *table = opened;
    return status;
}

static flowdb_status open_and_close(struct faults *faults) {
    struct fl_table *table;
    flowdb_status status = open_table(faults, &table);
    fl_table_unref(table);
    return status;
}

static flowdb_status get(struct faults *faults) {
    struct fl_table *table;
    flowdb_status status = open_table(faults, &table);
    for (size_t i = 0; status == FLOWDB_OK && i < faults->rows.count; i += 97) {
        const struct fl_row *expected = &faults->rows.rows[i];
        struct fl_row row;
        struct fl_table_pin pin = {0};
        bool found = false;
        status = fl_table_get(table, expected->key, fl_hash_key(expected->key), expected->ts,
                              &read_all, &found, &row, &pin);
        assert_true(found == (status == FLOWDB_OK));
        if (status == FLOWDB_OK)
            assert_row(&row, expected);
        else
            assert_null(pin.block);
        fl_table_pin_release(&pin);
    }
    fl_table_unref(table);
    return status;
}

static flowdb_status walk(const struct faults *faults, struct fl_source *source, bool reverse) {
    size_t count = faults->rows.count;
    flowdb_status status = fl_source_seek(source, flowdb_bytes(NULL, 0), 0);
    for (size_t i = 0; status == FLOWDB_OK && i < count; i++) {
        assert_true(source->valid);
        assert_row(&source->row, &faults->rows.rows[reverse ? count - 1 - i : i]);
        status = fl_source_next(source);
    }
    assert_false(source->valid);
    return status;
}

static flowdb_status scan(struct faults *faults, bool reverse) {
    struct fl_table *table;
    struct fl_source *source = NULL;
    struct fl_bounds bounds = bounds_all(reverse);
    flowdb_status status = open_table(faults, &table);
    if (status == FLOWDB_OK)
        status = fl_table_source(table, &bounds, &read_all, &source);
    fl_table_unref(table); /* the source holds it */
    if (source == NULL)
        return status;
    status = walk(faults, source, reverse);
    /* A source that failed can be sought again. */
    if (status != FLOWDB_OK)
        assert_int_equal(walk(faults, source, reverse), FLOWDB_OK);
    fl_source_close(source);
    return status;
}

static flowdb_status scan_forward(struct faults *faults) {
    return scan(faults, false);
}

static flowdb_status scan_reverse(struct faults *faults) {
    return scan(faults, true);
}

/* ---- each with its first, second, ... call failing, until none is left to fail ---- */

static void fail_each_allocation(struct faults *faults, flowdb_status (*attempt)(struct faults *)) {
    struct failing_alloc *alloc = &faults->fixture->alloc;
    for (uint64_t n = 1;; n++) {
        int64_t live = alloc->live;
        alloc->calls = 0;
        alloc->fail_at = n;
        flowdb_status status = attempt(faults);
        assert_true(alloc->live == live);
        if (alloc->calls < n) {
            assert_int_equal(status, FLOWDB_OK);
            assert_true(n > 3);
            break;
        }
        assert_int_equal(status, FLOWDB_NO_MEMORY);
    }
    alloc->fail_at = 0;
}

static void fail_each_file_call(struct faults *faults, flowdb_status (*attempt)(struct faults *),
                                flowdb_status failure) {
    struct fault_fs *fs = &faults->fs;
    faults->fixture->env.fs = &fs->fs;
    for (enum fault_way way = FAULT_BEFORE; way < FAULT_WAYS; way++) {
        for (uint64_t n = 1;; n++) {
            fault_fs_arm(fs, n, false, way, failure);
            flowdb_status status = attempt(faults);
            assert_true(fs->open_files == 0);
            if (fs->failures == 0) {
                assert_int_equal(status, FLOWDB_OK);
                assert_true(n > 3);
                break;
            }
            assert_int_equal(status, failure);
        }
    }
    faults->fixture->env = faults->real;
}

static void building(void **state) {
    struct faults *faults = *state;
    fail_each_allocation(faults, build);
    fail_each_file_call(faults, build, FLOWDB_IO_ERROR);
    fail_each_file_call(faults, build, FLOWDB_NO_SPACE);
}

static void opening(void **state) {
    struct faults *faults = *state;
    assert_int_equal(build(faults), FLOWDB_OK);
    fail_each_allocation(faults, open_and_close);
    fail_each_file_call(faults, open_and_close, FLOWDB_IO_ERROR);
}

static void getting(void **state) {
    struct faults *faults = *state;
    assert_int_equal(build(faults), FLOWDB_OK);
    fail_each_allocation(faults, get);
    fail_each_file_call(faults, get, FLOWDB_IO_ERROR);
}

static void scanning(void **state) {
    struct faults *faults = *state;
    assert_int_equal(build(faults), FLOWDB_OK);
    fail_each_allocation(faults, scan_forward);
    fail_each_allocation(faults, scan_reverse);
    fail_each_file_call(faults, scan_forward, FLOWDB_IO_ERROR);
    fail_each_file_call(faults, scan_reverse, FLOWDB_IO_ERROR);
}

/* A scan needs memory of its own for the text of numbers. */
static void scanning_numbers(void **state) {
    struct faults *faults = *state;
    char value[16];
    for (size_t i = 0; i < faults->rows.count; i++) {
        snprintf(value, sizeof value, "%zu.%zu", i * 7919 % 1000, i % 10);
        faults->rows.rows[i].value = rows_keep(&faults->rows, value, strlen(value));
        faults->rows.rows[i].op = FL_OP_PUT;
    }
    scanning(state);
}

static void a_builder_that_failed_refuses_to_go_on(void **state) {
    struct faults *faults = *state;
    struct failing_alloc *alloc = &faults->fixture->alloc;
    struct fl_table_builder *builder;
    struct fl_table_properties properties;
    assert_int_equal(fl_table_builder_create(&faults->fixture->env, faults->fixture->path, TABLE_ID,
                                             &faults->options, &builder),
                     FLOWDB_OK);
    alloc->fail_at = 1;
    alloc->calls = 0;
    assert_int_equal(fl_table_builder_add(builder, &faults->rows.rows[0]), FLOWDB_NO_MEMORY);
    alloc->fail_at = 0;
    assert_int_equal(fl_table_builder_add(builder, &faults->rows.rows[0]), FLOWDB_INVALID_ARGUMENT);
    assert_int_equal(fl_table_builder_finish(builder, &properties), FLOWDB_INVALID_ARGUMENT);
    fl_table_builder_destroy(builder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(building, set_up, tear_down),
        cmocka_unit_test_setup_teardown(opening, set_up, tear_down),
        cmocka_unit_test_setup_teardown(getting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scanning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scanning_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_builder_that_failed_refuses_to_go_on, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
