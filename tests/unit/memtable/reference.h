/*
 * A memtable beside a plain list of all that was written into it, with every version kept: what the
 * memtable answers must follow from the list, at any snapshot.
 */
#ifndef TESTS_UNIT_MEMTABLE_REFERENCE_H
#define TESTS_UNIT_MEMTABLE_REFERENCE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "memtable/memtable.h"
#include "support/failing_alloc.h"
#include "support/seeded.h"

/* One version that was published. The value follows from seq and attempt. */
struct version {
    uint32_t key;
    int64_t ts;
    uint64_t seq;
    uint32_t attempt;
    int64_t expire_at;
    enum fl_op op;
};

struct pair {
    struct failing_alloc failing;
    struct fl_chunk_pool pool;
    struct fl_memtable *memtable;
    struct seeded seeded;

    uint8_t *key_bytes;
    flowdb_slice *keys; /* distinct, ascending */
    uint32_t key_count;
    uint32_t time_count; /* timestamps to choose from */

    struct version *versions; /* by key, ts, seq descending, once sorted */
    size_t version_count, version_capacity;
    bool sorted;
    struct fl_range_tombstone *ranges; /* by seq; their keys are those of the pair */
    size_t range_count, range_capacity;
    uint64_t next_seq;
    uint32_t attempt;
};

/* Keys of 1 to some hundred bytes, many with common beginnings. */
void pair_init(struct pair *pair, struct seeded seeded, uint32_t keys, uint32_t times);
/* Fails the test if memory leaked. */
void pair_deinit(struct pair *pair);

int64_t pair_time(struct pair *pair);
/* A key of the pair, or one that is near one. `space` has room for any. */
flowdb_slice pair_key_near(struct pair *pair, uint8_t *space);
#define PAIR_KEY_BYTES 400

/* A batch of random writes, in a span of the pool's. */
struct pair_batch {
    struct fl_span span;
    struct version *versions; /* op FL_OP_DELETE_RANGE: key to `until` */
    uint32_t *until;          /* key_count: without an end */
    uint64_t *hashes;
    struct fl_memtable_batch batch;
};
/* `range_percent` of the entries are range deletes. */
void pair_make_batch(struct pair *pair, uint32_t count, uint32_t range_percent,
                     struct pair_batch *made);
void pair_batch_release(struct pair_batch *made);
/* The batch was published: the list has it too. */
void pair_note(struct pair *pair, const struct pair_batch *made);
/* Makes a batch, writes it and notes it. */
void pair_write(struct pair *pair, uint32_t count, uint32_t range_percent);
/* Makes a batch and cancels it. */
void pair_cancel(struct pair *pair, uint32_t count, uint32_t range_percent);

/* ---- what the list says, compared with what the memtable says ---- */

/* The newest version at (key, ts) that the snapshot sees; NULL if none. */
const struct version *pair_find(struct pair *pair, uint32_t key, int64_t ts, uint64_t seq);
void pair_check_gets(struct pair *pair, uint64_t seq, uint32_t count);
void pair_check_ranges(struct pair *pair, uint64_t seq);
/* Opens a source with the bounds, seeks it several times, and reads on. */
void pair_check_source(struct pair *pair, const struct fl_bounds *bounds, uint64_t seq);
/* Everything, forwards and backwards. */
void pair_check_all(struct pair *pair, uint64_t seq);
/* Bounds of every kind. The keys are put into the spaces. */
struct fl_bounds pair_bounds(struct pair *pair, uint8_t *low, uint8_t *high);
/* 0 to what was written, the newest most of the time. */
uint64_t pair_snapshot(struct pair *pair);

#endif
