#include "base/counters.h"

#define LINE ((size_t)64)
#define PROBES 8 /* places looked at before a thread gives up and shares */

flowdb_status fl_counters_init(struct fl_counters *counters, const struct fl_alloc *alloc) {
    _Static_assert(sizeof(struct fl_counter_line) == LINE, "a line is a cache line");
    size_t size = (FL_COUNTER_LINES + 1) * sizeof(struct fl_counter_line) + LINE;
    *counters = (struct fl_counters){.alloc = alloc};
    counters->memory = fl_allocate_zeroed(alloc, 1, size);
    if (counters->memory == NULL)
        return fl_fail_memory("counters", size);
    uintptr_t start = (uintptr_t)counters->memory;
    counters->lines =
        (struct fl_counter_line *)((start + LINE - 1) / LINE * LINE); /* NOLINT: aligned by hand */
    return FLOWDB_OK;
}

void fl_counters_deinit(struct fl_counters *counters) {
    if (counters->memory != NULL)
        fl_release(counters->alloc, counters->memory);
    *counters = (struct fl_counters){0};
}

struct fl_counter_line *fl_counters_claim(struct fl_counters *counters, uintptr_t self) {
    size_t place = fl_counters_place(self);
    for (size_t i = 0; i < PROBES; i++, place = (place + 1) % FL_COUNTER_LINES) {
        uintptr_t owner = atomic_load_explicit(&counters->owners[place], memory_order_relaxed);
        if (owner == 0 &&
            atomic_compare_exchange_strong_explicit(&counters->owners[place], &owner, self,
                                                    memory_order_relaxed, memory_order_relaxed))
            return &counters->lines[place];
        if (owner == self)
            return &counters->lines[place];
    }
    return NULL;
}

uint64_t fl_counters_sum(const struct fl_counters *counters, unsigned which) {
    uint64_t sum = 0;
    for (size_t i = 0; i <= FL_COUNTER_LINES; i++)
        sum += atomic_load_explicit(&counters->lines[i].values[which], memory_order_relaxed);
    return sum;
}
