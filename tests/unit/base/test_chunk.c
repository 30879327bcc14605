/* Chunks: carved, shared, given back and used again. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/chunk.h"
#include "support/failing_alloc.h"
#include "support/seeded.h"

#define CHUNK ((size_t)64 << 10)

struct fixture {
    struct failing_alloc failing;
    struct fl_chunk_pool pool;
};

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    failing_alloc_init(&fixture->failing);
    fl_chunk_pool_init(&fixture->pool, &fixture->failing.alloc, CHUNK, 2);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    fl_chunk_pool_deinit(&fixture->pool);
    int64_t live = fixture->failing.live;
    if (live != 0)
        print_error("%lld allocations leaked\n", (long long)live);
    uint64_t resident = atomic_load(&fixture->pool.resident);
    if (resident != 0)
        print_error("%llu bytes still counted\n", (unsigned long long)resident);
    free(fixture);
    return live == 0 && resident == 0 ? 0 : -1;
}

static uint64_t resident(struct fixture *fixture) {
    return atomic_load(&fixture->pool.resident);
}

static void spans_do_not_overlap_and_are_aligned(void **state) {
    struct fixture *fixture = *state;
    struct seeded seeded = seeded_begin("spans");
    enum { SPANS = 2000 };
    struct fl_span spans[SPANS];
    for (unsigned i = 0; i < SPANS; i++) {
        size_t size = 1 + seeded_below(&seeded, seeded_chance(&seeded, 5) ? 40000 : 300);
        assert_int_equal(fl_chunk_pool_span(&fixture->pool, size, &spans[i]), FLOWDB_OK);
        assert_int_equal(spans[i].size, size);
        assert_int_equal((uintptr_t)spans[i].data % 8, 0);
        memset(spans[i].data, (int)(i & 0xFF), size);
    }
    for (unsigned i = 0; i < SPANS; i++) {
        for (size_t at = 0; at < spans[i].size; at++)
            assert_int_equal(spans[i].data[at], i & 0xFF);
        fl_chunk_unref(spans[i].chunk);
    }
}

static void a_chunk_lives_until_its_last_span_is_given_back(void **state) {
    struct fixture *fixture = *state;
    struct fl_span first, second;
    assert_int_equal(fl_chunk_pool_span(&fixture->pool, 100, &first), FLOWDB_OK);
    assert_int_equal(fl_chunk_pool_span(&fixture->pool, 100, &second), FLOWDB_OK);
    assert_ptr_equal(first.chunk, second.chunk);
    assert_ptr_equal(second.data, first.data + 104);
    fl_chunk_unref(first.chunk);
    memset(second.data, 7, second.size);
    fl_chunk_ref(second.chunk);
    fl_chunk_unref(second.chunk);
    fl_chunk_unref(second.chunk);
    assert_int_equal(resident(fixture), CHUNK);
}

static void a_large_span_has_a_chunk_of_its_own_that_is_not_kept(void **state) {
    struct fixture *fixture = *state;
    struct fl_span large;
    assert_int_equal(fl_chunk_pool_span(&fixture->pool, CHUNK / 4 + 1, &large), FLOWDB_OK);
    assert_ptr_equal(large.data, large.chunk->data);
    uint64_t size = large.chunk->size;
    assert_true(size >= CHUNK / 4 + 1 && size < CHUNK / 4 + 8192 && size % 4096 == 0);
    memset(large.data, 1, large.size);
    fl_chunk_unref(large.chunk);
    assert_int_equal(resident(fixture), 0);
    assert_int_equal(fl_chunk_pool_span(&fixture->pool, 5 * CHUNK, &large), FLOWDB_OK);
    memset(large.data, 1, large.size);
    fl_chunk_unref(large.chunk);
    assert_int_equal(resident(fixture), 0);
}

static void chunks_that_are_given_back_are_used_again(void **state) {
    struct fixture *fixture = *state;
    struct fl_chunk *chunks[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(fl_chunk_pool_take(&fixture->pool, 1, &chunks[i]), FLOWDB_OK);
    assert_int_equal(resident(fixture), 3 * CHUNK);
    chunks[1]->used = 100;
    chunks[1]->holder = 7;
    uint8_t *kept = chunks[1]->data;
    fl_chunk_unref(chunks[0]);
    fl_chunk_unref(chunks[1]);
    fl_chunk_unref(chunks[2]); /* one more than the pool keeps */
    assert_int_equal(resident(fixture), 2 * CHUNK);
    uint64_t calls = fixture->failing.calls;
    struct fl_chunk *again;
    assert_int_equal(fl_chunk_pool_take(&fixture->pool, CHUNK, &again), FLOWDB_OK);
    assert_int_equal(fixture->failing.calls, calls);
    assert_ptr_equal(again->data, kept);
    assert_true(again->used == 0 && again->holder == 0 && again->next == NULL);
    assert_int_equal(atomic_load(&again->refs), 1);
    /* Spans are carved from one that was given back, too. */
    struct fl_span span;
    assert_int_equal(fl_chunk_pool_span(&fixture->pool, 10, &span), FLOWDB_OK);
    assert_int_equal(fixture->failing.calls, calls);
    fl_chunk_unref(span.chunk);
    fl_chunk_unref(again);
}

