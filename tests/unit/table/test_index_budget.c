/* Tables whose index and filter are not all in memory: what they read, keep, and say when it fails. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "fixture.h"
#include "support/fault_fs.h"
#include "table/reader.h"

struct budgeted {
    struct fixture *fixture;
    struct fault_fs fs;
    struct fl_env env; /* on fs */
    struct rows rows;
    uint64_t file_size;
    struct fl_index_budget budget;
    struct fl_cache *cache;
    struct fl_table *table;
};

/* Some partitions of small blocks, without filter unless a test wants one. */
static int set_up(void **state) {
    void *fixture;
    if (fixture_set_up(&fixture) != 0)
        return -1;
    struct budgeted *made = calloc(1, sizeof *made);
    made->fixture = fixture;
    fault_fs_init(&made->fs);
    made->env = made->fixture->env;
    made->env.fs = &made->fs.fs;
    struct seeded dice = {5};
    struct recipe recipe = {.keys = 60, .rows_per_key = 120, .value_size_max = 20, .expires = true};
    rows_random(&made->rows, &dice, &recipe);
    *state = made;
    return 0;
}

static void close_table(struct budgeted *made) {
    fl_table_unref(made->table);
    made->table = NULL;
    assert_int_equal(made->budget.used, 0);
    if (made->cache != NULL) {
        struct fl_cache_counts counts;
        fl_cache_counts(made->cache, &counts);
        assert_int_equal(counts.bytes, 0);
        assert_int_equal(counts.pinned_bytes, 0);
    }
    fl_cache_destroy(made->cache);
    made->cache = NULL;
}

static int tear_down(void **state) {
    struct budgeted *made = *state;
    void *fixture = made->fixture;
    close_table(made);
    bool leaked = made->fs.open_files != 0;
    rows_free(&made->rows);
    fault_fs_deinit(&made->fs);
    free(made);
    int result = fixture_tear_down(&fixture);
    return leaked ? -1 : result;
}

static void build(struct budgeted *made, uint32_t bloom_bits_per_key) {
    struct fl_table_options options = fixture_options(128, FL_CODEC_LZ4);
    options.bloom_bits_per_key = bloom_bits_per_key;
    struct fl_table_properties properties;
    assert_int_equal(fixture_build(made->fixture, &made->rows, &options, &properties), FLOWDB_OK);
    made->file_size = properties.file_size;
}

static flowdb_status try_open(struct budgeted *made, size_t budget, size_t cache) {
    made->budget.limit = budget;
    if (cache > 0)
        assert_int_equal(fl_cache_create(fl_alloc_system(), cache, &made->cache), FLOWDB_OK);
    const struct fl_table_shared shared = {.cache = made->cache, .budget = &made->budget};
    return fl_table_open_shared(&made->env, made->fixture->path, TABLE_ID, made->file_size, &shared,
                                &made->table);
}

static void open_with(struct budgeted *made, size_t budget, size_t cache) {
    if (try_open(made, budget, cache) != FLOWDB_OK)
        fail_msg("%s", flowdb_last_error());
    assert_true(made->table->index.count > 3);
}

static uint32_t residents(const struct fl_table *table) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->index.count; i++)
        count += table->index.residents[i] != NULL;
    return count;
}

static uint64_t reads(const struct budgeted *made) {
    return made->fs.counts[FAULT_READ];
}

static flowdb_status get_row(struct budgeted *made, const struct fl_row *expected, bool *found) {
    struct fl_row row;
    struct fl_table_pin pin = {0};
    *found = false;
    flowdb_status status = fl_table_get(made->table, expected->key, fl_hash_key(expected->key),
                                        expected->ts, &read_all, found, &row, &pin);
    assert_false(*found && status != FLOWDB_OK);
    if (*found)
        assert_row(&row, expected);
    fl_table_pin_release(&pin);
    return status;
}

/* Reads of the file that getting the row takes. */
static uint64_t reads_of_get(struct budgeted *made, const struct fl_row *row) {
    bool found;
    uint64_t before = reads(made);
    assert_int_equal(get_row(made, row, &found), FLOWDB_OK);
    assert_true(found);
    return reads(made) - before;
}

static const struct fl_row *middle_row(const struct budgeted *made) {
    return &made->rows.rows[made->rows.count / 2];
}

/* ------------------------------------------------------------------------- what is answered -- */

