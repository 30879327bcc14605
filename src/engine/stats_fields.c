/* The fields of flowdb_stats: what they are called elsewhere, what they mean, and how they change. One
   table for flowdb_metrics_text and for whoever shows them. */
#include <flowdb/flowdb.h>

#define MICRO 1e-6

#define FIELD(field, kind, metric, old, scale, help) \
    { #field, help, FLOWDB_STATS_##kind, false, offsetof(flowdb_stats, field), metric, old, scale }
#define COUNTER(field, metric, help) FIELD(field, COUNTER, "flowdb_" metric, NULL, 1, help)
/* One that the original exposes under a name without _total. */
#define OLD_COUNTER(field, metric, old, help) \
    FIELD(field, COUNTER, "flowdb_" metric, "flowdb_" old, 1, help)
#define COUNTER_US(field, metric, help) FIELD(field, COUNTER, "flowdb_" metric, NULL, MICRO, help)
#define GAUGE(field, metric, help) FIELD(field, GAUGE, "flowdb_" metric, NULL, 1, help)
#define GAUGE_US(field, metric, help) FIELD(field, GAUGE, "flowdb_" metric, NULL, MICRO, help)
#define RATIO(field, metric, help)                                                               \
    {                                                                                            \
#field, help, FLOWDB_STATS_GAUGE, true, offsetof(flowdb_stats, field), "flowdb_" metric, \
            NULL, 1                                                                              \
    }
/* In metrics a histogram says more. */
#define LATENCY(field, help) FIELD(field, GAUGE, NULL, NULL, 1, help)
#define PERCENTILES(prefix, unit, of)                                           \
    LATENCY(prefix##_p50_##unit, "Half of the " of " took at most so long."),   \
        LATENCY(prefix##_p90_##unit, "90 of 100 " of " took at most so long."), \
        LATENCY(prefix##_p99_##unit, "99 of 100 " of " took at most so long.")

static const flowdb_stats_field fields[] = {
    OLD_COUNTER(total_records_written, "records_written_total", "records_written",
                "Records that were written."),
    OLD_COUNTER(total_bytes_written, "written_bytes_total", "bytes_written",
                "Bytes of keys and values that were written."),
    OLD_COUNTER(total_records_read, "records_read_total", "records_read",
                "Records that gets, queries and iterators returned."),
    OLD_COUNTER(total_records_expired, "records_expired_total", "records_expired",
                "Expired records that compaction and gc removed for good."),
    COUNTER(total_flushes, "flushes_total", "Memtables that became tables."),
    COUNTER(total_gc_runs, "gc_runs_total", "Runs of garbage collection."),
    COUNTER(total_compaction_runs, "compaction_runs_total", "Compactions that were completed."),
    OLD_COUNTER(records_purged_by_gc, "gc_records_purged_total", "records_purged_by_gc",
                "Records of the tables that garbage collection dropped."),
    GAUGE(memtable_records, "memtable_records", "Entries in memory that are in no table yet."),
    GAUGE(memtable_bytes, "memtable_bytes", "Memory that memtables keep."),
    GAUGE(frozen_memtable_count, "frozen_memtables", "Memtables that wait to be flushed."),
    GAUGE(sstable_count, "sstables", "Tables that make up the database."),
    GAUGE(sstable_bytes, "sstable_bytes", "Bytes of the tables' files."),
    GAUGE(wal_bytes, "wal_bytes", "Bytes written to the logs that still count."),
    GAUGE(block_meta_index_entries, "index_entries", "Index entries of all tables: one a block."),
    GAUGE(time_index_buckets, "time_windows", "Time windows that hold tables."),
    RATIO(block_cache_hit_rate, "block_cache_hit_ratio",
          "Part of the blocks asked for that the block cache had."),
    RATIO(compression_ratio, "compression_ratio",
          "Bytes of keys and values in tables for each byte of their files."),
    PERCENTILES(write_latency, us, "writing calls"),
    PERCENTILES(query_latency, us, "queries and scans"),
    PERCENTILES(flush_latency, us, "flushes"),
    GAUGE(uptime_secs, "uptime_seconds", "Seconds since the database was opened."),

    COUNTER(total_deletes_written, "deletes_written_total",
            "Deletes of records and of ranges that were written."),
    COUNTER(total_write_calls, "write_calls_total", "Calls that write."),
    COUNTER(total_get_calls, "get_calls_total", "Calls that read one record."),
    COUNTER(total_query_calls, "query_calls_total", "Queries."),
    COUNTER(total_scan_calls, "scan_calls_total", "Iterators that were opened."),
    COUNTER(total_wal_syncs, "wal_syncs_total", "Times that a log was synced to the disk."),
    COUNTER(total_write_stalls, "write_stalls_total",
            "Writers that had to wait because too much was not flushed."),
    COUNTER_US(total_write_stall_us, "write_stall_seconds_total", "How long writers waited so."),
    COUNTER(total_space_refusals, "space_refusals_total",
            "Writes that were refused because too little of the disk was free."),
    COUNTER(total_flush_bytes, "flush_written_bytes_total", "Bytes of tables that flushes wrote."),
    COUNTER(total_compaction_bytes_in, "compaction_read_bytes_total",
            "Bytes of tables that compactions merged."),
    COUNTER(total_compaction_bytes_out, "compaction_written_bytes_total",
            "Bytes of tables that compactions wrote."),
    COUNTER(total_checkpoints, "checkpoints_total", "Checkpoints that were completed."),
    COUNTER(total_background_failures, "background_failures_total",
            "Flushes, compactions, garbage collections and checkpoints that failed."),
    COUNTER(total_background_retries, "background_retries_total",
            "Times that something was put off to be tried again."),
    PERCENTILES(get_latency, ns, "gets"),
    PERCENTILES(wal_sync_latency, us, "syncs of a log"),
    GAUGE_US(write_stall_longest_us, "write_stall_longest_seconds",
             "The longest that one writer had to wait."),
    GAUGE(writers_stalled, "writers_stalled", "Writers that wait now."),
    GAUGE(flushes_running, "flushes_running", "Flushes under way."),
    GAUGE(compactions_running, "compactions_running", "Compactions under way."),
    GAUGE(flush_failures_in_row, "flush_failures_in_row",
          "How often flushing has failed since it last went well."),
    GAUGE(sstable_records, "sstable_records", "Records in tables, deletes and old versions too."),
    GAUGE(sstable_deletes, "sstable_deletes", "Deletes among the records in tables."),
    GAUGE(sstable_range_tombstones, "sstable_range_tombstones", "Range deletes in tables."),
    GAUGE(sstable_raw_bytes, "sstable_raw_bytes",
          "Bytes of keys and values of the records in tables."),
    GAUGE(index_bytes, "index_bytes", "Memory of the tables' indexes, filters and range deletes."),
    GAUGE(write_memory_bytes, "write_memory_bytes",
          "Memory that holds batches, in memtables or to spare."),
    GAUGE(block_cache_bytes, "block_cache_bytes", "Memory that the block cache uses."),
    GAUGE(block_cache_capacity_bytes, "block_cache_capacity_bytes",
          "Memory that the block cache may use."),
    GAUGE(block_cache_entries, "block_cache_entries", "Blocks in the block cache."),
    GAUGE(block_cache_pinned_bytes, "block_cache_pinned_bytes",
          "Memory of blocks that left the block cache while readers hold them."),
    COUNTER(block_cache_hits, "block_cache_hits_total", "Blocks that the block cache had."),
    COUNTER(block_cache_misses, "block_cache_misses_total", "Blocks that it did not have."),
    COUNTER(block_cache_evictions, "block_cache_evictions_total", "Blocks that it threw out."),
    GAUGE(iterators_open, "iterators_open", "Iterators that are alive."),
    GAUGE(last_sequence, "last_sequence", "Number of the last entry that reads can see."),
    GAUGE(recovered_records, "recovered_records", "Entries that the open read back from logs."),
    GAUGE(recovered_torn_logs, "recovered_torn_logs", "Logs that the open found cut off."),
    GAUGE(recovered_dropped_logs, "recovered_dropped_logs",
          "Logs that the open dropped because an earlier one was cut off."),
    GAUGE(disk_free_bytes, "disk_free_bytes", "Bytes that are free where the database lies."),
    GAUGE(disk_reserve_bytes, "disk_reserve_bytes", "Free bytes below which writes are refused."),
    GAUGE(writes_accepted, "writes_accepted", "1 where records can be written, 0 where not."),
    COUNTER(total_paced_writes, "paced_writes_total",
            "Writes that were slowed down because compaction was behind."),
    COUNTER_US(total_write_paced_us, "write_pace_seconds_total", "How long writes waited so."),
    FIELD(write_pace_ns_per_kib, GAUGE, "flowdb_write_pace_seconds_per_byte", NULL, 1e-9 / 1024,
          "What a byte that is written has to wait for compaction now."),
    GAUGE(background_jobs_failing, "background_jobs_failing",
          "Background jobs whose last run failed, and which are tried again."),
    GAUGE(sstable_range_tombstone_bytes, "sstable_range_tombstone_bytes",
          "Memory of the range deletes in tables, part of that of indexes and filters."),
};

const flowdb_stats_field *flowdb_stats_field_at(size_t index) {
    return index < sizeof fields / sizeof fields[0] ? &fields[index] : NULL;
}
