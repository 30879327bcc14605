#include "support/failing_alloc.h"

static bool fails(struct failing_alloc *failing) {
    uint64_t call = ++failing->calls, fail_at = failing->fail_at;
    if (fail_at == 0)
        return false;
    return failing->persistent ? call >= fail_at : call == fail_at;
}

static void *counted(struct failing_alloc *failing, void *memory) {
    if (memory != NULL)
        failing->live++;
    return memory;
}

static void *failing_allocate(void *context, size_t size) {
    struct failing_alloc *failing = context;
    return fails(failing) ? NULL : counted(failing, fl_allocate(fl_alloc_system(), size));
}

static void *failing_reallocate(void *context, void *memory, size_t size) {
    struct failing_alloc *failing = context;
    if (fails(failing))
        return NULL;
    void *grown = fl_reallocate(fl_alloc_system(), memory, size);
    return memory == NULL ? counted(failing, grown) : grown;
}

static void failing_release(void *context, void *memory) {
    struct failing_alloc *failing = context;
    if (memory != NULL)
        failing->live--;
    fl_release(fl_alloc_system(), memory);
}

static void *failing_map(void *context, size_t size) {
    struct failing_alloc *failing = context;
    const struct fl_alloc *system = fl_alloc_system();
    if (fails(failing))
        return NULL;
    void *memory = failing->maps_heap ? fl_allocate_zeroed(system, 1, size)
                                      : system->map(system->context, size);
    return counted(failing, memory);
}

static void failing_unmap(void *context, void *memory, size_t size) {
    struct failing_alloc *failing = context;
    const struct fl_alloc *system = fl_alloc_system();
    if (memory != NULL)
        failing->live--;
    if (failing->maps_heap)
        fl_release(system, memory);
    else
        system->unmap(system->context, memory, size);
}

void failing_alloc_init(struct failing_alloc *failing) {
    *failing = (struct failing_alloc){.alloc = {.allocate = failing_allocate,
                                                .reallocate = failing_reallocate,
                                                .release = failing_release,
                                                .map = failing_map,
                                                .unmap = failing_unmap,
                                                .context = failing}};
}
