/* One write as bytes, and bytes that are no write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/entry.h"
#include "support/seeded.h"

/* Is there an entry in memory of exactly `left` bytes? */
static bool valid_in(const uint8_t *entry, size_t left) {
    uint8_t *exact = malloc(left > 0 ? left : 1);
    assert_non_null(exact);
    memcpy(exact, entry, left);
    bool valid = fl_entry_valid(exact, left);
    free(exact);
    return valid;
}

static void an_entry_gives_back_what_was_put(void **state) {
    (void)state;
    uint8_t bytes[64];
    uint8_t *end = fl_entry_put(bytes, FL_OP_PUT, flowdb_str("key"), -5, 77, flowdb_str("value"));
    assert_int_equal(end - bytes, FL_ENTRY_HEADER + 8);
    assert_int_equal(fl_entry_size(bytes), end - bytes);
    assert_int_equal(fl_entry_op(bytes), FL_OP_PUT);
    assert_true(fl_slice_equal(fl_entry_key(bytes), flowdb_str("key")));
    assert_true(fl_slice_equal(fl_entry_value(bytes), flowdb_str("value")));
    assert_true(fl_entry_ts(bytes) == -5 && fl_entry_expire_at(bytes) == 77);
    assert_true(valid_in(bytes, (size_t)(end - bytes)));
}

static void an_entry_lies_in_memory_as_its_page_says(void **state) {
    (void)state;
    static const uint8_t expected[] = {
        1,    0,    2,    0,    3,    0,    0,    0,    /* op, 0, key size, value size */
        0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, /* ts */
        0x2A, 0,    0,    0,    0,    0,    0,    0,    /* expire_at */
        'k',  'y',  'v',  'a',  'l'};
    uint8_t bytes[sizeof expected];
    fl_entry_put(bytes, FL_OP_PUT, flowdb_str("ky"), -2, 42, flowdb_str("val"));
    assert_memory_equal(bytes, expected, sizeof expected);
}

static void an_entry_cut_short_is_none(void **state) {
    (void)state;
    uint8_t bytes[64];
    uint8_t *end = fl_entry_put(bytes, FL_OP_PUT, flowdb_str("key"), 1, 2, flowdb_str("value"));
    for (size_t left = 0; left < (size_t)(end - bytes); left++)
        assert_false(valid_in(bytes, left));
    assert_true(fl_entry_valid(bytes, sizeof bytes));
}

static void puts_have_a_key_and_a_bounded_value(void **state) {
    (void)state;
    size_t room = fl_entry_size_of(FL_KEY_MAX, FL_VALUE_MAX + 1);
    uint8_t *bytes = calloc(1, room);
    assert_non_null(bytes);
    flowdb_slice longest = flowdb_bytes(bytes + FL_ENTRY_HEADER, FL_KEY_MAX);
    bytes[0] = FL_OP_PUT;
    fl_put_u16(bytes + 2, (uint16_t)longest.size);
    fl_put_u32(bytes + 4, (uint32_t)FL_VALUE_MAX);
    assert_true(fl_entry_valid(bytes, room));
    fl_put_u32(bytes + 4, (uint32_t)FL_VALUE_MAX + 1);
    assert_false(fl_entry_valid(bytes, room));
    fl_put_u32(bytes + 4, UINT32_MAX);
    assert_false(fl_entry_valid(bytes, room));
    fl_put_u32(bytes + 4, 0);
    fl_put_u16(bytes + 2, 0);
    assert_false(fl_entry_valid(bytes, room));
    fl_put_u16(bytes + 2, 1);
    assert_true(fl_entry_valid(bytes, room));
    free(bytes);
}

