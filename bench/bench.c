#include "bench.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

double bench_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void bench_check_status(flowdb_status status, const char *call) {
    if (status == FLOWDB_OK)
        return;
    fprintf(stderr, "%s: %s: %s\n", call, flowdb_status_name(status), flowdb_last_error());
    exit(1);
}

void bench_expect(uint64_t expected, uint64_t got, const char *what) {
    if (expected == got)
        return;
    fprintf(stderr, "%s: expected %" PRIu64 " records, got %" PRIu64 "\n", what, expected, got);
    exit(1);
}

void *bench_allocate(size_t size) {
    void *memory = malloc(size);
    if (memory == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    return memory;
}

flowdb *bench_open(struct bench *bench, flowdb_wal_sync mode) {
    return bench_open_with_cache(bench, mode, 128);
}

flowdb *bench_open_with_cache(struct bench *bench, flowdb_wal_sync mode, uint32_t cache_mb) {
    flowdb_config config = flowdb_config_default();
    flowdb *db;
    config.data_dir = bench->folder;
    config.memtable_size_mb = 64;
    config.block_size = 8192;
    config.bloom_bits_per_key = 10;
    config.block_cache_capacity_mb = cache_mb;
    config.wal_sync = mode;
    bench_check(flowdb_open(&config, &db));
    return db;
}

void bench_close(flowdb *db) {
    bench_check(flowdb_close(db));
}

static volatile uint64_t sink; /* or the bytes would not be read */

uint64_t bench_scan(flowdb *db, const flowdb_range *range, const flowdb_read_options *options) {
    flowdb_iterator *iterator;
    flowdb_record record;
    flowdb_status status;
    uint64_t count = 0, sum = 0;
    bench_check(flowdb_scan(db, range, options, &iterator));
    while ((status = flowdb_iterator_next(iterator, &record)) == FLOWDB_OK) {
        sum += record.value.size + *(const uint8_t *)record.value.data;
        count++;
    }
    if (status != FLOWDB_DONE)
        bench_check(status);
    flowdb_iterator_destroy(iterator);
    sink = sum;
    return count;
}

/* --------------------------------------------------------------------------------- rows -- */

bool bench_wants(const struct bench *bench, const char *name) {
    return bench->options.only == NULL || strstr(name, bench->options.only) != NULL;
}

bool bench_wants_any(const struct bench *bench, const char *const *names) {
    while (*names != NULL)
        if (bench_wants(bench, *names++))
            return true;
    return false;
}

static struct bench_row *add_row(struct bench *bench, const char *name, const char *unit,
                                 uint64_t records) {
    if (bench->row_count == BENCH_ROWS_MAX) {
        fprintf(stderr, "more than %d rows\n", BENCH_ROWS_MAX);
        exit(1);
    }
    struct bench_row *row = &bench->rows[bench->row_count++];
    *row = (struct bench_row){.unit = unit, .records = records};
    snprintf(row->name, sizeof row->name, "%s", name);
    return row;
}

void bench_measure(struct bench *bench, const char *name, uint64_t records,
                   double (*round)(struct bench *bench, void *context), void *context) {
    if (!bench_wants(bench, name))
        return;
    struct bench_row *row = add_row(bench, name, "records/s", records);
    fprintf(stderr, "%s ...\n", name);
    round(bench, context); /* warms up what the rounds use: code, caches, memory */
    for (unsigned i = 0; i < bench->options.rounds; i++)
        row->values[row->rounds++] = (double)records / round(bench, context);
}

void bench_measure_time(struct bench *bench, const char *name, uint64_t records,
                        double (*round)(struct bench *bench, void *context), void *context) {
    if (!bench_wants(bench, name))
        return;
    struct bench_row *row = add_row(bench, name, "ms", records);
    for (unsigned i = 0; i < bench->options.rounds; i++)
        row->values[row->rounds++] = round(bench, context) * 1e3;
}

void bench_value(struct bench *bench, const char *name, const char *unit, uint64_t records,
                 double value) {
    if (!bench_wants(bench, name))
        return;
    struct bench_row *row = add_row(bench, name, unit, records);
    row->values[row->rounds++] = value;
}

void bench_size(struct bench *bench, const char *name, uint64_t records, uint64_t bytes) {
    bench_value(bench, name, "bytes/record", records, (double)bytes / (double)records);
}

static const struct {
    const char *name;
    double percent;
} latency_parts[] = {{"p50", 50}, {"p99", 99}, {"p99.9", 99.9}, {"longest", 100}};
enum { LATENCY_PARTS = sizeof latency_parts / sizeof *latency_parts };

static const char *latency_name(char full[BENCH_NAME_BYTES], const char *name, unsigned part) {
    snprintf(full, BENCH_NAME_BYTES, "%s, %s", name, latency_parts[part].name);
    return full;
}

bool bench_wants_latencies(const struct bench *bench, const char *name) {
    char full[BENCH_NAME_BYTES];
    for (unsigned i = 0; i < LATENCY_PARTS; i++)
        if (bench_wants(bench, latency_name(full, name, i)))
            return true;
    return false;
}

void bench_latencies(struct bench *bench, const char *name, const struct latency *latency) {
    char full[BENCH_NAME_BYTES];
    for (unsigned i = 0; i < LATENCY_PARTS; i++)
        bench_value(bench, latency_name(full, name, i), "us", latency->count,
                    latency_percentile_us(latency, latency_parts[i].percent));
}

/* ------------------------------------------------------------------------------- report -- */

struct summary {
    double median, minimum, maximum;
};

static int compare_doubles(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static struct summary summarize(const struct bench_row *row) {
    double sorted[BENCH_ROUNDS_MAX];
    unsigned n = row->rounds;
    memcpy(sorted, row->values, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_doubles);
    return (struct summary){(sorted[(n - 1) / 2] + sorted[n / 2]) / 2, sorted[0], sorted[n - 1]};
}

/* "6.83 M", "412 k", "9.13" */
static const char *number_text(double number, char text[32]) {
    if (number >= 1e6)
        snprintf(text, 32, "%.2f M", number / 1e6);
    else if (number >= 1e3)
        snprintf(text, 32, "%.1f k", number / 1e3);
    else
        snprintf(text, 32, "%.2f", number);
    return text;
}

static void print_table(const struct bench *bench) {
    char median[32], minimum[32], maximum[32];
    printf("%-44s %10s %12s %12s %12s  %s\n", "", "records", "median", "min", "max", "unit");
    for (unsigned i = 0; i < bench->row_count; i++) {
        const struct bench_row *row = &bench->rows[i];
        struct summary summary = summarize(row);
        printf("%-44s %10" PRIu64 " %12s %12s %12s  %s\n", row->name, row->records,
               number_text(summary.median, median), number_text(summary.minimum, minimum),
               number_text(summary.maximum, maximum), row->unit);
    }
}

static void write_json_rows(const struct bench *bench, FILE *file) {
    for (unsigned i = 0; i < bench->row_count; i++) {
        const struct bench_row *row = &bench->rows[i];
        struct summary summary = summarize(row);
        fprintf(file,
                "%s\n    {\"name\": \"%s\", \"unit\": \"%s\", \"records\": %" PRIu64
                ", \"median\": %.6g, \"min\": %.6g, \"max\": %.6g, \"rounds\": [",
                i == 0 ? "" : ",", row->name, row->unit, row->records, summary.median,
                summary.minimum, summary.maximum);
        for (unsigned j = 0; j < row->rounds; j++)
            fprintf(file, "%s%.6g", j == 0 ? "" : ", ", row->values[j]);
        fprintf(file, "]}");
    }
}

static void write_json(const struct bench *bench) {
    struct utsname system;
    FILE *file = fopen(bench->options.json, "w");
    if (file == NULL) {
        fprintf(stderr, "cannot write %s: %s\n", bench->options.json, strerror(errno));
        exit(1);
    }
    uname(&system);
    fprintf(file,
            "{\n  \"engine\": \"flowdb %s\",\n  \"system\": \"%s %s %s\",\n  \"processors\": %ld,\n"
            "  \"threads\": %u,\n  \"rows\": [",
            flowdb_version(), system.sysname, system.release, system.machine,
            sysconf(_SC_NPROCESSORS_ONLN), bench->options.threads);
    write_json_rows(bench, file);
    fprintf(file, "\n  ]\n}\n");
    if (fclose(file) != 0) {
        fprintf(stderr, "cannot write %s: %s\n", bench->options.json, strerror(errno));
        exit(1);
    }
}

void bench_report(const struct bench *bench) {
    print_table(bench);
    if (bench->options.json != NULL)
        write_json(bench);
}
