/*
 * flowdb.h - an embeddable time-series database.
 *
 * A record is a key (any bytes), a timestamp (microseconds since the Unix epoch), a value (any
 * bytes) and a time at which it expires. (key, ts) identifies it: writing the pair again replaces
 * the record, deleting the pair hides it. Keys are ordered as memcmp orders bytes, timestamps as
 * signed integers, and every range read runs in (key, ts) order over one consistent snapshot.
 *
 *     flowdb_config config = flowdb_config_default();
 *     config.data_dir = "measurements";
 *     flowdb *db;
 *     if (flowdb_open(&config, &db) != FLOWDB_OK) {
 *         fprintf(stderr, "%s\n", flowdb_last_error());
 *         return 1;
 *     }
 *     flowdb_record record = {flowdb_str("boiler.temp"), 1700000000000000, FLOWDB_NEVER,
 *                             flowdb_str("71.5")};
 *     flowdb_write(db, &record, 1);
 *
 *     flowdb_result latest = {0};
 *     if (flowdb_get_latest(db, flowdb_str("boiler.temp"), &latest) == FLOWDB_OK)
 *         printf("%.*s\n", (int)latest.records[0].value.size,
 *                (const char *)latest.records[0].value.data);
 *     flowdb_result_free(&latest);
 *     flowdb_close(db);
 *
 * Read the file from top to bottom: values, errors, opening, writing, reading, maintenance. What
 * follows holds everywhere unless a comment says otherwise:
 *
 *   - Every call on a `flowdb` may be made from any thread at any time, flowdb_close excepted. A
 *     batch and an iterator belong to one thread at a time. Calls must not be made from a signal
 *     handler, and an open database must not be used in a child after fork().
 *   - A call that can fail returns a flowdb_status, and leaves its outputs untouched unless that is
 *     FLOWDB_OK. flowdb_last_error() then says what went wrong, in a sentence.
 *   - A flowdb_slice that is passed in is borrowed until the call returns.
 *   - Times are int64 microseconds since the Unix epoch; sizes are bytes.
 *
 * C11, or C++11 and later. No macro has to be defined, and there is no global state but each
 * thread's last error.
 */
#ifndef FLOWDB_FLOWDB_H
#define FLOWDB_FLOWDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define FLOWDB_API __attribute__((visibility("default")))
#else
#define FLOWDB_API
#endif

/* ---------------------------------------------------------------------------------- values -- */

/* An open database. Made by flowdb_open, ended by flowdb_close. */
typedef struct flowdb flowdb;
/* Writes that commit together. Made by flowdb_batch_create; one thread at a time. */
typedef struct flowdb_batch flowdb_batch;
/* A snapshot that is being read. Made by flowdb_scan; one thread at a time. */
typedef struct flowdb_iterator flowdb_iterator;

/* Borrowed bytes. `data` may be NULL when `size` is 0. */
typedef struct flowdb_slice {
    const void *data;
    size_t size;
} flowdb_slice;

/* A slice of `size` bytes at `data`. */
static inline flowdb_slice flowdb_bytes(const void *data, size_t size) {
    flowdb_slice slice;
    slice.data = data;
    slice.size = size;
    return slice;
}

/* A slice of a string, without its terminating NUL. */
static inline flowdb_slice flowdb_str(const char *nul_terminated) {
    return flowdb_bytes(nul_terminated, strlen(nul_terminated));
}

/* The expire_at of a record that never expires. */
#define FLOWDB_NEVER INT64_MAX

typedef struct flowdb_record {
    flowdb_slice key;   /* 1..65535 bytes */
    int64_t ts;         /* any int64 */
    int64_t expire_at;  /* invisible from this time on, or FLOWDB_NEVER */
    flowdb_slice value; /* 0..16 MiB */
} flowdb_record;

/*
 * Records that a call returned. It owns its bytes: it stays valid whatever happens to the database,
 * after flowdb_close too, until flowdb_result_free. Start with a zeroed one; a call overwrites it
 * only on success and does not free what it held before.
 */
typedef struct flowdb_result {
    flowdb_record *records;
    size_t count;
    void *owner; /* private */
} flowdb_result;

/* Frees what the result owns and zeroes it. Safe on a zeroed result, and twice. */
FLOWDB_API void flowdb_result_free(flowdb_result *result);

/* ---------------------------------------------------------------------------------- errors -- */

typedef enum flowdb_status {
    FLOWDB_OK = 0,
    FLOWDB_DONE,      /* an iterator has no more records */
    FLOWDB_NOT_FOUND, /* no such record, or no such database and create_if_missing is false */
    FLOWDB_INVALID_ARGUMENT, /* the message names the argument and its range; nothing changed */
    FLOWDB_IO_ERROR,         /* the message names the file and the system's error */
    FLOWDB_CORRUPTION,  /* a checksum or structure on disk is wrong: file and offset are named */
    FLOWDB_NO_MEMORY,   /* nothing changed */
    FLOWDB_NO_SPACE,    /* the disk is full: the write left no trace, reads go on */
    FLOWDB_LOCKED,      /* the directory is open already, in another process or in this one */
    FLOWDB_READ_ONLY,   /* opened so, or writes stopped after an I/O failure that put durability
                                in doubt; reopening decides what survived */
    FLOWDB_UNSUPPORTED, /* the files were written by a newer format than this library reads */
    FLOWDB_INTERRUPTED, /* the caller's own interrupt ended a read; see flowdb_read_options */
    FLOWDB_WOULD_WAIT   /* what must not wait would have to: flowdb_try_write_batch_owned */
} flowdb_status;

