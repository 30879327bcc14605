/*
 * From a frame to a decoded block. The directory says which arrays will be needed, so they, the
 * whole keys and the payload itself, which values point into, are one allocation.
 */
#include "base/coding.h"
#include "table/block.h"

#define KEYS_MAX ((uint64_t)32 << 20) /* bytes of all keys of a block, written out */
#define SLACK 16                      /* readable bytes behind keys and payload */
#define ODD_ROW 2                     /* bytes of an odd row's number */
#define FORM 2                        /* bytes of scale and form */

static flowdb_status damaged(const char *what) {
    return fl_fail(FLOWDB_CORRUPTION, "%s", what);
}

/* Where each part lies in the allocation; 0 (where the struct is) stands for "not needed". */
struct plan {
    size_t ts, ts_firsts, seq, seq_firsts, expire, expire_firsts, numbers, numbers_firsts,
        number_ramp;
    size_t key_offsets, run_starts, value_offsets;
    size_t odd_count;
    size_t keys, raw, total;
    uint64_t key_bytes;
};

static size_t place(struct plan *plan, size_t count, size_t size) {
    size_t at = plan->total;
    plan->total += (count * size + 7) / 8 * 8;
    return at;
}

/* An array for the column, where it has no rule. */
static void plan_ramp(struct plan *plan, const struct fl_columns *columns, enum fl_column id,
                      enum fl_column first_id, size_t *array, size_t *firsts) {
    const struct fl_column_slot *slot = &columns->slots[id], *first = &columns->slots[first_id];
    if (!first->present) {
        if (!fl_ints_is_affine(slot->encoding))
            *array = place(plan, columns->rows, sizeof(uint64_t));
    } else if (slot->encoding != FL_INTS_CONSTANT) {
        *array = place(plan, columns->rows, sizeof(uint64_t));
    } else if (!fl_ints_is_affine(first->encoding)) {
        *firsts = place(plan, columns->keys, sizeof(uint64_t));
    }
}

/* Expiry as a constant lifetime follows the rule that timestamps follow. */
static void plan_expire(struct plan *plan, const struct fl_columns *columns) {
    const struct fl_column_slot *lifetime = &columns->slots[FL_COLUMN_LIFETIME];
    const struct fl_column_slot *expire = &columns->slots[FL_COLUMN_EXPIRE];
    bool array = expire->present ? !fl_ints_is_affine(expire->encoding)
                                 : lifetime->present &&
                                       (lifetime->encoding != FL_INTS_CONSTANT || plan->ts != 0);
    if (array)
        plan->expire = place(plan, columns->rows, sizeof(uint64_t));
    else if (lifetime->present && plan->ts_firsts != 0)
        plan->expire_firsts = place(plan, columns->keys, sizeof(uint64_t));
}

static bool has_decimals(const struct fl_columns *columns) {
    const struct fl_column_slot *values = &columns->slots[FL_COLUMN_VALUES];
    return values->present && values->encoding == FL_VALUES_DECIMALS;
}

