/* flowdb_list_tables: the tables as they are, owned by the caller. */
#include "engine_fixture.h"

#include <string.h>

#include "engine/observe.h"

static flowdb_tables list(struct engine *engine) {
    flowdb_tables tables = {0};
    engine_assert_ok(flowdb_list_tables(engine->db, &tables));
    return tables;
}

static void assert_key(flowdb_slice key, const char *expected) {
    assert_int_equal(key.size, strlen(expected));
    assert_memory_equal(key.data, expected, key.size);
}

static void without_tables_the_list_is_empty(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "x"); /* in memory */
    flowdb_tables tables = list(engine);
    assert_int_equal(tables.count, 0);
    flowdb_tables_free(&tables);
    flowdb_tables_free(&tables);
    flowdb_tables_free(NULL);
}

static void tables_are_listed_newest_first_with_all_that_is_known(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "apple", -5, "xx");
    engine_put_until(engine, "apple", 7, ENGINE_NOW + ENGINE_DAY, "xx");
    engine_delete(engine, "pear", 3);
    engine_delete_range(engine, "x", "y");
    engine_flush(engine);
    engine_put(engine, "zebra", 9, "");
    engine_flush(engine);
    flowdb_tables tables = list(engine);
    assert_int_equal(tables.count, 2);
    const flowdb_table *newer = tables.tables[0], *older = tables.tables[1];
    assert_true(newer->id > older->id);
    assert_int_equal(newer->min_sequence, 5);
    assert_int_equal(newer->max_sequence, 5);
    assert_key(newer->min_key, "zebra");
    assert_key(newer->max_key, "zebra");
    assert_int_equal(newer->records, 1);
    assert_int_equal(newer->deletes, 0);
    assert_int_equal(newer->raw_bytes, 5);

    assert_key(older->min_key, "apple");
    assert_key(older->max_key, "pear");
    assert_true(older->min_ts == -5 && older->max_ts == 7);
    assert_true(older->max_expire_at == FLOWDB_NEVER);
    assert_int_equal(older->min_sequence, 1);
    assert_int_equal(older->max_sequence, 4);
    assert_int_equal(older->records, 3);
    assert_int_equal(older->deletes, 1);
    assert_int_equal(older->keys, 2);
    assert_int_equal(older->range_tombstones, 1);
    assert_int_equal(older->raw_bytes, 7 + 7 + 4);
    assert_int_equal(older->blocks, 1);
    size_t size;
    char name[64];
    snprintf(name, sizeof name, "sst/%06llu.sst", (unsigned long long)older->id);
    free(scratch_read(scratch_in(engine->data, name), &size));
    assert_int_equal(older->file_bytes, size);
    engine_close(engine);
    assert_key(older->max_key, "pear"); /* the list is the caller's */
    flowdb_tables_free(&tables);
}

/* The window is the one that compaction counts the table to, and holds the table's last time. */
static void windows_hold_what_is_in_them(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    static const int64_t ages[] = {-ENGINE_HOUR,
                                   -5,
                                   0,
                                   1,
                                   ENGINE_HOUR,
                                   5 * ENGINE_HOUR,
                                   ENGINE_DAY,
                                   30 * ENGINE_DAY,
                                   ENGINE_YEAR,
                                   53 * ENGINE_YEAR,
                                   60 * ENGINE_YEAR,
                                   100000 * ENGINE_YEAR};
    enum { TABLES = sizeof ages / sizeof ages[0] };
    for (size_t i = 0; i < TABLES; i++) {
        engine_put(engine, "a", ENGINE_NOW - ages[i], "x");
        engine_flush(engine);
    }
    engine_put(engine, "a", INT64_MIN, "x");
    engine_flush(engine);
    flowdb_tables tables = list(engine);
    assert_int_equal(tables.count, TABLES + 1);
    for (size_t i = 0; i <= TABLES; i++) {
        const flowdb_table *table = tables.tables[i];
        assert_true(table->window_start < table->window_end);
        assert_true(table->window_start <= table->max_ts && table->max_ts < table->window_end);
        if (table->max_ts >= ENGINE_NOW + ENGINE_HOUR)
            assert_int_equal(table->window_level, 0);
        if (table->window_level == 0) {
            assert_true(table->max_ts > ENGINE_NOW);
            assert_true(table->window_start == INT64_MIN && table->window_end == INT64_MAX);
        } else if (table->window_start > INT64_MIN && table->window_end < INT64_MAX) {
            int64_t length = ENGINE_HOUR;
            for (uint32_t level = 1; level < table->window_level; level++)
                length *= 4;
            assert_true(table->window_end - table->window_start == length);
            assert_true(table->window_start % length == 0);
        }
    }
    flowdb_tables_free(&tables);
}

static void a_table_of_range_deletes_alone_has_no_keys(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_delete_range(engine, "a", "b");
    engine_flush(engine);
    flowdb_tables tables = list(engine);
    assert_int_equal(tables.count, 1);
    assert_int_equal(tables.tables[0]->min_key.size + tables.tables[0]->max_key.size, 0);
    assert_int_equal(tables.tables[0]->records, 0);
    assert_int_equal(tables.tables[0]->range_tombstones, 1);
    assert_true(tables.tables[0]->min_ts > tables.tables[0]->max_ts);
    assert_int_equal(tables.tables[0]->window_level, 0);
    flowdb_tables_free(&tables);
}

static void what_it_cannot_do_it_refuses(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    flowdb_tables tables = {.count = 77};
    assert_int_equal(flowdb_list_tables(NULL, &tables), FLOWDB_INVALID_ARGUMENT);
    assert_int_equal(flowdb_list_tables(engine->db, NULL), FLOWDB_INVALID_ARGUMENT);
    engine->failing.calls = 0;
    engine->failing.fail_at = 1;
    assert_int_equal(flowdb_list_tables(engine->db, &tables), FLOWDB_NO_MEMORY);
    engine->failing.fail_at = 0;
    assert_true(tables.count == 77 && tables.owner == NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(without_tables_the_list_is_empty),
        ENGINE_TEST(tables_are_listed_newest_first_with_all_that_is_known),
        ENGINE_TEST(windows_hold_what_is_in_them),
        ENGINE_TEST(a_table_of_range_deletes_alone_has_no_keys),
        ENGINE_TEST(what_it_cannot_do_it_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
