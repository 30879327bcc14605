/* Data blocks: what they cost, where they end, what a newer or damaged one does to a reader. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "fixture.h"
#include "table/block.h"

#define TEN_SECONDS 10000000

struct block_fixture {
    struct failing_alloc alloc;
    struct fl_packer packer;
    struct fl_unpacker unpacker;
    struct fl_block_encoder encoder;
    struct fl_buffer frame;
    struct rows rows;
};

static int set_up(void **state) {
    struct block_fixture *fixture = calloc(1, sizeof *fixture);
    struct fl_table_options options = fixture_options(8192, FL_CODEC_NONE);
    failing_alloc_init(&fixture->alloc);
    const struct fl_alloc *alloc = &fixture->alloc.alloc;
    fl_packer_init(&fixture->packer, alloc, &options);
    fl_unpacker_init(&fixture->unpacker, alloc);
    fl_buffer_init(&fixture->frame, alloc);
    *state = fixture;
    return fl_block_encoder_init(&fixture->encoder, alloc, 8192) == FLOWDB_OK ? 0 : -1;
}

static int tear_down(void **state) {
    struct block_fixture *fixture = *state;
    rows_free(&fixture->rows);
    fl_packer_deinit(&fixture->packer);
    fl_unpacker_deinit(&fixture->unpacker);
    fl_block_encoder_deinit(&fixture->encoder);
    fl_buffer_deinit(&fixture->frame);
    int64_t live = fixture->alloc.live;
    free(fixture);
    return live == 0 ? 0 : -1;
}

/* Adds rows from `from` on until the block is full; returns the first that is not in it. */
static size_t fill(struct block_fixture *fixture, size_t from) {
    const struct rows *rows = &fixture->rows;
    size_t i = from;
    bool added = true;
    for (; i < rows->count; i++) {
        bool same = i > from && fl_slice_equal(rows->rows[i].key, rows->rows[i - 1].key);
        assert_int_equal(fl_block_encoder_add(&fixture->encoder, &rows->rows[i], same, &added),
                         FLOWDB_OK);
        if (!added)
            break;
    }
    size_t size;
    struct fl_block_summary summary;
    fixture->frame.size = 0;
    assert_int_equal(fl_block_encoder_finish(&fixture->encoder, &fixture->packer, &fixture->frame,
                                             &size, &summary),
                     FLOWDB_OK);
    assert_int_equal(size, fixture->frame.size);
    assert_int_equal(summary.rows, i - from);
    assert_true(summary.first_ts == rows->rows[from].ts);
    return i;
}

static flowdb_status decode(struct block_fixture *fixture, struct fl_block **block) {
    struct fl_frame frame;
    flowdb_status status = fl_frame_parse(fixture->frame.data, fixture->frame.size, FL_FRAME_DATA,
                                          0, 0, false, &frame);
    if (status != FLOWDB_OK)
        return status;
    return fl_block_decode(&fixture->alloc.alloc, &fixture->unpacker, &frame, block);
}

/* Reads all that the block points to; returns a sum so that nothing is optimised away. */
static uint64_t walk(const struct fl_block *block) {
    uint64_t sum = 0;
    struct fl_row row;
    struct fl_decimal_text text;
    for (uint32_t key = 0; key < block->keys; key++) {
        flowdb_slice slice = fl_block_key(block, key);
        for (size_t i = 0; i < slice.size; i++)
            sum += ((const uint8_t *)slice.data)[i];
        sum += fl_block_find_key(block, slice);
        for (uint32_t at = fl_block_run(block, key); at < fl_block_run(block, key + 1); at++) {
            fl_block_row(block, key, at, &row, &text);
            sum += fl_block_find_ts(block, key, row.ts) + row.seq + (uint64_t)row.expire_at;
            for (size_t i = 0; i < row.value.size; i++)
                sum += ((const uint8_t *)row.value.data)[i];
        }
    }
    return sum;
}

/* Decodes the block and compares it with the rows from `from` on. */
static void check(struct block_fixture *fixture, size_t from, size_t to) {
    struct fl_block *block = NULL;
    if (decode(fixture, &block) != FLOWDB_OK)
        fail_msg("%s", flowdb_last_error());
    assert_int_equal(block->rows, to - from);
    for (uint32_t key = 0, row = 0; key < block->keys; key++) {
        for (; row < fl_block_run(block, key + 1); row++) {
            struct fl_row found = {.key = fl_block_key(block, key)};
            struct fl_decimal_text text;
            fl_block_row(block, key, row, &found, &text);
            assert_row(&found, &fixture->rows.rows[from + row]);
        }
    }
    fl_block_unref(block);
}

