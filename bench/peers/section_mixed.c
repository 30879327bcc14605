/* One thread writes the second half of the records while another reads the first half. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "peers.h"

/* Asking for the time takes a good part of a read's: one read in so many is timed. */
enum { SAMPLE = 16 };

/* Fewer are over before the reader has begun. */
#define RECORDS_LEAST UINT64_C(1000000)

struct reader {
    struct peers *peers;
    struct store *store;
    const struct data *data; /* what is there from the start */
    _Atomic bool stop;
    uint64_t reads, found;
    struct latency latency;
};

static void *read_on(void *argument) {
    struct reader *reader = argument;
    uint64_t random = 7;
    while (!atomic_load_explicit(&reader->stop, memory_order_relaxed)) {
        const flowdb_record *record =
            &reader->data->records[data_random_below(&random, reader->data->count)];
        bool timed = reader->reads++ % SAMPLE == 0;
        double start = timed ? peers_now() : 0;
        reader->found +=
            reader->peers->ops->get(reader->store, record->key, record->ts) == DATA_VALUE_BYTES;
        if (timed)
            latency_add(&reader->latency, (uint64_t)((peers_now() - start) * 1e9));
    }
    return NULL;
}

void peers_mixed(struct peers *peers) {
    struct data data;
    data_make_plain(&data, peers->records > RECORDS_LEAST ? peers->records : RECORDS_LEAST, true);
    struct data first = data;
    first.count = data.count / 2 / DATA_BATCH * DATA_BATCH;
    struct data second = {.records = data.records + first.count, .count = data.count - first.count};
    peers_prepare(peers, &data);
    struct store *store = peers_open_fresh(peers, &(struct store_options){0});
    peers_write(peers, store, &first, 0, 1);
    peers->ops->compact(store);
    struct reader reader = {.peers = peers, .store = store, .data = &first};
    pthread_t thread;
    if (pthread_create(&thread, NULL, read_on, &reader) != 0)
        store_fail("cannot start a thread");
    double seconds = peers_write(peers, store, &second, 0, 1);
    atomic_store(&reader.stop, true);
    pthread_join(thread, NULL);
    peers_row(peers, "writes beside a reader", "records/s", (double)second.count / seconds);
    peers_rate(peers, "points beside a writer", reader.reads, reader.found,
               (double)reader.reads / seconds);
    peers_latencies(peers, "point beside a writer", &reader.latency);
    peers->ops->close(store);
    peers_prepare(peers, NULL);
    data_free(&data);
}
