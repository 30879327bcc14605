/* General compression: how much effort a payload is worth. */
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "table/frame.h"

enum { PAYLOAD = 8192, PAYLOADS = 40 };

/* What the payloads come to together: by one packer, or each by a new one, which knows nothing yet
   and makes the effort it is told to. */
static size_t pack_all(struct fixture *fixture, int level, bool new_ones,
                       void (*fill)(struct seeded *, char *)) {
    struct fl_table_options options = fixture_options(8192, FL_CODEC_ZSTD);
    options.zstd_level = level;
    struct fl_packer packer;
    struct seeded dice = {23};
    static char raw[PAYLOAD];
    static uint8_t packed[PAYLOAD];
    size_t total = 0;
    fl_packer_init(&packer, &fixture->alloc.alloc, &options);
    for (int i = 0; i < PAYLOADS; i++) {
        size_t size;
        fill(&dice, raw);
        assert_int_equal(
            fl_packer_pack(&packer, flowdb_bytes(raw, PAYLOAD), packed, PAYLOAD, &size), FLOWDB_OK);
        assert_true(size > 0);
        total += size;
        if (!new_ones)
            continue;
        fl_packer_deinit(&packer);
        fl_packer_init(&packer, &fixture->alloc.alloc, &options);
    }
    fl_packer_deinit(&packer);
    return total;
}

static void fill_digits(struct seeded *dice, char *raw) {
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < PAYLOAD; i++)
        raw[i] = digits[seeded_below(dice, 16)];
}

/* Sentences of a few words: the longer one looks, the more there is to find. */
static void fill_words(struct seeded *dice, char *raw) {
    static const char *const words[] = {"pressure ", "temperature ", "of the ", "pump ", "rises ",
                                        "slowly ",   "valve ",       "seven ",  "in ",   "hall "};
    for (size_t at = 0; at < PAYLOAD;) {
        const char *word = words[seeded_below(dice, 10)];
        size_t size = strlen(word);
        size = size < PAYLOAD - at ? size : PAYLOAD - at;
        memcpy(raw + at, word, size);
        at += size;
    }
}

static void effort_that_gains_nothing_is_not_made(void **state) {
    struct fixture *fixture = *state;
    size_t least = pack_all(fixture, 1, true, fill_digits);
    size_t most = pack_all(fixture, 3, true, fill_digits);
    size_t got = pack_all(fixture, 3, false, fill_digits);
    assert_true(least < most); /* as it happens: so it shows which was made */
    assert_true(got - least < (most - least) / 4);
}

static void effort_that_gains_is_made(void **state) {
    struct fixture *fixture = *state;
    size_t least = pack_all(fixture, 1, true, fill_words);
    size_t most = pack_all(fixture, 6, true, fill_words);
    assert_true(most < least - least / 20);
    assert_int_equal(pack_all(fixture, 6, false, fill_words), most);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(effort_that_gains_nothing_is_not_made, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(effort_that_gains_is_made, fixture_set_up,
                                        fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