/* ---------------------------------------------------------------------------------------- size -- */

static void add_series(struct rows *rows, size_t series, size_t points, bool lifetime) {
    char key[32];
    for (size_t at = 0; at < series; at++) {
        snprintf(key, sizeof key, "host%02zu.load", at);
        for (size_t point = 0; point < points; point++) {
            rows_put(rows, key, 1700000000000000 + (int64_t)point * TEN_SECONDS,
                     point * series + at + 1, "1.5");
            if (lifetime)
                rows->rows[rows->count - 1].expire_at = rows->rows[rows->count - 1].ts + 3600;
        }
    }
}

static void regular_series_in_arrival_order_cost_nothing_a_row(void **state) {
    struct block_fixture *fixture = *state;
    add_series(&fixture->rows, 8, 500, true);
    assert_int_equal(fill(fixture, 0), 4000);
    /* Frame, directory, keys, runs, first values and steps: no part of it grows with the rows. */
    assert_in_range(fixture->frame.size, 1, 150);
    check(fixture, 0, 4000);
    struct fl_block *block;
    assert_int_equal(decode(fixture, &block), FLOWDB_OK);
    assert_true(block->ts.array == NULL && block->seq.array == NULL && block->expire.array == NULL);
    assert_in_range(block->memory, sizeof *block, sizeof *block + 400);
    fl_block_unref(block);
}

static void jitter_costs_its_bits_alone(void **state) {
    struct block_fixture *fixture = *state;
    struct seeded dice = {7};
    add_series(&fixture->rows, 4, 1000, false);
    for (size_t i = 0; i < 4000; i++)
        fixture->rows.rows[i].ts += (int64_t)pick(&dice, 256);
    assert_int_equal(fill(fixture, 0), 4000);
    assert_in_range(fixture->frame.size, 4000, 4000 * 10 / 8 + 200);
    check(fixture, 0, 4000);
}

static void counting_keys_are_stored_as_planes(void **state) {
    struct block_fixture *fixture = *state;
    char key[32];
    for (size_t i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "key_%08zu", i);
        rows_put(&fixture->rows, key, 5, i, "same");
    }
    fixture->packer.codec = FL_CODEC_LZ4;
    assert_int_equal(fill(fixture, 0), 1000);
    assert_in_range(fixture->frame.size, 1, 250);
    check(fixture, 0, 1000);
}

/* --------------------------------------------------------------------------------------- where -- */

static void a_block_ends_after_4096_rows(void **state) {
    struct block_fixture *fixture = *state;
    add_series(&fixture->rows, 1, 5000, false);
    assert_int_equal(fill(fixture, 0), FL_BLOCK_ROWS);
    check(fixture, 0, FL_BLOCK_ROWS);
    assert_int_equal(fill(fixture, FL_BLOCK_ROWS), 5000);
    check(fixture, FL_BLOCK_ROWS, 5000);
}

static void a_block_ends_at_its_encoded_size(void **state) {
    struct block_fixture *fixture = *state;
    struct seeded dice = {8};
    struct recipe recipe = {.keys = 2000,
                            .rows_per_key = 1,
                            .regular = true,
                            .value_size_max = 100,
                            .fixed_values = true};
    rows_random(&fixture->rows, &dice, &recipe);
    size_t end = fill(fixture, 0);
    assert_in_range(end, 70, 82);
    assert_in_range(fixture->frame.size, 7500, 8400);
    check(fixture, 0, end);
}

static void the_first_other_value_ends_a_block_of_equal_ones(void **state) {
    struct block_fixture *fixture = *state;
    char value[101];
    memset(value, 'v', 100);
    value[100] = 0;
    for (size_t i = 0; i < 3000; i++) {
        if (i == 2000)
            value[0] = 'w';
        rows_put(&fixture->rows, "key", (int64_t)i, i, value);
    }
    assert_int_equal(fill(fixture, 0), 2000);
    check(fixture, 0, 2000);
    assert_int_equal(fill(fixture, 2000), 3000);
    assert_in_range(fixture->frame.size, 1, 250);
}

