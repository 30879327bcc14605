/* Columns of integers: what goes in comes out, in as few bytes as the shape allows. */
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "table/ints.h"

#define COUNT_MAX 1000

static size_t encode(const uint64_t *values, size_t count, uint8_t *out,
                     enum fl_ints_encoding *encoding) {
    size_t measured = fl_ints_measure(values, count, encoding);
    size_t size = fl_ints_encode(values, count, *encoding, out);
    assert_int_equal(size, measured);
    assert_true(size <= fl_ints_bound(count));
    return size;
}

/* Encodes, decodes and compares. Returns the bytes that it took. */
static size_t round_trip(const uint64_t *values, size_t count, enum fl_ints_encoding *encoding) {
    uint8_t *bytes = malloc(fl_ints_bound(count));
    uint64_t *decoded = malloc(count * sizeof *decoded);
    size_t size = encode(values, count, bytes, encoding);
    /* A copy of just the size, so that a read past the end is seen by a sanitizer. */
    uint8_t *exact = malloc(size);
    memcpy(exact, bytes, size);
    assert_true(fl_ints_decode((uint8_t)*encoding, exact, size, decoded, count));
    assert_memory_equal(values, decoded, count * sizeof *values);
    assert_false(fl_ints_decode((uint8_t)*encoding, exact, size - 1, decoded, count));
    assert_false(fl_ints_decode((uint8_t)*encoding, bytes, size + 1, decoded, count));
    free(exact);
    free(decoded);
    free(bytes);
    return size;
}

static void constants_and_ramps_take_a_few_bytes_whatever_their_length(void **state) {
    (void)state;
    enum fl_ints_encoding encoding;
    uint64_t values[COUNT_MAX];
    for (size_t i = 0; i < COUNT_MAX; i++)
        values[i] = INT64_MAX;
    assert_int_equal(round_trip(values, COUNT_MAX, &encoding), 10);
    assert_int_equal(encoding, FL_INTS_CONSTANT);
    for (size_t i = 0; i < COUNT_MAX; i++)
        values[i] = 1700000000000000 + i * 10000000;
    assert_int_equal(round_trip(values, COUNT_MAX, &encoding), 8 + 4);
    assert_int_equal(encoding, FL_INTS_AFFINE);
    for (size_t i = 0; i < COUNT_MAX; i++)
        values[i] = UINT64_MAX - 100 + i * 3; /* wraps */
    round_trip(values, COUNT_MAX, &encoding);
    assert_int_equal(encoding, FL_INTS_AFFINE);
    for (size_t i = 0; i < COUNT_MAX; i++)
        values[i] = 5 - i * 7;
    round_trip(values, COUNT_MAX, &encoding);
    assert_int_equal(encoding, FL_INTS_AFFINE);
    assert_int_equal(round_trip(values, 1, &encoding), 1);
    assert_int_equal(encoding, FL_INTS_CONSTANT);
}

static void the_encoding_follows_the_shape(void **state) {
    (void)state;
    enum fl_ints_encoding encoding;
    struct seeded dice = {1};
    uint64_t values[COUNT_MAX], time = 1700000000000000, slope = 0;
    for (size_t i = 0; i < COUNT_MAX; i++)
        values[i] = pick(&dice, 16);
    assert_in_range(round_trip(values, COUNT_MAX, &encoding), 1, COUNT_MAX / 2 + 20);
    assert_int_equal(encoding, FL_INTS_PACKED);
    for (size_t i = 0; i < COUNT_MAX; i++)
        values[i] = time += 10000000 + pick(&dice, 16);
    assert_in_range(round_trip(values, COUNT_MAX, &encoding), 1, COUNT_MAX / 2 + 70);
    assert_int_equal(encoding, FL_INTS_DELTAS);
    for (size_t i = 0; i < COUNT_MAX; i++)
        values[i] = time += slope += 1000 + pick(&dice, 4);
    assert_in_range(round_trip(values, COUNT_MAX, &encoding), 1, COUNT_MAX / 4 + 70);
    assert_int_equal(encoding, FL_INTS_DELTA_DELTAS);
}

static void one_gap_does_not_widen_the_whole_column(void **state) {
    (void)state;
    enum fl_ints_encoding encoding;
    uint64_t values[COUNT_MAX], time = 1700000000000000;
    for (size_t i = 0; i < COUNT_MAX; i++)
        values[i] = time += i == 500 ? UINT64_C(86400000000) : 10000000;
    /* The gap takes its place and seven bytes, each group its step. */
    assert_in_range(round_trip(values, COUNT_MAX, &encoding), 1, 8 + 8 + 8 * 5);
    assert_int_equal(encoding, FL_INTS_STEPS);
}

/* As the sequence numbers of rows are that were written eight at a time. */
static void jumps_between_steps_cost_what_they_are(void **state) {
    (void)state;
    enum fl_ints_encoding encoding;
    struct seeded dice = {5};
    uint64_t values[COUNT_MAX];
    for (size_t i = 0; i < COUNT_MAX; i++)
        values[i] = i % 8 == 0 ? seeded_next(&dice) >> 36 : values[i - 1] + 1;
    assert_in_range(round_trip(values, COUNT_MAX, &encoding), 1, COUNT_MAX / 8 * 6 + 8 * 2 + 5);
    assert_int_equal(encoding, FL_INTS_STEPS);
    /* Wherever the jumps lie in a group, and however far they go. */
    for (size_t count = 2; count <= 2 * FL_INTS_GROUP + 1; count++) {
        for (size_t i = 0; i < count; i++)
            values[i] = 3 * i + (i >= count / 2 ? UINT64_MAX / 2 : 0) - (i == count - 1 ? 7 : 0);
        round_trip(values, count, &encoding);
    }
    /* All of them are jumps but one: more than half is what the step needs, not all. */
    for (size_t i = 0; i < FL_INTS_GROUP; i++)
        values[i] = seeded_next(&dice);
    round_trip(values, FL_INTS_GROUP, &encoding);
    assert_int_equal(encoding, FL_INTS_PACKED);
}

