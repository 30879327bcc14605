/* Histograms: exact where they say so, within 1/32 elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/histogram.h"
#include "support/failing_alloc.h"
#include "support/seeded.h"

static struct fl_histogram make(uint32_t stripes) {
    struct fl_histogram histogram;
    assert_int_equal(fl_histogram_init(&histogram, fl_alloc_system(), stripes), FLOWDB_OK);
    return histogram;
}

static void an_empty_one_has_no_percentiles(void **state) {
    (void)state;
    struct fl_histogram histogram = make(1);
    struct fl_histogram_counts counts;
    fl_histogram_read(&histogram, &counts);
    assert_int_equal(counts.count, 0);
    assert_int_equal(fl_histogram_percentile(&counts, 500), 0);
    assert_int_equal(fl_histogram_at_most(&counts, 40), 0);
    fl_histogram_deinit(&histogram);
    fl_histogram_deinit(&histogram);
}

/* Each value alone: what comes back is within 1/32, and small ones are exact. */
static void a_single_value_comes_back_within_a_thirty_second(void **state) {
    (void)state;
    struct seeded random = seeded_begin("test_histogram");
    for (int i = 0; i < 20000; i++) {
        uint64_t value = seeded_next(&random) >> (24 + seeded_below(&random, 40));
        struct fl_histogram_counts counts = {0};
        struct fl_histogram histogram = make(1);
        fl_histogram_record(&histogram, value, 1);
        fl_histogram_read(&histogram, &counts);
        uint64_t found = fl_histogram_percentile(&counts, 500);
        uint64_t off = found > value ? found - value : value - found;
        if (value == 0)
            assert_int_equal(found, 1);
        else if (value <= 32)
            assert_int_equal(found, value);
        else if (off * 32 > value)
            fail_msg("%llu comes back as %llu", (unsigned long long)value,
                     (unsigned long long)found);
        assert_int_equal(counts.sum, value);
        assert_int_equal(counts.count, 1);
        fl_histogram_deinit(&histogram);
    }
}

static void counts_up_to_a_power_of_two_are_exact(void **state) {
    (void)state;
    struct fl_histogram histogram = make(4);
    for (uint32_t bits = 0; bits < 40; bits++) {
        fl_histogram_record(&histogram, UINT64_C(1) << bits, 1);
        fl_histogram_record(&histogram, (UINT64_C(1) << bits) + 1, 1);
    }
    struct fl_histogram_counts counts;
    fl_histogram_read(&histogram, &counts);
    assert_int_equal(counts.count, 80);
    /* Of 1, 2, 2, 3, 4, 5, 8, 9, ...: two more with each power, of which the last is above it. */
    assert_int_equal(fl_histogram_at_most(&counts, 0), 1);
    for (uint32_t bits = 1; bits < 40; bits++)
        assert_int_equal(fl_histogram_at_most(&counts, bits), 2 * bits + 1);
    assert_int_equal(fl_histogram_at_most(&counts, 40), 80);
    assert_int_equal(fl_histogram_at_most(&counts, 63), 80);
    fl_histogram_deinit(&histogram);
}

static void what_is_too_large_counts_as_the_largest(void **state) {
    (void)state;
    struct fl_histogram histogram = make(1);
    fl_histogram_record(&histogram, UINT64_MAX, 1);
    struct fl_histogram_counts counts;
    fl_histogram_read(&histogram, &counts);
    assert_int_equal(fl_histogram_at_most(&counts, 39), 0);
    assert_int_equal(fl_histogram_at_most(&counts, 40), 1);
    uint64_t found = fl_histogram_percentile(&counts, 990);
    assert_true(found <= UINT64_C(1) << 40 && found > (UINT64_C(1) << 40) / 32 * 31);
    fl_histogram_deinit(&histogram);
}

static int compare(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

/* Against the sorted values themselves. */
static void percentiles_agree_with_sorting(void **state) {
    (void)state;
    struct seeded random = seeded_begin("test_histogram");
    enum { MOST = 3000 };
    uint64_t *values = malloc(MOST * sizeof *values);
    assert_non_null(values);
    for (int round = 0; round < 50; round++) {
        size_t count = 1 + seeded_below(&random, MOST);
        uint32_t shift = 30 + seeded_below(&random, 30);
        struct fl_histogram histogram = make(1);
        for (size_t i = 0; i < count; i++) {
            values[i] = 1 + (seeded_next(&random) >> (shift + seeded_below(&random, 4)));
            fl_histogram_record(&histogram, values[i], 1);
        }
        qsort(values, count, sizeof *values, compare);
        struct fl_histogram_counts counts;
        fl_histogram_read(&histogram, &counts);
        static const uint32_t wanted[] = {1, 500, 900, 990, 999, 1000};
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
            size_t rank = (count * wanted[i] + 999) / 1000;
            uint64_t right = values[rank - 1];
            uint64_t found = fl_histogram_percentile(&counts, wanted[i]);
            uint64_t off = found > right ? found - right : right - found;
            if (off * 32 > right)
                fail_msg("of %zu values, %u in a thousand are at most %llu, not %llu", count,
                         wanted[i], (unsigned long long)right, (unsigned long long)found);
        }
        fl_histogram_deinit(&histogram);
    }
    free(values);
}

static void a_weight_is_so_many_values(void **state) {
    (void)state;
    struct fl_histogram histogram = make(2);
    fl_histogram_record(&histogram, 10, 98);
    fl_histogram_record(&histogram, 20, 1);
    fl_histogram_record(&histogram, 30, 1);
    struct fl_histogram_counts counts;
    fl_histogram_read(&histogram, &counts);
    assert_int_equal(counts.count, 100);
    assert_int_equal(counts.sum, 980 + 20 + 30);
    assert_int_equal(fl_histogram_percentile(&counts, 980), 10);
    assert_int_equal(fl_histogram_percentile(&counts, 981), 20);
    assert_int_equal(fl_histogram_percentile(&counts, 990), 20);
    assert_int_equal(fl_histogram_percentile(&counts, 1000), 30);
    fl_histogram_deinit(&histogram);
}

static void no_memory_is_said(void **state) {
    (void)state;
    struct failing_alloc failing;
    failing_alloc_init(&failing);
    failing.fail_at = 1;
    struct fl_histogram histogram;
    assert_int_equal(fl_histogram_init(&histogram, &failing.alloc, 4), FLOWDB_NO_MEMORY);
    fl_histogram_deinit(&histogram);
    assert_int_equal(failing.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_has_no_percentiles),
        cmocka_unit_test(a_single_value_comes_back_within_a_thirty_second),
        cmocka_unit_test(counts_up_to_a_power_of_two_are_exact),
        cmocka_unit_test(what_is_too_large_counts_as_the_largest),
        cmocka_unit_test(percentiles_agree_with_sorting),
        cmocka_unit_test(a_weight_is_so_many_values),
        cmocka_unit_test(no_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
