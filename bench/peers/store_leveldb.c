/* LevelDB as Debian packages it, with snappy, which is the compression that it has. */
#include <leveldb/c.h>
#include <stdio.h>
#include <stdlib.h>

#include "store.h"

struct store {
    leveldb_t *db;
    leveldb_options_t *options;
    leveldb_cache_t *cache;
    leveldb_filterpolicy_t *filter;
    leveldb_writeoptions_t *writing;
    leveldb_readoptions_t *reading;
};

static void check(const char *what, char *error) {
    if (error != NULL)
        store_fail("leveldb: %s: %s", what, error);
}

static const char *version(void) {
    static char text[32];
    snprintf(text, sizeof text, "%d.%d", leveldb_major_version(), leveldb_minor_version());
    return text;
}

static struct store *open_store(const char *folder, const struct store_options *options) {
    static struct store store;
    char *error = NULL;
    store.options = leveldb_options_create();
    store.cache = leveldb_cache_create_lru((size_t)STORE_CACHE_MB << 20);
    store.filter = leveldb_filterpolicy_create_bloom(10);
    leveldb_options_set_create_if_missing(store.options, 1);
    leveldb_options_set_write_buffer_size(store.options, (size_t)STORE_MEMTABLE_MB << 20);
    leveldb_options_set_block_size(store.options, STORE_BLOCK);
    leveldb_options_set_cache(store.options, store.cache);
    leveldb_options_set_filter_policy(store.options, store.filter);
    leveldb_options_set_compression(store.options, leveldb_snappy_compression);
    store.writing = leveldb_writeoptions_create();
    store.reading = leveldb_readoptions_create();
    leveldb_writeoptions_set_sync(store.writing, options->log == STORE_LOG_SYNCED);
    store.db = leveldb_open(store.options, folder, &error);
    check("open", error);
    return &store;
}

static void close_store(struct store *store) {
    leveldb_close(store->db);
    leveldb_readoptions_destroy(store->reading);
    leveldb_writeoptions_destroy(store->writing);
    leveldb_options_destroy(store->options);
    leveldb_cache_destroy(store->cache);
    leveldb_filterpolicy_destroy(store->filter);
}

static void write_batch(struct store *store, const flowdb_record *records, size_t count) {
    uint8_t pair[STORE_KEY_ROOM];
    char *error = NULL;
    leveldb_writebatch_t *batch = leveldb_writebatch_create();
    for (size_t i = 0; i < count; i++) {
        size_t size = store_pair(pair, records[i].key, records[i].ts);
        leveldb_writebatch_put(batch, (const char *)pair, size, records[i].value.data,
                               records[i].value.size);
    }
    leveldb_write(store->db, store->writing, batch, &error);
    check("write", error);
    leveldb_writebatch_destroy(batch);
}

/* Its interface has no flush: compacting a range that holds nothing flushes what is in memory. */
static void flush(struct store *store) {
    leveldb_compact_range(store->db, "\xff\xff", 2, "\xff\xff", 2);
}

static void compact(struct store *store) {
    leveldb_compact_range(store->db, NULL, 0, NULL, 0);
}

static int64_t get(struct store *store, flowdb_slice key, int64_t ts) {
    uint8_t pair[STORE_KEY_ROOM];
    char *error = NULL;
    size_t pair_size = store_pair(pair, key, ts), size;
    char *value =
        leveldb_get(store->db, store->reading, (const char *)pair, pair_size, &size, &error);
    check("get", error);
    if (value == NULL)
        return -1;
    volatile char first = *value;
    (void)first;
    leveldb_free(value);
    return (int64_t)size;
}

static int64_t latest(struct store *store, flowdb_slice key, int64_t *ts) {
    uint8_t pair[STORE_KEY_ROOM];
    size_t pair_size = store_pair(pair, key, INT64_MAX), found_size, size;
    int64_t result = -1;
    leveldb_iterator_t *iterator = leveldb_create_iterator(store->db, store->reading);
    leveldb_iter_seek(iterator, (const char *)pair, pair_size);
    if (leveldb_iter_valid(iterator))
        leveldb_iter_prev(iterator);
    else
        leveldb_iter_seek_to_last(iterator);
    if (leveldb_iter_valid(iterator)) {
        const char *found = leveldb_iter_key(iterator, &found_size);
        volatile char first = *leveldb_iter_value(iterator, &size);
        (void)first;
        *ts = store_pair_ts(found, found_size);
        result = (int64_t)size;
    }
    leveldb_iter_destroy(iterator);
    return result;
}

/* It has no upper bound: the end is compared here. */
static struct store_seen walk(struct store *store, const uint8_t *low, size_t low_size,
                              const uint8_t *high, size_t high_size) {
    struct store_seen seen = {0};
    char *error = NULL;
    leveldb_iterator_t *iterator = leveldb_create_iterator(store->db, store->reading);
    if (low_size > 0)
        leveldb_iter_seek(iterator, (const char *)low, low_size);
    else
        leveldb_iter_seek_to_first(iterator);
    for (; leveldb_iter_valid(iterator); leveldb_iter_next(iterator)) {
        size_t key_size, size;
        const char *key = leveldb_iter_key(iterator, &key_size);
        if (high_size > 0 && memcmp(key, high, high_size < key_size ? high_size : key_size) >= 0)
            break;
        const char *value = leveldb_iter_value(iterator, &size);
        store_see(&seen, value, size);
    }
    leveldb_iter_get_error(iterator, &error);
    check("scan", error);
    leveldb_iter_destroy(iterator);
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

const struct store_ops store_leveldb = {.name = "leveldb",
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
