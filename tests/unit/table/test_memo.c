/* The memo of where keys were found. */
#include "table/memo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/seeded.h"

static struct fl_memo *make_memo(uint64_t keys) {
    struct fl_memo *memo = calloc(1, fl_memo_size(keys));
    assert_non_null(memo);
    fl_memo_init(memo, keys);
    return memo;
}

static bool knows(struct fl_memo *memo, uint64_t hash, uint64_t block, uint32_t key) {
    struct fl_memo_place place;
    return fl_memo_find(memo, hash, &place) && place.block == block && place.key == key;
}

static void it_gives_back_what_was_noted(void **state) {
    (void)state;
    struct fl_memo *memo = make_memo(1);
    struct fl_memo_place place;
    assert_false(fl_memo_find(memo, 0, &place));
    assert_false(fl_memo_find(memo, UINT64_MAX, &place));
    const struct fl_memo_place largest = {.block = FL_MEMO_BLOCKS_MAX - 1, .key = UINT16_MAX};
    fl_memo_note(memo, UINT64_MAX, largest);
    assert_true(knows(memo, UINT64_MAX, largest.block, largest.key));
    assert_false(fl_memo_find(memo, UINT64_MAX >> 1, &place));
    /* Noted again, it takes no second entry. */
    for (uint32_t i = 0; i < 100; i++)
        fl_memo_note(memo, UINT64_MAX, (struct fl_memo_place){.block = 3, .key = i});
    fl_memo_note(memo, UINT64_C(1) << 50, (struct fl_memo_place){.block = 1, .key = 2});
    assert_true(knows(memo, UINT64_MAX, 3, 99));
    assert_true(knows(memo, UINT64_C(1) << 50, 1, 2));
    free(memo);
}

static void it_holds_nearly_all_keys_that_it_was_made_for(void **state) {
    (void)state;
    enum { KEYS = 20000 };
    struct fl_memo *memo = make_memo(KEYS);
    assert_true(fl_memo_size(KEYS) < KEYS * 11);
    struct seeded dice = {9};
    for (uint32_t i = 0; i < KEYS; i++)
        fl_memo_note(memo, seeded_next(&dice),
                     (struct fl_memo_place){.block = i / 100, .key = i % 100});
    dice.state = 9;
    unsigned known = 0;
    for (uint32_t i = 0; i < KEYS; i++)
        known += knows(memo, seeded_next(&dice), i / 100, i % 100);
    assert_in_range(known, KEYS * 9 / 10, KEYS);
    unsigned strange = 0;
    struct fl_memo_place place;
    for (uint32_t i = 0; i < KEYS; i++)
        strange += fl_memo_find(memo, seeded_next(&dice), &place);
    assert_true(strange < 20);
    free(memo);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_gives_back_what_was_noted),
        cmocka_unit_test(it_holds_nearly_all_keys_that_it_was_made_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
