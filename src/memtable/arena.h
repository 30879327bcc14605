/* Memory that one writer carves and that is given back all at once. */
#ifndef FL_MEMTABLE_ARENA_H
#define FL_MEMTABLE_ARENA_H

#include "base/chunk.h"

/* Not thread-safe; readers may look at what was carved. */
struct fl_arena {
    struct fl_chunk_pool *pool;
    struct fl_chunk *chunks; /* the first one is carved from */
    size_t bytes;            /* carved so far */
};

void fl_arena_init(struct fl_arena *arena, struct fl_chunk_pool *pool);
void fl_arena_deinit(struct fl_arena *arena);
/* Aligned to 16, not zeroed. NULL when memory is out, which fl_fail has then recorded. */
void *fl_arena_allocate(struct fl_arena *arena, size_t size);

#endif
