/*
 * What flowdb-growth's parts share. Its records are made while it runs, outside the clock, so that
 * the process holds little but the database.
 */
#ifndef BENCH_GROWTH_H
#define BENCH_GROWTH_H

#include "bench.h"

struct growth {
    struct bench bench;
    uint64_t records, series, points; /* points: of each series */
    uint64_t reads;                   /* of a round */
    uint64_t keep_mb;                 /* of a stall run: what is there at the most */
    bool warm;                        /* is memory touched before the clock starts? */
};

/* Prints one result: a line of JSON. */
void growth_row(const struct growth *growth, const char *row, const char *unit, double value);

void growth_costs(struct growth *growth);
/* Writes as fast as the database takes it, for so long. */
void growth_stall(struct growth *growth, uint64_t seconds);

#endif