/* "FLOWDB_OK" and so on; "FLOWDB_UNKNOWN" for a number that is no status. Never NULL. */
FLOWDB_API const char *flowdb_status_name(flowdb_status status);

/*
 * The calling thread's last failure as a sentence, "" before its first. Never NULL. Valid until the
 * thread's next call into the library fails.
 */
FLOWDB_API const char *flowdb_last_error(void);

/* The library's version, such as "0.1.0". */
FLOWDB_API const char *flowdb_version(void);

/* ------------------------------------------------------------------- open, configure, close -- */

typedef enum flowdb_log_level {
    FLOWDB_LOG_ERROR,
    FLOWDB_LOG_WARN,
    FLOWDB_LOG_INFO,
    FLOWDB_LOG_DEBUG
} flowdb_log_level;

/* When a write counts as done. */
typedef enum flowdb_wal_sync {
    /* Once it is on the disk (fdatasync; concurrent writers share one). Survives a power cut. */
    FLOWDB_SYNC_ALWAYS,
    /* Once the kernel has it: survives the death of the process. On the disk within
       wal_sync_interval_ms, so a power cut loses at most that much, from the end. */
    FLOWDB_SYNC_INTERVAL,
    /* Once it is in a 256 KB buffer of the process, which is drained when full, each
       wal_sync_interval_ms, and at flush, sync and close. The death of the process loses what the
       buffer held, from the end. While a drain fails, writes fail. */
    FLOWDB_SYNC_BUFFERED
} flowdb_wal_sync;

/*
 * Fill one with flowdb_config_init or flowdb_config_default, then change what matters. Strings are
 * borrowed until flowdb_open returns. Defaults and ranges stand beside the fields.
 */
typedef struct flowdb_config {
    size_t struct_size;     /* set by flowdb_config_init; lets the struct grow within one ABI */
    const char *data_dir;   /* "./data" */
    bool create_if_missing; /* true: an absent or empty directory becomes an empty database */
    bool read_only;         /* false; true: no file is written, no lock taken, writes are refused */
    bool auto_background;   /* true: flush, compaction, gc and WAL sync run on the engine's own
                               threads; false: nothing runs by itself, writers flush and sync
                               inline when due */
    uint32_t memtable_size_mb;        /* 64 (1..65536): MiB of writes held in memory per memtable */
    uint32_t max_frozen_memtables;    /* 2 (1..64): writers wait past this many unflushed ones */
    uint32_t block_size;              /* 8192 (128..1048576): bytes of encoded columns per block,
                                         before general compression */
    int32_t zstd_level;               /* 3 (1..22) */
    uint32_t bloom_bits_per_key;      /* 10 (0..64); 0 = no filter */
    uint32_t wal_segment_size_mb;     /* 64 (1..65536): a log this long freezes its memtable */
    flowdb_wal_sync wal_sync;         /* FLOWDB_SYNC_INTERVAL */
    uint32_t wal_sync_interval_ms;    /* 1000 (from 1) */
    uint32_t compaction_threshold;    /* 2 (2..64) similar-sized tables */
    uint32_t flush_interval_ms;       /* 1000 (from 1): how often frozen memtables are looked at */
    uint32_t gc_interval_secs;        /* 3600 (from 1) */
    uint64_t default_ttl_secs;        /* 0 = none (up to 9223372036854): records written with
                                         FLOWDB_NEVER expire this long after their ts */
    uint32_t time_bucket_secs;        /* 3600 (from 1) */
    uint32_t index_memory_budget_mb;  /* 256 */
    uint32_t block_cache_capacity_mb; /* 128 */
    uint32_t disk_reserve_mb; /* 64: below this much free space writes get FLOWDB_NO_SPACE */
    /* Called with one line at a time, without a newline, from any thread, the engine's own too, and
       maybe while the engine holds locks: it must not call back into the database. NULL: silent. */
    void (*log)(void *log_context, flowdb_log_level level, const char *message);
    void *log_context;
} flowdb_config;

/* Writes the defaults into a struct of the caller's size: pass sizeof(flowdb_config). */
FLOWDB_API void flowdb_config_init(flowdb_config *config, size_t struct_size);

/* The defaults. */
static inline flowdb_config flowdb_config_default(void) {
    flowdb_config config;
    flowdb_config_init(&config, sizeof config);
    return config;
}

/*
 * FLOWDB_OK, or FLOWDB_INVALID_ARGUMENT with the field and its range in flowdb_last_error().
 * flowdb_open makes the same check. Looks at no file.
 */
