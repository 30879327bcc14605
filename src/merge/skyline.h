/*
 * Range tombstones as a skyline: the key space cut where coverage changes, each piece with the
 * largest sequence number that covers it. A row of the piece is hidden when its own is smaller, so
 * one binary search answers for any number of tombstones.
 *
 * Immutable and reference-counted. The keys are borrowed from where the tombstones lie, which must
 * outlive the skyline.
 */
#ifndef FL_MERGE_SKYLINE_H
#define FL_MERGE_SKYLINE_H

#include <stdatomic.h>

#include "base/alloc.h"
#include "base/row.h"
#include "base/status.h"

/* From `start` up to the next piece's start, or without end. */
struct fl_skyline_piece {
    flowdb_slice start;
    uint64_t seq; /* 0: not covered */
};

struct fl_skyline {
    const struct fl_alloc *alloc;
    _Atomic uint32_t refs;
    uint64_t max_seq;
    size_t bytes;            /* of memory that it takes; its keys lie elsewhere */
    _Atomic size_t *charged; /* `bytes` were added to it, and are given back; or NULL */
    size_t count;
    struct fl_skyline_piece pieces[];
};

/*
 * The skyline of `base` (may be NULL; borrowed) and `count` tombstones, in any order; *skyline is
 * NULL where there are none. O(n log n). Tombstones cover all of time.
 */
flowdb_status fl_skyline_build(const struct fl_alloc *alloc, const struct fl_skyline *base,
                               const struct fl_range_tombstone *tombstones, size_t count,
                               struct fl_skyline **skyline);
/* Adds its memory to `*used`, which must outlive it, until it goes. Once; NULL is fine for both. */
void fl_skyline_charge(struct fl_skyline *skyline, _Atomic size_t *used);
void fl_skyline_ref(struct fl_skyline *skyline);   /* NULL is fine */
void fl_skyline_unref(struct fl_skyline *skyline); /* NULL is fine */

/* The largest sequence number that covers the key; 0 where none does or skyline is NULL. */
uint64_t fl_skyline_seq(const struct fl_skyline *skyline, flowdb_slice key);
/* The largest that covers any key from `low` to `high`, both included. */
uint64_t fl_skyline_seq_within(const struct fl_skyline *skyline, flowdb_slice low,
                               flowdb_slice high);

#endif
