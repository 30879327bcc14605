/* A source over an array of rows, which can be told to fail. */
#ifndef TESTS_UNIT_MERGE_ARRAY_SOURCE_H
#define TESTS_UNIT_MERGE_ARRAY_SOURCE_H

#include <stdint.h>

#include "merge/source.h"

struct array_source {
    struct fl_source base;
    const struct fl_row *rows; /* in ascending order; borrowed */
    size_t count, at;
    bool reverse;
    uint64_t calls;   /* seeks and nexts */
    uint64_t fail_at; /* the call that fails, from 1; 0: none */
    unsigned closed;
};

/* The merge's close only marks it: the struct is the test's. */
void array_source_init(struct array_source *source, const struct fl_row *rows, size_t count,
                       bool reverse);

/* (key, ts), ascending. */
int compare_rows(const struct fl_row *a, const struct fl_row *b);

#endif
