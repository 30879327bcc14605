#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"

const struct fl_table_read read_all = {.verify_checksums = true, .fill_cache = true};

/* --------------------------------------------------------------------------------------- rows -- */

flowdb_slice rows_keep(struct rows *rows, const void *bytes, size_t size) {
    rows->pieces = realloc(rows->pieces, (rows->piece_count + 1) * sizeof *rows->pieces);
    char *copy = malloc(size + 1);
    if (size > 0)
        memcpy(copy, bytes, size);
    copy[size] = '\0';
    rows->pieces[rows->piece_count++] = copy;
    return flowdb_bytes(copy, size);
}

void rows_free(struct rows *rows) {
    for (size_t i = 0; i < rows->piece_count; i++)
        free(rows->pieces[i]);
    free(rows->pieces);
    free(rows->rows);
    *rows = (struct rows){0};
}

void rows_add(struct rows *rows, struct fl_row row) {
    if (rows->count == rows->capacity) {
        rows->capacity = rows->capacity * 2 + 16;
        rows->rows = realloc(rows->rows, rows->capacity * sizeof *rows->rows);
    }
    row.key = rows_keep(rows, row.key.data, row.key.size);
    row.value = rows_keep(rows, row.value.data, row.value.size);
    rows->rows[rows->count++] = row;
}

void rows_put(struct rows *rows, const char *key, int64_t ts, uint64_t seq, const char *value) {
    rows_add(rows, (struct fl_row){.key = flowdb_str(key),
                                   .ts = ts,
                                   .seq = seq,
                                   .expire_at = FLOWDB_NEVER,
                                   .value = flowdb_str(value),
                                   .op = FL_OP_PUT});
}

static int compare_slices(const void *a, const void *b) {
    return fl_slice_compare(*(const flowdb_slice *)a, *(const flowdb_slice *)b);
}

static flowdb_slice random_key(struct rows *rows, struct seeded *dice, const struct recipe *recipe,
                               size_t i) {
    uint8_t key[512];
    size_t size;
    if (!recipe->long_keys) {
        size = (size_t)snprintf((char *)key, sizeof key, "host%03zu/metric%zu", i, i % 7);
    } else {
        static const uint8_t alphabet[] = {0, 1, 'a', 'b', 0xFE, 0xFF};
        size = 1 + (size_t)pick(dice, pick(dice, 8) == 0 ? 400 : 12);
        for (size_t at = 0; at < size; at++)
            key[at] = at % 3 == 0 ? 'p' : alphabet[pick(dice, sizeof alphabet)];
    }
    return rows_keep(rows, key, size);
}

static struct fl_row random_row(struct rows *rows, struct seeded *dice, const struct recipe *recipe,
                                flowdb_slice key, size_t key_at, size_t at) {
    struct fl_row row = {.key = key, .op = FL_OP_PUT, .expire_at = FLOWDB_NEVER};
    row.ts = 1700000000000000 + (int64_t)at * 10000000;
    row.seq = at * recipe->keys + key_at + 1;
    if (!recipe->regular) {
        row.ts += (int64_t)pick(dice, 9000000) - 4500000;
        row.seq = 1 + pick(dice, 1u << 30);
    }
    if (recipe->expires && pick(dice, 4) > 0)
        row.expire_at = row.ts + (recipe->regular ? 3600 : (int64_t)pick(dice, 1u << 20));
    if (pick(dice, 100) < recipe->delete_percent) {
        row.op = FL_OP_DELETE;
        return row;
    }
    size_t size = recipe->value_size_max;
    if (size > 0 && !recipe->fixed_values)
        size = (size_t)pick(dice, size + 1);
    uint8_t *value = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        value[i] = recipe->same_value ? 'v' : (uint8_t)("0123456789ab."[pick(dice, 13)]);
    row.value = rows_keep(rows, value, size);
    free(value);
    return row;
}

void rows_random(struct rows *rows, struct seeded *dice, const struct recipe *recipe) {
    flowdb_slice *keys = malloc(recipe->keys * sizeof *keys);
    for (size_t i = 0; i < recipe->keys; i++)
        keys[i] = random_key(rows, dice, recipe, i);
    qsort(keys, recipe->keys, sizeof *keys, compare_slices);
    for (size_t i = 0; i < recipe->keys; i++) {
        if (i > 0 && fl_slice_equal(keys[i], keys[i - 1]))
            continue;
        size_t count =
            recipe->regular ? recipe->rows_per_key : 1 + (size_t)pick(dice, recipe->rows_per_key);
        for (size_t at = 0; at < count; at++)
            rows_add(rows, random_row(rows, dice, recipe, keys[i], i, at));
    }
    free(keys);
}

/* ----------------------------------------------------------------------------------- fixture -- */

int fixture_set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    scratch_create(fixture->folder);
    snprintf(fixture->path, sizeof fixture->path, "%s", scratch_in(fixture->folder, "000001.sst"));
    failing_alloc_init(&fixture->alloc);
    fixture->env = (struct fl_env){
        .alloc = &fixture->alloc.alloc, .clock = fl_clock_system(), .fs = fl_fs_posix()};
    *state = fixture;
    return 0;
}

int fixture_tear_down(void **state) {
    struct fixture *fixture = *state;
    int64_t live = fixture->alloc.live;
    scratch_remove(fixture->folder);
    free(fixture);
    if (live != 0)
        print_error("%lld allocations leaked\n", (long long)live);
    return live == 0 ? 0 : -1;
}

