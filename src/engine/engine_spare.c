/*
 * A log and a memtable made ahead, so that writers need not wait while one is created and synced, and
 * the hash table of the other is cleared.
 *
 * The log's header names the active one as the one before it, and no seal names it until it is taken:
 * a crash leaves a log without frames that nothing leads to, which recovery passes over and removes.
 */
#include "engine/engine.h"

void fl_engine_discard_log(flowdb *db, struct fl_log *log) {
    char *path = fl_engine_wal_path(db, log->id);
    fl_wal_close(log->writer);
    if (path != NULL && !atomic_load(&db->stopped_writes))
        (void)fl_fs_remove(db->env.fs, path);
    fl_release(db->env.alloc, path);
}

/* Makes a memtable to follow on one of so many series, with a hash table for a quarter more: then a
   steady workload never outgrows it. Since few may become many, it is for an eighth at least of what
   is expected of a memtable of which nothing is known. */
static flowdb_status make_memtable(flowdb *db, size_t series, struct fl_memtable **memtable) {
    size_t expected = FL_MAX(series + series / 4, fl_engine_expected_series(db) / 8);
    return fl_memtable_create(db->env.alloc, &db->pool, expected, memtable);
}

/* How many series the active memtable has. The caller holds commit_lock. */
static size_t active_series(flowdb *db) {
    pthread_mutex_lock(&db->version_lock);
    size_t series = (size_t)fl_memtable_series(db->version->active);
    pthread_mutex_unlock(&db->version_lock);
    return series;
}

flowdb_status fl_engine_prepare_log(flowdb *db) {
    pthread_mutex_lock(&db->commit_lock);
    uint64_t active = db->logs[db->log_count - 1].id;
    bool wanted = db->spare.writer == NULL;
    size_t series = active_series(db);
    pthread_mutex_unlock(&db->commit_lock);
    /* Space that is short is not for what may never be used. */
    if (!wanted || atomic_load(&db->space_low))
        return FLOWDB_DONE;
    struct fl_log made;
    struct fl_memtable *memtable = NULL;
    flowdb_status status = fl_engine_create_log(db, active, &made);
    if (status != FLOWDB_OK)
        return status;
    /* It is half full. One that cannot be made now is made by the freeze. */
    (void)make_memtable(db, series * 2, &memtable);
    pthread_mutex_lock(&db->commit_lock);
    bool fits = db->logs[db->log_count - 1].id == active && db->spare.writer == NULL;
    if (fits) {
        db->spare = made;
        db->spare_memtable = memtable;
    }
    pthread_mutex_unlock(&db->commit_lock);
    if (!fits) {
        fl_engine_discard_log(db, &made);
        fl_memtable_unref(memtable);
    }
    return FLOWDB_DONE;
}

bool fl_engine_wants_log(const flowdb *db, uint64_t log_bytes, uint64_t memtable_bytes) {
    return db->spare.writer == NULL &&
           (log_bytes > (uint64_t)db->config.wal_segment_size_mb << 19 ||
            memtable_bytes > (uint64_t)db->config.memtable_size_mb << 19);
}

flowdb_status fl_engine_next_log(flowdb *db, struct fl_log *log, struct fl_memtable **memtable) {
    flowdb_status status = FLOWDB_OK;
    if (db->spare_memtable == NULL)
        status = make_memtable(db, active_series(db), &db->spare_memtable);
    if (status == FLOWDB_OK && db->spare.writer == NULL)
        status = fl_engine_create_log(db, db->logs[db->log_count - 1].id, &db->spare);
    if (status != FLOWDB_OK)
        return status;
    *log = db->spare;
    *memtable = db->spare_memtable;
    db->spare = (struct fl_log){0};
    db->spare_memtable = NULL;
    return FLOWDB_OK;
}

void fl_engine_drop_spare(flowdb *db) {
    fl_memtable_unref(db->spare_memtable);
    db->spare_memtable = NULL;
    if (db->spare.writer == NULL)
        return;
    fl_engine_discard_log(db, &db->spare);
    db->spare = (struct fl_log){0};
}
