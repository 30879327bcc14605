/* FlowDB 0.1.5, the Rust crate, through the functions of rust/src/lib.rs. Its point reads find nothing
   any more of what it has compacted, so it is flushed where the others are compacted. */
#include "store.h"

struct original;
struct prepared;

extern bool original_is_release(void);
extern struct original *original_open(const char *folder, size_t memtable_mb, size_t block,
                                      size_t cache_mb);
extern void original_close(struct original *original);
extern struct prepared *original_prepare(const flowdb_record *records, size_t count);
extern void original_release(struct prepared *prepared);
extern void original_write(const struct original *original, const struct prepared *prepared,
                           size_t first, size_t count);
extern void original_flush(const struct original *original);
extern int64_t original_get(const struct original *original, const void *key, size_t size,
                            int64_t ts, uint64_t *sum);
extern int64_t original_latest(const struct original *original, const void *key, size_t size,
                               int64_t *ts);
extern struct store_seen original_scan(const struct original *original, const void *prefix,
                                       size_t size);
extern struct store_seen original_range(const struct original *original, const void *key,
                                        size_t size, int64_t first, int64_t last);

struct store {
    struct original *original;
    /* What the records that are written were made into, before the clock. */
    const flowdb_record *base;
    struct prepared *prepared;
};

static struct store the_store;

static const char *version(void) {
    return original_is_release() ? "0.1.5" : "0.1.5 (debug)";
}

static struct store *open_store(const char *folder, const struct store_options *options) {
    (void)options; /* it has one way, and merges when it is told to */
    the_store.original = original_open(folder, STORE_MEMTABLE_MB, STORE_BLOCK, STORE_CACHE_MB);
    return &the_store;
}

static void close_store(struct store *store) {
    original_close(store->original);
}

static void prepare(const flowdb_record *records, size_t count) {
    if (the_store.prepared != NULL)
        original_release(the_store.prepared);
    the_store.base = records;
    the_store.prepared = records != NULL ? original_prepare(records, count) : NULL;
}

static void write_batch(struct store *store, const flowdb_record *records, size_t count) {
    original_write(store->original, store->prepared, (size_t)(records - store->base), count);
}

static void flush(struct store *store) {
    original_flush(store->original);
}

static int64_t get(struct store *store, flowdb_slice key, int64_t ts) {
    uint64_t sum = 0;
    return original_get(store->original, key.data, key.size, ts, &sum);
}

static int64_t latest(struct store *store, flowdb_slice key, int64_t *ts) {
    return original_latest(store->original, key.data, key.size, ts);
}

static struct store_seen scan(struct store *store, flowdb_slice prefix) {
    return original_scan(store->original, prefix.data, prefix.size);
}

static struct store_seen read_range(struct store *store, flowdb_slice key, int64_t first,
                                    int64_t last) {
    return original_range(store->original, key.data, key.size, first, last);
}

const struct store_ops store_original = {.name = "flowdb-0.1.5",
                                         .reopens = true,
                                         .version = version,
                                         .open = open_store,
                                         .close = close_store,
                                         .prepare = prepare,
                                         .write = write_batch,
                                         .flush = flush,
                                         .compact = flush,
                                         .get = get,
                                         .latest = latest,
                                         .scan = scan,
                                         .range = read_range};
