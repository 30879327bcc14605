/* The inside of a memtable, shared by its files only. */
#ifndef FL_MEMTABLE_INTERNAL_H
#define FL_MEMTABLE_INTERNAL_H

#include <pthread.h>

#include "memtable/arena.h"
#include "memtable/directory.h"
#include "memtable/memtable.h"
#include "memtable/series.h"

/* Series lie in slabs in order of creation. */
struct fl_slab {
    _Atomic(struct fl_slab *) next;
    uint32_t capacity;
    struct fl_series series[];
};

/*
 * Open addressing with linear probing. A slot is one word: the series' address and, above it, the 16
 * high bits of the key's hash, which tell nearly all others apart without looking at their series;
 * 0 ends a probe. `mask` + 1 slots, at most three quarters of them taken. Readers may still be in an outgrown
 * table, which therefore stays in the arena.
 */
#define FL_SLOT_ADDRESS ((UINT64_C(1) << 48) - 1)
struct fl_series_table {
    uint64_t mask;
    uint64_t unused[7]; /* keeps slots on cache lines of their own */
    _Atomic uint64_t slots[];
};

struct fl_prepared {
    struct fl_series *series; /* NULL: a range delete */
    struct fl_late_node *node;
};

struct fl_memtable {
    const struct fl_alloc *alloc;
    struct fl_chunk_pool *pool;
    uint64_t number; /* unlike that of any other memtable of the pool */
    _Atomic uint32_t refs;

    /* the writer's, under the engine's commit lock */
    struct fl_arena arena;
    struct fl_chunk **held; /* chunks that entries lie in */
    size_t held_count, held_capacity;
    struct fl_prepared *prepared; /* what the commit under way has prepared */
    size_t prepared_count, prepared_capacity;
    size_t prepared_ranges;
    uint64_t prepared_charge;
    size_t before_held; /* held_count and series_count when it began */
    uint64_t before_series;
    uint8_t first_step; /* of its series' arrays */
    struct fl_slab *last_slab;
    uint32_t last_slab_used;
    size_t range_capacity;

    /* published by the writer, read by all */
    _Atomic(struct fl_series_table *) table;
    struct fl_slab *first_slab;
    _Atomic uint64_t series_count;
    _Atomic uint64_t record_count;
    _Atomic uint64_t charge;                     /* chunk bytes of its batches */
    _Atomic(struct fl_range_tombstone *) ranges; /* in order of sequence */
    _Atomic size_t range_count;

    pthread_mutex_t lock; /* innermost: nothing is taken under it */
    /* guarded by lock */
    struct fl_directory directory;
    uint64_t directory_series; /* how many are in it, in order of creation */
    const struct fl_slab *directory_slab;
    uint32_t directory_slab_used;
    struct fl_skyline *skyline;
    size_t skyline_ranges; /* how many are in it */
};

/* The series of a key; NULL if there is none. */
struct fl_series *fl_memtable_find(const struct fl_memtable *memtable, flowdb_slice key,
                                   uint64_t hash);

/* The keys in order, those of all series that were published before the call. The caller releases
   the directory. */
flowdb_status fl_memtable_directory(struct fl_memtable *memtable, struct fl_directory *directory);

#endif
