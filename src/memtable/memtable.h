/*
 * The memtable: what was written and is not in a table yet.
 *
 * A hash table leads from a key to its series (series.h); the entries themselves stay where the
 * batch put them, in chunks that the memtable keeps alive. The order of the keys is worked out only
 * when a scan needs it (directory.h).
 *
 * One writer at a time (the engine's commit lock); readers without a lock, but for the directory
 * and the range tombstones, which have a mutex of their own. A reader gives the sequence number of
 * its snapshot and sees nothing newer. It must read that number before it looks into the memtable,
 * and hold a reference.
 */
#ifndef FL_MEMTABLE_MEMTABLE_H
#define FL_MEMTABLE_MEMTABLE_H

#include "base/chunk.h"
#include "base/row.h"
#include "merge/skyline.h"
#include "merge/source.h"

struct fl_memtable;

/* `expected_series` sizes the hash table; 0 is fine. The pool is borrowed and must outlive it. */
flowdb_status fl_memtable_create(const struct fl_alloc *alloc, struct fl_chunk_pool *pool,
                                 size_t expected_series, struct fl_memtable **memtable);
/* So many versions of a key are to be expected, as there were in the memtable before: their array begins
   as large, and is copied less often. */
void fl_memtable_expect(struct fl_memtable *memtable, uint64_t versions);
void fl_memtable_ref(struct fl_memtable *memtable);
void fl_memtable_unref(struct fl_memtable *memtable); /* NULL is fine */

/* ---- the writer ---- */

/* The entries of one commit, as they lie in a chunk. */
struct fl_memtable_batch {
    struct fl_chunk *chunk; /* holds the entries; the memtable takes a reference of its own */
    const uint8_t *entries; /* well-formed */
    size_t size;            /* their bytes */
    size_t charge;          /* bytes of the chunk that they cost */
    const uint64_t *hashes; /* fl_hash_key of each entry's key, range deletes' too (any number) */
    uint32_t count;
    uint64_t first_seq; /* of the first entry; the others follow on */
};

/* Does all that can fail. What was prepared is invisible; publish or cancel must come next. */
flowdb_status fl_memtable_prepare(struct fl_memtable *memtable,
                                  const struct fl_memtable_batch *batch);
void fl_memtable_publish(struct fl_memtable *memtable);
void fl_memtable_cancel(struct fl_memtable *memtable);

/* ---- what it holds; exact for the writer and once frozen ---- */

/* Memory that it keeps; for the writer, or once frozen. */
uint64_t fl_memtable_bytes(const struct fl_memtable *memtable);
uint64_t fl_memtable_records(const struct fl_memtable *memtable); /* entries, deletes too */
uint64_t fl_memtable_series(const struct fl_memtable *memtable);
bool fl_memtable_empty(const struct fl_memtable *memtable);

/* ---- readers ---- */

/* The newest version of (key, ts) that the snapshot sees, a delete too; borrowed. */
bool fl_memtable_get(const struct fl_memtable *memtable, flowdb_slice key, uint64_t hash,
                     int64_t ts, uint64_t seq, struct fl_row *row);

/* The same of the greatest ts that is not above `ts`. */
bool fl_memtable_latest(const struct fl_memtable *memtable, flowdb_slice key, uint64_t hash,
                        int64_t ts, uint64_t seq, struct fl_row *row);

/* Range tombstones as a snapshot sees them: a skyline, and a few that are not in it yet. */
struct fl_memtable_ranges {
    struct fl_skyline *skyline; /* owned */
    const struct fl_range_tombstone *rest;
    size_t rest_count;
};
bool fl_memtable_has_ranges(const struct fl_memtable *memtable);
flowdb_status fl_memtable_ranges(struct fl_memtable *memtable, uint64_t seq,
                                 struct fl_memtable_ranges *out);
void fl_memtable_ranges_release(struct fl_memtable_ranges *ranges);
/* The largest sequence number that covers the key; 0 if none does. */
uint64_t fl_memtable_ranges_seq(const struct fl_memtable_ranges *ranges, flowdb_slice key);
/* All of them, in order of sequence; for a flush of a frozen memtable. */
const struct fl_range_tombstone *fl_memtable_range_tombstones(const struct fl_memtable *memtable,
                                                              size_t *count);

/* A source over the rows inside the bounds, whose slices must stay valid until it is closed. It
   does not hold a reference: the caller does. */
flowdb_status fl_memtable_source(struct fl_memtable *memtable, const struct fl_bounds *bounds,
                                 uint64_t seq, struct fl_source **source);

#endif
