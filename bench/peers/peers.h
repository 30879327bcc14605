/* What the comparison's parts share: a run of one store, its folder, and the rows that it prints. */
#ifndef PEERS_PEERS_H
#define PEERS_PEERS_H

#include "account.h"
#include "data.h"
#include "latency.h"
#include "store.h"

enum {
    PEERS_PATH = 512,
    PEERS_LARGE = 5000000, /* records from which on the side rows are left out */
    PEERS_SECONDS_MOST = 2 /* of a row of many reads: a slow store does fewer */
};

struct peers {
    const struct store_ops *ops;
    char folder[PEERS_PATH]; /* holds nothing but the store under way */
    uint64_t records, series, points;
    unsigned threads;
    uint64_t random;        /* goes on from row to row */
    struct account account; /* of the section under way */
};

double peers_now(void);
/* Has a row of reads that began then taken long enough? Looks at the clock at every 64th read. */
bool peers_enough(double start, uint64_t reads);
void *peers_allocate(size_t size);

/* Prints one result: a line of JSON. */
void peers_row(const struct peers *peers, const char *row, const char *unit, double value);
/* The same of latencies: median, p99, p99.9 and the largest, in us. */
void peers_latencies(const struct peers *peers, const char *row, const struct latency *latency);
/* Prints a rate, unless the store did not find what it should have: then how many it missed. */
void peers_rate(const struct peers *peers, const char *row, uint64_t expected, uint64_t got,
                double rate);

/* Opens a store in the folder as it is, or in an emptied one. */
struct store *peers_open(struct peers *peers, enum store_log log);
struct store *peers_open_fresh(struct peers *peers, const struct store_options *options);
/* Makes it known to the store what will be written. */
void peers_prepare(struct peers *peers, const struct data *data);
/* Writes every batch, from `first` on each `step`th. Seconds. */
double peers_write(struct peers *peers, struct store *store, const struct data *data,
                   uint64_t first, uint64_t step);

uint64_t peers_folder_bytes(const struct peers *peers);
void peers_folder_remove(const struct peers *peers);
/* Begins and ends the account of a section: peak memory, and bytes written for each byte of data. */
void peers_account_begin(struct peers *peers);
void peers_account_end(struct peers *peers, const char *section, const struct data *data);

/* --- the sections */
void peers_writes(struct peers *peers);
void peers_reads(struct peers *peers, bool random_values);
void peers_series(struct peers *peers);
void peers_mixed(struct peers *peers);
void peers_limits(struct peers *peers);

#endif
