/* Slices, bounds and growing buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/coding.h"
#include "base/row.h"
#include "support/failing_alloc.h"
#include "support/seeded.h"

static const flowdb_slice nothing = {0};

static void slices_compare_as_memcmp_and_then_by_length(void **state) {
    (void)state;
    assert_int_equal(fl_slice_compare(nothing, nothing), 0);
    assert_int_equal(fl_slice_compare(nothing, flowdb_str("")), 0);
    assert_true(fl_slice_compare(nothing, flowdb_bytes("\0", 1)) < 0);
    assert_true(fl_slice_compare(flowdb_str("a"), flowdb_str("ab")) < 0);
    assert_true(fl_slice_compare(flowdb_str("ab"), flowdb_str("a")) > 0);
    assert_true(fl_slice_compare(flowdb_str("b"), flowdb_str("ab")) > 0);
    assert_true(fl_slice_compare(flowdb_bytes("\x7F", 1), flowdb_bytes("\x80", 1)) < 0);
    assert_true(fl_slice_compare(flowdb_bytes("\xFF", 1), flowdb_bytes("\0", 1)) > 0);
    assert_true(fl_slice_equal(nothing, flowdb_str("")));
    assert_false(fl_slice_equal(flowdb_str("a"), flowdb_str("b")));
    assert_false(fl_slice_equal(flowdb_str("a"), flowdb_bytes("a\0", 2)));
}

/* Each size has a byte changed at each place, in memory that ends where the key does. */
static void keys_are_equal_when_every_byte_is(void **state) {
    (void)state;
    for (size_t size = 0; size <= 40; size++) {
        uint8_t *a = malloc(size + 1), *b = malloc(size + 1);
        assert_non_null(a);
        assert_non_null(b);
        for (size_t at = 0; at < size; at++)
            a[at + 1] = b[at + 1] = (uint8_t)(at * 7);
        flowdb_slice x = flowdb_bytes(a + 1, size), y = flowdb_bytes(b + 1, size);
        assert_true(fl_key_equal(x, y));
        for (size_t at = 0; at < size; at++) {
            b[at + 1] ^= 0x80;
            assert_false(fl_key_equal(x, y));
            b[at + 1] ^= 0x80;
        }
        if (size > 0)
            assert_false(fl_key_equal(x, flowdb_bytes(b + 1, size - 1)));
        free(a);
        free(b);
    }
}

static void every_slice_starts_with_the_empty_one(void **state) {
    (void)state;
    assert_true(fl_slice_starts_with(nothing, nothing));
    assert_true(fl_slice_starts_with(flowdb_str("abc"), nothing));
    assert_true(fl_slice_starts_with(flowdb_str("abc"), flowdb_str("abc")));
    assert_false(fl_slice_starts_with(flowdb_str("ab"), flowdb_str("abc")));
    assert_false(fl_slice_starts_with(flowdb_str("abc"), flowdb_str("ac")));
}

static void the_common_prefix_is_found_whatever_the_lengths(void **state) {
    (void)state;
    for (size_t size = 0; size <= 40; size++) {
        for (size_t differ = 0; differ <= size; differ++) {
            uint8_t *a = malloc(size + 1), *b = malloc(size + 1);
            memset(a, 'x', size + 1);
            memset(b, 'x', size + 1);
            if (differ < size)
                b[differ] ^= 0x80;
            assert_int_equal(fl_slice_common_prefix(flowdb_bytes(a, size), flowdb_bytes(b, size)),
                             differ);
            /* One is longer, and would go on alike. */
            assert_int_equal(
                fl_slice_common_prefix(flowdb_bytes(a, size + 1), flowdb_bytes(b, differ)), differ);
            free(a);
            free(b);
        }
    }
    assert_int_equal(fl_slice_common_prefix(nothing, flowdb_str("a")), 0);
}

static void check_successor(const char *prefix, size_t size, const char *expected,
                            size_t expected_size) {
    uint8_t *out = malloc(size > 0 ? size : 1); /* exactly the room that it is given */
    assert_int_equal(fl_prefix_successor(flowdb_bytes(prefix, size), out), expected_size);
    if (expected_size > 0)
        assert_memory_equal(out, expected, expected_size);
    free(out);
}

