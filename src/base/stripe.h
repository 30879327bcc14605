/*
 * Counting without sharing: a few cache lines, and for each thread one of them that it mostly has to
 * itself. Nothing is registered anywhere: the line follows from the thread's own address.
 */
#ifndef FL_BASE_STRIPE_H
#define FL_BASE_STRIPE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#define FL_STRIPES 16
#define FL_STRIPE_BYTES 64

/* The calling thread's stripe, below FL_STRIPES; always the same one. */
static inline unsigned fl_stripe(void) {
#if defined(__has_builtin) && defined(__x86_64__)
#if __has_builtin(__builtin_thread_pointer)
#define FL_STRIPE_SEED ((uintptr_t)__builtin_thread_pointer())
#endif
#endif
#ifndef FL_STRIPE_SEED
#define FL_STRIPE_SEED ((uintptr_t)pthread_self())
#endif
    return (unsigned)(((uint64_t)FL_STRIPE_SEED * UINT64_C(0x9E3779B97F4A7C15)) >> 60);
}

/* Adds to a counter of one's own stripe without a locked instruction. Two threads that share the
   stripe may lose an addition: for statistics, never for accounting. */
static inline void fl_stripe_count(_Atomic uint64_t *counter, uint64_t by) {
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + by, memory_order_relaxed);
}

#endif