FLOWDB_API flowdb_status flowdb_config_validate(const flowdb_config *config);

/*
 * Opens the database in config->data_dir and recovers what an earlier process left behind: what the
 * logs hold is written into tables before the call returns (read-only: into memory), so the time it
 * takes grows with what was not flushed. `config` may be NULL for the defaults. One process, and
 * one handle in it, holds a directory at a time.
 *
 * FLOWDB_LOCKED, FLOWDB_NOT_FOUND (absent and create_if_missing is false), FLOWDB_READ_ONLY (the
 * directory cannot be written: open it with read_only), FLOWDB_CORRUPTION, FLOWDB_UNSUPPORTED,
 * FLOWDB_INVALID_ARGUMENT, FLOWDB_IO_ERROR, FLOWDB_NO_SPACE, FLOWDB_NO_MEMORY.
 */
FLOWDB_API flowdb_status flowdb_open(const flowdb_config *config, flowdb **db);

/*
 * Flushes, syncs, ends the engine's threads, and frees the handle. No other call on it may be
 * running. With iterators still alive it returns FLOWDB_INVALID_ARGUMENT and the database stays
 * open; otherwise the handle is gone, even when flushing failed, and that failure is what it
 * returns (the logs still hold what could not be flushed). NULL is fine.
 */
FLOWDB_API flowdb_status flowdb_close(flowdb *db);

/* ----------------------------------------------------------------------------------- write -- */

/*
 * Commits `count` records together: after a crash, and to any reader, all are there or none is.
 * Where two have the same (key, ts), the later one wins. 0 records are fine. Returns when the
 * records are visible to every read that starts afterwards and as durable as config.wal_sync says.
 *
 * FLOWDB_INVALID_ARGUMENT (a key or value out of bounds, the whole over 256 MiB, ts +
 * default_ttl_secs beyond int64; the message names the record's index), FLOWDB_NO_SPACE,
 * FLOWDB_NO_MEMORY, FLOWDB_READ_ONLY, FLOWDB_IO_ERROR: nothing was written. Only where a sync fails
 * is the outcome unknown until the database is opened again; writes are then refused.
 */
FLOWDB_API flowdb_status flowdb_write(flowdb *db, const flowdb_record *records, size_t count);

/*
 * A batch collects puts and deletes in order; where they meet on one record the later wins. Its
 * keys and values are copied in as they are added.
 */
FLOWDB_API flowdb_batch *flowdb_batch_create(void);        /* NULL only when memory is out */
FLOWDB_API void flowdb_batch_destroy(flowdb_batch *batch); /* NULL is fine */
FLOWDB_API void flowdb_batch_clear(flowdb_batch *batch);   /* empties it; its memory is kept */
FLOWDB_API size_t flowdb_batch_count(const flowdb_batch *batch); /* entries, deletes too */

/*
 * Each adds one entry or, on failure (FLOWDB_INVALID_ARGUMENT for bounds or past 256 MiB,
 * FLOWDB_NO_MEMORY), leaves the batch as it was.
 */
FLOWDB_API flowdb_status flowdb_batch_put(flowdb_batch *batch, flowdb_slice key, int64_t ts,
                                          int64_t expire_at, flowdb_slice value);
FLOWDB_API flowdb_status flowdb_batch_delete(flowdb_batch *batch, flowdb_slice key, int64_t ts);
/* See flowdb_delete_range. Hides what the batch put before it as well. */
FLOWDB_API flowdb_status flowdb_batch_delete_range(flowdb_batch *batch, flowdb_slice start,
                                                   flowdb_slice end);

/* Commits the batch as flowdb_write does. The batch stays as it is and can be used again. */
FLOWDB_API flowdb_status flowdb_write_batch(flowdb *db, const flowdb_batch *batch);

/*
 * The same, and takes the batch, also on failure: the caller must not touch it again. Its bytes
 * become the memtable's without being copied.
 */
FLOWDB_API flowdb_status flowdb_write_batch_owned(flowdb *db, flowdb_batch *batch);

/*
 * The same for a thread that has others to attend to, such as an event loop: where the write would wait,
 * the answer is FLOWDB_WOULD_WAIT, nothing was done, and the batch is still the caller's, who hands it
 * to a thread that may wait in flowdb_write_batch_owned. Any other answer is that one's, and the batch
 * is gone.
 *
 * Writes wait with FLOWDB_SYNC_ALWAYS, always; while memory is full; for a share of their time while
 * compaction is behind; where a memtable ends and the next begins; and for the log, where the writes
 * before took two milliseconds or more, for a tenth of a second or until one was fast, or one is under
 * way for a millisecond. What cannot be known beforehand is that the disk stops in the middle of this
 * very write to the log.
 */
FLOWDB_API flowdb_status flowdb_try_write_batch_owned(flowdb *db, flowdb_batch *batch);

/* Hides the record (key, ts). Deleting what is not there is fine. */
FLOWDB_API flowdb_status flowdb_delete(flowdb *db, flowdb_slice key, int64_t ts);