static void a_prefix_ends_where_its_last_byte_that_is_not_ff_is_one_more(void **state) {
    (void)state;
    check_successor("a", 1, "b", 1);
    check_successor("ab", 2, "ac", 2);
    check_successor("a\xFF", 2, "b", 1);
    check_successor("a\xFF\xFF", 3, "b", 1);
    check_successor("a\xFF"
                    "b",
                    3,
                    "a\xFF"
                    "c",
                    3);
    check_successor("\xFE", 1, "\xFF", 1);
    check_successor("\xFE\xFF", 2, "\xFF", 1);
    check_successor("\0", 1, "\1", 1);
    check_successor("", 0, "", 0);
    check_successor("\xFF", 1, "", 0);
    check_successor("\xFF\xFF\xFF", 3, "", 0);
}

static void a_prefix_successor_separates_what_starts_with_it_from_what_comes_after(void **state) {
    (void)state;
    struct seeded seeded = seeded_begin("prefix successor");
    static const uint8_t alphabet[] = {0x00, 0x01, 'a', 0xFE, 0xFF};
    for (int i = 0; i < 20000; i++) {
        uint8_t prefix[4], key[7], successor[4];
        size_t prefix_size = seeded_below(&seeded, 5), key_size = seeded_below(&seeded, 8);
        for (size_t at = 0; at < prefix_size; at++)
            prefix[at] = alphabet[seeded_below(&seeded, 5)];
        for (size_t at = 0; at < key_size; at++)
            key[at] = at < prefix_size && seeded_chance(&seeded, 80)
                          ? prefix[at]
                          : alphabet[seeded_below(&seeded, 5)];
        flowdb_slice low = flowdb_bytes(prefix, prefix_size), k = flowdb_bytes(key, key_size);
        size_t size = fl_prefix_successor(low, successor);
        bool inside = fl_slice_compare(k, low) >= 0 &&
                      (size == 0 || fl_slice_compare(k, flowdb_bytes(successor, size)) < 0);
        assert_int_equal(inside, fl_slice_starts_with(k, low));
    }
}

static void bounds_say_what_is_above_and_below_them(void **state) {
    (void)state;
    struct fl_bounds bounds = {.key_low = flowdb_str("b"),
                               .key_high = flowdb_str("d"),
                               .key_high_kind = FL_BOUND_INCLUSIVE};
    assert_true(fl_bounds_below(&bounds, flowdb_str("azzz")));
    assert_false(fl_bounds_below(&bounds, flowdb_str("b")));
    assert_false(fl_bounds_above(&bounds, flowdb_str("d")));
    assert_true(fl_bounds_above(&bounds, flowdb_bytes("d\0", 2)));
    bounds.key_high_kind = FL_BOUND_EXCLUSIVE;
    assert_true(fl_bounds_above(&bounds, flowdb_str("d")));
    assert_false(fl_bounds_above(&bounds, flowdb_str("czzz")));
    bounds.key_high_kind = FL_BOUND_NONE;
    bounds.key_low = nothing;
    assert_false(fl_bounds_above(&bounds, flowdb_str("\xFF\xFF")));
    assert_false(fl_bounds_below(&bounds, flowdb_bytes("\0", 1)));
}

static void a_buffer_grows_and_keeps_what_it_has(void **state) {
    (void)state;
    struct failing_alloc failing;
    failing_alloc_init(&failing);
    struct fl_buffer buffer;
    fl_buffer_init(&buffer, &failing.alloc);
    assert_int_equal(fl_buffer_append(&buffer, NULL, 0), FLOWDB_OK);
    assert_int_equal(buffer.size, 0);
    uint8_t expected[3000];
    for (size_t i = 0; i < sizeof expected; i++) {
        expected[i] = (uint8_t)(i * 7);
        assert_int_equal(fl_buffer_append(&buffer, &expected[i], 1), FLOWDB_OK);
    }
    assert_int_equal(buffer.size, sizeof expected);
    assert_memory_equal(buffer.data, expected, sizeof expected);
    assert_int_equal(fl_buffer_append_varint(&buffer, 300), FLOWDB_OK);
    assert_memory_equal(buffer.data + sizeof expected, "\xAC\x02", 2);
    fl_buffer_deinit(&buffer);
    fl_buffer_deinit(&buffer);
    assert_int_equal(failing.live, 0);
}

