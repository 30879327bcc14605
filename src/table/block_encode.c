/*
 * From rows to the frame of a data block. Rows are kept as columns from the start, values in the
 * payload's buffer itself, so that what finishing does is choose encodings and write integers.
 *
 * A block ends by the size of its encoded columns, which is guessed while rows come in: a block of
 * regular series with short values holds thousands of rows, one of random bytes some dozens.
 */
#include "table/block.h"

/* Whole keys that a block may hold however short they are behind their prefix: a reader writes
   them out. */
#define KEY_BYTES_MAX ((size_t)1 << 20)

enum { GUESS_TS, GUESS_SEQ, GUESS_LIFETIME, GUESS_NUMBER, GUESSES };

flowdb_status fl_block_encoder_init(struct fl_block_encoder *encoder, const struct fl_alloc *alloc,
                                    uint32_t block_size) {
    *encoder = (struct fl_block_encoder){.block_size = block_size};
    fl_buffer_init(&encoder->key_bytes, alloc);
    fl_payload_init(&encoder->payload, alloc);
    const size_t column = FL_BLOCK_ROWS, words = 8 * column;
    size_t size = words * sizeof(uint64_t) + FL_BLOCK_ROWS * (sizeof(uint32_t) + sizeof(uint16_t)) +
                  FL_BLOCK_ROWS / 8;
    uint64_t *memory = fl_allocate(alloc, size);
    if (memory == NULL)
        return fl_fail_memory("a block's columns", size);
    encoder->memory = memory;
    encoder->ts = memory;
    encoder->seq = memory + column;
    encoder->expire = memory + 2 * column;
    encoder->value_sizes = memory + 3 * column;
    encoder->run_sizes = memory + 4 * column;
    encoder->scratch = memory + 5 * column;
    encoder->scratch_firsts = memory + 6 * column;
    encoder->numbers.values = memory + 7 * column;
    encoder->key_ends = (uint32_t *)(void *)(memory + words);
    encoder->numbers.odd = (uint16_t *)(void *)(encoder->key_ends + FL_BLOCK_ROWS);
    encoder->deletes = (uint8_t *)(encoder->numbers.odd + FL_BLOCK_ROWS);
    return FLOWDB_OK;
}

void fl_block_encoder_deinit(struct fl_block_encoder *encoder) {
    if (encoder->key_bytes.alloc == NULL)
        return;
    if (encoder->memory != NULL)
        fl_release(encoder->key_bytes.alloc, encoder->memory);
    encoder->memory = NULL;
    fl_buffer_deinit(&encoder->key_bytes);
    fl_payload_deinit(&encoder->payload);
}

/* ------------------------------------------------------------------------------------ adding -- */

static unsigned bit_width(uint64_t value) {
    return value == 0 ? 0 : 64 - (unsigned)__builtin_clzll(value);
}

static void guess_next(struct fl_ints_guess *guess, uint64_t value, bool same_key) {
    uint64_t slope, change;
    if (same_key) {
        slope = value - guess->value;
        change = slope - guess->slope;
        guess->slope = slope;
    } else {
        slope = value - guess->first_value;
        change = slope - guess->first_slope;
        guess->first_slope = slope;
        guess->first_value = value;
    }
    guess->value = value;
    guess->bits += bit_width(fl_zigzag((int64_t)change));
}

static uint64_t lifetime_of(const struct fl_row *row) {
    return row->expire_at == FLOWDB_NEVER ? 0 : (uint64_t)row->expire_at - (uint64_t)row->ts;
}

/* All `rows` numbers so far get so many digits more. */
static void guess_grown(struct fl_ints_guess *guess, unsigned digits, uint32_t rows) {
    uint64_t power = fl_decimal_power(digits);
    guess->value *= power;
    guess->slope *= power;
    guess->first_value *= power;
    guess->first_slope *= power;
    guess->bits += (uint64_t)rows * digits * 10 / 3;
}

static void guess_row(struct fl_ints_guess guesses[GUESSES], const struct fl_row *row,
                      uint64_t number, bool same_key) {
    guess_next(&guesses[GUESS_TS], (uint64_t)row->ts, same_key);
    guess_next(&guesses[GUESS_SEQ], row->seq, same_key);
    guess_next(&guesses[GUESS_LIFETIME], lifetime_of(row), same_key);
    guess_next(&guesses[GUESS_NUMBER], number, same_key);
}

