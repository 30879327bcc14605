/* Rows of writing: each round writes everything into an empty database. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "data.h"

struct writing {
    struct data data;
    flowdb_wal_sync mode;
};

static double write_sequentially(struct bench *bench, void *context) {
    struct writing *writing = context;
    bench_folder_clear(bench);
    flowdb *db = bench_open(bench, writing->mode);
    double seconds = data_write(&writing->data, db, 0, 1);
    bench_close(db);
    return seconds;
}

/* --- several threads, each with every n-th batch */

struct writer {
    const struct data *data;
    flowdb *db;
    pthread_barrier_t *barrier;
    uint64_t first, step;
    double began; /* its first write; the thread that waits may get to run later */
};

static void *write_part(void *argument) {
    struct writer *writer = argument;
    pthread_barrier_wait(writer->barrier);
    writer->began = bench_now();
    data_write(writer->data, writer->db, writer->first, writer->step);
    return NULL;
}

static double write_concurrently(struct bench *bench, void *context) {
    struct writing *writing = context;
    unsigned threads = bench->options.threads;
    pthread_barrier_t barrier;
    pthread_t *ids = bench_allocate(threads * sizeof *ids);
    struct writer *writers = bench_allocate(threads * sizeof *writers);
    bench_folder_clear(bench);
    flowdb *db = bench_open(bench, writing->mode);
    pthread_barrier_init(&barrier, NULL, threads + 1);
    for (unsigned i = 0; i < threads; i++) {
        writers[i] = (struct writer){&writing->data, db, &barrier, i, threads, 0};
        if (pthread_create(&ids[i], NULL, write_part, &writers[i]) != 0) {
            fprintf(stderr, "cannot start %u threads\n", threads);
            exit(1);
        }
    }
    pthread_barrier_wait(&barrier);
    double start = bench_now();
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        start = writers[i].began < start ? writers[i].began : start;
    }
    double seconds = bench_now() - start;
    pthread_barrier_destroy(&barrier);
    bench_close(db);
    free(writers);
    free(ids);
    return seconds;
}

void bench_writes(struct bench *bench) {
    static const uint64_t synced_max = 100000; /* each batch waits for the disk */
    uint64_t records = bench->options.records;
    struct writing writing = {.mode = FLOWDB_SYNC_INTERVAL};
    data_make_plain(&writing.data, records, false);
    bench_measure(bench, "write, sequential, log in the kernel", records, write_sequentially,
                  &writing);
    bench_measure(bench, "write, threads, log in the kernel", records, write_concurrently,
                  &writing);
    writing.mode = FLOWDB_SYNC_BUFFERED;
    bench_measure(bench, "write, sequential, buffered log", records, write_sequentially, &writing);
    writing.mode = FLOWDB_SYNC_ALWAYS;
    if (writing.data.count > synced_max)
        writing.data.count = synced_max;
    bench_measure(bench, "write, sequential, log synced", writing.data.count, write_sequentially,
                  &writing);
    data_free(&writing.data);

    writing.mode = FLOWDB_SYNC_INTERVAL;
    data_make_plain(&writing.data, records, true);
    bench_measure(bench, "write, sequential, random values", records, write_sequentially, &writing);
    data_free(&writing.data);
}