static void a_few_equal_values_are_written_out_when_another_comes(void **state) {
    struct block_fixture *fixture = *state;
    for (size_t i = 0; i < 50; i++)
        rows_put(&fixture->rows, "key", (int64_t)i, i, i == 49 ? "ab" : "abcd");
    assert_int_equal(fill(fixture, 0), 50);
    check(fixture, 0, 50);
}

static void long_keys_do_not_swell_when_decoded(void **state) {
    struct block_fixture *fixture = *state;
    char *key = malloc(60001);
    memset(key, 'k', 60000);
    for (size_t i = 0; i < 100; i++) {
        snprintf(key + 59990, 11, "%010zu", i);
        rows_put(&fixture->rows, key, 1, i, "");
    }
    free(key);
    size_t end = fill(fixture, 0);
    assert_in_range(end, 10, 20); /* 2 MB as whole keys, not 6 */
    check(fixture, 0, end);
}

static void the_largest_row_has_a_block_to_itself(void **state) {
    struct block_fixture *fixture = *state;
    uint8_t *key = malloc(FL_KEY_MAX), *value = malloc(FL_VALUE_MAX);
    struct seeded dice = {9};
    memset(key, 0xFF, FL_KEY_MAX);
    for (size_t i = 0; i < FL_VALUE_MAX; i++)
        value[i] = (uint8_t)seeded_next(&dice);
    rows_put(&fixture->rows, "small", 1, 1, "one");
    rows_add(&fixture->rows, (struct fl_row){.key = flowdb_bytes(key, FL_KEY_MAX),
                                             .expire_at = FLOWDB_NEVER,
                                             .value = flowdb_bytes(value, FL_VALUE_MAX),
                                             .op = FL_OP_PUT});
    free(key);
    free(value);
    fixture->packer.codec = FL_CODEC_LZ4;
    assert_int_equal(fill(fixture, 0), 1);
    assert_int_equal(fill(fixture, 1), 2);
    check(fixture, 1, 2);
}

/* ---------------------------------------------------------------------------- newer, damaged -- */

/* Puts `size` bytes into the frame's fields, behind those that are there. */
static void extend_fields(struct block_fixture *fixture, const uint8_t *bytes, size_t size) {
    struct fl_buffer *frame = &fixture->frame;
    size_t end = FL_FRAME_HEADER + fl_get_u16(frame->data + 18);
    assert_int_equal(fl_buffer_reserve(frame, size), FLOWDB_OK);
    memmove(frame->data + end + size, frame->data + end, frame->size - end);
    memcpy(frame->data + end, bytes, size);
    frame->size += size;
    fl_put_u16(frame->data + 18, (uint16_t)(end - FL_FRAME_HEADER + size));
}

/* Lists one more column, of no bytes, in the directory, which is the only field. */
static void extend_directory(struct block_fixture *fixture, uint8_t id, uint8_t encoding) {
    const uint8_t column[] = {id, encoding, 0};
    extend_fields(fixture, column, sizeof column);
    uint8_t *size = fixture->frame.data + FL_FRAME_HEADER + 1; /* a varint of two bytes */
    *size = (uint8_t)(*size + sizeof column);
}

static flowdb_status decode_status(struct block_fixture *fixture) {
    struct fl_block *block = NULL;
    flowdb_status status = decode(fixture, &block);
    if (status == FLOWDB_OK)
        walk(block);
    fl_block_unref(block);
    return status;
}

/* Decimals of one scale, rising and falling by no rule, with deletes among them. */
static void add_decimals(struct rows *rows, size_t series, size_t points) {
    struct seeded dice = {14};
    char key[32], value[32];
    int number = 0;
    for (size_t at = 0; at < series * points; at++) {
        number += (int)pick(&dice, 21) - 10;
        snprintf(key, sizeof key, "host%02zu.load", at / points);
        snprintf(value, sizeof value, "%s%d.%02d", number < 0 ? "-" : "", abs(number) / 100,
                 abs(number) % 100);
        bool gone = pick(&dice, 10) == 0;
        rows_put(rows, key, (int64_t)(at % points) * TEN_SECONDS, at + 1, gone ? "" : value);
        if (gone)
            rows->rows[rows->count - 1].op = FL_OP_DELETE;
    }
}

