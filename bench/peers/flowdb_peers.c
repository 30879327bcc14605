/* flowdb-peers: one section of the comparison on one store, once. scripts/bench-peers runs them all. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "peers.h"

static const struct store_ops *const stores[] = {&store_flowdb, &store_original, &store_rocksdb,
                                                 &store_lmdb, &store_leveldb};
enum { STORES = sizeof stores / sizeof *stores };

static const char usage[] =
    "usage: flowdb-peers STORE SECTION [RECORDS SERIES POINTS]\n"
    "  STORE    flowdb, flowdb-0.1.5, rocksdb, lmdb, leveldb; versions prints them all\n"
    "  SECTION  writes, reads, random, series, mixed; with the store limits: nothing\n";

static const struct store_ops *find_store(const char *name) {
    for (size_t i = 0; i < STORES; i++)
        if (strcmp(stores[i]->name, name) == 0)
            return stores[i];
    return NULL;
}

static void print_versions(void) {
    for (size_t i = 0; i < STORES; i++)
        printf("%s %s\n", stores[i]->name, stores[i]->version());
}

static void make_folder(struct peers *peers) {
    const char *base = getenv("TMPDIR");
    snprintf(peers->folder, sizeof peers->folder, "%s/flowdb-peers-XXXXXX",
             base != NULL ? base : "/tmp");
    if (mkdtemp(peers->folder) == NULL)
        store_fail("cannot create %s: %s", peers->folder, strerror(errno));
}

static void run_section(struct peers *peers, const char *section) {
    if (strcmp(section, "writes") == 0)
        peers_writes(peers);
    else if (strcmp(section, "reads") == 0)
        peers_reads(peers, false);
    else if (strcmp(section, "random") == 0)
        peers_reads(peers, true);
    else if (strcmp(section, "series") == 0)
        peers_series(peers);
    else if (strcmp(section, "mixed") == 0)
        peers_mixed(peers);
    else
        store_fail("%s", usage);
}

int main(int count, char **arguments) {
    struct peers peers = {
        .records = 100000, .series = 10000, .points = 500, .threads = 8, .random = 11};
    if (count == 2 && strcmp(arguments[1], "versions") == 0) {
        print_versions();
        return 0;
    }
    bool limits = count >= 2 && strcmp(arguments[1], "limits") == 0;
    if (count < 3 || (!limits && find_store(arguments[1]) == NULL))
        store_fail("%s", usage);
    if (count > 3)
        peers.records = strtoull(arguments[3], NULL, 10);
    if (count > 5) {
        peers.series = strtoull(arguments[4], NULL, 10);
        peers.points = strtoull(arguments[5], NULL, 10);
    }
    if (peers.records == 0 || peers.series == 0 || peers.points == 0)
        store_fail("%s", usage);
    make_folder(&peers);
    bench_warm_memory((size_t)1 << 30);
    peers.ops = find_store(arguments[1]);
    if (limits)
        peers_limits(&peers);
    else
        run_section(&peers, arguments[2]);
    peers_folder_remove(&peers);
    return 0;
}