static flowdb_status make_plan(const struct fl_columns *columns, uint32_t raw_size,
                               struct plan *plan) {
    const struct fl_column_slot *slots = columns->slots;
    if (!slots[FL_COLUMN_TS].present || !slots[FL_COLUMN_SEQ].present ||
        !slots[FL_COLUMN_KEYS].present)
        return damaged("a data block lacks a column");
    *plan = (struct plan){.total = sizeof(struct fl_block)};
    uint64_t prefix = slots[FL_COLUMN_KEY_PREFIX].size;
    plan->key_bytes = prefix * columns->keys + slots[FL_COLUMN_KEYS].size;
    if (prefix > FL_KEY_MAX || plan->key_bytes > KEYS_MAX)
        return damaged("the keys of a data block are too large");
    plan_ramp(plan, columns, FL_COLUMN_TS, FL_COLUMN_TS_FIRST, &plan->ts, &plan->ts_firsts);
    plan_ramp(plan, columns, FL_COLUMN_SEQ, FL_COLUMN_SEQ_FIRST, &plan->seq, &plan->seq_firsts);
    plan_expire(plan, columns);
    if (has_decimals(columns)) {
        if (!slots[FL_COLUMN_NUMBERS].present)
            return damaged("a data block lacks the numbers of its values");
        plan->number_ramp = place(plan, 1, sizeof(struct fl_ramp));
        plan_ramp(plan, columns, FL_COLUMN_NUMBERS, FL_COLUMN_NUMBERS_FIRST, &plan->numbers,
                  &plan->numbers_firsts);
    }
    if (slots[FL_COLUMN_KEY_SIZES].present)
        plan->key_offsets = place(plan, (size_t)columns->keys + 1, sizeof(uint32_t));
    if (slots[FL_COLUMN_RUNS].present && slots[FL_COLUMN_RUNS].encoding != FL_INTS_CONSTANT)
        plan->run_starts = place(plan, (size_t)columns->keys + 1, sizeof(uint32_t));
    if (has_decimals(columns) && slots[FL_COLUMN_ODD_ROWS].present) {
        plan->odd_count = slots[FL_COLUMN_ODD_ROWS].size / ODD_ROW;
        if (plan->odd_count > columns->rows)
            return damaged("a data block has more odd rows than rows");
        plan->value_offsets = place(plan, plan->odd_count + 1, sizeof(uint32_t));
    }
    if (slots[FL_COLUMN_VALUES].present && slots[FL_COLUMN_VALUES].encoding == FL_VALUES_VARIABLE)
        plan->value_offsets = place(plan, (size_t)columns->rows + 1, sizeof(uint32_t));
    if (prefix > 0 || slots[FL_COLUMN_KEYS].encoding == FL_KEYS_PLANES)
        plan->keys = place(plan, (size_t)plan->key_bytes + SLACK, 1);
    plan->raw = place(plan, (size_t)raw_size + SLACK, 1);
    return FLOWDB_OK;
}

/* What the steps of decoding share. */
struct decoding {
    struct fl_columns columns;
    struct plan plan;
    const uint8_t *raw;
    struct fl_block *block;
};

static void *part(const struct decoding *decoding, size_t offset) {
    return offset != 0 ? (uint8_t *)decoding->block + offset : NULL;
}

static bool decode_runs(struct decoding *decoding) {
    const struct fl_columns *columns = &decoding->columns;
    const struct fl_column_slot *slot = &columns->slots[FL_COLUMN_RUNS];
    struct fl_block *block = decoding->block;
    if (!slot->present) {
        block->run_size = 1;
        return block->keys == block->rows;
    }
    uint32_t *starts = part(decoding, decoding->plan.run_starts);
    if (starts == NULL) {
        uint64_t size, step;
        bool fine = fl_ints_decode_affine(slot->encoding, decoding->raw + slot->offset, slot->size,
                                          &size, &step);
        if (!fine || size > block->rows || size * block->keys != block->rows)
            return false;
        block->run_size = (uint32_t)size;
        return true;
    }
    block->run_starts = starts;
    if (!fl_columns_offsets(columns, decoding->raw, FL_COLUMN_RUNS, block->keys, block->rows,
                            starts))
        return false;
    for (uint32_t key = 0; key < block->keys; key++) {
        if (starts[key] == starts[key + 1])
            return false;
    }
    return true;
}

/* Copies in steps of SLACK bytes: what is behind the end is read and overwritten as well. */
static inline void copy_loosely(uint8_t *out, const uint8_t *from, size_t size) {
    for (size_t i = 0; i < size; i += SLACK)
        memcpy(out + i, from + i, SLACK);
}

/* In order, so that a key's overrun is overwritten by the next. */
static void write_out_whole(const struct fl_block *block, const uint8_t *prefix,
                            const uint8_t *from, uint8_t *out) {
    const uint32_t *offsets = block->key_offsets;
    size_t shared = block->key_prefix, size = block->key_size - shared;
    for (uint32_t key = 0; key < block->keys; key++) {
        if (offsets != NULL)
            size = offsets[key + 1] - offsets[key];
        copy_loosely(out, prefix, shared);
        copy_loosely(out + shared, from, size);
        out += shared + size;
        from += size;
    }
}