/*
 * Hides every record, at every ts, whose key is in [start, end) and that was written before; later
 * writes are not touched. An empty slice is no bound on its side. start >= end otherwise is
 * FLOWDB_INVALID_ARGUMENT. Costs the same however many records it hides.
 */
FLOWDB_API flowdb_status flowdb_delete_range(flowdb *db, flowdb_slice start, flowdb_slice end);

/* What to change in a record; NULL keeps what is there. */
typedef struct flowdb_patch {
    const flowdb_slice *value;
    const int64_t *expire_at;
} flowdb_patch;

/*
 * Changes the record (key, ts), atomically against every other write; FLOWDB_NOT_FOUND if it is
 * absent, deleted or expired. An expire_at that is not patched stays as it is, FLOWDB_NEVER too:
 * default_ttl_secs is not applied. `updated` may be NULL; otherwise it receives the record as it now
 * is. A patch of nothing writes nothing and returns the record.
 */
FLOWDB_API flowdb_status flowdb_patch_record(flowdb *db, flowdb_slice key, int64_t ts,
                                             const flowdb_patch *patch, flowdb_result *updated);
/* The same, or FLOWDB_WOULD_WAIT where flowdb_try_write_batch_owned answers that; nothing was done
   then. Reading the record may take a read from the disk. */
FLOWDB_API flowdb_status flowdb_try_patch_record(flowdb *db, flowdb_slice key, int64_t ts,
                                                 const flowdb_patch *patch, flowdb_result *updated);

/* ------------------------------------------------------------------------------------ read -- */

/* Which records a read covers. Build one with the functions below; its slices are borrowed until
   the call that it is passed to returns. Start after end is an empty range, not an error. */
typedef struct flowdb_range {
    flowdb_slice prefix, key_start, key_end; /* keys inclusive at both ends; empty = no bound */
    int64_t ts_start, ts_end;                /* inclusive at both ends */
    uint32_t kind;                           /* private */
    uint64_t reserved[4];                    /* private, zero */
} flowdb_range;

FLOWDB_API flowdb_range flowdb_range_all(void);
FLOWDB_API flowdb_range flowdb_range_prefix(flowdb_slice prefix);
FLOWDB_API flowdb_range flowdb_range_time(int64_t ts_start, int64_t ts_end);
FLOWDB_API flowdb_range flowdb_range_prefix_time(flowdb_slice prefix, int64_t ts_start,
                                                 int64_t ts_end);
FLOWDB_API flowdb_range flowdb_range_keys(flowdb_slice key_start, flowdb_slice key_end);
FLOWDB_API flowdb_range flowdb_range_keys_time(flowdb_slice key_start, flowdb_slice key_end,
                                               int64_t ts_start, int64_t ts_end);

typedef struct flowdb_read_options {
    size_t struct_size;    /* set by flowdb_read_options_init */
    bool fill_cache;       /* true: blocks that are read stay in the block cache */
    bool verify_checksums; /* true: a block read from disk is checked before it is used */
    bool reverse;          /* false: key and ts ascending; true: both descending */
    size_t limit;          /* 0 = no limit; otherwise the most records to return */
    /* NULL, or asked in the reading thread after every 4096 records that a call passes over because
       they are deleted or expired, of which there may be many before one that can be returned: true
       ends the call with FLOWDB_INTERRUPTED. It must not call back into the database. */
    bool (*interrupt)(void *interrupt_context);
    void *interrupt_context;
} flowdb_read_options;

/* Writes the defaults into a struct of the caller's size. */
FLOWDB_API void flowdb_read_options_init(flowdb_read_options *options, size_t struct_size);

/* The defaults. */
static inline flowdb_read_options flowdb_read_options_default(void) {
    flowdb_read_options options;
    flowdb_read_options_init(&options, sizeof options);
    return options;
}

/*
 * One record into `out`, or FLOWDB_NOT_FOUND. Also FLOWDB_INVALID_ARGUMENT, FLOWDB_IO_ERROR,
 * FLOWDB_CORRUPTION, FLOWDB_NO_MEMORY; an error is never reported as an absence.
 */
FLOWDB_API flowdb_status flowdb_get(flowdb *db, flowdb_slice key, int64_t ts, flowdb_result *out);

/* The live record of `key` with the greatest ts (not the one written last), or FLOWDB_NOT_FOUND. */
FLOWDB_API flowdb_status flowdb_get_latest(flowdb *db, flowdb_slice key, flowdb_result *out);

/*
 * All records of the range, copied into `out`; none is FLOWDB_OK with count 0. `options` may be
 * NULL. Memory grows with the answer: for large ranges use flowdb_scan.
 */
FLOWDB_API flowdb_status flowdb_query(flowdb *db, const flowdb_range *range,
                                      const flowdb_read_options *options, flowdb_result *out);

/*
 * Opens an iterator over the range as it is now: what is written, flushed or deleted later does not
 * change what it returns, and expiry is judged at the time of this call. Its memory is bounded by
 * the number of memtables and tables, not by the range; while it lives it keeps those alive.
 * `options` may be NULL. The caller destroys *out, before flowdb_close.
 */
