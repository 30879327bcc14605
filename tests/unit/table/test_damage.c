/*
 * Damaged files: whatever is done to the bytes, a read gives what was written or says
 * FLOWDB_CORRUPTION, naming file and offset.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/coding.h"
#include "base/hash.h"
#include "fixture.h"
#include "table/meta.h"

struct damage {
    struct fixture *fixture;
    struct rows rows;
    uint8_t *bytes; /* of the sound file */
    size_t size;
    int file; /* to patch it in place */
    uint64_t refused, answered;
};

static const struct fl_range_tombstone tombstones[] = {
    {.start = {"host001", 7}, .seq = 3, .ts_start = INT64_MIN, .ts_end = INT64_MAX},
    {.end = {"host000/x", 9}, .seq = 900, .ts_start = -5, .ts_end = 5},
};

static void build(struct damage *damage, enum fl_codec codec, uint64_t table_id) {
    struct fixture *fixture = damage->fixture;
    struct fl_table_options options = fixture_options(256, codec);
    struct fl_table_builder *builder;
    struct fl_table_properties properties;
    scratch_remove(fixture->path);
    assert_int_equal(
        fl_table_builder_create(&fixture->env, fixture->path, table_id, &options, &builder),
        FLOWDB_OK);
    for (size_t i = 0; i < damage->rows.count; i++)
        assert_int_equal(fl_table_builder_add(builder, &damage->rows.rows[i]), FLOWDB_OK);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(fl_table_builder_add_range_tombstone(builder, &tombstones[i]), FLOWDB_OK);
    assert_int_equal(fl_table_builder_finish(builder, &properties), FLOWDB_OK);
    fl_table_builder_destroy(builder);
    free(damage->bytes);
    damage->bytes = scratch_read(fixture->path, &damage->size);
    assert_int_equal(properties.file_size, damage->size);
    if (damage->file >= 0)
        close(damage->file);
    damage->file = open(fixture->path, O_WRONLY);
    assert_true(damage->file >= 0);
}

static int set_up(void **state) {
    void *fixture;
    if (fixture_set_up(&fixture) != 0)
        return -1;
    struct damage *damage = calloc(1, sizeof *damage);
    struct seeded dice = {21};
    struct recipe recipe = {
        .keys = 6, .rows_per_key = 8, .value_size_max = 24, .delete_percent = 10, .expires = true};
    damage->fixture = fixture;
    damage->file = -1;
    rows_random(&damage->rows, &dice, &recipe);
    *state = damage;
    return 0;
}

static int tear_down(void **state) {
    struct damage *damage = *state;
    void *fixture = damage->fixture;
    if (damage->file >= 0)
        close(damage->file);
    rows_free(&damage->rows);
    free(damage->bytes);
    free(damage);
    return fixture_tear_down(&fixture);
}

static void patch(struct damage *damage, size_t at, const void *bytes, size_t size) {
    assert_int_equal(pwrite(damage->file, bytes, size, (off_t)at), size);
}

static void restore(struct damage *damage, size_t at, size_t size) {
    patch(damage, at, damage->bytes + at, size);
}

/* ---- reading: each is right or FLOWDB_CORRUPTION; returns whether it was refused ---- */

static bool refused(struct damage *damage, flowdb_status status) {
    if (status == FLOWDB_OK) {
        damage->answered++;
        return false;
    }
    if (status != FLOWDB_CORRUPTION)
        fail_msg("%s: %s", flowdb_status_name(status), flowdb_last_error());
    if (strstr(flowdb_last_error(), damage->fixture->path) == NULL)
        fail_msg("no file is named: %s", flowdb_last_error());
    damage->refused++;
    return true;
}

static bool read_gets(struct damage *damage, struct fl_table *table) {
    bool any = false;
    for (size_t i = 0; i < damage->rows.count; i++) {
        const struct fl_row *expected = &damage->rows.rows[i];
        struct fl_row row;
        struct fl_table_pin pin = {0};
        bool found = false;
        flowdb_status status = fl_table_get(table, expected->key, fl_hash_key(expected->key),
                                            expected->ts, &read_all, &found, &row, &pin);
        if (refused(damage, status)) {
            any = true;
            continue;
        }
        assert_true(found);
        assert_row(&row, expected);
        fl_table_pin_release(&pin);
    }
    return any;
}

