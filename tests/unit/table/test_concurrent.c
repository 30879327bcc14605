/* One table read by many threads, the last of which lets it go. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "fixture.h"

#define THREADS 4
#define ROUNDS 300

struct shared {
    struct fl_table *table;
    const struct rows *rows;
    _Atomic uint32_t next_thread;
    _Atomic uint64_t wrong; /* assertions of cmocka must not fail in other threads */
};

static bool same(const struct fl_row *row, const struct fl_row *expected) {
    return fl_slice_equal(row->key, expected->key) && row->ts == expected->ts &&
           row->seq == expected->seq && fl_slice_equal(row->value, expected->value);
}

static bool get_is_right(struct shared *shared, size_t at) {
    const struct fl_row *expected = &shared->rows->rows[at];
    struct fl_row row;
    struct fl_table_pin pin = {0};
    bool found = false;
    flowdb_status status = fl_table_get(shared->table, expected->key, fl_hash_key(expected->key),
                                        expected->ts, &read_all, &found, &row, &pin);
    bool right = status == FLOWDB_OK && found && same(&row, expected);
    fl_table_pin_release(&pin);
    return right;
}

static bool scan_is_right(struct shared *shared, size_t from) {
    const struct rows *rows = shared->rows;
    struct fl_bounds bounds = bounds_all(false);
    struct fl_source *source;
    if (fl_table_source(shared->table, &bounds, &read_all, &source) != FLOWDB_OK)
        return false;
    const struct fl_row *first = &rows->rows[from];
    bool right = fl_source_seek(source, first->key, first->ts) == FLOWDB_OK;
    for (size_t i = from; right && i < rows->count && i < from + 300; i++)
        right = source->valid && same(&source->row, &rows->rows[i]) &&
                fl_source_next(source) == FLOWDB_OK;
    fl_source_close(source);
    return right;
}

static void *read_at_random(void *context) {
    struct shared *shared = context;
    struct seeded dice = {atomic_fetch_add(&shared->next_thread, 1)};
    for (int round = 0; round < ROUNDS; round++) {
        size_t at = (size_t)pick(&dice, shared->rows->count);
        bool right = round % 4 == 0 ? scan_is_right(shared, at) : get_is_right(shared, at);
        shared->wrong += !right;
    }
    fl_table_unref(shared->table);
    return NULL;
}

static void read_by_threads(struct shared *shared) {
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        fl_table_ref(shared->table);
        assert_int_equal(pthread_create(&threads[i], NULL, read_at_random, shared), 0);
    }
    fl_table_mark_obsolete(shared->table);
    fl_table_unref(shared->table);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(shared->wrong, 0);
}

static void threads_share_a_table(void **state) {
    struct fixture *fixture = *state;
    struct rows rows = {0};
    struct seeded dice = {31};
    struct recipe recipe = {.keys = 40, .rows_per_key = 60, .value_size_max = 12};
    rows_random(&rows, &dice, &recipe);
    fixture->env.alloc = fl_alloc_system(); /* the failing one belongs to one thread */
    struct fl_table_options options = fixture_options(2000, FL_CODEC_ZSTD);
    struct shared shared = {.table = fixture_table(fixture, &rows, &options), .rows = &rows};
    read_by_threads(&shared);
    assert_false(scratch_exists(fixture->path));
    rows_free(&rows);
}

/* Room for a few partitions, a cache for a few things: most of them come and go all the time. */
static void threads_share_partitions_that_come_and_go(void **state) {
    struct fixture *fixture = *state;
    struct rows rows = {0};
    struct seeded dice = {32};
    struct recipe recipe = {.keys = 60, .rows_per_key = 120, .value_size_max = 12};
    rows_random(&rows, &dice, &recipe);
    fixture->env.alloc = fl_alloc_system();
    struct fl_table_options options = fixture_options(128, FL_CODEC_LZ4);
    struct fl_table_properties properties;
    assert_int_equal(fixture_build(fixture, &rows, &options, &properties), FLOWDB_OK);
    struct fl_index_budget budget = {.limit = 0};
    struct fl_cache *cache;
    assert_int_equal(fl_cache_create(fl_alloc_system(), 40000, &cache), FLOWDB_OK);
    const struct fl_table_shared with = {.cache = cache, .budget = &budget};
    struct shared shared = {.rows = &rows};
    assert_int_equal(fl_table_open_shared(&fixture->env, fixture->path, TABLE_ID,
                                          properties.file_size, &with, &shared.table),
                     FLOWDB_OK);
    budget.limit = budget.used + 20000; /* what the readers find room for stays */
    read_by_threads(&shared);
    struct fl_cache_counts counts;
    fl_cache_counts(cache, &counts);
    assert_true(counts.evictions > 100);
    assert_int_equal(counts.entries, 0);
    assert_int_equal(counts.pinned_bytes, 0);
    assert_int_equal(budget.used, 0);
    fl_cache_destroy(cache);
    rows_free(&rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(threads_share_a_table, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(threads_share_partitions_that_come_and_go, fixture_set_up,
                                        fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
