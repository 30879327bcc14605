/*
 * A database on the simulated file system, and an oracle that follows it: one call after the other,
 * each drawn at random, each judged.
 *
 * Between `durable` and `flying` lies what a crash may leave. The states of the oracle are numbered
 * by the writes that led to them.
 */
#ifndef TESTS_SIM_LIFE_H
#define TESTS_SIM_LIFE_H

#include "fs/env.h"
#include "oracle.h"
#include "sim_fs.h"
#include "support/failing_alloc.h"
#include "support/fake_clock.h"

enum life_call_kind {
    LIFE_WRITE,
    LIFE_BATCH,
    LIFE_OWNED_BATCH,
    LIFE_DELETE,
    LIFE_DELETE_RANGE,
    LIFE_PATCH,
    LIFE_WRITES, /* those before it write */
    LIFE_SYNC = LIFE_WRITES,
    LIFE_FREEZE, /* begins another memtable and log, as a full one does */
    LIFE_FLUSH,
    LIFE_COMPACT,
    LIFE_COMPACT_ALL,
    LIFE_GC,
    LIFE_STEP,
    LIFE_STEP_DUE,
    LIFE_CHECKPOINT,
    LIFE_REOPEN,
    LIFE_CLOCK,
    LIFE_CALLS
};
const char *life_call_name(enum life_call_kind kind);

struct life_call {
    enum life_call_kind kind;
    struct oracle_entry entries[ORACLE_ENTRIES];
    size_t count;
    bool patches_value, patches_expiry;
    unsigned job;                  /* of a step */
    int64_t wall_us, monotonic_us; /* how far the clocks move */
};

struct life {
    struct sim_fs sim;
    struct fault_fs fault; /* around it */
    struct failing_alloc failing;
    struct fake_clock clock;
    struct fl_env env;
    flowdb_config config;
    flowdb *db;
    bool medium, large; /* values that take many pages, or fill memtables */
    uint32_t values;    /* given out */

    struct oracle oracle;
    size_t acknowledged; /* what readers see now */
    size_t flying;       /* one more while a write is under way, or when its outcome is unknown */
    size_t durable;      /* a power cut keeps these */
    size_t drained;      /* the death of the process keeps these */
    int64_t sync_due_us; /* monotonic; a write from then on syncs */
    int64_t opened_wall_us, opened_monotonic_us;
    int64_t purged_us; /* nothing that expires later may have been removed for that */

    unsigned checkpoints; /* tried so far; each has a number of its own */
    unsigned checkpoint;  /* the last that came about; 0: none */
    struct oracle_state checkpoint_state;
    bool reopened;      /* for whoever sets it: the last call closed and opened */
    char trace[32][96]; /* the last calls; a ring */
    size_t traced;
};

/* Nothing is open. */
void life_init(struct life *life, const flowdb_config *config);
/* Another process on what a crash left; takes `sim`. It may find any state from `low` to `high`. */
void life_follow(struct life *life, const struct life *from, struct sim_fs *sim, size_t low,
                 size_t high);
/* Closes nothing: kills what is open. */
void life_deinit(struct life *life);
/* Gives up the handle as a kill would, but for what waits in a buffer; frees its memory. */
void life_kill(struct life *life);

/* A configuration with small memtables and no thread. */
flowdb_config life_choose_config(struct seeded *random);

flowdb_status life_open(struct life *life);
/* The status as it is; what it means for the oracle is noted. */
flowdb_status life_run(struct life *life, const struct life_call *call);
void life_choose_call(struct life *life, struct seeded *random, struct life_call *call);
void life_choose_call_of(struct life *life, struct seeded *random, enum life_call_kind kind,
                         struct life_call *call);

/*
 * What there is to read, by one scan and some points, is one of the states from `low` to `high`:
 * *match tells which. False, with the reason on stderr, where it is none, or reading fails.
 */
bool life_check(struct life *life, size_t low, size_t high, struct seeded *random,
                struct oracle_match *match);
/* It is what it was after the last write that was acknowledged. */
bool life_check_now(struct life *life, struct seeded *random);
/* Opens the last checkpoint in a file system of its own and looks at what it holds. */
bool life_check_checkpoint(struct life *life, const struct sim_fs *sim);
/* What was found is what there is, from now on. */
void life_settle(struct life *life, const struct oracle_match *match);
void life_print(const struct life *life, FILE *out);

#endif
