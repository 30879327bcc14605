#include "latency.h"

/* Values below LATENCY_STEPS have a bucket each; then each power of two has LATENCY_STEPS. */
static unsigned bucket_of(uint64_t ns) {
    if (ns < LATENCY_STEPS)
        return (unsigned)ns;
    unsigned shift = 63 - (unsigned)__builtin_clzll(ns) - 5;
    return (shift + 1) * LATENCY_STEPS + (unsigned)((ns >> shift) & (LATENCY_STEPS - 1));
}

/* The greatest value of the bucket. */
static uint64_t top_of(unsigned bucket) {
    if (bucket < LATENCY_STEPS)
        return bucket;
    unsigned shift = bucket / LATENCY_STEPS - 1;
    return (((uint64_t)LATENCY_STEPS + bucket % LATENCY_STEPS + 1) << shift) - 1;
}

void latency_add(struct latency *latency, uint64_t ns) {
    latency->count++;
    latency->buckets[bucket_of(ns)]++;
    if (ns > latency->max_ns)
        latency->max_ns = ns;
}

void latency_merge(struct latency *into, const struct latency *from) {
    into->count += from->count;
    if (from->max_ns > into->max_ns)
        into->max_ns = from->max_ns;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}

double latency_percentile_us(const struct latency *latency, double percent) {
    uint64_t below = 0, wanted = (uint64_t)((double)latency->count * percent / 100);
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        below += latency->buckets[i];
        if (below > wanted) {
            uint64_t top = top_of(i);
            return (double)(top < latency->max_ns ? top : latency->max_ns) / 1000;
        }
    }
    return (double)latency->max_ns / 1000;
}
