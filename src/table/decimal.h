/*
 * Decimal text as a number: mantissa / 10^scale. Only text that the number gives back byte for byte
 * counts as decimal: no plus, no exponent, no "-0", no zeros in front but the one before a point,
 * digits on both sides of the point.
 *
 * Programs print numbers in two ways: with so many digits behind the point, always ("12.50"), or
 * with as many as it takes ("12.5", "13"). The form says which.
 */
#ifndef FL_TABLE_DECIMAL_H
#define FL_TABLE_DECIMAL_H

#include "base/row.h"

#define FL_DECIMAL_DIGITS 18    /* of text that is taken: any of so many fits an int64_t */
#define FL_DECIMAL_SCALE_MAX 18 /* that can be written */
#define FL_DECIMAL_MAX (UINT64_C(1000000000000000000) - 1) /* the largest magnitude of 18 digits */

struct fl_decimal {
    int64_t mantissa;
    uint8_t scale; /* digits behind the point */
    bool trimmed;  /* the last of them, if there are any, is no zero */
};

/* How the text of a number looks. */
struct fl_decimal_form {
    uint8_t scale; /* at most FL_DECIMAL_SCALE_MAX */
    bool trimmed;  /* zeros at the end are left out, and a point with nothing behind it */
};

#define FL_DECIMAL_ROOM 24  /* sign, 19 digits, a zero in front and a point; and room to spare */
#define FL_DECIMAL_SLACK 8  /* bytes behind many texts that writing them may touch */
#define FL_DECIMAL_TEXTS 64 /* that are written at a time */

struct fl_decimal_text {
    char bytes[FL_DECIMAL_ROOM];
};

struct fl_decimal_texts {
    flowdb_slice values[FL_DECIMAL_TEXTS];
    char bytes[FL_DECIMAL_TEXTS * FL_DECIMAL_ROOM + FL_DECIMAL_SLACK];
};

/* 10^power; at most 18. */
uint64_t fl_decimal_power(unsigned power);
/* False where `text` is not decimal. */
bool fl_decimal_parse(flowdb_slice text, struct fl_decimal *decimal);
/* The text of any mantissa; it lies in *text. */
flowdb_slice fl_decimal_format(int64_t mantissa, struct fl_decimal_form form,
                               struct fl_decimal_text *text);
/* The texts of `count` mantissas, at most FL_DECIMAL_TEXTS: texts->values, which lie in *texts. */
void fl_decimal_format_all(const uint64_t *mantissas, size_t count, struct fl_decimal_form form,
                           struct fl_decimal_texts *texts);

#endif
