#include "base/histogram.h"

#include "base/bytes.h"
#include "base/counters.h"

#define SUB_BITS 4
#define SUBS (1u << SUB_BITS)

/* Bucket 0 holds 0 and 1. */
static uint32_t bucket_of(uint64_t value) {
    uint64_t below = FL_MIN(value, UINT64_C(1) << FL_HISTOGRAM_LARGEST_BITS);
    below -= below > 0;
    if (below < SUBS)
        return (uint32_t)below;
    uint32_t exponent = 63 - (uint32_t)__builtin_clzll(below);
    uint32_t sub = (uint32_t)(below >> (exponent - SUB_BITS)) & (SUBS - 1);
    return (exponent - SUB_BITS + 1) * SUBS + sub;
}

/* The value in the middle of a bucket. */
static uint64_t middle_of(uint32_t bucket) {
    if (bucket < SUBS)
        return bucket + 1;
    uint32_t shift = bucket / SUBS - 1;
    uint64_t low = (uint64_t)(SUBS + bucket % SUBS) << shift;
    return low + (((UINT64_C(1) << shift) + 1) / 2);
}

flowdb_status fl_histogram_init(struct fl_histogram *histogram, const struct fl_alloc *alloc,
                                uint32_t stripe_count) {
    *histogram = (struct fl_histogram){.alloc = alloc, .stripe_count = stripe_count};
    histogram->stripes = fl_allocate_zeroed(alloc, stripe_count, sizeof *histogram->stripes);
    if (histogram->stripes == NULL)
        return fl_fail_memory("a histogram", stripe_count * sizeof *histogram->stripes);
    return FLOWDB_OK;
}

void fl_histogram_deinit(struct fl_histogram *histogram) {
    if (histogram->stripes != NULL)
        fl_release(histogram->alloc, histogram->stripes);
    *histogram = (struct fl_histogram){0};
}

void fl_histogram_record(struct fl_histogram *histogram, uint64_t value, uint64_t weight) {
    size_t place = fl_counters_place(fl_thread_pointer()) & (histogram->stripe_count - 1);
    struct fl_histogram_stripe *stripe = &histogram->stripes[place];
    atomic_fetch_add_explicit(&stripe->buckets[bucket_of(value)], weight, memory_order_relaxed);
    atomic_fetch_add_explicit(&stripe->sum, value * weight, memory_order_relaxed);
}

void fl_histogram_read(const struct fl_histogram *histogram, struct fl_histogram_counts *counts) {
    *counts = (struct fl_histogram_counts){0};
    for (uint32_t s = 0; s < histogram->stripe_count; s++) {
        const struct fl_histogram_stripe *stripe = &histogram->stripes[s];
        counts->sum += atomic_load_explicit(&stripe->sum, memory_order_relaxed);
        for (uint32_t i = 0; i < FL_HISTOGRAM_BUCKETS; i++) {
            uint64_t n = atomic_load_explicit(&stripe->buckets[i], memory_order_relaxed);
            counts->buckets[i] += n;
            counts->count += n;
        }
    }
}

uint64_t fl_histogram_percentile(const struct fl_histogram_counts *counts, uint32_t per_mille) {
    if (counts->count == 0)
        return 0;
    /* The rank, rounded up; parted, so that no count is too large. */
    uint64_t rank = counts->count / 1000 * per_mille;
    rank += (counts->count % 1000 * per_mille + 999) / 1000;
    uint64_t passed = 0;
    uint32_t bucket = 0;
    while (bucket < FL_HISTOGRAM_BUCKETS - 1 && passed + counts->buckets[bucket] < rank)
        passed += counts->buckets[bucket++];
    return middle_of(bucket);
}

uint64_t fl_histogram_at_most(const struct fl_histogram_counts *counts, uint32_t bits) {
    uint64_t limit = UINT64_C(1) << FL_MIN(bits, (uint32_t)FL_HISTOGRAM_LARGEST_BITS);
    uint32_t last = bucket_of(limit);
    uint64_t count = 0;
    for (uint32_t i = 0; i <= last; i++)
        count += counts->buckets[i];
    return count;
}
