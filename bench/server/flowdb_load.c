/*
 * flowdb-load: loads a server that runs already, from one process beside it, and prints what came of it
 * as a line of JSON. scripts/bench-server starts the servers and makes sense of the figures.
 *
 *     flowdb-load write  PORT /write/binary CONNECTIONS RECORDS SECONDS [SCANS]
 *     flowdb-load write  PORT /write        CONNECTIONS RECORDS SECONDS [SCANS]
 *     flowdb-load udp    PORT RECORDS SECONDS [DATAGRAMS_PER_SECOND]
 *     flowdb-load query  PORT CONNECTIONS SECONDS
 *     flowdb-load engine FOLDER RECORDS SECONDS        the same records without a server
 *
 * SCANS connections read everything over and over meanwhile.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "latency.h"
#include "load.h"

#define QUERY "/query?format=ndjson"

enum { CONNECTIONS_MAX = 64, DATAGRAMS = 64 };

static atomic_bool over;

/* One connection, and a thread of its own. */
struct worker {
    pthread_t thread;
    uint16_t port;
    const char *path;
    unsigned records, first_series;
    uint64_t requests, bytes, lines;
    struct latency latency;
    struct client client;
};

static void *write_on(void *argument) {
    struct worker *worker = argument;
    enum feed_form form = strcmp(worker->path, "/write") == 0 ? FEED_JSON : FEED_BINARY;
    struct feed *feed = feed_create(form, worker->records, worker->first_series);
    struct client *client = &worker->client;
    if (feed == NULL)
        fail("memory");
    client_open(client, worker->port);
    while (!atomic_load(&over)) {
        size_t size;
        const char *body = feed_next(feed, &size);
        uint64_t began = now_ns();
        client_post(client, worker->path, body, size);
        latency_add(&worker->latency, now_ns() - began);
        worker->requests++;
        worker->bytes += size;
    }
    client_close(client);
    feed_destroy(feed);
    return NULL;
}

static void *query_on(void *argument) {
    struct worker *worker = argument;
    struct client *client = &worker->client;
    client_open(client, worker->port);
    while (!atomic_load(&over)) {
        uint64_t began = now_ns();
        client_get(client, worker->path, &worker->bytes, &worker->lines);
        latency_add(&worker->latency, now_ns() - began);
        worker->requests++;
    }
    client_close(client);
    return NULL;
}

static void prepare(struct worker *worker, uint16_t port, const char *path, unsigned records,
                    unsigned first_series) {
    worker->port = port;
    worker->path = path;
    worker->records = records;
    worker->first_series = first_series;
}

static void start(struct worker *workers, unsigned count, void *(*run)(void *)) {
    for (unsigned i = 0; i < count; i++)
        if (pthread_create(&workers[i].thread, NULL, run, &workers[i]) != 0)
            fail("thread");
}

static void join(struct worker *workers, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        pthread_join(workers[i].thread, NULL);
}

static void pass_seconds(double seconds) {
    struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&time, NULL);
    atomic_store(&over, true);
}

static void report(const struct worker *workers, unsigned count, uint64_t began_ns,
                   uint64_t records_per_request) {
    struct latency latency = {0};
    uint64_t requests = 0, bytes = 0, lines = 0;
    for (unsigned i = 0; i < count; i++) {
        latency_merge(&latency, &workers[i].latency);
        requests += workers[i].requests;
        bytes += workers[i].bytes;
        lines += workers[i].lines;
    }
    printf("{\"seconds\": %.6f, \"requests\": %llu, \"records\": %llu, \"bytes\": %llu, "
           "\"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}\n",
           (double)(now_ns() - began_ns) * 1e-9, (unsigned long long)requests,
           (unsigned long long)(records_per_request > 0 ? requests * records_per_request : lines),
           (unsigned long long)bytes, latency_percentile_us(&latency, 50),
           latency_percentile_us(&latency, 99), (double)latency.max_ns * 1e-3);
}

static unsigned number(const char *text) {
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value > 1000000000) {
        fprintf(stderr, "flowdb-load: %s is no number\n", text);
        exit(2);
    }
    return (unsigned)value;
}

static int load_http(int argc, char **argv) {
    static struct worker workers[CONNECTIONS_MAX], scanners[CONNECTIONS_MAX];
    bool writes = strcmp(argv[1], "write") == 0;
    uint16_t port = (uint16_t)number(argv[2]);
    unsigned count = number(argv[writes ? 4 : 3]), records = writes ? number(argv[5]) : 0;
    double seconds = number(argv[writes ? 6 : 4]);
    unsigned scans = writes && argc == 8 ? number(argv[7]) : 0;
    if (count > CONNECTIONS_MAX || scans > CONNECTIONS_MAX || records > 10000)
        return 2;
    for (unsigned i = 0; i < count; i++)
        prepare(&workers[i], port, writes ? argv[3] : QUERY, records, i * records);
    for (unsigned i = 0; i < scans; i++)
        prepare(&scanners[i], port, QUERY, 0, 0);
    start(scanners, scans, query_on);
    uint64_t began = now_ns();
    start(workers, count, writes ? write_on : query_on);
    pass_seconds(seconds);
    join(workers, count);
    report(workers, count, began, records);
    join(scanners, scans);
    return 0;
}