/* What columns are made of. */
struct parts {
    size_t key_bytes, keys, prefix;
    size_t rows, value_bytes, odd_size;
    bool sizes_stored;
};

/* What the columns take, roughly: values as bytes, where half a byte pays for each size, or as
   numbers. The prefix does not count: ending a block does not save it. */
static size_t columns_size(const struct parts *parts, const struct fl_ints_guess guesses[GUESSES]) {
    uint64_t bits = guesses[GUESS_TS].bits + guesses[GUESS_SEQ].bits + guesses[GUESS_LIFETIME].bits;
    size_t bytes = parts->value_bytes + (parts->sizes_stored ? parts->rows / 2 : 0);
    size_t numbers = (size_t)(guesses[GUESS_NUMBER].bits / 8) + parts->odd_size;
    return parts->key_bytes - parts->keys * parts->prefix + FL_MIN(bytes, numbers) +
           (size_t)(bits / 8);
}

static struct parts parts_of(const struct fl_block_encoder *encoder) {
    return (struct parts){.key_bytes = encoder->key_bytes.size,
                          .keys = encoder->keys,
                          .prefix = encoder->prefix,
                          .rows = encoder->rows,
                          .value_bytes = encoder->payload.raw.size,
                          .odd_size = fl_numbers_odd_size(&encoder->numbers),
                          .sizes_stored = !encoder->values_fixed};
}

size_t fl_block_encoder_size(const struct fl_block_encoder *encoder) {
    const struct parts parts = parts_of(encoder);
    return encoder->rows > 0 ? columns_size(&parts, encoder->guesses) : 0;
}

flowdb_slice fl_block_encoder_first_key(const struct fl_block_encoder *encoder) {
    return flowdb_bytes(encoder->key_bytes.data, encoder->key_ends[0]);
}

flowdb_slice fl_block_encoder_last_key(const struct fl_block_encoder *encoder) {
    uint32_t start = encoder->keys > 1 ? encoder->key_ends[encoder->keys - 2] : 0;
    return flowdb_bytes(encoder->key_bytes.data + start, encoder->key_bytes.size - start);
}

static bool is_first_value(const struct fl_block_encoder *encoder, flowdb_slice value) {
    return encoder->values_equal && fl_slice_equal(value, flowdb_bytes(encoder->payload.raw.data,
                                                                       encoder->payload.raw.size));
}

/* While all values are equal one stands for all of them; the first other one ends that. */
static flowdb_status write_out_values(struct fl_block_encoder *encoder) {
    struct fl_buffer *raw = &encoder->payload.raw;
    size_t size = raw->size, more = size * (encoder->rows - 1);
    flowdb_status status = fl_buffer_reserve(raw, more);
    if (status != FLOWDB_OK)
        return status;
    for (; more > 0; more -= size, raw->size += size)
        memcpy(raw->data + raw->size, raw->data, size);
    encoder->values_equal = false;
    return FLOWDB_OK;
}

static flowdb_status add_value(struct fl_block_encoder *encoder, flowdb_slice value,
                               bool still_equal) {
    if (still_equal)
        return FLOWDB_OK;
    flowdb_status status = FLOWDB_OK;
    if (encoder->values_equal)
        status = write_out_values(encoder);
    if (status == FLOWDB_OK)
        status = fl_buffer_append(&encoder->payload.raw, value.data, value.size);
    if (status == FLOWDB_OK)
        encoder->values_fixed = encoder->values_fixed && value.size == encoder->value_sizes[0];
    return status;
}

static void add_numbers(struct fl_block_encoder *encoder, const struct fl_row *row,
                        const struct fl_number *number) {
    uint32_t at = encoder->rows++;
    fl_numbers_take(&encoder->numbers, at, number, row->value.size);
    encoder->ts[at] = (uint64_t)row->ts;
    encoder->seq[at] = row->seq;
    encoder->expire[at] = (uint64_t)row->expire_at;
    encoder->value_sizes[at] = row->value.size;
    if (at % 8 == 0)
        encoder->deletes[at / 8] = 0;
    if (row->op == FL_OP_DELETE) {
        encoder->deletes[at / 8] |= (uint8_t)(1u << (at % 8));
        encoder->deletes_any = true;
    }
}