FLOWDB_API flowdb_status flowdb_scan(flowdb *db, const flowdb_range *range,
                                     const flowdb_read_options *options, flowdb_iterator **out);

/*
 * FLOWDB_OK with the next record, whose slices are valid until the next call on the iterator;
 * FLOWDB_DONE at the end or at the limit; or an error, after which the iterator returns that error
 * again until it is destroyed or a seek succeeds.
 */
FLOWDB_API flowdb_status flowdb_iterator_next(flowdb_iterator *iterator, flowdb_record *record);

/*
 * Moves so that the next record is the first at or after (key, ts), in the iterator's order and
 * inside its range; forwards or backwards, and after FLOWDB_DONE too. Costs a search, not a scan.
 * The limit goes on counting from where it was.
 */
FLOWDB_API flowdb_status flowdb_iterator_seek(flowdb_iterator *iterator, flowdb_slice key,
                                              int64_t ts);

/*
 * As flowdb_iterator_next, but skips what is left of the current key without reading it: the first
 * record of the next key. Before the first record it is the same as flowdb_iterator_next.
 */
FLOWDB_API flowdb_status flowdb_iterator_next_key(flowdb_iterator *iterator, flowdb_record *record);

FLOWDB_API void flowdb_iterator_destroy(flowdb_iterator *iterator); /* NULL is fine */

/* -------------------------------------------------------------------------------- maintain -- */

/* Writes what is in memory to tables, durably, before it returns. Writers may go on meanwhile. */
FLOWDB_API flowdb_status flowdb_flush(flowdb *db);

/*
 * One round of compaction: tables of similar size in one time window are merged into one. *ran (may
 * be NULL) tells whether there was anything to do. Reads and writes go on meanwhile. The engine does
 * this by itself after each flush, unless auto_background is false.
 */
FLOWDB_API flowdb_status flowdb_compact(flowdb *db, bool *ran);

/* Flushes, then merges everything into the fewest tables, across all windows. */
FLOWDB_API flowdb_status flowdb_compact_all(flowdb *db);

/*
 * Removes tables whose every record is expired and which hide nothing that is older. *records_purged
 * (may be NULL) is the number of their records. Expired records in other tables go when those are
 * compacted; none is visible in any case.
 */
FLOWDB_API flowdb_status flowdb_gc(flowdb *db, uint64_t *records_purged);

/* Makes everything written before the call survive a power cut (fdatasync of the logs). */
FLOWDB_API flowdb_status flowdb_sync(flowdb *db);

/*
 * Copies the database into the directory `dir`, which must be absent or empty, while reads and
 * writes go on: a database of its own, to be opened, moved or copied like any other. It holds all
 * that was written before the call, also what wal_sync has only buffered, and each batch whole or
 * not at all; it is on the disk when the call returns. data_dir/checkpoints/NAME is the usual place,
 * which opening and collecting garbage leave alone; missing parents are created.
 *
 * Tables are hard-linked where `dir` is on the same file system, and copied otherwise; logs are
 * copied. So it costs little time, and space only as the tables that it shares are compacted away.
 * It is made beside its target, as `dir`.partial-checkpoint, and renamed at the end. A failure
 * removes what was made; what a crash leaves there goes with the next checkpoint to the same place.
 *
 * Thread-safe; one at a time, others wait. Writers wait while buffered writes are handed to the
 * kernel, not for copying. FLOWDB_INVALID_ARGUMENT (`dir` holds something), FLOWDB_READ_ONLY (a
 * read-only handle cannot keep the writer from removing files), FLOWDB_NO_SPACE, FLOWDB_IO_ERROR,
 * FLOWDB_NO_MEMORY.
 */
FLOWDB_API flowdb_status flowdb_checkpoint(flowdb *db, const char *dir);

/*
 * Reads every byte that counts in a closed directory, and holds what the files say of one another
 * against each other: checksums, the order of rows, indexes, filters and properties against the
 * rows, logs and tables against the manifest. Changes nothing.
 *
 * Calls `report` (may be NULL) for each problem, in this thread: `file` is relative to data_dir,
 * `offset` in bytes, `what` a sentence; both strings are valid during the call. FLOWDB_OK: there was
 * none. FLOWDB_CORRUPTION: there was. What a crash may leave is no problem: a torn end of the last
 * log, files that nothing refers to.
 *
 * FLOWDB_LOCKED (open in some process), FLOWDB_NOT_FOUND (no database there), FLOWDB_UNSUPPORTED,
 * FLOWDB_IO_ERROR, FLOWDB_NO_MEMORY: it could not be brought to its end. Where the directory cannot
 * be written it is read without the lock, and somebody else must see to it that nobody writes.
 * Takes about as long as reading the files; memory for the largest table's keys (first ones of
 * blocks, and 8 bytes for each) and the largest log.
 */
FLOWDB_API flowdb_status flowdb_verify(const char *data_dir,
                                       void (*report)(void *ctx, const char *file, uint64_t offset,
                                                      const char *what),
                                       void *ctx);

