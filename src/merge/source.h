/*
 * A sorted stream of rows: what a memtable or a table offers to a read.
 *
 * A source is opened with bounds and a direction. It yields only rows inside the bounds (key and
 * ts), in (key, ts) order ascending or, with bounds.reverse, descending, and at most one row for
 * each (key, ts): the newest that its reader may see. Deletes are yielded as rows; range tombstones
 * and expiry are not its business.
 *
 * An implementation puts this struct first in its own. One thread at a time.
 */
#ifndef FL_MERGE_SOURCE_H
#define FL_MERGE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/row.h"

struct fl_source;

/* Rows that are `step` apart in time, all of them puts with the expiry of the one before them. */
struct fl_stretch {
    const flowdb_slice *keys;   /* NULL: all have the key of the one before them */
    const flowdb_slice *values; /* borrowed, as the keys, as a row is; `take` returns how many */
    int64_t step;
};

struct fl_source_ops {
    flowdb_status (*seek)(struct fl_source *source, flowdb_slice key, int64_t ts);
    flowdb_status (*next)(struct fl_source *source);
    /* How many rows right behind the current one come before (key, ts) in the source's direction, of
       those that it can tell at once; 0 is always right. NULL: it never tells. */
    size_t (*run)(const struct fl_source *source, flowdb_slice key, int64_t ts);
    /* Moves on by at most so many rows, all of them right behind the current one, and says by how
       many: 0 is always right. NULL: never moves. Saves a call for each where they are alike. */
    size_t (*take)(struct fl_source *source, size_t most, struct fl_stretch *stretch);
    void (*close)(struct fl_source *source);
};

struct fl_source {
    const struct fl_source_ops *ops;
    bool valid;        /* is there a row? false before the first seek and at the end */
    struct fl_row row; /* borrowed: valid until the next seek, next or close */
};

/* Moves to the first row at or after (key, ts) in the source's direction. An empty key stands for
   the source's first row in its direction, whatever ts is. On failure the source is not valid. */
static inline flowdb_status fl_source_seek(struct fl_source *source, flowdb_slice key, int64_t ts) {
    return source->ops->seek(source, key, ts);
}
/* Moves to the next row; the source must be valid. */
static inline flowdb_status fl_source_next(struct fl_source *source) {
    return source->ops->next(source);
}
/* See fl_source_ops; the source must be valid. */
static inline size_t fl_source_run(const struct fl_source *source, flowdb_slice key, int64_t ts) {
    return source->ops->run != NULL ? source->ops->run(source, key, ts) : 0;
}
/* See fl_source_ops; the source must be valid. */
static inline size_t fl_source_take(struct fl_source *source, size_t most,
                                    struct fl_stretch *stretch) {
    return source->ops->take != NULL && most > 0 ? source->ops->take(source, most, stretch) : 0;
}
/* Frees the source. NULL is fine. */
static inline void fl_source_close(struct fl_source *source) {
    if (source != NULL)
        source->ops->close(source);
}

#endif
