/* Choosing which tables to merge, and merging them. */
#ifndef FL_ENGINE_COMPACTION_H
#define FL_ENGINE_COMPACTION_H

#include "engine/engine.h"

#define FL_COMPACTION_INPUTS_MAX 64 /* at least the largest compaction_threshold */
#define FL_COMPACTION_CUTS_MAX 5
#define FL_COMPACTION_OUTPUT ((uint64_t)512 << 20) /* bytes of file at which the next one begins */

/* ---- compaction_policy.c: what to merge, by numbers alone ---- */

/* The time window that a table belongs to: of two tables in different ones, neither is merged into
   the other, so that old data expires by whole files and a read of some time opens few of them. */
struct fl_window_id {
    uint32_t level; /* windows of level k, from 1, are time_bucket_secs * 4^(k - 1) long */
    int64_t number; /* which one, counted from the epoch; 0 for what lies ahead of now's */
};

/* Windows begin at `bucket_us` for what is recent and widen fourfold with age, so that however long
   the history is, there are few. */
struct fl_window_id fl_compaction_window(int64_t max_ts, int64_t now_us, int64_t bucket_us);

/*
 * Where tables that are merged are to be cut, so that what lies in older windows than the newest row
 * comes to lie there: ascending first timestamps of windows above min_ts. At most
 * FL_COMPACTION_CUTS_MAX, of more the oldest: these windows are the widest. Returns how many.
 */
size_t fl_compaction_cuts(int64_t min_ts, int64_t max_ts, int64_t now_us, int64_t bucket_us,
                          int64_t *cuts);

/* What the policy knows of a table. */
struct fl_compaction_table {
    uint64_t id;
    flowdb_slice min_key, max_key; /* empty where it has no rows */
    int64_t min_ts, max_ts;        /* as new as can be where it has no rows */
    uint64_t min_seq, max_seq;
    uint64_t bytes;   /* as written: compression must not decide what is similar */
    uint64_t garbage; /* of these: what would be gone if nothing older were in the way */
    uint64_t file_size;
};

struct fl_compaction_policy {
    int64_t now_us, bucket_us;
    uint32_t threshold;
    uint64_t small_bytes;  /* below, tables are alike */
    uint64_t output_bytes; /* FL_COMPACTION_OUTPUT */
    uint64_t budget;       /* bytes of input files that the disk has room for */
};

/*
 * Chooses the largest unit of a window with what lies over its keys and times, if that is half as large
 * as it; or tables of similar size within one window: at least `threshold`, the largest at most twice
 * as large as the average of the smaller ones; or, where a quarter of all that is stored is
 * garbage, those that have most of it with all that has to come along for it to go. `chosen` receives
 * at most FL_COMPACTION_INPUTS_MAX numbers of tables; *chosen_count is 0 where there is nothing to do.
 */
flowdb_status fl_compaction_choose(const struct fl_alloc *alloc,
                                   const struct fl_compaction_policy *policy,
                                   const struct fl_compaction_table *tables, size_t count,
                                   size_t *chosen, size_t *chosen_count);

/* How many tables it would choose for their size, if it went on choosing without merging any. */
flowdb_status fl_compaction_count_waiting(const struct fl_alloc *alloc,
                                          const struct fl_compaction_policy *policy,
                                          const struct fl_compaction_table *tables, size_t count,
                                          size_t *waiting);

/* ---- compaction_pick.c ---- */

struct fl_compaction {
    struct fl_table *const *inputs;
    size_t input_count;
    int64_t cuts[FL_COMPACTION_CUTS_MAX];
    size_t cut_count;      /* 0: rows of all times lie together */
    uint64_t output_bytes; /* 0: FL_COMPACTION_OUTPUT */
};

/* Applies the policy to the tables of a version, which `inputs`, of FL_COMPACTION_INPUTS_MAX, borrows
   from. compaction->input_count is 0 where there is nothing to do. */
flowdb_status fl_compaction_pick(flowdb *db, const struct fl_version *version,
                                 struct fl_table **inputs, struct fl_compaction *compaction);

/* How many tables of the version wait to be merged with others of their size, whatever the disk has
   room for. */
flowdb_status fl_compaction_backlog(flowdb *db, const struct fl_version *version, size_t *tables);

/* ---- compaction_hide.c: questions of what lies outside a compaction, in the same version ---- */

/* May a table that takes no part hold an older version of the row? */
bool fl_compaction_row_hides(const struct fl_version *version,
                             const struct fl_compaction *compaction, const struct fl_row *row);
/* May one hold rows that the tombstone hides? */
bool fl_compaction_range_hides(const struct fl_version *version,
                               const struct fl_compaction *compaction,
                               const struct fl_range_tombstone *tombstone);
/* May anything in the table, rows and range tombstones, hide what lies in another? */
bool fl_compaction_table_hides(const struct fl_version *version, struct fl_table *table);

/* ---- compaction_run.c ---- */

/* Merges the tables into new ones that take their place. The inputs must be of the current version,
   and the caller holds compaction_lock. Stops with FLOWDB_DONE, nothing changed, when the database
   is closing. */
flowdb_status fl_compaction_run(flowdb *db, const struct fl_compaction *compaction);

#endif
