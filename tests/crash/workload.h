/*
 * What the writers of the kill test write.
 *
 * Each thread has keys of its own and numbers its batches 1, 2, 3, ... What batch n holds follows
 * from the seed, the thread and n alone, so the state after batch n can be computed by anyone: a
 * recovered database is right when it is exactly the state after some n of each thread, with n no
 * less than what was acknowledged.
 *
 * Every batch ends with a marker: ts is its number, and its value holds how far the other threads
 * were known to be when it was begun. Where the marker survives, so must those.
 */
#ifndef CRASH_WORKLOAD_H
#define CRASH_WORKLOAD_H

#include <flowdb/flowdb.h>

enum {
    WORKLOAD_THREADS = 4,
    WORKLOAD_SLOTS = 16,     /* keys that get a new ts in every batch */
    WORKLOAD_OVERWRITTEN = 8 /* timestamps of one key that are written again and again */
};

struct workload_marker {
    uint64_t acknowledged[WORKLOAD_THREADS];
};

/* Writes batch `number` of `thread`. `known` goes into its marker. */
flowdb_status workload_write(flowdb *db, uint64_t seed, unsigned thread, uint64_t number,
                             const struct workload_marker *known);

/*
 * Finds the last batch of each thread and compares all that the database holds with the state after
 * these batches. False, and a line on stderr, where it is no such state, or where it lacks a batch
 * that an earlier one of another thread knew.
 */
bool workload_check(flowdb *db, uint64_t seed, uint64_t last[WORKLOAD_THREADS]);

#endif
