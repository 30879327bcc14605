/*
 * A table as a sorted source: a walk over the arrays of one decoded block after another.
 *
 * What is the same for a whole block or a whole run of one key is worked out when the block or the
 * run is entered; a step inside a run is an index that moves. Inside a block only keys within the
 * key bounds are entered, and of their runs only the rows within the time bounds.
 */
#include "table/reader.h"

/* Bytes to read ahead at first, and at most, by a scan that goes on. */
#define AHEAD_MIN ((size_t)16 << 10)
#define AHEAD_MAX ((size_t)256 << 10)
#define CACHE_LINE 64
#define PREFETCH 4096 /* bytes from a value to one that will be wanted soon */
#define TEXTS_MIN 8   /* values that are written at first, where they are numbers */

/* A ramp as it is inside the current run. */
struct slope {
    const uint64_t *array;
    uint64_t base, step;
};

/* Keys and values of rows that were taken at once. */
struct taken {
    flowdb_slice keys[FL_DECIMAL_TEXTS], values[FL_DECIMAL_TEXTS];
};

struct table_source {
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
    struct slope ts, seq, expire, numbers;
    /* Where the block has numbers: the values of `text_count` rows from `text_row` on. */
    struct fl_decimal_texts *texts; /* NULL: no such block was met yet */
    uint32_t text_row, text_count;
    uint32_t text_batch; /* how many to write, or to take, next: more while the walk goes on */
    struct taken *taken; /* NULL: none were taken yet */
};

static struct table_source *source_of(struct fl_source *base) {
    return (struct table_source *)(void *)base;
}

/* ---------------------------------------------------------------------------- rows of a block -- */

static inline uint64_t slope_at(const struct slope *slope, uint32_t row) {
    return slope->array != NULL ? slope->array[row] : slope->base + row * slope->step;
}

/* The rows that the walk comes to from here in this block, or some of them: up to where the rule for
   the numbers changes. */
static void walk_limits(const struct table_source *source, uint32_t *begin, uint32_t *end) {
    const struct fl_block *block = source->block;
    bool ruled = block->numbers->array == NULL && block->numbers->by_run;
    bool by_key = ruled || !source->all_ts;
    *begin = by_key ? source->row_begin : fl_block_run(block, source->key_begin);
    *end = by_key ? source->row_end : fl_block_run(block, source->key_end);
}

/* Those that will be written next: a cache of many series holds more numbers than the machine's does,
   and a scan of a few hundred is over before the machine has seen where it goes. */
static inline void prefetch_numbers(const uint64_t *numbers, uint32_t count) {
    for (uint32_t i = 0; i < count; i += CACHE_LINE / sizeof *numbers)
        __builtin_prefetch(numbers + i);
}

/* Writes the values of the row and of some that come next: a tight loop over many costs half of what
   one at a time does. */
static __attribute__((noinline)) void write_texts(struct table_source *source, uint32_t row) {
    uint64_t ruled[FL_DECIMAL_TEXTS];
    uint32_t begin, end, batch = source->text_batch;
    walk_limits(source, &begin, &end);
    if (source->bounds.reverse)
        begin = row - FL_MIN(row - begin, batch - 1);
    else
        begin = row;
    uint32_t count = source->bounds.reverse ? row + 1 - begin : FL_MIN(end - row, batch);
    const uint64_t *numbers = source->numbers.array;
    if (numbers != NULL) {
        numbers += begin;
        if (!source->bounds.reverse)
            prefetch_numbers(numbers + count, FL_MIN(end - row - count, batch * 2));
    } else {
        for (uint32_t i = 0; i < count; i++)
            ruled[i] = slope_at(&source->numbers, begin + i);
        numbers = ruled;
    }
    fl_block_texts(source->block, begin, numbers, count, source->texts);
    source->text_row = begin;
    source->text_count = count;
    source->text_batch = FL_MIN(batch * 2, FL_DECIMAL_TEXTS);
}

