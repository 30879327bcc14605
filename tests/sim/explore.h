/*
 * Lives, each of which is crashed after every operation of its file system, into several states. What
 * each leaves is opened, compared with the oracle, gone on with, and now and then crashed again: in
 * the middle of the recovery, or behind it.
 *
 * Everything follows from a life's seed. A state is named by the seed, the operation and a number,
 * and FLOWDB_CRASH_REPLAY=seed:operation:number goes straight to it.
 */
#ifndef TESTS_SIM_EXPLORE_H
#define TESTS_SIM_EXPLORE_H

#include "life.h"

struct explore {
    uint64_t seed;
    bool replays; /* only the state that the environment names */
    uint64_t replay_seed, replay_operation;
    unsigned replay_number;

    /* counted */
    uint64_t lives, operations, states, recoveries, by_loss[SIM_LOSSES];
    uint64_t again; /* crashes in or behind a recovery */
    uint64_t lost,
        unacknowledged; /* writes that a crash took, or kept though nobody had been told */
    uint64_t checkpoints;
};

/* Reads the environment. */
void explore_init(struct explore *explore, const char *test);
/* Lives until `states` were looked at. What goes wrong fails
   the test. */
void explore_lives(struct explore *explore, uint64_t states);
void explore_print(const struct explore *explore);

#endif
