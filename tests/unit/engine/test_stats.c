/* flowdb_get_stats: exact numbers after known operations. */
#include "engine_fixture.h"

#include <string.h>

#include "engine/engine.h"

static flowdb_stats stats_of(struct engine *engine) {
    flowdb_stats stats = {.struct_size = sizeof stats};
    engine_assert_ok(flowdb_get_stats(engine->db, &stats));
    assert_int_equal(stats.struct_size, sizeof stats);
    return stats;
}

static void get(struct engine *engine, const char *key, int64_t ts, flowdb_status expected) {
    flowdb_result found = {0};
    assert_int_equal(flowdb_get(engine->db, flowdb_str(key), ts, &found), expected);
    flowdb_result_free(&found);
}

static void a_new_database_has_done_nothing(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    flowdb_stats stats = stats_of(engine);
    const flowdb_stats_field *field;
    for (size_t i = 0; (field = flowdb_stats_field_at(i)) != NULL; i++) {
        uint64_t number;
        memcpy(&number, (const char *)&stats + field->offset, sizeof number);
        if (field->kind == FLOWDB_STATS_COUNTER && number != 0)
            fail_msg("%s is %llu", field->name, (unsigned long long)number);
    }
    assert_int_equal(stats.memtable_records, 0);
    assert_int_equal(stats.sstable_count, 0);
    assert_int_equal(stats.time_index_buckets, 0);
    assert_true(stats.block_cache_hit_rate == 0 && stats.compression_ratio == 0);
    assert_int_equal(stats.writes_accepted, 1);
    assert_int_equal(stats.uptime_secs, 0);
    assert_true(stats.wal_bytes > 0); /* the header */
}

static void writes_are_counted_as_they_were_given(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    uint64_t wal_bytes = stats_of(engine).wal_bytes;
    engine_put(engine, "key", 1, "value");
    engine_delete(engine, "key", 2);
    engine_delete_range(engine, "aa", "bbb");
    flowdb_batch *batch = flowdb_batch_create();
    engine_assert_ok(
        flowdb_batch_put(batch, flowdb_str("k"), 1, FLOWDB_NEVER, flowdb_str("thrown")));
    flowdb_batch_clear(batch);
    engine_assert_ok(flowdb_batch_put(batch, flowdb_str("k"), 1, FLOWDB_NEVER, flowdb_str("1")));
    engine_assert_ok(flowdb_batch_put(batch, flowdb_str("k"), 1, FLOWDB_NEVER, flowdb_str("2")));
    engine_assert_ok(flowdb_batch_delete(batch, flowdb_str("kk"), 1));
    engine_assert_ok(flowdb_write_batch(engine->db, batch));
    engine_assert_ok(flowdb_write_batch_owned(engine->db, batch));
    flowdb_slice value = flowdb_str("patched");
    flowdb_patch patch = {.value = &value};
    engine_assert_ok(flowdb_patch_record(engine->db, flowdb_str("key"), 1, &patch, NULL));
    flowdb_stats stats = stats_of(engine);
    assert_int_equal(stats.total_records_written, 1 + 2 + 2 + 1);
    assert_int_equal(stats.total_deletes_written, 1 + 1 + 1 + 1);
    assert_int_equal(stats.total_bytes_written, 8 + 3 + 5 + 2 * (2 + 2 + 2) + 10);
    assert_int_equal(stats.total_write_calls, 6);
    assert_int_equal(stats.memtable_records, 10);
    assert_true(stats.memtable_bytes > 0);
    assert_true(stats.wal_bytes > wal_bytes + stats.total_bytes_written);
    assert_int_equal(stats.last_sequence, 10);
    assert_int_equal(stats.total_records_read, 0);
    /* What fails leaves no trace. */
    assert_int_equal(flowdb_delete_range(engine->db, flowdb_str("b"), flowdb_str("a")),
                     FLOWDB_INVALID_ARGUMENT);
    assert_int_equal(stats_of(engine).total_deletes_written, 4);
}

