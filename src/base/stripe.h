/*
 * Counting without sharing: a few cache lines, and for each thread one of them that it mostly has to
 * itself. Nothing is registered anywhere: the line follows from the thread's own address.
 */
#ifndef FL_BASE_STRIPE_H
#define FL_BASE_STRIPE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define FL_STRIPE_BITS 4
#define FL_STRIPES (1u << FL_STRIPE_BITS)
#define FL_STRIPE_BYTES 64

/* What tells the calling thread from all others that run. */
static inline uintptr_t fl_thread_pointer(void) {
#if defined(__x86_64__) && defined(__has_builtin)
#if __has_builtin(__builtin_thread_pointer)
#define FL_HAS_THREAD_POINTER /* one instruction; pthread_self is the same behind a call */
#endif
#endif
#ifdef FL_HAS_THREAD_POINTER
    return (uintptr_t)__builtin_thread_pointer();
#else
    return (uintptr_t)pthread_self();
#endif
}

/* Thread control blocks lie at equal distances: multiplying spreads them evenly over 2^bits places. */
static inline size_t fl_thread_place(uintptr_t self, unsigned bits) {
    return (size_t)(((uint64_t)self * UINT64_C(0x9E3779B97F4A7C15)) >> (64 - bits));
}

/* The calling thread's stripe, below FL_STRIPES; always the same one. */
static inline unsigned fl_stripe(void) {
    return (unsigned)fl_thread_place(fl_thread_pointer(), FL_STRIPE_BITS);
}

/* Adds to a counter of one's own stripe without a locked instruction. Two threads that share the
   stripe may lose an addition: for statistics, never for accounting. */
static inline void fl_stripe_count(_Atomic uint64_t *counter, uint64_t by) {
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + by, memory_order_relaxed);
}

#endif