static void decimals_are_stored_as_numbers(void **state) {
    struct block_fixture *fixture = *state;
    add_decimals(&fixture->rows, 8, 500);
    assert_int_equal(fill(fixture, 0), 4000);
    /* 5 bits each, and a bit for deletes. */
    assert_in_range(fixture->frame.size, 1, 4000 * 6 / 8 + 500);
    check(fixture, 0, 4000);
    struct fl_block *block;
    assert_int_equal(decode(fixture, &block), FLOWDB_OK);
    assert_true(block->numbers != NULL && block->form.scale == 2 && !block->form.trimmed);
    for (uint32_t row = 0; row < 4000; row++) {
        const struct fl_row *expected = &fixture->rows.rows[row];
        int64_t mantissa;
        bool known = fl_block_number(block, row / 500, row, &mantissa);
        assert_int_equal(known, expected->op == FL_OP_PUT);
        if (known)
            assert_int_equal(mantissa, llround(strtod(expected->value.data, NULL) * 100));
    }
    fl_block_unref(block);
}

/* Decodes, and counts the rows that the block knows as numbers; -1 where it has none. */
static int count_numbers(struct block_fixture *fixture, struct fl_decimal_form *form) {
    struct fl_block *block;
    assert_int_equal(decode(fixture, &block), FLOWDB_OK);
    int count = block->numbers == NULL ? -1 : 0;
    for (uint32_t key = 0; key < block->keys; key++) {
        for (uint32_t row = fl_block_run(block, key); row < fl_block_run(block, key + 1); row++) {
            int64_t mantissa;
            count += fl_block_number(block, key, row, &mantissa);
        }
    }
    *form = block->form;
    fl_block_unref(block);
    return count;
}

static void odd_values_stay_beside_the_numbers(void **state) {
    static const char *const odd[] = {"1.5", "007.00", "NaN", "", "-0.00", "12345678901234567.89"};
    static const size_t places[] = {0, 1, 99, 100, 150, 199};
    struct block_fixture *fixture = *state;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        rows_free(&fixture->rows);
        fixture->rows = (struct rows){.count = 0};
        add_decimals(&fixture->rows, 2, 100);
        int puts = 0;
        for (size_t at = 0; at < sizeof places / sizeof *places; at++) {
            struct fl_row *changed = &fixture->rows.rows[places[at]];
            /* The first number decides on the form. */
            const char *value = at < 2 && i == 0 ? "NaN" : odd[i];
            changed->value = rows_keep(&fixture->rows, value, strlen(value));
            changed->op = FL_OP_PUT;
        }
        for (size_t row = 0; row < 200; row++)
            puts += fixture->rows.rows[row].op == FL_OP_PUT;
        struct fl_decimal_form form;
        assert_int_equal(fill(fixture, 0), 200);
        check(fixture, 0, 200);
        assert_int_equal(count_numbers(fixture, &form), puts - 6);
        assert_int_equal(form.scale, 2);
        assert_false(form.trimmed);
    }
}

/* Numbers as most programs print them: with as many digits as it takes. */
static void numbers_without_zeros_at_the_end_are_of_one_form(void **state) {
    struct block_fixture *fixture = *state;
    struct seeded dice = {15};
    char value[32];
    for (size_t at = 0; at < 2000; at++) {
        int number = (int)pick(&dice, 2001) - 1000;
        /* The first are whole, then come tenths: all get another digit more than once. */
        number = at < 100 ? number / 100 * 100 : at < 200 ? number / 10 * 10 : number;
        snprintf(value, sizeof value, "%g", number / 100.0);
        rows_put(&fixture->rows, at < 1000 ? "a" : "b", (int64_t)at, at + 1, value);
    }
    struct fl_decimal_form form;
    assert_int_equal(fill(fixture, 0), 2000);
    check(fixture, 0, 2000);
    assert_int_equal(count_numbers(fixture, &form), 2000);
    assert_int_equal(form.scale, 2);
    assert_true(form.trimmed);
    assert_in_range(fixture->frame.size, 1, 2000 * 12 / 8 + 200);
}

/* Scales that no mantissa has room for: what comes too late is odd. */
static void numbers_that_would_grow_beyond_18_digits_are_odd(void **state) {
    struct block_fixture *fixture = *state;
    char value[32];
    for (int at = 0; at < 300; at++) {
        snprintf(value, sizeof value, at % 100 == 50 ? "0.12345678901234567" : "%d", at * 7);
        rows_put(&fixture->rows, "a", at, (uint64_t)at + 1, value);
    }
    struct fl_decimal_form form;
    assert_int_equal(fill(fixture, 0), 300);
    check(fixture, 0, 300);
    assert_int_equal(count_numbers(fixture, &form), 297);
    assert_int_equal(form.scale, 0);
}

