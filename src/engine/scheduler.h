/*
 * Jobs, the threads that run them, and when.
 *
 * A job does one piece of work each time it is run, and says whether there is more. Each lane has a
 * thread of its own, so no job ever waits behind one of another lane. A job is due when it is
 * wanted, when its interval has passed, or, after a failure, when the pause has: a pause doubles with
 * each failure in a row up to a bound, and wanting the job does not shorten it.
 *
 * Intervals and pauses are told by the engine's clock. Without threads nothing runs by itself:
 * fl_scheduler_step and fl_scheduler_step_due run the same jobs one at a time, in an order that
 * depends on the clock and on what was asked for, on nothing else.
 */
#ifndef FL_ENGINE_SCHEDULER_H
#define FL_ENGINE_SCHEDULER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/status.h"

enum { FL_SCHEDULER_JOBS = 8, FL_SCHEDULER_LANES = 4 };

struct fl_job_spec {
    const char *name;
    size_t lane;
    int64_t interval_us;  /* from the end of a run to the next; 0: only when wanted */
    int64_t pause_us;     /* after the first failure in a row */
    int64_t pause_max_us; /* after however many */
    /* FLOWDB_OK: there may be more to do now; FLOWDB_DONE: there is not; else it failed. */
    flowdb_status (*run)(void *context);
};

/* What became of a job so far. */
struct fl_job_report {
    const char *name;
    uint64_t runs;          /* that ended */
    uint64_t failures;      /* among them */
    uint32_t failed_in_row; /* 0 after a success */
    flowdb_status status;   /* of the last run; FLOWDB_OK at first and where it was FLOWDB_DONE */
    int64_t pause_us;       /* until it is tried again, where it failed */
    char message[256];      /* why it failed; "" where it did not */
};

struct fl_job {
    struct fl_job_spec spec;
    _Atomic bool wanted;
    /* guarded by the scheduler's lock */
    int64_t due_us; /* monotonic; INT64_MAX: not by itself */
    struct fl_job_report report;
};

struct fl_lane {
    struct fl_scheduler *scheduler;
    size_t number;
    const char *name;       /* of its thread */
    pthread_cond_t changed; /* waited for on the monotonic clock */
    pthread_t thread;
    bool runs; /* the starter's and stopper's */
};

struct fl_scheduler {
    /* set before it starts */
    const struct fl_clock *clock;
    void *context;
    /* After each run, in the thread that ran it, under no lock; its thread's last error is the
       run's. */
    void (*ended)(void *context, size_t job, const struct fl_job_report *report);
    size_t job_count;
    struct fl_job jobs[FL_SCHEDULER_JOBS];
    struct fl_lane lanes[FL_SCHEDULER_LANES];

    pthread_mutex_t lock; /* innermost */
    bool stopping;        /* guarded by lock */
};

/* The specs are copied, but for their names. */
void fl_scheduler_init(struct fl_scheduler *scheduler, const struct fl_clock *clock,
                       const struct fl_job_spec *specs, size_t count, void *context,
                       void (*ended)(void *context, size_t job,
                                     const struct fl_job_report *report));
/* Its threads have ended. */
void fl_scheduler_deinit(struct fl_scheduler *scheduler);

/* Starts a thread for each lane that has a name. */
flowdb_status fl_scheduler_start(struct fl_scheduler *scheduler,
                                 const char *const lane_names[FL_SCHEDULER_LANES]);
/* Lets the runs under way come to their end, begins none, and joins. May be called again. */
void fl_scheduler_stop(struct fl_scheduler *scheduler);

/* The job shall run. From any thread; costs one atomic exchange where it is wanted already. What the
   caller did before is seen by the run. */
void fl_scheduler_want(struct fl_scheduler *scheduler, size_t number);
/* The same, and a pause after failures ends now: what made them fail may be gone. */
void fl_scheduler_retry(struct fl_scheduler *scheduler, size_t number);

/* Runs the job once in the calling thread, due or not. */
flowdb_status fl_scheduler_step(struct fl_scheduler *scheduler, size_t job);
/* Runs the first job, by number, that is due; *job tells which. FLOWDB_DONE with *job = SIZE_MAX
   where none is. */
flowdb_status fl_scheduler_step_due(struct fl_scheduler *scheduler, size_t *job);

void fl_scheduler_report(struct fl_scheduler *scheduler, size_t job, struct fl_job_report *report);

#endif
