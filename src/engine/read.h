/* Finding one record. */
#ifndef FL_ENGINE_READ_H
#define FL_ENGINE_READ_H

#include "engine/engine.h"

/* Keeps a found row's bytes alive. Zero-initialised; release it when done. */
struct fl_found {
    struct fl_row row;
    struct fl_table_pin pin;
};
static inline void fl_found_release(struct fl_found *found) {
    if (found->pin.block != NULL)
        fl_table_pin_release(&found->pin);
}
/* Overwrites *to. A value that lies in the pin goes with it. */
void fl_found_move(struct fl_found *to, const struct fl_found *from);

/*
 * The live record of (key, ts) in a version, as the snapshot `seq` sees it; FLOWDB_NOT_FOUND if
 * there is none. The version must outlive *found, which needs no initialising and is released
 * unless the answer is FLOWDB_OK.
 */
flowdb_status fl_engine_find(flowdb *db, const struct fl_version *version, uint64_t seq,
                             flowdb_slice key, int64_t ts, struct fl_found *found);
/* The largest sequence number of a range tombstone that covers the key; 0 if none does. */
flowdb_status fl_engine_covering_seq(const struct fl_version *version, flowdb_slice key,
                                     uint64_t seq, uint64_t *covering);
/* Is the newest version of a (key, ts) a live record? */
bool fl_engine_is_live(flowdb *db, const struct fl_row *newest, uint64_t covering);
flowdb_status fl_engine_check_read(const flowdb *db, flowdb_slice key, const flowdb_result *out);

#endif