/*
 * Makes a closed directory open again with all that verifies, and reports what it finds, what it
 * drops and what becomes of it, as flowdb_verify does. Where there is no problem it changes nothing.
 *
 *   - Of a damaged table the whole blocks are written to a new one; they are found even where index
 *     and footer are lost. Bytes that cannot be read are damage.
 *   - Of the logs a beginning is kept: nothing that was written after something that is missing.
 *   - A lost or damaged manifest is replaced by what remains of it and by the tables that are there.
 *     Then tables may count again that had been merged into others, and with them deleted data: the
 *     report says so for each.
 *
 * The originals of what it replaces stay under data_dir/lost/, which the engine never looks into. A
 * failure or crash leaves the directory as it was or repaired, and the call can be made again.
 * FLOWDB_OK: it opens, and flowdb_verify finds nothing. Otherwise as flowdb_verify, FLOWDB_NO_SPACE,
 * FLOWDB_READ_ONLY. Needs space for what it rewrites.
 */
FLOWDB_API flowdb_status flowdb_repair(const char *data_dir,
                                       void (*report)(void *ctx, const char *file, uint64_t offset,
                                                      const char *what),
                                       void *ctx);

/* --------------------------------------------------------------------------------- observe -- */

/*
 * What the engine has done since it was opened (counters: names that begin with total_ or end in
 * _total, and the latencies) and what there is now (gauges). Set struct_size before the call; new
 * fields come at the end, so that a program that was compiled against an older header goes on
 * working. flowdb_stats_field_at lists the fields with their meaning, and flowdb_metrics_text is
 * made from that list.
 *
 * Latencies are percentiles of fixed-bucket histograms, within 1/32 of the truth. Writes and reads
 * are timed one call in 64 of each thread, and every call of a thread while its calls take 4
 * microseconds or more; flushes and syncs always. 0 where none was timed yet.
 */
typedef struct flowdb_stats {
    size_t struct_size;

    /* --- counters: since opening */
    uint64_t total_records_written; /* puts that were committed; patches too */
    uint64_t total_bytes_written;   /* keys and values of puts and deletes as they were given */
    uint64_t total_records_read;    /* that gets, queries and iterators returned */
    uint64_t total_records_expired; /* expired records that compaction and gc removed for good */
    uint64_t total_flushes;         /* memtables that became tables */
    uint64_t total_gc_runs;         /* of flowdb_gc, the engine's own too */
    uint64_t total_compaction_runs; /* merges that were completed */
    uint64_t records_purged_by_gc;  /* records of the tables that gc dropped */

    /* --- gauges: now */
    uint64_t memtable_records;         /* entries in memory, deletes too, frozen ones too */
    uint64_t memtable_bytes;           /* memory that memtables keep, frozen ones too */
    uint64_t frozen_memtable_count;    /* memtables that wait to be flushed */
    uint64_t sstable_count;            /* tables that make up the database */
    uint64_t sstable_bytes;            /* of their files */
    uint64_t wal_bytes;                /* written to the logs that still count */
    uint64_t block_meta_index_entries; /* data blocks of all tables: one index entry each */
    uint64_t time_index_buckets;       /* time windows that hold tables */
    double block_cache_hit_rate; /* hits of block_cache_hits and _misses, 0 to 1; 0 before any */
    double compression_ratio;    /* sstable_raw_bytes / sstable_bytes: 10 is a tenth; 0 where
                                          there are no tables */

    /* --- latencies in microseconds */
    uint64_t write_latency_p50_us, write_latency_p90_us,
        write_latency_p99_us; /* calls that write */
    uint64_t query_latency_p50_us, query_latency_p90_us,
        query_latency_p99_us; /* flowdb_query; and scans, from flowdb_scan to the end that
                                 is met, or to flowdb_iterator_destroy, with what the caller does
                                 between the records */
    uint64_t flush_latency_p50_us, flush_latency_p90_us, flush_latency_p99_us; /* of one memtable */
    uint64_t uptime_secs;                                                      /* since opening */

    /* --- counters, beyond those above */
    uint64_t total_deletes_written; /* of records and of ranges */
    uint64_t total_write_calls;     /* writes, batches, deletes and patches that came to a commit */
    uint64_t total_get_calls;       /* flowdb_get and flowdb_get_latest */
    uint64_t total_query_calls;
    uint64_t total_scan_calls;          /* iterators that were opened */
    uint64_t total_wal_syncs;           /* fdatasync of a log */
    uint64_t total_write_stalls;        /* writers that waited because too much was unflushed */
    uint64_t total_write_stall_us;      /* how long, added up */
    uint64_t total_space_refusals;      /* writes refused for want of disk_reserve_mb */
    uint64_t total_flush_bytes;         /* of the tables that flushes wrote */
    uint64_t total_compaction_bytes_in; /* of the tables that compactions merged */
    uint64_t total_compaction_bytes_out;
    uint64_t total_checkpoints;
    uint64_t total_background_failures; /* flushes, compactions, gc and checkpoints that failed */
    uint64_t total_background_retries;  /* how often the engine said that it would try again */

    /* --- get_latency is in nanoseconds: a cached get takes a tenth of a microsecond */
    uint64_t get_latency_p50_ns, get_latency_p90_ns, get_latency_p99_ns; /* gets and latest */
    uint64_t wal_sync_latency_p50_us, wal_sync_latency_p90_us, wal_sync_latency_p99_us;

    /* --- gauges, beyond those above */
    uint64_t write_stall_longest_us; /* of one writer, since opening */
    uint64_t writers_stalled;        /* now */
    uint64_t flushes_running, compactions_running;
    uint64_t flush_failures_in_row;    /* 0: the last one went well */
    uint64_t sstable_records;          /* in all tables, deletes and older versions too */
    uint64_t sstable_deletes;          /* among them */
    uint64_t sstable_range_tombstones; /* range deletes in tables */
    uint64_t sstable_raw_bytes;        /* keys and values of those records as they were written */
    uint64_t index_bytes;        /* of filters, index partitions and range deletes in memory */
    uint64_t write_memory_bytes; /* of all chunks that batches are in or will be */
    uint64_t block_cache_bytes, block_cache_capacity_bytes, block_cache_entries;
    uint64_t block_cache_pinned_bytes; /* thrown out, but still in readers' hands */
    uint64_t block_cache_hits, block_cache_misses, block_cache_evictions; /* counters */
    uint64_t iterators_open; /* each holds the memtables and tables that it began with */
    uint64_t last_sequence;  /* number of the last entry that reads can see */
    uint64_t recovered_records, recovered_torn_logs, recovered_dropped_logs; /* by the open */
    uint64_t disk_free_bytes;    /* where the database lies; UINT64_MAX: cannot be told */
    uint64_t disk_reserve_bytes; /* below this much free space only deletes are taken */
    uint64_t writes_accepted;    /* 1 or 0; flowdb_get_health says why */

    /* --- back pressure of compaction: while more tables come to be than it merges, writes are slowed
       down in proportion, each a little */
    uint64_t total_paced_writes;   /* counter: writes that waited so */
    uint64_t total_write_paced_us; /* counter: how long, added up */
    uint64_t
        write_pace_ns_per_kib; /* gauge: what a KiB that is written has to wait now; 0: nothing */
    uint64_t
        background_jobs_failing; /* gauge: whose last run failed; flowdb_get_health names one */
    uint64_t
        sstable_range_tombstone_bytes; /* gauge: memory of range deletes; part of index_bytes */
} flowdb_stats;

