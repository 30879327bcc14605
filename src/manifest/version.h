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
    _Atomic int64_t refs;
    struct fl_memtable *active;
    struct fl_memtable **frozen; /* oldest first */
    size_t frozen_count, frozen_capacity;
    struct fl_table **tables;  /* by largest sequence number, newest first */
    struct fl_table **by_time; /* the same by largest ts, latest first */
    size_t table_count;
    struct fl_skyline *skyline; /* the tables' range tombstones; NULL where there are none */
};

/*
 * A version of these tables, in any order, of which it takes references of its own. It has no
 * memtables yet, but room for `frozen_capacity` frozen ones: setting them cannot fail, so that all
 * that can is done before a change is made durable. The memory of the skyline is added to `*used`,
 * unless that is NULL, as long as a version has it; it must outlive them.
 */
flowdb_status fl_version_create(const struct fl_alloc *alloc, struct fl_table *const *tables,
                                size_t table_count, size_t frozen_capacity, _Atomic size_t *used,
                                struct fl_version **version);
/* A version of the same tables, without memtables. */
flowdb_status fl_version_copy_tables(const struct fl_version *from, size_t frozen_capacity,
                                     struct fl_version **version);
/* Once, before the version is shown to anyone. Takes references of its own. */
void fl_version_set_memtables(struct fl_version *version, struct fl_memtable *active,
                              struct fl_memtable *const *frozen, size_t frozen_count);
void fl_version_ref(struct fl_version *version);
void fl_version_unref(struct fl_version *version); /* NULL is fine */

#endif