static bool read_scan(struct damage *damage, struct fl_table *table, bool reverse) {
    struct fl_bounds bounds = bounds_all(reverse);
    struct fl_source *source;
    size_t at = 0, count = damage->rows.count;
    assert_int_equal(fl_table_source(table, &bounds, &read_all, &source), FLOWDB_OK);
    flowdb_status status = fl_source_seek(source, flowdb_bytes(NULL, 0), 0);
    while (status == FLOWDB_OK && source->valid) {
        assert_true(at < count);
        assert_row(&source->row, &damage->rows.rows[reverse ? count - 1 - at : at]);
        at++;
        status = fl_source_next(source);
    }
    fl_source_close(source);
    if (refused(damage, status))
        return true;
    assert_int_equal(at, count);
    return false;
}

static void check_tombstones(struct fl_table *table) {
    size_t count;
    const struct fl_range_tombstone *found = fl_table_range_tombstones(table, &count);
    assert_int_equal(count, 2);
    assert_true(found[0].seq == 900 && found[0].start.size == 0 && found[0].ts_start == -5);
    assert_memory_equal(found[0].end.data, "host000/x", 9);
    assert_true(found[1].seq == 3 && found[1].end.size == 0 && found[1].ts_end == INT64_MAX);
    assert_memory_equal(found[1].start.data, "host001", 7);
}

/* Opens the file and reads everything; returns whether anything was refused. */
static bool read_file(struct damage *damage, uint64_t expected_size) {
    struct fl_table *table = NULL;
    if (refused(damage, fl_table_open(&damage->fixture->env, damage->fixture->path, TABLE_ID,
                                      expected_size, &table)))
        return true;
    check_tombstones(table);
    assert_int_equal(fl_table_properties(table)->row_count, damage->rows.count);
    bool gets = read_gets(damage, table);
    bool scans = read_scan(damage, table, false);
    bool reverse = read_scan(damage, table, true);
    fl_table_unref(table);
    assert_true(scans == reverse && scans >= gets);
    return scans;
}

/* ------------------------------------------------------------------------------------- damage -- */

static void every_flipped_bit_is_noticed(void **state) {
    struct damage *damage = *state;
    for (enum fl_codec codec = FL_CODEC_NONE; codec <= FL_CODEC_ZSTD; codec++) {
        build(damage, codec, TABLE_ID);
        assert_false(read_file(damage, damage->size));
        for (size_t at = 0; at < damage->size; at++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                uint8_t flipped = (uint8_t)(damage->bytes[at] ^ (1u << bit));
                patch(damage, at, &flipped, 1);
                if (!read_file(damage, damage->size))
                    fail_msg("bit %u of byte %zu, codec %d", bit, at, (int)codec);
            }
            restore(damage, at, 1);
        }
    }
    assert_true(damage->answered > 0);
}

static void every_zeroed_stretch_is_noticed(void **state) {
    struct damage *damage = *state;
    struct seeded dice = {22};
    build(damage, FL_CODEC_LZ4, TABLE_ID);
    uint8_t *zeros = calloc(damage->size, 1);
    for (int round = 0; round < 300; round++) {
        size_t at = (size_t)pick(&dice, damage->size);
        size_t size = 1 + (size_t)pick(&dice, damage->size - at);
        if (memcmp(damage->bytes + at, zeros, size) == 0)
            continue;
        patch(damage, at, zeros, size);
        assert_true(read_file(damage, damage->size));
        restore(damage, at, size);
    }
    patch(damage, 0, zeros, damage->size);
    assert_true(read_file(damage, damage->size));
    free(zeros);
}

