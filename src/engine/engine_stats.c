/* flowdb_get_stats: everything that is counted anywhere, gathered. */
#include "engine/observe.h"

/* ---------------------------------------------------------------------------------- counters -- */

static uint64_t read_counter(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void gather_calls(flowdb *db, flowdb_stats *out) {
    const struct fl_stats *stats = &db->stats;
    const struct fl_counters *counters = &stats->counters;
    out->total_records_written = read_counter(&stats->records_written);
    out->total_deletes_written = read_counter(&stats->deletes_written);
    out->total_bytes_written = read_counter(&stats->bytes_written);
    out->total_records_read = fl_counters_sum(counters, FL_COUNT_RECORDS_READ);
    out->total_write_calls = fl_counters_sum(counters, FL_COUNT_CALLS + FL_CALL_WRITE);
    out->total_get_calls = fl_counters_sum(counters, FL_COUNT_CALLS + FL_CALL_GET);
    out->total_query_calls = fl_counters_sum(counters, FL_COUNT_CALLS + FL_CALL_QUERY);
    out->total_scan_calls = fl_counters_sum(counters, FL_COUNT_SCANS);
    out->recovered_records = stats->recovered_records;
    out->recovered_torn_logs = stats->torn_logs;
    out->recovered_dropped_logs = stats->dropped_logs;
    out->iterators_open = atomic_load(&db->iterators);
    out->last_sequence = atomic_load(&db->visible_seq);
    int64_t open_us = fl_clock_monotonic_us(db->env.clock) - db->opened_monotonic_us;
    out->uptime_secs = (uint64_t)FL_MAX(open_us, INT64_C(0)) / 1000000;
}

static void gather_events(flowdb *db, flowdb_stats *out) {
    struct fl_event_totals flush, compaction, gc, checkpoint, retry;
    fl_engine_event_totals(db, FLOWDB_EVENT_FLUSH, &flush);
    fl_engine_event_totals(db, FLOWDB_EVENT_COMPACTION, &compaction);
    fl_engine_event_totals(db, FLOWDB_EVENT_GC, &gc);
    fl_engine_event_totals(db, FLOWDB_EVENT_CHECKPOINT, &checkpoint);
    fl_engine_event_totals(db, FLOWDB_EVENT_RETRY, &retry);
    out->total_flushes = flush.ended;
    out->total_flush_bytes = flush.bytes_out;
    out->flushes_running = flush.running;
    out->total_compaction_runs = compaction.ended;
    out->total_compaction_bytes_in = compaction.bytes_in;
    out->total_compaction_bytes_out = compaction.bytes_out;
    out->compactions_running = compaction.running;
    out->total_gc_runs = gc.ended;
    out->records_purged_by_gc = gc.records_expired;
    out->total_records_expired = compaction.records_expired + gc.records_expired;
    out->total_checkpoints = checkpoint.ended;
    out->total_background_failures =
        flush.failed + compaction.failed + gc.failed + checkpoint.failed;
    out->total_background_retries = retry.ended;
}

static void gather_stalls(flowdb *db, flowdb_stats *out) {
    struct fl_stalls stalls;
    fl_engine_stalls(db, &stalls);
    out->total_write_stalls = stalls.count;
    out->total_write_stall_us = stalls.total_us;
    out->total_space_refusals = read_counter(&db->space_refusals);
    out->write_stall_longest_us = stalls.longest_us;
    out->writers_stalled = stalls.waiting;
    out->total_paced_writes = stalls.paced;
    out->total_write_paced_us = stalls.paced_us;
    out->write_pace_ns_per_kib = read_counter(&db->pace_ns_per_kib);
}

static void gather_jobs(flowdb *db, flowdb_stats *out) {
    for (size_t job = 0; job < FL_JOBS; job++) {
        struct fl_job_report report;
        fl_scheduler_report(&db->scheduler, job, &report);
        out->background_jobs_failing += report.failed_in_row > 0;
    }
}

/* --------------------------------------------------------------------------------- latencies -- */

struct percentiles {
    uint64_t p50, p90, p99;
};

/* In units of `ns` nanoseconds, rounded to the nearest. */
static struct percentiles percentiles_of(const struct fl_histogram *histogram, uint64_t ns) {
    struct fl_histogram_counts counts;
    fl_histogram_read(histogram, &counts);
    return (struct percentiles){.p50 = (fl_histogram_percentile(&counts, 500) + ns / 2) / ns,
                                .p90 = (fl_histogram_percentile(&counts, 900) + ns / 2) / ns,
                                .p99 = (fl_histogram_percentile(&counts, 990) + ns / 2) / ns};
}

#define SET_PERCENTILES(out, name, unit, values) \
    do {                                         \
        struct percentiles found = (values);     \
        (out)->name##_p50_##unit = found.p50;    \
        (out)->name##_p90_##unit = found.p90;    \
        (out)->name##_p99_##unit = found.p99;    \
    } while (0)

static void gather_latencies(const struct fl_stats *stats, flowdb_stats *out) {
    SET_PERCENTILES(out, write_latency, us, percentiles_of(&stats->calls[FL_CALL_WRITE], 1000));
    SET_PERCENTILES(out, query_latency, us, percentiles_of(&stats->calls[FL_CALL_QUERY], 1000));
    SET_PERCENTILES(out, get_latency, ns, percentiles_of(&stats->calls[FL_CALL_GET], 1));
    SET_PERCENTILES(out, flush_latency, us, percentiles_of(&stats->flushes, 1000));
    SET_PERCENTILES(out, wal_sync_latency, us, percentiles_of(&stats->syncs, 1000));
    struct fl_histogram_counts syncs;
    fl_histogram_read(&stats->syncs, &syncs);
    out->total_wal_syncs = syncs.count;
}

/* ------------------------------------------------------------------------- memory and tables -- */

static void gather_memory(flowdb *db, const struct fl_version *version, flowdb_stats *out) {
    const struct fl_stats *stats = &db->stats;
    out->memtable_records = read_counter(&stats->active_records);
    out->memtable_bytes = read_counter(&stats->active_bytes);
    for (size_t i = 0; i < version->frozen_count; i++) {
        out->memtable_records += fl_memtable_records(version->frozen[i]);
        out->memtable_bytes += fl_memtable_bytes(version->frozen[i]);
    }
    out->frozen_memtable_count = version->frozen_count;
    out->wal_bytes =
        read_counter(&stats->active_log_bytes) + read_counter(&stats->frozen_log_bytes);
    out->write_memory_bytes = atomic_load(&db->pool.resident);
    out->index_bytes = atomic_load(&db->index_budget.used);
    out->block_cache_capacity_bytes = (uint64_t)db->config.block_cache_capacity_mb << 20;
    if (db->cache == NULL)
        return;
    struct fl_cache_counts counts;
    fl_cache_counts(db->cache, &counts);
    out->block_cache_bytes = counts.bytes;
    out->block_cache_entries = counts.entries;
    out->block_cache_evictions = counts.evictions;
    out->block_cache_pinned_bytes = counts.pinned_bytes;
    out->block_cache_hits = counts.hits;
    out->block_cache_misses = counts.misses;
    if (counts.hits + counts.misses > 0)
        out->block_cache_hit_rate = (double)counts.hits / (double)(counts.hits + counts.misses);
}

static bool same_window(const struct fl_window_id *a, const struct fl_window_id *b) {
    return a->level == b->level && a->number == b->number;
}

/* How many windows the tables lie in. Two hundred that were seen last are remembered: the policy
   keeps far fewer alive, and one that is forgotten counts once more. */
struct window_set {
    struct fl_window_id seen[200];
    size_t count;
};

static void add_window(struct window_set *set, struct fl_window_id window) {
    size_t known = FL_MIN(set->count, sizeof set->seen / sizeof set->seen[0]);
    for (size_t i = 0; i < known; i++) {
        if (same_window(&set->seen[i], &window))
            return;
    }
    set->seen[set->count++ % (sizeof set->seen / sizeof set->seen[0])] = window;
}

static void gather_tables(flowdb *db, const struct fl_version *version, flowdb_stats *out) {
    struct window_set windows = {.count = 0};
    int64_t now_us = fl_engine_now(db);
    out->sstable_count = version->table_count;
    for (size_t i = 0; i < version->table_count; i++) {
        const struct fl_table_properties *properties = fl_table_properties(version->tables[i]);
        out->sstable_bytes += properties->file_size;
        out->sstable_raw_bytes += properties->raw_bytes;
        out->sstable_records += properties->row_count;
        out->sstable_deletes += properties->delete_count;
        out->sstable_range_tombstones += properties->range_tombstone_count;
        out->sstable_range_tombstone_bytes += fl_table_tombstone_memory(version->tables[i]);
        out->block_meta_index_entries += properties->block_count;
        add_window(&windows, fl_engine_window(db, version->tables[i], now_us));
    }
    out->time_index_buckets = windows.count;
    if (version->skyline != NULL)
        out->sstable_range_tombstone_bytes += version->skyline->bytes;
    if (out->sstable_bytes > 0)
        out->compression_ratio = (double)out->sstable_raw_bytes / (double)out->sstable_bytes;
}

/* ---------------------------------------------------------------------------------------- all -- */

void fl_engine_gather_stats(flowdb *db, flowdb_stats *out) {
    *out = (flowdb_stats){.struct_size = sizeof *out};
    gather_calls(db, out);
    gather_events(db, out);
    gather_stalls(db, out);
    gather_jobs(db, out);
    gather_latencies(&db->stats, out);
    struct fl_version *version = fl_engine_pin(db);
    gather_memory(db, version, out);
    gather_tables(db, version, out);
    fl_version_unref(version);
    flowdb_health health;
    fl_engine_judge_health(db, &health, &out->disk_free_bytes, &out->flush_failures_in_row);
    out->writes_accepted = health.writes_accepted;
    out->disk_reserve_bytes = (uint64_t)db->config.disk_reserve_mb << 20;
}

flowdb_status flowdb_get_stats(flowdb *db, flowdb_stats *stats) {
    if (db == NULL || stats == NULL)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "%s is NULL", db == NULL ? "db" : "stats");
    size_t size = stats->struct_size;
    size_t least = offsetof(flowdb_stats, total_records_written) + sizeof(uint64_t);
    if (size < least)
        return fl_fail(FLOWDB_INVALID_ARGUMENT,
                       "stats.struct_size is %zu, below %zu: set it to sizeof(flowdb_stats)", size,
                       least);
    flowdb_stats all;
    fl_engine_gather_stats(db, &all);
    all.struct_size = size;
    if (size > sizeof all)
        memset((uint8_t *)stats + sizeof all, 0, size - sizeof all);
    memcpy(stats, &all, FL_MIN(size, sizeof all));
    return FLOWDB_OK;
}
