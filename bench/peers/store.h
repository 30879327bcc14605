/*
 * What the comparison asks of a store. Every store gets the same records, made before the clock, and
 * every loop over records runs inside the store's own file, so that none pays for this interface.
 *
 * A store that keeps pairs of bytes gets the key followed by its timestamp as eight big-endian bytes
 * with the sign flipped, which sort as (key, ts) does.
 */
#ifndef PEERS_STORE_H
#define PEERS_STORE_H

#include <flowdb/flowdb.h>

enum { STORE_KEY_ROOM = 64, STORE_CACHE_MB = 128, STORE_MEMTABLE_MB = 64, STORE_BLOCK = 8192 };

enum store_log {
    STORE_LOG_KERNEL,   /* a write returns once the kernel has it */
    STORE_LOG_BUFFERED, /* once it is in the process's memory */
    STORE_LOG_SYNCED    /* once it is on the disk */
};

struct store_options {
    enum store_log log;
    bool
        keep_tables; /* flushed tables stay as they are: nothing is merged behind the reader's back */
};

struct store; /* each file's own */

/* What a scan has seen. `sum` keeps the compiler from leaving the reading out. */
struct store_seen {
    uint64_t records;
    uint64_t sum; /* of value sizes and first bytes */
};

struct store_ops {
    const char *name;
    bool reopens; /* does it find again what it held before it was closed? */
    bool synced;  /* can a write wait for the disk? */
    bool modes;   /* and can it be left in the process's memory? */
    const char *(*version)(void);
    /* Opens or creates; ends the program on failure, as all of these do. */
    struct store *(*open)(const char *folder, const struct store_options *options);
    void (*close)(struct store *store);
    /* Brings records into the store's own form, where it has one that a caller would hold anyway: not
       timed. Until the next call what is written lies among them. NULL: nothing to do. */
    void (*prepare)(const flowdb_record *records, size_t count);
    /* One atomic batch. Thread-safe. */
    void (*write)(struct store *store, const flowdb_record *records, size_t count);
    /* What is in memory goes to a table. */
    void (*flush)(struct store *store);
    /* All tables become one, or what the store has for that. */
    void (*compact)(struct store *store);
    /* The value's size, or -1 where there is none. Its first byte is read. Thread-safe. */
    int64_t (*get)(struct store *store, flowdb_slice key, int64_t ts);
    /* The same for the key's largest ts, which is written to *ts. */
    int64_t (*latest)(struct store *store, flowdb_slice key, int64_t *ts);
    /* All records of the keys that begin with `prefix`, all keys where it is empty. */
    struct store_seen (*scan)(struct store *store, flowdb_slice prefix);
    /* The records of one key between two times, both included. */
    struct store_seen (*range)(struct store *store, flowdb_slice key, int64_t first, int64_t last);
    /* The same of all keys. NULL: it is asked for the range of one key after the other. */
    struct store_seen (*window)(struct store *store, int64_t first, int64_t last);
};

extern const struct store_ops store_flowdb, store_original, store_rocksdb, store_lmdb,
    store_leveldb;

/* The sortable pair of key and timestamp; returns its size. */
static inline size_t store_pair(uint8_t pair[STORE_KEY_ROOM], flowdb_slice key, int64_t ts) {
    uint64_t flipped = __builtin_bswap64((uint64_t)ts ^ (UINT64_C(1) << 63));
    memcpy(pair, key.data, key.size);
    memcpy(pair + key.size, &flipped, sizeof flipped);
    return key.size + sizeof flipped;
}

static inline int64_t store_pair_ts(const void *pair, size_t size) {
    uint64_t flipped;
    memcpy(&flipped, (const uint8_t *)pair + size - sizeof flipped, sizeof flipped);
    return (int64_t)(__builtin_bswap64(flipped) ^ (UINT64_C(1) << 63));
}

/* The first bytes above all that begin with the prefix; its last byte must not be 0xFF. */
static inline size_t store_successor(uint8_t bound[STORE_KEY_ROOM], flowdb_slice prefix) {
    memcpy(bound, prefix.data, prefix.size);
    bound[prefix.size - 1]++;
    return prefix.size;
}

static inline void store_see(struct store_seen *seen, const void *value, size_t size) {
    seen->records++;
    seen->sum += size + *(const uint8_t *)value;
}

/* Prints a message and ends the program. */
__attribute__((noreturn, format(printf, 1, 2))) void store_fail(const char *format, ...);

#endif
