/* Rows of reading and compacting tables that lie over one another: what a scan meets before anything
   was compacted, and what compacting costs. */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "data.h"

enum { TABLES = 3 };

/* What the tables hold. */
enum kind {
    INTERLEAVED, /* every third key in each of them */
    RANDOM,      /* the same with random values */
    BEHIND,      /* random values, each table's keys behind those of the one before */
    IN_TIME      /* series: each table has all keys, and a third of the time */
};

struct overlap {
    struct data data;
    enum kind kind;
    flowdb *db;
};

/* Nothing is compacted unless it is asked for. */
static flowdb *open_uncompacted(struct bench *bench) {
    flowdb_config config = flowdb_config_default();
    flowdb *db;
    config.data_dir = bench->folder;
    config.memtable_size_mb = 1024;
    config.wal_segment_size_mb = 1024;
    config.block_size = 8192;
    config.bloom_bits_per_key = 10;
    config.block_cache_capacity_mb = 128;
    config.compaction_threshold = 64;
    bench_check(flowdb_open(&config, &db));
    return db;
}

/* Writes the records that belong into the table, and flushes them into it. */
static void write_table(struct overlap *overlap, unsigned table) {
    const struct data *data = &overlap->data;
    flowdb_record batch[DATA_BATCH];
    size_t size = 0;
    uint64_t third = (data->count + TABLES - 1) / TABLES;
    for (uint64_t i = 0; i < data->count; i++) {
        if ((overlap->kind >= BEHIND ? i / third : i % TABLES) != table)
            continue;
        batch[size++] = data->records[i];
        if (size == DATA_BATCH) {
            bench_check(flowdb_write(overlap->db, batch, size));
            size = 0;
        }
    }
    if (size > 0)
        bench_check(flowdb_write(overlap->db, batch, size));
    bench_check(flowdb_flush(overlap->db));
}

static void fill(struct bench *bench, struct overlap *overlap) {
    bench_folder_clear(bench);
    overlap->db = open_uncompacted(bench);
    for (unsigned table = 0; table < TABLES; table++)
        write_table(overlap, table);
}

static double scan_all(struct bench *bench, void *context) {
    struct overlap *overlap = context;
    flowdb_range range = flowdb_range_all();
    (void)bench;
    double start = bench_now();
    uint64_t count = bench_scan(overlap->db, &range, NULL);
    double seconds = bench_now() - start;
    bench_expect(overlap->data.count, count, "the scan of overlapping tables");
    return seconds;
}

static double compact_all(struct bench *bench, void *context) {
    struct overlap *overlap = context;
    fill(bench, overlap);
    double start = bench_now();
    bench_check(flowdb_compact_all(overlap->db));
    double seconds = bench_now() - start;
    bench_close(overlap->db);
    overlap->db = NULL;
    return seconds;
}

struct names {
    const char *scan, *compaction;
};

static void measure(struct bench *bench, enum kind kind, const struct names *names) {
    struct overlap overlap = {.kind = kind};
    const char *const either[] = {names->scan, names->compaction, NULL};
    if (!bench_wants_any(bench, either))
        return;
    if (kind == IN_TIME)
        data_make_series(&overlap.data, bench->options.series, bench->options.points);
    else
        data_make_plain(&overlap.data, bench->options.records, kind != INTERLEAVED);
    uint64_t count = overlap.data.count;
    if (bench_wants(bench, names->scan)) {
        fill(bench, &overlap);
        bench_measure(bench, names->scan, count, scan_all, &overlap);
        bench_close(overlap.db);
    }
    bench_measure(bench, names->compaction, count, compact_all, &overlap);
    data_free(&overlap.data);
}

void bench_overlaps(struct bench *bench) {
    measure(bench, INTERLEAVED,
            &(struct names){"full scan, three overlapping tables", "compaction of three tables"});
    measure(bench, RANDOM,
            &(struct names){"full scan, three overlapping tables, random values",
                            "compaction of three tables, random values"});
    measure(bench, BEHIND,
            &(struct names){"full scan, three tables behind one another",
                            "compaction of three tables behind one another"});
    measure(bench, IN_TIME,
            &(struct names){"series, full scan, three tables in time",
                            "series, compaction of three tables in time"});
}
