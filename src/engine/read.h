/* Finding one record. */
#ifndef FL_ENGINE_READ_H
#define FL_ENGINE_READ_H

#include "engine/engine.h"

/* Keeps a found row's bytes alive. Zero-initialised; release it when done. */
struct fl_found {
    struct fl_row row;
    struct fl_table_pin pin;
};
void fl_found_release(struct fl_found *found);

/*
 * The live record of (key, ts) in a version, as the snapshot `seq` sees it; FLOWDB_NOT_FOUND if
 * there is none. The version must outlive *found.
 */
flowdb_status fl_engine_find(flowdb *db, const struct fl_version *version, uint64_t seq,
                             flowdb_slice key, int64_t ts, struct fl_found *found);

#endif