static void reads_are_counted_by_the_records_they_return(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    engine_put(engine, "a", 2, "x");
    engine_put(engine, "b", 1, "x");
    get(engine, "a", 1, FLOWDB_OK);
    get(engine, "a", 9, FLOWDB_NOT_FOUND);
    flowdb_result found = {0};
    engine_assert_ok(flowdb_get_latest(engine->db, flowdb_str("a"), &found));
    flowdb_result_free(&found);
    flowdb_range all = flowdb_range_all();
    engine_assert_ok(flowdb_query(engine->db, &all, NULL, &found));
    flowdb_result_free(&found);
    flowdb_stats stats = stats_of(engine);
    assert_int_equal(stats.total_get_calls, 3);
    assert_int_equal(stats.total_query_calls, 1);
    assert_int_equal(stats.total_scan_calls, 0);
    assert_int_equal(stats.total_records_read, 1 + 1 + 3);

    flowdb_iterator *iterator;
    flowdb_record record;
    engine_assert_ok(flowdb_scan(engine->db, &all, NULL, &iterator));
    engine_assert_ok(flowdb_iterator_next(iterator, &record));
    engine_assert_ok(flowdb_iterator_next_key(iterator, &record));
    stats = stats_of(engine);
    assert_int_equal(stats.iterators_open, 1);
    assert_int_equal(stats.total_scan_calls, 1);
    assert_int_equal(stats.total_records_read, 5); /* it is early */
    assert_int_equal(flowdb_iterator_next(iterator, &record), FLOWDB_DONE);
    assert_int_equal(stats_of(engine).total_records_read, 7);
    engine_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("b"), 0));
    engine_assert_ok(flowdb_iterator_next(iterator, &record));
    flowdb_iterator_destroy(iterator);
    stats = stats_of(engine);
    assert_int_equal(stats.total_records_read, 8);
    assert_int_equal(stats.iterators_open, 0);
}

/* A long scan is seen while it goes on. */
static void a_long_scan_is_counted_on_its_way(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    enum { RECORDS = 5000 };
    flowdb_batch *batch = flowdb_batch_create();
    for (int64_t i = 0; i < RECORDS; i++)
        engine_assert_ok(
            flowdb_batch_put(batch, flowdb_str("a"), i, FLOWDB_NEVER, flowdb_str("x")));
    engine_assert_ok(flowdb_write_batch_owned(engine->db, batch));
    flowdb_iterator *iterator;
    flowdb_record record;
    flowdb_range all = flowdb_range_all();
    engine_assert_ok(flowdb_scan(engine->db, &all, NULL, &iterator));
    for (int64_t i = 0; i < RECORDS; i++)
        engine_assert_ok(flowdb_iterator_next(iterator, &record));
    uint64_t seen = stats_of(engine).total_records_read;
    assert_true(seen > 0 && seen < RECORDS);
    flowdb_iterator_destroy(iterator);
    assert_int_equal(stats_of(engine).total_records_read, RECORDS);
}

static void memory_becomes_tables(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "xx");
    engine_put(engine, "a", 1, "xx");
    engine_delete(engine, "b", 1);
    engine_delete_range(engine, "m", "n");
    engine_flush(engine);
    engine_put(engine, "c", ENGINE_NOW - ENGINE_YEAR, "xxxx");
    engine_flush(engine);
    engine_put(engine, "d", 1, "x");
    flowdb_stats stats = stats_of(engine);
    const struct fl_version *version = engine->db->version;
    uint64_t bytes = fl_table_properties(version->tables[0])->file_size +
                     fl_table_properties(version->tables[1])->file_size;
    assert_int_equal(stats.total_flushes, 2);
    assert_int_equal(stats.total_flush_bytes, bytes);
    assert_int_equal(stats.sstable_count, 2);
    assert_int_equal(stats.sstable_bytes, bytes);
    assert_int_equal(stats.sstable_records, 3);
    assert_int_equal(stats.sstable_deletes, 1);
    assert_int_equal(stats.sstable_range_tombstones, 1);
    assert_int_equal(stats.sstable_raw_bytes, 3 + 1 + 5);
    assert_true(stats.compression_ratio == 9.0 / (double)bytes);
    assert_int_equal(stats.block_meta_index_entries, 2);
    assert_int_equal(stats.time_index_buckets, 2); /* 1970, and last year */
    assert_true(stats.index_bytes > 0);
    assert_int_equal(stats.memtable_records, 1);
    assert_int_equal(stats.frozen_memtable_count, 0);
    assert_int_equal(stats.flushes_running, 0);
}