static void check_all(struct budgeted *made, struct seeded *dice) {
    check_gets(made->table, &made->rows);
    for (int i = 0; i < 24; i++) {
        struct fl_bounds bounds = bounds_all(i % 2 != 0);
        if (i % 3 == 0) {
            bounds.key_low = made->rows.rows[pick(dice, made->rows.count)].key;
            bounds.key_high = made->rows.rows[pick(dice, made->rows.count)].key;
            bounds.key_high_kind = i % 4 < 2 ? FL_BOUND_INCLUSIVE : FL_BOUND_EXCLUSIVE;
        }
        if (i % 4 != 0) {
            bounds.ts_low = made->rows.rows[pick(dice, made->rows.count)].ts;
            bounds.ts_high = made->rows.rows[pick(dice, made->rows.count)].ts;
        }
        const struct fl_row *from = &made->rows.rows[pick(dice, made->rows.count)];
        flowdb_slice key = i % 5 < 2 ? (flowdb_slice){0} : from->key;
        check_scan(made->table, &made->rows, &bounds, key, from->ts);
    }
}

static void any_budget_and_any_cache_give_the_same_answers(void **state) {
    struct budgeted *made = *state;
    static const size_t budgets[] = {0, 20000, 1 << 20}, caches[] = {0, 6000, 1 << 20};
    struct seeded dice = seeded_begin(__func__);
    build(made, 10);
    for (size_t i = 0; i < 9; i++) {
        open_with(made, budgets[i % 3], caches[i / 3]);
        uint32_t count = residents(made->table), all = made->table->index.count;
        assert_true(i % 3 == 0 ? count == 0 : i % 3 == 1 ? count > 0 && count < all : count == all);
        check_all(made, &dice);
        if (i % 3 == 1)
            assert_true(made->budget.used <= made->budget.limit);
        close_table(made);
    }
}

/* --------------------------------------------------------------------------- what is read -- */

static void without_budget_and_cache_each_get_reads_a_partition_and_a_block(void **state) {
    struct budgeted *made = *state;
    build(made, 0);
    uint64_t before = reads(made);
    open_with(made, 0, 0);
    uint64_t opening = reads(made) - before;
    assert_int_equal(reads_of_get(made, middle_row(made)), 2);
    assert_int_equal(reads_of_get(made, middle_row(made)), 2);
    uint32_t partitions = made->table->index.count;
    close_table(made);
    before = reads(made);
    open_with(made, 1 << 20, 0);
    assert_int_equal(reads(made) - before, opening + partitions);
    assert_int_equal(reads_of_get(made, middle_row(made)), 1);
}

static void the_cache_keeps_partitions_that_the_budget_has_no_room_for(void **state) {
    struct budgeted *made = *state;
    build(made, 0);
    open_with(made, 0, 1 << 20);
    assert_int_equal(reads_of_get(made, middle_row(made)), 2);
    assert_int_equal(reads_of_get(made, middle_row(made)), 0);
    struct fl_cache_counts counts;
    fl_cache_counts(made->cache, &counts);
    assert_int_equal(counts.entries, 2);
    assert_int_equal(residents(made->table), 0);
}

/* What the cache holds when the whole table has been read. */
static uint64_t cached_by_a_scan(struct budgeted *made, const struct fl_table_read *read) {
    const struct fl_bounds bounds = bounds_all(false);
    struct fl_source *source;
    assert_int_equal(fl_table_source(made->table, &bounds, read, &source), FLOWDB_OK);
    assert_int_equal(fl_source_seek(source, (flowdb_slice){0}, 0), FLOWDB_OK);
    while (source->valid)
        assert_int_equal(fl_source_next(source), FLOWDB_OK);
    fl_source_close(source);
    struct fl_cache_counts counts;
    fl_cache_counts(made->cache, &counts);
    return counts.entries;
}

static void reads_that_do_not_fill_the_cache_leave_no_partition_in_it(void **state) {
    struct budgeted *made = *state;
    build(made, 0);
    open_with(made, 0, 1 << 20);
    const struct fl_table_read read = {.verify_checksums = true, .fill_cache = false};
    assert_int_equal(cached_by_a_scan(made, &read), 0);
}

