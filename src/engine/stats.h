/*
 * What reads and writes count and time. Hot: a read adds to a cache line of its thread's own, and a
 * call that is over in less than a clock reading is worth is timed one time in FL_TIMED_ONE_IN.
 *
 * A timed call stands for those of its thread that were not timed before it: its duration counts so
 * many times. After one that took long, the thread's next is timed too; so what is slow is seen
 * whole, and what is fast costs nothing.
 */
#ifndef FL_ENGINE_STATS_H
#define FL_ENGINE_STATS_H

#include "base/clock.h"
#include "base/counters.h"
#include "base/histogram.h"

#define FL_TIMED_ONE_IN 64
#define FL_TIMED_ALWAYS_NS 4096 /* from here on two clock readings are a hundredth of the call */

/* Calls that are counted and timed. */
enum fl_call { FL_CALL_WRITE, FL_CALL_GET, FL_CALL_QUERY, FL_CALLS };

/* Places in a thread's line of counters: how often each call was made, then how many of it are to be
   passed over before the next is timed (low half) and in how many that is one (high half). */
enum fl_count {
    FL_COUNT_CALLS = 0,
    FL_COUNT_PASSES = FL_CALLS,
    FL_COUNT_RECORDS_READ = 2 * FL_CALLS,
    FL_COUNT_SCANS,
    FL_COUNTS
};
_Static_assert(FL_COUNTS <= FL_COUNTERS, "a line has a place for each");

struct fl_stats {
    struct fl_counters counters;
    struct fl_histogram calls[FL_CALLS]; /* nanoseconds */
    struct fl_histogram flushes, syncs;  /* nanoseconds; all of them */
    /* Written under commit_lock, read by anyone: a mirror of what only the writer may look at. */
    _Atomic uint64_t records_written, deletes_written, bytes_written;
    _Atomic uint64_t active_records, active_bytes; /* of the active memtable */
    _Atomic uint64_t active_log_bytes, frozen_log_bytes;
    /* set at open */
    uint64_t recovered_records, torn_logs, dropped_logs;
};

flowdb_status fl_stats_init(struct fl_stats *stats, const struct fl_alloc *alloc);
void fl_stats_deinit(struct fl_stats *stats); /* safe on a zeroed one */

/* A call under way; of one thread. */
struct fl_timing {
    struct fl_counter_line *line; /* NULL: the shared one */
    int64_t begun_ns;             /* -1: not timed */
};

/* Counts a call of a thread that has no line. */
struct fl_timing fl_stats_begin_shared(struct fl_stats *stats, const struct fl_clock *clock,
                                       enum fl_call call);
/* Enters a timed call into its histogram. */
void fl_stats_enter(struct fl_stats *stats, const struct fl_clock *clock, enum fl_call call,
                    const struct fl_timing *timing);

static inline uint64_t fl_line_get(const struct fl_counter_line *line, unsigned which) {
    return atomic_load_explicit(&line->values[which], memory_order_relaxed);
}
static inline void fl_line_set(struct fl_counter_line *line, unsigned which, uint64_t value) {
    atomic_store_explicit(&line->values[which], value, memory_order_relaxed);
}

/* Is this call of the line's thread one that is timed? It is not counted. */
static inline struct fl_timing fl_stats_sample(struct fl_counter_line *line,
                                               const struct fl_clock *clock, enum fl_call call) {
    struct fl_timing timing = {.line = line, .begun_ns = -1};
    uint64_t passes = fl_line_get(line, FL_COUNT_PASSES + call);
    if ((uint32_t)passes > 0)
        fl_line_set(line, FL_COUNT_PASSES + call, passes - 1);
    else
        timing.begun_ns = fl_clock_monotonic_ns(clock);
    return timing;
}

static inline struct fl_timing fl_stats_begin(struct fl_stats *stats, const struct fl_clock *clock,
                                              enum fl_call call) {
    struct fl_counter_line *line = fl_counters_line(&stats->counters);
    if (line == NULL)
        return fl_stats_begin_shared(stats, clock, call);
    fl_line_set(line, FL_COUNT_CALLS + call, fl_line_get(line, FL_COUNT_CALLS + call) + 1);
    return fl_stats_sample(line, clock, call);
}

static inline void fl_stats_end(struct fl_stats *stats, const struct fl_clock *clock,
                                enum fl_call call, const struct fl_timing *timing) {
    if (timing->begun_ns >= 0)
        fl_stats_enter(stats, clock, call, timing);
}

/* A call that did nothing, and is to be made again, does not count. */
static inline void fl_stats_forget(struct fl_stats *stats, enum fl_call call,
                                   const struct fl_timing *timing) {
    struct fl_counter_line *line = timing->line;
    if (line == NULL) {
        fl_counters_add(&stats->counters, FL_COUNT_CALLS + call, UINT64_MAX);
        return;
    }
    fl_line_set(line, FL_COUNT_CALLS + call, fl_line_get(line, FL_COUNT_CALLS + call) - 1);
    if (timing->begun_ns < 0)
        fl_line_set(line, FL_COUNT_PASSES + call, fl_line_get(line, FL_COUNT_PASSES + call) + 1);
}

/* Records that a call handed out. */
static inline void fl_stats_read(struct fl_stats *stats, const struct fl_timing *timing,
                                 uint64_t records) {
    if (timing->line != NULL)
        fl_line_set(timing->line, FL_COUNT_RECORDS_READ,
                    fl_line_get(timing->line, FL_COUNT_RECORDS_READ) + records);
    else
        fl_counters_add(&stats->counters, FL_COUNT_RECORDS_READ, records);
}

/* A scan, counted as such and timed among the queries; it may end in another thread. */
struct fl_timing fl_stats_begin_scan(struct fl_stats *stats, const struct fl_clock *clock);
/* Ends it once; later calls do nothing. */
void fl_stats_end_scan(struct fl_stats *stats, const struct fl_clock *clock,
                       struct fl_timing *timing);

/* For what is written under a lock and read without. */
static inline void fl_stats_add(_Atomic uint64_t *counter, uint64_t n) {
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + n, memory_order_relaxed);
}
static inline void fl_stats_set(_Atomic uint64_t *gauge, uint64_t value) {
    atomic_store_explicit(gauge, value, memory_order_relaxed);
}

#endif
