/* How a walk over a table gets from block to block: what its index says, and which are read. */
#include "table/walk.h"

/* Bytes to read ahead at first, and at most, by a scan that goes on. */
#define AHEAD_MIN ((size_t)16 << 10)
#define AHEAD_MAX ((size_t)256 << 10)
#define TEXTS_MIN 8 /* values that are written at first, where they are numbers */

/* -------------------------------------------------------------------------- index and bounds -- */

/* A block of a partition, or a partition of the root. */
struct place {
    const struct fl_heads *keys;
    const int64_t *first_ts, *min_ts, *max_ts;
    uint32_t at;
};

static struct place here(const struct fl_walk *walk) {
    const struct fl_partition *partition = walk->use.partition;
    if (partition != NULL)
        return (struct place){&partition->keys, partition->first_ts, partition->min_ts,
                              partition->max_ts, walk->at};
    const struct fl_index *index = &walk->table->index;
    return (struct place){&index->keys, index->first_ts, index->min_ts, index->max_ts,
                          walk->partition};
}

/* May there be rows within the time bounds? */
static bool overlaps_ts(const struct fl_walk *walk) {
    struct place place = here(walk);
    return place.max_ts[place.at] >= walk->bounds.ts_low &&
           place.min_ts[place.at] <= walk->bounds.ts_high;
}

bool fl_walk_beyond_high(const struct fl_walk *walk) {
    const struct fl_bounds *bounds = &walk->bounds;
    if (bounds->key_high_kind == FL_BOUND_NONE)
        return false;
    struct place place = here(walk);
    int order = fl_heads_compare(place.keys, place.at, bounds->key_high);
    if (order != 0)
        return order > 0;
    return bounds->key_high_kind == FL_BOUND_EXCLUSIVE ||
           place.first_ts[place.at] > bounds->ts_high;
}

/* Is all that lies before it beyond the lower bound? */
static bool begins_at_low(const struct fl_walk *walk) {
    const struct fl_bounds *bounds = &walk->bounds;
    if (bounds->key_low.size == 0)
        return false;
    struct place place = here(walk);
    int order = fl_heads_compare(place.keys, place.at, bounds->key_low);
    return order < 0 || (order == 0 && place.first_ts[place.at] <= bounds->ts_low);
}

/* Goes to a partition, which is read only if there is something in time in it. */
static flowdb_status enter_partition(struct fl_walk *walk, uint32_t partition) {
    if (walk->use.partition != NULL && walk->partition == partition)
        return FLOWDB_OK;
    fl_partition_use_end(&walk->use);
    walk->partition = partition;
    if (!overlaps_ts(walk))
        return FLOWDB_OK;
    return fl_table_use_partition(walk->table, partition, walk->read.fill_cache, &walk->use);
}

/* ---------------------------------------------------------------------------------- one block -- */

/* Which keys of the block are within the bounds. Most blocks are so as a whole. */
static void clip_keys(struct fl_walk *walk) {
    const struct fl_bounds *bounds = &walk->bounds;
    const struct fl_block *block = walk->block;
    walk->key_begin = 0;
    walk->key_end = block->keys;
    if (fl_bounds_below(bounds, fl_block_key(block, 0)))
        walk->key_begin = fl_block_find_key(block, bounds->key_low);
    if (!fl_bounds_above(bounds, fl_block_key(block, block->keys - 1)))
        return;
    uint32_t end = fl_block_find_key(block, bounds->key_high);
    if (end < block->keys && !fl_bounds_above(bounds, fl_block_key(block, end)))
        end++;
    walk->key_end = end;
}

static bool by_run(const struct fl_block *block) {
    return block->ts.by_run || block->seq.by_run || block->expire.by_run ||
           (block->numbers != NULL && block->numbers->by_run);
}

void fl_walk_drop_block(struct fl_walk *walk) {
    fl_block_unref(walk->block);
    walk->block = NULL;
    walk->text_count = 0;
}

/* Enters the block of walk->at, which is not loaded. */
static flowdb_status load_block(struct fl_walk *walk) {
    const struct fl_partition *partition = walk->use.partition;
    const struct fl_bounds *bounds = &walk->bounds;
    uint32_t at = walk->at;
    flowdb_status status =
        fl_table_load_block(walk->table, partition, at, &walk->read, &walk->window, &walk->block);
    if (status == FLOWDB_OK && walk->block->numbers != NULL)
        status = fl_walk_prepare_texts(walk);
    if (status != FLOWDB_OK) {
        fl_walk_drop_block(walk);
        return status;
    }
    walk->all_ts =
        partition->min_ts[at] >= bounds->ts_low && partition->max_ts[at] <= bounds->ts_high;
    walk->lone = walk->all_ts && !by_run(walk->block) && walk->block->rows == walk->block->keys;
    walk->ts = fl_slope_of(&walk->block->ts);
    walk->seq = fl_slope_of(&walk->block->seq);
    walk->expire = fl_slope_of(&walk->block->expire);
    const struct fl_block *block = walk->block;
    walk->steady = block->deletes == NULL && block->ts.array == NULL && block->seq.array == NULL &&
                   block->expire.array == NULL;
    clip_keys(walk);
    return FLOWDB_OK;
}

