#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

static void *system_allocate(void *context, size_t size) {
    (void)context;
    return malloc(size > 0 ? size : 1);
}

static void *system_reallocate(void *context, void *memory, size_t size) {
    (void)context;
    return realloc(memory, size > 0 ? size : 1);
}

static void system_release(void *context, void *memory) {
    (void)context;
    free(memory);
}

/* mmap with a huge page to spare, cut down to an aligned region: the kernel gives huge pages only
   to aligned ones, and a fault on 2 MiB costs an eighth of 512 faults on 4 KiB. */
static void *map_aligned(size_t size) {
    size_t padded = size + HUGE_PAGE;
    uint8_t *region = mmap(NULL, padded, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED)
        return NULL;
    size_t before = (HUGE_PAGE - (uintptr_t)region % HUGE_PAGE) % HUGE_PAGE;
    if (before > 0)
        munmap(region, before);
    if (HUGE_PAGE - before > 0)
        munmap(region + before + size, HUGE_PAGE - before);
    madvise(region + before, size, MADV_HUGEPAGE);
    return region + before;
}

static void *system_map(void *context, size_t size) {
    (void)context;
    if (size >= HUGE_PAGE)
        return map_aligned(size);
    void *region = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return region != MAP_FAILED ? region : NULL;
}

static void system_unmap(void *context, void *memory, size_t size) {
    (void)context;
    if (memory != NULL)
        munmap(memory, size);
}

const struct fl_alloc *fl_alloc_system(void) {
    static const struct fl_alloc alloc = {
        .allocate = system_allocate,
        .reallocate = system_reallocate,
        .release = system_release,
        .map = system_map,
        .unmap = system_unmap,
    };
    return &alloc;
}

void *fl_allocate_zeroed(const struct fl_alloc *alloc, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *memory = fl_allocate(alloc, bytes);
    if (memory != NULL)
        memset(memory, 0, bytes);
    return memory;
}

char *fl_duplicate(const struct fl_alloc *alloc, const void *bytes, size_t size) {
    char *copy = fl_allocate(alloc, size + 1);
    if (copy == NULL)
        return NULL;
    if (size > 0)
        memcpy(copy, bytes, size);
    copy[size] = '\0';
    return copy;
}
