/*
 * How long a writer has to wait where it writes faster than the disk takes it: ten thousand series
 * of 256 random bytes a value, batch after batch, without a break. What was written before is written
 * over after so many megabytes, so that the disk holds it however long this goes on.
 */
#include <stdio.h>
#include <stdlib.h>

#include "account.h"
#include "data.h"
#include "growth.h"

enum {
    SERIES = 10000,
    VALUE_BYTES = 256,
    KEY_ROOM = 16,
    RANDOM_BYTES = 64 << 20, /* values are cut from so many, each from another place */
    INTERVALS = 60
};

struct stall {
    flowdb *db;
    uint8_t *bytes;
    char (*keys)[KEY_ROOM];
    uint64_t random, written, points; /* points: records of a series before it begins anew */
    flowdb_record batch[DATA_BATCH];
    struct latency latency;
};

static void prepare(struct stall *stall, uint64_t keep_mb) {
    stall->random = 6;
    stall->points = (keep_mb << 20) / VALUE_BYTES / SERIES + 1;
    stall->bytes = bench_allocate(RANDOM_BYTES);
    for (size_t at = 0; at < RANDOM_BYTES; at += sizeof(uint64_t)) {
        uint64_t word = data_random(&stall->random);
        memcpy(stall->bytes + at, &word, sizeof word);
    }
    stall->keys = bench_allocate(SERIES * sizeof *stall->keys);
    for (unsigned i = 0; i < SERIES; i++)
        snprintf(stall->keys[i], KEY_ROOM, "sensor_%05u", i);
}

static void make_batch(struct stall *stall) {
    for (unsigned i = 0; i < DATA_BATCH; i++, stall->written++) {
        uint64_t point = stall->written / SERIES % stall->points;
        uint64_t at = data_random_below(&stall->random, RANDOM_BYTES - VALUE_BYTES);
        stall->batch[i] =
            (flowdb_record){flowdb_str(stall->keys[stall->written % SERIES]),
                            DATA_START_US + (int64_t)point * DATA_STEP_US, FLOWDB_NEVER,
                            flowdb_bytes(stall->bytes + at, VALUE_BYTES)};
    }
}

/* Writes for so long. Prints the longest batch, and how much was written. */
static void write_for(const struct growth *growth, struct stall *stall, double seconds,
                      unsigned interval) {
    double start = bench_now(), now = start, longest = 0;
    uint64_t before = stall->written;
    char row[BENCH_NAME_BYTES];
    while (now - start < seconds) {
        make_batch(stall);
        double begun = bench_now();
        bench_check(flowdb_write(stall->db, stall->batch, DATA_BATCH));
        now = bench_now();
        longest = now - begun > longest ? now - begun : longest;
        latency_add(&stall->latency, (uint64_t)((now - begun) * 1e9));
    }
    snprintf(row, sizeof row, "stall, interval %u, longest", interval);
    growth_row(growth, row, "ms", longest * 1e3);
    snprintf(row, sizeof row, "stall, interval %u, rate", interval);
    growth_row(growth, row, "MB/s",
               (double)(stall->written - before) * VALUE_BYTES / (now - start) / 1e6);
}

static void report(const struct growth *growth, const struct stall *stall,
                   const struct account *used) {
    static const double percents[] = {50, 99, 99.9, 99.99, 100};
    flowdb_stats stats = {.struct_size = sizeof stats};
    char row[BENCH_NAME_BYTES];
    bench_check(flowdb_get_stats(stall->db, &stats));
    for (unsigned i = 0; i < sizeof percents / sizeof *percents; i++) {
        snprintf(row, sizeof row, "stall, p%g", percents[i]);
        growth_row(growth, row, "ms", latency_percentile_us(&stall->latency, percents[i]) / 1e3);
    }
    growth_row(growth, "stall, values written", "MB", (double)stall->written * VALUE_BYTES / 1e6);
    growth_row(growth, "stall, bytes given to write calls", "MB", (double)used->written / 1e6);
    growth_row(growth, "stall, peak memory", "MiB", (double)used->memory / (1 << 20));
    growth_row(growth, "stall, writers made to wait", "", (double)stats.total_write_stalls);
    growth_row(growth, "stall, tables", "", (double)stats.sstable_count);
    growth_row(growth, "stall, bytes in tables", "MB", (double)stats.sstable_bytes / 1e6);
}

void growth_stall(struct growth *growth, uint64_t seconds) {
    struct stall *stall = bench_allocate(sizeof *stall);
    *stall = (struct stall){0};
    prepare(stall, growth->keep_mb);
    if (growth->warm)
        bench_warm_memory((size_t)1 << 30);
    struct account begun = account_begin();
    stall->db = bench_open(&growth->bench, FLOWDB_SYNC_INTERVAL);
    for (unsigned i = 0; i < INTERVALS; i++)
        write_for(growth, stall, (double)seconds / INTERVALS, i);
    struct account used = account_end(&begun);
    report(growth, stall, &used);
    growth_row(growth, "stall, seconds", "s", (double)seconds);
    bench_close(stall->db);
    free(stall->bytes);
    free(stall->keys);
    free(stall);
}