/* And what would with the digits that those before it have. */
static void a_number_without_room_for_the_scale_is_odd(void **state) {
    struct block_fixture *fixture = *state;
    char value[32];
    for (int at = 0; at < 300; at++) {
        snprintf(value, sizeof value, "%d.%d5", at, at % 10);
        rows_put(&fixture->rows, "a", at, (uint64_t)at + 1,
                 at % 100 == 50 ? "999999999999999999" : value);
    }
    struct fl_decimal_form form;
    assert_int_equal(fill(fixture, 0), 300);
    check(fixture, 0, 300);
    assert_int_equal(count_numbers(fixture, &form), 297);
    assert_int_equal(form.scale, 2);
}

static void mostly_text_stays_text(void **state) {
    struct block_fixture *fixture = *state;
    char value[32];
    for (int at = 0; at < 300; at++) {
        snprintf(value, sizeof value, at % 10 == 0 ? "%d" : "state %d", at);
        rows_put(&fixture->rows, "a", at, (uint64_t)at + 1, value);
    }
    struct fl_decimal_form form;
    assert_int_equal(fill(fixture, 0), 300);
    check(fixture, 0, 300);
    assert_int_equal(count_numbers(fixture, &form), -1);
}

/* Behind the values of odd rows stand scale and form; the numbers of odd rows end in the payload's
   middle, so a changed one is found by its bytes. */
static void decimals_that_do_not_fit_are_refused(void **state) {
    struct block_fixture *fixture = *state;
    add_decimals(&fixture->rows, 2, 100);
    for (size_t at = 7; at <= 8; at++) {
        fixture->rows.rows[at].value = rows_keep(&fixture->rows, "NaN", 3);
        fixture->rows.rows[at].op = FL_OP_PUT;
    }
    fill(fixture, 0);
    struct fl_frame frame;
    assert_int_equal(fl_frame_parse(fixture->frame.data, fixture->frame.size, FL_FRAME_DATA, 0, 0,
                                    false, &frame),
                     FLOWDB_OK);
    uint8_t *raw = fixture->frame.data + fixture->frame.size - frame.raw_size;
    struct fl_columns columns;
    assert_int_equal(fl_columns_parse(&frame, FL_BLOCK_ROWS_MAX, &columns), FLOWDB_OK);
    uint8_t *odd = raw + columns.slots[FL_COLUMN_ODD_ROWS].offset, *form = raw + 6;
    assert_memory_equal(raw, "NaNNaN\2\0", 8);
    assert_memory_equal(odd, "\7\0\10\0", 4);
    const struct {
        uint8_t *at, value;
        flowdb_status status;
    } changes[] = {{form, FL_DECIMAL_SCALE_MAX, FLOWDB_OK},
                   {form, FL_DECIMAL_SCALE_MAX + 1, FLOWDB_CORRUPTION},
                   {form + 1, 1, FLOWDB_OK},
                   {form + 1, 2, FLOWDB_CORRUPTION},
                   {odd, 6, FLOWDB_OK},
                   {odd, 8, FLOWDB_CORRUPTION}, /* twice the same */
                   {odd, 9, FLOWDB_CORRUPTION}, /* descending */
                   {odd + 2, 199, FLOWDB_OK},
                   {odd + 2, 200, FLOWDB_CORRUPTION}}; /* there is no such row */
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        uint8_t before = *changes[i].at;
        *changes[i].at = changes[i].value;
        assert_int_equal(decode_status(fixture), changes[i].status);
        *changes[i].at = before;
    }
}