/* Who asks for verified ones must not be given them. */
static void blocks_that_were_not_verified_are_not_cached(void **state) {
    struct budgeted *made = *state;
    build(made, 0);
    open_with(made, 1 << 20, 1 << 20);
    const struct fl_table_read unverified = {.verify_checksums = false, .fill_cache = true};
    assert_int_equal(cached_by_a_scan(made, &unverified), 0);
    assert_true(cached_by_a_scan(made, &read_all) > 0);
}

static void room_that_is_given_back_is_used_by_what_is_read_next(void **state) {
    struct budgeted *made = *state;
    build(made, 0);
    open_with(made, 1 << 20, 0);
    struct fl_table *first = made->table;
    size_t whole = made->budget.used;
    made->budget.limit = whole;
    const struct fl_table_shared shared = {.budget = &made->budget};
    assert_int_equal(fl_table_open_shared(&made->env, made->fixture->path, TABLE_ID,
                                          made->file_size, &shared, &made->table),
                     FLOWDB_OK);
    assert_int_equal(residents(made->table), 0);
    assert_int_equal(reads_of_get(made, middle_row(made)), 2);
    assert_int_equal(residents(made->table), 0);
    fl_table_unref(first);
    assert_int_equal(reads_of_get(made, middle_row(made)), 2);
    assert_int_equal(residents(made->table), 1);
    assert_int_equal(reads_of_get(made, middle_row(made)), 1);
    assert_int_equal(made->budget.used, fl_table_index_memory(made->table));
    assert_true(made->budget.used < whole);
}

/* Rows of one key in order of time fill all the partitions, so that each has hours of its own. */
static void partitions_outside_the_time_asked_for_are_not_read(void **state) {
    struct budgeted *made = *state;
    enum { ROWS = 30000 };
    rows_free(&made->rows);
    made->rows = (struct rows){0};
    struct seeded dice = {6};
    for (int64_t ts = 0; ts < ROWS; ts++) {
        char value[20];
        snprintf(value, sizeof value, "%016llx", (unsigned long long)seeded_next(&dice));
        rows_put(&made->rows, "series", ts, (uint64_t)ts, value);
    }
    build(made, 0);
    open_with(made, 0, 0);
    struct fl_bounds bounds = bounds_all(false);
    bounds.ts_low = ROWS - 3;
    bounds.ts_high = ROWS - 2;
    for (int reverse = 0; reverse < 2; reverse++) {
        uint64_t before = reads(made);
        bounds.reverse = reverse != 0;
        check_scan(made->table, &made->rows, &bounds, (flowdb_slice){0}, 0);
        /* The last partition, and one block of it or two. */
        assert_in_range(reads(made) - before, 2, 3);
        bounds.ts_low = 3;
        bounds.ts_high = 4;
    }
}

static void filters_go_through_the_cache_too(void **state) {
    struct budgeted *made = *state;
    build(made, 64);
    open_with(made, 0, 1 << 20);
    uint64_t before = reads(made);
    unsigned passed = 0;
    for (uint64_t i = 0; i < 100; i++)
        passed += fl_table_may_contain(made->table, middle_row(made)->key,
                                       i * UINT64_C(0x9E3779B97F4A7C15));
    assert_true(passed < 10);
    assert_int_equal(reads(made) - before, 1);
    close_table(made);
    /* One that would not be kept is not asked. */
    open_with(made, 0, 100);
    before = reads(made);
    assert_true(fl_table_may_contain(made->table, middle_row(made)->key, 0));
    assert_int_equal(reads(made), before);
    check_gets(made->table, &made->rows);
}

/* More gets than a memo waits for: one in 16 keys, and 16. */
static void ask_often(struct budgeted *made, const struct fl_row *row) {
    uint64_t gets = made->table->properties.key_count / 16 + 20;
    for (uint64_t i = 0; i < gets; i++)
        reads_of_get(made, row);
}

static void keys_that_were_found_are_remembered_where_there_is_room(void **state) {
    struct budgeted *made = *state;
    struct seeded dice = seeded_begin(__func__);
    rows_free(&made->rows);
    made->rows = (struct rows){0};
    struct recipe recipe = {.keys = 1500, .rows_per_key = 4, .value_size_max = 20};
    rows_random(&made->rows, &dice, &recipe);
    build(made, 10);
    for (size_t budget = 0; budget <= 1 << 20; budget += 1 << 20) {
        open_with(made, budget, 1 << 20);
        ask_often(made, middle_row(made));
        assert_true((made->table->memo != NULL) == (budget > 0));
        for (int i = 0; i < 3; i++)
            check_all(made, &dice);
        assert_true(made->budget.used >= fl_table_index_memory(made->table));
        close_table(made);
    }
    /* Nor is one made where blocks are not cached. */
    open_with(made, 1 << 20, 0);
    ask_often(made, middle_row(made));
    assert_null(made->table->memo);
}

