/* Many sorted sources as one, against a sorted reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "array_source.h"
#include "base/bytes.h"
#include "merge/merge.h"
#include "support/failing_alloc.h"
#include "support/seeded.h"

enum { SOURCES_MAX = 17, ROWS_MAX = 60, KEYS = 12, TIMES = 6 };

/* Ascending. */
static const char *const keys[KEYS] = {"a",     "a\x01", "aa", "ab",   "b",        "ba",
                                       "b\xFF", "c",     "d",  "\xFE", "\xFF\xFF", "\xFF\xFF\xFF"};
static const int64_t times[TIMES] = {INT64_MIN, -7, 0, 1, 1000000, INT64_MAX};

/* A set of sources and what they come to. */
struct world {
    struct fl_row rows[SOURCES_MAX][ROWS_MAX];
    size_t counts[SOURCES_MAX];
    struct fl_row merged[KEYS * TIMES];
    size_t merged_count;
    struct array_source sources[SOURCES_MAX];
    size_t source_count;
    struct failing_alloc failing;
};

/* Rows of all (key, ts) in order, some of them left out; each source has a pair once at most, but
   any number of sources may have it. Sequence numbers are all different, and in no order. */
static void fill(struct world *world, struct seeded *seeded, size_t source_count) {
    uint64_t seqs[SOURCES_MAX * KEYS * TIMES], used = 0;
    size_t total = source_count * KEYS * TIMES;
    for (size_t i = 0; i < total; i++)
        seqs[i] = i + 1;
    for (size_t i = total; i > 1; i--) {
        size_t other = seeded_below(seeded, (uint32_t)i);
        uint64_t swap = seqs[i - 1];
        seqs[i - 1] = seqs[other];
        seqs[other] = swap;
    }
    world->source_count = source_count;
    world->merged_count = 0;
    memset(world->counts, 0, sizeof world->counts);
    uint32_t density[SOURCES_MAX];
    for (size_t s = 0; s < source_count; s++)
        density[s] = seeded_chance(seeded, 15) ? 0 : 5 + seeded_below(seeded, 75);
    for (size_t k = 0; k < KEYS; k++) {
        for (size_t t = 0; t < TIMES; t++) {
            struct fl_row newest = {0};
            for (size_t s = 0; s < source_count; s++) {
                if (!seeded_chance(seeded, density[s]) || world->counts[s] == ROWS_MAX)
                    continue;
                struct fl_row row = {.key = flowdb_str(keys[k]),
                                     .ts = times[t],
                                     .seq = seqs[used++],
                                     .expire_at = (int64_t)s,
                                     .op = seeded_chance(seeded, 80) ? FL_OP_PUT : FL_OP_DELETE};
                world->rows[s][world->counts[s]++] = row;
                if (row.seq > newest.seq)
                    newest = row;
            }
            if (newest.seq > 0)
                world->merged[world->merged_count++] = newest;
        }
    }
}

static void open_merge(struct world *world, bool reverse, struct fl_merge *merge) {
    struct fl_source **sources =
        fl_allocate(&world->failing.alloc, (world->source_count + 1) * sizeof(*sources));
    for (size_t s = 0; s < world->source_count; s++) {
        array_source_init(&world->sources[s], world->rows[s], world->counts[s], reverse);
        sources[s] = &world->sources[s].base;
    }
    assert_int_equal(
        fl_merge_init(merge, &world->failing.alloc, sources, world->source_count, reverse),
        FLOWDB_OK);
}

static void close_merge(struct world *world, struct fl_merge *merge) {
    fl_merge_deinit(merge);
    fl_merge_deinit(merge); /* safe on a zeroed one */
    for (size_t s = 0; s < world->source_count; s++)
        assert_int_equal(world->sources[s].closed, 1);
    assert_int_equal(world->failing.live, 0);
}

/* Where the merge must be after a seek: how many rows of the reference, in its direction, come
   before. */
static size_t position_of(const struct world *world, bool reverse, flowdb_slice key, int64_t ts) {
    struct fl_row from = {.key = key, .ts = ts};
    size_t before = 0;
    for (size_t i = 0; key.size > 0 && i < world->merged_count; i++) {
        int order = compare_rows(&world->merged[i], &from);
        before += reverse ? order > 0 : order < 0;
    }
    return before;
}

static void check_row(const struct world *world, bool reverse, const struct fl_merge *merge,
                      size_t position) {
    const struct fl_row *row = fl_merge_row(merge);
    if (position == world->merged_count) {
        assert_null(row);
        return;
    }
    const struct fl_row *expected =
        &world->merged[reverse ? world->merged_count - 1 - position : position];
    assert_non_null(row);
    assert_true(fl_slice_equal(row->key, expected->key) && row->ts == expected->ts);
    assert_true(row->seq == expected->seq && row->op == expected->op);
    assert_true(row->expire_at == expected->expire_at);
}

/* Seeks here and there, and reads on for a while or to the end. */
static void wander(struct world *world, struct seeded *seeded, bool reverse) {
    struct fl_merge merge;
    open_merge(world, reverse, &merge);
    for (unsigned round = 0; round < 12; round++) {
        uint32_t which = seeded_below(seeded, KEYS);
        flowdb_slice key = round == 0 ? (flowdb_slice){0} : flowdb_str(keys[which]);
        if (seeded_chance(seeded, 30) && key.size > 1)
            key.size--;
        int64_t ts = times[seeded_below(seeded, TIMES)];
        if (seeded_chance(seeded, 30) && ts > INT64_MIN)
            ts--;
        assert_int_equal(fl_merge_seek(&merge, key, ts), FLOWDB_OK);
        size_t position = position_of(world, reverse, key, ts);
        check_row(world, reverse, &merge, position);
        size_t steps = round == 0 ? SIZE_MAX : seeded_below(seeded, 20);
        for (; steps > 0 && position < world->merged_count; steps--) {
            assert_int_equal(fl_merge_next(&merge), FLOWDB_OK);
            check_row(world, reverse, &merge, ++position);
        }
    }
    close_merge(world, &merge);
}