static void what_a_newer_format_adds_is_skipped_or_refused(void **state) {
    struct block_fixture *fixture = *state;
    static const uint8_t optional[] = {5, 2, 'x', 'y'}, required[] = {FL_REQUIRED | 5, 0};
    add_series(&fixture->rows, 2, 10, false);
    fill(fixture, 0);
    assert_int_equal(decode_status(fixture), FLOWDB_OK);
    extend_fields(fixture, optional, sizeof optional);
    check(fixture, 0, 20);
    extend_fields(fixture, required, sizeof required);
    assert_int_equal(decode_status(fixture), FLOWDB_UNSUPPORTED);

    fill(fixture, 0);
    extend_directory(fixture, FL_COLUMN_OPTIONAL + 3, 77);
    check(fixture, 0, 20);
    extend_directory(fixture, FL_COLUMN_COUNT, 0);
    assert_int_equal(decode_status(fixture), FLOWDB_UNSUPPORTED);

    fill(fixture, 0);
    extend_directory(fixture, FL_COLUMN_DELETES, 1);
    assert_int_equal(decode_status(fixture), FLOWDB_UNSUPPORTED);

    fill(fixture, 0);
    fixture->frame.data[17] = 3; /* the codec */
    assert_int_equal(decode_status(fixture), FLOWDB_UNSUPPORTED);
}

static void sizes_out_of_bounds_are_refused_before_memory_is_taken(void **state) {
    struct block_fixture *fixture = *state;
    add_series(&fixture->rows, 2, 10, false);
    fill(fixture, 0);
    fixture->frame.data[17] = FL_CODEC_ZSTD;
    fl_put_u32(fixture->frame.data + 12, UINT32_MAX);
    uint64_t calls = fixture->alloc.calls;
    assert_int_equal(decode_status(fixture), FLOWDB_CORRUPTION);
    fl_put_u32(fixture->frame.data + 12, (uint32_t)FL_FRAME_DATA_MAX);
    fixture->frame.data[17] = FL_CODEC_LZ4;
    assert_int_equal(decode_status(fixture), FLOWDB_CORRUPTION);
    assert_true(fixture->alloc.calls == calls);
}

/* What a block made by hand has: two keys of one byte, and as many rows as the runs say. */
struct craft {
    uint32_t rows;
    uint64_t runs[2];
    uint64_t key_sizes[2];
    uint64_t value_sizes[3];
    bool ts_by_run, no_seq;
};

static flowdb_status crafted_status(struct block_fixture *fixture, const struct craft *craft) {
    static const uint64_t numbers[3] = {5, 9, 70}, firsts[2] = {5, 4};
    struct fl_payload payload;
    size_t size;
    fl_payload_init(&payload, &fixture->alloc.alloc);
    fl_payload_begin(&payload, craft->rows, 2);
    fl_buffer_append(&payload.raw, "ab", 2);
    fl_payload_column(&payload, FL_COLUMN_KEYS, FL_KEYS_WHOLE);
    fl_payload_ints(&payload, FL_COLUMN_KEY_SIZES, craft->key_sizes, 2);
    fl_payload_ints(&payload, FL_COLUMN_RUNS, craft->runs, 2);
    fl_payload_ints(&payload, FL_COLUMN_TS, numbers, craft->ts_by_run ? 1 : craft->rows);
    if (craft->ts_by_run)
        fl_payload_ints(&payload, FL_COLUMN_TS_FIRST, firsts, 2);
    if (!craft->no_seq)
        fl_payload_ints(&payload, FL_COLUMN_SEQ, numbers, craft->rows);
    fl_buffer_append(&payload.raw, "values", 6);
    fl_payload_column(&payload, FL_COLUMN_VALUES, FL_VALUES_VARIABLE);
    fl_payload_ints(&payload, FL_COLUMN_VALUE_SIZES, craft->value_sizes, craft->rows);
    fixture->frame.size = 0;
    fl_payload_finish(&payload, NULL, FL_FRAME_DATA, &fixture->frame, &size);
    fl_payload_deinit(&payload);
    return decode_status(fixture);
}

static void columns_that_do_not_fit_together_are_refused(void **state) {
    struct block_fixture *fixture = *state;
    const struct craft sound = {3, {1, 2}, {2, 0}, {1, 2, 3}, false, false};
    assert_int_equal(crafted_status(fixture, &sound), FLOWDB_OK);
    struct craft craft = sound;
    craft.runs[0] = 0; /* a key without rows */
    craft.runs[1] = 3;
    assert_int_equal(crafted_status(fixture, &craft), FLOWDB_CORRUPTION);
    craft.runs[0] = craft.runs[1] = 2; /* more rows than there are */
    assert_int_equal(crafted_status(fixture, &craft), FLOWDB_CORRUPTION);
    craft = sound;
    craft.key_sizes[0] = UINT64_MAX; /* together the right size, modulo 2^64 */
    craft.key_sizes[1] = 3;
    assert_int_equal(crafted_status(fixture, &craft), FLOWDB_CORRUPTION);
    craft = sound;
    craft.value_sizes[2] = 2;
    assert_int_equal(crafted_status(fixture, &craft), FLOWDB_CORRUPTION);
    craft = sound;
    craft.no_seq = true;
    assert_int_equal(crafted_status(fixture, &craft), FLOWDB_CORRUPTION);
    craft = sound;
    craft.ts_by_run = true;
    assert_int_equal(crafted_status(fixture, &craft), FLOWDB_OK);
    craft.rows = 1; /* fewer than keys */
    assert_int_equal(crafted_status(fixture, &craft), FLOWDB_CORRUPTION);
    assert_int_equal(crafted_status(fixture, &sound), FLOWDB_OK);
    extend_directory(fixture, FL_COLUMN_SEQ, FL_INTS_CONSTANT); /* twice */
    assert_int_equal(decode_status(fixture), FLOWDB_CORRUPTION);
}