/* As fast as the socket takes them, or so many a second. */
static int load_udp(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)number(argv[2])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned records = number(argv[3]);
    double seconds = number(argv[4]), rate = argc == 6 ? number(argv[5]) : 0;
    struct feed *feeds[DATAGRAMS];
    struct mmsghdr messages[DATAGRAMS] = {0};
    struct iovec parts[DATAGRAMS];
    unsigned long long sent = 0, bytes = 0;
    uint64_t began = now_ns();
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    for (unsigned i = 0; i < DATAGRAMS; i++)
        if ((feeds[i] = feed_create(FEED_BINARY, records, i * records)) == NULL)
            fail("memory");
    while ((double)(now_ns() - began) < seconds * 1e9) {
        if (rate > 0 && (double)sent > rate * (double)(now_ns() - began) * 1e-9) {
            nanosleep(&(struct timespec){0, 200000}, NULL);
            continue;
        }
        for (unsigned i = 0; i < DATAGRAMS; i++) {
            size_t size;
            const char *body = feed_next(feeds[i], &size);
            parts[i] = (struct iovec){(void *)(uintptr_t)body, size};
            messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
            bytes += size;
        }
        int count = sendmmsg(fd, messages, DATAGRAMS, 0);
        if (count < 0)
            fail("send");
        sent += (unsigned)count;
    }
    printf("{\"seconds\": %.6f, \"requests\": %llu, \"records\": %llu, \"bytes\": %llu}\n",
           (double)(now_ns() - began) * 1e-9, sent, sent * records, bytes);
    for (unsigned i = 0; i < DATAGRAMS; i++)
        feed_destroy(feeds[i]);
    close(fd);
    return 0;
}

/* Of the process, or of the calling thread. */
static double cpu_seconds(int whose) {
    struct rusage usage;
    getrusage(whose, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

/* Writes for so long, flushes, then reads all of it for a third of that. */
static int load_engine(char **argv) {
    unsigned records = number(argv[3]);
    double seconds = number(argv[4]);
    flowdb_config config = flowdb_config_default();
    flowdb *db = NULL;
    struct feed *feed = feed_create(FEED_BINARY, records, 0);
    flowdb_batch *batch = flowdb_batch_create();
    uint64_t written = 0, scanned = 0, began = now_ns();
    config.data_dir = argv[2];
    if (feed == NULL || batch == NULL || flowdb_open(&config, &db) != FLOWDB_OK)
        fail("open");
    double cpu = cpu_seconds(RUSAGE_SELF), own = cpu_seconds(RUSAGE_THREAD);
    for (; (double)(now_ns() - began) < seconds * 1e9; written += records)
        if (feed_next_batch(feed, batch) != FLOWDB_OK || flowdb_write_batch(db, batch) != FLOWDB_OK)
            fail(flowdb_last_error());
    double write_seconds = (double)(now_ns() - began) * 1e-9;
    own = cpu_seconds(RUSAGE_THREAD) - own;
    if (flowdb_flush(db) != FLOWDB_OK)
        fail(flowdb_last_error());
    double write_cpu = cpu_seconds(RUSAGE_SELF) - cpu;
    cpu = cpu_seconds(RUSAGE_THREAD);
    began = now_ns();
    do {
        flowdb_range everything = flowdb_range_all();
        flowdb_iterator *iterator = NULL;
        flowdb_record record;
        if (flowdb_scan(db, &everything, NULL, &iterator) != FLOWDB_OK)
            fail(flowdb_last_error());
        while (flowdb_iterator_next(iterator, &record) == FLOWDB_OK)
            scanned++;
        flowdb_iterator_destroy(iterator);
    } while ((double)(now_ns() - began) < seconds * 1e9 / 3);
    printf("{\"seconds\": %.6f, \"records\": %llu, \"cpu\": %.6f, \"own_cpu\": %.6f, "
           "\"scan_seconds\": %.6f, \"scan_records\": %llu, \"scan_own_cpu\": %.6f}\n",
           write_seconds, (unsigned long long)written, write_cpu, own,
           (double)(now_ns() - began) * 1e-9, (unsigned long long)scanned,
           cpu_seconds(RUSAGE_THREAD) - cpu);
    flowdb_batch_destroy(batch);
    feed_destroy(feed);
    return flowdb_close(db) == FLOWDB_OK ? 0 : 1;
}

int main(int argc, char **argv) {
    int code = 2;
    if (((argc == 7 || argc == 8) && strcmp(argv[1], "write") == 0) ||
        (argc == 5 && strcmp(argv[1], "query") == 0))
        code = load_http(argc, argv);
    else if ((argc == 5 || argc == 6) && strcmp(argv[1], "udp") == 0)
        code = load_udp(argc, argv);
    else if (argc == 5 && strcmp(argv[1], "engine") == 0)
        code = load_engine(argv);
    if (code == 2)
        fprintf(stderr, "usage: flowdb-load write|udp|query|engine …; bench/server/flowdb_load.c "
                        "says what follows\n");
    return code;
}