/* Range deletes "0000".."0001", "0002".."0003" and so on. */
static void delete_ranges(struct engine *engine, int count) {
    for (int i = 0; i < count; i++) {
        char start[16], end[16];
        snprintf(start, sizeof start, "%06d", 2 * i);
        snprintf(end, sizeof end, "%06d", 2 * i + 1);
        engine_delete_range(engine, start, end);
    }
}

static void range_deletes_in_tables_take_of_the_memory_for_indexes(void **state) {
    enum { DELETES = 10000 };
    struct engine *engine = *state;
    engine->config.index_memory_budget_mb = 1;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    engine_flush(engine);
    assert_int_equal(stats_of(engine).sstable_range_tombstone_bytes, 0);
    uint64_t before = stats_of(engine).index_bytes;
    delete_ranges(engine, DELETES);
    engine_flush(engine);
    flowdb_stats stats = stats_of(engine);
    assert_int_equal(stats.sstable_range_tombstones, DELETES);
    /* Each in its table, with its keys, and as two pieces of the version's skyline. */
    size_t each = sizeof(struct fl_range_tombstone) + 12 + 2 * sizeof(struct fl_skyline_piece);
    assert_in_range(stats.sstable_range_tombstone_bytes, DELETES * each, DELETES * each * 11 / 10);
    assert_true(stats.index_bytes >= before + stats.sstable_range_tombstone_bytes);
    /* They leave no room for what need not stay. */
    assert_true(stats.index_bytes > 1 << 20);
    engine_put(engine, "b", 1, "x");
    engine_flush(engine);
    struct fl_version *version = fl_engine_pin(engine->db);
    assert_true(fl_table_index_memory(version->tables[0]) < before);
    fl_version_unref(version);
    engine_assert_contents(engine, "a@1=x b@1=x");
    /* They are charged as long as a reader holds them. */
    flowdb_range all = flowdb_range_all();
    flowdb_iterator *iterator;
    engine_assert_ok(flowdb_scan(engine->db, &all, NULL, &iterator));
    engine_assert_ok(flowdb_compact_all(engine->db));
    stats = stats_of(engine);
    assert_int_equal(stats.sstable_range_tombstone_bytes, 0);
    assert_true(stats.index_bytes > DELETES * each);
    flowdb_iterator_destroy(iterator);
    assert_true(stats_of(engine).index_bytes < 2 * before);
}

static void frozen_memtables_and_their_logs_count_too(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    uint64_t empty = stats_of(engine).wal_bytes;
    for (int i = 0; i < 5; i++) {
        char key[2] = {(char)('a' + i), '\0'};
        engine_put_large(engine, key);
    }
    flowdb_stats stats = stats_of(engine);
    assert_int_equal(stats.frozen_memtable_count, 1);
    assert_int_equal(stats.memtable_records, 5);
    assert_true(stats.memtable_bytes >= stats.total_bytes_written);
    assert_true(stats.wal_bytes > stats.total_bytes_written);
    assert_true(stats.wal_bytes < stats.total_bytes_written + 1000);
    assert_true(stats.write_memory_bytes >= stats.total_bytes_written);
    engine_flush(engine);
    stats = stats_of(engine);
    assert_int_equal(stats.wal_bytes, empty);
    assert_int_equal(stats.memtable_records, 0);
    assert_int_equal(stats.memtable_bytes, 0);
}