/* Not even a filter that is not in memory. */
static void a_time_outside_of_the_table_is_looked_for_nowhere(void **state) {
    struct budgeted *made = *state;
    build(made, 10);
    open_with(made, 0, 1 << 20);
    const struct fl_table_properties *properties = fl_table_properties(made->table);
    struct fl_row row = *middle_row(made);
    bool found = true;
    uint64_t before = reads(made);
    row.ts = properties->max_ts + 1;
    assert_int_equal(get_row(made, &row, &found), FLOWDB_OK);
    assert_false(found);
    row.ts = properties->min_ts - 1;
    assert_int_equal(get_row(made, &row, &found), FLOWDB_OK);
    assert_false(found);
    assert_int_equal(reads(made), before);
    row.ts = properties->max_ts;
    assert_int_equal(get_row(made, &row, &found), FLOWDB_OK);
    assert_true(reads(made) > before);
}

static void keys_that_go_on_for_blocks_are_not_remembered(void **state) {
    struct budgeted *made = *state;
    build(made, 10);
    open_with(made, 1 << 20, 1 << 20);
    assert_true(made->table->index.block_count > made->table->properties.key_count);
    ask_often(made, middle_row(made));
    assert_null(made->table->memo);
}

/* The key's last row, by a memo that knows its first block as well as by one that knows nothing. */
static void the_latest_of_a_key_in_many_blocks_is_in_the_last_of_them(void **state) {
    struct budgeted *made = *state;
    enum { ROWS = 2000 };
    rows_free(&made->rows);
    made->rows = (struct rows){0};
    struct seeded dice = {7};
    for (int key = 0; key < 2; key++) {
        for (int64_t ts = 0; ts < ROWS; ts++) {
            char value[20];
            snprintf(value, sizeof value, "%016llx", (unsigned long long)seeded_next(&dice));
            rows_put(&made->rows, key == 0 ? "a" : "b", ts, (uint64_t)ts, value);
        }
    }
    /* Without these the blocks were more than the keys, and nothing remembered. */
    for (int i = 0; i < 3000; i++) {
        char key[16];
        snprintf(key, sizeof key, "c%04d", i);
        rows_put(&made->rows, key, 0, (uint64_t)(ROWS + i), "");
    }
    build(made, 10);
    open_with(made, 1 << 20, 1 << 20);
    ask_often(made, &made->rows.rows[10]);
    assert_non_null(made->table->memo);
    for (int64_t ts = ROWS + 2; ts >= -1; ts--) {
        const struct fl_row *expected = &made->rows.rows[ts < ROWS ? ts : ROWS - 1];
        struct fl_row row;
        struct fl_table_pin pin = {0};
        bool found;
        flowdb_slice key = flowdb_str("a");
        if (ts % 3 == 0 && ts < ROWS)
            reads_of_get(made, &made->rows.rows[ts]); /* the memo knows of another block now */
        assert_int_equal(
            fl_table_latest(made->table, key, fl_hash_key(key), ts, &read_all, &found, &row, &pin),
            FLOWDB_OK);
        assert_true(found == (ts >= 0));
        if (found)
            assert_row(&row, expected);
        fl_table_pin_release(&pin);
    }
}

/* ------------------------------------------------------------------------------------ memory -- */

/* malloc, counting what it takes, its header included. */
struct counting_alloc {
    struct fl_alloc alloc;
    size_t bytes;
};

static void *counted_allocate(void *context, size_t size) {
    struct counting_alloc *counting = context;
    void *memory = malloc(size);
    counting->bytes += memory != NULL ? malloc_usable_size(memory) + 8 : 0;
    return memory;
}

static void counted_release(void *context, void *memory) {
    struct counting_alloc *counting = context;
    counting->bytes -= memory != NULL ? malloc_usable_size(memory) + 8 : 0;
    free(memory);
}

