/* Rows of what the database costs beside time: memory, bytes written, and how long opening takes. */
#include <stdio.h>
#include <stdlib.h>

#include "account.h"
#include "bench.h"
#include "data.h"

struct names {
    const char *written, *memory, *open;
};

static double open_again(struct bench *bench, void *context) {
    (void)context;
    double start = bench_now();
    flowdb *db = bench_open(bench, FLOWDB_SYNC_INTERVAL);
    double seconds = bench_now() - start;
    bench_close(db);
    return seconds;
}

/* Everything is written, compacted and scanned once. */
static struct account use(struct bench *bench, const struct data *data) {
    flowdb_range range = flowdb_range_all();
    flowdb_iterator *iterator;
    flowdb_record record;
    uint64_t count = 0;
    bench_folder_clear(bench);
    struct account begun = account_begin();
    flowdb *db = bench_open(bench, FLOWDB_SYNC_INTERVAL);
    data_write(data, db, 0, 1);
    bench_check(flowdb_compact_all(db));
    bench_check(flowdb_scan(db, &range, NULL, &iterator));
    while (flowdb_iterator_next(iterator, &record) == FLOWDB_OK)
        count++;
    flowdb_iterator_destroy(iterator);
    bench_expect(data->count, count, "the scan of what was written");
    bench_close(db);
    return account_end(&begun);
}

static void measure(struct bench *bench, struct data *data, const struct names *names) {
    struct account used = use(bench, data);
    bench_value(bench, names->written, "bytes", data->count,
                (double)used.written / (double)data_bytes(data));
    bench_value(bench, names->memory, "MiB", data->count, (double)used.memory / (1 << 20));
    bench_measure_time(bench, names->open, data->count, open_again, NULL);
}

void bench_costs(struct bench *bench) {
    static const struct names plain = {"bytes written per byte, random values",
                                       "peak memory, random values", "open, random values"};
    static const struct names series = {"series, bytes written per byte", "series, peak memory",
                                        "series, open"};
    struct data data;
    if (bench_wants_any(bench,
                        (const char *const[]){plain.written, plain.memory, plain.open, NULL})) {
        data_make_plain(&data, bench->options.records, true);
        measure(bench, &data, &plain);
        data_free(&data);
    }
    if (bench_wants_any(bench,
                        (const char *const[]){series.written, series.memory, series.open, NULL})) {
        data_make_series(&data, bench->options.series, bench->options.points);
        measure(bench, &data, &series);
        data_free(&data);
    }
}