static flowdb_status add_key(struct fl_block_encoder *encoder, flowdb_slice key, size_t prefix) {
    flowdb_status status = fl_buffer_append(&encoder->key_bytes, key.data, key.size);
    if (status != FLOWDB_OK)
        return status;
    encoder->key_ends[encoder->keys] = (uint32_t)encoder->key_bytes.size;
    encoder->run_sizes[encoder->keys++] = 0;
    encoder->prefix = prefix;
    return FLOWDB_OK;
}

static flowdb_status add_first(struct fl_block_encoder *encoder, const struct fl_row *row) {
    flowdb_status status = add_key(encoder, row->key, row->key.size);
    if (status == FLOWDB_OK)
        status = fl_buffer_append(&encoder->payload.raw, row->value.data, row->value.size);
    if (status != FLOWDB_OK)
        return status;
    struct fl_number number;
    fl_numbers_clear(&encoder->numbers);
    fl_numbers_offer(&encoder->numbers, row, 0, &number);
    const uint64_t starts[GUESSES] = {(uint64_t)row->ts, row->seq, lifetime_of(row), number.value};
    for (size_t i = 0; i < GUESSES; i++)
        encoder->guesses[i] = (struct fl_ints_guess){.value = starts[i], .first_value = starts[i]};
    encoder->values_equal = encoder->values_fixed = true;
    encoder->deletes_any = false;
    encoder->run_sizes[0] = 1;
    add_numbers(encoder, row, &number);
    return FLOWDB_OK;
}

/* What the columns would be made of with the row. */
static struct parts parts_with(const struct fl_block_encoder *encoder, const struct fl_row *row,
                               bool same_key, bool equal, bool odd) {
    struct parts parts = parts_of(encoder);
    parts.rows++;
    if (!same_key) {
        flowdb_slice common = flowdb_bytes(encoder->key_bytes.data, parts.prefix);
        if (!fl_slice_starts_with(row->key, common))
            parts.prefix = fl_slice_common_prefix(fl_block_encoder_first_key(encoder), row->key);
        parts.key_bytes += row->key.size;
        parts.keys++;
    }
    if (!equal)
        parts.value_bytes =
            (encoder->values_equal ? parts.value_bytes * encoder->rows : parts.value_bytes) +
            row->value.size;
    if (odd)
        parts.odd_size += row->value.size + FL_ODD_SIZE;
    parts.sizes_stored = parts.sizes_stored || row->value.size != encoder->value_sizes[0];
    return parts;
}

flowdb_status fl_block_encoder_add(struct fl_block_encoder *encoder, const struct fl_row *row,
                                   bool same_key, bool *added) {
    *added = true;
    if (encoder->rows == 0)
        return add_first(encoder, row);
    struct fl_ints_guess guesses[GUESSES];
    struct fl_number number;
    memcpy(guesses, encoder->guesses, sizeof guesses);
    fl_numbers_offer(&encoder->numbers, row, guesses[GUESS_NUMBER].value, &number);
    if (number.grows > 0)
        guess_grown(&guesses[GUESS_NUMBER], number.grows, encoder->rows);
    guess_row(guesses, row, number.value, same_key);
    bool equal = is_first_value(encoder, row->value);
    const struct parts parts = parts_with(encoder, row, same_key, equal, number.odd);
    if (encoder->rows == FL_BLOCK_ROWS || (!same_key && parts.key_bytes > KEY_BYTES_MAX) ||
        columns_size(&parts, guesses) > encoder->block_size) {
        *added = false;
        return FLOWDB_OK;
    }
    flowdb_status status = add_value(encoder, row->value, equal);
    if (status == FLOWDB_OK && !same_key)
        status = add_key(encoder, row->key, parts.prefix);
    if (status != FLOWDB_OK)
        return status;
    memcpy(encoder->guesses, guesses, sizeof guesses);
    encoder->run_sizes[parts.keys - 1]++;
    add_numbers(encoder, row, &number);
    return FLOWDB_OK;
}

/* --------------------------------------------------------------------------------- finishing -- */