/* ---------------------------------------------------------------------------- block to block -- */

flowdb_status fl_walk_end(struct fl_walk *walk, flowdb_status status) {
    walk->base.valid = false;
    fl_buffer_deinit(&walk->window.bytes);
    return status;
}

/* Reading goes further ahead while one block follows on the other. */
static void read_ahead(struct fl_window *window, bool follows) {
    window->ahead = follows ? FL_MIN(FL_MAX(window->ahead * 2, AHEAD_MIN), AHEAD_MAX) : 0;
}

/* Moves to the next block that may have rows within the bounds; false where there is none. */
static flowdb_status step_forward(struct fl_walk *walk, bool *there) {
    bool follows = true;
    *there = false;
    do {
        flowdb_status status = FLOWDB_OK;
        if (walk->use.partition != NULL && walk->at + 1 < walk->use.partition->keys.count) {
            walk->at++;
        } else if (walk->partition + 1 < walk->table->index.count) {
            status = enter_partition(walk, walk->partition + 1);
            walk->at = 0;
        } else {
            return FLOWDB_OK;
        }
        if (status != FLOWDB_OK)
            return status;
        if (fl_walk_beyond_high(walk))
            return FLOWDB_OK;
        *there = walk->use.partition != NULL && overlaps_ts(walk);
        follows = follows && *there;
    } while (!*there);
    read_ahead(&walk->window, follows);
    return FLOWDB_OK;
}

/* The same backwards. */
static flowdb_status step_back(struct fl_walk *walk, bool *there) {
    *there = false;
    do {
        flowdb_status status = FLOWDB_OK;
        if (begins_at_low(walk))
            return FLOWDB_OK;
        if (walk->use.partition != NULL && walk->at > 0) {
            walk->at--;
        } else if (walk->partition > 0) {
            status = enter_partition(walk, walk->partition - 1);
            if (walk->use.partition != NULL)
                walk->at = walk->use.partition->keys.count - 1;
        } else {
            return FLOWDB_OK;
        }
        if (status != FLOWDB_OK)
            return status;
        *there = walk->use.partition != NULL && overlaps_ts(walk);
    } while (!*there);
    return FLOWDB_OK;
}

flowdb_status fl_walk_next_block(struct fl_walk *walk) {
    for (;;) {
        bool there;
        fl_walk_drop_block(walk);
        flowdb_status status = step_forward(walk, &there);
        if (status == FLOWDB_OK && there)
            status = load_block(walk);
        if (status != FLOWDB_OK || !there)
            return fl_walk_end(walk, status);
        if (fl_walk_first_from(walk, walk->key_begin))
            return FLOWDB_OK;
    }
}

flowdb_status fl_walk_previous_block(struct fl_walk *walk) {
    for (;;) {
        bool there;
        fl_walk_drop_block(walk);
        flowdb_status status = step_back(walk, &there);
        if (status == FLOWDB_OK && there)
            status = load_block(walk);
        if (status != FLOWDB_OK || !there)
            return fl_walk_end(walk, status);
        if (fl_walk_last_below(walk, walk->key_end))
            return FLOWDB_OK;
    }
}

flowdb_status fl_walk_seek_block(struct fl_walk *walk, uint32_t partition, flowdb_slice key,
                                 int64_t ts) {
    if (walk->block != NULL && walk->partition != partition)
        fl_walk_drop_block(walk);
    flowdb_status status = enter_partition(walk, partition);
    if (status != FLOWDB_OK || walk->use.partition == NULL)
        return status;
    uint32_t at = fl_partition_find(walk->use.partition, key, ts);
    if (walk->block != NULL && walk->at == at)
        return FLOWDB_OK;
    fl_walk_drop_block(walk);
    walk->text_batch = TEXTS_MIN;
    walk->at = at;
    walk->window.ahead = 0;
    return overlaps_ts(walk) && !fl_walk_beyond_high(walk) ? load_block(walk) : FLOWDB_OK;
}
