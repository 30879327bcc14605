/* A table as a sorted source: the operations of struct fl_source on a walk (walk.h). */
#include "table/walk.h"

#define PREFETCH 4096 /* bytes from a value to one that will be wanted soon */

static struct fl_walk *walk_of(struct fl_source *base) {
    return (struct fl_walk *)(void *)base;
}

/* ---------------------------------------------------------------------------------------- next -- */

/* Shows the first row of a later key. */
static __attribute__((noinline)) flowdb_status forward_key(struct fl_walk *walk) {
    return fl_walk_first_from(walk, walk->key + 1) ? FLOWDB_OK : fl_walk_next_block(walk);
}

/* Values of blocks that are in memory but in no cache come too late otherwise. */
static inline void prefetch_value(const struct fl_walk *walk) {
    __builtin_prefetch((const char *)walk->base.row.value.data + PREFETCH);
}

static flowdb_status forward_next(struct fl_source *base) {
    struct fl_walk *walk = walk_of(base);
    uint32_t row = walk->row + 1;
    if (row < walk->row_end) {
        if (walk->steady)
            fl_walk_step(walk, row);
        else
            fl_walk_show(walk, row);
        prefetch_value(walk);
        return FLOWDB_OK;
    }
    if (walk->lone && walk->key + 1 < walk->key_end) {
        fl_walk_show_lone(walk, walk->key + 1);
        prefetch_value(walk);
        return FLOWDB_OK;
    }
    return forward_key(walk);
}

/* Where the keys and values of rows are put that are taken at once. */
static bool prepare_taking(struct fl_walk *walk) {
    if (walk->taken == NULL)
        walk->taken = fl_allocate(walk->table->env->alloc, sizeof *walk->taken);
    return walk->taken != NULL;
}

/* Values of `count` rows behind the current one, which lie in the block. */
static void take_values(struct fl_walk *walk, size_t count) {
    struct fl_row *out = &walk->base.row;
    for (uint32_t i = 0; i < count; i++) {
        fl_slice_store(&walk->taken->values[i], fl_block_bytes(walk->block, walk->row + 1 + i));
        __builtin_prefetch((const char *)walk->taken->values[i].data + PREFETCH);
    }
    out->value = walk->taken->values[count - 1];
}

/* Moves to the key of the `count`th row from here, in a block of one row for each. */
static void take_keys(struct fl_walk *walk, size_t count) {
    for (uint32_t i = 0; i < count; i++)
        fl_slice_store(&walk->taken->keys[i], fl_block_key(walk->block, walk->key + 1 + i));
    walk->base.row.key = walk->taken->keys[count - 1];
    walk->key += (uint32_t)count;
    walk->row_begin = walk->key;
    walk->row_end = walk->key + 1;
}

/* How many rows behind the current one are of its run, or of other keys but all alike. */
static size_t alike(const struct fl_walk *walk, bool *of_run) {
    if (!walk->steady || walk->expire.step != 0)
        return 0;
    *of_run = walk->row + 1 < walk->row_end;
    if (*of_run)
        return walk->row_end - walk->row - 1;
    return walk->lone ? walk->key_end - walk->key - 1 : 0;
}

/* Takes what is alike, as far as its values are written or as there is room. */
static size_t forward_take(struct fl_source *base, size_t most, struct fl_stretch *stretch) {
    struct fl_walk *walk = walk_of(base);
    bool of_run, numbers = walk->block->numbers != NULL;
    uint32_t row = walk->row, text = row + 1 - walk->text_row;
    size_t count = FL_MIN(alike(walk, &of_run), most);
    count = FL_MIN(count, numbers ? walk->text_count - text : walk->text_batch);
    if (count == 0 || (!(numbers && of_run) && !prepare_taking(walk)))
        return 0;
    stretch->keys = of_run ? NULL : walk->taken->keys;
    stretch->values = numbers ? walk->texts->values + text : walk->taken->values;
    stretch->step = (int64_t)walk->ts.step;
    if (numbers)
        fl_slice_store(&base->row.value, stretch->values[count - 1]);
    else
        take_values(walk, count);
    if (!of_run)
        take_keys(walk, count);
    walk->row = row + (uint32_t)count;
    base->row.ts = (int64_t)((uint64_t)base->row.ts + count * walk->ts.step);
    base->row.seq += count * walk->seq.step;
    if (!numbers)
        walk->text_batch = FL_MIN(walk->text_batch * 2, FL_DECIMAL_TEXTS);
    return count;
}

static __attribute__((noinline)) flowdb_status reverse_key(struct fl_walk *walk) {
    return fl_walk_last_below(walk, walk->key) ? FLOWDB_OK : fl_walk_previous_block(walk);
}

