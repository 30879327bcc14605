/*
 * Data blocks: rows as columns. A decoded block is a few arrays in one allocation, immutable and
 * reference-counted, that scans walk and searches probe without parsing; rows point into it.
 */
#ifndef FL_TABLE_BLOCK_H
#define FL_TABLE_BLOCK_H

#include <stdatomic.h>

#include "base/coding.h"
#include "cache/cache.h"
#include "table/columns.h"
#include "table/numbers.h"

#define FL_BLOCK_ROWS 4096      /* a builder ends a block here */
#define FL_BLOCK_ROWS_MAX 65536 /* what a reader accepts */

/*
 * A number for each row without an array where there is a rule: base + row * step, or, with
 * `by_run`, the run's first number + (row - the run's first row) * step.
 */
struct fl_ramp {
    const uint64_t *array;  /* by row; NULL: by the rule */
    const uint64_t *firsts; /* with by_run: by key; NULL: base + key * first_step */
    uint64_t base, step, first_step;
    bool by_run;
};

struct fl_block {
    struct fl_cached cached; /* first: blocks are what the cache holds */
    const struct fl_alloc *alloc;
    uint32_t rows, keys;
    size_t memory; /* bytes of the allocation */
    /* Keys, whole, one behind the other, with 8 readable bytes behind the last; all start with the
       same key_prefix bytes. */
    const uint8_t *key_bytes;
    const uint32_t *key_offsets; /* keys + 1; NULL: all have key_size bytes */
    uint32_t key_size, key_prefix;
    const uint32_t *run_starts; /* keys + 1; NULL: run_size rows each */
    uint32_t run_size;
    struct fl_ramp ts, seq, expire;
    const uint8_t *deletes; /* bits by row; NULL: all are puts */
    const uint8_t *value_bytes;
    const uint32_t *value_offsets; /* rows + 1; NULL: value_size bytes each, value_stride apart */
    uint32_t value_size, value_stride;
    /* Signed mantissas, of which values are the text; NULL: all values are bytes. With them the
       values above are those of the odd rows, by their place among these. */
    const struct fl_ramp *numbers;
    struct fl_decimal_form form;
    const uint8_t *odd_rows; /* u16 each, ascending */
    uint32_t odd_count;
};

/* Decodes a frame of a data block; reports no file or offset. *block has one reference. */
flowdb_status fl_block_decode(const struct fl_alloc *alloc, struct fl_unpacker *unpacker,
                              const struct fl_frame *frame, struct fl_block **block);
void fl_block_ref(struct fl_block *block);
static inline void fl_block_unref(struct fl_block *block) { /* NULL is fine */
    if (block != NULL)
        fl_cached_unref(&block->cached);
}
void fl_block_destroy(struct fl_cached *cached);

static inline flowdb_slice fl_block_key(const struct fl_block *block, size_t key) {
    if (block->key_offsets == NULL)
        return flowdb_bytes(block->key_bytes + key * block->key_size, block->key_size);
    uint32_t start = block->key_offsets[key];
    return flowdb_bytes(block->key_bytes + start, block->key_offsets[key + 1] - start);
}

/* The first row of the key; that of the key behind the last is `rows`. */
static inline uint32_t fl_block_run(const struct fl_block *block, size_t key) {
    return block->run_starts != NULL ? block->run_starts[key] : (uint32_t)key * block->run_size;
}

/* The rule for the rows of one run, as base + row * step. */
static inline uint64_t fl_ramp_run_base(const struct fl_ramp *ramp, size_t key, uint32_t run) {
    if (!ramp->by_run)
        return ramp->base;
    uint64_t first = ramp->firsts != NULL ? ramp->firsts[key] : ramp->base + key * ramp->first_step;
    return first - ramp->step * run;
}

static inline uint64_t fl_ramp_at(const struct fl_ramp *ramp, size_t key, uint32_t run,
                                  uint32_t row) {
    return ramp->array != NULL ? ramp->array[row]
                               : fl_ramp_run_base(ramp, key, run) + row * ramp->step;
}

