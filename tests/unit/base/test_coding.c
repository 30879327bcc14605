/* Numbers as bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/coding.h"
#include "support/seeded.h"

/* In memory of exactly that size, so that a read past it is caught. */
static uint8_t *exactly(const uint8_t *bytes, size_t size) {
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    if (size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

static void fixed_widths_are_little_endian_and_need_no_alignment(void **state) {
    (void)state;
    uint8_t bytes[16] = {0};
    fl_put_u16(bytes + 1, 0x0201);
    assert_memory_equal(bytes + 1, "\x01\x02", 2);
    fl_put_u32(bytes + 3, 0x04030201);
    assert_memory_equal(bytes + 3, "\x01\x02\x03\x04", 4);
    fl_put_u64(bytes + 5, UINT64_C(0x0807060504030201));
    assert_memory_equal(bytes + 5, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
    assert_true(fl_get_u64(bytes + 5) == UINT64_C(0x0807060504030201));
    assert_int_equal(fl_get_u32(bytes + 5), 0x04030201);
    assert_int_equal(fl_get_u16(bytes + 5), 0x0201);
}

static void check_varint(uint64_t value, size_t size) {
    uint8_t bytes[FL_VARINT_MAX];
    assert_int_equal(fl_put_varint(bytes, value) - bytes, size);
    uint8_t *exact = exactly(bytes, size);
    uint64_t back = ~value;
    assert_ptr_equal(fl_get_varint(exact, exact + size, &back), exact + size);
    assert_true(back == value);
    /* Cut off anywhere it is none, and the output is untouched. */
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *shorter = exactly(bytes, cut);
        uint64_t untouched = 42;
        assert_null(fl_get_varint(shorter, shorter + cut, &untouched));
        assert_int_equal(untouched, 42);
        free(shorter);
    }
    free(exact);
}

static void varints_come_back_at_every_boundary(void **state) {
    (void)state;
    check_varint(0, 1);
    for (unsigned bits = 1; bits <= 64; bits++) {
        uint64_t power = UINT64_C(1) << (bits - 1);
        check_varint(power, (bits + 6) / 7);
        uint64_t all = bits == 64 ? UINT64_MAX : (power << 1) - 1;
        check_varint(all, (bits + 6) / 7);
    }
    check_varint(UINT64_MAX - 1, 10);
}

static void varints_of_more_than_64_bits_are_refused(void **state) {
    (void)state;
    static const uint8_t too_large[] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02};
    static const uint8_t too_long[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                       0x80, 0x80, 0x80, 0x80, 0x00};
    static const uint8_t endless[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                      0x80, 0x80, 0x80, 0x81, 0x80, 0x80};
    uint64_t value = 42;
    assert_null(fl_get_varint(too_large, too_large + sizeof too_large, &value));
    assert_null(fl_get_varint(too_long, too_long + sizeof too_long, &value));
    assert_null(fl_get_varint(endless, endless + sizeof endless, &value));
    assert_null(fl_get_varint(endless, endless, &value));
    assert_int_equal(value, 42);
}

static void random_bytes_are_read_as_a_varint_or_refused(void **state) {
    (void)state;
    struct seeded seeded = seeded_begin("random varints");
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[12];
        size_t size = seeded_below(&seeded, sizeof bytes + 1);
        for (size_t at = 0; at < size; at++)
            bytes[at] = (uint8_t)(seeded_next(&seeded) | (seeded_chance(&seeded, 70) ? 0x80 : 0));
        uint8_t *exact = exactly(bytes, size);
        uint64_t value;
        const uint8_t *end = fl_get_varint(exact, exact + size, &value);
        if (end != NULL) {
            assert_true(end > exact && end <= exact + size && end - exact <= FL_VARINT_MAX);
            assert_true((end[-1] & 0x80) == 0);
        }
        free(exact);
    }
}

static void zigzag_makes_small_magnitudes_small(void **state) {
    (void)state;
    assert_true(fl_zigzag(0) == 0 && fl_zigzag(-1) == 1 && fl_zigzag(1) == 2);
    assert_true(fl_zigzag(INT64_MIN) == UINT64_MAX && fl_zigzag(INT64_MAX) == UINT64_MAX - 1);
    static const int64_t some[] = {0, 1, -1, 63, -64, 64, INT64_MAX, INT64_MIN, INT64_MIN + 1};
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++)
        assert_true(fl_unzigzag(fl_zigzag(some[i])) == some[i]);
}

static void heads_order_as_the_keys_do(void **state) {
    (void)state;
    struct seeded seeded = seeded_begin("heads");
    for (int i = 0; i < 20000; i++) {
        uint8_t a[10], b[10];
        size_t a_size = seeded_below(&seeded, 11), b_size = seeded_below(&seeded, 11);
        for (size_t at = 0; at < sizeof a; at++) {
            a[at] = (uint8_t)(seeded_below(&seeded, 3) * 0x7F);
            b[at] = seeded_chance(&seeded, 80) ? a[at] : (uint8_t)(seeded_below(&seeded, 3) * 0x7F);
        }
        uint8_t *left = exactly(a, a_size), *right = exactly(b, b_size);
        uint64_t x = fl_get_head(left, a_size), y = fl_get_head(right, b_size);
        int order = fl_slice_compare(flowdb_bytes(left, a_size), flowdb_bytes(right, b_size));
        if (x != y)
            assert_true((x < y) == (order < 0));
        free(left);
        free(right);
    }
    assert_true(fl_get_head("", 0) == 0 && fl_get_head(NULL, 0) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_widths_are_little_endian_and_need_no_alignment),
        cmocka_unit_test(varints_come_back_at_every_boundary),
        cmocka_unit_test(varints_of_more_than_64_bits_are_refused),
        cmocka_unit_test(random_bytes_are_read_as_a_varint_or_refused),
        cmocka_unit_test(zigzag_makes_small_magnitudes_small),
        cmocka_unit_test(heads_order_as_the_keys_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