static void compaction_and_gc_say_what_they_removed(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put_until(engine, "a", 1, ENGINE_NOW + 10, "x"); /* both expire */
    engine_put_until(engine, "b", 1, ENGINE_NOW + 10, "x");
    engine_put(engine, "c", 1, "x");
    engine_flush(engine);
    engine_put(engine, "d", 1, "x");
    engine_flush(engine);
    atomic_fetch_add(&engine->clock.wall_us, 20);
    engine_assert_ok(flowdb_compact_all(engine->db));
    flowdb_stats stats = stats_of(engine);
    assert_int_equal(stats.total_compaction_runs, 1);
    assert_int_equal(stats.total_records_expired, 2);
    assert_int_equal(stats.records_purged_by_gc, 0);
    assert_int_equal(stats.total_compaction_bytes_in, stats.total_flush_bytes);
    assert_int_equal(stats.total_compaction_bytes_out, stats.sstable_bytes);
    assert_int_equal(stats.compactions_running, 0);
    engine_put_until(engine, "e", 1, ENGINE_NOW + 30, "x");
    engine_flush(engine);
    atomic_fetch_add(&engine->clock.wall_us, 20);
    engine_assert_ok(flowdb_gc(engine->db, NULL));
    stats = stats_of(engine);
    assert_int_equal(stats.total_gc_runs, 1);
    assert_int_equal(stats.records_purged_by_gc, 1);
    assert_int_equal(stats.total_records_expired, 3);
}

static void the_block_cache_tells_hits_from_misses(void **state) {
    struct engine *engine = *state;
    engine->config.block_cache_capacity_mb = 3;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    engine_flush(engine);
    get(engine, "a", 1, FLOWDB_OK);
    get(engine, "a", 1, FLOWDB_OK);
    get(engine, "a", 1, FLOWDB_OK);
    get(engine, "a", 1, FLOWDB_OK);
    flowdb_stats stats = stats_of(engine);
    assert_int_equal(stats.block_cache_hits, 3);
    assert_int_equal(stats.block_cache_misses, 1);
    assert_true(stats.block_cache_hit_rate == 0.75);
    assert_int_equal(stats.block_cache_entries, 1);
    assert_true(stats.block_cache_bytes > 0);
    assert_int_equal(stats.block_cache_capacity_bytes, 3 << 20);
    engine_close(engine);
    /* Without a cache there is nothing to count. */
    engine->config.block_cache_capacity_mb = 0;
    engine_open(engine);
    get(engine, "a", 1, FLOWDB_OK);
    stats = stats_of(engine);
    assert_int_equal(stats.block_cache_hits + stats.block_cache_misses, 0);
    assert_int_equal(stats.block_cache_capacity_bytes, 0);
}

static void what_the_open_recovered_is_kept(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    engine_put(engine, "b", 1, "x");
    engine_go_on_after_crash(engine);
    flowdb_stats stats = stats_of(engine);
    assert_int_equal(stats.recovered_records, 2);
    assert_int_equal(stats.recovered_torn_logs, 0);
    assert_int_equal(stats.recovered_dropped_logs, 0);
    assert_int_equal(stats.total_records_written, 0);
    assert_int_equal(stats.last_sequence, 2);
}

static void failures_are_counted(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    engine->fault.path_part = ".sst";
    fault_fs_arm(&engine->fault, 1, true, FAULT_BEFORE, FLOWDB_NO_SPACE);
    assert_int_equal(flowdb_flush(engine->db), FLOWDB_NO_SPACE);
    assert_int_equal(fl_engine_step(engine->db, FL_JOB_FLUSH), FLOWDB_NO_SPACE);
    fault_fs_disarm(&engine->fault);
    flowdb_stats stats = stats_of(engine);
    assert_int_equal(stats.total_background_failures, 2);
    assert_int_equal(stats.total_background_retries, 1);
    assert_int_equal(stats.flush_failures_in_row, 1);
    assert_int_equal(stats.frozen_memtable_count, 1);
    assert_int_equal(stats.total_flushes, 0);
    engine_assert_ok(fl_engine_step(engine->db, FL_JOB_FLUSH));
    stats = stats_of(engine);
    assert_int_equal(stats.flush_failures_in_row, 0);
    assert_int_equal(stats.total_flushes, 1);
}

