#include "peers.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

double peers_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

bool peers_enough(double start, uint64_t reads) {
    return reads % 64 == 63 && peers_now() - start > PEERS_SECONDS_MOST;
}

void store_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    exit(1);
}

void *peers_allocate(size_t size) {
    void *memory = malloc(size);
    if (memory == NULL)
        store_fail("out of memory");
    return memory;
}

/* ------------------------------------------------------------------------------------- rows -- */

void peers_row(const struct peers *peers, const char *row, const char *unit, double value) {
    printf("{\"store\": \"%s\", \"row\": \"%s\", \"unit\": \"%s\", \"value\": %.6g}\n",
           peers->ops != NULL ? peers->ops->name : "limits", row, unit, value);
    fflush(stdout);
}

void peers_latencies(const struct peers *peers, const char *row, const struct latency *latency) {
    static const struct {
        const char *name;
        double percent;
    } parts[] = {{"p50", 50}, {"p99", 99}, {"p99.9", 99.9}, {"longest", 100}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s, %s", row, parts[i].name);
        peers_row(peers, name, "us", latency_percentile_us(latency, parts[i].percent));
    }
}

void peers_rate(const struct peers *peers, const char *row, uint64_t expected, uint64_t got,
                double rate) {
    if (expected == got)
        peers_row(peers, row, "records/s", rate);
    else if (peers->ops == &store_flowdb)
        store_fail("%s: expected %" PRIu64 ", got %" PRIu64, row, expected, got);
    else
        peers_row(peers, row, "wrong",
                  expected > got ? (double)(expected - got) : (double)(got - expected));
}

/* ----------------------------------------------------------------------------------- stores -- */

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw) {
    (void)status;
    (void)type;
    return ftw->level == 0 ? 0 : remove(path);
}

struct store *peers_open(struct peers *peers, enum store_log log) {
    struct store_options options = {.log = log};
    return peers->ops->open(peers->folder, &options);
}

struct store *peers_open_fresh(struct peers *peers, const struct store_options *options) {
    nftw(peers->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return peers->ops->open(peers->folder, options);
}

void peers_prepare(struct peers *peers, const struct data *data) {
    if (peers->ops->prepare != NULL)
        peers->ops->prepare(data != NULL ? data->records : NULL, data != NULL ? data->count : 0);
}

double peers_write(struct peers *peers, struct store *store, const struct data *data,
                   uint64_t first, uint64_t step) {
    double start = peers_now();
    for (uint64_t at = first * DATA_BATCH; at < data->count; at += step * DATA_BATCH) {
        uint64_t left = data->count - at;
        peers->ops->write(store, data->records + at, left < DATA_BATCH ? left : DATA_BATCH);
    }
    return peers_now() - start;
}

/* ---------------------------------------------------------------------------------- accounts -- */

static _Thread_local uint64_t bytes_found; /* nftw takes no context */

/* What they take on the disk, not their length: LMDB's map is sparse. */
static int add_bytes(const char *path, const struct stat *status, int type, struct FTW *ftw) {
    (void)path;
    (void)ftw;
    if (type == FTW_F) {
        uint64_t blocks = (uint64_t)status->st_blocks * 512, length = (uint64_t)status->st_size;
        bytes_found += blocks < length ? blocks : length;
    }
    return 0;
}

uint64_t peers_folder_bytes(const struct peers *peers) {
    bytes_found = 0;
    nftw(peers->folder, add_bytes, 16, FTW_PHYS);
    return bytes_found;
}

void peers_folder_remove(const struct peers *peers) {
    nftw(peers->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    rmdir(peers->folder);
}

void peers_account_begin(struct peers *peers) {
    peers->account = account_begin();
}

void peers_account_end(struct peers *peers, const char *section, const struct data *data) {
    struct account used = account_end(&peers->account);
    char row[128];
    snprintf(row, sizeof row, "%s, bytes written per byte of data", section);
    peers_row(peers, row, "bytes", (double)used.written / (double)data_bytes(data));
    snprintf(row, sizeof row, "%s, peak memory", section);
    peers_row(peers, row, "MiB", (double)used.memory / (1 << 20));
}
