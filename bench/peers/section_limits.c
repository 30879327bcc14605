/*
 * What the machine allows, without any store: the least that each row has to do.
 *
 *   write             one write() of each batch's bytes, appended to a file
 *   write, buffered   a memcpy of the keys and values
 *   point             one access to memory that is in no cache
 *   scan              a memcpy of the keys and values
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "peers.h"

enum { ENTRY_OVERHEAD = 28, LINE = 64, MISSES = 1000000 };

static uint64_t bytes_of(const struct data *data) {
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < data->count; i++)
        bytes += data->records[i].key.size + data->records[i].value.size;
    return bytes;
}

static void limit_write(struct peers *peers, const char *row, const struct data *data) {
    char path[PEERS_PATH + 8];
    snprintf(path, sizeof path, "%s/log", peers->folder);
    size_t size = (size_t)(bytes_of(data) / data->count + ENTRY_OVERHEAD) * DATA_BATCH;
    char *batch = peers_allocate(size);
    memset(batch, 'v', size);
    int file = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    if (file < 0)
        store_fail("cannot create %s", path);
    double start = peers_now();
    for (uint64_t i = 0; i < data->count; i += DATA_BATCH)
        if (write(file, batch, size) != (ssize_t)size)
            store_fail("cannot write %s", path);
    peers_row(peers, row, "records/s", (double)data->count / (peers_now() - start));
    close(file);
    unlink(path);
    free(batch);
}

static void limit_miss(struct peers *peers, const char *row, const struct data *data) {
    uint64_t lines = bytes_of(data) / LINE + 1, sum = 0;
    uint8_t *memory = peers_allocate(lines * LINE);
    memset(memory, 1, lines * LINE);
    double start = peers_now();
    for (uint64_t i = 0; i < MISSES; i++) /* each waits for the one before it */
        sum += memory[(data_random_below(&peers->random, lines) ^ (sum & 1)) % lines * LINE];
    double seconds = peers_now() - start;
    if (sum == 0)
        store_fail("no memory was read");
    peers_row(peers, row, "records/s", MISSES / seconds);
    free(memory);
}

static void limit_copy(struct peers *peers, const char *row, const struct data *data) {
    uint64_t bytes = bytes_of(data);
    uint8_t *from = peers_allocate(bytes), *to = peers_allocate(bytes);
    memset(from, 1, bytes);
    memset(to, 2, bytes);
    double start = peers_now();
    memcpy(to, from, bytes);
    double seconds = peers_now() - start;
    if (to[bytes / 2] != 1)
        store_fail("nothing was copied");
    peers_row(peers, row, "records/s", (double)data->count / seconds);
    free(from);
    free(to);
}

void peers_limits(struct peers *peers) {
    struct data data;
    data_make_plain(&data, peers->records, true);
    limit_write(peers, "write", &data);
    limit_copy(peers, "write, buffered", &data);
    limit_miss(peers, "point", &data);
    limit_copy(peers, "full scan", &data);
    data_free(&data);
    data_make_series(&data, peers->series, peers->points);
    limit_write(peers, "series, write", &data);
    limit_miss(peers, "series, point, just opened", &data);
    limit_copy(peers, "series, full scan", &data);
    data_free(&data);
}
