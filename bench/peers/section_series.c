/* What such a store is for: many series of short decimals that arrive in order of time. */
#include <stdio.h>
#include <stdlib.h>

#include "peers.h"

enum { READS_MAX = 100000, RANGES = 2000 };

struct reading {
    struct peers *peers;
    struct store *store;
    const struct data *data;
    struct data_target *targets;
    uint64_t reads;
};

static void choose(struct reading *reading, bool latest) {
    struct peers *peers = reading->peers;
    for (uint64_t i = 0; i < reading->reads; i++) {
        uint64_t number = data_random_below(&peers->random, peers->series);
        uint64_t point =
            latest ? peers->points - 1 : data_random_below(&peers->random, peers->points);
        data_target_set(&reading->targets[i],
                        data_point(reading->data, peers->series, number, point));
    }
}

static void read_points(struct reading *reading, const char *row) {
    uint64_t found = 0, i = 0;
    choose(reading, false);
    double start = peers_now();
    for (; i < reading->reads && !peers_enough(start, i); i++) {
        const struct data_target *target = &reading->targets[i];
        found +=
            reading->peers->ops->get(reading->store, flowdb_bytes(target->key, target->key_size),
                                     target->ts) == (int64_t)target->value_size;
    }
    double seconds = peers_now() - start;
    peers_rate(reading->peers, row, i, found, (double)i / seconds);
}

static void read_latest(struct reading *reading) {
    uint64_t found = 0, i = 0;
    choose(reading, true);
    double start = peers_now();
    for (; i < reading->reads && !peers_enough(start, i); i++) {
        const struct data_target *target = &reading->targets[i];
        int64_t ts = 0;
        reading->peers->ops->latest(reading->store, flowdb_bytes(target->key, target->key_size),
                                    &ts);
        found += ts == target->ts;
    }
    double seconds = peers_now() - start;
    peers_rate(reading->peers, "series, latest point", i, found, (double)i / seconds);
}

static void read_ranges(struct reading *reading) {
    struct peers *peers = reading->peers;
    uint64_t points = peers->points < DATA_RANGE_POINTS ? peers->points : DATA_RANGE_POINTS;
    uint64_t records = 0, i = 0;
    double start = peers_now();
    for (; i < RANGES && !peers_enough(start, i); i++) {
        uint64_t number = data_random_below(&peers->random, peers->series);
        uint64_t first = data_random_below(&peers->random, peers->points - points + 1);
        const flowdb_record *record = data_point(reading->data, peers->series, number, first);
        records += peers->ops
                       ->range(reading->store, record->key, record->ts,
                               record->ts + (int64_t)(points - 1) * DATA_STEP_US)
                       .records;
    }
    double seconds = peers_now() - start;
    peers_rate(peers, "series, an hour of one", i * points, records, (double)records / seconds);
}

/* A part of the time of all series. A store that sorts by key first is asked for each of them: they
   are known, and seeking is less work than reading all that lies between. */
static void read_window(struct reading *reading) {
    struct peers *peers = reading->peers;
    uint64_t points = peers->points < DATA_WINDOW_POINTS ? peers->points : DATA_WINDOW_POINTS;
    uint64_t at = data_random_below(&peers->random, peers->points - points + 1), records = 0;
    int64_t first = data_point(reading->data, peers->series, 0, at)->ts;
    int64_t last = first + (int64_t)(points - 1) * DATA_STEP_US;
    uint64_t series = 0;
    double start = peers_now();
    if (peers->ops->window != NULL) {
        records = peers->ops->window(reading->store, first, last).records;
        series = peers->series;
    }
    for (; series < peers->series && !peers_enough(start, series); series++) {
        flowdb_slice key = data_point(reading->data, peers->series, series, at)->key;
        records += peers->ops->range(reading->store, key, first, last).records;
    }
    double seconds = peers_now() - start;
    peers_rate(peers, "series, ten minutes of all", series * points, records,
               (double)records / seconds);
}

static void scan_all(struct reading *reading, const char *row) {
    double start = peers_now();
    struct store_seen seen = reading->peers->ops->scan(reading->store, (flowdb_slice){0});
    double seconds = peers_now() - start;
    peers_rate(reading->peers, row, reading->data->count, seen.records,
               (double)seen.records / seconds);
}

static void weigh(const struct peers *peers, const struct data *data) {
    peers_row(peers, "series, bytes on disk", "bytes/record",
              (double)peers_folder_bytes(peers) / (double)data->count);
}

static struct store *fill(struct peers *peers, const struct data *data) {
    struct store *store = peers_open_fresh(peers, &(struct store_options){0});
    double seconds = peers_write(peers, store, data, 0, 1);
    peers_row(peers, "series, write", "records/s", (double)data->count / seconds);
    double start = peers_now();
    peers->ops->compact(store);
    peers_row(peers, "series, compaction", "records/s",
              (double)data->count / (peers_now() - start));
    return store;
}

static void read_just_opened(struct reading *reading) {
    struct peers *peers = reading->peers;
    peers->ops->close(reading->store);
    weigh(peers, reading->data);
    reading->store = peers_open(peers, STORE_LOG_KERNEL);
    read_points(reading, "series, point, just opened");
    peers->ops->close(reading->store);
    reading->store = peers_open(peers, STORE_LOG_KERNEL);
    scan_all(reading, "series, full scan, just opened");
}

void peers_series(struct peers *peers) {
    struct data data;
    data_make_series(&data, peers->series, peers->points);
    struct reading reading = {
        .peers = peers, .data = &data, .reads = data.count < READS_MAX ? data.count : READS_MAX};
    reading.targets = peers_allocate(reading.reads * sizeof *reading.targets);
    peers_prepare(peers, &data);
    peers_account_begin(peers);
    reading.store = fill(peers, &data);
    peers_prepare(peers, NULL);
    if (peers->ops->reopens)
        read_just_opened(&reading);
    else
        scan_all(&reading, "series, full scan (first, to warm up)");
    scan_all(&reading, "series, full scan");
    read_points(&reading, "series, point");
    read_latest(&reading);
    read_ranges(&reading);
    read_window(&reading);
    peers->ops->close(reading.store);
    if (!peers->ops->reopens)
        weigh(peers, &data);
    peers_account_end(peers, "series", &data);
    free(reading.targets);
    data_free(&data);
}
