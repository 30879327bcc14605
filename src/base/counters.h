/*
 * Counters for hot paths: each thread counts in a cache line of its own, without locked
 * instructions, and whoever wants to know adds the lines up.
 *
 * A thread finds its line by hashing its thread pointer, and claims it the first time. A claim is
 * never given up: threads that come later with the same pointer, which is then free, take it over.
 * Threads that find no line share one and pay for atomic additions.
 */
#ifndef FL_BASE_COUNTERS_H
#define FL_BASE_COUNTERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/status.h"
#include "base/stripe.h"

#define FL_COUNTERS 8 /* a cache line of them */
#define FL_COUNTER_LINES_BITS 6
#define FL_COUNTER_LINES (1u << FL_COUNTER_LINES_BITS)

struct fl_counter_line {
    _Atomic uint64_t values[FL_COUNTERS];
};

/* Thread-safe. */
struct fl_counters {
    const struct fl_alloc *alloc;
    void *memory;
    struct fl_counter_line *lines; /* one for each owner, and the shared one; aligned */
    /* Thread pointers; 0: free. Apart from the lines, because these are read and hardly written. */
    _Atomic uintptr_t owners[FL_COUNTER_LINES];
};

flowdb_status fl_counters_init(struct fl_counters *counters, const struct fl_alloc *alloc);
void fl_counters_deinit(struct fl_counters *counters); /* safe on a zeroed one */

/* This thread's line, which it finds again and again; NULL: it has to use the shared one. */
struct fl_counter_line *fl_counters_claim(struct fl_counters *counters, uintptr_t self);

static inline size_t fl_counters_place(uintptr_t self) {
    return fl_thread_place(self, FL_COUNTER_LINES_BITS);
}

static inline struct fl_counter_line *fl_counters_line(struct fl_counters *counters) {
    uintptr_t self = fl_thread_pointer();
    size_t place = fl_counters_place(self);
    if (atomic_load_explicit(&counters->owners[place], memory_order_relaxed) == self)
        return &counters->lines[place];
    return fl_counters_claim(counters, self);
}

static inline void fl_counters_add(struct fl_counters *counters, unsigned which, uint64_t n) {
    struct fl_counter_line *line = fl_counters_line(counters);
    if (line == NULL) {
        atomic_fetch_add_explicit(&counters->lines[FL_COUNTER_LINES].values[which], n,
                                  memory_order_relaxed);
        return;
    }
    /* Nobody else writes it. */
    uint64_t value = atomic_load_explicit(&line->values[which], memory_order_relaxed);
    atomic_store_explicit(&line->values[which], value + n, memory_order_relaxed);
}

/* Exact once those who count have been waited for. */
uint64_t fl_counters_sum(const struct fl_counters *counters, unsigned which);

#endif
