/*
 * What the benchmarks share: options, rows of measurements, folders.
 *
 * A row is measured by calling a function once to warm up and then once per round; the function
 * does what must be done before the clock, runs the clock itself, and returns seconds. The table
 * shows the median of the rounds, with their minimum and maximum beside it.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <flowdb/flowdb.h>

#include "latency.h"

enum { BENCH_ROUNDS_MAX = 101, BENCH_ROWS_MAX = 96, BENCH_PATH_BYTES = 512, BENCH_NAME_BYTES = 64 };

struct bench_options {
    unsigned rounds;
    unsigned threads;   /* of the concurrent rows */
    uint64_t records;   /* of the plain rows */
    uint64_t series;    /* of the series rows */
    uint64_t points;    /* of each series */
    const char *folder; /* where the database's folder is made */
    const char *only;   /* rows whose name holds this; NULL: all */
    const char *json;   /* a file for the results; NULL: none */
    bool smoke;
};

struct bench_row {
    char name[BENCH_NAME_BYTES];
    const char *unit;
    uint64_t records; /* of one round */
    unsigned rounds;
    double values[BENCH_ROUNDS_MAX]; /* in `unit` */
};

struct bench {
    struct bench_options options;
    char folder[BENCH_PATH_BYTES]; /* holds nothing but the database of the row under way */
    unsigned row_count;
    struct bench_row rows[BENCH_ROWS_MAX];
};

/* Is the row asked for? */
bool bench_wants(const struct bench *bench, const char *name);
/* Is one of them? Ends with NULL. */
bool bench_wants_any(const struct bench *bench, const char *const *names);

/*
 * Measures a row in records per second. `round` returns the seconds that `records` records took.
 * Does nothing where the row is not asked for.
 */
void bench_measure(struct bench *bench, const char *name, uint64_t records,
                   double (*round)(struct bench *bench, void *context), void *context);
/* The same in milliseconds a round, without a warming round. */
void bench_measure_time(struct bench *bench, const char *name, uint64_t records,
                        double (*round)(struct bench *bench, void *context), void *context);
/* A row of one value that is no rate. */
void bench_value(struct bench *bench, const char *name, const char *unit, uint64_t records,
                 double value);
/* A row of bytes on disk per record. */
void bench_size(struct bench *bench, const char *name, uint64_t records, uint64_t bytes);
/* Rows of the median, p99, p99.9 and the longest, in microseconds; each name is `name` with that
   behind it. */
bool bench_wants_latencies(const struct bench *bench, const char *name);
void bench_latencies(struct bench *bench, const char *name, const struct latency *latency);

/* Prints the table, and writes the JSON file where one is asked for. */
void bench_report(const struct bench *bench);

double bench_now(void);

/* Ends the program with a message unless the call succeeded. */
#define bench_check(call) bench_check_status((call), #call)
void bench_check_status(flowdb_status status, const char *call);
/* A benchmark that counts wrongly measures nothing. */
void bench_expect(uint64_t expected, uint64_t got, const char *what);
/* malloc that ends the program where memory is out. */
void *bench_allocate(size_t size);

/* --- folder.c */
void bench_folder_create(struct bench *bench);
void bench_folder_remove(struct bench *bench);
/* Makes the folder empty. */
void bench_folder_clear(struct bench *bench);
/* Bytes of all files in it. */
uint64_t bench_folder_bytes(const struct bench *bench);
/* Touches memory once: the first touch can cost far more than any later one. */
void bench_warm_memory(size_t bytes);

/* An open database in the folder, with the configuration of the comparison that the rows come from:
   64 MB memtables, 8 KB blocks, 10 bits of filter, 128 MB of cache. */
flowdb *bench_open(struct bench *bench, flowdb_wal_sync mode);
flowdb *bench_open_with_cache(struct bench *bench, flowdb_wal_sync mode, uint32_t cache_mb);
void bench_close(flowdb *db);
/* Reads what a range holds, a byte of each value; returns how many records. `options` may be NULL. */
uint64_t bench_scan(flowdb *db, const flowdb_range *range, const flowdb_read_options *options);

/* --- the rows */
void bench_writes(struct bench *bench);
void bench_reads(struct bench *bench);
void bench_series(struct bench *bench);
void bench_overlaps(struct bench *bench);
void bench_mixes(struct bench *bench);
void bench_costs(struct bench *bench);

#endif
