/* Range tombstones as a skyline, against looking at each of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "merge/skyline.h"
#include "support/failing_alloc.h"
#include "support/seeded.h"

enum { KEYS = 40, TOMBSTONES = 24 };

/* Keys with common starts, 0x00 and 0xFF, ascending; "" comes first and is no bound. */
struct world {
    char bytes[KEYS][5];
    flowdb_slice keys[KEYS];
    struct fl_range_tombstone tombstones[3 * TOMBSTONES];
    size_t count;
    struct failing_alloc failing;
};

static int compare_slices(const void *a, const void *b) {
    return fl_slice_compare(*(const flowdb_slice *)a, *(const flowdb_slice *)b);
}

static void make_keys(struct world *world, struct seeded *seeded) {
    static const char alphabet[] = {'\0', '\x01', 'a', 'b', '\xFE', '\xFF'};
    world->keys[0] = flowdb_bytes(world->bytes[0], 0);
    for (size_t i = 1; i < KEYS; i++) {
        size_t size = 1 + seeded_below(seeded, 4);
        for (size_t at = 0; at < size; at++)
            world->bytes[i][at] = alphabet[seeded_below(seeded, sizeof alphabet)];
        world->keys[i] = flowdb_bytes(world->bytes[i], size);
    }
    qsort(world->keys, KEYS, sizeof world->keys[0], compare_slices);
}

static struct fl_range_tombstone random_tombstone(struct world *world, struct seeded *seeded,
                                                  uint64_t seq) {
    for (;;) {
        flowdb_slice start = world->keys[seeded_below(seeded, KEYS)];
        flowdb_slice end = world->keys[seeded_below(seeded, KEYS)];
        if (seeded_chance(seeded, 10))
            start.size = 0;
        if (seeded_chance(seeded, 10))
            end.size = 0;
        if (start.size == 0 || end.size == 0 || fl_slice_compare(start, end) < 0)
            return (struct fl_range_tombstone){
                .start = start, .end = end, .seq = seq, .ts_start = INT64_MIN, .ts_end = INT64_MAX};
    }
}

static uint64_t covering(const struct world *world, flowdb_slice key) {
    uint64_t seq = 0;
    for (size_t i = 0; i < world->count; i++) {
        const struct fl_range_tombstone *t = &world->tombstones[i];
        if (fl_slice_compare(t->start, key) <= 0 &&
            (t->end.size == 0 || fl_slice_compare(key, t->end) < 0))
            seq = FL_MAX(seq, t->seq);
    }
    return seq;
}

/* Every key, and the ones just beside it. */
static void check_all_keys(const struct world *world, const struct fl_skyline *skyline) {
    for (size_t i = 0; i < KEYS; i++) {
        char longer[8];
        flowdb_slice key = world->keys[i];
        if (key.size > 0)
            memcpy(longer, key.data, key.size);
        longer[key.size] = '\0';
        assert_true(fl_skyline_seq(skyline, key) == covering(world, key));
        flowdb_slice above = flowdb_bytes(longer, key.size + 1);
        assert_true(fl_skyline_seq(skyline, above) == covering(world, above));
        flowdb_slice start = flowdb_bytes(longer, key.size > 1 ? key.size - 1 : key.size);
        assert_true(fl_skyline_seq(skyline, start) == covering(world, start));
    }
}

/* Pieces ascend and each is a change, so that the skyline is as small as it can be. */
static void check_shape(const struct fl_skyline *skyline) {
    uint64_t before = 0, largest = 0;
    for (size_t i = 0; skyline != NULL && i < skyline->count; i++) {
        assert_true(skyline->pieces[i].seq != before);
        before = skyline->pieces[i].seq;
        largest = FL_MAX(largest, before);
        if (i > 0)
            assert_true(fl_slice_compare(skyline->pieces[i - 1].start, skyline->pieces[i].start) <
                        0);
    }
    if (skyline != NULL)
        assert_true(skyline->max_seq == largest);
}

static struct fl_skyline *build(struct world *world, const struct fl_skyline *base,
                                const struct fl_range_tombstone *tombstones, size_t count) {
    struct fl_skyline *skyline = NULL;
    assert_int_equal(fl_skyline_build(&world->failing.alloc, base, tombstones, count, &skyline),
                     FLOWDB_OK);
    check_shape(skyline);
    return skyline;
}

static void a_skyline_answers_as_all_its_tombstones_would(void **state) {
    (void)state;
    struct seeded seeded = seeded_begin("skyline");
    struct world world;
    failing_alloc_init(&world.failing);
    for (int round = 0; round < 3000; round++) {
        make_keys(&world, &seeded);
        world.count = seeded_below(&seeded, TOMBSTONES + 1);
        for (size_t i = 0; i < world.count; i++) {
            /* Few numbers: the same one may come from several tables. */
            uint64_t seq = 1 + seeded_below(&seeded, seeded_chance(&seeded, 50) ? 5 : 1000);
            world.tombstones[i] = i > 0 && seeded_chance(&seeded, 10)
                                      ? world.tombstones[seeded_below(&seeded, (uint32_t)i)]
                                      : random_tombstone(&world, &seeded, seq);
        }
        struct fl_skyline *skyline = build(&world, NULL, world.tombstones, world.count);
        assert_int_equal(skyline == NULL, world.count == 0);
        check_all_keys(&world, skyline);
        fl_skyline_unref(skyline);
    }
    assert_int_equal(world.failing.live, 0);
}

