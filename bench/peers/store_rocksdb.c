/* RocksDB, built for release by the crate `rocksdb`, through its C interface; configured as the
   original's own comparison configures it. */
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>

#include "store.h"

struct store {
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_block_based_table_options_t *table;
    rocksdb_cache_t *cache;
    rocksdb_writeoptions_t *writing;
    rocksdb_readoptions_t *reading;
};

static void check(const char *what, char *error) {
    if (error != NULL)
        store_fail("rocksdb: %s: %s", what, error);
}

static const char *version(void) {
    return PEERS_ROCKSDB_VERSION;
}

static void configure(struct store *store) {
    store->options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(store->options, 1);
    rocksdb_options_set_write_buffer_size(store->options, (size_t)STORE_MEMTABLE_MB << 20);
    rocksdb_options_set_max_write_buffer_number(store->options, 4);
    rocksdb_options_set_target_file_size_base(store->options, UINT64_C(64) << 20);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(store->options, 1);
    rocksdb_options_set_compression(store->options, rocksdb_zstd_compression);
    store->table = rocksdb_block_based_options_create();
    store->cache = rocksdb_cache_create_lru((size_t)STORE_CACHE_MB << 20);
    rocksdb_block_based_options_set_block_cache(store->table, store->cache);
    rocksdb_block_based_options_set_block_size(store->table, STORE_BLOCK);
    rocksdb_block_based_options_set_filter_policy(store->table,
                                                  rocksdb_filterpolicy_create_bloom_full(10));
    rocksdb_options_set_block_based_table_factory(store->options, store->table);
    store->writing = rocksdb_writeoptions_create();
    store->reading = rocksdb_readoptions_create();
}

static struct store *open_store(const char *folder, const struct store_options *options) {
    static struct store store;
    char *error = NULL;
    configure(&store);
    rocksdb_options_set_disable_auto_compactions(store.options, options->keep_tables);
    if (options->log == STORE_LOG_BUFFERED)
        rocksdb_options_set_manual_wal_flush(store.options, 1);
    rocksdb_writeoptions_set_sync(store.writing, options->log == STORE_LOG_SYNCED);
    store.db = rocksdb_open(store.options, folder, &error);
    check("open", error);
    return &store;
}

static void close_store(struct store *store) {
    rocksdb_close(store->db);
    rocksdb_readoptions_destroy(store->reading);
    rocksdb_writeoptions_destroy(store->writing);
    rocksdb_block_based_options_destroy(store->table);
    rocksdb_cache_destroy(store->cache);
    rocksdb_options_destroy(store->options);
}

static void write_batch(struct store *store, const flowdb_record *records, size_t count) {
    uint8_t pair[STORE_KEY_ROOM];
    char *error = NULL;
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    for (size_t i = 0; i < count; i++) {
        size_t size = store_pair(pair, records[i].key, records[i].ts);
        rocksdb_writebatch_put(batch, (const char *)pair, size, records[i].value.data,
                               records[i].value.size);
    }
    rocksdb_write(store->db, store->writing, batch, &error);
    check("write", error);
    rocksdb_writebatch_destroy(batch);
}

static void flush(struct store *store) {
    char *error = NULL;
    rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
    rocksdb_flush(store->db, options, &error);
    check("flush", error);
    rocksdb_flushoptions_destroy(options);
}

static void compact(struct store *store) {
    flush(store);
    rocksdb_compact_range(store->db, NULL, 0, NULL, 0);
}

static int64_t get(struct store *store, flowdb_slice key, int64_t ts) {
    uint8_t pair[STORE_KEY_ROOM];
    char *error = NULL;
    size_t pair_size = store_pair(pair, key, ts), size;
    rocksdb_pinnableslice_t *slice =
        rocksdb_get_pinned(store->db, store->reading, (const char *)pair, pair_size, &error);
    check("get", error);
    if (slice == NULL)
        return -1;
    volatile char first = *rocksdb_pinnableslice_value(slice, &size);
    (void)first;
    rocksdb_pinnableslice_destroy(slice);
    return (int64_t)size;
}

static int64_t latest(struct store *store, flowdb_slice key, int64_t *ts) {
    uint8_t pair[STORE_KEY_ROOM];
    size_t pair_size = store_pair(pair, key, INT64_MAX), found_size, size;
    int64_t result = -1;
    rocksdb_iterator_t *iterator = rocksdb_create_iterator(store->db, store->reading);
    rocksdb_iter_seek_for_prev(iterator, (const char *)pair, pair_size);
    if (rocksdb_iter_valid(iterator)) {
        const char *found = rocksdb_iter_key(iterator, &found_size);
        volatile char first = *rocksdb_iter_value(iterator, &size);
        (void)first;
        *ts = store_pair_ts(found, found_size);
        result = (int64_t)size;
    }
    rocksdb_iter_destroy(iterator);
    return result;
}

/* From one pair up to, but not with, another; a size of 0 is no bound. */
static struct store_seen walk(struct store *store, const uint8_t *low, size_t low_size,
                              const uint8_t *high, size_t high_size) {
    struct store_seen seen = {0};
    char *error = NULL;
    rocksdb_readoptions_t *reading = rocksdb_readoptions_create();
    if (high_size > 0)
        rocksdb_readoptions_set_iterate_upper_bound(reading, (const char *)high, high_size);
    rocksdb_iterator_t *iterator = rocksdb_create_iterator(store->db, reading);
    if (low_size > 0)
        rocksdb_iter_seek(iterator, (const char *)low, low_size);
    else
        rocksdb_iter_seek_to_first(iterator);
    for (; rocksdb_iter_valid(iterator); rocksdb_iter_next(iterator)) {
        size_t size;
        const char *value = rocksdb_iter_value(iterator, &size);
        store_see(&seen, value, size);
    }
    rocksdb_iter_get_error(iterator, &error);
    check("scan", error);
    rocksdb_iter_destroy(iterator);
    rocksdb_readoptions_destroy(reading);
    return seen;
}

static struct store_seen scan(struct store *store, flowdb_slice prefix) {
    uint8_t bound[STORE_KEY_ROOM];
    size_t size = prefix.size > 0 ? store_successor(bound, prefix) : 0;
    return walk(store, prefix.data, prefix.size, bound, size);
}

static struct store_seen read_range(struct store *store, flowdb_slice key, int64_t first,
                                    int64_t last) {
    uint8_t low[STORE_KEY_ROOM], high[STORE_KEY_ROOM];
    size_t low_size = store_pair(low, key, first), high_size = store_pair(high, key, last + 1);
    return walk(store, low, low_size, high, high_size);
}

const struct store_ops store_rocksdb = {.name = "rocksdb",
                                        .modes = true,
                                        .synced = true,
                                        .reopens = true,
                                        .version = version,
                                        .open = open_store,
                                        .close = close_store,
                                        .write = write_batch,
                                        .flush = flush,
                                        .compact = compact,
                                        .get = get,
                                        .latest = latest,
                                        .scan = scan,
                                        .range = read_range};
