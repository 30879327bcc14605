/* Rows of readers and writers beside one another, and of how long single calls take. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "data.h"

/* Asking for the time takes a good part of a read's: one read in so many is timed. */
enum { SAMPLE = 16 };
/* Fewer are over before the reader has begun. */
#define RECORDS_LEAST UINT64_C(1000000)

struct mixing {
    struct data all, first,
        second;               /* what is there from the start, and what is written beside it */
    double points_per_second; /* of the reader in the last round */
    struct latency batches, points, points_beside;
};

static uint64_t now_ns(void) {
    return (uint64_t)(bench_now() * 1e9);
}

static void read_point(flowdb *db, const flowdb_record *record) {
    flowdb_result result = {0};
    bench_check(flowdb_get(db, record->key, record->ts, &result));
    bench_expect(record->value.size, result.records[0].value.size, "bytes of a point");
    flowdb_result_free(&result);
}

/* Reads a random record; every SAMPLEth read is timed. */
static void read_random(flowdb *db, const struct data *data, uint64_t *random, uint64_t number,
                        struct latency *latency) {
    const flowdb_record *record = &data->records[data_random_below(random, data->count)];
    if (number % SAMPLE != 0) {
        read_point(db, record);
        return;
    }
    uint64_t start = now_ns();
    read_point(db, record);
    latency_add(latency, now_ns() - start);
}

struct reader {
    struct mixing *mixing;
    flowdb *db;
    _Atomic bool stop;
    uint64_t reads;
};

static void *read_on(void *argument) {
    struct reader *reader = argument;
    uint64_t random = 7;
    while (!atomic_load_explicit(&reader->stop, memory_order_relaxed))
        read_random(reader->db, &reader->mixing->first, &random, reader->reads++,
                    &reader->mixing->points_beside);
    return NULL;
}

/* The first half is compacted; then one thread writes the second while another reads the first. */
static double write_beside_reader(struct bench *bench, void *context) {
    struct mixing *mixing = context;
    pthread_t thread;
    bench_folder_clear(bench);
    struct reader reader = {.mixing = mixing, .db = bench_open(bench, FLOWDB_SYNC_INTERVAL)};
    data_write(&mixing->first, reader.db, 0, 1);
    bench_check(flowdb_compact_all(reader.db));
    if (pthread_create(&thread, NULL, read_on, &reader) != 0) {
        fprintf(stderr, "cannot start a thread\n");
        exit(1);
    }
    double seconds = data_write(&mixing->second, reader.db, 0, 1);
    atomic_store(&reader.stop, true);
    pthread_join(thread, NULL);
    bench_close(reader.db);
    mixing->points_per_second = (double)reader.reads / seconds;
    return seconds;
}

static void time_calls(struct bench *bench, struct mixing *mixing) {
    const struct data *data = &mixing->all;
    uint64_t random = 8, reads = data->count < 100000 ? data->count : 100000;
    bench_folder_clear(bench);
    flowdb *db = bench_open(bench, FLOWDB_SYNC_INTERVAL);
    for (uint64_t at = 0; at < data->count; at += DATA_BATCH) {
        uint64_t left = data->count - at, start = now_ns();
        bench_check(flowdb_write(db, data->records + at, left < DATA_BATCH ? left : DATA_BATCH));
        latency_add(&mixing->batches, now_ns() - start);
    }
    bench_check(flowdb_compact_all(db));
    for (uint64_t i = 0; i < reads; i++)
        read_random(db, data, &random, i, &mixing->points);
    bench_close(db);
}

void bench_mixes(struct bench *bench) {
    static const char *const writes = "writes beside a reader",
                             *const reads = "points beside a writer",
                             *const beside = "point beside a writer",
                             *const batch = "write, a batch of 100", *const point = "point, tables";
    struct mixing *mixing = bench_allocate(sizeof *mixing);
    *mixing = (struct mixing){0};
    uint64_t records = bench->options.records;
    if (!bench->options.smoke && records < RECORDS_LEAST)
        records = RECORDS_LEAST;
    data_make_plain(&mixing->all, records, true);
    mixing->first = mixing->second = mixing->all;
    mixing->first.count = mixing->all.count / 2;
    mixing->second.records += mixing->first.count;
    mixing->second.count -= mixing->first.count;
    if (bench_wants(bench, writes) || bench_wants(bench, reads) ||
        bench_wants_latencies(bench, beside)) {
        bench_measure(bench, writes, mixing->second.count, write_beside_reader, mixing);
        if (!bench_wants(bench, writes))
            write_beside_reader(bench, mixing);
        bench_value(bench, reads, "records/s", mixing->first.count, mixing->points_per_second);
        bench_latencies(bench, beside, &mixing->points_beside);
    }
    if (bench_wants_latencies(bench, batch) || bench_wants_latencies(bench, point)) {
        for (unsigned i = 0; i < bench->options.rounds; i++)
            time_calls(bench, mixing);
        bench_latencies(bench, batch, &mixing->batches);
        bench_latencies(bench, point, &mixing->points);
    }
    data_free(&mixing->all);
    free(mixing);
}
