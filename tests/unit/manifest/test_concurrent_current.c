/* The current version: readers that come and go beside one who replaces it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "manifest/current.h"

enum { THREADS = 4, ROUNDS = 20000, REPLACED = 2000 };

/* Counts what is alive. */
static _Atomic int64_t live;

static void *allocate(void *context, size_t size) {
    (void)context;
    atomic_fetch_add(&live, 1);
    return malloc(size);
}

static void release(void *context, void *memory) {
    (void)context;
    atomic_fetch_sub(&live, memory != NULL);
    free(memory);
}

static const struct fl_alloc counting = {.allocate = allocate, .release = release};

static struct fl_version *make_version(size_t frozen_capacity) {
    struct fl_version *version;
    assert_int_equal(fl_version_create(&counting, NULL, 0, frozen_capacity, NULL, &version),
                     FLOWDB_OK);
    return version;
}

static void replace(struct fl_current *current, struct fl_version **now, struct fl_version *next) {
    struct fl_version *old = *now;
    *now = next;
    fl_current_replace(current, old, next);
    fl_version_unref(old);
}

static void a_replaced_version_lives_until_its_last_reader_leaves(void **state) {
    (void)state;
    struct fl_current current = {0};
    struct fl_version *now = NULL;
    replace(&current, &now, make_version(1));
    struct fl_version *first = fl_current_enter(&current), *again = fl_current_enter(&current);
    assert_ptr_equal(first, now);
    assert_ptr_equal(again, now);
    replace(&current, &now, make_version(2));
    struct fl_version *second = fl_current_enter(&current);
    assert_ptr_equal(second, now);
    fl_current_leave(&current, second);
    assert_int_equal(live, 2);
    fl_current_leave(&current, first);
    assert_int_equal(live, 2);
    fl_current_leave(&current, again);
    assert_int_equal(live, 1);
    replace(&current, &now, NULL);
    assert_int_equal(live, 0);
}

static void a_reference_of_its_own_outlives_being_current(void **state) {
    (void)state;
    struct fl_current current = {0};
    struct fl_version *now = NULL;
    replace(&current, &now, make_version(1));
    struct fl_version *held = now;
    fl_version_ref(held);
    replace(&current, &now, NULL);
    assert_int_equal(live, 1);
    fl_version_unref(held);
    assert_int_equal(live, 0);
}

struct world {
    struct fl_current current;
    _Atomic uint64_t wrong;
    _Atomic size_t oldest; /* versions below it had been replaced before any read of it */
};

/* A version is told by its room for memtables, which counts up. */
static void *read_versions(void *context) {
    struct world *world = context;
    for (int i = 0; i < ROUNDS; i++) {
        size_t oldest = atomic_load(&world->oldest);
        struct fl_version *version = fl_current_enter(&world->current);
        struct fl_version *nested = i % 8 == 0 ? fl_current_enter(&world->current) : NULL;
        if (version->frozen_capacity < oldest || version->alloc != &counting)
            atomic_fetch_add(&world->wrong, 1);
        fl_current_leave(&world->current, version);
        if (nested != NULL && nested->alloc != &counting)
            atomic_fetch_add(&world->wrong, 1);
        if (nested != NULL)
            fl_current_leave(&world->current, nested);
    }
    return NULL;
}

static void readers_never_see_a_version_that_is_gone_nor_an_older_one(void **state) {
    (void)state;
    static struct world world;
    struct fl_version *now = NULL;
    replace(&world.current, &now, make_version(1));
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_versions, &world), 0);
    for (size_t i = 2; i < REPLACED; i++) {
        replace(&world.current, &now, make_version(i));
        atomic_store(&world.oldest, i);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(live, 1);
    replace(&world.current, &now, NULL);
    assert_int_equal(live, 0);
    assert_int_equal(world.wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replaced_version_lives_until_its_last_reader_leaves),
        cmocka_unit_test(a_reference_of_its_own_outlives_being_current),
        cmocka_unit_test(readers_never_see_a_version_that_is_gone_nor_an_older_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
