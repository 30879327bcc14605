/*
 * The model test: random operations on the engine and on the reference table, compared at every
 * step. One seed is one sequence of operations.
 *
 * It goes in lives. A life has a directory, keys and timestamps of its own and is reopened many
 * times, each time with another configuration.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <stdio.h>

#include "reference.h"

enum {
    MODEL_SNAPSHOTS = 6,
    MODEL_BATCH = 40,
    MODEL_SLICE_BYTES = WORLD_KEY_BYTES + 8,
    MODEL_EVENTS = 32,
    MODEL_LOG_BYTES = 512
};

/* An iterator that stays open across other operations. */
struct snapshot {
    flowdb_iterator *iterator; /* NULL: the place is free */
    struct reference_cursor cursor;
    uint64_t opened_at; /* the number of the operation */
};

/* Something that concerns every key, remembered for the trace. */
struct event {
    uint64_t operation;
    const char *what;
};

struct model {
    struct random random;
    uint64_t seed, operation, operations;

    struct world world;
    struct reference reference;
    int64_t now; /* expiry is chosen far from it on either side */

    char directory[256];
    flowdb *db;
    flowdb_config config;
    uint64_t life_operations;
    uint64_t life_cost;       /* what this life has put on disk, roughly, in tables */
    uint64_t life_cost_bytes; /* and what is not a table's worth yet */
    uint64_t life_cost_max;   /* a life ends here */

    struct snapshot snapshots[MODEL_SNAPSHOTS];
    struct event events[MODEL_EVENTS]; /* a ring */
    size_t event_count;
    char last_log[MODEL_LOG_BYTES]; /* the engine's last line at warning or above */

    uint8_t *values; /* room for the values of one batch */
    size_t values_used;
    uint8_t expected_value[WORLD_VALUE_BYTES];
};

/* --- life.c: directories, opening, reopening */
void model_begin_life(struct model *model);
void model_end_life(struct model *model);
void model_reopen(struct model *model);
void model_event(struct model *model, const char *what);

/* --- check.c: each prints what differs, with a trace, and ends the program */
void model_expect_status(struct model *model, flowdb_status expected, flowdb_status got,
                         const char *what);
/* `version` NULL: not found was expected. */
void model_expect_result(struct model *model, unsigned key, unsigned time,
                         const struct reference_version *version, flowdb_status status,
                         const flowdb_result *result, const char *what);
void model_expect_record(struct model *model, unsigned key, unsigned time,
                         const struct reference_version *version, const flowdb_record *record,
                         const char *what);
/* One step of both iterators. False at their common end. */
bool model_expect_step(struct model *model, flowdb_iterator *iterator,
                       struct reference_cursor *cursor, bool next_key, const char *what);
/* Compares everything, by every way of reading. */
void model_check_all(struct model *model);
void model_fail(struct model *model, const char *what) __attribute__((noreturn));

/* --- choose.c: the random parts of operations */
unsigned model_choose_key(struct model *model);
unsigned model_choose_time(struct model *model);
/* The value's bytes, until model_values_clear. */
flowdb_slice model_value(struct model *model, uint64_t value);
void model_values_clear(struct model *model);
/* Bytes near the keys of this world: one of them, a part of one, a neighbour, or none. */
flowdb_slice model_choose_slice(struct model *model, uint8_t bytes[MODEL_SLICE_BYTES]);
struct choice_range {
    flowdb_range range;
    struct reference_range reference;
    uint8_t bytes[2][MODEL_SLICE_BYTES];
};
void model_choose_range(struct model *model, struct choice_range *choice);
flowdb_read_options model_choose_options(struct model *model);
struct reference_view model_view(const struct model *model);
/* The expiry that the engine stores, or false: it must refuse the record. */
bool model_resolve_expiry(const struct model *model, int64_t ts, int64_t *expire_at);

/* --- operations: a table with weights, drawn from at random */
struct operation {
    const char *name;
    uint32_t weight;
    void (*run)(struct model *model);
};
/* Each ends with a NULL name. */
extern const struct operation write_operations[], read_operations[], snapshot_operations[],
    maintenance_operations[];

void snapshots_finish_all(struct model *model);

#endif