static void write_out_planes(const struct fl_block *block, const uint8_t *prefix,
                             const uint8_t *from, uint8_t *out) {
    size_t shared = block->key_prefix, size = block->key_size;
    for (uint32_t key = 0; key < block->keys; key++)
        copy_loosely(out + key * size, prefix, shared);
    for (size_t byte = shared; byte < size; byte++) {
        uint8_t *to = out + byte;
        for (uint32_t key = 0; key < block->keys; key++, to += size)
            *to = *from++;
    }
}

/* Keys without a common prefix stay where they are; others are written out whole. */
static bool decode_keys(struct decoding *decoding) {
    const struct fl_columns *columns = &decoding->columns;
    const struct fl_column_slot *prefix = &columns->slots[FL_COLUMN_KEY_PREFIX];
    const struct fl_column_slot *rest = &columns->slots[FL_COLUMN_KEYS];
    struct fl_block *block = decoding->block;
    uint32_t *offsets = part(decoding, decoding->plan.key_offsets);
    bool planes = rest->encoding == FL_KEYS_PLANES;
    block->key_prefix = prefix->size;
    block->key_offsets = offsets;
    block->key_size = prefix->size + rest->size / block->keys;
    if (offsets == NULL && (rest->size % block->keys != 0 || block->key_size == 0))
        return false;
    if (offsets != NULL &&
        (planes || !fl_columns_offsets(columns, decoding->raw, FL_COLUMN_KEY_SIZES, block->keys,
                                       rest->size, offsets)))
        return false;
    uint8_t *out = part(decoding, decoding->plan.keys);
    block->key_bytes = out != NULL ? out : decoding->raw + rest->offset;
    if (out == NULL)
        return true;
    (planes ? write_out_planes : write_out_whole)(block, decoding->raw + prefix->offset,
                                                  decoding->raw + rest->offset, out);
    for (uint32_t key = 0; offsets != NULL && key <= block->keys; key++)
        offsets[key] += key * prefix->size;
    return true;
}

/* Differences lie in the array's last rows - keys places; the sums overtake none of them. */
static bool sum_runs(struct decoding *decoding, enum fl_column first_id, uint64_t *array) {
    const struct fl_block *block = decoding->block;
    const uint64_t *differences = array + block->keys;
    struct fl_ints_reader reader;
    uint64_t firsts[FL_INTS_GROUP];
    size_t got = 0, used = 0;
    if (!fl_columns_ints(&decoding->columns, decoding->raw, first_id, block->keys, &reader))
        return false;
    for (uint32_t key = 0, row = 0; key < block->keys; key++) {
        if (used == got) {
            if (!fl_ints_reader_next(&reader, firsts, &got))
                return false;
            used = 0;
        }
        uint64_t value = firsts[used++];
        array[row++] = value;
        for (uint32_t end = fl_block_run(block, key + 1); row < end; row++)
            array[row] = value += *differences++;
    }
    return true;
}

static bool decode_ramp(struct decoding *decoding, enum fl_column id, enum fl_column first_id,
                        uint64_t *array, uint64_t *firsts, struct fl_ramp *ramp) {
    const struct fl_columns *columns = &decoding->columns;
    const struct fl_column_slot *slot = &columns->slots[id], *first = &columns->slots[first_id];
    const uint8_t *raw = decoding->raw;
    uint32_t rows = columns->rows, keys = columns->keys;
    uint64_t none;
    *ramp = (struct fl_ramp){.array = array, .firsts = firsts, .by_run = first->present};
    if (array != NULL && !first->present)
        return fl_columns_read(columns, raw, id, array, rows);
    if (array != NULL)
        return fl_columns_read(columns, raw, id, array + keys, rows - keys) &&
               sum_runs(decoding, first_id, array);
    if (!first->present)
        return fl_ints_decode_affine(slot->encoding, raw + slot->offset, slot->size, &ramp->base,
                                     &ramp->step);
    if (!fl_ints_decode_affine(slot->encoding, raw + slot->offset, slot->size, &ramp->step, &none))
        return false;
    if (firsts != NULL)
        return fl_columns_read(columns, raw, first_id, firsts, keys);
    return fl_ints_decode_affine(first->encoding, raw + first->offset, first->size, &ramp->base,
                                 &ramp->first_step);
}