/* Some rows of every kind that a block can hold. */
static void add_mixture(struct rows *rows, struct seeded *dice) {
    struct recipe recipe = {.keys = 1 + (size_t)pick(dice, 12),
                            .rows_per_key = 1 + (size_t)pick(dice, 30),
                            .regular = pick(dice, 2) == 0,
                            .value_size_max = (size_t)pick(dice, 9),
                            .fixed_values = pick(dice, 2) == 0,
                            .same_value = pick(dice, 3) == 0,
                            .delete_percent = pick(dice, 3) == 0 ? 20 : 0,
                            .expires = pick(dice, 2) == 0,
                            .long_keys = pick(dice, 2) == 0};
    rows_random(rows, dice, &recipe);
}

static void mutate(struct block_fixture *fixture, struct seeded *dice) {
    struct fl_buffer *frame = &fixture->frame;
    size_t payload = FL_FRAME_HEADER + fl_get_u16(frame->data + 18);
    for (uint64_t left = 1 + pick(dice, 3); left > 0; left--) {
        size_t from = pick(dice, 2) == 0 ? 8 : payload - 20;
        size_t at = from + (size_t)pick(dice, frame->size - from);
        uint64_t flipped = frame->data[at] ^ (UINT64_C(1) << pick(dice, 8));
        frame->data[at] = (uint8_t)(pick(dice, 2) == 0 ? seeded_next(dice) : flipped);
    }
}

static void garbage_is_refused_or_read_within_bounds(void **state) {
    struct block_fixture *fixture = *state;
    struct seeded dice = {10};
    size_t refused = 0, read = 0;
    for (int round = 0; round < 6000; round++) {
        rows_free(&fixture->rows);
        add_mixture(&fixture->rows, &dice);
        fixture->packer.codec = (enum fl_codec)(round % 3);
        fill(fixture, 0);
        mutate(fixture, &dice);
        /* A copy of just the size, so that a read past the end is seen by a sanitizer. */
        uint8_t *exact = malloc(fixture->frame.size), *grown = fixture->frame.data;
        memcpy(exact, grown, fixture->frame.size);
        fixture->frame.data = exact;
        flowdb_status status = decode_status(fixture);
        fixture->frame.data = grown;
        free(exact);
        assert_true(status == FLOWDB_OK || status == FLOWDB_CORRUPTION ||
                    status == FLOWDB_UNSUPPORTED);
        refused += status != FLOWDB_OK;
        read += status == FLOWDB_OK;
    }
    assert_true(refused > 1000 && read > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(regular_series_in_arrival_order_cost_nothing_a_row, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(decimals_are_stored_as_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(odd_values_stay_beside_the_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_without_zeros_at_the_end_are_of_one_form, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(numbers_that_would_grow_beyond_18_digits_are_odd, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_number_without_room_for_the_scale_is_odd, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(mostly_text_stays_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(decimals_that_do_not_fit_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(jitter_costs_its_bits_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counting_keys_are_stored_as_planes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_block_ends_after_4096_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_block_ends_at_its_encoded_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_first_other_value_ends_a_block_of_equal_ones, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_few_equal_values_are_written_out_when_another_comes,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_keys_do_not_swell_when_decoded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_largest_row_has_a_block_to_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_newer_format_adds_is_skipped_or_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(sizes_out_of_bounds_are_refused_before_memory_is_taken,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(columns_that_do_not_fit_together_are_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(garbage_is_refused_or_read_within_bounds, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
