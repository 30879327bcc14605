#include "merge/merge.h"

#include "base/bytes.h"

flowdb_status fl_merge_init(struct fl_merge *merge, const struct fl_alloc *alloc,
                            struct fl_source **sources, size_t count, bool reverse) {
    *merge =
        (struct fl_merge){.alloc = alloc, .sources = sources, .count = count, .reverse = reverse};
    merge->losers = fl_allocate_zeroed(alloc, count + 1, sizeof *merge->losers);
    if (merge->losers == NULL) {
        fl_merge_deinit(merge);
        return fl_fail_memory("a merge", (count + 1) * sizeof *merge->losers);
    }
    return FLOWDB_OK;
}

void fl_merge_deinit(struct fl_merge *merge) {
    if (merge->alloc == NULL)
        return;
    for (size_t i = 0; i < merge->count; i++)
        fl_source_close(merge->sources[i]);
    fl_release(merge->alloc, merge->sources);
    fl_release(merge->alloc, merge->losers);
    *merge = (struct fl_merge){0};
}

/* Negative: a's row comes first. 0: both are at the same (key, ts). A source at its end is last. */
static int compare(const struct fl_merge *merge, const struct fl_source *a,
                   const struct fl_source *b) {
    if (!a->valid || !b->valid)
        return a->valid ? -1 : 1;
    int order = fl_slice_compare(a->row.key, b->row.key);
    if (order == 0)
        order = a->row.ts < b->row.ts ? -1 : a->row.ts > b->row.ts;
    return merge->reverse ? -order : order;
}

static flowdb_status climb(struct fl_merge *merge, size_t leaf, size_t top, size_t *winner);

/* Moves the older of two equal sources, each the winner of its side, and finds its side's new
   winner. `older` won everything below `node`. */
static flowdb_status pass_over(struct fl_merge *merge, size_t node, size_t *older) {
    size_t leaf = *older;
    flowdb_status status = fl_source_next(merge->sources[leaf]);
    return status == FLOWDB_OK ? climb(merge, leaf, node, older) : status;
}

/*
 * Plays the source at `leaf` up to, but not at, node `top` (0: up to the root), against the losers
 * that are stored on the way. Leaf i hangs below node (i + count) / 2.
 */
static flowdb_status climb(struct fl_merge *merge, size_t leaf, size_t top, size_t *winner) {
    size_t contender = leaf;
    for (size_t node = (leaf + merge->count) / 2; node > 0 && node != top; node /= 2) {
        size_t other = merge->losers[node];
        const struct fl_source *a = merge->sources[contender], *b = merge->sources[other];
        int order;
        while ((order = compare(merge, a, b)) == 0) {
            size_t *older = a->row.seq < b->row.seq ? &contender : &other;
            flowdb_status status = pass_over(merge, node, older);
            if (status != FLOWDB_OK)
                return status;
            a = merge->sources[contender];
            b = merge->sources[other];
        }
        merge->losers[node] = order < 0 ? other : contender;
        contender = order < 0 ? contender : other;
    }
    *winner = contender;
    return FLOWDB_OK;
}

/* The winner of the subtree at `node`, its losers filled in. */
static flowdb_status build(struct fl_merge *merge, size_t node, size_t *winner) {
    if (node >= merge->count) {
        *winner = node - merge->count;
        return FLOWDB_OK;
    }
    size_t left, right;
    flowdb_status status = build(merge, 2 * node, &left);
    if (status == FLOWDB_OK)
        status = build(merge, 2 * node + 1, &right);
    if (status != FLOWDB_OK)
        return status;
    int order;
    while ((order = compare(merge, merge->sources[left], merge->sources[right])) == 0) {
        bool left_older = merge->sources[left]->row.seq < merge->sources[right]->row.seq;
        status = pass_over(merge, node, left_older ? &left : &right);
        if (status != FLOWDB_OK)
            return status;
    }
    merge->losers[node] = order < 0 ? right : left;
    *winner = order < 0 ? left : right;
    return FLOWDB_OK;
}

flowdb_status fl_merge_seek(struct fl_merge *merge, flowdb_slice key, int64_t ts) {
    flowdb_status status = FLOWDB_OK;
    for (size_t i = 0; i < merge->count && status == FLOWDB_OK; i++)
        status = fl_source_seek(merge->sources[i], key, ts);
    if (status == FLOWDB_OK && merge->count > 0)
        status = build(merge, 1, &merge->losers[0]);
    return status;
}

flowdb_status fl_merge_next(struct fl_merge *merge) {
    size_t winner = merge->losers[0];
    flowdb_status status = fl_source_next(merge->sources[winner]);
    if (status != FLOWDB_OK || merge->count == 1)
        return status;
    return climb(merge, winner, 0, &merge->losers[0]);
}