static flowdb_status reverse_next(struct fl_source *base) {
    struct fl_walk *walk = walk_of(base);
    if (walk->row > walk->row_begin) {
        fl_walk_show(walk, walk->row - 1);
        return FLOWDB_OK;
    }
    if (walk->lone && walk->key > walk->key_begin) {
        fl_walk_show_lone(walk, walk->key - 1);
        return FLOWDB_OK;
    }
    return reverse_key(walk);
}

/* ---------------------------------------------------------------------------------------- runs -- */

/* The first row of the block at or, with `above`, after (key, ts). */
static uint32_t row_from(const struct fl_block *block, flowdb_slice key, int64_t ts, bool above) {
    uint32_t place = fl_block_find_key(block, key);
    if (place == block->keys || !fl_slice_equal(fl_block_key(block, place), key))
        return fl_block_run(block, place);
    if (above && ts == INT64_MAX)
        return fl_block_run(block, place + 1);
    return fl_block_find_ts(block, place, above ? ts + 1 : ts);
}

/* Rows outside the time bounds are passed over: where there are any, no run leaves its key. */
static size_t forward_run(const struct fl_source *base, flowdb_slice key, int64_t ts) {
    const struct fl_walk *walk = (const struct fl_walk *)(const void *)base;
    const struct fl_block *block = walk->block;
    uint32_t limit = walk->all_ts ? fl_block_run(block, walk->key_end) : walk->row_end;
    if (fl_slice_compare(fl_block_key(block, walk->key_end - 1), key) >= 0)
        limit = FL_MIN(limit, row_from(block, key, ts, false));
    return limit > walk->row ? limit - walk->row - 1 : 0;
}

static size_t reverse_run(const struct fl_source *base, flowdb_slice key, int64_t ts) {
    const struct fl_walk *walk = (const struct fl_walk *)(const void *)base;
    const struct fl_block *block = walk->block;
    uint32_t limit = walk->all_ts ? fl_block_run(block, walk->key_begin) : walk->row_begin;
    if (fl_slice_compare(fl_block_key(block, walk->key_begin), key) <= 0)
        limit = FL_MAX(limit, row_from(block, key, ts, true));
    return walk->row > limit ? walk->row - limit : 0;
}

/* ---------------------------------------------------------------------------------------- seek -- */

/* In the entered block: the first row at or after (key, ts). */
static bool seek_forward_in_block(struct fl_walk *walk, flowdb_slice key, int64_t ts) {
    const struct fl_block *block = walk->block;
    uint32_t place = fl_block_find_key(block, key);
    if (place < walk->key_begin)
        return fl_walk_first_from(walk, walk->key_begin);
    if (place >= walk->key_end || !fl_slice_equal(fl_block_key(block, place), key))
        return fl_walk_first_from(walk, place);
    fl_walk_enter_key(walk, place);
    uint32_t row = FL_MAX(walk->row_begin, fl_block_find_ts(block, place, ts));
    if (row >= walk->row_end)
        return fl_walk_first_from(walk, place + 1);
    fl_walk_show(walk, row);
    return true;
}

/* In the entered block: the last row at or before (key, ts). */
static bool seek_reverse_in_block(struct fl_walk *walk, flowdb_slice key, int64_t ts) {
    const struct fl_block *block = walk->block;
    uint32_t place = fl_block_find_key(block, key);
    if (place >= walk->key_end)
        return fl_walk_last_below(walk, walk->key_end);
    if (place < walk->key_begin || !fl_slice_equal(fl_block_key(block, place), key))
        return fl_walk_last_below(walk, place);
    fl_walk_enter_key(walk, place);
    uint32_t end = walk->row_end;
    if (ts < INT64_MAX)
        end = FL_MIN(end, fl_block_find_ts(block, place, ts + 1));
    if (end <= walk->row_begin)
        return fl_walk_last_below(walk, place);
    fl_walk_show(walk, end - 1);
    return true;
}

static flowdb_status forward_seek(struct fl_source *base, flowdb_slice key, int64_t ts) {
    struct fl_walk *walk = walk_of(base);
    const struct fl_bounds *bounds = &walk->bounds;
    uint32_t partition = 0;
    base->valid = false;
    if (walk->table->index.count == 0 || bounds->ts_low > bounds->ts_high ||
        fl_bounds_above(bounds, key))
        return FLOWDB_OK;
    if (key.size == 0 || fl_bounds_below(bounds, key)) {
        key = bounds->key_low;
        ts = INT64_MIN;
    }
    ts = FL_MAX(ts, bounds->ts_low);
    fl_index_find(&walk->table->index, key, ts, &partition);
    flowdb_status status = fl_walk_seek_block(walk, partition, key, ts);
    if (status != FLOWDB_OK)
        return fl_walk_end(walk, status);
    base->valid = true;
    if (walk->block != NULL && seek_forward_in_block(walk, key, ts))
        return FLOWDB_OK;
    return fl_walk_beyond_high(walk) ? fl_walk_end(walk, FLOWDB_OK) : fl_walk_next_block(walk);
}

