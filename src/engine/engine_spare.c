/*
 * A log made ahead, so that writers need not wait while one is created and synced.
 *
 * Its header names the active log as the one before it, and no seal names it until it is taken: a
 * crash leaves a log without frames that nothing leads to, which recovery passes over and removes.
 */
#include "engine/engine.h"

void fl_engine_discard_log(flowdb *db, struct fl_log *log) {
    char *path = fl_engine_wal_path(db, log->id);
    fl_wal_close(log->writer);
    if (path != NULL && !atomic_load(&db->stopped_writes))
        (void)fl_fs_remove(db->env.fs, path);
    fl_release(db->env.alloc, path);
}

flowdb_status fl_engine_prepare_log(flowdb *db) {
    pthread_mutex_lock(&db->commit_lock);
    uint64_t active = db->logs[db->log_count - 1].id;
    bool wanted = db->spare.writer == NULL;
    pthread_mutex_unlock(&db->commit_lock);
    /* Space that is short is not for what may never be used. */
    if (!wanted || atomic_load(&db->space_low))
        return FLOWDB_DONE;
    struct fl_log made;
    flowdb_status status = fl_engine_create_log(db, active, &made);
    if (status != FLOWDB_OK)
        return status;
    pthread_mutex_lock(&db->commit_lock);
    bool fits = db->logs[db->log_count - 1].id == active && db->spare.writer == NULL;
    if (fits)
        db->spare = made;
    pthread_mutex_unlock(&db->commit_lock);
    if (!fits)
        fl_engine_discard_log(db, &made);
    return FLOWDB_DONE;
}

bool fl_engine_wants_log(const flowdb *db, uint64_t log_bytes, uint64_t memtable_bytes) {
    return db->spare.writer == NULL &&
           (log_bytes > (uint64_t)db->config.wal_segment_size_mb << 19 ||
            memtable_bytes > (uint64_t)db->config.memtable_size_mb << 19);
}

flowdb_status fl_engine_next_log(flowdb *db, struct fl_log *log) {
    if (db->spare.writer == NULL)
        return fl_engine_create_log(db, db->logs[db->log_count - 1].id, log);
    *log = db->spare;
    db->spare = (struct fl_log){0};
    return FLOWDB_OK;
}

void fl_engine_drop_spare(flowdb *db) {
    if (db->spare.writer == NULL)
        return;
    fl_engine_discard_log(db, &db->spare);
    db->spare = (struct fl_log){0};
}