static void a_file_of_another_size_is_refused(void **state) {
    struct damage *damage = *state;
    build(damage, FL_CODEC_LZ4, TABLE_ID);
    assert_true(read_file(damage, damage->size + 1));
    assert_true(read_file(damage, damage->size - 1));
    for (size_t size = 0; size < damage->size; size += 7) {
        scratch_write(damage->fixture->path, damage->bytes, size);
        assert_true(read_file(damage, damage->size));
        assert_true(read_file(damage, size));
    }
    uint8_t *longer = calloc(damage->size + 100, 1);
    memcpy(longer, damage->bytes, damage->size);
    scratch_write(damage->fixture->path, longer, damage->size + 100);
    assert_true(read_file(damage, damage->size));
    assert_true(read_file(damage, damage->size + 100));
    free(longer);
}

static void bytes_of_another_table_are_refused(void **state) {
    struct damage *damage = *state;
    build(damage, FL_CODEC_LZ4, TABLE_ID + 1);
    assert_true(read_file(damage, damage->size));
    uint8_t *other = damage->bytes;
    size_t size = damage->size;
    damage->bytes = NULL;
    build(damage, FL_CODEC_LZ4, TABLE_ID);
    assert_int_equal(damage->size, size);
    /* The same rows, the same layout: only the checksums know whose they are. */
    for (size_t at = 0; at + 64 < size; at += 64) {
        if (memcmp(other + at, damage->bytes + at, 64) == 0)
            continue;
        patch(damage, at, other + at, 64);
        assert_true(read_file(damage, size));
        restore(damage, at, 64);
    }
    free(other);
}

static void a_block_in_another_place_is_refused(void **state) {
    struct damage *damage = *state;
    damage->rows.count = 0;
    char key[16];
    for (size_t i = 0; i < 400; i++) { /* blocks alike in all but their keys */
        snprintf(key, sizeof key, "k%03zu", i);
        rows_put(&damage->rows, key, 1, 1, key);
    }
    build(damage, FL_CODEC_NONE, TABLE_ID);
    assert_false(read_file(damage, damage->size));
    size_t first = FL_FRAME_HEADER + fl_get_u32(damage->bytes + 8) + fl_get_u16(damage->bytes + 18);
    assert_memory_equal(damage->bytes + 8, damage->bytes + first + 8, 12);
    patch(damage, 0, damage->bytes + first, first);
    assert_true(read_file(damage, damage->size));
}

/* The first frame of a table of one key's rows, one of them with a value of so many bytes. */
static size_t build_run(struct damage *damage, size_t rows, size_t value_size) {
    char value[128];
    assert_true(value_size < sizeof value);
    memset(value, 'v', value_size);
    value[value_size] = '\0';
    damage->rows.count = 0;
    for (size_t i = 0; i < rows; i++)
        rows_put(&damage->rows, "k", (int64_t)i, 1, i == 0 ? value : "");
    build(damage, FL_CODEC_NONE, TABLE_ID);
    return FL_FRAME_HEADER + fl_get_u32(damage->bytes + 8) + fl_get_u16(damage->bytes + 18);
}

static void a_block_with_more_or_fewer_rows_than_its_index_says_is_refused(void **state) {
    enum { VALUE = 100 };
    struct damage *damage = *state;
    size_t frame = build_run(damage, 1, VALUE), value_size = 0;
    uint8_t *one = damage->bytes;
    damage->bytes = NULL;
    while (value_size < VALUE && build_run(damage, 2, value_size) != frame)
        value_size++;
    assert_true(value_size < VALUE);
    /* Of the same table, for the same place and with a checksum that is right. */
    patch(damage, 0, one, frame);
    assert_true(read_file(damage, damage->size));
    assert_non_null(strstr(flowdb_last_error(), "not the one in the index"));
    uint8_t *two = damage->bytes;
    damage->bytes = NULL;
    assert_int_equal(build_run(damage, 1, VALUE), frame);
    patch(damage, 0, two, frame);
    assert_true(read_file(damage, damage->size));
    assert_non_null(strstr(flowdb_last_error(), "not the one in the index"));
    free(one);
    free(two);
}

