/* Rows of reading plain records, from the memtable and from tables; and their size on disk. */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "data.h"

enum { PREFIX_KEYS = 1000, PREFIX_SHORT = 200, PREFIX_DIGITS = 5 };

struct reading {
    struct data data;
    flowdb *db;
    uint64_t random;             /* goes on from round to round: no two read in the same order */
    uint64_t reads;              /* of a round */
    struct data_target *targets; /* what a round reads, chosen before the clock */
    size_t limit;
};

static void choose_targets(struct reading *reading) {
    for (uint64_t i = 0; i < reading->reads; i++) {
        uint64_t number = data_random_below(&reading->random, reading->data.count);
        data_target_set(&reading->targets[i], &reading->data.records[number]);
    }
}

static double read_points(struct bench *bench, void *context) {
    struct reading *reading = context;
    (void)bench;
    choose_targets(reading);
    uint64_t bytes = 0;
    double start = bench_now();
    for (uint64_t i = 0; i < reading->reads; i++) {
        const struct data_target *target = &reading->targets[i];
        flowdb_result result = {0};
        bench_check(flowdb_get(reading->db, flowdb_bytes(target->key, target->key_size), target->ts,
                               &result));
        bytes += result.records[0].value.size;
        flowdb_result_free(&result);
    }
    double seconds = bench_now() - start;
    bench_expect(reading->reads * DATA_VALUE_BYTES, bytes, "bytes of points");
    return seconds;
}

static double read_latest(struct bench *bench, void *context) {
    struct reading *reading = context;
    (void)bench;
    choose_targets(reading);
    uint64_t bytes = 0;
    double start = bench_now();
    for (uint64_t i = 0; i < reading->reads; i++) {
        const struct data_target *target = &reading->targets[i];
        flowdb_result result = {0};
        bench_check(
            flowdb_get_latest(reading->db, flowdb_bytes(target->key, target->key_size), &result));
        bytes += result.records[0].value.size;
        flowdb_result_free(&result);
    }
    double seconds = bench_now() - start;
    bench_expect(reading->reads * DATA_VALUE_BYTES, bytes, "bytes of latest records");
    return seconds;
}

/* The keys lie between those that are there, so that no range of keys excludes them. */
static double read_absent(struct bench *bench, void *context) {
    struct reading *reading = context;
    (void)bench;
    choose_targets(reading);
    uint64_t found = 0;
    for (uint64_t i = 0; i < reading->reads; i++)
        reading->targets[i].key[reading->targets[i].key_size++] = 'x';
    double start = bench_now();
    for (uint64_t i = 0; i < reading->reads; i++) {
        const struct data_target *target = &reading->targets[i];
        flowdb_result result = {0};
        flowdb_status status = flowdb_get(reading->db, flowdb_bytes(target->key, target->key_size),
                                          target->ts, &result);
        found += status != FLOWDB_NOT_FOUND;
    }
    double seconds = bench_now() - start;
    bench_expect(0, found, "absent keys");
    return seconds;
}

static uint64_t scan(struct reading *reading, const flowdb_range *range, size_t limit) {
    flowdb_read_options options = flowdb_read_options_default();
    options.limit = limit;
    return bench_scan(reading->db, range, &options);
}

static uint64_t prefix_scans(const struct reading *reading) {
    uint64_t scans = 200000 / PREFIX_KEYS, prefixes = reading->data.count / PREFIX_KEYS;
    return prefixes < 20 ? prefixes : scans;
}

/* Prefixes of five digits of eight: a thousand keys each, or the first 200 of them. */
static double scan_prefixes(struct bench *bench, void *context) {
    struct reading *reading = context;
    (void)bench;
    uint64_t scans = prefix_scans(reading), count = 0;
    double start = bench_now();
    for (uint64_t i = 0; i < scans; i++) {
        uint64_t target = data_random_below(&reading->random, reading->data.count / PREFIX_KEYS);
        flowdb_slice key = reading->data.records[target * PREFIX_KEYS].key;
        key.size = 4 + PREFIX_DIGITS;
        flowdb_range range = flowdb_range_prefix(key);
        count += scan(reading, &range, reading->limit);
    }
    double seconds = bench_now() - start;
    bench_expect(scans * (reading->limit != 0 ? reading->limit : PREFIX_KEYS), count, "prefixes");
    return seconds;
}

static double scan_all(struct bench *bench, void *context) {
    struct reading *reading = context;
    flowdb_range range = flowdb_range_all();
    (void)bench;
    double start = bench_now();
    uint64_t count = scan(reading, &range, 0);
    double seconds = bench_now() - start;
    bench_expect(reading->data.count, count, "the full scan");
    return seconds;
}

