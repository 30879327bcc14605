/*
 * Files of every version that was ever written are read for good: tests/format/sstable has one for
 * each codec, and in rows.txt, decimals.txt and steps.txt what they hold, one line a row
 *
 *     put|delete KEY TS SEQ EXPIRE_AT VALUE
 *     delete_range START END SEQ TS_START TS_END
 *
 * with keys and values in hexadecimal and - for empty ones. A new version adds files and keeps the
 * old ones. FLOWDB_WRITE_GOLDEN=1 writes this version's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "fixture.h"

#define GOLDEN_ID 42
#define TOMBSTONES_MAX 8

struct golden {
    struct rows rows;
    struct fl_range_tombstone tombstones[TOMBSTONES_MAX];
    size_t tombstone_count;
};

static const struct {
    const char *file, *rows;
    uint32_t block_size;
    enum fl_codec codec;
} files[] = {
    {"v1-none.sst", "rows.txt", 128, FL_CODEC_NONE},
    {"v1-lz4.sst", "rows.txt", 1000, FL_CODEC_LZ4},
    {"v1-zstd.sst", "rows.txt", 4000, FL_CODEC_ZSTD},
    {"v1-decimals.sst", "decimals.txt", 1000, FL_CODEC_ZSTD},
    {"v1-steps.sst", "steps.txt", 1000, FL_CODEC_ZSTD},
};

static const char *golden_path(const char *file) {
    const char *source = getenv("FLOWDB_SOURCE_DIR");
    static char path[SCRATCH_PATH];
    snprintf(path, sizeof path, "%s/tests/format/sstable/%s", source != NULL ? source : ".", file);
    return path;
}

/* ------------------------------------------------------------------------------------ rows.txt -- */

