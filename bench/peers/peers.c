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

static int compare_latencies(const void *a, const void *b) {
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

void peers_latencies(const struct peers *peers, const char *row, uint32_t *latencies,
                     uint64_t count) {
    static const struct {
        const char *name;
        double part;
    } parts[] = {{"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}, {"longest", 1}};
    qsort(latencies, count, sizeof *latencies, compare_latencies);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char name[128];
        uint64_t at = (uint64_t)((double)(count - 1) * parts[i].part);
        snprintf(name, sizeof name, "%s, %s", row, parts[i].name);
        peers_row(peers, name, "us", latencies[at] / 1000.0);
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

/* The number behind `name` in a file of /proc. */
static uint64_t proc_number(const char *path, const char *name) {
    char line[256];
    uint64_t number = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        store_fail("cannot open %s: %s", path, strerror(errno));
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            number = strtoull(line + strlen(name), NULL, 10);
    fclose(file);
    return number;
}

uint64_t peers_resident(void) {
    return proc_number("/proc/self/status", "VmRSS:") * 1024;
}

uint64_t peers_resident_most(void) {
    return proc_number("/proc/self/status", "VmHWM:") * 1024;
}

uint64_t peers_written(void) {
    return proc_number("/proc/self/io", "wchar:");
}

void peers_account_begin(struct peers *peers) {
    FILE *file = fopen("/proc/self/clear_refs", "w"); /* the most so far begins anew */
    if (file == NULL || fputs("5", file) < 0 || fclose(file) != 0)
        store_fail("cannot write /proc/self/clear_refs: %s", strerror(errno));
    peers->memory_before = peers_resident();
    peers->written_before = peers_written();
}

void peers_account_end(struct peers *peers, const char *section, const struct data *data) {
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < data->count; i++)
        bytes += data->records[i].key.size + sizeof(int64_t) + data->records[i].value.size;
    char row[128];
    snprintf(row, sizeof row, "%s, bytes written per byte of data", section);
    peers_row(peers, row, "bytes",
              (double)(peers_written() - peers->written_before) / (double)bytes);
    snprintf(row, sizeof row, "%s, peak memory", section);
    peers_row(peers, row, "MiB",
              (double)(peers_resident_most() - peers->memory_before) / (1 << 20));
}
