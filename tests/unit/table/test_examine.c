/*
 * Examining a table: parts whose checksums are right, but which say something else than the rows.
 * (That every flipped byte is found is tested on whole directories, in unit/engine/test_repair.c.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "support/scratch.h"
#include "table/examine.h"
#include "table/meta.h"

enum { TABLE_ID = 7, KEYS = 40, ROWS_PER_KEY = 5 };

struct subject {
    char folder[SCRATCH_PATH], path[SCRATCH_PATH];
    struct fl_env env;
    uint8_t *bytes;
    size_t size;
    struct fl_footer footer;
    unsigned damages;
    char what[512];
    uint64_t rows, tombstones; /* that were passed on */
};

static void add_rows(struct fl_table_builder *builder) {
    for (unsigned k = 0; k < KEYS; k++) {
        char key[8];
        snprintf(key, sizeof key, "k%02u", k);
        for (int64_t ts = 0; ts < ROWS_PER_KEY; ts++) {
            struct fl_row row = {.key = flowdb_str(key),
                                 .ts = ts * 1000 + (int64_t)(k * k * 7919 % 997) * ts * ts,
                                 .seq = k * ROWS_PER_KEY + (uint64_t)ts + 1,
                                 .expire_at = INT64_C(1000000) + (int64_t)k * 77 + ts,
                                 .value = flowdb_str(key),
                                 .op = FL_OP_PUT};
            if (ts == 3) {
                row.op = FL_OP_DELETE;
                row.value = (flowdb_slice){0};
            }
            assert_int_equal(fl_table_builder_add(builder, &row), FLOWDB_OK);
        }
    }
    struct fl_range_tombstone tombstone = {.start = flowdb_str("k05"),
                                           .end = flowdb_str("k07"),
                                           .seq = 1000,
                                           .ts_start = INT64_MIN,
                                           .ts_end = INT64_MAX};
    assert_int_equal(fl_table_builder_add_range_tombstone(builder, &tombstone), FLOWDB_OK);
}

static int set_up(void **state) {
    struct subject *subject = calloc(1, sizeof *subject);
    if (subject == NULL)
        return -1;
    scratch_create_in_memory(subject->folder);
    snprintf(subject->path, sizeof subject->path, "%s", scratch_in(subject->folder, "000007.sst"));
    subject->env = (struct fl_env){
        .alloc = fl_alloc_system(), .clock = fl_clock_system(), .fs = fl_fs_posix()};
    const struct fl_table_options options = {
        .block_size = 128, .codec = FL_CODEC_NONE, .bloom_bits_per_key = 10};
    struct fl_table_builder *builder;
    struct fl_table_properties properties;
    assert_int_equal(
        fl_table_builder_create(&subject->env, subject->path, TABLE_ID, &options, &builder),
        FLOWDB_OK);
    add_rows(builder);
    assert_int_equal(fl_table_builder_finish(builder, &properties), FLOWDB_OK);
    fl_table_builder_destroy(builder);
    assert_true(properties.block_count > 4);
    subject->bytes = scratch_read(subject->path, &subject->size);
    assert_int_equal(
        fl_footer_decode(subject->bytes, subject->size, TABLE_ID, subject->size, &subject->footer),
        FLOWDB_OK);
    *state = subject;
    return 0;
}

static int tear_down(void **state) {
    struct subject *subject = *state;
    scratch_remove(subject->folder);
    free(subject->bytes);
    free(subject);
    return 0;
}

static void note_damage(void *context, uint64_t offset, const char *what) {
    struct subject *subject = context;
    assert_true(offset <= subject->size);
    subject->damages++;
    snprintf(subject->what, sizeof subject->what, "%s", what);
}

static flowdb_status note_row(void *context, const struct fl_row *row) {
    struct subject *subject = context;
    assert_true(row->key.size > 0);
    subject->rows++;
    return FLOWDB_OK;
}

static flowdb_status note_tombstones(void *context, const struct fl_range_tombstone *tombstones,
                                     size_t count) {
    struct subject *subject = context;
    assert_int_equal(tombstones[0].seq, 1000);
    subject->tombstones += count;
    return FLOWDB_OK;
}

