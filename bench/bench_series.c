/* The series rows: many series of short decimal values that arrive in order of time. */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "data.h"

struct measuring {
    struct data data;
    flowdb *db;
    uint64_t series, points;
    uint64_t random;
    uint64_t reads; /* of a round */
    struct data_target *targets;
};

static double write_series(struct bench *bench, void *context) {
    struct measuring *measuring = context;
    bench_folder_clear(bench);
    flowdb *db = bench_open(bench, FLOWDB_SYNC_INTERVAL);
    double seconds = data_write(&measuring->data, db, 0, 1);
    bench_close(db);
    return seconds;
}

/* The latest point of a random series, or any of it. */
static void choose_targets(struct measuring *measuring, bool latest) {
    for (uint64_t i = 0; i < measuring->reads; i++) {
        uint64_t number = data_random_below(&measuring->random, measuring->series);
        uint64_t point = latest ? measuring->points - 1
                                : data_random_below(&measuring->random, measuring->points);
        data_target_set(&measuring->targets[i],
                        data_point(&measuring->data, measuring->series, number, point));
    }
}

/* Random points of a database that was just opened: nothing is cached but by the kernel. */
static double read_points(struct bench *bench, void *context) {
    struct measuring *measuring = context;
    uint64_t right = 0;
    choose_targets(measuring, false);
    flowdb *db = bench_open(bench, FLOWDB_SYNC_INTERVAL);
    double start = bench_now();
    for (uint64_t i = 0; i < measuring->reads; i++) {
        const struct data_target *target = &measuring->targets[i];
        flowdb_result result = {0};
        bench_check(
            flowdb_get(db, flowdb_bytes(target->key, target->key_size), target->ts, &result));
        right += result.records[0].value.size == target->value_size;
        flowdb_result_free(&result);
    }
    double seconds = bench_now() - start;
    bench_close(db);
    bench_expect(measuring->reads, right, "points");
    return seconds;
}

static double read_latest(struct bench *bench, void *context) {
    struct measuring *measuring = context;
    (void)bench;
    uint64_t right = 0;
    choose_targets(measuring, true);
    double start = bench_now();
    for (uint64_t i = 0; i < measuring->reads; i++) {
        const struct data_target *target = &measuring->targets[i];
        flowdb_result result = {0};
        bench_check(
            flowdb_get_latest(measuring->db, flowdb_bytes(target->key, target->key_size), &result));
        right += result.records[0].ts == target->ts;
        flowdb_result_free(&result);
    }
    double seconds = bench_now() - start;
    bench_expect(measuring->reads, right, "latest points");
    return seconds;
}

static uint64_t range_points(const struct measuring *measuring) {
    return measuring->points < DATA_RANGE_POINTS ? measuring->points : DATA_RANGE_POINTS;
}

static uint64_t range_scans(const struct measuring *measuring) {
    return measuring->reads < 2000 ? measuring->reads : 2000;
}

static double read_ranges(struct bench *bench, void *context) {
    struct measuring *measuring = context;
    (void)bench;
    uint64_t count = 0, points = range_points(measuring), scans = range_scans(measuring);
    double start = bench_now();
    for (uint64_t i = 0; i < scans; i++) {
        uint64_t number = data_random_below(&measuring->random, measuring->series);
        uint64_t first = data_random_below(&measuring->random, measuring->points - points + 1);
        const flowdb_record *record =
            data_point(&measuring->data, measuring->series, number, first);
        flowdb_range range =
            flowdb_range_keys_time(record->key, record->key, record->ts,
                                   record->ts + (int64_t)(points - 1) * DATA_STEP_US);
        count += bench_scan(measuring->db, &range, NULL);
    }
    double seconds = bench_now() - start;
    bench_expect(scans * points, count, "ranges");
    return seconds;
}

/* A part of the time of all series. */
static uint64_t window_points(const struct measuring *measuring) {
    return measuring->points < DATA_WINDOW_POINTS ? measuring->points : DATA_WINDOW_POINTS;
}

static double read_window(struct bench *bench, void *context) {
    struct measuring *measuring = context;
    (void)bench;
    uint64_t points = window_points(measuring);
    uint64_t first = data_random_below(&measuring->random, measuring->points - points + 1);
    int64_t from = data_point(&measuring->data, measuring->series, 0, first)->ts;
    flowdb_range range = flowdb_range_time(from, from + (int64_t)(points - 1) * DATA_STEP_US);
    double start = bench_now();
    uint64_t count = bench_scan(measuring->db, &range, NULL);
    double seconds = bench_now() - start;
    bench_expect(measuring->series * points, count, "a window of all series");
    return seconds;
}

static double scan_all(struct bench *bench, void *context) {
    struct measuring *measuring = context;
    flowdb_range range = flowdb_range_all();
    (void)bench;
    double start = bench_now();
    uint64_t count = bench_scan(measuring->db, &range, NULL);
    double seconds = bench_now() - start;
    bench_expect(measuring->data.count, count, "the full scan");
    return seconds;
}

enum { WRITE, POINTS, LATEST, RANGES, WINDOW, SCAN, STORAGE };
static const char *const names[] = {"series, write",
                                    "series, points after reopening",
                                    "series, latest points",
                                    "series, ranges of 360 points",
                                    "series, ten minutes of all",
                                    "series, full scan",
                                    "series, storage",
                                    NULL};

void bench_series(struct bench *bench) {
    struct measuring measuring = {
        .series = bench->options.series, .points = bench->options.points, .random = 4};
    if (!bench_wants_any(bench, names))
        return;
    data_make_series(&measuring.data, measuring.series, measuring.points);
    uint64_t count = measuring.data.count;
    measuring.reads = count < 100000 ? count : 100000;
    measuring.targets = bench_allocate(measuring.reads * sizeof *measuring.targets);
    bench_measure(bench, names[WRITE], count, write_series, &measuring);
    if (!bench_wants(bench, names[WRITE]))
        write_series(bench, &measuring);
    bench_measure(bench, names[POINTS], measuring.reads, read_points, &measuring);
    measuring.db = bench_open(bench, FLOWDB_SYNC_INTERVAL);
    bench_measure(bench, names[LATEST], measuring.reads, read_latest, &measuring);
    bench_measure(bench, names[RANGES], range_scans(&measuring) * range_points(&measuring),
                  read_ranges, &measuring);
    bench_measure(bench, names[WINDOW], measuring.series * window_points(&measuring), read_window,
                  &measuring);
    bench_measure(bench, names[SCAN], count, scan_all, &measuring);
    bench_close(measuring.db);
    bench_size(bench, names[STORAGE], count, bench_folder_bytes(bench));
    free(measuring.targets);
    data_free(&measuring.data);
}
