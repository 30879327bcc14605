/* The block cache under threads: every thing is freed once, and never while somebody holds it. */
#include "cache/cache.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SLOTS = 40, THREADS = 4, ROUNDS = 50000 };

struct world {
    struct fl_cache *cache;
    struct fl_cache_slot slots[SLOTS];
    _Atomic long made, destroyed, wrong;
};

struct thing {
    struct fl_cached cached;
    struct world *world;
    size_t slot;
    _Atomic int alive;
};

static void destroy_thing(struct fl_cached *cached) {
    struct thing *thing = (struct thing *)(void *)cached;
    atomic_fetch_add(&thing->world->destroyed, 1);
    atomic_store(&thing->alive, 0);
    free(thing);
}

static struct fl_cached *make_thing(struct world *world, size_t slot) {
    struct thing *thing = malloc(sizeof *thing);
    if (thing == NULL)
        abort();
    fl_cached_init(&thing->cached, destroy_thing);
    thing->world = world;
    thing->slot = slot;
    atomic_init(&thing->alive, 1);
    atomic_fetch_add(&world->made, 1);
    return &thing->cached;
}

static void *use(void *argument) {
    struct world *world = argument;
    uint32_t random = (uint32_t)(uintptr_t)&random | 1;
    for (int i = 0; i < ROUNDS; i++) {
        random = random * 1664525 + 1013904223;
        size_t at = (random >> 16) % SLOTS;
        struct fl_cache_slot *slot = &world->slots[at];
        if ((random >> 8) % 64 == 0) {
            fl_cache_drop(world->cache, slot);
            continue;
        }
        struct fl_cached *found = fl_cache_get(world->cache, slot);
        if (found == NULL)
            found = fl_cache_put(world->cache, slot, make_thing(world, at), 100, i % 3 != 0);
        const struct thing *thing = (const struct thing *)(const void *)found;
        if (thing->slot != at || atomic_load(&thing->alive) != 1)
            atomic_fetch_add(&world->wrong, 1);
        fl_cached_unref(found);
    }
    return NULL;
}

static void frees_each_thing_once_and_not_before_the_last_reader_lets_go(void **state) {
    (void)state;
    struct world world = {0};
    assert_int_equal(fl_cache_create(fl_alloc_system(), SLOTS * 100 / 2, &world.cache), FLOWDB_OK);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, &world), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    struct fl_cache_counts counts;
    fl_cache_counts(world.cache, &counts);
    assert_true(counts.bytes <= SLOTS * 100 / 2);
    assert_true(counts.evictions > 0);
    assert_int_equal(counts.pinned_bytes, 0);
    for (int i = 0; i < SLOTS; i++)
        fl_cache_drop(world.cache, &world.slots[i]);
    assert_int_equal(atomic_load(&world.wrong), 0);
    assert_int_equal(atomic_load(&world.made), atomic_load(&world.destroyed));
    fl_cache_destroy(world.cache);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frees_each_thing_once_and_not_before_the_last_reader_lets_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