/* expire_at as ts + a constant, in whichever form ts has. */
static void shift_ramp(const struct fl_block *block, uint64_t by, uint64_t *array, uint64_t *firsts,
                       struct fl_ramp *ramp) {
    *ramp = block->ts;
    ramp->base += by;
    ramp->array = array;
    ramp->firsts = firsts;
    for (uint32_t row = 0; array != NULL && row < block->rows; row++)
        array[row] = block->ts.array[row] + by;
    for (uint32_t key = 0; firsts != NULL && key < block->keys; key++)
        firsts[key] = block->ts.firsts[key] + by;
}

static bool decode_lifetimes(struct decoding *decoding) {
    const struct fl_column_slot *slot = &decoding->columns.slots[FL_COLUMN_LIFETIME];
    struct fl_block *block = decoding->block;
    uint64_t *array = part(decoding, decoding->plan.expire), lifetime, none;
    if (slot->encoding == FL_INTS_CONSTANT) {
        if (!fl_ints_decode_affine(slot->encoding, decoding->raw + slot->offset, slot->size,
                                   &lifetime, &none))
            return false;
        shift_ramp(block, lifetime, array, part(decoding, decoding->plan.expire_firsts),
                   &block->expire);
        return true;
    }
    if (!fl_columns_read(&decoding->columns, decoding->raw, FL_COLUMN_LIFETIME, array, block->rows))
        return false;
    for (uint32_t key = 0, row = 0; key < block->keys; key++) {
        uint32_t start = row, end = fl_block_run(block, key + 1);
        for (; row < end; row++)
            array[row] += fl_ramp_at(&block->ts, key, start, row);
    }
    block->expire = (struct fl_ramp){.array = array};
    return true;
}

static bool decode_expire(struct decoding *decoding) {
    const struct fl_column_slot *slots = decoding->columns.slots;
    struct fl_block *block = decoding->block;
    if (slots[FL_COLUMN_EXPIRE].present)
        return decode_ramp(decoding, FL_COLUMN_EXPIRE, 0, part(decoding, decoding->plan.expire),
                           NULL, &block->expire);
    if (slots[FL_COLUMN_LIFETIME].present)
        return decode_lifetimes(decoding);
    block->expire = (struct fl_ramp){.base = (uint64_t)FLOWDB_NEVER};
    return true;
}

/* Their values stand in front of the form, `size` bytes together. */
static bool decode_odd_rows(struct decoding *decoding, uint32_t size) {
    const struct fl_column_slot *slot = &decoding->columns.slots[FL_COLUMN_ODD_ROWS];
    struct fl_block *block = decoding->block;
    if (!slot->present)
        return size == 0;
    uint32_t count = (uint32_t)decoding->plan.odd_count;
    if (count == 0 || slot->size % ODD_ROW != 0)
        return false;
    const uint8_t *rows = decoding->raw + slot->offset;
    for (uint32_t i = 0, least = 0; i < count; i++) {
        uint32_t row = fl_get_u16(rows + (size_t)i * ODD_ROW);
        if (row < least || row >= block->rows)
            return false;
        least = row + 1;
    }
    uint32_t *offsets = part(decoding, decoding->plan.value_offsets);
    block->odd_rows = rows;
    block->odd_count = count;
    block->value_offsets = offsets;
    return fl_columns_offsets(&decoding->columns, decoding->raw, FL_COLUMN_VALUE_SIZES, count, size,
                              offsets);
}

