/*
 * The one merge: many sorted sources as one.
 *
 * A loser tree (Knuth, TAOCP 3, 5.4.1) over (key, ts). Where two sources are at the same (key, ts)
 * the newer row stays and the other source moves on, so that the merge yields each pair once, with
 * its newest version: what that version is (a delete, an expired put) is for the caller to judge,
 * and it hides the older ones in any case.
 *
 * Tables overlap in runs more often than row by row: a series' points of one day lie in one table,
 * those of the next in another. A source that has won a few times in a row is asked how many rows
 * it has before the runner-up's; these are yielded without a comparison. A source that is the last
 * one left is never compared again.
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
    size_t free;     /* rows that the winner yields next without a contest */
    size_t streak;   /* contests that the winner has won in a row */
    size_t patience; /* contests to win before the winner is asked for its run */
};

/* Takes the array and the sources in it (count may be 0), also on failure. */
flowdb_status fl_merge_init(struct fl_merge *merge, const struct fl_alloc *alloc,
                            struct fl_source **sources, size_t count, bool reverse);
/* Closes the sources. Safe on a zeroed one. */
void fl_merge_deinit(struct fl_merge *merge);

/* As for a source. */
flowdb_status fl_merge_seek(struct fl_merge *merge, flowdb_slice key, int64_t ts);
flowdb_status fl_merge_contest(struct fl_merge *merge); /* fl_merge_next, where nothing is free */
static inline flowdb_status fl_merge_next(struct fl_merge *merge) {
    if (merge->free == 0)
        return fl_merge_contest(merge);
    merge->free--;
    return fl_source_next(merge->sources[merge->losers[0]]);
}
/* As fl_source_take, of rows that need no contest. There must be a current one. */
static inline size_t fl_merge_take(struct fl_merge *merge, size_t most,
                                   struct fl_stretch *stretch) {
    size_t least = most < merge->free ? most : merge->free;
    size_t count = fl_source_take(merge->sources[merge->losers[0]], least, stretch);
    merge->free -= count;
    return count;
}
/*
 * Do all rows of the winner up to (key, ts), which it has, come before those of the other sources?
 * Then whoever works on sources directly may move it behind them, and says so by fl_merge_moved.
 */
bool fl_merge_leads(const struct fl_merge *merge, flowdb_slice key, int64_t ts);
flowdb_status fl_merge_moved(struct fl_merge *merge);
/* The source whose row is the current one; there must be one. */
static inline struct fl_source *fl_merge_winner(const struct fl_merge *merge) {
    return merge->sources[merge->losers[0]];
}

/* The current row, valid until the next call; NULL at the end. */
static inline const struct fl_row *fl_merge_row(const struct fl_merge *merge) {
    if (merge->count == 0)
        return NULL;
    const struct fl_source *winner = merge->sources[merge->losers[0]];
    return winner->valid ? &winner->row : NULL;
}

#endif
