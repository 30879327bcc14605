/* The block cache: what it keeps, what it throws out, and who frees what. */
#include "cache/cache.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct thing {
    struct fl_cached cached;
    int *destroyed;
};

static void destroy_thing(struct fl_cached *cached) {
    struct thing *thing = (struct thing *)(void *)cached;
    (*thing->destroyed)++;
    free(thing);
}

static struct fl_cached *make_thing(int *destroyed) {
    struct thing *thing = malloc(sizeof *thing);
    assert_non_null(thing);
    fl_cached_init(&thing->cached, destroy_thing);
    thing->destroyed = destroyed;
    return &thing->cached;
}

static struct fl_cache *make_cache(size_t capacity) {
    struct fl_cache *cache;
    assert_int_equal(fl_cache_create(fl_alloc_system(), capacity, &cache), FLOWDB_OK);
    return cache;
}

/* Puts a new thing of 100 bytes and lets go of it. */
static void put(struct fl_cache *cache, struct fl_cache_slot *slot, int *destroyed, bool hot) {
    fl_cached_unref(fl_cache_put(cache, slot, make_thing(destroyed), 100, hot));
}

static bool holds(struct fl_cache_slot *slot) {
    return atomic_load(&slot->word) != 0;
}

static void finds_what_was_put(void **state) {
    (void)state;
    int destroyed = 0;
    struct fl_cache *cache = make_cache(1000);
    struct fl_cache_slot slot = {0};
    assert_null(fl_cache_get(cache, &slot));
    struct fl_cached *put_there = fl_cache_put(cache, &slot, make_thing(&destroyed), 100, true);
    struct fl_cached *found = fl_cache_get(cache, &slot);
    assert_ptr_equal(found, put_there);
    fl_cached_unref(found);
    fl_cached_unref(put_there);
    assert_int_equal(destroyed, 0);
    fl_cache_drop(cache, &slot);
    assert_int_equal(destroyed, 1);
    assert_null(fl_cache_get(cache, &slot));
    fl_cache_destroy(cache);
}

static void keeps_what_a_reader_holds_alive_after_dropping_it(void **state) {
    (void)state;
    int destroyed = 0;
    struct fl_cache *cache = make_cache(1000);
    struct fl_cache_slot slot = {0};
    put(cache, &slot, &destroyed, true);
    struct fl_cached *found = fl_cache_get(cache, &slot);
    fl_cache_drop(cache, &slot);
    assert_int_equal(destroyed, 0);
    fl_cached_unref(found);
    assert_int_equal(destroyed, 1);
    fl_cache_destroy(cache);
}

static void gives_the_first_of_two_that_are_put_into_one_slot(void **state) {
    (void)state;
    int first_destroyed = 0, second_destroyed = 0;
    struct fl_cache *cache = make_cache(1000);
    struct fl_cache_slot slot = {0};
    struct fl_cached *first = fl_cache_put(cache, &slot, make_thing(&first_destroyed), 100, true);
    struct fl_cached *second = fl_cache_put(cache, &slot, make_thing(&second_destroyed), 100, true);
    assert_ptr_equal(first, second);
    assert_int_equal(second_destroyed, 1);
    fl_cached_unref(first);
    fl_cached_unref(second);
    fl_cache_drop(cache, &slot);
    assert_int_equal(first_destroyed, 1);
    fl_cache_destroy(cache);
}

static void throws_out_the_coldest_and_spares_what_was_used(void **state) {
    (void)state;
    int destroyed = 0;
    struct fl_cache *cache = make_cache(300);
    struct fl_cache_slot slots[4] = {0};
    for (int i = 0; i < 3; i++)
        put(cache, &slots[i], &destroyed, true);
    fl_cached_unref(fl_cache_get(cache, &slots[0])); /* used: gets a second chance */
    put(cache, &slots[3], &destroyed, true);
    assert_int_equal(destroyed, 1);
    assert_true(holds(&slots[0]));
    assert_false(holds(&slots[1]));
    struct fl_cache_counts counts;
    fl_cache_counts(cache, &counts);
    assert_int_equal(counts.bytes, 300);
    assert_int_equal(counts.entries, 3);
    assert_int_equal(counts.evictions, 1);
    for (int i = 0; i < 4; i++)
        fl_cache_drop(cache, &slots[i]);
    assert_int_equal(destroyed, 4);
    fl_cache_destroy(cache);
}

static void lets_a_scan_push_out_only_its_own_past(void **state) {
    (void)state;
    enum { KEPT = 8, SCANNED = 100 };
    int kept_destroyed = 0, scanned_destroyed = 0;
    struct fl_cache *cache = make_cache((KEPT + 2) * 100);
    struct fl_cache_slot kept[KEPT] = {0}, scanned[SCANNED] = {0};
    for (int i = 0; i < KEPT; i++) {
        put(cache, &kept[i], &kept_destroyed, true);
        fl_cached_unref(fl_cache_get(cache, &kept[i]));
    }
    for (int i = 0; i < SCANNED; i++)
        put(cache, &scanned[i], &scanned_destroyed, false);
    assert_int_equal(kept_destroyed, 0);
    assert_int_equal(scanned_destroyed, SCANNED - 2);
    for (int i = 0; i < KEPT; i++)
        fl_cache_drop(cache, &kept[i]);
    for (int i = 0; i < SCANNED; i++)
        fl_cache_drop(cache, &scanned[i]);
    fl_cache_destroy(cache);
}