static bool decode_decimals(struct decoding *decoding) {
    const struct fl_column_slot *slot = &decoding->columns.slots[FL_COLUMN_VALUES];
    const struct plan *plan = &decoding->plan;
    struct fl_block *block = decoding->block;
    if (slot->size < FORM)
        return false;
    const uint8_t *form = decoding->raw + slot->offset + slot->size - FORM;
    if (form[0] > FL_DECIMAL_SCALE_MAX || form[1] > 1)
        return false;
    struct fl_ramp *ramp = part(decoding, plan->number_ramp);
    block->numbers = ramp;
    block->form = (struct fl_decimal_form){.scale = form[0], .trimmed = form[1] == 1};
    return decode_odd_rows(decoding, slot->size - FORM) &&
           decode_ramp(decoding, FL_COLUMN_NUMBERS, FL_COLUMN_NUMBERS_FIRST,
                       part(decoding, plan->numbers), part(decoding, plan->numbers_firsts), ramp);
}

static bool decode_values(struct decoding *decoding) {
    const struct fl_column_slot *slot = &decoding->columns.slots[FL_COLUMN_VALUES];
    struct fl_block *block = decoding->block;
    uint32_t *offsets = part(decoding, decoding->plan.value_offsets);
    block->value_bytes = decoding->raw + slot->offset;
    block->value_size = slot->size;
    if (!slot->present)
        return true;
    switch (slot->encoding) {
    case FL_VALUES_CONSTANT:
        return true;
    case FL_VALUES_FIXED:
        block->value_size = block->value_stride = slot->size / block->rows;
        return slot->size % block->rows == 0;
    case FL_VALUES_DECIMALS:
        return decode_decimals(decoding);
    default:
        block->value_offsets = offsets;
        return fl_columns_offsets(&decoding->columns, decoding->raw, FL_COLUMN_VALUE_SIZES,
                                  block->rows, slot->size, offsets);
    }
}

static bool decode_deletes(struct decoding *decoding) {
    const struct fl_column_slot *slot = &decoding->columns.slots[FL_COLUMN_DELETES];
    if (!slot->present)
        return true;
    decoding->block->deletes = decoding->raw + slot->offset;
    return slot->size == (decoding->block->rows + 7) / 8;
}

static bool decode_columns(struct decoding *decoding) {
    const struct plan *plan = &decoding->plan;
    struct fl_block *block = decoding->block;
    return decode_runs(decoding) && decode_keys(decoding) &&
           decode_ramp(decoding, FL_COLUMN_TS, FL_COLUMN_TS_FIRST, part(decoding, plan->ts),
                       part(decoding, plan->ts_firsts), &block->ts) &&
           decode_ramp(decoding, FL_COLUMN_SEQ, FL_COLUMN_SEQ_FIRST, part(decoding, plan->seq),
                       part(decoding, plan->seq_firsts), &block->seq) &&
           decode_expire(decoding) && decode_deletes(decoding) && decode_values(decoding);
}

flowdb_status fl_block_decode(const struct fl_alloc *alloc, struct fl_unpacker *unpacker,
                              const struct fl_frame *frame, struct fl_block **block) {
    struct decoding decoding;
    flowdb_status status = fl_columns_parse(frame, FL_BLOCK_ROWS_MAX, &decoding.columns);
    if (status == FLOWDB_OK)
        status = make_plan(&decoding.columns, frame->raw_size, &decoding.plan);
    if (status != FLOWDB_OK)
        return status;
    struct fl_block *made = fl_allocate(alloc, decoding.plan.total);
    if (made == NULL)
        return fl_fail_memory("a block", decoding.plan.total);
    *made = (struct fl_block){.alloc = alloc,
                              .rows = decoding.columns.rows,
                              .keys = decoding.columns.keys,
                              .memory = decoding.plan.total};
    fl_cached_init(&made->cached, fl_block_destroy);
    uint8_t *raw = (uint8_t *)made + decoding.plan.raw;
    decoding.block = made;
    decoding.raw = raw;
    status = fl_frame_unpack(unpacker, frame, raw);
    if (status == FLOWDB_OK) {
        memset(raw + frame->raw_size, 0, SLACK);
        if (!decode_columns(&decoding))
            status = damaged("the columns of a data block do not fit together");
    }
    if (status == FLOWDB_OK)
        *block = made;
    else
        fl_block_unref(made);
    return status;
}