/* One first value for each key, and the differences inside the runs. */
static void split_runs(const struct fl_block_encoder *encoder, const uint64_t *values) {
    uint64_t *firsts = encoder->scratch_firsts, *differences = encoder->scratch;
    for (uint32_t key = 0; key < encoder->keys; key++) {
        *firsts++ = *values++;
        for (uint64_t row = 1; row < encoder->run_sizes[key]; row++, values++)
            *differences++ = values[0] - values[-1];
    }
}

static flowdb_status finish_ramp(struct fl_block_encoder *encoder, const uint64_t *values,
                                 enum fl_column id, enum fl_column first_id) {
    enum fl_ints_encoding flat, first, inner;
    uint32_t rows = encoder->rows, keys = encoder->keys;
    size_t size = fl_ints_measure(values, rows, &flat);
    if (!fl_ints_is_affine((uint8_t)flat) && keys < rows && keys > 1) {
        split_runs(encoder, values);
        size_t by_run = fl_ints_measure(encoder->scratch, rows - keys, &inner) +
                        fl_ints_measure(encoder->scratch_firsts, keys, &first);
        if (by_run < size) {
            flowdb_status status =
                fl_payload_ints_as(&encoder->payload, id, encoder->scratch, rows - keys, inner);
            if (status != FLOWDB_OK)
                return status;
            return fl_payload_ints_as(&encoder->payload, first_id, encoder->scratch_firsts, keys,
                                      first);
        }
    }
    return fl_payload_ints_as(&encoder->payload, id, values, rows, flat);
}

/* expire_at as it is or as what it adds to ts, whichever is smaller. */
static flowdb_status finish_expire(struct fl_block_encoder *encoder) {
    enum fl_ints_encoding as_is, as_lifetime;
    size_t size = fl_ints_measure(encoder->expire, encoder->rows, &as_is);
    if (as_is == FL_INTS_CONSTANT && encoder->expire[0] == (uint64_t)FLOWDB_NEVER)
        return FLOWDB_OK;
    if (as_is != FL_INTS_CONSTANT) {
        uint64_t *lifetimes = encoder->scratch;
        for (uint32_t row = 0; row < encoder->rows; row++)
            lifetimes[row] = encoder->expire[row] - encoder->ts[row];
        if (fl_ints_measure(lifetimes, encoder->rows, &as_lifetime) < size)
            return fl_payload_ints_as(&encoder->payload, FL_COLUMN_LIFETIME, lifetimes,
                                      encoder->rows, as_lifetime);
    }
    return fl_payload_ints_as(&encoder->payload, FL_COLUMN_EXPIRE, encoder->expire, encoder->rows,
                              as_is);
}

/* Are the values smaller as numbers? By the guess that the size of the block went by. */
static bool takes_decimals(const struct fl_block_encoder *encoder) {
    return !encoder->values_equal &&
           encoder->guesses[GUESS_NUMBER].bits / 8 + fl_numbers_odd_size(&encoder->numbers) <
               encoder->payload.raw.size;
}

/* Of the bytes in the payload only those of odd rows stay, moved to its start. */
static void keep_odd_values(struct fl_block_encoder *encoder) {
    const struct fl_numbers *numbers = &encoder->numbers;
    uint8_t *from = encoder->payload.raw.data, *to = from;
    uint64_t *sizes = encoder->value_sizes;
    for (uint32_t row = 0, odd = 0; odd < numbers->odd_count; row++) {
        size_t size = sizes[row];
        if (row == numbers->odd[odd]) {
            memmove(to, from, size);
            to += size;
            sizes[odd++] = size;
        }
        from += size;
    }
    encoder->payload.raw.size = (size_t)(to - encoder->payload.raw.data);
}

/* The bytes in the payload give way to numbers. */
static flowdb_status finish_decimals(struct fl_block_encoder *encoder) {
    const struct fl_numbers *numbers = &encoder->numbers;
    struct fl_payload *payload = &encoder->payload;
    const uint8_t form[] = {numbers->scale, !numbers->fixed};
    keep_odd_values(encoder);
    flowdb_status status = fl_buffer_append(&payload->raw, form, sizeof form);
    if (status != FLOWDB_OK)
        return status;
    fl_payload_column(payload, FL_COLUMN_VALUES, FL_VALUES_DECIMALS);
    status = finish_ramp(encoder, numbers->values, FL_COLUMN_NUMBERS, FL_COLUMN_NUMBERS_FIRST);
    if (status != FLOWDB_OK || numbers->odd_count == 0)
        return status;
    status =
        fl_buffer_append(&payload->raw, numbers->odd, numbers->odd_count * sizeof *numbers->odd);
    if (status != FLOWDB_OK)
        return status;
    fl_payload_column(payload, FL_COLUMN_ODD_ROWS, 0);
    return fl_payload_ints(payload, FL_COLUMN_VALUE_SIZES, encoder->value_sizes,
                           numbers->odd_count);
}