/* The value where the block has numbers. */
static inline flowdb_slice text_at(struct table_source *source, uint32_t row, enum fl_op op) {
    if (op == FL_OP_DELETE)
        return flowdb_bytes(source->texts->bytes, 0);
    if (row - source->text_row >= source->text_count)
        write_texts(source, row);
    return source->texts->values[row - source->text_row];
}

static inline flowdb_slice value_at(struct table_source *source, uint32_t row, enum fl_op op) {
    return source->block->numbers != NULL ? text_at(source, row, op)
                                          : fl_block_bytes(source->block, row);
}

static inline void show_row(struct table_source *source, uint32_t row) {
    struct fl_row *out = &source->base.row;
    source->row = row;
    out->ts = (int64_t)slope_at(&source->ts, row);
    out->seq = slope_at(&source->seq, row);
    out->expire_at = (int64_t)slope_at(&source->expire, row);
    out->op = fl_block_op(source->block, row);
    fl_slice_store(&out->value, value_at(source, row, out->op));
}

/* From one row to the next of its run in a steady block: nothing needs to be looked up. */
static inline void step_row(struct table_source *source, uint32_t row) {
    struct fl_row *out = &source->base.row;
    source->row = row;
    out->ts = (int64_t)((uint64_t)out->ts + source->ts.step);
    out->seq += source->seq.step;
    out->expire_at = (int64_t)((uint64_t)out->expire_at + source->expire.step);
    fl_slice_store(&out->value, value_at(source, row, FL_OP_PUT));
}

static inline void enter_slope(const struct fl_ramp *ramp, uint32_t key, uint32_t run,
                               struct slope *slope) {
    if (ramp->by_run && ramp->array == NULL)
        slope->base = fl_ramp_run_base(ramp, key, run);
}

static void clip_run(struct table_source *source) {
    const struct fl_bounds *bounds = &source->bounds;
    source->row_begin = fl_block_find_ts(source->block, source->key, bounds->ts_low);
    if (bounds->ts_high < INT64_MAX)
        source->row_end = fl_block_find_ts(source->block, source->key, bounds->ts_high + 1);
}

static inline void enter_key(struct table_source *source, uint32_t key) {
    const struct fl_block *block = source->block;
    uint32_t run = fl_block_run(block, key);
    source->key = key;
    source->row_begin = run;
    source->row_end = fl_block_run(block, key + 1);
    source->base.row.key = fl_block_key(block, key);
    enter_slope(&block->ts, key, run, &source->ts);
    enter_slope(&block->seq, key, run, &source->seq);
    enter_slope(&block->expire, key, run, &source->expire);
    if (block->numbers != NULL)
        enter_slope(block->numbers, key, run, &source->numbers);
    if (!source->all_ts)
        clip_run(source);
}

/* In a block of one row for each key, all within the time bounds: the row of the key. */
static inline void show_lone_row(struct table_source *source, uint32_t key) {
    source->key = key;
    source->row_begin = key;
    source->row_end = key + 1;
    fl_slice_store(&source->base.row.key, fl_block_key(source->block, key));
    show_row(source, key);
}

/* The first row from `key` on; false where the block has none left. */
static inline bool first_from(struct table_source *source, uint32_t key) {
    for (; key < source->key_end; key++) {
        enter_key(source, key);
        if (source->row_begin < source->row_end) {
            show_row(source, source->row_begin);
            return true;
        }
    }
    return false;
}

