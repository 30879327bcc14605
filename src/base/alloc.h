/*
 * Where memory comes from. Every allocation of the engine goes through one of these, so that a test
 * can make the Nth one fail. Not for hot paths: those carve from arenas.
 */
#ifndef FL_BASE_ALLOC_H
#define FL_BASE_ALLOC_H

#include <stddef.h>

/* Thread-safe. NULL from allocate, reallocate or map means that memory is out. */
struct fl_alloc {
    void *(*allocate)(void *context, size_t size);
    void *(*reallocate)(void *context, void *memory, size_t size);
    void (*release)(void *context, void *memory); /* NULL is fine */
    /* Zeroed pages in multiples of 4096, on huge pages where the kernel has them to give. */
    void *(*map)(void *context, size_t size);
    void (*unmap)(void *context, void *memory, size_t size);
    void *context;
};

/* malloc and mmap. */
const struct fl_alloc *fl_alloc_system(void);

static inline void *fl_allocate(const struct fl_alloc *alloc, size_t size) {
    return alloc->allocate(alloc->context, size);
}

/* Zeroed; NULL as well where count * size overflows. */
void *fl_allocate_zeroed(const struct fl_alloc *alloc, size_t count, size_t size);

static inline void *fl_reallocate(const struct fl_alloc *alloc, void *memory, size_t size) {
    return alloc->reallocate(alloc->context, memory, size);
}

static inline void fl_release(const struct fl_alloc *alloc, void *memory) {
    alloc->release(alloc->context, memory);
}

/* A copy of `size` bytes with a NUL behind them. */
char *fl_duplicate(const struct fl_alloc *alloc, const void *bytes, size_t size);

#endif
