/*
 * The values of a block as numbers of one form, collected beside their bytes while the block is
 * filled: at its end whichever is smaller is stored. A value that is no such number is an odd one: its
 * row is noted, and its bytes will be kept beside the numbers.
 */
#ifndef FL_TABLE_NUMBERS_H
#define FL_TABLE_NUMBERS_H

#include "base/bytes.h"
#include "table/decimal.h"

/* Zeroed but for the arrays, which the owner has: as long as its blocks may be. */
struct fl_numbers {
    uint64_t *values; /* by row; an odd row and a delete have the number of the row before */
    uint16_t *odd;    /* rows, ascending */
    uint32_t odd_count;
    size_t odd_bytes;    /* of their values */
    bool any;            /* there is a number, so that the rest has a meaning */
    bool fixed, trimmed; /* forms that all numbers fit: one or both */
    uint8_t scale;
    uint64_t largest; /* magnitude */
};

/* What a row would be. */
struct fl_number {
    uint64_t value;
    uint8_t scale;
    uint8_t grows; /* digits that all numbers before it must get behind theirs */
    bool known;    /* it is a number; else a delete, or odd */
    bool odd, fixed, trimmed;
};

void fl_numbers_clear(struct fl_numbers *numbers);
/* Says what the row would be; `before` is the number of the row before it. */
void fl_numbers_offer(const struct fl_numbers *numbers, const struct fl_row *row, uint64_t before,
                      struct fl_number *number);
/* Takes what was offered last as row `at`, the next one. */
void fl_numbers_take(struct fl_numbers *numbers, uint32_t at, const struct fl_number *number,
                     size_t value_size);
#define FL_ODD_SIZE ((size_t)3) /* bytes that an odd row takes besides its value, roughly */
/* The bytes that odd rows take besides the numbers. */
static inline size_t fl_numbers_odd_size(const struct fl_numbers *numbers) {
    return numbers->odd_bytes + FL_ODD_SIZE * numbers->odd_count;
}

#endif