/* Writes the footer with one number changed and a checksum that is right. */
static flowdb_status open_with_footer(struct damage *damage, size_t at, uint32_t number) {
    uint8_t footer[FL_FOOTER_SIZE];
    uint64_t place = damage->size - sizeof footer;
    memcpy(footer, damage->bytes + place, sizeof footer);
    fl_put_u32(footer + at, number);
    fl_put_u64(footer, fl_checksum(footer + 8, sizeof footer - 8, TABLE_ID, place));
    patch(damage, place, footer, sizeof footer);
    struct fl_table *table = NULL;
    flowdb_status status =
        fl_table_open(&damage->fixture->env, damage->fixture->path, TABLE_ID, damage->size, &table);
    fl_table_unref(table);
    return status;
}

static void a_newer_format_is_no_corruption(void **state) {
    struct damage *damage = *state;
    build(damage, FL_CODEC_LZ4, TABLE_ID);
    assert_int_equal(open_with_footer(damage, 104, 1), FLOWDB_OK);
    assert_int_equal(open_with_footer(damage, 104, 2), FLOWDB_UNSUPPORTED);
    assert_int_equal(open_with_footer(damage, 96, 1), FLOWDB_UNSUPPORTED);
    assert_int_equal(open_with_footer(damage, 24, 1), FLOWDB_CORRUPTION);  /* where the data ends */
    assert_int_equal(open_with_footer(damage, 72, 20), FLOWDB_CORRUPTION); /* size of the root */
}

/* Reads everything without looking at the blocks' checksums and believes nothing. */
static void read_unverified(struct damage *damage, struct fl_table *table, bool reverse) {
    static const struct fl_table_read unverified = {.verify_checksums = false};
    struct fl_bounds bounds = bounds_all(reverse);
    struct fl_source *source;
    assert_int_equal(fl_table_source(table, &bounds, &unverified, &source), FLOWDB_OK);
    flowdb_status status = fl_source_seek(source, flowdb_bytes(NULL, 0), 0);
    uint64_t sum = 0;
    while (status == FLOWDB_OK && source->valid) {
        for (size_t i = 0; i < source->row.key.size; i++)
            sum += ((const uint8_t *)source->row.key.data)[i];
        for (size_t i = 0; i < source->row.value.size; i++)
            sum += ((const uint8_t *)source->row.value.data)[i];
        damage->answered += sum != 0;
        status = fl_source_next(source);
    }
    assert_true(status == FLOWDB_OK || status == FLOWDB_CORRUPTION || status == FLOWDB_UNSUPPORTED);
    damage->refused += status != FLOWDB_OK;
    fl_source_close(source);
}

static void unverified_reads_of_damaged_blocks_stay_within_bounds(void **state) {
    struct damage *damage = *state;
    struct seeded dice = {23};
    for (enum fl_codec codec = FL_CODEC_NONE; codec <= FL_CODEC_ZSTD; codec++) {
        build(damage, codec, TABLE_ID);
        size_t data_end = (size_t)fl_get_u64(damage->bytes + damage->size - FL_FOOTER_SIZE + 24);
        struct fl_table *table;
        assert_int_equal(fl_table_open(&damage->fixture->env, damage->fixture->path, TABLE_ID,
                                       damage->size, &table),
                         FLOWDB_OK);
        for (size_t at = 0; at < data_end; at++) {
            uint8_t bytes[3];
            size_t size = 1 + (size_t)pick(&dice, at + 3 < data_end ? 3 : 1);
            for (size_t i = 0; i < size; i++)
                bytes[i] = (uint8_t)seeded_next(&dice);
            patch(damage, at, bytes, size);
            read_unverified(damage, table, at % 2 == 0);
            restore(damage, at, size);
        }
        fl_table_unref(table);
    }
    assert_true(damage->answered > 1000 && damage->refused > 200);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_flipped_bit_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_zeroed_stretch_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_of_another_size_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_of_another_table_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_block_in_another_place_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_block_with_more_or_fewer_rows_than_its_index_says_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_newer_format_is_no_corruption, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unverified_reads_of_damaged_blocks_stay_within_bounds,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
