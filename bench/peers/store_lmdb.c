/* LMDB as Debian packages it: a copy-on-write B+tree in a memory map, uncompressed, without a log. */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "store.h"

struct store {
    MDB_env *env;
    MDB_dbi dbi;
};

static void check(const char *what, int error) {
    if (error != 0)
        store_fail("lmdb: %s: %s", what, mdb_strerror(error));
}

static const char *version(void) {
    static char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", MDB_VERSION_MAJOR, MDB_VERSION_MINOR,
             MDB_VERSION_PATCH);
    return text;
}

/* Without MDB_NOSYNC each batch would wait for the disk; with it the kernel has it. */
static struct store *open_store(const char *folder, const struct store_options *options) {
    static struct store store;
    MDB_txn *txn;
    check("create", mdb_env_create(&store.env));
    check("map", mdb_env_set_mapsize(store.env, (size_t)64 << 30));
    check("open",
          mdb_env_open(store.env, folder, options->log == STORE_LOG_SYNCED ? 0 : MDB_NOSYNC, 0644));
    check("begin", mdb_txn_begin(store.env, NULL, 0, &txn));
    check("database", mdb_dbi_open(txn, NULL, 0, &store.dbi));
    check("commit", mdb_txn_commit(txn));
    return &store;
}

static void close_store(struct store *store) {
    check("sync", mdb_env_sync(store->env, 1));
    mdb_env_close(store->env);
}

static void write_batch(struct store *store, const flowdb_record *records, size_t count) {
    uint8_t pair[STORE_KEY_ROOM];
    MDB_txn *txn;
    check("begin", mdb_txn_begin(store->env, NULL, 0, &txn));
    for (size_t i = 0; i < count; i++) {
        MDB_val key = {.mv_data = pair, .mv_size = store_pair(pair, records[i].key, records[i].ts)};
        MDB_val value = {.mv_data = (void *)(uintptr_t)records[i].value.data,
                         .mv_size = records[i].value.size};
        check("put", mdb_put(txn, store->dbi, &key, &value, 0));
    }
    check("commit", mdb_txn_commit(txn));
}

/* It has neither memtables nor tables. */
static void nothing(struct store *store) {
    (void)store;
}

static MDB_cursor *begin(struct store *store, MDB_txn **txn) {
    MDB_cursor *cursor;
    check("begin", mdb_txn_begin(store->env, NULL, MDB_RDONLY, txn));
    check("cursor", mdb_cursor_open(*txn, store->dbi, &cursor));
    return cursor;
}

static void end(MDB_cursor *cursor, MDB_txn *txn) {
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
}

static int64_t get(struct store *store, flowdb_slice key, int64_t ts) {
    uint8_t pair[STORE_KEY_ROOM];
    MDB_val wanted = {.mv_data = pair, .mv_size = store_pair(pair, key, ts)}, value;
    MDB_txn *txn;
    check("begin", mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn));
    int error = mdb_get(txn, store->dbi, &wanted, &value);
    int64_t size = -1;
    if (error == 0) {
        volatile uint8_t first = *(const uint8_t *)value.mv_data;
        (void)first;
        size = (int64_t)value.mv_size;
    } else if (error != MDB_NOTFOUND) {
        check("get", error);
    }
    mdb_txn_abort(txn);
    return size;
}

static int64_t latest(struct store *store, flowdb_slice key, int64_t *ts) {
    uint8_t pair[STORE_KEY_ROOM];
    MDB_val at = {.mv_data = pair, .mv_size = store_pair(pair, key, INT64_MAX)}, value;
    MDB_txn *txn;
    MDB_cursor *cursor = begin(store, &txn);
    int error = mdb_cursor_get(cursor, &at, &value, MDB_SET_RANGE);
    error = mdb_cursor_get(cursor, &at, &value, error == 0 ? MDB_PREV : MDB_LAST);
    int64_t size = -1;
    if (error == 0) {
        volatile uint8_t first = *(const uint8_t *)value.mv_data;
        (void)first;
        *ts = store_pair_ts(at.mv_data, at.mv_size);
        size = (int64_t)value.mv_size;
    }
    end(cursor, txn);
    return size;
}

static struct store_seen walk(struct store *store, const uint8_t *low, size_t low_size,
                              const uint8_t *high, size_t high_size) {
    struct store_seen seen = {0};
    MDB_txn *txn;
    MDB_cursor *cursor = begin(store, &txn);
    MDB_val key = {.mv_data = (void *)(uintptr_t)low, .mv_size = low_size}, value;
    int error = mdb_cursor_get(cursor, &key, &value, low_size > 0 ? MDB_SET_RANGE : MDB_FIRST);
    while (error == 0) {
        if (high_size > 0 &&
            memcmp(key.mv_data, high, high_size < key.mv_size ? high_size : key.mv_size) >= 0)
            break;
        store_see(&seen, value.mv_data, value.mv_size);
        error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    if (error != MDB_NOTFOUND)
        check("scan", error);
    end(cursor, txn);
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

const struct store_ops store_lmdb = {.name = "lmdb",
                                     .synced = true,
                                     .reopens = true,
                                     .version = version,
                                     .open = open_store,
                                     .close = close_store,
                                     .write = write_batch,
                                     .flush = nothing,
                                     .compact = nothing,
                                     .get = get,
                                     .latest = latest,
                                     .scan = scan,
                                     .range = read_range};
