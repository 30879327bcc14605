#include "memtable/arena.h"

void fl_arena_init(struct fl_arena *arena, struct fl_chunk_pool *pool) {
    *arena = (struct fl_arena){.pool = pool};
}

void fl_arena_deinit(struct fl_arena *arena) {
    for (struct fl_chunk *chunk = arena->chunks, *next; chunk != NULL; chunk = next) {
        next = chunk->next;
        chunk->next = NULL;
        fl_chunk_unref(chunk);
    }
    arena->chunks = NULL;
}

void *fl_arena_allocate(struct fl_arena *arena, size_t size) {
    size = (size + 15) & ~(size_t)15;
    struct fl_chunk *chunk = arena->chunks;
    if (chunk == NULL || chunk->size - chunk->used < size) {
        struct fl_chunk *fresh;
        if (fl_chunk_pool_take(arena->pool, size, &fresh) != FLOWDB_OK)
            return NULL;
        /* A large piece gets a chunk of its own behind the one that is being carved. */
        if (chunk != NULL && fresh->size - size < chunk->size - chunk->used) {
            fresh->next = chunk->next;
            chunk->next = fresh;
        } else {
            fresh->next = chunk;
            arena->chunks = fresh;
        }
        chunk = fresh;
    }
    void *memory = chunk->data + chunk->used;
    chunk->used += size;
    arena->bytes += size;
    return memory;
}
