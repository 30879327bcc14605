/*
 * What the database must hold: the state after each of the writes that were made, all of them kept,
 * so that what a crash left can be compared with any moment of the past.
 */
#ifndef TESTS_SIM_ORACLE_H
#define TESTS_SIM_ORACLE_H

#include <flowdb/flowdb.h>

#include "support/seeded.h"

enum { ORACLE_KEYS = 7, ORACLE_TIMES = 5, ORACLE_CELLS = ORACLE_KEYS * ORACLE_TIMES };
enum { ORACLE_UNBOUNDED = ORACLE_KEYS, ORACLE_ENTRIES = 8 };

/* About when it all happens. */
#define ORACLE_NOW INT64_C(1700000000000000)
#define ORACLE_HOUR INT64_C(3600000000)

/* One entry of a write. */
struct oracle_entry {
    enum { ORACLE_PUT, ORACLE_DELETE, ORACLE_DELETE_RANGE } kind;
    unsigned key, time, key_end; /* of a range: ORACLE_UNBOUNDED on either side for no bound */
    uint32_t value;              /* a number from which size and bytes follow; never 0 */
    int64_t expire_at;
};

/* The newest version of one (key, ts), expired or not. */
struct oracle_cell {
    uint32_t value; /* 0: there is none */
    int64_t expire_at;
    bool vague; /* nobody can tell: see oracle_settle */
};

struct oracle_state {
    struct oracle_cell cells[ORACLE_CELLS];
};

struct oracle {
    struct oracle_state *states; /* the first is empty */
    size_t count, room;
};

void oracle_init(struct oracle *oracle);
void oracle_deinit(struct oracle *oracle);
/* The states up to `last`, so that another future can follow on them. */
void oracle_copy(const struct oracle *from, size_t last, struct oracle *into);
/* Forgets the states behind `last` and adds one: that one, with the entries applied. */
void oracle_push(struct oracle *oracle, size_t last, const struct oracle_entry *entries,
                 size_t count, int64_t default_ttl_us);

flowdb_slice oracle_key(unsigned key);
int64_t oracle_time(unsigned time);
/* Of a value with this number; large ones fill a memtable of 1 MiB with a few, decimal ones are the
   numbers that most series hold. */
enum oracle_size { ORACLE_SMALL, ORACLE_MEDIUM, ORACLE_LARGE, ORACLE_DECIMAL };
uint32_t oracle_value(uint32_t number, enum oracle_size size);
enum { ORACLE_VALUE_MAX = 300000 };
/* The bytes of a value; they last until the program ends. */
flowdb_slice oracle_bytes(uint32_t value);

/* What one record says, and where: the cell's number is its key's times ORACLE_TIMES and its time's.
   False, and a line on stderr, where it is none that was ever written. */
bool oracle_read_record(const flowdb_record *record, unsigned *cell, struct oracle_cell *into);
/* What was read: every record, as cells. False, and a line on stderr, where a record is none that was
   ever written, or out of order. */
bool oracle_read(const flowdb_result *found, struct oracle_state *into);
/* What the database takes for the time, and the latest time for which it may have removed what had
   expired: the clock may have been set back since. */
struct oracle_time {
    int64_t now_us, purged_us;
};
/* Is that what there is to see of the cell, or of the state, at that time? */
bool oracle_cell_matches(const struct oracle_cell *cell, const struct oracle_cell *found,
                         const struct oracle_time *time);
bool oracle_matches(const struct oracle_state *state, const struct oracle_state *found,
                    const struct oracle_time *time);
/* The oldest and the youngest of the states from `low` to `high` that match. False where none does. */
struct oracle_match {
    size_t oldest, youngest;
};
bool oracle_find(const struct oracle *oracle, size_t low, size_t high,
                 const struct oracle_state *found, const struct oracle_time *time,
                 struct oracle_match *match);
/* The youngest is what there is, and none follow on it. Where several match, they differ in what
   cannot be seen now, but might be when the clock is set back: those cells may hold anything until
   they are written again. */
void oracle_settle(struct oracle *oracle, const struct oracle_match *match);
/* Says on stderr how they differ. */
void oracle_explain(const struct oracle_state *state, const struct oracle_state *found,
                    const struct oracle_time *time);

#endif
