/* Many threads carve from one pool and give back. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/chunk.h"
#include "support/seeded.h"

enum { THREADS = 4, ROUNDS = 3000, HELD = 16 };

struct carver {
    struct fl_chunk_pool *pool;
    struct seeded seeded;
    bool right;
};

static bool holds(const struct fl_span *span, uint8_t mark) {
    for (size_t i = 0; i < span->size; i++) {
        if (span->data[i] != mark)
            return false;
    }
    return true;
}

static void *carve(void *argument) {
    struct carver *carver = argument;
    struct fl_span spans[HELD] = {0};
    uint8_t marks[HELD] = {0};
    carver->right = true;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned i = seeded_below(&carver->seeded, HELD);
        if (spans[i].chunk != NULL) {
            carver->right = carver->right && holds(&spans[i], marks[i]);
            fl_chunk_unref(spans[i].chunk);
        }
        size_t size = 1 + seeded_below(&carver->seeded, 9000);
        if (fl_chunk_pool_span(carver->pool, size, &spans[i]) != FLOWDB_OK) {
            carver->right = false;
            spans[i].chunk = NULL;
            continue;
        }
        marks[i] = (uint8_t)seeded_next(&carver->seeded);
        memset(spans[i].data, marks[i], size);
    }
    for (unsigned i = 0; i < HELD; i++)
        fl_chunk_unref(spans[i].chunk);
    return NULL;
}

static void threads_never_get_the_same_bytes(void **state) {
    (void)state;
    struct seeded seeded = seeded_begin("concurrent spans");
    struct fl_chunk_pool pool;
    fl_chunk_pool_init(&pool, fl_alloc_system(), 32 << 10, 4);
    struct carver carvers[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        carvers[i] = (struct carver){.pool = &pool, .seeded = {seeded_next(&seeded)}};
        assert_int_equal(pthread_create(&threads[i], NULL, carve, &carvers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_true(carvers[i].right);
    fl_chunk_pool_deinit(&pool);
    assert_int_equal(atomic_load(&pool.resident), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_never_get_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
