/*
 * Memory by the chunk: large pieces that writers carve spans from and memtables keep alive.
 *
 * A chunk is reference-counted. When nobody refers to it any more it goes back to the pool, still
 * resident: a page fault costs more than copying a page, so memory is faulted in once and used for
 * memtable after memtable.
 */
#ifndef FL_BASE_CHUNK_H
#define FL_BASE_CHUNK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/status.h"

struct fl_chunk_pool;

struct fl_chunk {
    uint8_t *data;
    size_t size;
    size_t used; /* guarded by whoever carves from it: the pool's lock or the arena's owner */
    _Atomic uint32_t refs;
    bool heap;                  /* from allocate, not map */
    struct fl_chunk_pool *pool; /* where it returns to */
    struct fl_chunk *next;      /* the link of the one list that it is in */
    uint64_t holder;            /* the number of the memtable that took it last; guarded by the
                                   commit lock */
};

/* Thread-safe. Must outlive its chunks. */
struct fl_chunk_pool {
    const struct fl_alloc *alloc;
    size_t chunk_size;
    size_t spare_max; /* free chunks kept, at most */
    /* None are kept or made ahead that would take all chunks beyond it; set after init, 0: no limit. */
    uint64_t resident_max;
    pthread_mutex_t lock;
    /* guarded by lock */
    struct fl_chunk *spare;
    _Atomic size_t spare_count; /* written under lock, read as a hint without */
    struct fl_chunk *current;   /* spans are carved from this one */
    _Atomic uint64_t holders;   /* numbers given out, from 1: an address could come again */
    _Atomic uint64_t resident;  /* bytes of all chunks that exist */
};

/* A piece of a chunk, with a reference of it that the owner of the span must give back. */
struct fl_span {
    struct fl_chunk *chunk;
    uint8_t *data;
    size_t size;
};

void fl_chunk_pool_init(struct fl_chunk_pool *pool, const struct fl_alloc *alloc, size_t chunk_size,
                        size_t spare_max);
void fl_chunk_pool_deinit(struct fl_chunk_pool *pool);

/* `size` bytes, aligned to 8, zeroed or not. */
flowdb_status fl_chunk_pool_span(struct fl_chunk_pool *pool, size_t size, struct fl_span *span);
/* A chunk of at least `size` bytes for one owner to carve from, with one reference. */
flowdb_status fl_chunk_pool_take(struct fl_chunk_pool *pool, size_t size, struct fl_chunk **chunk);
/* Makes a chunk of memory that came from the pool's allocator; it is released with the chunk. On
   failure the memory stays the caller's. */
flowdb_status fl_chunk_pool_adopt(struct fl_chunk_pool *pool, uint8_t *data, size_t size,
                                  struct fl_chunk **chunk);
/* Undoes that: the memory is the caller's again, who must have the only reference. */
void fl_chunk_disown(struct fl_chunk *chunk);

/* Are there fewer than `count` chunks to spare? A hint. */
bool fl_chunk_pool_wants(struct fl_chunk_pool *pool, size_t count);
/* Makes chunks, and touches their pages, until `count` are to spare: for a thread that has the time
   which a writer has not. Out of memory is no error here. */
void fl_chunk_pool_warm(struct fl_chunk_pool *pool, size_t count);

void fl_chunk_ref(struct fl_chunk *chunk);
void fl_chunk_unref(struct fl_chunk *chunk); /* NULL is fine */

#endif