static flowdb_status reverse_seek(struct fl_source *base, flowdb_slice key, int64_t ts) {
    struct fl_walk *walk = walk_of(base);
    const struct fl_index *index = &walk->table->index;
    const struct fl_bounds *bounds = &walk->bounds;
    base->valid = false;
    if (index->count == 0 || bounds->ts_low > bounds->ts_high ||
        (key.size > 0 && fl_bounds_below(bounds, key)))
        return FLOWDB_OK;
    if (key.size == 0 || fl_bounds_above(bounds, key)) {
        key = bounds->key_high_kind != FL_BOUND_NONE ? bounds->key_high : walk->table->max_key;
        ts = INT64_MAX;
    }
    ts = FL_MIN(ts, bounds->ts_high);
    uint32_t partition;
    if (!fl_index_find(index, key, ts, &partition))
        return FLOWDB_OK;
    flowdb_status status = fl_walk_seek_block(walk, partition, key, ts);
    if (status != FLOWDB_OK)
        return fl_walk_end(walk, status);
    base->valid = true;
    if (walk->block != NULL && seek_reverse_in_block(walk, key, ts))
        return FLOWDB_OK;
    return fl_walk_previous_block(walk);
}

/* ------------------------------------------------------------------------------- whole blocks -- */

bool fl_table_source_block(const struct fl_source *base, struct fl_table_block *block) {
    const struct fl_walk *walk = (const struct fl_walk *)(const void *)base;
    if (!base->valid || walk->row != 0 || walk->bounds.reverse || !walk->all_ts ||
        walk->key_begin != 0 || walk->key_end != walk->block->keys)
        return false;
    const struct fl_block *whole = walk->block;
    const struct fl_partition *partition = walk->use.partition;
    uint32_t at = walk->at, last = whole->keys - 1;
    *block = (struct fl_table_block){
        .first_key = fl_block_key(whole, 0),
        .last_key = fl_block_key(whole, last),
        .last_ts =
            (int64_t)fl_ramp_at(&whole->ts, last, fl_block_run(whole, last), whole->rows - 1),
        .min_ts = partition->min_ts[at],
        .max_ts = partition->max_ts[at],
        .min_expire_at =
            partition->min_expire_at != NULL ? partition->min_expire_at[at] : FLOWDB_NEVER,
        .min_seq = walk->table->properties.min_seq,
        .deletes = whole->deletes != NULL};
    return true;
}

flowdb_status fl_table_source_copy(struct fl_source *base, struct fl_block_copy *copy) {
    struct fl_walk *walk = walk_of(base);
    const struct fl_partition *partition = walk->use.partition;
    uint32_t at = walk->at;
    bool never = partition->min_expire_at == NULL;
    copy->block = walk->block;
    copy->unpacker = &walk->table->unpacker;
    copy->summary = (struct fl_block_summary){
        .rows = partition->rows[at],
        .first_ts = partition->first_ts[at],
        .min_ts = partition->min_ts[at],
        .max_ts = partition->max_ts[at],
        .min_expire_at = never ? FLOWDB_NEVER : partition->min_expire_at[at],
        .max_expire_at = never ? FLOWDB_NEVER : partition->max_expire_at[at]};
    return fl_table_block_frame(walk->table, partition, at, &walk->window, &copy->bytes,
                                &copy->frame);
}

flowdb_status fl_table_source_skip(struct fl_source *base) {
    return fl_walk_next_block(walk_of(base));
}

/* ----------------------------------------------------------------------------------- lifetime -- */

static void source_close(struct fl_source *base) {
    struct fl_walk *walk = walk_of(base);
    struct fl_table *table = walk->table;
    fl_walk_drop_block(walk);
    fl_partition_use_end(&walk->use);
    fl_buffer_deinit(&walk->window.bytes);
    fl_release(table->env->alloc, walk->texts);
    fl_release(table->env->alloc, walk->taken);
    fl_release(table->env->alloc, walk);
    fl_table_unref(table);
}

flowdb_status fl_table_source(struct fl_table *table, const struct fl_bounds *bounds,
                              const struct fl_table_read *read, struct fl_source **source) {
    static const struct fl_source_ops forward = {.seek = forward_seek,
                                                 .next = forward_next,
                                                 .run = forward_run,
                                                 .take = forward_take,
                                                 .close = source_close};
    static const struct fl_source_ops reverse = {
        .seek = reverse_seek, .next = reverse_next, .run = reverse_run, .close = source_close};
    const struct fl_alloc *alloc = table->env->alloc;
    struct fl_walk *made = fl_allocate_zeroed(alloc, 1, sizeof *made);
    if (made == NULL)
        return fl_fail_memory("a scan of a table", sizeof *made);
    made->base.ops = bounds->reverse ? &reverse : &forward;
    made->table = table;
    made->bounds = *bounds;
    made->read = *read;
    fl_buffer_init(&made->window.bytes, alloc);
    fl_table_ref(table);
    *source = &made->base;
    return FLOWDB_OK;
}