/* ------------------------------------------------------------------------------------- times -- */

static void turn(struct engine *engine, int64_t us) {
    atomic_fetch_add(&engine->clock.monotonic_us, us);
}

/* A millisecond for each sync of a log or the manifest, ten for one of a table. */
static void turn_clock_at_sync(void *context, enum fault_op op, const char *path) {
    struct engine *engine = context;
    if (op == FAULT_SYNC)
        turn(engine, strstr(path, ".sst") != NULL ? 10000 : 1000);
}

static bool near(uint64_t found, uint64_t right) {
    return (found > right ? found - right : right - found) * 32 <= right;
}

static void syncs_and_flushes_are_all_timed(void **state) {
    struct engine *engine = *state;
    engine->config.wal_sync = FLOWDB_SYNC_ALWAYS;
    engine_open(engine);
    engine->fault.hook = turn_clock_at_sync;
    engine->fault.hook_context = engine;
    uint64_t syncs = stats_of(engine).total_wal_syncs;
    for (int i = 0; i < 10; i++)
        engine_put(engine, "a", i, "x");
    flowdb_stats stats = stats_of(engine);
    assert_int_equal(stats.total_wal_syncs, syncs + 10);
    assert_true(near(stats.wal_sync_latency_p50_us, 1000));
    assert_true(near(stats.wal_sync_latency_p99_us, 1000));
    /* They took long, so each was timed. */
    assert_true(near(stats.write_latency_p50_us, 1000));
    struct fl_histogram_counts counts;
    fl_histogram_read(&engine->db->stats.calls[FL_CALL_WRITE], &counts);
    assert_int_equal(counts.count, 10);
    assert_int_equal(counts.sum, UINT64_C(10000000));
    engine_flush(engine);
    stats = stats_of(engine);
    assert_true(near(stats.flush_latency_p50_us, 11000));
    assert_true(near(stats.flush_latency_p99_us, 11000));
    assert_int_equal(stats.uptime_secs, 0);
    turn(engine, 5999999 - engine->clock.monotonic_us);
    assert_int_equal(stats_of(engine).uptime_secs, 5);
}

/* Reads of one file take so long. */
static int64_t read_takes_us;
static void turn_clock_at_read(void *context, enum fault_op op, const char *path) {
    (void)path;
    if (op == FAULT_READ)
        turn(context, read_takes_us);
}

static void fast_calls_are_timed_now_and_then_and_slow_ones_always(void **state) {
    struct engine *engine = *state;
    engine->config.block_cache_capacity_mb = 0; /* each get reads */
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    engine_flush(engine);
    engine->fault.hook = turn_clock_at_read;
    engine->fault.hook_context = engine;
    struct fl_histogram_counts counts;
    const struct fl_histogram *gets = &engine->db->stats.calls[FL_CALL_GET];
    read_takes_us = 1;
    get(engine, "a", 1, FLOWDB_OK); /* the first is timed, and fast */
    fl_histogram_read(gets, &counts);
    assert_int_equal(counts.count, 1);
    assert_int_equal(counts.sum, 1000);
    for (unsigned i = 0; i < FL_TIMED_ONE_IN - 1; i++)
        get(engine, "a", 1, FLOWDB_OK);
    fl_histogram_read(gets, &counts);
    assert_int_equal(counts.count, 1);
    read_takes_us = 100;
    get(engine, "a", 1, FLOWDB_OK); /* stands for those before it */
    fl_histogram_read(gets, &counts);
    assert_int_equal(counts.count, 1 + FL_TIMED_ONE_IN);
    assert_int_equal(counts.sum, 1000 + 100000 * FL_TIMED_ONE_IN);
    for (unsigned i = 0; i < 10; i++)
        get(engine, "a", 1, FLOWDB_OK);
    fl_histogram_read(gets, &counts);
    assert_int_equal(counts.count, 11 + FL_TIMED_ONE_IN);
    flowdb_stats stats = stats_of(engine);
    assert_true(near(stats.get_latency_p50_ns, 100000));
    assert_int_equal(stats.total_get_calls, 11 + FL_TIMED_ONE_IN);
    /* Queries have a histogram of their own. */
    assert_int_equal(stats.query_latency_p50_us, 0);
    flowdb_range all = flowdb_range_all();
    flowdb_result found = {0};
    engine_assert_ok(flowdb_query(engine->db, &all, NULL, &found));
    flowdb_result_free(&found);
    assert_true(near(stats_of(engine).query_latency_p99_us, 100));
    engine->fault.hook = NULL;
}

