/* Decoded blocks: searching in them, and their lifetime. */
#include "table/block.h"

void fl_block_ref(struct fl_block *block) {
    fl_cached_ref(&block->cached);
}

void fl_block_destroy(struct fl_cached *cached) {
    struct fl_block *block = (struct fl_block *)(void *)cached;
    fl_release(block->alloc, block);
}

/* What of the key is behind the common prefix, as a number; 8 bytes are readable there. */
static inline uint64_t head_at(const struct fl_block *block, size_t key) {
    flowdb_slice whole = fl_block_key(block, key);
    size_t size = whole.size - block->key_prefix;
    uint64_t head = fl_get_head((const uint8_t *)whole.data + block->key_prefix, 8);
    return size >= 8 ? head : size == 0 ? 0 : head & (UINT64_MAX << (64 - 8 * size));
}

uint32_t fl_block_find_key(const struct fl_block *block, flowdb_slice key) {
    size_t prefix = FL_MIN(key.size, (size_t)block->key_prefix);
    int order = prefix > 0 ? memcmp(key.data, block->key_bytes, prefix) : 0;
    if (order != 0)
        return order < 0 ? 0 : block->keys;
    if (key.size < block->key_prefix)
        return 0;
    flowdb_slice rest = fl_slice_behind(key, prefix);
    uint64_t head = fl_get_head(rest.data, rest.size);
    uint32_t low = 0, count = block->keys;
    while (count > 0) {
        uint32_t half = count / 2, middle = low + half;
        uint64_t there = head_at(block, middle);
        bool below = there < head;
        if (there == head)
            below = fl_slice_compare(fl_block_key(block, middle), key) < 0;
        low = below ? middle + 1 : low;
        count = below ? count - half - 1 : half;
    }
    return low;
}

/* base + row * step, rising from the run's first row: no search, one division. */
static uint32_t find_in_ramp(uint64_t first, uint64_t step, uint32_t start, uint32_t end,
                             int64_t ts) {
    if (ts <= (int64_t)first)
        return start;
    if (step == 0)
        return end;
    uint64_t distance = (uint64_t)ts - first, rows = distance / step + (distance % step != 0);
    return rows < end - start ? start + (uint32_t)rows : end;
}

uint32_t fl_block_find_ts(const struct fl_block *block, uint32_t key, int64_t ts) {
    uint32_t start = fl_block_run(block, key), end = fl_block_run(block, key + 1);
    const struct fl_ramp *ramp = &block->ts;
    if (ramp->array == NULL)
        return find_in_ramp(fl_ramp_at(ramp, key, start, start), ramp->step, start, end, ts);
    uint32_t low = start, count = end - start;
    while (count > 0) {
        uint32_t half = count / 2;
        bool below = (int64_t)ramp->array[low + half] < ts;
        low = below ? low + half + 1 : low;
        count = below ? count - half - 1 : half;
    }
    return low;
}

/* The first odd row at or behind `row`, by its place among them. */
static uint32_t find_odd(const struct fl_block *block, uint32_t row) {
    uint32_t low = 0, count = block->odd_count;
    while (count > 0) {
        uint32_t half = count / 2;
        bool below = fl_get_u16(block->odd_rows + 2 * (size_t)(low + half)) < row;
        low = below ? low + half + 1 : low;
        count = below ? count - half - 1 : half;
    }
    return low;
}

static bool is_odd_row(const struct fl_block *block, uint32_t odd, uint32_t row) {
    return odd < block->odd_count && fl_get_u16(block->odd_rows + 2 * (size_t)odd) == row;
}

bool fl_block_number(const struct fl_block *block, uint32_t key, uint32_t row, int64_t *mantissa) {
    if (block->numbers == NULL || fl_block_op(block, row) == FL_OP_DELETE ||
        is_odd_row(block, find_odd(block, row), row))
        return false;
    *mantissa = (int64_t)fl_ramp_at(block->numbers, key, fl_block_run(block, key), row);
    return true;
}

void fl_block_row(const struct fl_block *block, uint32_t key, uint32_t row, struct fl_row *out,
                  struct fl_decimal_text *text) {
    uint32_t run = fl_block_run(block, key);
    out->ts = (int64_t)fl_ramp_at(&block->ts, key, run, row);
    out->seq = fl_ramp_at(&block->seq, key, run, row);
    out->expire_at = (int64_t)fl_ramp_at(&block->expire, key, run, row);
    out->op = fl_block_op(block, row);
    if (block->numbers == NULL) {
        out->value = fl_block_bytes(block, row);
        return;
    }
    uint32_t odd = find_odd(block, row);
    if (out->op == FL_OP_DELETE)
        out->value = flowdb_bytes(text->bytes, 0); /* an address, for who prefetches */
    else if (is_odd_row(block, odd, row))
        out->value = fl_block_bytes(block, odd);
    else
        out->value = fl_decimal_format((int64_t)fl_ramp_at(block->numbers, key, run, row),
                                       block->form, text);
}

void fl_block_texts(const struct fl_block *block, uint32_t row, const uint64_t *numbers,
                    size_t count, struct fl_decimal_texts *texts) {
    fl_decimal_format_all(numbers, count, block->form, texts);
    for (uint32_t odd = find_odd(block, row); odd < block->odd_count; odd++) {
        uint32_t at = fl_get_u16(block->odd_rows + 2 * (size_t)odd) - row;
        if (at >= count)
            break;
        texts->values[at] = fl_block_bytes(block, odd);
    }
}
