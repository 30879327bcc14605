#include "manifest/current.h"

/* What a version's count has on top while it is in the lines: readers that were counted there may
   give their references back to the version. */
#define IN_LINES (INT64_C(1) << 40)

void fl_current_replace(struct fl_current *current, struct fl_version *old,
                        struct fl_version *next) {
    int64_t takers = 0;
    if (next != NULL)
        atomic_fetch_add_explicit(&next->refs, IN_LINES, memory_order_relaxed);
    for (size_t i = 0; i < FL_STRIPES; i++) {
        uint64_t word = atomic_exchange_explicit(&current->lines[i].word, (uint64_t)(uintptr_t)next,
                                                 memory_order_acq_rel);
        takers += (int64_t)(word >> 48);
    }
    if (old != NULL)
        atomic_fetch_add_explicit(&old->refs, takers - IN_LINES, memory_order_acq_rel);
}