/* The last row below `key`; false where the block has none left. */
static inline bool last_below(struct table_source *source, uint32_t key) {
    while (key > source->key_begin) {
        enter_key(source, --key);
        if (source->row_begin < source->row_end) {
            show_row(source, source->row_end - 1);
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------------------------- blocks -- */

static struct slope slope_of(const struct fl_ramp *ramp) {
    return (struct slope){.array = ramp->array, .base = ramp->base, .step = ramp->step};
}

/* Which keys of the block are within the bounds. Most blocks are so as a whole. */
static void clip_keys(struct table_source *source) {
    const struct fl_bounds *bounds = &source->bounds;
    const struct fl_block *block = source->block;
    source->key_begin = 0;
    source->key_end = block->keys;
    if (fl_bounds_below(bounds, fl_block_key(block, 0)))
        source->key_begin = fl_block_find_key(block, bounds->key_low);
    if (!fl_bounds_above(bounds, fl_block_key(block, block->keys - 1)))
        return;
    uint32_t end = fl_block_find_key(block, bounds->key_high);
    if (end < block->keys && !fl_bounds_above(bounds, fl_block_key(block, end)))
        end++;
    source->key_end = end;
}

static bool by_run(const struct fl_block *block) {
    return block->ts.by_run || block->seq.by_run || block->expire.by_run ||
           (block->numbers != NULL && block->numbers->by_run);
}

static void drop_block(struct table_source *source) {
    fl_block_unref(source->block);
    source->block = NULL;
    source->text_count = 0;
}

/* Gets ready to write the values of a block of numbers. */
static flowdb_status prepare_texts(struct table_source *source) {
    source->numbers = slope_of(source->block->numbers);
    if (source->texts != NULL)
        return FLOWDB_OK;
    source->texts = fl_allocate(source->table->env->alloc, sizeof *source->texts);
    return source->texts != NULL ? FLOWDB_OK
                                 : fl_fail_memory("the values of a scan", sizeof *source->texts);
}

/* Enters the block of source->at, which is not loaded. */
static flowdb_status load_block(struct table_source *source) {
    const struct fl_partition *partition = source->use.partition;
    const struct fl_bounds *bounds = &source->bounds;
    uint32_t at = source->at;
    flowdb_status status = fl_table_load_block(source->table, partition, at, &source->read,
                                               &source->window, &source->block);
    if (status == FLOWDB_OK && source->block->numbers != NULL)
        status = prepare_texts(source);
    if (status != FLOWDB_OK) {
        drop_block(source);
        return status;
    }
    source->all_ts =
        partition->min_ts[at] >= bounds->ts_low && partition->max_ts[at] <= bounds->ts_high;
    source->lone =
        source->all_ts && !by_run(source->block) && source->block->rows == source->block->keys;
    source->ts = slope_of(&source->block->ts);
    source->seq = slope_of(&source->block->seq);
    source->expire = slope_of(&source->block->expire);
    const struct fl_block *block = source->block;
    source->steady = block->deletes == NULL && block->ts.array == NULL &&
                     block->seq.array == NULL && block->expire.array == NULL;
    clip_keys(source);
    return FLOWDB_OK;
}

/* -------------------------------------------------------------------------- index and bounds -- */

/* A block of a partition, or a partition of the root. */
struct place {
    const struct fl_heads *keys;
    const int64_t *first_ts, *min_ts, *max_ts;
    uint32_t at;
};

static struct place here(const struct table_source *source) {
    const struct fl_partition *partition = source->use.partition;
    if (partition != NULL)
        return (struct place){&partition->keys, partition->first_ts, partition->min_ts,
                              partition->max_ts, source->at};
    const struct fl_index *index = &source->table->index;
    return (struct place){&index->keys, index->first_ts, index->min_ts, index->max_ts,
                          source->partition};
}

/* May there be rows within the time bounds? */
static bool overlaps_ts(const struct table_source *source) {
    struct place place = here(source);
    return place.max_ts[place.at] >= source->bounds.ts_low &&
           place.min_ts[place.at] <= source->bounds.ts_high;
}

/* Is all of it beyond the upper bound? */
static bool beyond_high(const struct table_source *source) {
    const struct fl_bounds *bounds = &source->bounds;
    if (bounds->key_high_kind == FL_BOUND_NONE)
        return false;
    struct place place = here(source);
    int order = fl_heads_compare(place.keys, place.at, bounds->key_high);
    if (order != 0)
        return order > 0;
    return bounds->key_high_kind == FL_BOUND_EXCLUSIVE ||
           place.first_ts[place.at] > bounds->ts_high;
}

/* Is all that lies before it beyond the lower bound? */
static bool begins_at_low(const struct table_source *source) {
    const struct fl_bounds *bounds = &source->bounds;
    if (bounds->key_low.size == 0)
        return false;
    struct place place = here(source);
    int order = fl_heads_compare(place.keys, place.at, bounds->key_low);
    return order < 0 || (order == 0 && place.first_ts[place.at] <= bounds->ts_low);
}

/* Goes to a partition, which is read only if there is something in time in it. */
static flowdb_status enter_partition(struct table_source *source, uint32_t partition) {
    if (source->use.partition != NULL && source->partition == partition)
        return FLOWDB_OK;
    fl_partition_use_end(&source->use);
    source->partition = partition;
    if (!overlaps_ts(source))
        return FLOWDB_OK;
    return fl_table_use_partition(source->table, partition, source->read.fill_cache, &source->use);
}

/* Gives back what was read ahead: a merge of many tables side by side has few under way at a time. */
static flowdb_status end_of(struct table_source *source, flowdb_status status) {
    source->base.valid = false;
    fl_buffer_deinit(&source->window.bytes);
    return status;
}

/* Reading goes further ahead while one block follows on the other. */
static void read_ahead(struct fl_window *window, bool follows) {
    window->ahead = follows ? FL_MIN(FL_MAX(window->ahead * 2, AHEAD_MIN), AHEAD_MAX) : 0;
}

/* Moves to the next block that may have rows within the bounds; false where there is none. */
static flowdb_status step_forward(struct table_source *source, bool *there) {
    bool follows = true;
    *there = false;
    do {
        flowdb_status status = FLOWDB_OK;
        if (source->use.partition != NULL && source->at + 1 < source->use.partition->keys.count) {
            source->at++;
        } else if (source->partition + 1 < source->table->index.count) {
            status = enter_partition(source, source->partition + 1);
            source->at = 0;
        } else {
            return FLOWDB_OK;
        }
        if (status != FLOWDB_OK)
            return status;
        if (beyond_high(source))
            return FLOWDB_OK;
        *there = source->use.partition != NULL && overlaps_ts(source);
        follows = follows && *there;
    } while (!*there);
    read_ahead(&source->window, follows);
    return FLOWDB_OK;
}

/* The same backwards. */
static flowdb_status step_back(struct table_source *source, bool *there) {
    *there = false;
    do {
        flowdb_status status = FLOWDB_OK;
        if (begins_at_low(source))
            return FLOWDB_OK;
        if (source->use.partition != NULL && source->at > 0) {
            source->at--;
        } else if (source->partition > 0) {
            status = enter_partition(source, source->partition - 1);
            if (source->use.partition != NULL)
                source->at = source->use.partition->keys.count - 1;
        } else {
            return FLOWDB_OK;
        }
        if (status != FLOWDB_OK)
            return status;
        *there = source->use.partition != NULL && overlaps_ts(source);
    } while (!*there);
    return FLOWDB_OK;
}

/* Shows the first row behind the block of source->at. */
static flowdb_status next_block(struct table_source *source) {
    for (;;) {
        bool there;
        drop_block(source);
        flowdb_status status = step_forward(source, &there);
        if (status == FLOWDB_OK && there)
            status = load_block(source);
        if (status != FLOWDB_OK || !there)
            return end_of(source, status);
        if (first_from(source, source->key_begin))
            return FLOWDB_OK;
    }
}

/* Shows the last row before the block of source->at. */
static flowdb_status previous_block(struct table_source *source) {
    for (;;) {
        bool there;
        drop_block(source);
        flowdb_status status = step_back(source, &there);
        if (status == FLOWDB_OK && there)
            status = load_block(source);
        if (status != FLOWDB_OK || !there)
            return end_of(source, status);
        if (last_below(source, source->key_end))
            return FLOWDB_OK;
    }
}

/* ---------------------------------------------------------------------------------------- next -- */

/* Shows the first row of a later key. */
static __attribute__((noinline)) flowdb_status forward_key(struct table_source *source) {
    return first_from(source, source->key + 1) ? FLOWDB_OK : next_block(source);
}

/* Values of blocks that are in memory but in no cache come too late otherwise. */
static inline void prefetch_value(const struct table_source *source) {
    __builtin_prefetch((const char *)source->base.row.value.data + PREFETCH);
}

static flowdb_status forward_next(struct fl_source *base) {
    struct table_source *source = source_of(base);
    uint32_t row = source->row + 1;
    if (row < source->row_end) {
        if (source->steady)
            step_row(source, row);
        else
            show_row(source, row);
        prefetch_value(source);
        return FLOWDB_OK;
    }
    if (source->lone && source->key + 1 < source->key_end) {
        show_lone_row(source, source->key + 1);
        prefetch_value(source);
        return FLOWDB_OK;
    }
    return forward_key(source);
}

/* Where the keys and values of rows are put that are taken at once. */
static bool prepare_taking(struct table_source *source) {
    if (source->taken == NULL)
        source->taken = fl_allocate(source->table->env->alloc, sizeof *source->taken);
    return source->taken != NULL;
}

/* Values of `count` rows behind the current one, which lie in the block. */
static void take_values(struct table_source *source, size_t count) {
    struct fl_row *out = &source->base.row;
    for (uint32_t i = 0; i < count; i++) {
        fl_slice_store(&source->taken->values[i],
                       fl_block_bytes(source->block, source->row + 1 + i));
        __builtin_prefetch((const char *)source->taken->values[i].data + PREFETCH);
    }
    out->value = source->taken->values[count - 1];
}

/* Moves to the key of the `count`th row from here, in a block of one row for each. */
static void take_keys(struct table_source *source, size_t count) {
    for (uint32_t i = 0; i < count; i++)
        fl_slice_store(&source->taken->keys[i], fl_block_key(source->block, source->key + 1 + i));
    source->base.row.key = source->taken->keys[count - 1];
    source->key += (uint32_t)count;
    source->row_begin = source->key;
    source->row_end = source->key + 1;
}

/* How many rows behind the current one are of its run, or of other keys but all alike. */
static size_t alike(const struct table_source *source, bool *of_run) {
    if (!source->steady || source->expire.step != 0)
        return 0;
    *of_run = source->row + 1 < source->row_end;
    if (*of_run)
        return source->row_end - source->row - 1;
    return source->lone ? source->key_end - source->key - 1 : 0;
}

/* Takes what is alike, as far as its values are written or as there is room. */
static size_t forward_take(struct fl_source *base, size_t most, struct fl_stretch *stretch) {
    struct table_source *source = source_of(base);
    bool of_run, numbers = source->block->numbers != NULL;
    uint32_t row = source->row, text = row + 1 - source->text_row;
    size_t count = FL_MIN(alike(source, &of_run), most);
    count = FL_MIN(count, numbers ? source->text_count - text : source->text_batch);
    if (count == 0 || (!(numbers && of_run) && !prepare_taking(source)))
        return 0;
    stretch->keys = of_run ? NULL : source->taken->keys;
    stretch->values = numbers ? source->texts->values + text : source->taken->values;
    stretch->step = (int64_t)source->ts.step;
    if (numbers)
        fl_slice_store(&base->row.value, stretch->values[count - 1]);
    else
        take_values(source, count);
    if (!of_run)
        take_keys(source, count);
    source->row = row + (uint32_t)count;
    base->row.ts = (int64_t)((uint64_t)base->row.ts + count * source->ts.step);
    base->row.seq += count * source->seq.step;
    if (!numbers)
        source->text_batch = FL_MIN(source->text_batch * 2, FL_DECIMAL_TEXTS);
    return count;
}

static __attribute__((noinline)) flowdb_status reverse_key(struct table_source *source) {
    return last_below(source, source->key) ? FLOWDB_OK : previous_block(source);
}

static flowdb_status reverse_next(struct fl_source *base) {
    struct table_source *source = source_of(base);
    if (source->row > source->row_begin) {
        show_row(source, source->row - 1);
        return FLOWDB_OK;
    }
    if (source->lone && source->key > source->key_begin) {
        show_lone_row(source, source->key - 1);
        return FLOWDB_OK;
    }
    return reverse_key(source);
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
    const struct table_source *source = (const struct table_source *)(const void *)base;
    const struct fl_block *block = source->block;
    uint32_t limit = source->all_ts ? fl_block_run(block, source->key_end) : source->row_end;
    if (fl_slice_compare(fl_block_key(block, source->key_end - 1), key) >= 0)
        limit = FL_MIN(limit, row_from(block, key, ts, false));
    return limit > source->row ? limit - source->row - 1 : 0;
}

static size_t reverse_run(const struct fl_source *base, flowdb_slice key, int64_t ts) {
    const struct table_source *source = (const struct table_source *)(const void *)base;
    const struct fl_block *block = source->block;
    uint32_t limit = source->all_ts ? fl_block_run(block, source->key_begin) : source->row_begin;
    if (fl_slice_compare(fl_block_key(block, source->key_begin), key) <= 0)
        limit = FL_MAX(limit, row_from(block, key, ts, true));
    return source->row > limit ? source->row - limit : 0;
}

/* ---------------------------------------------------------------------------------------- seek -- */

/* Enters the block that may hold (key, ts), keeping the one that is there if it is the same.
   source->block is NULL afterwards where it has nothing within the bounds and was not read. */
static flowdb_status seek_block(struct table_source *source, uint32_t partition, flowdb_slice key,
                                int64_t ts) {
    if (source->block != NULL && source->partition != partition)
        drop_block(source);
    flowdb_status status = enter_partition(source, partition);
    if (status != FLOWDB_OK || source->use.partition == NULL)
        return status;
    uint32_t at = fl_partition_find(source->use.partition, key, ts);
    if (source->block != NULL && source->at == at)
        return FLOWDB_OK;
    drop_block(source);
    source->text_batch = TEXTS_MIN;
    source->at = at;
    source->window.ahead = 0;
    return overlaps_ts(source) && !beyond_high(source) ? load_block(source) : FLOWDB_OK;
}

/* In the entered block: the first row at or after (key, ts). */
static bool seek_forward_in_block(struct table_source *source, flowdb_slice key, int64_t ts) {
    const struct fl_block *block = source->block;
    uint32_t place = fl_block_find_key(block, key);
    if (place < source->key_begin)
        return first_from(source, source->key_begin);
    if (place >= source->key_end || !fl_slice_equal(fl_block_key(block, place), key))
        return first_from(source, place);
    enter_key(source, place);
    uint32_t row = FL_MAX(source->row_begin, fl_block_find_ts(block, place, ts));
    if (row >= source->row_end)
        return first_from(source, place + 1);
    show_row(source, row);
    return true;
}

/* In the entered block: the last row at or before (key, ts). */
static bool seek_reverse_in_block(struct table_source *source, flowdb_slice key, int64_t ts) {
    const struct fl_block *block = source->block;
    uint32_t place = fl_block_find_key(block, key);
    if (place >= source->key_end)
        return last_below(source, source->key_end);
    if (place < source->key_begin || !fl_slice_equal(fl_block_key(block, place), key))
        return last_below(source, place);
    enter_key(source, place);
    uint32_t end = source->row_end;
    if (ts < INT64_MAX)
        end = FL_MIN(end, fl_block_find_ts(block, place, ts + 1));
    if (end <= source->row_begin)
        return last_below(source, place);
    show_row(source, end - 1);
    return true;
}

static flowdb_status forward_seek(struct fl_source *base, flowdb_slice key, int64_t ts) {
    struct table_source *source = source_of(base);
    const struct fl_bounds *bounds = &source->bounds;
    uint32_t partition = 0;
    base->valid = false;
    if (source->table->index.count == 0 || bounds->ts_low > bounds->ts_high ||
        fl_bounds_above(bounds, key))
        return FLOWDB_OK;
    if (key.size == 0 || fl_bounds_below(bounds, key)) {
        key = bounds->key_low;
        ts = INT64_MIN;
    }
    ts = FL_MAX(ts, bounds->ts_low);
    fl_index_find(&source->table->index, key, ts, &partition);
    flowdb_status status = seek_block(source, partition, key, ts);
    if (status != FLOWDB_OK)
        return end_of(source, status);
    base->valid = true;
    if (source->block != NULL && seek_forward_in_block(source, key, ts))
        return FLOWDB_OK;
    return beyond_high(source) ? end_of(source, FLOWDB_OK) : next_block(source);
}

static flowdb_status reverse_seek(struct fl_source *base, flowdb_slice key, int64_t ts) {
    struct table_source *source = source_of(base);
    const struct fl_index *index = &source->table->index;
    const struct fl_bounds *bounds = &source->bounds;
    base->valid = false;
    if (index->count == 0 || bounds->ts_low > bounds->ts_high ||
        (key.size > 0 && fl_bounds_below(bounds, key)))
        return FLOWDB_OK;
    if (key.size == 0 || fl_bounds_above(bounds, key)) {
        key = bounds->key_high_kind != FL_BOUND_NONE ? bounds->key_high : source->table->max_key;
        ts = INT64_MAX;
    }
    ts = FL_MIN(ts, bounds->ts_high);
    uint32_t partition;
    if (!fl_index_find(index, key, ts, &partition))
        return FLOWDB_OK;
    flowdb_status status = seek_block(source, partition, key, ts);
    if (status != FLOWDB_OK)
        return end_of(source, status);
    base->valid = true;
    if (source->block != NULL && seek_reverse_in_block(source, key, ts))
        return FLOWDB_OK;
    return previous_block(source);
}

/* ------------------------------------------------------------------------------- whole blocks -- */

bool fl_table_source_block(const struct fl_source *base, struct fl_table_block *block) {
    const struct table_source *source = (const struct table_source *)(const void *)base;
    if (!base->valid || source->row != 0 || source->bounds.reverse || !source->all_ts ||
        source->key_begin != 0 || source->key_end != source->block->keys)
        return false;
    const struct fl_block *whole = source->block;
    const struct fl_partition *partition = source->use.partition;
    uint32_t at = source->at, last = whole->keys - 1;
    *block = (struct fl_table_block){
        .first_key = fl_block_key(whole, 0),
        .last_key = fl_block_key(whole, last),
        .last_ts =
            (int64_t)fl_ramp_at(&whole->ts, last, fl_block_run(whole, last), whole->rows - 1),
        .min_ts = partition->min_ts[at],
        .max_ts = partition->max_ts[at],
        .min_expire_at =
            partition->min_expire_at != NULL ? partition->min_expire_at[at] : FLOWDB_NEVER,
        .min_seq = source->table->properties.min_seq,
        .deletes = whole->deletes != NULL};
    return true;
}

flowdb_status fl_table_source_copy(struct fl_source *base, struct fl_block_copy *copy) {
    struct table_source *source = source_of(base);
    const struct fl_partition *partition = source->use.partition;
    uint32_t at = source->at;
    bool never = partition->min_expire_at == NULL;
    copy->block = source->block;
    copy->unpacker = &source->table->unpacker;
    copy->summary = (struct fl_block_summary){
        .rows = partition->rows[at],
        .first_ts = partition->first_ts[at],
        .min_ts = partition->min_ts[at],
        .max_ts = partition->max_ts[at],
        .min_expire_at = never ? FLOWDB_NEVER : partition->min_expire_at[at],
        .max_expire_at = never ? FLOWDB_NEVER : partition->max_expire_at[at]};
    return fl_table_block_frame(source->table, partition, at, &source->window, &copy->bytes,
                                &copy->frame);
}

flowdb_status fl_table_source_skip(struct fl_source *base) {
    return next_block(source_of(base));
}

/* ----------------------------------------------------------------------------------- lifetime -- */

static void source_close(struct fl_source *base) {
    struct table_source *source = source_of(base);
    struct fl_table *table = source->table;
    drop_block(source);
    fl_partition_use_end(&source->use);
    fl_buffer_deinit(&source->window.bytes);
    fl_release(table->env->alloc, source->texts);
    fl_release(table->env->alloc, source->taken);
    fl_release(table->env->alloc, source);
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
    struct table_source *made = fl_allocate_zeroed(alloc, 1, sizeof *made);
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
