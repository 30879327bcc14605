/*
 * What each operation costs with so many records in so many series: decimal values that walk, a point
 * of every series each 36 seconds, so that an hour has a hundred; the last ones are of one time,
 * however many there are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "account.h"
#include "data.h"
#include "growth.h"

enum { KEY_ROOM = 16, VALUE_ROOM = 16, HOUR_POINTS = 100, POLL_US = 20000, POLLS_QUIET = 10 };
#define STEP_US INT64_C(36000000)
#define LAST_US INT64_C(1700000000000000)

/* Records of a batch, and what they point into. */
struct batch {
    flowdb_record records[DATA_BATCH];
    char keys[DATA_BATCH][KEY_ROOM], values[DATA_BATCH][VALUE_ROOM];
};

struct costs {
    struct growth *growth;
    flowdb *db;
    int32_t *hundredths; /* where each series' value has walked to */
    uint64_t random;
    struct batch batch;
};

static int64_t time_of(const struct growth *growth, uint64_t point) {
    return LAST_US - (int64_t)(growth->points - 1 - point) * STEP_US;
}

static flowdb_slice key_of(char key[KEY_ROOM], uint64_t number) {
    int size = snprintf(key, KEY_ROOM, "sensor_%07u", (unsigned)number);
    return flowdb_bytes(key, (size_t)size);
}

/* Records `from` and up, in the order of their arrival. Returns how many. */
static size_t make_batch(struct costs *costs, uint64_t from) {
    struct growth *growth = costs->growth;
    struct batch *batch = &costs->batch;
    uint64_t left = growth->records - from;
    size_t count = left < DATA_BATCH ? (size_t)left : DATA_BATCH;
    for (size_t i = 0; i < count; i++) {
        uint64_t number = (from + i) % growth->series;
        int32_t now = costs->hundredths[number] +=
            (int32_t)data_random_below(&costs->random, 21) - 10;
        int size = snprintf(batch->values[i], VALUE_ROOM, "%s%d.%02d", now < 0 ? "-" : "",
                            abs(now) / 100, abs(now) % 100);
        batch->records[i] = (flowdb_record){
            key_of(batch->keys[i], number), time_of(growth, (from + i) / growth->series),
            FLOWDB_NEVER, flowdb_bytes(batch->values[i], (size_t)size)};
    }
    return count;
}

static void write_all(struct costs *costs) {
    struct growth *growth = costs->growth;
    double seconds = 0, longest = 0;
    for (uint64_t at = 0; at < growth->records; at += DATA_BATCH) {
        size_t count = make_batch(costs, at);
        double start = bench_now();
        bench_check(flowdb_write(costs->db, costs->batch.records, count));
        double took = bench_now() - start;
        seconds += took;
        longest = took > longest ? took : longest;
    }
    growth_row(growth, "write", "ns", seconds / (double)growth->records * 1e9);
    growth_row(growth, "write, longest of a batch", "ms", longest * 1e3);
}

/* Waits until compaction has nothing more to do. Returns how many tables there are. */
static uint64_t settle(flowdb *db) {
    flowdb_stats stats;
    for (unsigned quiet = 0; quiet < POLLS_QUIET; quiet++) {
        usleep(POLL_US);
        stats = (flowdb_stats){.struct_size = sizeof stats};
        bench_check(flowdb_get_stats(db, &stats));
        if (stats.compactions_running + stats.flushes_running + stats.frozen_memtable_count > 0)
            quiet = 0;
    }
    return stats.sstable_count;
}

/* ------------------------------------------------------------------------------------ reads -- */

/* Seconds of a round. Keys are made before the clock, as in the other benchmarks. */
typedef double round_function(struct costs *costs);

static struct data_target *choose(struct costs *costs) {
    struct growth *growth = costs->growth;
    struct data_target *targets = bench_allocate(growth->reads * sizeof *targets);
    for (uint64_t i = 0; i < growth->reads; i++) {
        flowdb_slice key =
            key_of(targets[i].key, data_random_below(&costs->random, growth->series));
        targets[i].key_size = (uint32_t)key.size;
        targets[i].ts = time_of(growth, data_random_below(&costs->random, growth->points));
    }
    return targets;
}

/* One record for each read: the one that was asked for, or the latest of its series. */
static double read_records(struct costs *costs, bool latest) {
    struct data_target *targets = choose(costs);
    uint64_t reads = costs->growth->reads, found = 0;
    double start = bench_now();
    for (uint64_t i = 0; i < reads; i++) {
        flowdb_slice key = flowdb_bytes(targets[i].key, targets[i].key_size);
        flowdb_result result = {0};
        bench_check(latest ? flowdb_get_latest(costs->db, key, &result)
                           : flowdb_get(costs->db, key, targets[i].ts, &result));
        found += result.records[0].ts == (latest ? LAST_US : targets[i].ts);
        flowdb_result_free(&result);
    }
    double seconds = bench_now() - start;
    bench_expect(reads, found, latest ? "latest points" : "points");
    free(targets);
    return seconds;
}

static double read_points(struct costs *costs) {
    return read_records(costs, false);
}

static double read_latest(struct costs *costs) {
    return read_records(costs, true);
}

