/*
 * One key's versions in a memtable.
 *
 * Versions that arrive with an ever larger ts, as measurements do, are appended to an array; the
 * first one lies in the series itself. What comes late (a smaller ts, or the same one again) goes
 * into a skip list (Pugh 1990) ordered by ts, then by seq descending. One writer, under the commit
 * lock; any number of readers without a lock: the array's count and the list's links are published
 * with release stores, and memory that a reader may still see is never given back before the
 * memtable dies.
 */
#ifndef FL_MEMTABLE_SERIES_H
#define FL_MEMTABLE_SERIES_H

#include <stdatomic.h>

#include "base/entry.h"
#include "memtable/arena.h"

/* One version. The entry lies in a chunk that the memtable holds. */
struct fl_slot {
    int64_t ts;
    uint64_t seq;
    const uint8_t *entry;
};

#define FL_LATE_LEVELS 12

struct fl_late_node {
    struct fl_slot slot;
    uint32_t levels;
    _Atomic(struct fl_late_node *) next[]; /* `levels` of them */
};

struct fl_late_list {
    uint64_t random; /* the writer's: decides levels */
    _Atomic(struct fl_late_node *) head[FL_LATE_LEVELS];
};

struct fl_series {
    const uint8_t *key;
    uint32_t hash; /* the low bits of the key's, for when the hash table grows */
    uint16_t key_size;
    uint8_t capacity;       /* of the array, as a step (fl_series_step); the writer's */
    _Atomic uint32_t count; /* slots that readers may look at */
    uint32_t prepared;      /* slots written behind them but not published; the writer's */
    _Atomic(struct fl_slot *) slots;
    _Atomic(struct fl_late_list *) late;
    struct fl_slot first;
};

static inline flowdb_slice fl_series_key(const struct fl_series *series) {
    return flowdb_bytes(series->key, series->key_size);
}

/* Sizes of arrays go by steps: 1, 2, 3, 4, 6, 8, 12, 16, 24 and so on. The first step whose array has
   room for so many versions, among those that an array may begin with. */
uint8_t fl_series_step(uint64_t versions);

void fl_series_init(struct fl_series *series, flowdb_slice key, uint64_t hash);

/*
 * Takes room for one version and fills it in without showing it to readers; *node receives the
 * list node if it came late, else NULL. `first_step` is the size
 * that an array begins with. FLOWDB_NO_MEMORY changes nothing that a reader can see.
 */
flowdb_status fl_series_prepare(struct fl_series *series, struct fl_arena *arena,
                                uint8_t first_step, const struct fl_slot *slot,
                                struct fl_late_node **node);
/* Shows what was prepared in the array. */
void fl_series_publish(struct fl_series *series);
/* Shows a prepared node. */
void fl_series_publish_late(struct fl_series *series, struct fl_late_node *node);
/* Forgets what was prepared and not published. */
void fl_series_cancel(struct fl_series *series);

/* The array as a reader with snapshot `seq` sees it: its slots and, returned, how many. */
uint32_t fl_series_visible(const struct fl_series *series, uint64_t seq,
                           const struct fl_slot **slots);
/* The first of `count` slots with ts >= the given one; `count` if none. */
uint32_t fl_slots_lower_bound(const struct fl_slot *slots, uint32_t count, int64_t ts);

/* The first late version at or behind (ts, seq descending), seen from snapshot `seq`: with the same
   ts only those with a seq not above it. NULL if none. */
const struct fl_slot *fl_series_late_at(const struct fl_series *series, int64_t ts, uint64_t seq);
/* The newest visible late version with the greatest ts not above the given one. NULL if none. */
const struct fl_slot *fl_series_late_before(const struct fl_series *series, int64_t ts,
                                            uint64_t seq);

/* The newest version of ts that snapshot `seq` sees; NULL if there is none. */
const struct fl_slot *fl_series_get(const struct fl_series *series, int64_t ts, uint64_t seq);
/* The newest visible version with the greatest ts that is not above the given one; NULL if none. */
const struct fl_slot *fl_series_latest(const struct fl_series *series, int64_t ts, uint64_t seq);

#endif