static uint64_t queries_timed(struct engine *engine, uint64_t *sum_ns) {
    struct fl_histogram_counts counts;
    fl_histogram_read(&engine->db->stats.calls[FL_CALL_QUERY], &counts);
    *sum_ns = counts.sum;
    return counts.count;
}

static flowdb_iterator *begin_scan(struct engine *engine) {
    flowdb_range all = flowdb_range_all();
    flowdb_iterator *iterator = NULL;
    engine_assert_ok(flowdb_scan(engine->db, &all, NULL, &iterator));
    return iterator;
}

static void *end_scan(void *iterator) {
    flowdb_iterator_destroy(iterator);
    return NULL;
}

/* Slow ones, each of which is timed. */
static void scans_are_timed_from_begin_to_end(void **state) {
    struct engine *engine = *state;
    flowdb_record record;
    uint64_t sum_ns;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    flowdb_iterator *iterator = begin_scan(engine);
    atomic_fetch_add(&engine->clock.monotonic_us, 1000);
    engine_assert_ok(flowdb_iterator_next(iterator, &record));
    assert_int_equal(queries_timed(engine, &sum_ns), 0);
    assert_int_equal(flowdb_iterator_next(iterator, &record), FLOWDB_DONE);
    assert_int_equal(queries_timed(engine, &sum_ns), 1);
    assert_int_equal(sum_ns, 1000000);
    /* Once. */
    atomic_fetch_add(&engine->clock.monotonic_us, 7000);
    engine_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("a"), 0));
    engine_assert_ok(flowdb_iterator_next(iterator, &record));
    assert_int_equal(flowdb_iterator_next(iterator, &record), FLOWDB_DONE);
    flowdb_iterator_destroy(iterator);
    assert_int_equal(queries_timed(engine, &sum_ns), 1);
    /* One that is left before its end. */
    iterator = begin_scan(engine);
    atomic_fetch_add(&engine->clock.monotonic_us, 3000);
    flowdb_iterator_destroy(iterator);
    assert_int_equal(queries_timed(engine, &sum_ns), 2);
    assert_int_equal(sum_ns, 4000000);
    /* One that ends elsewhere. */
    pthread_t thread;
    iterator = begin_scan(engine);
    atomic_fetch_add(&engine->clock.monotonic_us, 5000);
    assert_int_equal(pthread_create(&thread, NULL, end_scan, iterator), 0);
    pthread_join(thread, NULL);
    assert_int_equal(queries_timed(engine, &sum_ns), 3);
    assert_int_equal(sum_ns, 9000000);
    flowdb_stats stats = stats_of(engine);
    assert_true(near(stats.query_latency_p50_us, 3000));
    assert_int_equal(stats.total_scan_calls, 3);
    assert_int_equal(stats.total_query_calls, 0);
}

