/*
 * A column of 64-bit numbers in as few bytes as its shape allows. docs/formats/sstable.md has the
 * bytes. All arithmetic is modulo 2^64: signed, unsigned and wrapping columns are the same to it.
 *
 * The number of values, the encoding and the number of bytes are stored by whoever stores the
 * column. Readers accept any bytes: what they return for damaged ones is either refused or
 * arbitrary numbers, never a read out of bounds.
 */
#ifndef FL_TABLE_INTS_H
#define FL_TABLE_INTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Part of the format. */
enum fl_ints_encoding {
    FL_INTS_CONSTANT = 0,     /* all values are the same */
    FL_INTS_AFFINE = 1,       /* base + i * step */
    FL_INTS_PACKED = 2,       /* groups of values, bit-packed above the group's least */
    FL_INTS_DELTAS = 3,       /* the same for the differences of neighbours */
    FL_INTS_DELTA_DELTAS = 4, /* the same for the differences of differences */
    FL_INTS_STEPS = 5, /* groups of differences of which most are one step; the others by place */
    FL_INTS_LAST = FL_INTS_STEPS
};

#define FL_INTS_GROUP ((size_t)128) /* values that share a bit width: one outlier costs no more */

/* The most bytes that `count` values can take. */
size_t fl_ints_bound(size_t count);

/* The bytes that `count` (at least 1) values take in the encoding that makes them smallest. */
size_t fl_ints_measure(const uint64_t *values, size_t count, enum fl_ints_encoding *encoding);
/* Writes them in the encoding that fl_ints_measure found; `out` has fl_ints_bound(count) bytes.
   Returns the bytes used. */
size_t fl_ints_encode(const uint64_t *values, size_t count, enum fl_ints_encoding encoding,
                      uint8_t *out);

/* Is it base + i * step, so that nobody needs the values one by one? */
static inline bool fl_ints_is_affine(uint8_t encoding) {
    return encoding <= FL_INTS_AFFINE;
}

/* Reads a CONSTANT or AFFINE column; false where the bytes are not one. */
bool fl_ints_decode_affine(uint8_t encoding, const uint8_t *bytes, size_t size, uint64_t *base,
                           uint64_t *step);

/* Reads all of `count` values; false where the bytes are not a column of so many. */
bool fl_ints_decode(uint8_t encoding, const uint8_t *bytes, size_t size, uint64_t *values,
                    size_t count);

/* Reads a column a group at a time. */
struct fl_ints_reader {
    const uint8_t *at, *end;
    size_t left;           /* values still to come */
    uint64_t value, slope; /* running sums of the delta encodings; base and step of an affine one */
    uint8_t encoding;
};

bool fl_ints_reader_init(struct fl_ints_reader *reader, uint8_t encoding, const uint8_t *bytes,
                         size_t size, size_t count);
/* The next min(FL_INTS_GROUP, left) values, *got of them: 0 at the end. False where damaged; the
   last group also fails where bytes are left over. */
bool fl_ints_reader_next(struct fl_ints_reader *reader, uint64_t *values, size_t *got);

#endif