static void deletes_have_a_key_and_no_value(void **state) {
    (void)state;
    uint8_t bytes[64];
    fl_entry_put(bytes, FL_OP_DELETE, flowdb_str("k"), 1, FLOWDB_NEVER, (flowdb_slice){0});
    assert_true(fl_entry_valid(bytes, sizeof bytes));
    fl_entry_put(bytes, FL_OP_DELETE, flowdb_str("k"), 1, FLOWDB_NEVER, flowdb_str("v"));
    assert_false(fl_entry_valid(bytes, sizeof bytes));
    fl_entry_put(bytes, FL_OP_DELETE, flowdb_str(""), 1, FLOWDB_NEVER, (flowdb_slice){0});
    assert_false(fl_entry_valid(bytes, sizeof bytes));
}

static bool range_valid(const char *start, const char *end) {
    uint8_t bytes[64];
    fl_entry_put(bytes, FL_OP_DELETE_RANGE, flowdb_str(start), 0, 0, flowdb_str(end));
    return fl_entry_valid(bytes, sizeof bytes);
}

static void range_deletes_have_a_start_below_their_end_or_no_bound(void **state) {
    (void)state;
    assert_true(range_valid("a", "b"));
    assert_true(range_valid("a", "ab"));
    assert_true(range_valid("", "b"));
    assert_true(range_valid("a", ""));
    assert_true(range_valid("", ""));
    assert_false(range_valid("b", "a"));
    assert_false(range_valid("ab", "a"));
    assert_false(range_valid("a", "a"));
    size_t room = fl_entry_size_of(0, FL_KEY_MAX + 1);
    uint8_t *bytes = calloc(1, room);
    assert_non_null(bytes);
    bytes[0] = FL_OP_DELETE_RANGE;
    fl_put_u32(bytes + 4, (uint32_t)FL_KEY_MAX);
    assert_true(fl_entry_valid(bytes, room));
    fl_put_u32(bytes + 4, (uint32_t)FL_KEY_MAX + 1);
    assert_false(fl_entry_valid(bytes, room));
    free(bytes);
}

static void zeros_and_unknown_operations_are_no_entry(void **state) {
    (void)state;
    uint8_t bytes[64] = {0};
    assert_false(fl_entry_valid(bytes, sizeof bytes));
    fl_entry_put(bytes, FL_OP_PUT, flowdb_str("k"), 1, 2, flowdb_str("v"));
    for (unsigned op = 0; op < 256; op++) {
        bytes[0] = (uint8_t)op;
        if (op != FL_OP_PUT && op != FL_OP_DELETE_RANGE)
            assert_false(fl_entry_valid(bytes, sizeof bytes));
    }
    bytes[0] = FL_OP_PUT;
    bytes[1] = 1;
    assert_false(fl_entry_valid(bytes, sizeof bytes));
}

static void random_bytes_are_judged_without_reading_past_them(void **state) {
    (void)state;
    struct seeded seeded = seeded_begin("random entries");
    for (int i = 0; i < 50000; i++) {
        uint8_t bytes[80];
        size_t left = seeded_below(&seeded, sizeof bytes + 1);
        for (size_t at = 0; at < sizeof bytes; at++)
            bytes[at] = (uint8_t)seeded_next(&seeded);
        bytes[0] &= 3;
        bytes[1] = 0;
        bytes[3] = 0;
        bytes[5] = bytes[6] = bytes[7] = 0;
        bytes[2] &= 0x1F;
        bytes[4] &= 0x1F;
        valid_in(bytes, left);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_gives_back_what_was_put),
        cmocka_unit_test(an_entry_lies_in_memory_as_its_page_says),
        cmocka_unit_test(an_entry_cut_short_is_none),
        cmocka_unit_test(puts_have_a_key_and_a_bounded_value),
        cmocka_unit_test(deletes_have_a_key_and_no_value),
        cmocka_unit_test(range_deletes_have_a_start_below_their_end_or_no_bound),
        cmocka_unit_test(zeros_and_unknown_operations_are_no_entry),
        cmocka_unit_test(random_bytes_are_judged_without_reading_past_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