/* Writes the bytes to the file and examines it. */
static void examine(struct subject *subject, struct fl_examined *examined) {
    const struct fl_examiner examiner = {
        .context = subject, .damage = note_damage, .row = note_row, .tombstones = note_tombstones};
    scratch_write(subject->path, subject->bytes, subject->size);
    subject->damages = 0;
    subject->rows = subject->tombstones = 0;
    assert_int_equal(fl_table_examine(&subject->env, subject->path, TABLE_ID, &examiner, examined),
                     FLOWDB_OK);
    assert_int_equal(examined->damages, subject->damages);
    assert_int_equal(examined->row_count, subject->rows);
}

static void a_whole_table_has_nothing_wrong_and_is_passed_on(void **state) {
    struct subject *subject = *state;
    struct fl_examined examined;
    examine(subject, &examined);
    assert_int_equal(examined.damages, 0);
    assert_false(examined.tombstones_lost);
    assert_int_equal(subject->rows, KEYS * ROWS_PER_KEY);
    assert_int_equal(subject->tombstones, 1);
    assert_int_equal(examined.max_seq, 1000);
}

/* Every byte of the payload, changed and sealed again: the checksum is right, the words are not. Of
   a filter only bits that are set count: one more denies nothing. */
static void assert_every_byte_counts(struct subject *subject, struct fl_extent extent,
                                     bool only_clearing) {
    uint8_t *frame = subject->bytes + extent.offset;
    size_t fields = (size_t)frame[18] + ((size_t)frame[19] << 8), found = 0;
    for (size_t at = FL_FRAME_HEADER + fields; at < extent.size; at++) {
        struct fl_examined examined;
        uint8_t before = frame[at];
        frame[at] = only_clearing ? 0 : (uint8_t)(before ^ 0x01);
        if (frame[at] == before)
            continue;
        fl_frame_seal(frame, extent.size, TABLE_ID, extent.offset);
        examine(subject, &examined);
        if (examined.damages == 0)
            fail_msg("byte %zu of a part at %llu says something else, which nobody notices", at,
                     (unsigned long long)extent.offset);
        assert_int_equal(subject->rows, KEYS * ROWS_PER_KEY);
        found++;
        frame[at] = before;
    }
    fl_frame_seal(frame, extent.size, TABLE_ID, extent.offset);
    assert_true(found > 10);
}

static void properties_that_are_not_those_of_the_rows_are_found(void **state) {
    struct subject *subject = *state;
    assert_every_byte_counts(subject, subject->footer.properties, false);
}

static void a_filter_that_denies_a_key_is_found(void **state) {
    struct subject *subject = *state;
    assert_every_byte_counts(subject, subject->footer.filter, true);
}

static void an_index_that_is_not_that_of_the_blocks_is_found(void **state) {
    struct subject *subject = *state;
    uint64_t start = subject->footer.tombstones.offset + subject->footer.tombstones.size;
    struct fl_extent partition = {.offset = start, .size = subject->footer.root.offset - start};
    assert_every_byte_counts(subject, partition, false);
    assert_every_byte_counts(subject, subject->footer.root, false);
}

/* Index, filter, properties and footer overwritten: the blocks are found all the same. */
static void blocks_are_found_without_anything_that_leads_to_them(void **state) {
    struct subject *subject = *state;
    struct fl_examined examined;
    size_t from = subject->footer.tombstones.offset;
    memset(subject->bytes + from, 0xA5, subject->size - from);
    memset(subject->bytes, 0x5A, 10); /* and the first block's header */
    examine(subject, &examined);
    assert_true(examined.damages >= 2);
    assert_true(examined.tombstones_lost);
    assert_in_range(subject->rows, KEYS * ROWS_PER_KEY / 2, KEYS * ROWS_PER_KEY - 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_whole_table_has_nothing_wrong_and_is_passed_on),
        TEST(properties_that_are_not_those_of_the_rows_are_found),
        TEST(a_filter_that_denies_a_key_is_found),
        TEST(an_index_that_is_not_that_of_the_blocks_is_found),
        TEST(blocks_are_found_without_anything_that_leads_to_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
