/* This database, through its public header. */
#include "store.h"

struct store {
    flowdb *db;
};

static void check(flowdb_status status, const char *what) {
    if (status != FLOWDB_OK)
        store_fail("flowdb: %s: %s", what, flowdb_last_error());
}

static struct store *open_store(const char *folder, const struct store_options *options) {
    static struct store store;
    static const flowdb_wal_sync modes[] = {FLOWDB_SYNC_INTERVAL, FLOWDB_SYNC_BUFFERED,
                                            FLOWDB_SYNC_ALWAYS};
    flowdb_config config = flowdb_config_default();
    config.data_dir = folder;
    config.memtable_size_mb = STORE_MEMTABLE_MB;
    config.max_frozen_memtables = 4;
    config.block_size = STORE_BLOCK;
    config.bloom_bits_per_key = 10;
    config.block_cache_capacity_mb = STORE_CACHE_MB;
    if (options->keep_tables)
        config.compaction_threshold = 64;
    config.wal_sync = modes[options->log];
    check(flowdb_open(&config, &store.db), "open");
    return &store;
}

static void close_store(struct store *store) {
    check(flowdb_close(store->db), "close");
}

static void write_batch(struct store *store, const flowdb_record *records, size_t count) {
    check(flowdb_write(store->db, records, count), "write");
}

static void flush(struct store *store) {
    check(flowdb_flush(store->db), "flush");
}

static void compact(struct store *store) {
    check(flowdb_compact_all(store->db), "compact");
}

static int64_t take(flowdb_status status, flowdb_result *result, int64_t *ts) {
    if (status == FLOWDB_NOT_FOUND)
        return -1;
    check(status, "get");
    flowdb_slice value = result->records[0].value;
    volatile uint8_t first = *(const uint8_t *)value.data;
    (void)first;
    *ts = result->records[0].ts;
    flowdb_result_free(result);
    return (int64_t)value.size;
}

static int64_t get(struct store *store, flowdb_slice key, int64_t ts) {
    flowdb_result result = {0};
    return take(flowdb_get(store->db, key, ts, &result), &result, &ts);
}

static int64_t latest(struct store *store, flowdb_slice key, int64_t *ts) {
    flowdb_result result = {0};
    return take(flowdb_get_latest(store->db, key, &result), &result, ts);
}

static struct store_seen walk(struct store *store, const flowdb_range *range) {
    struct store_seen seen = {0};
    flowdb_iterator *iterator;
    flowdb_record record;
    flowdb_status status;
    check(flowdb_scan(store->db, range, NULL, &iterator), "scan");
    while ((status = flowdb_iterator_next(iterator, &record)) == FLOWDB_OK)
        store_see(&seen, record.value.data, record.value.size);
    if (status != FLOWDB_DONE)
        check(status, "next");
    flowdb_iterator_destroy(iterator);
    return seen;
}

static struct store_seen scan(struct store *store, flowdb_slice prefix) {
    flowdb_range range = prefix.size > 0 ? flowdb_range_prefix(prefix) : flowdb_range_all();
    return walk(store, &range);
}

static struct store_seen read_range(struct store *store, flowdb_slice key, int64_t first,
                                    int64_t last) {
    flowdb_range range = flowdb_range_keys_time(key, key, first, last);
    return walk(store, &range);
}

static struct store_seen read_window(struct store *store, int64_t first, int64_t last) {
    flowdb_range range = flowdb_range_time(first, last);
    return walk(store, &range);
}

const struct store_ops store_flowdb = {.name = "flowdb",
                                       .modes = true,
                                       .synced = true,
                                       .reopens = true,
                                       .version = flowdb_version,
                                       .open = open_store,
                                       .close = close_store,
                                       .write = write_batch,
                                       .flush = flush,
                                       .compact = compact,
                                       .get = get,
                                       .latest = latest,
                                       .scan = scan,
                                       .range = read_range,
                                       .window = read_window};
