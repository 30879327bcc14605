/*
 * The one merge: many sorted sources as one.
 *
 * A loser tree (Knuth, TAOCP 3, 5.4.1) over (key, ts). Where two sources are at the same (key, ts)
 * the newer row stays and the other source moves on, so that the merge yields each pair once, with
 * its newest version: what that version is (a delete, an expired put) is for the caller to judge,
 * and it hides the older ones in any case.
 */
#ifndef FL_MERGE_MERGE_H
#define FL_MERGE_MERGE_H

#include "base/alloc.h"
#include "merge/source.h"

/* One thread. */
struct fl_merge {
    const struct fl_alloc *alloc;
    struct fl_source **sources; /* owned */
    size_t count;
    size_t *losers; /* count nodes; [0] holds the winner */
    bool reverse;
};

/* Takes the array and the sources in it (count may be 0), also on failure. */
flowdb_status fl_merge_init(struct fl_merge *merge, const struct fl_alloc *alloc,
                            struct fl_source **sources, size_t count, bool reverse);
/* Closes the sources. Safe on a zeroed one. */
void fl_merge_deinit(struct fl_merge *merge);

/* As for a source. */
flowdb_status fl_merge_seek(struct fl_merge *merge, flowdb_slice key, int64_t ts);
flowdb_status fl_merge_next(struct fl_merge *merge);

/* The current row, valid until the next call; NULL at the end. */
static inline const struct fl_row *fl_merge_row(const struct fl_merge *merge) {
    if (merge->count == 0)
        return NULL;
    const struct fl_source *winner = merge->sources[merge->losers[0]];
    return winner->valid ? &winner->row : NULL;
}

#endif
