/*
 * An iterator of the engine beside the state of the oracle that it must read: the state there was when
 * it was opened, whatever has been done since. Each step of the one is held against the other.
 */
#ifndef FUZZ_OPERATIONS_VIEW_H
#define FUZZ_OPERATIONS_VIEW_H

#include "fuzz/common/bytes.h"
#include "sim/life.h"

struct view {
    flowdb_iterator *iterator; /* NULL: none */
    struct oracle_state state;
    struct oracle_time time;
    bool inside[ORACLE_CELLS]; /* the range */
    bool reverse;
    size_t limit, returned;
    int at;  /* the next cell to look at, in the iterator's order */
    int key; /* of the record that was read last; -1: none since the opening or the last seek */
};

/* Opens an iterator over a range that the bytes choose. */
void view_open(struct view *view, struct life *life, struct bytes *bytes);
/* One step, or a seek first, as the bytes say. False at the end. */
bool view_step(struct view *view, struct bytes *bytes);
/* Reads what is left. */
void view_finish(struct view *view);
void view_close(struct view *view);

/* Point reads of a cell and of a key's latest record, and a query of a range, against the state now. */
void view_get(struct life *life, struct bytes *bytes);
void view_latest(struct life *life, struct bytes *bytes);
void view_query(struct life *life, struct bytes *bytes);

#endif
