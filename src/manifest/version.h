/*
 * A version: the memtables and tables that hold the database at one moment.
 *
 * Immutable and reference-counted. A reader pins one and is undisturbed by whatever is flushed or
 * compacted; a change installs a new one. What only old versions refer to goes when the last of
 * them does.
 */
#ifndef FL_MANIFEST_VERSION_H
#define FL_MANIFEST_VERSION_H

#include <stdatomic.h>

#include "memtable/memtable.h"
#include "merge/skyline.h"
#include "table/table.h"

struct fl_version {
    const struct fl_alloc *alloc;
    _Atomic uint32_t refs;
    struct fl_memtable *active;
    struct fl_memtable **frozen; /* oldest first */
    size_t frozen_count;
    struct fl_table **tables; /* by largest sequence number, newest first */
    size_t table_count;
    struct fl_skyline *skyline; /* the tables' range tombstones; NULL where there are none */
};

/* Takes references of its own; `tables` in any order. */
flowdb_status fl_version_create(const struct fl_alloc *alloc, struct fl_memtable *active,
                                struct fl_memtable *const *frozen, size_t frozen_count,
                                struct fl_table *const *tables, size_t table_count,
                                struct fl_version **version);
void fl_version_ref(struct fl_version *version);
void fl_version_unref(struct fl_version *version); /* NULL is fine */

#endif
