/* What is read back at open, before it becomes a running database. */
#ifndef FL_ENGINE_RECOVERY_H
#define FL_ENGINE_RECOVERY_H

#include "engine/engine.h"
#include "wal/wal_reader.h"

struct fl_recovery {
    struct fl_manifest_state state;
    uint64_t manifest_id;
    bool is_new; /* there is no database yet */
    struct fl_id_list wal_files, table_files, manifest_files;
    struct fl_table **tables; /* owned references */
    size_t table_count;
    struct fl_memtable **memtables; /* one for each log, oldest first; owned references */
    size_t memtable_count;
    uint64_t max_id;  /* of all files */
    uint64_t max_seq; /* of tables and logs */
    uint64_t log_seq; /* of the logs so far */
    uint64_t records; /* replayed */
    uint64_t torn_logs;
    uint64_t dropped_logs; /* they hold something, but the chain ends before them */
};

/* Reads everything; changes nothing on disk. Deinit in any case. */
flowdb_status fl_recovery_read(flowdb *db, struct fl_recovery *recovery);
void fl_recovery_deinit(flowdb *db, struct fl_recovery *recovery);
/* Puts a frame's entries into a memtable. */
flowdb_status fl_recovery_apply(flowdb *db, struct fl_memtable *memtable, struct fl_chunk *chunk,
                                const struct fl_wal_frame *frame);
/* Takes the reference on success. */
flowdb_status fl_recovery_add_table(flowdb *db, struct fl_recovery *recovery,
                                    struct fl_table *table);

#endif