static void a_skyline_built_upon_another_covers_what_both_do(void **state) {
    (void)state;
    struct seeded seeded = seeded_begin("skyline upon skyline");
    struct world world;
    failing_alloc_init(&world.failing);
    for (int round = 0; round < 1000; round++) {
        make_keys(&world, &seeded);
        world.count = 0;
        struct fl_skyline *skyline = NULL;
        for (int layer = 0; layer < 3; layer++) {
            size_t more = seeded_below(&seeded, TOMBSTONES);
            for (size_t i = 0; i < more; i++)
                world.tombstones[world.count + i] =
                    random_tombstone(&world, &seeded, 1 + seeded_below(&seeded, 200));
            struct fl_skyline *next = build(&world, skyline, world.tombstones + world.count, more);
            world.count += more;
            fl_skyline_unref(skyline);
            skyline = next;
            check_all_keys(&world, skyline);
        }
        fl_skyline_unref(skyline);
    }
    assert_int_equal(world.failing.live, 0);
}

static void no_skyline_covers_nothing(void **state) {
    (void)state;
    struct world world;
    failing_alloc_init(&world.failing);
    struct fl_skyline *skyline = build(&world, NULL, NULL, 0);
    assert_null(skyline);
    assert_true(fl_skyline_seq(NULL, flowdb_str("k")) == 0);
    fl_skyline_ref(NULL);
    fl_skyline_unref(NULL);
}

static void a_skyline_lives_as_long_as_someone_refers_to_it(void **state) {
    (void)state;
    struct world world;
    failing_alloc_init(&world.failing);
    struct fl_range_tombstone all = {.seq = 9};
    struct fl_skyline *skyline = build(&world, NULL, &all, 1);
    fl_skyline_ref(skyline);
    fl_skyline_unref(skyline);
    assert_true(fl_skyline_seq(skyline, flowdb_str("")) == 9);
    assert_true(fl_skyline_seq(skyline, flowdb_str("\xFF\xFF")) == 9);
    fl_skyline_unref(skyline);
    assert_int_equal(world.failing.live, 0);
}

static void many_tombstones_of_one_range_take_the_memory_of_one(void **state) {
    (void)state;
    enum { COUNT = 1000 };
    struct world world;
    failing_alloc_init(&world.failing);
    struct fl_range_tombstone same[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        same[i] = (struct fl_range_tombstone){
            .start = flowdb_str("a"), .end = flowdb_str("b"), .seq = i + 1};
    _Atomic size_t used = 7;
    struct fl_skyline *skyline = build(&world, NULL, same, COUNT);
    fl_skyline_charge(skyline, &used);
    fl_skyline_charge(NULL, &used);
    assert_int_equal(skyline->bytes, sizeof *skyline + 2 * sizeof(struct fl_skyline_piece));
    assert_int_equal(used, 7 + skyline->bytes);
    assert_true(fl_skyline_seq(skyline, flowdb_str("aa")) == COUNT);
    assert_true(fl_skyline_seq(skyline, flowdb_str("b")) == 0);
    fl_skyline_unref(skyline);
    assert_int_equal(used, 7);
    /* Where there is no memory for less of it, it keeps what it has. */
    world.failing.calls = 0;
    world.failing.fail_at = 4;
    skyline = build(&world, NULL, same, COUNT);
    assert_true(skyline->bytes >= 2 * COUNT * sizeof(struct fl_skyline_piece));
    assert_true(fl_skyline_seq(skyline, flowdb_str("aa")) == COUNT);
    fl_skyline_unref(skyline);
    assert_int_equal(world.failing.live, 0);
}

static void without_memory_there_is_no_skyline_and_no_leak(void **state) {
    (void)state;
    struct world world;
    failing_alloc_init(&world.failing);
    struct fl_range_tombstone all = {.seq = 9};
    struct fl_skyline *base = build(&world, NULL, &all, 1);
    int64_t live = world.failing.live;
    for (uint64_t nth = 1; nth <= 3; nth++) {
        struct fl_skyline *skyline = base;
        world.failing.calls = 0;
        world.failing.fail_at = nth;
        assert_int_equal(fl_skyline_build(&world.failing.alloc, base, &all, 1, &skyline),
                         FLOWDB_NO_MEMORY);
        assert_ptr_equal(skyline, base);
        assert_int_equal(world.failing.live, live);
    }
    world.failing.fail_at = 0;
    fl_skyline_unref(base);
    assert_int_equal(world.failing.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_skyline_answers_as_all_its_tombstones_would),
        cmocka_unit_test(a_skyline_built_upon_another_covers_what_both_do),
        cmocka_unit_test(no_skyline_covers_nothing),
        cmocka_unit_test(a_skyline_lives_as_long_as_someone_refers_to_it),
        cmocka_unit_test(many_tombstones_of_one_range_take_the_memory_of_one),
        cmocka_unit_test(without_memory_there_is_no_skyline_and_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
