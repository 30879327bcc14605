/* An allocator that counts what is alive and fails on demand. Thread-safe, but for when to fail. */
#ifndef TESTS_SUPPORT_FAILING_ALLOC_H
#define TESTS_SUPPORT_FAILING_ALLOC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"

struct failing_alloc {
    struct fl_alloc alloc;    /* hand this out */
    _Atomic uint64_t calls;   /* allocations that were asked for, grown ones too */
    _Atomic uint64_t fail_at; /* the call that fails, from 1; 0: none */
    bool persistent;          /* all after it fail too */
    _Atomic int64_t live;     /* allocations that are not released */
    bool maps_heap; /* maps from the heap: cheaper where a test maps a thousand times a second */
};

void failing_alloc_init(struct failing_alloc *failing);

#endif
