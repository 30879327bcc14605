/*
 * A run: phases one after the other on one database, each with its threads, a progress line while it
 * goes, and a row of results.
 */
#ifndef STRESS_RUN_H
#define STRESS_RUN_H

#include <pthread.h>

#include "latency.h"
#include "slots.h"

enum {
    RUN_PHASES_MAX = 32,
    RUN_THREADS_MAX = 16,
    RUN_MESSAGES_MAX = 10, /* wrong answers that are printed; all are counted */
    RUN_BATCH = 100        /* records of a batch */
};

struct run_options {
    uint64_t records, seed;
    unsigned seconds;
    const char *folder; /* where the database is made; NULL: TMPDIR or /tmp */
    const char *only;   /* a phase's name, or the beginning of several */
    const char *json;   /* a file for the report; NULL: none */
    bool keep;          /* the database is not removed */
};

struct run;
struct worker;

struct phase {
    const char *name;
    const char *unit; /* what an operation is */
    unsigned threads;
    unsigned weight; /* its share of the time; 0: it takes what it takes */
    bool loads;      /* others need the data: it runs, unreported, where --only leaves it out */
    void (*work)(struct worker *worker);
    /* for `work` */
    unsigned read_percent;     /* of mixed phases */
    unsigned from_256, to_256; /* which part of the points a write phase fills */
    unsigned series, points;   /* of an area that a query covers at the most; 0: all */
};

struct worker {
    struct run *run;
    const struct phase *phase;
    unsigned index;
    pthread_t thread;
    struct tool_random random;
    struct latency latency;
    uint32_t *noted; /* for slots_note; as many as there are slots in the largest area */
    _Atomic uint64_t operations, records, errors; /* also read for the progress line */
    _Atomic bool done;
};

struct result {
    const struct phase *phase;
    uint64_t operations, records, errors;
    double seconds;
    struct latency latency;
};

struct run {
    struct run_options options;
    char folder[TOOL_PATH_BYTES], data_dir[TOOL_PATH_BYTES];
    flowdb *db;
    struct slots slots;
    uint64_t started_ns, deadline_ns; /* the deadline is the phase's */
    _Atomic bool stopping;            /* something went wrong: no more work */
    _Atomic uint64_t mismatches, failures;
    pthread_mutex_t message_lock; /* of standard error */
    unsigned result_count;
    struct result results[RUN_PHASES_MAX];
    struct tool_usage usage; /* at the end */
};

/* Does every phase that is asked for. Returns the exit status: 0, or 1 where an answer was wrong or
   a call failed. */
int run_all(struct run *run);

/* Whether the worker is to go on. */
bool run_goes_on(const struct worker *worker);
/* One operation of `records` records that took until now. */
void run_count(struct worker *worker, uint64_t started_ns, uint64_t records);
/* A call failed, which none should. */
void run_failed(struct worker *worker, const char *call, flowdb_status status);
void run_mismatch(struct worker *worker, const char *call, const char *message);

/* --- phases.c */
extern const struct phase run_phases[];
extern const unsigned run_phase_count;
flowdb_status run_open(struct run *run);

/* --- report.c */
void report_head(const struct run *run);
/* Redraws the progress line on a terminal; elsewhere it prints one every few seconds. */
void report_progress(const struct run *run, const struct phase *phase, uint64_t records,
                     uint64_t operations, double seconds);
void report_row(const struct result *result);
void report_end(const struct run *run);
/* False, with a message on standard error, where the file cannot be written. */
bool report_json(const struct run *run);

#endif