static void places_of_steps_ascend_within_their_group(void **state) {
    (void)state;
    uint64_t values[4];
    static const uint8_t right[] = {0, 2, 2, 1, 8, 3, 10};
    assert_true(fl_ints_decode(FL_INTS_STEPS, right, sizeof right, values, 4));
    static const uint64_t expected[] = {1, 5, 6, 11};
    assert_memory_equal(values, expected, sizeof expected);
    static const uint8_t again[] = {0, 2, 2, 1, 8, 1, 10}, back[] = {0, 2, 2, 2, 8, 1, 10},
                         beyond[] = {0, 2, 2, 1, 8, 4, 10}, more[] = {0, 2, 3, 1, 8, 3, 10};
    assert_false(fl_ints_decode(FL_INTS_STEPS, again, sizeof again, values, 4));
    assert_false(fl_ints_decode(FL_INTS_STEPS, back, sizeof back, values, 4));
    assert_false(fl_ints_decode(FL_INTS_STEPS, beyond, sizeof beyond, values, 4));
    assert_false(fl_ints_decode(FL_INTS_STEPS, more, sizeof more, values, 4));
    assert_false(fl_ints_decode(FL_INTS_LAST + 1, right, sizeof right, values, 4));
}

static void values_of_any_width_survive(void **state) {
    (void)state;
    struct seeded dice = {2};
    enum fl_ints_encoding encoding;
    uint64_t values[COUNT_MAX];
    static const size_t counts[] = {1, 2, 3, 127, 128, 129, 255, 256, 257, 999};
    for (unsigned width = 0; width <= 64; width++) {
        uint64_t mask = width == 0 ? 0 : UINT64_MAX >> (64 - width);
        uint64_t base = seeded_next(&dice);
        for (size_t i = 0; i < COUNT_MAX; i++)
            values[i] = base + (seeded_next(&dice) & mask);
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            round_trip(values, counts[i], &encoding);
    }
    values[0] = (uint64_t)INT64_MIN;
    values[1] = INT64_MAX;
    values[2] = 0;
    values[3] = UINT64_MAX;
    for (size_t count = 1; count <= 4; count++)
        round_trip(values, count, &encoding);
}

static void a_reader_hands_out_groups(void **state) {
    (void)state;
    struct seeded dice = {3};
    enum fl_ints_encoding encoding;
    uint64_t values[300], group[FL_INTS_GROUP];
    uint8_t bytes[4096];
    for (size_t i = 0; i < 300; i++)
        values[i] = pick(&dice, 1000);
    size_t size = encode(values, 300, bytes, &encoding), got, total = 0;
    struct fl_ints_reader reader;
    assert_true(fl_ints_reader_init(&reader, (uint8_t)encoding, bytes, size, 300));
    static const size_t expected[] = {128, 128, 44, 0};
    for (size_t i = 0; i < 4; i++) {
        assert_true(fl_ints_reader_next(&reader, group, &got));
        assert_int_equal(got, expected[i]);
        assert_memory_equal(group, values + total, got * sizeof *group);
        total += got;
    }
}

static void damaged_columns_are_refused_or_read_within_bounds(void **state) {
    (void)state;
    struct seeded dice = {4};
    uint64_t values[300], decoded[300];
    uint8_t bytes[4096];
    enum fl_ints_encoding encoding;
    size_t refused = 0;
    for (int round = 0; round < 20000; round++) {
        unsigned width = (unsigned)pick(&dice, 40);
        size_t count = 1 + (size_t)pick(&dice, 300);
        for (size_t i = 0; i < count; i++)
            values[i] = seeded_next(&dice) >> (63 - width);
        size_t size = encode(values, count, bytes, &encoding);
        for (uint64_t i = pick(&dice, 4); i > 0; i--)
            bytes[pick(&dice, size)] = (uint8_t)seeded_next(&dice);
        size -= pick(&dice, 3) == 0 ? (size_t)pick(&dice, size) : 0;
        uint8_t *exact = malloc(size);
        memcpy(exact, bytes, size);
        refused += !fl_ints_decode((uint8_t)pick(&dice, 7), exact, size, decoded, count);
        free(exact);
    }
    assert_in_range(refused, 5000, 19999);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constants_and_ramps_take_a_few_bytes_whatever_their_length),
        cmocka_unit_test(the_encoding_follows_the_shape),
        cmocka_unit_test(one_gap_does_not_widen_the_whole_column),
        cmocka_unit_test(jumps_between_steps_cost_what_they_are),
        cmocka_unit_test(places_of_steps_ascend_within_their_group),
        cmocka_unit_test(values_of_any_width_survive),
        cmocka_unit_test(a_reader_hands_out_groups),
        cmocka_unit_test(damaged_columns_are_refused_or_read_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