/*
 * Fills in the first stats->struct_size bytes, as far as this library knows fields. Takes no lock that
 * a write is held under while it waits for the disk. Costs some tens of microseconds, and more with
 * thousands of tables. FLOWDB_INVALID_ARGUMENT where struct_size has no room for the first counter.
 */
FLOWDB_API flowdb_status flowdb_get_stats(flowdb *db, flowdb_stats *stats);

typedef enum flowdb_stats_kind { FLOWDB_STATS_COUNTER, FLOWDB_STATS_GAUGE } flowdb_stats_kind;

/* A field of flowdb_stats. Only ever handed out by pointer: later versions may add fields at its
   end. */
typedef struct flowdb_stats_field {
    const char *name; /* of the field */
    const char *help; /* a sentence */
    flowdb_stats_kind kind;
    bool is_double; /* else uint64_t */
    size_t offset;  /* in flowdb_stats */
    /* In flowdb_metrics_text: its name, or NULL where a histogram takes its place; another name that
       it goes by, untyped, or NULL; and what it is multiplied by. */
    const char *metric, *old_metric;
    double scale;
} flowdb_stats_field;

/* The fields in their order, from 0; NULL past the last. Valid as long as the library is loaded. */
FLOWDB_API const flowdb_stats_field *flowdb_stats_field_at(size_t index);

/*
 * All statistics in Prometheus' text format, latencies as histograms; to be freed with flowdb_free.
 * A histogram's count may lag behind by up to 63 calls of each thread, for the reason given above.
 * FLOWDB_INVALID_ARGUMENT, FLOWDB_NO_MEMORY.
 */
FLOWDB_API flowdb_status flowdb_metrics_text(flowdb *db, char **text);

/* Frees what a call says is to be freed with it. NULL is fine. */
FLOWDB_API void flowdb_free(void *pointer);

/* Can one write, and if not, why? In the order of how bad it is. */
typedef enum flowdb_health_state {
    FLOWDB_HEALTH_GOOD,
    FLOWDB_HEALTH_DEGRADED,    /* writes are accepted, but something behind them goes on failing */
    FLOWDB_HEALTH_MEMORY_FULL, /* nothing can be flushed and memory is full: writes get the reason */
    FLOWDB_HEALTH_DISK_FULL,   /* less than disk_reserve_mb is free: only deletes are taken; or a
                                  write found no room, which is believed until one is taken, or for
                                  ten seconds where a MiB or more is free again */
    FLOWDB_HEALTH_STOPPED, /* an I/O failure put durability in doubt: no writes until reopened */
    FLOWDB_HEALTH_OPENED_READ_ONLY
} flowdb_health_state;

