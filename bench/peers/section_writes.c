/* Writing: each row into an empty store. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "peers.h"

enum { SYNCED_RECORDS = 100000 };

static void write_once(struct peers *peers, const char *row, const struct data *data,
                       enum store_log log) {
    struct store_options options = {.log = log};
    struct store *store = peers_open_fresh(peers, &options);
    double seconds = peers_write(peers, store, data, 0, 1);
    peers->ops->close(store);
    peers_row(peers, row, "records/s", (double)data->count / seconds);
}

struct writer {
    struct peers *peers;
    struct store *store;
    const struct data *data;
    pthread_barrier_t *barrier;
    uint64_t first;
    double began; /* its first write; the thread that waits may get to run later */
};

static void *write_part(void *argument) {
    struct writer *writer = argument;
    pthread_barrier_wait(writer->barrier);
    writer->began = peers_now();
    peers_write(writer->peers, writer->store, writer->data, writer->first, writer->peers->threads);
    return NULL;
}

static void write_with_threads(struct peers *peers, const struct data *data) {
    struct store_options options = {.log = STORE_LOG_KERNEL};
    struct store *store = peers_open_fresh(peers, &options);
    pthread_barrier_t barrier;
    pthread_t *threads = peers_allocate(peers->threads * sizeof *threads);
    struct writer *writers = peers_allocate(peers->threads * sizeof *writers);
    pthread_barrier_init(&barrier, NULL, peers->threads + 1);
    for (unsigned i = 0; i < peers->threads; i++) {
        writers[i] = (struct writer){peers, store, data, &barrier, i, 0};
        if (pthread_create(&threads[i], NULL, write_part, &writers[i]) != 0)
            store_fail("cannot start a thread");
    }
    pthread_barrier_wait(&barrier);
    double start = peers_now();
    for (unsigned i = 0; i < peers->threads; i++) {
        pthread_join(threads[i], NULL);
        start = writers[i].began < start ? writers[i].began : start;
    }
    double seconds = peers_now() - start;
    pthread_barrier_destroy(&barrier);
    peers->ops->close(store);
    peers_row(peers, "write, 8 threads", "records/s", (double)data->count / seconds);
    free(writers);
    free(threads);
}

/* How long a batch takes, one by one. */
static void write_latencies(struct peers *peers, const struct data *data) {
    struct store_options options = {.log = STORE_LOG_KERNEL};
    struct store *store = peers_open_fresh(peers, &options);
    struct latency latency = {0};
    uint64_t count = data->count / DATA_BATCH;
    for (uint64_t i = 0; i < count; i++) {
        double start = peers_now();
        peers->ops->write(store, data->records + i * DATA_BATCH, DATA_BATCH);
        latency_add(&latency, (uint64_t)((peers_now() - start) * 1e9));
    }
    peers->ops->close(store);
    peers_latencies(peers, "write, a batch of 100", &latency);
}

/* Rows that tell at a million records what they would tell at ten. */
static void write_aside(struct peers *peers, struct data *data) {
    write_latencies(peers, data);
    if (!peers->ops->synced)
        return;
    uint64_t all = data->count;
    data->count = all < SYNCED_RECORDS ? all : SYNCED_RECORDS;
    write_once(peers, "write, synced", data, STORE_LOG_SYNCED);
    data->count = all;
}

void peers_writes(struct peers *peers) {
    struct data data;
    bool large = peers->records >= PEERS_LARGE;
    data_make_plain(&data, peers->records, false);
    peers_prepare(peers, &data);
    peers_account_begin(peers);
    write_once(peers, large ? "write" : "write (first, to warm up)", &data, STORE_LOG_KERNEL);
    peers_account_end(peers, "write", &data);
    if (!large)
        write_once(peers, "write", &data, STORE_LOG_KERNEL);
    if (peers->ops->modes && !large)
        write_once(peers, "write, buffered", &data, STORE_LOG_BUFFERED);
    write_with_threads(peers, &data);
    if (!large)
        write_aside(peers, &data);
    data_free(&data);
    data_make_plain(&data, peers->records, true);
    peers_prepare(peers, &data);
    write_once(peers, "write, random values", &data, STORE_LOG_KERNEL);
    peers_prepare(peers, NULL);
    data_free(&data);
}