static inline enum fl_op fl_block_op(const struct fl_block *block, uint32_t row) {
    if (block->deletes == NULL)
        return FL_OP_PUT;
    return (block->deletes[row / 8] >> (row % 8)) & 1 ? FL_OP_DELETE : FL_OP_PUT;
}

/* The value of a row of a block without decimals; of an odd row in one with them. */
static inline flowdb_slice fl_block_bytes(const struct fl_block *block, uint32_t row) {
    if (block->value_offsets == NULL)
        return flowdb_bytes(block->value_bytes + (size_t)row * block->value_stride,
                            block->value_size);
    uint32_t start = block->value_offsets[row];
    return flowdb_bytes(block->value_bytes + start, block->value_offsets[row + 1] - start);
}

/* The first key at or above `key`; block->keys where there is none. */
uint32_t fl_block_find_key(const struct fl_block *block, flowdb_slice key);
/* The first row of the key's run at or above `ts`; the run's end where there is none. */
uint32_t fl_block_find_ts(const struct fl_block *block, uint32_t key, int64_t ts);
/* The row's value as a number, mantissa / 10^block->form.scale; false where it is not known as one. */
bool fl_block_number(const struct fl_block *block, uint32_t key, uint32_t row, int64_t *mantissa);
/* The row without its key. Its value lies in the block or, where the block has decimals, in *text. */
void fl_block_row(const struct fl_block *block, uint32_t key, uint32_t row, struct fl_row *out,
                  struct fl_decimal_text *text);
/* The values of `count` rows from `row` on, whose numbers are given; of deletes they mean nothing. */
void fl_block_texts(const struct fl_block *block, uint32_t row, const uint64_t *numbers,
                    size_t count, struct fl_decimal_texts *texts);

/* ---- encoding ---- */

/* Guesses what a column of integers will take: differences that repeat are free. */
struct fl_ints_guess {
    uint64_t value, slope;             /* of the row before */
    uint64_t first_value, first_slope; /* of the first row of the run before */
    uint64_t bits;
};

/* What an index says of a block. */
struct fl_block_summary {
    uint32_t rows;
    int64_t first_ts, min_ts, max_ts;
    int64_t min_expire_at, max_expire_at; /* of all rows */
};

/* Collects rows in order and turns them into a frame. */
struct fl_block_encoder {
    uint32_t block_size, rows, keys;
    bool deletes_any, values_equal, values_fixed;
    size_t prefix; /* bytes that all keys have in common */
    struct fl_ints_guess guesses[4];
    struct fl_buffer key_bytes; /* whole keys */
    struct fl_payload payload;  /* its raw bytes begin with the values; one while all are equal */
    void *memory;               /* of the arrays */
    uint64_t *ts, *seq, *expire, *value_sizes; /* by row */
    struct fl_numbers numbers;
    uint64_t *run_sizes; /* by key */
    uint64_t *scratch, *scratch_firsts;
    uint32_t *key_ends;
    uint8_t *deletes;
};

flowdb_status fl_block_encoder_init(struct fl_block_encoder *encoder, const struct fl_alloc *alloc,
                                    uint32_t block_size);
void fl_block_encoder_deinit(struct fl_block_encoder *encoder);
/*
 * Adds a row behind the ones before; `same_key` says that its key is the last one's. Where the
 * block is full *added is false and nothing has changed: finish it and add again.
 */
flowdb_status fl_block_encoder_add(struct fl_block_encoder *encoder, const struct fl_row *row,
                                   bool same_key, bool *added);
/* The keys of the first and the last row; there is one. Valid until something is added. */
flowdb_slice fl_block_encoder_first_key(const struct fl_block_encoder *encoder);
flowdb_slice fl_block_encoder_last_key(const struct fl_block_encoder *encoder);
/* Bytes of encoded columns so far, roughly. */
size_t fl_block_encoder_size(const struct fl_block_encoder *encoder);
/* Appends the frame, unsealed, and empties the encoder. At least one row was added. After a failure
   of this or of adding, the encoder can only be given up. */
flowdb_status fl_block_encoder_finish(struct fl_block_encoder *encoder, struct fl_packer *packer,
                                      struct fl_buffer *out, size_t *frame_size,
                                      struct fl_block_summary *summary);

#endif