/* "good", "degraded", "memory_full", "disk_full", "stopped", "read_only"; "unknown" for a number that
   is no state. Never NULL. */
FLOWDB_API const char *flowdb_health_state_name(flowdb_health_state state);

typedef struct flowdb_health {
    size_t struct_size;
    flowdb_health_state state;
    bool writes_accepted; /* in the first two states */
    char message[512];    /* why, in a sentence; "" where all is good */
} flowdb_health;

/*
 * The state as it is now. Set struct_size before the call. Takes no lock that is held while anything
 * waits for the disk, and asks the file system for its free space. FLOWDB_INVALID_ARGUMENT.
 */
FLOWDB_API flowdb_status flowdb_get_health(flowdb *db, flowdb_health *health);

/* A table of the database. Only ever handed out by pointer: later versions may add fields at its
   end. Ranges are inclusive; without records they are empty: no keys, min above max. */
typedef struct flowdb_table {
    uint64_t id; /* of the file sst/ID.sst; tables made later have larger ones */
    /* Compaction merges within time windows. Level 0 lies ahead of the window that now is in, and has no
       bounds: window_start is INT64_MIN, window_end INT64_MAX. From level 1 on windows are
       time_bucket_secs * 4^(level - 1) long; microseconds, the end exclusive. */
    uint32_t window_level;
    int64_t window_start, window_end;
    flowdb_slice min_key, max_key;
    int64_t min_ts, max_ts;
    int64_t max_expire_at; /* of its puts; from then on all of them are expired */
    uint64_t min_sequence, max_sequence;
    uint64_t file_bytes;
    uint64_t raw_bytes; /* keys and values of its records as they were written */
    uint64_t records;   /* deletes included */
    uint64_t deletes;
    uint64_t keys; /* distinct ones */
    uint64_t range_tombstones;
    uint64_t blocks;
} flowdb_table;

/* Owns what it points to, as a flowdb_result does. */
typedef struct flowdb_tables {
    const flowdb_table *const *tables; /* by max_sequence, the newest first */
    size_t count;
    void *owner; /* private */
} flowdb_tables;

/* The tables that make up the database now. FLOWDB_INVALID_ARGUMENT, FLOWDB_NO_MEMORY. */
FLOWDB_API flowdb_status flowdb_list_tables(flowdb *db, flowdb_tables *out);

/* Frees what it owns and zeroes it. Safe on a zeroed one, and twice. */
FLOWDB_API void flowdb_tables_free(flowdb_tables *tables);

typedef enum flowdb_event_kind {
    FLOWDB_EVENT_OPEN,           /* logs were read back (inputs) and written to tables (outputs) */
    FLOWDB_EVENT_FLUSH,          /* a memtable (input) became a table (output) */
    FLOWDB_EVENT_COMPACTION,     /* tables were merged into others */
    FLOWDB_EVENT_GC,             /* tables whose every record was expired (inputs) were dropped */
    FLOWDB_EVENT_CHECKPOINT,     /* tables and logs (inputs) were linked or copied */
    FLOWDB_EVENT_RETRY,          /* what failed, with status and message, will be tried again */
    FLOWDB_EVENT_WRITES_STOPPED, /* from now on writes are refused; the message says why */
    FLOWDB_EVENT_WRITES_RESUMED
} flowdb_event_kind;

/* "open", "flush", "compaction", "gc", "checkpoint", "retry", "writes_stopped", "writes_resumed";
   "unknown" for a number that is no kind. Never NULL. */
FLOWDB_API const char *flowdb_event_kind_name(flowdb_event_kind kind);

/* Something that the engine did. Only ever handed out by pointer: later versions may add fields at
   its end. */
typedef struct flowdb_event {
    uint64_t id; /* 1 for the first after opening, in the order in which they ended */
    flowdb_event_kind kind;
    flowdb_status status; /* how it ended; FLOWDB_DONE: given up because of flowdb_close */
    int64_t started_at;   /* microseconds since the Unix epoch */
    uint64_t duration_us;
    uint64_t inputs, outputs;         /* logs, memtables or tables; see the kinds */
    uint64_t bytes_in, bytes_out;     /* of those: of memory for memtables, of files for the rest */
    uint64_t records_in, records_out; /* of those, deletes included */
    const char *message;              /* what was done or what went wrong, in a sentence */
} flowdb_event;

/* Owns what it points to, as a flowdb_result does. */
typedef struct flowdb_events {
    const flowdb_event *const *events; /* oldest first */
    size_t count;
    void *owner; /* private */
} flowdb_events;

/*
 * The last 128 events, those that failed too. What is still going on is not among them. Costs a copy
 * of some 60 KB. FLOWDB_INVALID_ARGUMENT, FLOWDB_NO_MEMORY.
 */
FLOWDB_API flowdb_status flowdb_list_events(flowdb *db, flowdb_events *out);

/* Frees what it owns and zeroes it. Safe on a zeroed one, and twice. */
FLOWDB_API void flowdb_events_free(flowdb_events *events);

#ifdef __cplusplus
}
#endif

#endif
