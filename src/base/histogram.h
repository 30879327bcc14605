/*
 * Histograms of durations: fixed buckets, no lock, percentiles within 1/32 of the truth.
 *
 * Buckets are log-linear: 16 to each power of two, so that none is wider than a sixteenth of what it
 * holds. A bucket holds its upper end and not its lower one: how many values are at most a power of
 * two is then exact, and Prometheus asks for just that.
 */
#ifndef FL_BASE_HISTOGRAM_H
#define FL_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/status.h"

#define FL_HISTOGRAM_LARGEST_BITS 40 /* what is above 2^40 counts as that: 18 minutes in ns */
#define FL_HISTOGRAM_BUCKETS 592

struct fl_histogram_stripe {
    _Atomic uint64_t sum;
    _Atomic uint64_t buckets[FL_HISTOGRAM_BUCKETS];
};

/* Thread-safe. */
struct fl_histogram {
    const struct fl_alloc *alloc;
    struct fl_histogram_stripe *stripes;
    uint32_t stripe_count; /* a power of two */
};

/* More stripes where many threads record at once. */
flowdb_status fl_histogram_init(struct fl_histogram *histogram, const struct fl_alloc *alloc,
                                uint32_t stripe_count);
void fl_histogram_deinit(struct fl_histogram *histogram); /* safe on a zeroed one */

/* The value, 0 as if it were 1, `weight` times. */
void fl_histogram_record(struct fl_histogram *histogram, uint64_t value, uint64_t weight);

/* What it holds at one moment; 5 KB. */
struct fl_histogram_counts {
    uint64_t count, sum;
    uint64_t buckets[FL_HISTOGRAM_BUCKETS];
};
void fl_histogram_read(const struct fl_histogram *histogram, struct fl_histogram_counts *counts);

/* The smallest value that `per_mille` of the recorded ones do not exceed, within 1/32 of it; 0 where
   nothing was recorded. */
uint64_t fl_histogram_percentile(const struct fl_histogram_counts *counts, uint32_t per_mille);
/* How many are at most 2^bits; exact. */
uint64_t fl_histogram_at_most(const struct fl_histogram_counts *counts, uint32_t bits);

#endif