static void a_buffer_that_cannot_grow_stays_as_it_was(void **state) {
    (void)state;
    struct failing_alloc failing;
    failing_alloc_init(&failing);
    struct fl_buffer buffer;
    fl_buffer_init(&buffer, &failing.alloc);
    assert_int_equal(fl_buffer_append(&buffer, "abc", 3), FLOWDB_OK);
    struct fl_buffer before = buffer;
    failing.fail_at = 1;
    failing.calls = 0;
    failing.persistent = true;
    uint8_t more[100] = {0};
    assert_int_equal(fl_buffer_append(&buffer, more, sizeof more), FLOWDB_NO_MEMORY);
    assert_int_equal(fl_buffer_reserve(&buffer, SIZE_MAX), FLOWDB_NO_MEMORY);
    assert_memory_equal(&buffer, &before, sizeof buffer);
    assert_memory_equal(buffer.data, "abc", 3);
    /* What is there already needs no memory. */
    assert_int_equal(fl_buffer_append(&buffer, more, 32), FLOWDB_OK);
    fl_buffer_deinit(&buffer);
    assert_int_equal(failing.live, 0);
}

static void zeroed_allocations_are_zero_and_overflow_is_no_memory(void **state) {
    (void)state;
    const struct fl_alloc *alloc = fl_alloc_system();
    uint8_t *memory = fl_allocate_zeroed(alloc, 13, 7);
    assert_non_null(memory);
    for (size_t i = 0; i < (size_t)13 * 7; i++)
        assert_int_equal(memory[i], 0);
    fl_release(alloc, memory);
    assert_null(fl_allocate_zeroed(alloc, SIZE_MAX / 2, 3));
    memory = fl_allocate(alloc, 0);
    assert_non_null(memory);
    fl_release(alloc, memory);
    fl_release(alloc, NULL);
    char *copy = fl_duplicate(alloc, "ab\0c", 4);
    assert_memory_equal(copy, "ab\0c", 5);
    fl_release(alloc, copy);
    copy = fl_duplicate(alloc, NULL, 0);
    assert_string_equal(copy, "");
    fl_release(alloc, copy);
}

static void maps_are_zeroed_whole_and_given_back_at_any_size(void **state) {
    (void)state;
    const struct fl_alloc *alloc = fl_alloc_system();
    static const size_t sizes[] = {4096,   65536, (2 << 20) - 4096, 2 << 20, (2 << 20) + 4096,
                                   5 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int round = 0; round < 3; round++) {
            uint8_t *memory = alloc->map(alloc->context, sizes[i]);
            assert_non_null(memory);
            for (size_t at = 0; at < sizes[i]; at += 4096) {
                assert_int_equal(memory[at], 0);
                memory[at] = 1;
            }
            assert_int_equal(memory[sizes[i] - 1], 0);
            alloc->unmap(alloc->context, memory, sizes[i]);
        }
    }
    alloc->unmap(alloc->context, NULL, 4096);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_compare_as_memcmp_and_then_by_length),
        cmocka_unit_test(keys_are_equal_when_every_byte_is),
        cmocka_unit_test(every_slice_starts_with_the_empty_one),
        cmocka_unit_test(the_common_prefix_is_found_whatever_the_lengths),
        cmocka_unit_test(a_prefix_ends_where_its_last_byte_that_is_not_ff_is_one_more),
        cmocka_unit_test(a_prefix_successor_separates_what_starts_with_it_from_what_comes_after),
        cmocka_unit_test(bounds_say_what_is_above_and_below_them),
        cmocka_unit_test(a_buffer_grows_and_keeps_what_it_has),
        cmocka_unit_test(a_buffer_that_cannot_grow_stays_as_it_was),
        cmocka_unit_test(zeroed_allocations_are_zero_and_overflow_is_no_memory),
        cmocka_unit_test(maps_are_zeroed_whole_and_given_back_at_any_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
