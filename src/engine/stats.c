#include "engine/stats.h"

#include "base/bytes.h"

#define STRIPES 4

flowdb_status fl_stats_init(struct fl_stats *stats, const struct fl_alloc *alloc) {
    flowdb_status status = fl_counters_init(&stats->counters, alloc);
    for (unsigned i = 0; i < FL_CALLS && status == FLOWDB_OK; i++)
        status = fl_histogram_init(&stats->calls[i], alloc, STRIPES);
    if (status == FLOWDB_OK)
        status = fl_histogram_init(&stats->flushes, alloc, 1);
    if (status == FLOWDB_OK)
        status = fl_histogram_init(&stats->syncs, alloc, 1);
    return status;
}

void fl_stats_deinit(struct fl_stats *stats) {
    fl_counters_deinit(&stats->counters);
    for (unsigned i = 0; i < FL_CALLS; i++)
        fl_histogram_deinit(&stats->calls[i]);
    fl_histogram_deinit(&stats->flushes);
    fl_histogram_deinit(&stats->syncs);
}

struct fl_timing fl_stats_begin_shared(struct fl_stats *stats, const struct fl_clock *clock,
                                       enum fl_call call) {
    _Atomic uint64_t *calls =
        &stats->counters.lines[FL_COUNTER_LINES].values[FL_COUNT_CALLS + call];
    uint64_t before = atomic_fetch_add_explicit(calls, 1, memory_order_relaxed);
    bool timed = before % FL_TIMED_ONE_IN == 0;
    return (struct fl_timing){.begun_ns = timed ? fl_clock_monotonic_ns(clock) : -1};
}

void fl_stats_enter(struct fl_stats *stats, const struct fl_clock *clock, enum fl_call call,
                    const struct fl_timing *timing) {
    int64_t took_ns = FL_MAX(fl_clock_monotonic_ns(clock) - timing->begun_ns, INT64_C(0));
    uint64_t weight = FL_TIMED_ONE_IN;
    if (timing->line != NULL) {
        uint64_t next = took_ns >= FL_TIMED_ALWAYS_NS ? 1 : FL_TIMED_ONE_IN;
        weight = FL_MAX(fl_line_get(timing->line, FL_COUNT_PASSES + call) >> 32, UINT64_C(1));
        fl_line_set(timing->line, FL_COUNT_PASSES + call, next << 32 | (next - 1));
    }
    fl_histogram_record(&stats->calls[call], (uint64_t)took_ns, weight);
}

struct fl_timing fl_stats_begin_scan(struct fl_stats *stats, const struct fl_clock *clock) {
    struct fl_counter_line *line = fl_counters_line(&stats->counters);
    if (line != NULL) {
        fl_line_set(line, FL_COUNT_SCANS, fl_line_get(line, FL_COUNT_SCANS) + 1);
        return fl_stats_sample(line, clock, FL_CALL_QUERY);
    }
    _Atomic uint64_t *scans = &stats->counters.lines[FL_COUNTER_LINES].values[FL_COUNT_SCANS];
    uint64_t before = atomic_fetch_add_explicit(scans, 1, memory_order_relaxed);
    bool timed = before % FL_TIMED_ONE_IN == 0;
    return (struct fl_timing){.begun_ns = timed ? fl_clock_monotonic_ns(clock) : -1};
}

void fl_stats_end_scan(struct fl_stats *stats, const struct fl_clock *clock,
                       struct fl_timing *timing) {
    if (timing->begun_ns < 0)
        return;
    if (timing->line == NULL || timing->line == fl_counters_line(&stats->counters)) {
        fl_stats_enter(stats, clock, FL_CALL_QUERY, timing);
    } else {
        /* The line is another thread's, which alone writes it. */
        int64_t took_ns = FL_MAX(fl_clock_monotonic_ns(clock) - timing->begun_ns, INT64_C(0));
        fl_histogram_record(&stats->calls[FL_CALL_QUERY], (uint64_t)took_ns, 1);
    }
    timing->begun_ns = -1;
}