static int hex_digit(char c) {
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static flowdb_slice from_hex(struct rows *rows, const char *text) {
    static uint8_t bytes[4096];
    size_t size = strcmp(text, "-") == 0 ? 0 : strlen(text) / 2;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
    return rows_keep(rows, bytes, size);
}

static void read_line(struct golden *golden, const char *line) {
    char op[16], first[4096], second[4096];
    uint64_t seq;
    int64_t ts, other;
    if (strncmp(line, "delete_range", 12) == 0) {
        assert_int_equal(sscanf(line, "%15s %4095s %4095s %" SCNu64 " %" SCNd64 " %" SCNd64, op,
                                first, second, &seq, &ts, &other),
                         6);
        assert_true(golden->tombstone_count < TOMBSTONES_MAX);
        golden->tombstones[golden->tombstone_count++] =
            (struct fl_range_tombstone){.start = from_hex(&golden->rows, first),
                                        .end = from_hex(&golden->rows, second),
                                        .seq = seq,
                                        .ts_start = ts,
                                        .ts_end = other};
        return;
    }
    assert_int_equal(sscanf(line, "%15s %4095s %" SCNd64 " %" SCNu64 " %" SCNd64 " %4095s", op,
                            first, &ts, &seq, &other, second),
                     6);
    rows_add(&golden->rows,
             (struct fl_row){.key = from_hex(&golden->rows, first),
                             .ts = ts,
                             .seq = seq,
                             .expire_at = other,
                             .value = from_hex(&golden->rows, second),
                             .op = strcmp(op, "put") == 0 ? FL_OP_PUT : FL_OP_DELETE});
}

static void read_golden(struct golden *golden, const char *name) {
    static char line[16384];
    FILE *file = fopen(golden_path(name), "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        read_line(golden, line);
    fclose(file);
    assert_true(golden->rows.count > 500);
}

static void print_hex(FILE *file, flowdb_slice bytes) {
    fputc(' ', file);
    for (size_t i = 0; i < bytes.size; i++)
        fprintf(file, "%02x", ((const uint8_t *)bytes.data)[i]);
    if (bytes.size == 0)
        fputc('-', file);
}

static void write_text(const struct golden *golden, const char *name) {
    FILE *file = fopen(golden_path(name), "w");
    assert_non_null(file);
    for (size_t i = 0; i < golden->rows.count; i++) {
        const struct fl_row *row = &golden->rows.rows[i];
        fputs(row->op == FL_OP_PUT ? "put" : "delete", file);
        print_hex(file, row->key);
        fprintf(file, " %" PRId64 " %" PRIu64 " %" PRId64, row->ts, row->seq, row->expire_at);
        print_hex(file, row->value);
        fputc('\n', file);
    }
    for (size_t i = 0; i < golden->tombstone_count; i++) {
        const struct fl_range_tombstone *tombstone = &golden->tombstones[i];
        fputs("delete_range", file);
        print_hex(file, tombstone->start);
        print_hex(file, tombstone->end);
        fprintf(file, " %" PRIu64 " %" PRId64 " %" PRId64 "\n", tombstone->seq, tombstone->ts_start,
                tombstone->ts_end);
    }
    assert_int_equal(fclose(file), 0);
}

/* ------------------------------------------------------------------------------------- reading -- */

static void check_tombstones(struct fl_table *table, const struct golden *golden) {
    size_t count;
    const struct fl_range_tombstone *found = fl_table_range_tombstones(table, &count);
    assert_int_equal(count, golden->tombstone_count);
    for (size_t i = 0; i < count; i++) {
        const struct fl_range_tombstone *expected = &golden->tombstones[i];
        assert_true(fl_slice_equal(found[i].start, expected->start));
        assert_true(fl_slice_equal(found[i].end, expected->end));
        assert_true(found[i].seq == expected->seq && found[i].ts_start == expected->ts_start &&
                    found[i].ts_end == expected->ts_end);
    }
}

static void golden_files_are_read(void **state) {
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct golden golden = {.tombstone_count = 0};
        read_golden(&golden, files[i].rows);
        size_t size;
        free(scratch_read(golden_path(files[i].file), &size));
        struct fl_table *table;
        if (fl_table_open(&fixture->env, golden_path(files[i].file), GOLDEN_ID, size, &table) !=
            FLOWDB_OK)
            fail_msg("%s", flowdb_last_error());
        struct fl_bounds forward = bounds_all(false), reverse = bounds_all(true);
        check_scan(table, &golden.rows, &forward, flowdb_bytes(NULL, 0), 0);
        check_scan(table, &golden.rows, &reverse, flowdb_bytes(NULL, 0), 0);
        check_gets(table, &golden.rows);
        check_tombstones(table, &golden);
        fl_table_unref(table);
        rows_free(&golden.rows);
    }
}

/* ------------------------------------------------------------------------------------- writing -- */

/* A part of the rows: keys that begin with `prefix` in the shape of the recipe. */
static void add_part(struct rows *rows, const char *prefix, struct recipe recipe, uint64_t seed) {
    struct rows part = {.count = 0};
    struct seeded dice = {seed};
    char key[600];
    rows_random(&part, &dice, &recipe);
    size_t shared = strlen(prefix);
    for (size_t i = 0; i < part.count; i++) {
        struct fl_row row = part.rows[i];
        memcpy(key, prefix, shared);
        memcpy(key + shared, row.key.data, row.key.size);
        row.key = rows_keep(rows, key, shared + row.key.size);
        rows_add(rows, row);
    }
    rows_free(&part);
}

static void make_golden(struct golden *golden) {
    struct rows *rows = &golden->rows;
    char key[32];
    rows_put(rows, "a", INT64_MIN, UINT64_MAX, "");
    rows_put(rows, "a", INT64_MAX, 0, "last of a");
    add_part(rows, "b/", (struct recipe){4, 40, true, 5, false, false, 0, true, false}, 1);
    add_part(rows, "c/", (struct recipe){5, 20, false, 30, true, false, 0, false, true}, 2);
    add_part(rows, "d/", (struct recipe){8, 12, false, 12, false, false, 25, true, false}, 3);
    for (int i = 0; i < 120; i++) {
        snprintf(key, sizeof key, "e/%05d", i);
        rows_put(rows, key, 1700000000000000 + i, (uint64_t)(1000 - i), "the same");
    }
    int64_t ts = 0;
    for (int64_t i = 0; i < 150; i++)
        rows_put(rows, "f/ever faster", ts += 1000 + i * i, (uint64_t)(i * i),
                 i % 2 ? "on" : "off");
    add_part(rows, "g/", (struct recipe){250, 1, true, 40, true, false, 0, false, false}, 4);
    golden->tombstones[0] = (struct fl_range_tombstone){{0}, {"b", 1}, 7, INT64_MIN, INT64_MAX};
    golden->tombstones[1] = (struct fl_range_tombstone){{"b/h", 3}, {"c", 1}, 9, -1, 1};
    golden->tombstones[2] =
        (struct fl_range_tombstone){{"b/h", 3}, {"b/i", 3}, 8, INT64_MIN, INT64_MAX};
    golden->tombstones[3] = (struct fl_range_tombstone){{"x", 1}, {0}, 1, INT64_MIN, 0};
    golden->tombstone_count = 4;
}

static void write_file(struct fixture *fixture, const struct golden *golden, size_t at) {
    struct fl_table_options options = fixture_options(files[at].block_size, files[at].codec);
    struct fl_table_builder *builder;
    struct fl_table_properties properties;
    const char *path = golden_path(files[at].file);
    scratch_remove(path);
    assert_int_equal(fl_table_builder_create(&fixture->env, path, GOLDEN_ID, &options, &builder),
                     FLOWDB_OK);
    for (size_t i = 0; i < golden->rows.count; i++)
        assert_int_equal(fl_table_builder_add(builder, &golden->rows.rows[i]), FLOWDB_OK);
    for (size_t i = 0; i < golden->tombstone_count; i++)
        assert_int_equal(fl_table_builder_add_range_tombstone(builder, &golden->tombstones[i]),
                         FLOWDB_OK);
    assert_int_equal(fl_table_builder_finish(builder, &properties), FLOWDB_OK);
    print_message("%s: %" PRIu64 " blocks, %" PRIu64 " bytes\n", files[at].file,
                  properties.block_count, properties.file_size);
    fl_table_builder_destroy(builder);
}

/* The last two as most programs print numbers. */
static struct fl_decimal_form form_of(int series) {
    return (struct fl_decimal_form){.scale = (uint8_t)(series < 6 ? series / 2 * 6 : 3),
                                    .trimmed = series >= 6};
}

/* Values that are kept as numbers: by one rule, by run, of several scales and both forms, with
   deletes and odd values. */
static void make_decimals(struct golden *golden) {
    struct seeded dice = {6};
    char key[16], value[32];
    int64_t number = 0;
    for (int i = 0; i < 800; i++) {
        int series = i / 100;
        number += series == 0 ? 3 : (int64_t)pick(&dice, 41) - 20;
        snprintf(key, sizeof key, "s%d", series);
        struct fl_decimal_text text;
        flowdb_slice made = fl_decimal_format(number, form_of(series), &text);
        snprintf(value, sizeof value, "%.*s", (int)made.size, (const char *)made.data);
        rows_put(&golden->rows, key, i, (uint64_t)i + 1, series == 5 && i % 9 == 0 ? "" : value);
        if (series == 5 && i % 9 == 0)
            golden->rows.rows[golden->rows.count - 1].op = FL_OP_DELETE;
        if (series % 2 == 1 && i % 31 == 0 && i % 9 != 0)
            golden->rows.rows[golden->rows.count - 1].value =
                rows_keep(&golden->rows, "NaN or -0", i % 62 == 0 ? 3 : 9);
    }
}

/* Eight rows at a time were written one after the other, and the times have gaps. */
static void make_steps(struct golden *golden) {
    struct seeded dice = {7};
    char key[16];
    uint64_t seq = 0;
    int64_t ts = 1700000000000000;
    for (int i = 0; i < 600; i++) {
        seq = i % 8 == 0 ? seeded_next(&dice) >> 34 : seq + 1;
        ts += i % 37 == 0 ? INT64_C(86400000000) : 10000000;
        snprintf(key, sizeof key, "t%d", i / 200);
        rows_put(&golden->rows, key, ts, seq, i % 3 == 0 ? "open" : "closed");
    }
}

static void write_golden(void **state) {
    static void (*const makers[])(struct golden *) = {make_golden, make_golden, make_golden,
                                                      make_decimals, make_steps};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct golden golden = {.tombstone_count = 0};
        makers[i](&golden);
        write_text(&golden, files[i].rows);
        write_file(*state, &golden, i);
        rows_free(&golden.rows);
    }
}

int main(void) {
    const struct CMUnitTest writing[] = {
        cmocka_unit_test_setup_teardown(write_golden, fixture_set_up, fixture_tear_down),
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(golden_files_are_read, fixture_set_up, fixture_tear_down),
    };
    if (getenv("FLOWDB_WRITE_GOLDEN") != NULL && cmocka_run_group_tests(writing, NULL, NULL) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
