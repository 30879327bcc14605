#include "base/chunk.h"

#include "base/bytes.h"

#define PAGE ((size_t)4096)

void fl_chunk_pool_init(struct fl_chunk_pool *pool, const struct fl_alloc *alloc, size_t chunk_size,
                        size_t spare_max) {
    *pool =
        (struct fl_chunk_pool){.alloc = alloc, .chunk_size = chunk_size, .spare_max = spare_max};
    pthread_mutex_init(&pool->lock, NULL);
}

static void free_chunk(struct fl_chunk *chunk) {
    struct fl_chunk_pool *pool = chunk->pool;
    atomic_fetch_sub_explicit(&pool->resident, chunk->size, memory_order_relaxed);
    if (chunk->heap)
        fl_release(pool->alloc, chunk->data);
    else
        pool->alloc->unmap(pool->alloc->context, chunk->data, chunk->size);
    fl_release(pool->alloc, chunk);
}

void fl_chunk_pool_deinit(struct fl_chunk_pool *pool) {
    fl_chunk_unref(pool->current);
    pool->current = NULL;
    for (struct fl_chunk *chunk = pool->spare, *next; chunk != NULL; chunk = next) {
        next = chunk->next;
        free_chunk(chunk);
    }
    pool->spare = NULL;
    pthread_mutex_destroy(&pool->lock);
}

static struct fl_chunk *make_chunk(struct fl_chunk_pool *pool, uint8_t *data, size_t size,
                                   bool heap) {
    struct fl_chunk *chunk = fl_allocate(pool->alloc, sizeof *chunk);
    if (chunk == NULL)
        return NULL;
    *chunk = (struct fl_chunk){.data = data, .size = size, .heap = heap, .pool = pool};
    atomic_init(&chunk->refs, 1);
    atomic_fetch_add_explicit(&pool->resident, size, memory_order_relaxed);
    return chunk;
}

static flowdb_status map_chunk(struct fl_chunk_pool *pool, size_t size, struct fl_chunk **chunk) {
    size = (size + PAGE - 1) / PAGE * PAGE;
    uint8_t *data = pool->alloc->map(pool->alloc->context, size);
    if (data == NULL)
        return fl_fail_memory("a memtable chunk", size);
    struct fl_chunk *made = make_chunk(pool, data, size, false);
    if (made == NULL) {
        pool->alloc->unmap(pool->alloc->context, data, size);
        return fl_fail_memory("a memtable chunk", sizeof *made);
    }
    *chunk = made;
    return FLOWDB_OK;
}

/* The caller holds the lock. */
static struct fl_chunk *pop_spare(struct fl_chunk_pool *pool) {
    struct fl_chunk *chunk = pool->spare;
    if (chunk == NULL)
        return NULL;
    pool->spare = chunk->next;
    pool->spare_count--;
    chunk->next = NULL;
    chunk->used = 0;
    chunk->holder = 0;
    atomic_store_explicit(&chunk->refs, 1, memory_order_relaxed);
    return chunk;
}

flowdb_status fl_chunk_pool_take(struct fl_chunk_pool *pool, size_t size, struct fl_chunk **chunk) {
    if (size > pool->chunk_size)
        return map_chunk(pool, size, chunk);
    pthread_mutex_lock(&pool->lock);
    struct fl_chunk *spare = pop_spare(pool);
    pthread_mutex_unlock(&pool->lock);
    if (spare == NULL)
        return map_chunk(pool, pool->chunk_size, chunk);
    *chunk = spare;
    return FLOWDB_OK;
}

/* Puts a fresh chunk in the place of the current one; the caller holds the lock. */
static flowdb_status renew_current(struct fl_chunk_pool *pool, struct fl_chunk **old) {
    struct fl_chunk *chunk = pop_spare(pool);
    if (chunk == NULL) {
        flowdb_status status = map_chunk(pool, pool->chunk_size, &chunk);
        if (status != FLOWDB_OK)
            return status;
    }
    *old = pool->current;
    pool->current = chunk;
    return FLOWDB_OK;
}

