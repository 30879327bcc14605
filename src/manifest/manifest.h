/*
 * The manifest: which tables make up the database, which log is the first that still counts, and
 * what must survive beside them. A log of edits; docs/formats/manifest.md has the bytes.
 *
 *   CURRENT            names the manifest in use
 *   MANIFEST-000007    a snapshot of the whole state, then an edit for each change
 *
 * One edit is one change: it is there whole or not at all. A new manifest is written at each open
 * for writing and when the old one has grown, so nothing is ever appended behind a torn edit.
 */
#ifndef FL_MANIFEST_MANIFEST_H
#define FL_MANIFEST_MANIFEST_H

#include "fs/env.h"

/* A table as the manifest knows it; the rest is in the table itself. */
struct fl_table_meta {
    uint64_t id;
    uint64_t file_size;
};

/* What all edits so far add up to. */
struct fl_manifest_state {
    const struct fl_alloc *alloc;
    uint64_t next_id;             /* no file has had this id or a larger one */
    uint64_t last_seq;            /* of what the tables hold: at least their largest */
    uint64_t log;                 /* the oldest log that is not in tables; 0: none is needed */
    int64_t latest_time_us;       /* the highest wall clock seen */
    struct fl_table_meta *tables; /* in the order in which they were added */
    size_t table_count, table_capacity;
};

void fl_manifest_state_init(struct fl_manifest_state *state, const struct fl_alloc *alloc);
void fl_manifest_state_deinit(struct fl_manifest_state *state);
/* Deep; `to` is initialised by the call. */
flowdb_status fl_manifest_state_copy(const struct fl_manifest_state *from,
                                     struct fl_manifest_state *to);

/* A change. Arrays are borrowed. The numbers replace the state's. */
struct fl_manifest_edit {
    const struct fl_table_meta *added;
    size_t added_count;
    const uint64_t *removed;
    size_t removed_count;
    uint64_t next_id;
    uint64_t last_seq;
    uint64_t log;
    int64_t latest_time_us;
};

/* FLOWDB_CORRUPTION where it removes what is not there or adds what is; the state is then as it
   was. */
flowdb_status fl_manifest_apply(struct fl_manifest_state *state,
                                const struct fl_manifest_edit *edit);

/* What CURRENT in `dir` names. FLOWDB_NOT_FOUND where there is none, FLOWDB_CORRUPTION where it is
   damaged. */
flowdb_status fl_manifest_current(const struct fl_env *env, const char *dir, uint64_t *id);

/*
 * Reads what CURRENT in `dir` names into an initialised state; *manifest_id is the file's number.
 * FLOWDB_NOT_FOUND where there is no CURRENT.
 */
flowdb_status fl_manifest_load(const struct fl_env *env, const char *dir,
                               struct fl_manifest_state *state, uint64_t *manifest_id);

struct fl_manifest;

/*
 * Writes a new manifest with number `id` that holds `state`, and puts it into CURRENT, durably. It
 * keeps a copy of the state. *in_doubt, set in any case: it failed when CURRENT may have named the
 * new one already, so that neither can be relied on. Not thread-safe: the caller has a lock.
 */
flowdb_status fl_manifest_create(const struct fl_env *env, const char *dir, uint64_t id,
                                 const struct fl_manifest_state *state, bool *in_doubt,
                                 struct fl_manifest **manifest);
void fl_manifest_close(struct fl_manifest *manifest); /* NULL is fine */

/* Makes the edit durable and applies it to the state. Once one has failed every further one is
   refused. What a failed write left is taken back, and a new manifest can take over; where that or a
   sync fails nobody can tell what is on the disk. */
flowdb_status fl_manifest_append(struct fl_manifest *manifest, const struct fl_manifest_edit *edit);
const struct fl_manifest_state *fl_manifest_state(const struct fl_manifest *manifest);
uint64_t fl_manifest_id(const struct fl_manifest *manifest);
/* Is it time for a new one: has it grown far beyond its snapshot, or did a write fail? */
bool fl_manifest_wants_successor(const struct fl_manifest *manifest);
/* May a failed edit be on the disk? */
bool fl_manifest_in_doubt(const struct fl_manifest *manifest);

/* "DIR/MANIFEST-000007"; the caller releases it. NULL when memory is out. */
char *fl_manifest_path(const struct fl_alloc *alloc, const char *dir, uint64_t id);

#endif
