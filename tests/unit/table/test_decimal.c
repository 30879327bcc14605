/* Decimal text and numbers: what is taken comes back byte for byte. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "fixture.h"
#include "table/decimal.h"

#define CASES 1000000

static bool comes_back(const void *bytes, size_t size) {
    struct fl_decimal decimal;
    struct fl_decimal_text text;
    flowdb_slice given = flowdb_bytes(bytes, size);
    if (!fl_decimal_parse(given, &decimal))
        return false;
    assert_true(decimal.scale < FL_DECIMAL_SCALE_MAX);
    struct fl_decimal_form form = {.scale = decimal.scale};
    flowdb_slice back = fl_decimal_format(decimal.mantissa, form, &text);
    if (!fl_slice_equal(back, given))
        fail_msg("%.*s became %.*s", (int)size, (const char *)bytes, (int)back.size,
                 (const char *)back.data);
    form.trimmed = true;
    back = fl_decimal_format(decimal.mantissa, form, &text);
    assert_int_equal(fl_slice_equal(back, given), decimal.trimmed);
    return true;
}

static void only_text_that_comes_back_is_decimal(void **state) {
    (void)state;
    static const char *const taken[] = {"0",
                                        "7",
                                        "-7",
                                        "10",
                                        "0.0",
                                        "0.00",
                                        "-0.01",
                                        "1.5",
                                        "-120.50",
                                        "0.30000000000000004",
                                        "999999999999999999",
                                        "-999999999999999999",
                                        "-99999999999999999.9"};
    static const char *const refused[] = {"",
                                          "-",
                                          ".",
                                          "-.",
                                          ".5",
                                          "5.",
                                          "-0",
                                          "-0.00",
                                          "007",
                                          "00",
                                          "+1",
                                          "1e5",
                                          "NaN",
                                          " 1",
                                          "1 ",
                                          "1..2",
                                          "1.2.",
                                          "--1",
                                          "1-",
                                          "01.5",
                                          "1,5",
                                          "1/2",
                                          "1:2",
                                          "0x1",
                                          "1000000000000000000",
                                          "9223372036854775807",
                                          "-9223372036854775808",
                                          "18446744073709551616",
                                          "0.3000000000000000004",
                                          "99999999999999999999",
                                          "-00000000000000000.1"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        assert_true(comes_back(taken[i], strlen(taken[i])));
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (comes_back(refused[i], strlen(refused[i])))
            fail_msg("%s is taken", refused[i]);
    }
    assert_false(comes_back("1\0", 2));
}

static void any_mantissa_is_written(void **state) {
    (void)state;
    static const int64_t edges[] = {0, 1, -1, 9, 10, 99, 100, -100, INT64_MAX, INT64_MIN};
    const struct fl_decimal_form finest = {.scale = FL_DECIMAL_SCALE_MAX};
    struct fl_decimal_text text;
    char expected[32];
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        flowdb_slice found =
            fl_decimal_format(edges[i], (struct fl_decimal_form){.scale = 0}, &text);
        snprintf(expected, sizeof expected, "%" PRId64, edges[i]);
        assert_true(fl_slice_equal(found, flowdb_bytes(expected, strlen(expected))));
    }
    flowdb_slice found = fl_decimal_format(INT64_MIN, finest, &text);
    assert_true(fl_slice_equal(found, flowdb_bytes("-9.223372036854775808", 21)));
    found = fl_decimal_format(-1, finest, &text);
    assert_true(fl_slice_equal(found, flowdb_bytes("-0.000000000000000001", 21)));
}

/* Strings of the letters that decimals are made of, and numbers as programs print them. */
static void random_text_comes_back_or_is_refused(void **state) {
    (void)state;
    static const char letters[] = "0123456789000.-.-+e";
    struct seeded dice = {20260};
    size_t taken = 0;
    char text[64];
    print_message("seed %" PRIu64 "\n", (uint64_t)20260);
    for (size_t i = 0; i < CASES; i++) {
        size_t size = 0;
        if (i % 2 == 0) {
            for (size_t left = pick(&dice, 23); left > 0; left--)
                text[size++] = letters[pick(&dice, sizeof letters - 1)];
        } else {
            int64_t number = (int64_t)seeded_next(&dice) >> pick(&dice, 64);
            size = (size_t)snprintf(text, sizeof text, "%.*f", (int)pick(&dice, 7),
                                    (double)number / 1000);
        }
        taken += comes_back(text, size);
    }
    assert_in_range(taken, CASES / 3, CASES * 3 / 4);
}

/* Many at a time go another way than one: by vectors, as long as all are small. */
static void many_are_written_as_each_is(void **state) {
    (void)state;
    static const uint64_t edges[] = {0, 1, 10, 99999999, 100000000, UINT64_C(1) << 32, INT64_MAX};
    struct seeded dice = {20261};
    struct fl_decimal_texts texts;
    struct fl_decimal_text text;
    uint64_t numbers[FL_DECIMAL_TEXTS];
    print_message("seed %" PRIu64 "\n", (uint64_t)20261);
    for (size_t round = 0; round < 20000; round++) {
        const struct fl_decimal_form form = {.scale =
                                                 (uint8_t)pick(&dice, FL_DECIMAL_SCALE_MAX + 1),
                                             .trimmed = pick(&dice, 2) == 0};
        size_t count = pick(&dice, FL_DECIMAL_TEXTS) + 1, bits = pick(&dice, 27);
        for (size_t i = 0; i < count; i++)
            numbers[i] = (seeded_next(&dice) & ((UINT64_C(1) << bits) - 1)) *
                         (pick(&dice, 2) == 0 ? UINT64_MAX : 1);
        if (pick(&dice, 2) == 0)
            numbers[pick(&dice, count)] =
                edges[pick(&dice, sizeof edges / sizeof *edges)] * (1 - 2 * pick(&dice, 2));
        fl_decimal_format_all(numbers, count, form, &texts);
        for (size_t i = 0; i < count; i++) {
            flowdb_slice expected = fl_decimal_format((int64_t)numbers[i], form, &text);
            if (!fl_slice_equal(texts.values[i], expected))
                fail_msg("%" PRId64 " with %u digits became %.*s", (int64_t)numbers[i],
                         (unsigned)form.scale, (int)texts.values[i].size,
                         (const char *)texts.values[i].data);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_text_that_comes_back_is_decimal),
        cmocka_unit_test(any_mantissa_is_written),
        cmocka_unit_test(random_text_comes_back_or_is_refused),
        cmocka_unit_test(many_are_written_as_each_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
