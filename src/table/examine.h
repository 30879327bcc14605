/*
 * Reading a table without trusting it: each frame by itself, whatever became of the others. For
 * verify, which wants to know all that is wrong, and for repair, which wants what is still good.
 *
 * Every frame's checksum is seeded with the table's number and the frame's place, so that frames can
 * be found by looking for them, byte by byte, where what leads to them is damaged.
 */
#ifndef FL_TABLE_EXAMINE_H
#define FL_TABLE_EXAMINE_H

#include "table/table.h"

/* Who is told what is found. */
struct fl_examiner {
    void *context;
    /* Something is wrong at the offset. */
    void (*damage)(void *context, uint64_t offset, const char *what);
    /* A row of a data block that is whole, above the one before. NULL: not wanted. What it returns,
       unless FLOWDB_OK, ends the examination; never FLOWDB_CORRUPTION. */
    flowdb_status (*row)(void *context, const struct fl_row *row);
    /* The range tombstones, once, where there are any and they are whole. As above. */
    flowdb_status (*tombstones)(void *context, const struct fl_range_tombstone *tombstones,
                                size_t count);
};

struct fl_examined {
    uint64_t damages;   /* that were reported */
    uint64_t row_count; /* in good blocks */
    uint64_t max_seq;   /* of good blocks and tombstones */
    bool
        tombstones_lost; /* there were range tombstones, or may have been, and they are not whole */
};

/*
 * Reads every byte of the file at `path`. FLOWDB_OK once that is done, whatever was found; bytes
 * that cannot be read are damage too. FLOWDB_UNSUPPORTED where it verifies but is of a newer format.
 * Other failures are about opening the file, or memory. *examined is set in any case.
 */
flowdb_status fl_table_examine(const struct fl_env *env, const char *path, uint64_t table_id,
                               const struct fl_examiner *examiner, struct fl_examined *examined);

/* A key for people to read: what is not printable as \xNN, cut where it is long. */
#define FL_SHOWN_KEY 100
const char *fl_show_key(flowdb_slice key, char out[FL_SHOWN_KEY]);

#endif
