/* The filter: never a false "no", few false "yes", and bits that stay where the format has them. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "fixture.h"
#include "table/filter.h"

static uint64_t hash_of(uint64_t number) {
    return fl_hash_key(flowdb_bytes(&number, sizeof number));
}

static uint8_t *filled(uint64_t keys, uint32_t bits, size_t *size) {
    *size = fl_filter_size(keys, bits);
    uint8_t *filter = calloc(*size, 1);
    for (uint64_t i = 0; i < keys; i++)
        fl_filter_add(filter, *size, hash_of(i));
    return filter;
}

static void every_key_that_was_added_is_found(void **state) {
    (void)state;
    static const uint64_t counts[] = {1, 2, 25, 26, 1000, 54321};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        for (uint32_t bits = 1; bits <= 64; bits += 9) {
            size_t size;
            uint8_t *filter = filled(counts[i], bits, &size);
            for (uint64_t key = 0; key < counts[i]; key++)
                assert_true(fl_filter_may_contain(filter, size, hash_of(key)));
            free(filter);
        }
    }
}

static void few_absent_keys_pass(void **state) {
    (void)state;
    size_t size, passed = 0;
    uint8_t *filter = filled(100000, 10, &size);
    for (uint64_t key = 0; key < 100000; key++)
        passed += fl_filter_may_contain(filter, size, hash_of(1000000 + key));
    assert_in_range(passed, 500, 2000); /* 1.2 % */
    free(filter);
}

static void sizes_are_whole_blocks_and_bounded(void **state) {
    (void)state;
    assert_int_equal(fl_filter_size(0, 10), 0);
    assert_int_equal(fl_filter_size(10, 0), 0);
    assert_int_equal(fl_filter_size(1, 1), FL_FILTER_BLOCK);
    assert_int_equal(fl_filter_size(26, 10), 2 * FL_FILTER_BLOCK);
    assert_true(fl_filter_size(UINT64_MAX, 64) == FL_FILTER_MAX);
    assert_true(fl_filter_size(UINT64_C(1) << 40, 1) == FL_FILTER_MAX);
}

static void bits_lie_where_the_format_has_them(void **state) {
    (void)state;
    uint8_t filter[4 * FL_FILTER_BLOCK] = {0};
    /* The upper half of the hash, 0x40000001, is a quarter of 2^32: block 1 of 4. The lower half is
       1, so word i has the bit that the upper five bits of its salt say. */
    fl_filter_add(filter, sizeof filter, UINT64_C(0x4000000100000001));
    static const unsigned bits[8] = {0x47 >> 3, 0x44 >> 3, 0x88 >> 3, 0xa2 >> 3,
                                     0x70 >> 3, 0x2d >> 3, 0x9e >> 3, 0x5c >> 3};
    uint32_t expected[4 * 8] = {0};
    for (size_t word = 0; word < 8; word++)
        expected[8 + word] = UINT32_C(1) << bits[word];
    assert_memory_equal(filter, expected, sizeof filter);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_that_was_added_is_found),
        cmocka_unit_test(few_absent_keys_pass),
        cmocka_unit_test(sizes_are_whole_blocks_and_bounded),
        cmocka_unit_test(bits_lie_where_the_format_has_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