struct fl_table_options fixture_options(uint32_t block_size, enum fl_codec codec) {
    return (struct fl_table_options){
        .block_size = block_size, .codec = codec, .zstd_level = 1, .bloom_bits_per_key = 10};
}

flowdb_status fixture_build(struct fixture *fixture, const struct rows *rows,
                            const struct fl_table_options *options,
                            struct fl_table_properties *properties) {
    struct fl_table_builder *builder;
    scratch_remove(fixture->path);
    flowdb_status status =
        fl_table_builder_create(&fixture->env, fixture->path, TABLE_ID, options, &builder);
    if (status != FLOWDB_OK)
        return status;
    for (size_t i = 0; status == FLOWDB_OK && i < rows->count; i++)
        status = fl_table_builder_add(builder, &rows->rows[i]);
    if (status == FLOWDB_OK)
        status = fl_table_builder_finish(builder, properties);
    fl_table_builder_destroy(builder);
    return status;
}

struct fl_table *fixture_table(struct fixture *fixture, const struct rows *rows,
                               const struct fl_table_options *options) {
    struct fl_table_properties properties;
    struct fl_table *table = NULL;
    flowdb_status status = fixture_build(fixture, rows, options, &properties);
    if (status == FLOWDB_OK)
        status =
            fl_table_open(&fixture->env, fixture->path, TABLE_ID, properties.file_size, &table);
    if (status != FLOWDB_OK)
        fail_msg("%s", flowdb_last_error());
    return table;
}

/* -------------------------------------------------------------------------------------- checks -- */

static void assert_slice(flowdb_slice slice, flowdb_slice expected) {
    assert_int_equal(slice.size, expected.size);
    if (slice.size > 0)
        assert_memory_equal(slice.data, expected.data, slice.size);
}

void assert_row(const struct fl_row *row, const struct fl_row *expected) {
    assert_slice(row->key, expected->key);
    assert_true(row->ts == expected->ts);
    assert_true(row->seq == expected->seq);
    assert_true(row->expire_at == expected->expire_at);
    assert_int_equal(row->op, expected->op);
    assert_slice(row->value, expected->value);
}

static void check_get(struct fl_table *table, const struct rows *rows, flowdb_slice key, int64_t ts,
                      size_t hint) {
    const struct fl_row *expected = NULL;
    for (size_t i = hint > 0 ? hint - 1 : 0; i < rows->count && i < hint + 2; i++) {
        if (rows->rows[i].ts == ts && fl_slice_equal(rows->rows[i].key, key))
            expected = &rows->rows[i];
    }
    bool found = expected == NULL;
    struct fl_row row = {.seq = 0};
    struct fl_table_pin pin = {0};
    uint64_t hash = fl_hash_key(key);
    assert_int_equal(fl_table_get(table, key, hash, ts, &read_all, &found, &row, &pin), FLOWDB_OK);
    assert_true(found == (expected != NULL));
    if (expected != NULL) {
        assert_true(fl_table_may_contain(table, key, hash));
        assert_row(&row, expected);
    }
    fl_table_pin_release(&pin);
}

void check_gets(struct fl_table *table, const struct rows *rows) {
    for (size_t i = 0; i < rows->count; i += 1 + rows->count / 1000) {
        const struct fl_row *row = &rows->rows[i];
        check_get(table, rows, row->key, row->ts, i);
        check_get(table, rows, row->key, (int64_t)((uint64_t)row->ts + 1), i);
        check_get(table, rows, row->key, (int64_t)((uint64_t)row->ts - 1), i);
        uint8_t longer[1024];
        if (row->key.size + 1 > sizeof longer)
            continue;
        memcpy(longer, row->key.data, row->key.size);
        longer[row->key.size] = 0;
        struct rows none = {0};
        bool next = i + 1 < rows->count && rows->rows[i + 1].key.size == row->key.size + 1;
        if (!next)
            check_get(table, &none, flowdb_bytes(longer, row->key.size + 1), row->ts, 0);
    }
}

struct fl_bounds bounds_all(bool reverse) {
    return (struct fl_bounds){.key_high_kind = FL_BOUND_NONE,
                              .ts_low = INT64_MIN,
                              .ts_high = INT64_MAX,
                              .reverse = reverse};
}

static bool in_scan(const struct fl_row *row, const struct fl_bounds *bounds, flowdb_slice key,
                    int64_t ts) {
    if (fl_bounds_below(bounds, row->key) || fl_bounds_above(bounds, row->key) ||
        row->ts < bounds->ts_low || row->ts > bounds->ts_high)
        return false;
    if (key.size == 0)
        return true;
    int order = fl_slice_compare(row->key, key);
    if (order == 0)
        order = row->ts < ts ? -1 : row->ts > ts;
    return bounds->reverse ? order <= 0 : order >= 0;
}

void check_scan(struct fl_table *table, const struct rows *rows, const struct fl_bounds *bounds,
                flowdb_slice key, int64_t ts) {
    struct fl_source *source;
    assert_int_equal(fl_table_source(table, bounds, &read_all, &source), FLOWDB_OK);
    assert_false(source->valid);
    assert_int_equal(fl_source_seek(source, key, ts), FLOWDB_OK);
    for (size_t i = 0; i < rows->count; i++) {
        const struct fl_row *row = &rows->rows[bounds->reverse ? rows->count - 1 - i : i];
        if (!in_scan(row, bounds, key, ts))
            continue;
        assert_true(source->valid);
        assert_row(&source->row, row);
        assert_int_equal(fl_source_next(source), FLOWDB_OK);
    }
    assert_false(source->valid);
    fl_source_close(source);
}
