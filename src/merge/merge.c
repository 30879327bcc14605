#include "merge/merge.h"

#include "base/bytes.h"
#include "base/coding.h"

/* Contests that a source must win in a row before it is asked for its run: asking costs as much as a
   few of them. Grows while runs turn out to be short. */
#define PATIENCE_MIN 3
#define PATIENCE_MAX 96
#define RUN_WORTH 8 /* rows of a run that pays */

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

/* As fl_slice_compare, without a call for keys of one size up to two words. */
static inline int compare_keys(flowdb_slice a, flowdb_slice b) {
    if (a.size != b.size || a.size < 8 || a.size > 16)
        return fl_slice_compare(a, b);
    const uint8_t *x = a.data, *y = b.data;
    uint64_t p = fl_get_head(x, 8), q = fl_get_head(y, 8);
    if (p == q) {
        p = fl_get_head(x + a.size - 8, 8);
        q = fl_get_head(y + a.size - 8, 8);
    }
    return p < q ? -1 : p > q;
}

/* Negative: a's row comes first. 0: both are at the same (key, ts). A source at its end is last. */
static int compare(const struct fl_merge *merge, const struct fl_source *a,
                   const struct fl_source *b) {
    if (!a->valid || !b->valid)
        return a->valid ? -1 : 1;
    int order = compare_keys(a->row.key, b->row.key);
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

/* The best of those that lost to the winner: the one that would win without it. */
static const struct fl_source *runner_up(const struct fl_merge *merge) {
    const struct fl_source *best = NULL;
    for (size_t node = (merge->losers[0] + merge->count) / 2; node > 0; node /= 2) {
        const struct fl_source *loser = merge->sources[merge->losers[node]];
        if (best == NULL || compare(merge, loser, best) < 0)
            best = loser;
    }
    return best;
}

/* Lets the winner, which has won often, run up to the runner-up. */
static void let_run(struct fl_merge *merge) {
    const struct fl_source *winner = merge->sources[merge->losers[0]], *next = runner_up(merge);
    if (next == NULL || !next->valid) {
        merge->free = SIZE_MAX;
        return;
    }
    merge->free = winner->valid ? fl_source_run(winner, next->row.key, next->row.ts) : 0;
    merge->streak = 0;
    if (merge->free >= RUN_WORTH)
        merge->patience = PATIENCE_MIN;
    else
        merge->patience = FL_MIN(merge->patience * 2, (size_t)PATIENCE_MAX);
}

bool fl_merge_leads(const struct fl_merge *merge, flowdb_slice key, int64_t ts) {
    const struct fl_source last = {.valid = true, .row = {.key = key, .ts = ts}};
    const struct fl_source *next = merge->count > 1 ? runner_up(merge) : NULL;
    return next == NULL || compare(merge, &last, next) < 0;
}

flowdb_status fl_merge_moved(struct fl_merge *merge) {
    merge->free = merge->streak = 0;
    return merge->count > 1 ? climb(merge, merge->losers[0], 0, &merge->losers[0]) : FLOWDB_OK;
}

flowdb_status fl_merge_seek(struct fl_merge *merge, flowdb_slice key, int64_t ts) {
    flowdb_status status = FLOWDB_OK;
    merge->free = merge->streak = 0;
    merge->patience = PATIENCE_MIN;
    for (size_t i = 0; i < merge->count && status == FLOWDB_OK; i++)
        status = fl_source_seek(merge->sources[i], key, ts);
    if (status == FLOWDB_OK && merge->count > 0)
        status = build(merge, 1, &merge->losers[0]);
    return status;
}

flowdb_status fl_merge_contest(struct fl_merge *merge) {
    size_t before = merge->losers[0];
    flowdb_status status = fl_source_next(merge->sources[before]);
    if (status == FLOWDB_OK && merge->count > 1)
        status = climb(merge, before, 0, &merge->losers[0]);
    if (status != FLOWDB_OK)
        return status;
    merge->streak = merge->losers[0] == before ? merge->streak + 1 : 0;
    if (merge->count == 1 || merge->streak >= merge->patience)
        let_run(merge);
    return FLOWDB_OK;
}