/* A thread without a line of counters shares one, and still counts and times. */
static void threads_without_a_line_are_counted_too(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    for (size_t i = 0; i < FL_COUNTER_LINES; i++)
        atomic_store(&engine->db->stats.counters.owners[i], (uintptr_t)1);
    for (int i = 0; i < 2 * FL_TIMED_ONE_IN; i++)
        get(engine, "a", 1, FLOWDB_OK);
    flowdb_stats stats = stats_of(engine);
    assert_int_equal(stats.total_get_calls, 2 * FL_TIMED_ONE_IN);
    assert_int_equal(stats.total_records_read, 2 * FL_TIMED_ONE_IN);
    struct fl_histogram_counts counts;
    fl_histogram_read(&engine->db->stats.calls[FL_CALL_GET], &counts);
    assert_int_equal(counts.count, 2 * FL_TIMED_ONE_IN);
}

/* -------------------------------------------------------------------------------------- call -- */

static void structs_of_other_sizes_are_filled_as_far_as_they_go(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    struct {
        flowdb_stats stats;
        unsigned char beyond[32];
    } larger;
    memset(&larger, 0xEE, sizeof larger);
    larger.stats.struct_size = sizeof larger;
    engine_assert_ok(flowdb_get_stats(engine->db, &larger.stats));
    assert_int_equal(larger.stats.struct_size, sizeof larger);
    assert_int_equal(larger.stats.total_records_written, 1);
    for (size_t i = 0; i < sizeof larger.beyond; i++)
        assert_int_equal(larger.beyond[i], 0);

    flowdb_stats smaller;
    memset(&smaller, 0xEE, sizeof smaller);
    smaller.struct_size = offsetof(flowdb_stats, total_bytes_written);
    engine_assert_ok(flowdb_get_stats(engine->db, &smaller));
    assert_int_equal(smaller.total_records_written, 1);
    assert_true(smaller.total_bytes_written == UINT64_C(0xEEEEEEEEEEEEEEEE));

    smaller.struct_size--;
    assert_int_equal(flowdb_get_stats(engine->db, &smaller), FLOWDB_INVALID_ARGUMENT);
    assert_non_null(strstr(flowdb_last_error(), "struct_size"));
    assert_int_equal(flowdb_get_stats(NULL, &smaller), FLOWDB_INVALID_ARGUMENT);
    assert_int_equal(flowdb_get_stats(engine->db, NULL), FLOWDB_INVALID_ARGUMENT);
}

/* The table has each field once, in order, and nothing of the struct is in no row. */
static void every_field_is_in_the_table(void **state) {
    (void)state;
    size_t next = sizeof(size_t);
    const flowdb_stats_field *field;
    size_t count = 0;
    for (; (field = flowdb_stats_field_at(count)) != NULL; count++) {
        if (field->offset != next)
            fail_msg("%s is at %zu; expected %zu", field->name, field->offset, next);
        next += 8;
        assert_true(field->help[strlen(field->help) - 1] == '.');
    }
    assert_int_equal(next, sizeof(flowdb_stats));
    assert_null(flowdb_stats_field_at(count + 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(a_new_database_has_done_nothing),
        ENGINE_TEST(writes_are_counted_as_they_were_given),
        ENGINE_TEST(reads_are_counted_by_the_records_they_return),
        ENGINE_TEST(a_long_scan_is_counted_on_its_way),
        ENGINE_TEST(memory_becomes_tables),
        ENGINE_TEST(range_deletes_in_tables_take_of_the_memory_for_indexes),
        ENGINE_TEST(frozen_memtables_and_their_logs_count_too),
        ENGINE_TEST(compaction_and_gc_say_what_they_removed),
        ENGINE_TEST(the_block_cache_tells_hits_from_misses),
        ENGINE_TEST(what_the_open_recovered_is_kept),
        ENGINE_TEST(failures_are_counted),
        ENGINE_TEST(syncs_and_flushes_are_all_timed),
        ENGINE_TEST(fast_calls_are_timed_now_and_then_and_slow_ones_always),
        ENGINE_TEST(scans_are_timed_from_begin_to_end),
        ENGINE_TEST(threads_without_a_line_are_counted_too),
        ENGINE_TEST(structs_of_other_sizes_are_filled_as_far_as_they_go),
        ENGINE_TEST(every_field_is_in_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
