/* Choosing which tables to merge, and merging them. */
#ifndef FL_ENGINE_COMPACTION_H
#define FL_ENGINE_COMPACTION_H

#include "engine/engine.h"

#define FL_COMPACTION_INPUTS_MAX 64 /* at least the largest compaction_threshold */

/* The time window that a table belongs to: of two tables in different ones, neither is merged into
   the other, so that old data expires by whole files and a read of some time opens few of them. */
struct fl_window_id {
    uint32_t level; /* windows of level k are time_bucket_secs * 4^k long */
    int64_t number; /* which one, counted from the epoch; 0 for what lies ahead of now */
};

/* Windows begin at `bucket_us` for what is recent and widen fourfold with age, so that however long
   the history is, there are few. */
struct fl_window_id fl_compaction_window(int64_t max_ts, int64_t now_us, int64_t bucket_us);

/*
 * Picks tables of similar size within one window: at least `threshold` of them, the largest at most
 * twice as large as the average, and all together `budget` bytes of files at most: what would not
 * fit on the disk is passed over for what does. Fills in at most FL_COMPACTION_INPUTS_MAX pointers, borrowed from
 * the version; *count is how many, 0 where there is nothing to do.
 */
flowdb_status fl_compaction_pick(const struct fl_version *version, int64_t now_us,
                                 int64_t bucket_us, uint32_t threshold, uint64_t small_bytes,
                                 uint64_t budget, struct fl_table **inputs, size_t *count);

/* Merges the tables into new ones that take their place. The inputs must be of the current version,
   and the caller holds compaction_lock. Stops with FLOWDB_DONE, nothing changed, when the database
   is closing. */
flowdb_status fl_compaction_run(flowdb *db, struct fl_table *const *inputs, size_t count);

#endif