static void a_chunk_larger_than_usual_is_made_to_measure(void **state) {
    struct fixture *fixture = *state;
    struct fl_chunk *chunk;
    assert_int_equal(fl_chunk_pool_take(&fixture->pool, CHUNK + 1, &chunk), FLOWDB_OK);
    assert_int_equal(chunk->size, CHUNK + 4096);
    assert_int_equal(chunk->data[chunk->size - 1], 0);
    fl_chunk_unref(chunk);
    assert_int_equal(resident(fixture), 0);
}

static void a_warmed_pool_has_chunks_to_spare_up_to_its_limit(void **state) {
    struct fixture *fixture = *state;
    assert_true(fl_chunk_pool_wants(&fixture->pool, 1));
    fl_chunk_pool_warm(&fixture->pool, 1);
    assert_false(fl_chunk_pool_wants(&fixture->pool, 1));
    assert_int_equal(resident(fixture), CHUNK);
    fl_chunk_pool_warm(&fixture->pool, 100);
    assert_false(fl_chunk_pool_wants(&fixture->pool, 100));
    assert_int_equal(resident(fixture), 2 * CHUNK); /* as many as it keeps */
    uint64_t calls = fixture->failing.calls;
    struct fl_chunk *chunks[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(fl_chunk_pool_take(&fixture->pool, 1, &chunks[i]), FLOWDB_OK);
    assert_int_equal(fixture->failing.calls, calls);
    fixture->failing.calls = 0;
    fixture->failing.fail_at = 1;
    fixture->failing.persistent = true;
    fl_chunk_pool_warm(&fixture->pool, 1); /* out of memory is no error */
    assert_true(fl_chunk_pool_wants(&fixture->pool, 1));
    fixture->failing.fail_at = 0;
    for (int i = 0; i < 2; i++)
        fl_chunk_unref(chunks[i]);
}

static void none_are_to_spare_beyond_what_all_may_take(void **state) {
    struct fixture *fixture = *state;
    fixture->pool.resident_max = 3 * CHUNK - 1;
    struct fl_chunk *chunks[3];
    for (int i = 0; i < 3; i++) /* who needs one gets it */
        assert_int_equal(fl_chunk_pool_take(&fixture->pool, 1, &chunks[i]), FLOWDB_OK);
    assert_false(fl_chunk_pool_wants(&fixture->pool, 1));
    fl_chunk_unref(chunks[0]);
    assert_int_equal(resident(fixture), 2 * CHUNK);
    assert_false(fl_chunk_pool_wants(&fixture->pool, 1));
    fl_chunk_unref(chunks[1]);
    assert_int_equal(resident(fixture), 2 * CHUNK); /* that one is kept */
    fixture->pool.resident_max = 3 * CHUNK;
    assert_true(fl_chunk_pool_wants(&fixture->pool, 2));
    fl_chunk_pool_warm(&fixture->pool, 2);
    assert_int_equal(resident(fixture), 3 * CHUNK);
    fl_chunk_unref(chunks[2]);
}

static void adopted_memory_is_released_with_its_chunk(void **state) {
    struct fixture *fixture = *state;
    uint8_t *memory = fl_allocate(&fixture->failing.alloc, CHUNK);
    struct fl_chunk *chunk;
    assert_int_equal(fl_chunk_pool_adopt(&fixture->pool, memory, CHUNK, &chunk), FLOWDB_OK);
    assert_ptr_equal(chunk->data, memory);
    assert_int_equal(resident(fixture), CHUNK);
    fl_chunk_ref(chunk);
    fl_chunk_unref(chunk);
    memset(memory, 3, CHUNK);
    fl_chunk_unref(chunk); /* of the size of a chunk, and yet not kept */
    assert_int_equal(resident(fixture), 0);
    assert_int_equal(fixture->failing.live, 0);
}

static void memory_that_cannot_be_adopted_stays_the_callers(void **state) {
    struct fixture *fixture = *state;
    uint8_t *memory = fl_allocate(&fixture->failing.alloc, 100);
    fixture->failing.calls = 0;
    fixture->failing.fail_at = 1;
    struct fl_chunk *chunk = NULL;
    assert_int_equal(fl_chunk_pool_adopt(&fixture->pool, memory, 100, &chunk), FLOWDB_NO_MEMORY);
    assert_null(chunk);
    memset(memory, 3, 100);
    fl_release(&fixture->failing.alloc, memory);
}

static void a_pool_without_memory_says_so_and_goes_on_when_there_is_some(void **state) {
    struct fixture *fixture = *state;
    struct fl_span held, span;
    assert_int_equal(fl_chunk_pool_span(&fixture->pool, 16, &held), FLOWDB_OK);
    for (uint64_t nth = 1; nth <= 2; nth++) {
        static const size_t sizes[] = {CHUNK / 4 + 1, CHUNK, 2 * CHUNK};
        for (size_t i = 0; i < 3; i++) {
            struct fl_chunk *chunk = NULL;
            span = (struct fl_span){0};
            fixture->failing.calls = 0;
            fixture->failing.fail_at = nth;
            assert_int_equal(fl_chunk_pool_span(&fixture->pool, sizes[i], &span), FLOWDB_NO_MEMORY);
            fixture->failing.calls = 0;
            assert_int_equal(fl_chunk_pool_take(&fixture->pool, sizes[i], &chunk),
                             FLOWDB_NO_MEMORY);
            assert_true(span.chunk == NULL && chunk == NULL);
        }
    }
    /* A current chunk that is full stays so while no other can be had. */
    fixture->failing.fail_at = 0;
    struct fl_span spans[4];
    size_t count = 0;
    while (fixture->pool.current->size - fixture->pool.current->used >= CHUNK / 4)
        assert_int_equal(fl_chunk_pool_span(&fixture->pool, CHUNK / 4, &spans[count++]), FLOWDB_OK);
    fixture->failing.calls = 0;
    fixture->failing.fail_at = 1;
    assert_int_equal(fl_chunk_pool_span(&fixture->pool, CHUNK / 4, &span), FLOWDB_NO_MEMORY);
    fixture->failing.fail_at = 0;
    assert_int_equal(fl_chunk_pool_span(&fixture->pool, CHUNK / 4, &span), FLOWDB_OK);
    assert_ptr_not_equal(span.chunk, held.chunk);
    fl_chunk_unref(span.chunk);
    fl_chunk_unref(held.chunk);
    while (count > 0)
        fl_chunk_unref(spans[--count].chunk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(spans_do_not_overlap_and_are_aligned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_chunk_lives_until_its_last_span_is_given_back, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_large_span_has_a_chunk_of_its_own_that_is_not_kept,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(chunks_that_are_given_back_are_used_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_chunk_larger_than_usual_is_made_to_measure, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_warmed_pool_has_chunks_to_spare_up_to_its_limit, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(none_are_to_spare_beyond_what_all_may_take, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(adopted_memory_is_released_with_its_chunk, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(memory_that_cannot_be_adopted_stays_the_callers, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_pool_without_memory_says_so_and_goes_on_when_there_is_some, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