static void *counted_reallocate(void *context, void *memory, size_t size) {
    void *grown = counted_allocate(context, size);
    if (grown != NULL && memory != NULL)
        memcpy(grown, memory, FL_MIN(size, malloc_usable_size(memory)));
    if (grown != NULL)
        counted_release(context, memory);
    return grown;
}

static void the_caches_capacity_and_the_budget_bound_memory(void **state) {
    struct budgeted *made = *state;
    enum { CAPACITY = 50000 };
    struct counting_alloc counting = {.alloc = {.allocate = counted_allocate,
                                                .reallocate = counted_reallocate,
                                                .release = counted_release,
                                                .context = &counting}};
    build(made, 10);
    const struct fl_alloc *usual = made->env.alloc;
    made->env.alloc = &counting.alloc;
    open_with(made, 20000, CAPACITY);
    check_gets(made->table, &made->rows);
    struct fl_cache_counts counts;
    fl_cache_counts(made->cache, &counts);
    assert_true(counts.evictions > 100);
    assert_true(counts.bytes <= CAPACITY);
    assert_true(counts.bytes > CAPACITY - 5000);
    /* Besides these: the table itself and its path. */
    assert_true(counting.bytes <= CAPACITY + made->budget.limit + 1500);
    close_table(made);
    assert_int_equal(counting.bytes, 0);
    made->env.alloc = usual;
}

/* --------------------------------------------------------------------------- when it fails -- */

static void flip(const struct budgeted *made, uint64_t offset) {
    size_t size;
    uint8_t *bytes = scratch_read(made->fixture->path, &size);
    bytes[offset] ^= 0x10;
    scratch_write(made->fixture->path, bytes, size);
    free(bytes);
}

static void assert_names(const struct budgeted *made, uint64_t offset) {
    char place[64];
    snprintf(place, sizeof place, "at offset %llu", (unsigned long long)offset);
    assert_non_null(strstr(flowdb_last_error(), made->fixture->path));
    assert_non_null(strstr(flowdb_last_error(), place));
}

/* Reads all, one by one and as a scan in both directions; how many gets failed. */
static size_t count_refusals(struct budgeted *made, uint64_t offset) {
    size_t refused = 0;
    for (size_t i = 0; i < made->rows.count; i += 7) {
        bool found;
        flowdb_status status = get_row(made, &made->rows.rows[i], &found);
        if (status == FLOWDB_OK) {
            assert_true(found);
            continue;
        }
        assert_int_equal(status, FLOWDB_CORRUPTION);
        assert_names(made, offset);
        refused++;
    }
    return refused;
}

static void a_damaged_partition_is_noticed_when_it_is_read(void **state) {
    struct budgeted *made = *state;
    build(made, 0);
    open_with(made, 0, 0);
    uint32_t partitions = made->table->index.count;
    struct fl_root_entry entries[64];
    assert_true(partitions <= 64);
    memcpy(entries, made->table->index.entries, partitions * sizeof *entries);
    close_table(made);
    size_t refused = 0;
    for (uint32_t i = 0; i < partitions; i++) {
        uint64_t place = entries[i].offset + entries[i].size / 2;
        flip(made, place);
        assert_int_equal(try_open(made, 1 << 20, 0), FLOWDB_CORRUPTION);
        open_with(made, 0, i % 2 == 0 ? 0 : 1 << 20);
        refused += count_refusals(made, entries[i].offset);
        for (int reverse = 0; reverse < 2; reverse++) {
            struct fl_bounds bounds = bounds_all(reverse != 0);
            struct fl_source *source;
            assert_int_equal(fl_table_source(made->table, &bounds, &read_all, &source), FLOWDB_OK);
            flowdb_status status = fl_source_seek(source, (flowdb_slice){0}, 0);
            while (status == FLOWDB_OK && source->valid)
                status = fl_source_next(source);
            assert_int_equal(status, FLOWDB_CORRUPTION);
            assert_false(source->valid);
            assert_names(made, entries[i].offset);
            fl_source_close(source);
        }
        close_table(made);
        flip(made, place);
    }
    /* Each row that was asked for lies in one of them. */
    assert_int_equal(refused, (made->rows.count + 6) / 7);
}

static void a_damaged_filter_lets_all_pass(void **state) {
    struct budgeted *made = *state;
    build(made, 10);
    open_with(made, 0, 1 << 20);
    uint64_t place = made->table->filter_extent.offset + 40;
    close_table(made);
    flip(made, place);
    assert_int_equal(try_open(made, 1 << 20, 0), FLOWDB_CORRUPTION);
    open_with(made, 0, 1 << 20);
    check_gets(made->table, &made->rows);
}

