/*
 * How long calls took: counts in buckets whose width is a 32nd of the value, so that a percentile is
 * at most 3.2 % too high. One thread at a time.
 */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include <stdint.h>

enum { LATENCY_STEPS = 32, LATENCY_BUCKETS = 60 * LATENCY_STEPS };

struct latency {
    uint64_t count, max_ns;
    uint64_t buckets[LATENCY_BUCKETS];
};

void latency_add(struct latency *latency, uint64_t ns);
void latency_merge(struct latency *into, const struct latency *from);
/* 0 where nothing was counted; never more than the maximum. */
double latency_percentile_us(const struct latency *latency, double percent);

#endif