static uint64_t scan(flowdb *db, const flowdb_range *range) {
    flowdb_iterator *iterator;
    flowdb_record record;
    flowdb_status status;
    uint64_t count = 0;
    bench_check(flowdb_scan(db, range, NULL, &iterator));
    while ((status = flowdb_iterator_next(iterator, &record)) == FLOWDB_OK)
        count += record.value.size > 0;
    if (status != FLOWDB_DONE)
        bench_check(status);
    flowdb_iterator_destroy(iterator);
    return count;
}

static uint64_t hour_points(const struct growth *growth) {
    return growth->points < HOUR_POINTS ? growth->points : HOUR_POINTS;
}

static double read_hours(struct costs *costs) {
    struct growth *growth = costs->growth;
    struct data_target *targets = choose(costs);
    uint64_t points = hour_points(growth), count = 0;
    double seconds = 0;
    for (uint64_t i = 0; i < growth->reads; i++) {
        int64_t from =
            time_of(growth, data_random_below(&costs->random, growth->points - points + 1));
        flowdb_slice key = flowdb_bytes(targets[i].key, targets[i].key_size);
        flowdb_range range =
            flowdb_range_keys_time(key, key, from, from + (int64_t)(points - 1) * STEP_US);
        double start = bench_now();
        count += scan(costs->db, &range);
        seconds += bench_now() - start;
    }
    bench_expect(growth->reads * points, count, "hours");
    free(targets);
    return seconds;
}

static double scan_all(struct costs *costs) {
    flowdb_range range = flowdb_range_all();
    double start = bench_now();
    uint64_t count = scan(costs->db, &range);
    double seconds = bench_now() - start;
    bench_expect(costs->growth->records, count, "the full scan");
    return seconds;
}

static double open_again(struct costs *costs) {
    bench_close(costs->db);
    double start = bench_now();
    costs->db = bench_open(&costs->growth->bench, FLOWDB_SYNC_INTERVAL);
    return bench_now() - start;
}

static int compare_doubles(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* The median of the rounds after one to warm up; in `unit`s of which a second has `per_second`. */
static void measure(struct costs *costs, const char *row, const char *unit, double per_second,
                    uint64_t operations, round_function *round) {
    double values[BENCH_ROUNDS_MAX] = {0};
    unsigned rounds = costs->growth->bench.options.rounds;
    round(costs);
    for (unsigned i = 0; i < rounds; i++)
        values[i] = round(costs) * per_second / (double)operations;
    qsort(values, rounds, sizeof *values, compare_doubles);
    growth_row(costs->growth, row, unit, (values[(rounds - 1) / 2] + values[rounds / 2]) / 2);
}

/* ---------------------------------------------------------------------------------- all of it -- */

static void read_all(struct costs *costs) {
    struct growth *growth = costs->growth;
    measure(costs, "open", "ms", 1e3, 1, open_again);
    growth_row(growth, "tables", "", (double)settle(costs->db));
    measure(costs, "full scan, a record", "ns", 1e9, growth->records, scan_all);
    measure(costs, "point", "ns", 1e9, growth->reads, read_points);
    measure(costs, "latest", "ns", 1e9, growth->reads, read_latest);
    measure(costs, "hour of one series", "ns", 1e9, growth->reads, read_hours);
    growth_row(growth, "points in the hour", "", (double)hour_points(growth));
}

static void weigh(struct costs *costs, const char *row) {
    struct growth *growth = costs->growth;
    bench_close(costs->db);
    growth_row(growth, row, "bytes",
               (double)bench_folder_bytes(&growth->bench) / (double)growth->records);
    costs->db = bench_open(&growth->bench, FLOWDB_SYNC_INTERVAL);
}

static void compact(struct costs *costs) {
    struct growth *growth = costs->growth;
    double start = bench_now();
    bench_check(flowdb_compact_all(costs->db));
    growth_row(growth, "compaction, a record", "ns",
               (bench_now() - start) / (double)growth->records * 1e9);
    weigh(costs, "bytes on disk a record, compacted");
}

static struct account memory_row(const struct growth *growth, const struct account *begun,
                                 const char *row) {
    growth_row(growth, row, "MiB", (double)account_end(begun).memory / (1 << 20));
    return account_begin();
}

void growth_costs(struct growth *growth) {
    struct costs *costs = bench_allocate(sizeof *costs);
    *costs = (struct costs){.growth = growth, .random = 5};
    costs->hundredths = bench_allocate(growth->series * sizeof *costs->hundredths);
    for (uint64_t i = 0; i < growth->series; i++)
        costs->hundredths[i] = (int32_t)data_random_below(&costs->random, 10000);
    if (growth->warm)
        bench_warm_memory((size_t)1 << 30);
    struct account begun = account_begin();
    costs->db = bench_open(&growth->bench, FLOWDB_SYNC_INTERVAL);
    write_all(costs);
    settle(costs->db);
    weigh(costs, "bytes on disk a record");
    memory_row(growth, &begun, "memory, writing");
    free(costs->hundredths);
    begun = account_begin();
    read_all(costs);
    memory_row(growth, &begun, "memory, reading");
    compact(costs);
    bench_close(costs->db);
    free(costs);
}
