/*
 * What the database should hold: every version of every record, in the order of their writing. An
 * answer at any point of that order can be computed again later, which is how open iterators are
 * judged.
 */
#ifndef MODEL_REFERENCE_H
#define MODEL_REFERENCE_H

#include "world.h"

struct reference_version {
    uint64_t seq;
    uint64_t operation; /* the number of the operation that wrote it */
    uint64_t value;     /* see world.h */
    int64_t expire_at;
    bool deleted;
};

struct reference_cell {
    struct reference_version *versions; /* ascending seq */
    size_t count, capacity;
};

/* A delete_range that covers a key. */
struct reference_cover {
    uint64_t seq;
    uint64_t operation;
};

struct reference_covers {
    struct reference_cover *covers; /* ascending seq */
    size_t count, capacity;
};

struct reference {
    const struct world *world;
    struct reference_cell cells[WORLD_KEYS][WORLD_TIMES];
    struct reference_covers covers[WORLD_KEYS];
    uint64_t seq;        /* the last one given out */
    uint64_t oldest_seq; /* no view is older: what only older ones could see may be dropped */
};

/*
 * What a read sees: everything up to `seq`, expiry judged at `now`.
 *
 * After a clock went back by more than a day and the database was reopened, what expired in between
 * is alive again, unless it was removed for good while its time had come. Such a version may be
 * there or not; what it hides stays hidden either way.
 */
struct reference_view {
    uint64_t seq;
    int64_t now;
    uint64_t doubtful_seq;  /* of versions up to this one */
    int64_t doubtful_until; /* those may be gone that expire up to here */
};

void reference_init(struct reference *reference, const struct world *world);
void reference_deinit(struct reference *reference);

void reference_put(struct reference *reference, unsigned key, unsigned time, int64_t expire_at,
                   uint64_t value, uint64_t operation);
void reference_delete(struct reference *reference, unsigned key, unsigned time, uint64_t operation);
/* Covers the keys in [start, end); an empty slice is no bound. */
void reference_delete_range(struct reference *reference, flowdb_slice start, flowdb_slice end,
                            uint64_t operation);

/* The live version that the view sees, or NULL. Valid until the next write. */
const struct reference_version *reference_find(const struct reference *reference, unsigned key,
                                               unsigned time, struct reference_view view);

/* May a version that reference_find gave be gone as well? */
bool reference_is_doubtful(const struct reference_version *version, struct reference_view view);

/* What a scan covers, in the model's own words. */
struct reference_range {
    flowdb_slice prefix, key_start, key_end; /* empty: no bound */
    int64_t ts_start, ts_end;
};

/* An iterator over a view. */
struct reference_cursor {
    const struct reference *reference;
    struct reference_view view;
    bool inside_key[WORLD_KEYS];
    bool inside_time[WORLD_TIMES];
    bool reverse;
    size_t limit, returned;
    int position;    /* the next (key, time) to look at, as key * WORLD_TIMES + time */
    int current_key; /* of the record returned last, or -1 */
};

void reference_cursor_init(struct reference_cursor *cursor, const struct reference *reference,
                           struct reference_view view, const struct reference_range *range,
                           bool reverse, size_t limit);
/* False at the end. */
bool reference_cursor_next(struct reference_cursor *cursor, unsigned *key, unsigned *time,
                           const struct reference_version **version);
bool reference_cursor_next_key(struct reference_cursor *cursor, unsigned *key, unsigned *time,
                               const struct reference_version **version);
/* The record that was returned last is not there after all, so it does not count. */
void reference_cursor_uncount(struct reference_cursor *cursor);
void reference_cursor_seek(struct reference_cursor *cursor, flowdb_slice key, int64_t ts);

#endif