static void fill(struct bench *bench, struct reading *reading, bool random_values) {
    uint64_t records = bench->options.records;
    data_make_plain(&reading->data, records, random_values);
    reading->random = 3;
    reading->reads = records < 100000 ? records : 100000;
    reading->targets = bench_allocate(reading->reads * sizeof *reading->targets);
    bench_folder_clear(bench);
    reading->db = bench_open(bench, FLOWDB_SYNC_INTERVAL);
    data_write(&reading->data, reading->db, 0, 1);
}

/* Closes, which puts everything into tables, and opens again. */
static void reopen(struct bench *bench, struct reading *reading) {
    bench_close(reading->db);
    reading->db = bench_open(bench, FLOWDB_SYNC_INTERVAL);
}

static void finish(struct reading *reading) {
    bench_close(reading->db);
    data_free(&reading->data);
    free(reading->targets);
}

static void measure_prefixes(struct bench *bench, struct reading *reading, const char *name_short,
                             const char *name) {
    if (reading->data.count < PREFIX_KEYS)
        return;
    uint64_t scans = prefix_scans(reading);
    reading->limit = PREFIX_SHORT;
    bench_measure(bench, name_short, scans * PREFIX_SHORT, scan_prefixes, reading);
    reading->limit = 0;
    bench_measure(bench, name, scans * PREFIX_KEYS, scan_prefixes, reading);
}

static void measure_size(struct bench *bench, struct reading *reading, const char *name) {
    bench_close(reading->db);
    reading->db = NULL;
    bench_size(bench, name, reading->data.count, bench_folder_bytes(bench));
}

enum {
    MEMORY_POINT,
    MEMORY_PREFIX_SHORT,
    MEMORY_PREFIX,
    MEMORY_SCAN,
    POINT,
    ABSENT,
    LATEST,
    PREFIX_SHORT_SCAN,
    PREFIX_SCAN,
    SCAN,
    STORAGE
};
static const char *const names[] = {"point, memtable",
                                    "prefix, first 200, memtable",
                                    "prefix of 1,000, memtable",
                                    "full scan, memtable",
                                    "point, tables",
                                    "point, tables, absent key",
                                    "latest, tables",
                                    "prefix, first 200, tables",
                                    "prefix of 1,000, tables",
                                    "full scan, tables",
                                    "storage",
                                    NULL};

static void measure_plain(struct bench *bench) {
    struct reading reading = {0};
    if (!bench_wants_any(bench, names))
        return;
    fill(bench, &reading, false);
    /* Beyond the memtable's 64 MB a part of this lies in tables. */
    bench_measure(bench, names[MEMORY_POINT], reading.reads, read_points, &reading);
    measure_prefixes(bench, &reading, names[MEMORY_PREFIX_SHORT], names[MEMORY_PREFIX]);
    bench_measure(bench, names[MEMORY_SCAN], reading.data.count, scan_all, &reading);
    reopen(bench, &reading);
    bench_measure(bench, names[POINT], reading.reads, read_points, &reading);
    bench_measure(bench, names[ABSENT], reading.reads, read_absent, &reading);
    bench_measure(bench, names[LATEST], reading.reads, read_latest, &reading);
    measure_prefixes(bench, &reading, names[PREFIX_SHORT_SCAN], names[PREFIX_SCAN]);
    bench_measure(bench, names[SCAN], reading.data.count, scan_all, &reading);
    measure_size(bench, &reading, names[STORAGE]);
    finish(&reading);
}

/* Random points where the cache holds a tenth of the data at the most. */
static void measure_beyond_cache(struct bench *bench, struct reading *reading, const char *name) {
    uint64_t tenth = data_bytes(&reading->data) / 10 >> 20;
    bench_close(reading->db);
    reading->db = bench_open_with_cache(bench, FLOWDB_SYNC_INTERVAL, (uint32_t)tenth);
    bench_measure(bench, name, reading->reads, read_points, reading);
}

enum { RANDOM_POINT, RANDOM_BEYOND, RANDOM_SCAN, RANDOM_STORAGE };
static const char *const random_names[] = {
    "point, tables, random values", "point, tables, random, cache of a tenth",
    "full scan, tables, random values", "storage, random values", NULL};

/* Values that are all alike say nothing about real ones. */
static void measure_random(struct bench *bench) {
    struct reading reading = {0};
    if (!bench_wants_any(bench, random_names))
        return;
    fill(bench, &reading, true);
    reopen(bench, &reading);
    bench_measure(bench, random_names[RANDOM_POINT], reading.reads, read_points, &reading);
    bench_measure(bench, random_names[RANDOM_SCAN], reading.data.count, scan_all, &reading);
    measure_beyond_cache(bench, &reading, random_names[RANDOM_BEYOND]);
    measure_size(bench, &reading, random_names[RANDOM_STORAGE]);
    finish(&reading);
}

void bench_reads(struct bench *bench) {
    measure_plain(bench);
    measure_random(bench);
}
