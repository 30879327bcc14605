/* Reading plain records: from compacted tables, cached and just opened, and from three that overlap. */
#include <stdio.h>
#include <stdlib.h>

#include "peers.h"

enum { PREFIX_KEYS = 1000, PREFIX_DIGITS = 5, STRIDE = 10, READS_MAX = 100000, WARM_ROUNDS = 3 };

struct reading {
    struct peers *peers;
    struct store *store;
    const struct data *data;
    struct data_target *targets; /* in the order of asking, chosen before the clock */
    uint64_t reads;
    const char *suffix; /* of the rows' names */
};

static void rate(const struct reading *reading, const char *name, uint64_t expected, uint64_t got,
                 double value) {
    char full[128];
    snprintf(full, sizeof full, "%s%s", name, reading->suffix);
    peers_rate(reading->peers, full, expected, got, value);
}

static void choose_random(struct reading *reading) {
    for (uint64_t i = 0; i < reading->reads; i++) {
        uint64_t number = data_random_below(&reading->peers->random, reading->data->count);
        data_target_set(&reading->targets[i], &reading->data->records[number]);
    }
}

/* Every tenth key in order, from a random one on, as the original's comparison asks. */
static void choose_stride(struct reading *reading) {
    uint64_t first = data_random_below(&reading->peers->random, reading->data->count);
    for (uint64_t i = 0; i < reading->reads; i++) {
        uint64_t number = (first + i * STRIDE) % reading->data->count;
        data_target_set(&reading->targets[i], &reading->data->records[number]);
    }
}

/* Without a name: to warm up. */
static void get_all(struct reading *reading, const char *name, uint64_t expected) {
    uint64_t found = 0;
    double start = peers_now();
    for (uint64_t i = 0; i < reading->reads; i++) {
        const struct data_target *target = &reading->targets[i];
        found +=
            reading->peers->ops->get(reading->store, flowdb_bytes(target->key, target->key_size),
                                     target->ts) == DATA_VALUE_BYTES;
    }
    double seconds = peers_now() - start;
    if (name != NULL)
        rate(reading, name, expected, found, (double)reading->reads / seconds);
}

static void get_latencies(struct reading *reading) {
    struct latency latency = {0};
    choose_random(reading);
    for (uint64_t i = 0; i < reading->reads; i++) {
        const struct data_target *target = &reading->targets[i];
        double start = peers_now();
        reading->peers->ops->get(reading->store, flowdb_bytes(target->key, target->key_size),
                                 target->ts);
        latency_add(&latency, (uint64_t)((peers_now() - start) * 1e9));
    }
    char name[128];
    snprintf(name, sizeof name, "point%s", reading->suffix);
    peers_latencies(reading->peers, name, &latency);
}

/* Absent keys lie between those that are there, so that no range of keys excludes them. */
static void make_absent(struct reading *reading) {
    choose_random(reading);
    for (uint64_t i = 0; i < reading->reads; i++)
        reading->targets[i].key[reading->targets[i].key_size++] = 'x';
}

static void scan_prefixes(struct reading *reading) {
    uint64_t prefixes = reading->data->count / PREFIX_KEYS, scans = 200, records = 0;
    if (prefixes == 0)
        return;
    double start = peers_now();
    for (uint64_t i = 0; i < scans; i++) {
        uint64_t number = data_random_below(&reading->peers->random, prefixes);
        flowdb_slice key = reading->data->records[number * PREFIX_KEYS].key;
        key.size = 4 + PREFIX_DIGITS;
        records += reading->peers->ops->scan(reading->store, key).records;
    }
    double seconds = peers_now() - start;
    rate(reading, "prefix scan of 1,000", scans * PREFIX_KEYS, records, (double)records / seconds);
}

static void scan_all(struct reading *reading, const char *name) {
    double start = peers_now();
    struct store_seen seen = reading->peers->ops->scan(reading->store, (flowdb_slice){0});
    double seconds = peers_now() - start;
    if (name != NULL)
        rate(reading, name, reading->data->count, seen.records, (double)seen.records / seconds);
}

