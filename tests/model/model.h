/*
 * The model test: random operations on the engine and on the reference table, compared at every
 * step. One seed is one sequence of operations.
 *
 * It goes in lives. A life has a directory, keys and timestamps of its own and is reopened many
 * times, each time with another configuration. The clock is a fake one that operations move.
 *
 * Each operation draws from a generator of its own, made of the seed and its number, so that leaving
 * some out changes the others little: that is how a failing life is shrunk (shrink.c).
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <stdio.h>

#include "fs/env.h"
#include "reference.h"
#include "support/fake_clock.h"
#include "support/fault_fs.h"
#include "support/scratch.h"

enum {
    MODEL_SNAPSHOTS = 6,
    MODEL_BATCH = 40,
    MODEL_SLICE_BYTES = WORLD_KEY_BYTES + 8,
    MODEL_EVENTS = 32,
    MODEL_LOG_BYTES = 512,
    MODEL_EXIT_FAILED = 1 /* a difference; 2: the test itself could not go on */
};

/* Where a run is, for the process that started it. */
struct model_progress {
    _Atomic uint64_t life_first; /* the number of the life's first operation */
    _Atomic uint64_t operation;
};

/* The operations that are done of a life. */
struct model_plan {
    uint64_t first, last;
    const bool *keep; /* one for each; NULL: all */
};

/* An iterator that stays open across other operations. */
struct snapshot {
    flowdb_iterator *iterator; /* NULL: the place is free */
    struct reference_cursor cursor;
    uint64_t opened_at; /* the number of the operation */
};

/* Something that concerns every key, remembered for the trace. */
struct event {
    uint64_t operation;
    const char *what;
};

struct model {
    struct random random;
    uint64_t seed, operation, operations;
    struct model_progress *progress; /* shared with the parent process */
    bool trace;                      /* tell what is done */

    struct world world;
    struct reference reference;

    struct fake_clock clock;
    struct fault_fs files; /* the disk, without its syncs: no power fails here */
    struct fl_env env;
    int64_t steady_us; /* what the wall clock would show without its jumps */
    int64_t now;       /* the highest wall clock that the engine has seen */
    int64_t opened_us; /* `now` when it was opened */
    int64_t opened_monotonic_us;
    int64_t purged_until;  /* what expired before may have been removed for good */
    uint64_t doubtful_seq; /* see struct reference_view */

    char base[SCRATCH_PATH]; /* holds all that the run makes */
    char directory[SCRATCH_PATH];
    flowdb *db;
    flowdb_config config;
    uint64_t life_operations;
    uint64_t life_cost;       /* what this life has put on disk, roughly, in tables */
    uint64_t life_cost_bytes; /* and what is not a table's worth yet */
    uint64_t life_cost_max;   /* a life ends here */

    struct snapshot snapshots[MODEL_SNAPSHOTS];
    struct event events[MODEL_EVENTS]; /* a ring */
    size_t event_count;
    char last_log[MODEL_LOG_BYTES]; /* the engine's last line at warning or above */

    uint8_t *values; /* room for the values of one batch */
    size_t values_used;
    uint8_t expected_value[WORLD_VALUE_BYTES];
};

/* --- model.c */
/* Does the lives of a whole run, or one life with what the plan keeps. Ends the process with
   MODEL_EXIT_FAILED at a difference. */
void model_run(struct model *model);
void model_run_plan(struct model *model, const struct model_plan *plan);
/* Prints a line where the run is traced. */
__attribute__((format(printf, 2, 3))) void model_trace(const struct model *model,
                                                       const char *format, ...);

/* --- shrink.c */
/* Runs everything in a process of its own; where that fails, finds few operations that still do, and
   prints them. Returns the exit status. */
int model_run_and_shrink(struct model *model);

/* --- life.c: directories, opening, reopening */
void model_begin_life(struct model *model);
void model_end_life(struct model *model);
void model_reopen(struct model *model);
void model_event(struct model *model, const char *what);
/* Reads all of another database, which must hold the same, with the clock where it is. The caller
   closes it. */
void model_check_other(struct model *model, const char *directory, bool read_only);

/* --- check.c: each prints what differs, with a trace, and ends the program */
void model_expect_status(struct model *model, flowdb_status expected, flowdb_status got,
                         const char *what);
/* `version` NULL: not found was expected. */
void model_expect_result(struct model *model, unsigned key, unsigned time,
                         const struct reference_version *version, flowdb_status status,
                         const flowdb_result *result, const char *what);
void model_expect_record(struct model *model, unsigned key, unsigned time,
                         const struct reference_version *version, const flowdb_record *record,
                         const char *what);
/* Is the record that of (key, time)? */
bool model_is_at(const struct model *model, const flowdb_record *record, unsigned key,
                 unsigned time);
/* reference_cursor_next or _next_key, without doubtful versions but the one that the engine gave:
   `got`, or NULL where it gave none. */
bool model_cursor_next(struct model *model, struct reference_cursor *cursor, bool next_key,
                       const flowdb_record *got, unsigned *key, unsigned *time,
                       const struct reference_version **version);
void model_check_get(struct model *model, unsigned key, unsigned time, const char *what);
void model_check_latest(struct model *model, unsigned key, const char *what);
/* One step of both iterators. False at their common end. */
bool model_expect_step(struct model *model, flowdb_iterator *iterator,
                       struct reference_cursor *cursor, bool next_key, const char *what);
/* Compares everything, by every way of reading. */
void model_check_all(struct model *model);
void model_fail(struct model *model, const char *what) __attribute__((noreturn));

/* --- choose.c: the random parts of operations */
unsigned model_choose_key(struct model *model);
unsigned model_choose_time(struct model *model);
/* The value's bytes, until model_values_clear. */
flowdb_slice model_value(struct model *model, uint64_t value);
void model_values_clear(struct model *model);
/* Bytes near the keys of this world: one of them, a part of one, a neighbour, or none. */
flowdb_slice model_choose_slice(struct model *model, uint8_t bytes[MODEL_SLICE_BYTES]);
struct choice_range {
    flowdb_range range;
    struct reference_range reference;
    uint8_t bytes[2][MODEL_SLICE_BYTES];
};
void model_choose_range(struct model *model, struct choice_range *choice);
flowdb_read_options model_choose_options(struct model *model);
struct reference_view model_view(const struct model *model);
/* The expiry that the engine stores, or false: it must refuse the record. */
bool model_resolve_expiry(const struct model *model, int64_t ts, int64_t *expire_at);

/* --- operations: a table with weights, drawn from at random */
struct operation {
    const char *name;
    uint32_t weight;
    void (*run)(struct model *model);
};
/* Each ends with a NULL name. */
extern const struct operation write_operations[], read_operations[], snapshot_operations[],
    maintenance_operations[], clock_operations[], thread_operations[];

/* --- clock.c */
/* The clock of a new life. */
void model_clock_begin(struct model *model);
/* The database is about to be opened: what time it goes by from now on. */
void model_clock_open(struct model *model);
/* Does the wall clock show the highest time seen? */
bool model_clock_is_straight(const struct model *model);

void snapshots_finish_all(struct model *model);

#endif
