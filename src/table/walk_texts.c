/* The text of values that are numbers in their block, for a walk. */
#include "table/walk.h"

#define CACHE_LINE 64

/* The rows that the walk comes to from here in this block, or some of them: up to where the rule for
   the numbers changes. */
static void walk_limits(const struct fl_walk *walk, uint32_t *begin, uint32_t *end) {
    const struct fl_block *block = walk->block;
    bool ruled = block->numbers->array == NULL && block->numbers->by_run;
    bool by_key = ruled || !walk->all_ts;
    *begin = by_key ? walk->row_begin : fl_block_run(block, walk->key_begin);
    *end = by_key ? walk->row_end : fl_block_run(block, walk->key_end);
}

/* Those that will be written next: a cache of many series holds more numbers than the machine's does,
   and a scan of a few hundred is over before the machine has seen where it goes. */
static inline void prefetch_numbers(const uint64_t *numbers, uint32_t count) {
    for (uint32_t i = 0; i < count; i += CACHE_LINE / sizeof *numbers)
        __builtin_prefetch(numbers + i);
}

void fl_walk_write_texts(struct fl_walk *walk, uint32_t row) {
    uint64_t ruled[FL_DECIMAL_TEXTS];
    uint32_t begin, end, batch = walk->text_batch;
    walk_limits(walk, &begin, &end);
    if (walk->bounds.reverse)
        begin = row - FL_MIN(row - begin, batch - 1);
    else
        begin = row;
    uint32_t count = walk->bounds.reverse ? row + 1 - begin : FL_MIN(end - row, batch);
    const uint64_t *numbers = walk->numbers.array;
    if (numbers != NULL) {
        numbers += begin;
        if (!walk->bounds.reverse)
            prefetch_numbers(numbers + count, FL_MIN(end - row - count, batch * 2));
    } else {
        for (uint32_t i = 0; i < count; i++)
            ruled[i] = fl_slope_at(&walk->numbers, begin + i);
        numbers = ruled;
    }
    fl_block_texts(walk->block, begin, numbers, count, walk->texts);
    walk->text_row = begin;
    walk->text_count = count;
    walk->text_batch = FL_MIN(batch * 2, FL_DECIMAL_TEXTS);
}

flowdb_status fl_walk_prepare_texts(struct fl_walk *walk) {
    walk->numbers = fl_slope_of(walk->block->numbers);
    if (walk->texts != NULL)
        return FLOWDB_OK;
    walk->texts = fl_allocate(walk->table->env->alloc, sizeof *walk->texts);
    return walk->texts != NULL ? FLOWDB_OK
                               : fl_fail_memory("the values of a scan", sizeof *walk->texts);
}