flowdb_status fl_chunk_pool_span(struct fl_chunk_pool *pool, size_t size, struct fl_span *span) {
    size_t rounded = (size + 7) & ~(size_t)7;
    if (rounded > pool->chunk_size / 4) {
        struct fl_chunk *own;
        flowdb_status status = map_chunk(pool, rounded, &own);
        if (status == FLOWDB_OK)
            *span = (struct fl_span){.chunk = own, .data = own->data, .size = size};
        return status;
    }
    struct fl_chunk *old = NULL;
    flowdb_status status = FLOWDB_OK;
    pthread_mutex_lock(&pool->lock);
    struct fl_chunk *chunk = pool->current;
    if (chunk == NULL || chunk->size - chunk->used < rounded) {
        status = renew_current(pool, &old);
        chunk = pool->current;
    }
    if (status == FLOWDB_OK) {
        *span = (struct fl_span){.chunk = chunk, .data = chunk->data + chunk->used, .size = size};
        chunk->used += rounded;
        fl_chunk_ref(chunk);
    }
    pthread_mutex_unlock(&pool->lock);
    fl_chunk_unref(old);
    return status;
}

flowdb_status fl_chunk_pool_adopt(struct fl_chunk_pool *pool, uint8_t *data, size_t size,
                                  struct fl_chunk **chunk) {
    struct fl_chunk *made = make_chunk(pool, data, size, true);
    if (made == NULL)
        return fl_fail_memory("a batch", sizeof *made);
    *chunk = made;
    return FLOWDB_OK;
}

void fl_chunk_disown(struct fl_chunk *chunk) {
    struct fl_chunk_pool *pool = chunk->pool;
    atomic_fetch_sub_explicit(&pool->resident, chunk->size, memory_order_relaxed);
    fl_release(pool->alloc, chunk);
}

/* Is there room for so many bytes besides those that exist? */
static bool has_room(const struct fl_chunk_pool *pool, size_t more) {
    return pool->resident_max == 0 ||
           atomic_load_explicit(&pool->resident, memory_order_relaxed) + more <= pool->resident_max;
}

bool fl_chunk_pool_wants(struct fl_chunk_pool *pool, size_t count) {
    return atomic_load_explicit(&pool->spare_count, memory_order_relaxed) <
               FL_MIN(count, pool->spare_max) &&
           has_room(pool, pool->chunk_size);
}

/* The caller holds the lock. */
static bool push_spare(struct fl_chunk_pool *pool, struct fl_chunk *chunk) {
    if (pool->spare_count >= pool->spare_max || !has_room(pool, 0))
        return false;
    chunk->next = pool->spare;
    pool->spare = chunk;
    pool->spare_count++;
    return true;
}

void fl_chunk_pool_warm(struct fl_chunk_pool *pool, size_t count) {
    while (fl_chunk_pool_wants(pool, count)) {
        struct fl_chunk *chunk;
        if (map_chunk(pool, pool->chunk_size, &chunk) != FLOWDB_OK)
            return;
        for (size_t at = 0; at < chunk->size; at += PAGE)
            ((volatile uint8_t *)chunk->data)[at] = 0;
        fl_chunk_unref(chunk);
    }
}

void fl_chunk_ref(struct fl_chunk *chunk) {
    atomic_fetch_add_explicit(&chunk->refs, 1, memory_order_relaxed);
}

void fl_chunk_unref(struct fl_chunk *chunk) {
    if (chunk == NULL || atomic_fetch_sub_explicit(&chunk->refs, 1, memory_order_acq_rel) != 1)
        return;
    struct fl_chunk_pool *pool = chunk->pool;
    bool keep = false;
    if (!chunk->heap && chunk->size == pool->chunk_size) {
        pthread_mutex_lock(&pool->lock);
        keep = push_spare(pool, chunk);
        pthread_mutex_unlock(&pool->lock);
    }
    if (!keep)
        free_chunk(chunk);
}
