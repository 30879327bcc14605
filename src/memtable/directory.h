/*
 * The keys of a memtable in order, worked out when a scan asks.
 *
 * Series are kept in order of creation. A scan sorts those that are new since the last one into a
 * run, and merges runs while the last is at least half as long as the one before it: there are
 * never more than about log2(n), a key is merged log2(n) times in all, and a scan over a memtable
 * that is being written pays for what is new, not for what is there.
 */
#ifndef FL_MEMTABLE_DIRECTORY_H
#define FL_MEMTABLE_DIRECTORY_H

#include <stdatomic.h>

#include "memtable/series.h"

/* A series and the eight bytes of its key behind the run's common prefix, as a number. */
struct fl_directory_item {
    uint64_t head;
    const struct fl_series *series;
};

/* Sorted, distinct keys. Immutable and reference-counted. */
struct fl_directory_run {
    _Atomic uint32_t refs;
    uint32_t prefix; /* bytes that all its keys begin with */
    size_t count;
    struct fl_directory_item items[];
};

#define FL_DIRECTORY_RUNS 48

/* The runs that a scan holds, longest first. */
struct fl_directory {
    struct fl_directory_run *runs[FL_DIRECTORY_RUNS];
    size_t count;
};

/* Makes a run of `count` items with their series set, in any order. Takes the array's content; the
   run is its own memory. */
flowdb_status fl_directory_run_create(const struct fl_alloc *alloc,
                                      const struct fl_series *const *series, size_t count,
                                      struct fl_directory_run **run);
/* Adds a run to the directory and merges as described; takes the reference. On failure the
   directory is as before and the run is freed. */
flowdb_status fl_directory_add(const struct fl_alloc *alloc, struct fl_directory *directory,
                               struct fl_directory_run *run);
/* A second set of references. */
void fl_directory_copy(const struct fl_directory *from, struct fl_directory *to);
void fl_directory_release(const struct fl_alloc *alloc, struct fl_directory *directory);

/* The first item whose key is not below `key`; run->count if none. */
size_t fl_directory_run_seek(const struct fl_directory_run *run, flowdb_slice key);

#endif
