/* Decimal integers, read strictly and written. */
#ifndef FL_TEXT_NUMBER_H
#define FL_TEXT_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/output.h"

enum fl_number_status {
    FL_NUMBER_OK,
    FL_NUMBER_MALFORMED,   /* not an optional '-' and one or more digits */
    FL_NUMBER_OUT_OF_RANGE /* beyond int64 */
};

enum fl_number_status fl_number_parse(const char *text, size_t size, int64_t *number);
/* The longest has so many characters. */
enum { FL_NUMBER_SIZE = 20 };
/* Writes at `at`, which has room for FL_NUMBER_SIZE; returns where it ends. */
char *fl_number_write(char *at, int64_t number);
void fl_number_append(struct fl_output *output, int64_t number);

#endif
