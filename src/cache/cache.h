/*
 * The block cache: what was decoded stays decoded, up to a number of bytes.
 *
 * Whoever wants things cached keeps a slot for each (a table has one for each of its blocks). A hit
 * takes no lock: the slot is one word that holds the pointer and counts who took it from there
 * (split reference counts: A. Williams, C++ Concurrency in Action, 7.2.4), and the entry is marked
 * as used. Putting in and throwing out take the lock of one of up to 64 shards, each with its list
 * from hot to cold; at the cold end a marked entry loses its mark and goes back to the hot end, so
 * the order among what is used is put right when it matters (CLOCK, Corbató 1968).
 */
#ifndef FL_CACHE_CACHE_H
#define FL_CACHE_CACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/status.h"

struct fl_cache;

/* Where a cached thing is found. Zeroed: empty. Must not move while anything is in it. */
struct fl_cache_slot {
    _Atomic uint64_t word; /* pointer in the low 48 bits, takers in the high 16 */
};

/* Something that can be cached: the first member of it. Reference-counted, in the cache or not. */
struct fl_cached {
    _Atomic int64_t refs;
    void (*destroy)(struct fl_cached *cached);
    /* the cache's */
    _Atomic bool used;
    size_t charge;
    struct fl_cache *cache; /* NULL: was never in one */
    struct fl_cache_slot *slot;
    struct fl_cached *hotter, *colder; /* guarded by the shard's lock */
};

/* One reference, for the caller. */
void fl_cached_init(struct fl_cached *cached, void (*destroy)(struct fl_cached *cached));
static inline void fl_cached_ref(struct fl_cached *cached) {
    atomic_fetch_add_explicit(&cached->refs, 1, memory_order_relaxed);
}
void fl_cached_end(struct fl_cached *cached); /* the last reference is gone */
static inline void fl_cached_unref(struct fl_cached *cached) {
    if (atomic_fetch_sub_explicit(&cached->refs, 1, memory_order_acq_rel) == 1)
        fl_cached_end(cached);
}

/* A capacity of 0 caches nothing. Thread-safe. Must outlive every slot that is used with it. */
flowdb_status fl_cache_create(const struct fl_alloc *alloc, size_t capacity,
                              struct fl_cache **cache);
/* All slots must have been emptied. NULL is fine. */
void fl_cache_destroy(struct fl_cache *cache);

/* What the slot holds, with a reference for the caller; NULL if it is empty. No lock. Counted as a hit
   or a miss. */
struct fl_cached *fl_cache_get(struct fl_cache *cache, struct fl_cache_slot *slot);

/* What an allocation of so many bytes costs, the allocator's own share included: the charge to put
   things in with. */
size_t fl_cache_charge(size_t size);

/*
 * Puts a thing into the slot, unless something is there already: then that takes its place and the
 * given one loses its reference. Returns what the slot's next reader will find, with the caller's
 * reference. `hot`: at the hot end; else at the cold end, where a scan of everything goes, so that
 * it pushes out its own past and nothing else. What is too large is not kept.
 */
struct fl_cached *fl_cache_put(struct fl_cache *cache, struct fl_cache_slot *slot,
                               struct fl_cached *cached, size_t charge, bool hot);

/* Is something of this charge small enough to be kept? */
bool fl_cache_keeps(const struct fl_cache *cache, size_t charge);

/* Empties the slot. */
void fl_cache_drop(struct fl_cache *cache, struct fl_cache_slot *slot);

/* Hits and misses are nearly exact: see fl_stripe_count. */
struct fl_cache_counts {
    uint64_t bytes, entries, evictions;
    uint64_t pinned_bytes; /* thrown out or dropped, but still in readers' hands */
    uint64_t hits, misses;
};
void fl_cache_counts(struct fl_cache *cache, struct fl_cache_counts *counts);

#endif