/* Their bytes are in the payload already, and are its first column. */
static flowdb_status finish_values(struct fl_block_encoder *encoder) {
    struct fl_payload *payload = &encoder->payload;
    if (encoder->values_equal) {
        if (payload->raw.size > 0)
            fl_payload_column(payload, FL_COLUMN_VALUES, FL_VALUES_CONSTANT);
        return FLOWDB_OK;
    }
    if (takes_decimals(encoder))
        return finish_decimals(encoder);
    fl_payload_column(payload, FL_COLUMN_VALUES,
                      encoder->values_fixed ? FL_VALUES_FIXED : FL_VALUES_VARIABLE);
    if (encoder->values_fixed)
        return FLOWDB_OK;
    return fl_payload_ints(payload, FL_COLUMN_VALUE_SIZES, encoder->value_sizes, encoder->rows);
}

static flowdb_status finish_columns(struct fl_block_encoder *encoder, bool packed) {
    struct fl_payload *payload = &encoder->payload;
    fl_payload_begin(payload, encoder->rows, encoder->keys);
    flowdb_status status = finish_values(encoder);
    if (status == FLOWDB_OK)
        status = fl_payload_keys(payload, encoder->key_bytes.data, encoder->key_ends, encoder->keys,
                                 encoder->prefix, packed, encoder->scratch);
    if (status == FLOWDB_OK && encoder->keys < encoder->rows)
        status = fl_payload_ints(payload, FL_COLUMN_RUNS, encoder->run_sizes, encoder->keys);
    if (status == FLOWDB_OK)
        status = finish_ramp(encoder, encoder->ts, FL_COLUMN_TS, FL_COLUMN_TS_FIRST);
    if (status == FLOWDB_OK)
        status = finish_ramp(encoder, encoder->seq, FL_COLUMN_SEQ, FL_COLUMN_SEQ_FIRST);
    if (status == FLOWDB_OK)
        status = finish_expire(encoder);
    if (status == FLOWDB_OK && encoder->deletes_any) {
        status = fl_buffer_append(&payload->raw, encoder->deletes, (encoder->rows + 7) / 8);
        if (status == FLOWDB_OK)
            fl_payload_column(payload, FL_COLUMN_DELETES, 0);
    }
    return status;
}

static void summarise(const struct fl_block_encoder *encoder, struct fl_block_summary *summary) {
    int64_t first = (int64_t)encoder->ts[0], low = first, high = first;
    int64_t soonest = (int64_t)encoder->expire[0], latest = soonest;
    for (uint32_t row = 1; row < encoder->rows; row++) {
        low = FL_MIN(low, (int64_t)encoder->ts[row]);
        high = FL_MAX(high, (int64_t)encoder->ts[row]);
        soonest = FL_MIN(soonest, (int64_t)encoder->expire[row]);
        latest = FL_MAX(latest, (int64_t)encoder->expire[row]);
    }
    *summary = (struct fl_block_summary){.rows = encoder->rows,
                                         .first_ts = first,
                                         .min_ts = low,
                                         .max_ts = high,
                                         .min_expire_at = soonest,
                                         .max_expire_at = latest};
}

flowdb_status fl_block_encoder_finish(struct fl_block_encoder *encoder, struct fl_packer *packer,
                                      struct fl_buffer *out, size_t *frame_size,
                                      struct fl_block_summary *summary) {
    struct fl_block_summary found;
    summarise(encoder, &found);
    flowdb_status status = finish_columns(encoder, packer->codec != FL_CODEC_NONE);
    if (status == FLOWDB_OK)
        status = fl_payload_finish(&encoder->payload, packer, FL_FRAME_DATA, out, frame_size);
    if (status != FLOWDB_OK)
        return status;
    encoder->rows = encoder->keys = 0;
    encoder->key_bytes.size = 0;
    *summary = found;
    return FLOWDB_OK;
}
