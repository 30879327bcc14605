/*
 * The walk of a scan over a table: where it is, and its steps inside one decoded block.
 *
 * What is the same for a whole block or a whole run of one key is worked out when the block or the
 * run is entered; a step inside a run is an index that moves. Inside a block only keys within the
 * key bounds are entered, and of their runs only the rows within the time bounds. The steps are
 * inline: a scan takes one for each of its rows.
 */
#ifndef FL_TABLE_WALK_H
#define FL_TABLE_WALK_H

#include "table/reader.h"

/* A ramp as it is inside the current run. */
struct fl_slope {
    const uint64_t *array;
    uint64_t base, step;
};

/* Keys and values of rows that were taken at once. */
struct fl_taken {
    flowdb_slice keys[FL_DECIMAL_TEXTS], values[FL_DECIMAL_TEXTS];
};

struct fl_walk {
    struct fl_source base;
    struct fl_table *table;
    struct fl_bounds bounds;
    struct fl_table_read read;
    struct fl_window window;
    uint32_t partition;          /* where the walk is */
    struct fl_partition_use use; /* it; none where it is passed over: nothing in it is in time */
    uint32_t at;                 /* block of the partition */
    struct fl_block *block;      /* that, or NULL */
    bool all_ts;                 /* every row of the block is within the time bounds */
    bool lone;                   /* and each is the only one of its key, and no ramp goes by runs */
    bool steady;                 /* no row is a delete, and every ramp has a rule */
    uint32_t key_begin, key_end; /* keys of the block within the bounds */
    uint32_t key;
    uint32_t row, row_begin, row_end; /* rows of the key within the bounds */
    struct fl_slope ts, seq, expire, numbers;
    /* Where the block has numbers: the values of `text_count` rows from `text_row` on. */
    struct fl_decimal_texts *texts; /* NULL: no such block was met yet */
    uint32_t text_row, text_count;
    uint32_t text_batch;    /* how many to write, or to take, next: more while the walk goes on */
    struct fl_taken *taken; /* NULL: none were taken yet */
};

/* ---- walk.c: from block to block */

/* Shows the first row behind the block of walk->at, or the last before it. */
flowdb_status fl_walk_next_block(struct fl_walk *walk);
flowdb_status fl_walk_previous_block(struct fl_walk *walk);
/* Enters the block that may hold (key, ts), keeping the one that is there if it is the same.
   walk->block is NULL afterwards where it has nothing within the bounds and was not read. */
flowdb_status fl_walk_seek_block(struct fl_walk *walk, uint32_t partition, flowdb_slice key,
                                 int64_t ts);
void fl_walk_drop_block(struct fl_walk *walk);
/* Is all of the block of walk->at, or the partition if none is in use, beyond the upper bound? */
bool fl_walk_beyond_high(const struct fl_walk *walk);
/* Gives back what was read ahead: a merge of many tables side by side has few under way at a time.
   Returns the status. */
flowdb_status fl_walk_end(struct fl_walk *walk, flowdb_status status);

/* ---- walk_texts.c: values that are numbers */

/* Gets ready to write the values of a block of numbers. */
flowdb_status fl_walk_prepare_texts(struct fl_walk *walk);
/* Writes the values of the row and of some that come next: a tight loop over many costs half of what
   one at a time does. */
void fl_walk_write_texts(struct fl_walk *walk, uint32_t row);

/* ---- rows of the block */

static inline struct fl_slope fl_slope_of(const struct fl_ramp *ramp) {
    return (struct fl_slope){.array = ramp->array, .base = ramp->base, .step = ramp->step};
}

static inline uint64_t fl_slope_at(const struct fl_slope *slope, uint32_t row) {
    return slope->array != NULL ? slope->array[row] : slope->base + row * slope->step;
}

/* The value where the block has numbers. */
static inline flowdb_slice fl_walk_text(struct fl_walk *walk, uint32_t row, enum fl_op op) {
    if (op == FL_OP_DELETE)
        return flowdb_bytes(walk->texts->bytes, 0);
    if (row - walk->text_row >= walk->text_count)
        fl_walk_write_texts(walk, row);
    return walk->texts->values[row - walk->text_row];
}