static void close_and_weigh(struct reading *reading) {
    char name[128];
    reading->peers->ops->close(reading->store);
    snprintf(name, sizeof name, "bytes on disk%s", reading->suffix);
    peers_row(reading->peers, name, "bytes/record",
              (double)peers_folder_bytes(reading->peers) / (double)reading->data->count);
}

static void reopen(struct reading *reading) {
    struct peers *peers = reading->peers;
    char name[128];
    close_and_weigh(reading);
    double start = peers_now();
    reading->store = peers_open(peers, STORE_LOG_KERNEL);
    snprintf(name, sizeof name, "open%s", reading->suffix);
    peers_row(peers, name, "ms", (peers_now() - start) * 1e3);
    choose_random(reading);
    get_all(reading, "point, just opened", reading->reads);
}

static void read_compacted(struct reading *reading) {
    struct peers *peers = reading->peers;
    if (peers->ops->reopens)
        reopen(reading);
    scan_all(reading, NULL); /* warms up what fits */
    for (int i = 0; i < WARM_ROUNDS; i++) {
        choose_random(reading);
        get_all(reading, NULL, reading->reads);
    }
    choose_random(reading);
    get_all(reading, "point", reading->reads);
    get_latencies(reading);
    choose_stride(reading);
    get_all(reading, NULL, reading->reads);
    get_all(reading, "point, every tenth key", reading->reads);
    make_absent(reading);
    get_all(reading, NULL, 0);
    get_all(reading, "point, absent key", 0);
    scan_prefixes(reading);
    scan_all(reading, "full scan");
    if (peers->ops->reopens)
        peers->ops->close(reading->store);
    else
        close_and_weigh(reading);
}

/* Every third record, then the next ones, then the last: three tables over the same keys. */
static void read_overlapping(struct reading *reading, struct data *parts) {
    struct store_options options = {.log = STORE_LOG_KERNEL, .keep_tables = true};
    struct peers *peers = reading->peers;
    reading->store = peers_open_fresh(peers, &options);
    for (unsigned part = 0; part < 3; part++) {
        peers_prepare(peers, &parts[part]);
        peers_write(peers, reading->store, &parts[part], 0, 1);
        peers->ops->flush(reading->store);
    }
    scan_all(reading, NULL);
    scan_all(reading, "full scan, three overlapping tables");
    peers->ops->close(reading->store);
}

static void split(const struct data *data, struct data parts[3]) {
    for (unsigned part = 0; part < 3; part++) {
        parts[part] =
            (struct data){.records = peers_allocate((data->count / 3 + 1) * sizeof(flowdb_record))};
        for (uint64_t i = part; i < data->count; i += 3)
            parts[part].records[parts[part].count++] = data->records[i];
    }
}

static void read_parts(struct reading *reading) {
    struct data parts[3];
    split(reading->data, parts);
    read_overlapping(reading, parts);
    for (unsigned part = 0; part < 3; part++)
        free(parts[part].records);
}

void peers_reads(struct peers *peers, bool random_values) {
    struct data data;
    data_make_plain(&data, peers->records, random_values);
    struct reading reading = {.peers = peers,
                              .data = &data,
                              .suffix = random_values ? ", random values" : "",
                              .reads = data.count < READS_MAX ? data.count : READS_MAX};
    reading.targets = peers_allocate(reading.reads * sizeof *reading.targets);
    peers_prepare(peers, &data);
    peers_account_begin(peers);
    reading.store = peers_open_fresh(peers, &(struct store_options){0});
    peers_write(peers, reading.store, &data, 0, 1);
    peers->ops->compact(reading.store);
    read_compacted(&reading);
    peers_account_end(peers, random_values ? "reads, random values" : "reads", &data);
    if (peers->records < PEERS_LARGE)
        read_parts(&reading);
    peers_prepare(peers, NULL);
    free(reading.targets);
    data_free(&data);
}
