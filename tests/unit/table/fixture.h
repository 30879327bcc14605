/* What the tests of tables share: a folder, rows to put into tables, and checks against them. */
#ifndef TESTS_UNIT_TABLE_FIXTURE_H
#define TESTS_UNIT_TABLE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/failing_alloc.h"
#include "support/scratch.h"
#include "support/seeded.h"
#include "table/table.h"

#define TABLE_ID UINT64_C(0x1122334455667788)

/* Rows in (key, ts) order; their bytes are in an arena that lives as long as they do. */
struct rows {
    struct fl_row *rows;
    size_t count, capacity;
    void **pieces;
    size_t piece_count;
};

void rows_free(struct rows *rows);
/* A copy of the bytes, with a NUL behind them, that lives as long as the rows. */
flowdb_slice rows_keep(struct rows *rows, const void *bytes, size_t size);
/* Copies the row behind the ones that are there. */
void rows_add(struct rows *rows, struct fl_row row);
/* A put that never expires, with strings. */
void rows_put(struct rows *rows, const char *key, int64_t ts, uint64_t seq, const char *value);

static inline uint64_t pick(struct seeded *dice, uint64_t bound) {
    return seeded_next(dice) % bound;
}

/* How random rows look. */
struct recipe {
    size_t keys, rows_per_key; /* at most so many rows */
    bool regular;              /* time and sequence numbers in arrival order of regular series */
    size_t value_size_max;     /* 0: all empty */
    bool fixed_values, same_value;
    unsigned delete_percent;
    bool expires;
    bool long_keys; /* of up to some hundred bytes, with shared starts, zeros and 0xFF */
};
void rows_random(struct rows *rows, struct seeded *dice, const struct recipe *recipe);

/* A folder of its own, and an environment on the real file system. */
struct fixture {
    char folder[SCRATCH_PATH];
    char path[SCRATCH_PATH]; /* of a table in it */
    struct failing_alloc alloc;
    struct fl_env env;
};

int fixture_set_up(void **state);
/* Removes the folder; fails if memory leaked. */
int fixture_tear_down(void **state);

struct fl_table_options fixture_options(uint32_t block_size, enum fl_codec codec);
/* Builds the table at fixture->path, replacing what is there. */
flowdb_status fixture_build(struct fixture *fixture, const struct rows *rows,
                            const struct fl_table_options *options,
                            struct fl_table_properties *properties);
/* Builds and opens; fails the test if either does. */
struct fl_table *fixture_table(struct fixture *fixture, const struct rows *rows,
                               const struct fl_table_options *options);
extern const struct fl_table_read read_all; /* verifying */

void assert_row(const struct fl_row *row, const struct fl_row *expected);
/* Up to a thousand rows of the table, and absent neighbours of them, by fl_table_get. */
void check_gets(struct fl_table *table, const struct rows *rows);
/* A scan with the bounds, sought from (key, ts), against the rows one by one. */
void check_scan(struct fl_table *table, const struct rows *rows, const struct fl_bounds *bounds,
                flowdb_slice key, int64_t ts);
struct fl_bounds bounds_all(bool reverse);

#endif
