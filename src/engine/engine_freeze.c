/* From one memtable and log to the next. */
#include "engine/engine.h"

/* Ends the old log with the name of the new one; in ALWAYS mode durably, so that what is frozen is
   always visible. */
static flowdb_status seal(flowdb *db, struct fl_log *old, uint64_t next) {
    flowdb_status status = fl_wal_seal(old->writer, next, &db->durable);
    if (status != FLOWDB_OK && fl_wal_broken(old->writer))
        fl_engine_stop_writes(db, "a log could not be cut back after a failed write");
    if (status != FLOWDB_OK || db->config.wal_sync != FLOWDB_SYNC_ALWAYS)
        return status;
    status = fl_engine_sync_log(db, old->writer);
    if (status != FLOWDB_OK)
        return status;
    atomic_store_explicit(&db->visible_seq, db->next_seq - 1, memory_order_release);
    return FLOWDB_OK;
}

/* The version in which the active memtable is frozen and `fresh` is active. */
static void install_frozen(flowdb *db, struct fl_version *now, struct fl_version *next,
                           struct fl_memtable *fresh) {
    struct fl_memtable *frozen[FL_LOGS_MAX];
    size_t count = 0;
    for (; count < now->frozen_count; count++)
        frozen[count] = now->frozen[count];
    frozen[count++] = now->active;
    fl_version_set_memtables(next, fresh, frozen, count);
    fl_engine_install(db, next);
}

/* Makes a hash table of a sixteenth of the memtable, which is seldom outgrown: growing one while
   writing costs more than its memory. */
size_t fl_engine_expected_series(const flowdb *db) {
    return ((size_t)db->config.memtable_size_mb << 20) / 256;
}

/* The numbers of the active memtable and log begin anew. The caller holds commit_lock. */
static void count_freeze(flowdb *db, const struct fl_log *old, const struct fl_log *fresh) {
    struct fl_stats *stats = &db->stats;
    fl_stats_add(&stats->frozen_log_bytes, fl_wal_offset(old->writer));
    fl_stats_set(&stats->active_log_bytes, fl_wal_offset(fresh->writer));
    fl_stats_set(&stats->active_records, 0);
    fl_stats_set(&stats->active_bytes, 0);
}

flowdb_status fl_engine_freeze(flowdb *db) {
    struct fl_log *old = &db->logs[db->log_count - 1];
    struct fl_log log;
    struct fl_memtable *fresh;
    flowdb_status status = fl_engine_next_log(db, &log, &fresh);
    if (status != FLOWDB_OK)
        return status;
    struct fl_version *now = fl_engine_pin(db), *next = NULL;
    /* All that can fail first; the seal is what makes it so. */
    status = fl_version_copy_tables(now, FL_LOGS_MAX, &next);
    if (status == FLOWDB_OK)
        status = seal(db, old, log.id);
    if (status == FLOWDB_OK) {
        install_frozen(db, now, next, fresh);
        count_freeze(db, old, &log);
        db->logs[db->log_count++] = log;
        atomic_store(&db->frozen_count, db->log_count - 1);
        if (db->config.wal_sync == FLOWDB_SYNC_ALWAYS)
            db->durable =
                (struct fl_wal_position){.log = log.id, .offset = fl_wal_written(log.writer)};
    } else {
        fl_version_unref(next);
        fl_engine_discard_log(db, &log);
    }
    fl_memtable_unref(fresh);
    fl_version_unref(now);
    return status;
}