/* Opens, reads some rows and all of them; the first failure. Nothing is ever missing. */
static flowdb_status attempt(struct budgeted *made, size_t budget, size_t cache) {
    flowdb_status status = try_open(made, budget, cache);
    for (size_t i = 0; status == FLOWDB_OK && i < made->rows.count; i += 60) {
        bool found;
        status = get_row(made, &made->rows.rows[i], &found);
        assert_true(found == (status == FLOWDB_OK));
    }
    struct fl_bounds bounds = bounds_all(cache > 0);
    struct fl_source *source = NULL;
    if (status == FLOWDB_OK)
        status = fl_table_source(made->table, &bounds, &read_all, &source);
    if (source != NULL)
        status = fl_source_seek(source, (flowdb_slice){0}, 0);
    size_t seen = 0;
    while (status == FLOWDB_OK && source->valid) {
        seen++;
        status = fl_source_next(source);
    }
    assert_true(status != FLOWDB_OK || seen == made->rows.count);
    fl_source_close(source);
    close_table(made);
    return status;
}

static void shrink(struct budgeted *made) {
    made->rows.count /= 2;
    build(made, 10);
}

static void every_file_call_may_fail(void **state) {
    struct budgeted *made = *state;
    shrink(made);
    for (size_t cache = 0; cache <= 20000; cache += 20000) {
        uint64_t failed = 0;
        for (uint64_t n = 1;; n++) {
            fault_fs_arm(&made->fs, n, false, FAULT_BEFORE, FLOWDB_IO_ERROR);
            flowdb_status status = attempt(made, 14000, cache);
            uint64_t failures = made->fs.failures;
            fault_fs_disarm(&made->fs);
            assert_true(status == FLOWDB_OK || (status == FLOWDB_IO_ERROR && failures == 1));
            failed += status != FLOWDB_OK;
            if (failures == 0)
                break;
            /* A filter that cannot be read is done without. */
            assert_true(failed + 1 >= n);
        }
        assert_true(failed > 10);
    }
}

static void every_allocation_may_fail(void **state) {
    struct budgeted *made = *state;
    struct failing_alloc *alloc = &made->fixture->alloc;
    shrink(made);
    for (size_t cache = 0; cache <= 20000; cache += 20000) {
        for (uint64_t n = 1;; n++) {
            int64_t live = alloc->live;
            alloc->calls = 0;
            alloc->fail_at = n;
            flowdb_status status = attempt(made, 14000, cache);
            assert_true(status == FLOWDB_OK || status == FLOWDB_NO_MEMORY);
            assert_true(alloc->live == live);
            if (alloc->calls < n)
                break;
        }
        alloc->fail_at = 0;
    }
}

#define BUDGET_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        BUDGET_TEST(any_budget_and_any_cache_give_the_same_answers),
        BUDGET_TEST(without_budget_and_cache_each_get_reads_a_partition_and_a_block),
        BUDGET_TEST(the_cache_keeps_partitions_that_the_budget_has_no_room_for),
        BUDGET_TEST(reads_that_do_not_fill_the_cache_leave_no_partition_in_it),
        BUDGET_TEST(blocks_that_were_not_verified_are_not_cached),
        BUDGET_TEST(room_that_is_given_back_is_used_by_what_is_read_next),
        BUDGET_TEST(partitions_outside_the_time_asked_for_are_not_read),
        BUDGET_TEST(filters_go_through_the_cache_too),
        BUDGET_TEST(keys_that_were_found_are_remembered_where_there_is_room),
        BUDGET_TEST(a_time_outside_of_the_table_is_looked_for_nowhere),
        BUDGET_TEST(keys_that_go_on_for_blocks_are_not_remembered),
        BUDGET_TEST(the_latest_of_a_key_in_many_blocks_is_in_the_last_of_them),
        BUDGET_TEST(the_caches_capacity_and_the_budget_bound_memory),
        BUDGET_TEST(a_damaged_partition_is_noticed_when_it_is_read),
        BUDGET_TEST(a_damaged_filter_lets_all_pass),
        BUDGET_TEST(every_file_call_may_fail),
        BUDGET_TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