static inline flowdb_slice fl_walk_value(struct fl_walk *walk, uint32_t row, enum fl_op op) {
    return walk->block->numbers != NULL ? fl_walk_text(walk, row, op)
                                        : fl_block_bytes(walk->block, row);
}

static inline void fl_walk_show(struct fl_walk *walk, uint32_t row) {
    struct fl_row *out = &walk->base.row;
    walk->row = row;
    out->ts = (int64_t)fl_slope_at(&walk->ts, row);
    out->seq = fl_slope_at(&walk->seq, row);
    out->expire_at = (int64_t)fl_slope_at(&walk->expire, row);
    out->op = fl_block_op(walk->block, row);
    fl_slice_store(&out->value, fl_walk_value(walk, row, out->op));
}

/* From one row to the next of its run in a steady block: nothing needs to be looked up. */
static inline void fl_walk_step(struct fl_walk *walk, uint32_t row) {
    struct fl_row *out = &walk->base.row;
    walk->row = row;
    out->ts = (int64_t)((uint64_t)out->ts + walk->ts.step);
    out->seq += walk->seq.step;
    out->expire_at = (int64_t)((uint64_t)out->expire_at + walk->expire.step);
    fl_slice_store(&out->value, fl_walk_value(walk, row, FL_OP_PUT));
}

static inline void fl_slope_enter(const struct fl_ramp *ramp, uint32_t key, uint32_t run,
                                  struct fl_slope *slope) {
    if (ramp->by_run && ramp->array == NULL)
        slope->base = fl_ramp_run_base(ramp, key, run);
}

static inline void fl_walk_clip_run(struct fl_walk *walk) {
    const struct fl_bounds *bounds = &walk->bounds;
    walk->row_begin = fl_block_find_ts(walk->block, walk->key, bounds->ts_low);
    if (bounds->ts_high < INT64_MAX)
        walk->row_end = fl_block_find_ts(walk->block, walk->key, bounds->ts_high + 1);
}

static inline void fl_walk_enter_key(struct fl_walk *walk, uint32_t key) {
    const struct fl_block *block = walk->block;
    uint32_t run = fl_block_run(block, key);
    walk->key = key;
    walk->row_begin = run;
    walk->row_end = fl_block_run(block, key + 1);
    walk->base.row.key = fl_block_key(block, key);
    fl_slope_enter(&block->ts, key, run, &walk->ts);
    fl_slope_enter(&block->seq, key, run, &walk->seq);
    fl_slope_enter(&block->expire, key, run, &walk->expire);
    if (block->numbers != NULL)
        fl_slope_enter(block->numbers, key, run, &walk->numbers);
    if (!walk->all_ts)
        fl_walk_clip_run(walk);
}

/* In a block of one row for each key, all within the time bounds: the row of the key. */
static inline void fl_walk_show_lone(struct fl_walk *walk, uint32_t key) {
    walk->key = key;
    walk->row_begin = key;
    walk->row_end = key + 1;
    fl_slice_store(&walk->base.row.key, fl_block_key(walk->block, key));
    fl_walk_show(walk, key);
}

/* The first row from `key` on; false where the block has none left. */
static inline bool fl_walk_first_from(struct fl_walk *walk, uint32_t key) {
    for (; key < walk->key_end; key++) {
        fl_walk_enter_key(walk, key);
        if (walk->row_begin < walk->row_end) {
            fl_walk_show(walk, walk->row_begin);
            return true;
        }
    }
    return false;
}

/* The last row below `key`; false where the block has none left. */
static inline bool fl_walk_last_below(struct fl_walk *walk, uint32_t key) {
    while (key > walk->key_begin) {
        fl_walk_enter_key(walk, --key);
        if (walk->row_begin < walk->row_end) {
            fl_walk_show(walk, walk->row_end - 1);
            return true;
        }
    }
    return false;
}

#endif