static void a_merge_yields_each_pair_once_with_its_newest_version(void **state) {
    (void)state;
    struct seeded seeded = seeded_begin("merge");
    struct world *world = calloc(1, sizeof *world);
    failing_alloc_init(&world->failing);
    for (size_t count = 0; count <= SOURCES_MAX; count++) {
        for (int round = 0; round < 30; round++) {
            fill(world, &seeded, count);
            wander(world, &seeded, false);
            wander(world, &seeded, true);
        }
    }
    free(world);
}

static void a_merge_of_nothing_is_at_its_end(void **state) {
    (void)state;
    struct world *world = calloc(1, sizeof *world);
    failing_alloc_init(&world->failing);
    for (world->source_count = 0; world->source_count <= 5; world->source_count++) {
        struct fl_merge merge;
        open_merge(world, false, &merge);
        assert_int_equal(fl_merge_seek(&merge, (flowdb_slice){0}, 0), FLOWDB_OK);
        assert_null(fl_merge_row(&merge));
        assert_int_equal(fl_merge_seek(&merge, flowdb_str("k"), 0), FLOWDB_OK);
        assert_null(fl_merge_row(&merge));
        close_merge(world, &merge);
    }
    free(world);
}

/* The same pair in all of them: one row comes out, and every source has moved past it. */
static void a_pair_that_every_source_has_comes_out_once(void **state) {
    (void)state;
    struct world *world = calloc(1, sizeof *world);
    failing_alloc_init(&world->failing);
    for (size_t newest = 0; newest < SOURCES_MAX; newest++) {
        world->source_count = SOURCES_MAX;
        for (size_t s = 0; s < SOURCES_MAX; s++) {
            world->rows[s][0] = (struct fl_row){
                .key = flowdb_str("k"), .ts = 5, .seq = s == newest ? 100 : s + 1, .op = FL_OP_PUT};
            world->counts[s] = 1;
        }
        struct fl_merge merge;
        open_merge(world, newest % 2 == 1, &merge);
        assert_int_equal(fl_merge_seek(&merge, (flowdb_slice){0}, 0), FLOWDB_OK);
        assert_non_null(fl_merge_row(&merge));
        assert_int_equal(fl_merge_row(&merge)->seq, 100);
        assert_int_equal(fl_merge_next(&merge), FLOWDB_OK);
        assert_null(fl_merge_row(&merge));
        close_merge(world, &merge);
    }
    free(world);
}

/* Reads to the end or to the first failure. */
static flowdb_status read_through(struct fl_merge *merge, size_t *rows) {
    *rows = 0;
    flowdb_status status = fl_merge_seek(merge, (flowdb_slice){0}, 0);
    while (status == FLOWDB_OK && fl_merge_row(merge) != NULL) {
        ++*rows;
        status = fl_merge_next(merge);
    }
    return status;
}

static void what_a_source_fails_with_is_what_the_merge_fails_with(void **state) {
    (void)state;
    struct seeded seeded = seeded_begin("failing sources");
    struct world *world = calloc(1, sizeof *world);
    failing_alloc_init(&world->failing);
    for (int round = 0; round < 6; round++) {
        fill(world, &seeded, 1 + seeded_below(&seeded, SOURCES_MAX));
        for (size_t s = 0; s < world->source_count; s++) {
            for (uint64_t nth = 1; nth <= world->counts[s] + 1; nth++) {
                struct fl_merge merge;
                open_merge(world, round % 2 == 1, &merge);
                world->sources[s].fail_at = nth;
                size_t rows;
                assert_int_equal(read_through(&merge, &rows), FLOWDB_IO_ERROR);
                assert_string_equal(flowdb_last_error(), "a source was told to fail");
                assert_true(rows <= world->merged_count);
                /* After another seek it is as good as new. */
                assert_int_equal(read_through(&merge, &rows), FLOWDB_OK);
                assert_int_equal(rows, world->merged_count);
                close_merge(world, &merge);
            }
        }
    }
    free(world);
}

static void a_merge_that_cannot_be_made_closes_its_sources(void **state) {
    (void)state;
    struct world *world = calloc(1, sizeof *world);
    failing_alloc_init(&world->failing);
    struct fl_source **sources = fl_allocate(&world->failing.alloc, 3 * sizeof(*sources));
    for (size_t s = 0; s < 3; s++) {
        array_source_init(&world->sources[s], NULL, 0, false);
        sources[s] = &world->sources[s].base;
    }
    world->failing.fail_at = world->failing.calls + 1;
    struct fl_merge merge;
    assert_int_equal(fl_merge_init(&merge, &world->failing.alloc, sources, 3, false),
                     FLOWDB_NO_MEMORY);
    for (size_t s = 0; s < 3; s++)
        assert_int_equal(world->sources[s].closed, 1);
    assert_int_equal(world->failing.live, 0);
    fl_merge_deinit(&merge);
    free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_merge_yields_each_pair_once_with_its_newest_version),
        cmocka_unit_test(a_merge_of_nothing_is_at_its_end),
        cmocka_unit_test(a_pair_that_every_source_has_comes_out_once),
        cmocka_unit_test(what_a_source_fails_with_is_what_the_merge_fails_with),
        cmocka_unit_test(a_merge_that_cannot_be_made_closes_its_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
