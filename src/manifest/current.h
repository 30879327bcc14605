/*
 * The current version, for short reads: pinned and let go without a line of memory that all readers
 * write to.
 *
 * Each of a few cache lines holds the version's address and counts who took it from there. A reader
 * counts itself in its own thread's line and, where the version is still the current one, out of it
 * again; else it gives back a reference of the version's own. What is counted where does not matter:
 * the sum does, and whoever replaces a version moves the lines' counts to its own.
 */
#ifndef FL_MANIFEST_CURRENT_H
#define FL_MANIFEST_CURRENT_H

#include "base/stripe.h"
#include "manifest/version.h"

struct fl_current_line {
    _Atomic uint64_t word; /* the version in the low 48 bits, takers in the high 16 */
    uint8_t padding[FL_STRIPE_BYTES - sizeof(uint64_t)];
};

/* Zeroed: there is no version. */
struct fl_current {
    struct fl_current_line lines[FL_STRIPES];
};

#define FL_CURRENT_TAKER (UINT64_C(1) << 48)

/* There must be a version. As many may be in at once as threads. */
static inline struct fl_version *fl_current_enter(struct fl_current *current) {
    uint64_t word = atomic_fetch_add_explicit(&current->lines[fl_stripe()].word, FL_CURRENT_TAKER,
                                              memory_order_acquire);
    return (struct fl_version *)(uintptr_t)(word & (FL_CURRENT_TAKER - 1)); /* NOLINT */
}

/* By the thread that entered. */
static inline void fl_current_leave(struct fl_current *current, struct fl_version *version) {
    _Atomic uint64_t *line = &current->lines[fl_stripe()].word;
    uint64_t word = atomic_load_explicit(line, memory_order_relaxed);
    while ((word & (FL_CURRENT_TAKER - 1)) == (uint64_t)(uintptr_t)version &&
           word >= FL_CURRENT_TAKER) {
        if (atomic_compare_exchange_weak_explicit(line, &word, word - FL_CURRENT_TAKER,
                                                  memory_order_release, memory_order_relaxed))
            return;
    }
    fl_version_unref(version);
}

/* Puts `next` (NULL: none) in the place of `old` (NULL: there was none). Takes and gives back no
   reference: the caller holds one of each. One thread at a time. */
void fl_current_replace(struct fl_current *current, struct fl_version *old,
                        struct fl_version *next);

#endif