static void does_not_keep_what_is_too_large_nor_anything_without_capacity(void **state) {
    (void)state;
    int destroyed = 0;
    struct fl_cache *cache = make_cache(1000);
    struct fl_cache_slot slot = {0};
    fl_cached_unref(fl_cache_put(cache, &slot, make_thing(&destroyed), 1001, true));
    assert_int_equal(destroyed, 1);
    assert_false(holds(&slot));
    fl_cache_destroy(cache);
    cache = make_cache(0);
    put(cache, &slot, &destroyed, true);
    assert_int_equal(destroyed, 2);
    assert_false(holds(&slot));
    fl_cache_destroy(cache);
}

static void counts_more_takers_than_a_slot_has_room_for(void **state) {
    (void)state;
    enum { TAKERS = 200000 };
    int destroyed = 0;
    struct fl_cache *cache = make_cache(1000);
    struct fl_cache_slot slot = {0};
    put(cache, &slot, &destroyed, true);
    struct fl_cached *found = NULL;
    for (int i = 0; i < TAKERS; i++)
        found = fl_cache_get(cache, &slot);
    fl_cache_drop(cache, &slot);
    for (int i = 0; i < TAKERS - 1; i++)
        fl_cached_unref(found);
    assert_int_equal(destroyed, 0);
    fl_cached_unref(found);
    assert_int_equal(destroyed, 1);
    fl_cache_destroy(cache);
}

static void counts_what_was_found_and_what_was_not(void **state) {
    (void)state;
    int destroyed = 0;
    struct fl_cache *cache = make_cache(1000);
    struct fl_cache_slot slot = {0};
    for (int i = 0; i < 2; i++)
        assert_null(fl_cache_get(cache, &slot));
    put(cache, &slot, &destroyed, true);
    for (int i = 0; i < 5; i++)
        fl_cached_unref(fl_cache_get(cache, &slot));
    struct fl_cache_counts counts;
    fl_cache_counts(cache, &counts);
    assert_int_equal(counts.misses, 2);
    assert_int_equal(counts.hits, 5);
    fl_cache_drop(cache, &slot);
    fl_cache_destroy(cache);
}

static void tells_what_readers_hold_beyond_the_capacity(void **state) {
    (void)state;
    int destroyed = 0;
    struct fl_cache *cache = make_cache(200);
    struct fl_cache_slot slots[3] = {0};
    struct fl_cached *held = fl_cache_put(cache, &slots[0], make_thing(&destroyed), 100, true);
    put(cache, &slots[1], &destroyed, true);
    struct fl_cache_counts counts;
    fl_cache_counts(cache, &counts);
    assert_int_equal(counts.pinned_bytes, 0);
    put(cache, &slots[2], &destroyed, true);
    fl_cache_counts(cache, &counts);
    assert_false(holds(&slots[0]));
    assert_int_equal(counts.bytes, 200);
    assert_int_equal(counts.pinned_bytes, 100);
    fl_cached_unref(held);
    fl_cache_counts(cache, &counts);
    assert_int_equal(counts.pinned_bytes, 0);
    for (int i = 0; i < 3; i++)
        fl_cache_drop(cache, &slots[i]);
    fl_cache_counts(cache, &counts);
    assert_int_equal(counts.pinned_bytes, 0);
    assert_int_equal(destroyed, 3);
    fl_cache_destroy(cache);
}

/* malloc_usable_size tells what it gave; the header in front of it is what it does not tell. */
static void charges_at_least_what_an_allocation_takes(void **state) {
    (void)state;
    for (size_t size = 1; size < (size_t)1 << 22; size += size / 3 + 1) {
        void *memory = malloc(size);
        assert_non_null(memory);
        assert_true(fl_cache_charge(size) >= malloc_usable_size(memory));
        assert_true(fl_cache_charge(size) < size + 8192);
        free(memory);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_put),
        cmocka_unit_test(keeps_what_a_reader_holds_alive_after_dropping_it),
        cmocka_unit_test(gives_the_first_of_two_that_are_put_into_one_slot),
        cmocka_unit_test(throws_out_the_coldest_and_spares_what_was_used),
        cmocka_unit_test(lets_a_scan_push_out_only_its_own_past),
        cmocka_unit_test(does_not_keep_what_is_too_large_nor_anything_without_capacity),
        cmocka_unit_test(counts_more_takers_than_a_slot_has_room_for),
        cmocka_unit_test(counts_what_was_found_and_what_was_not),
        cmocka_unit_test(tells_what_readers_hold_beyond_the_capacity),
        cmocka_unit_test(charges_at_least_what_an_allocation_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
