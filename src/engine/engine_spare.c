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

/* Makes a memtable to follow on one that held so much, with a hash table for a quarter more: then a
   steady workload never outgrows it. Since few may become many, it is for an eighth at least of what
   is expected of a memtable of which nothing is known. */
static flowdb_status make_memtable(flowdb *db, const struct fl_content *before,
                                   struct fl_memtable **memtable) {
    size_t series = (size_t)(before->series + before->series / 4);
    size_t expected = FL_MAX(series, fl_engine_expected_series(db) / 8);
    flowdb_status status = fl_memtable_create(db->env.alloc, &db->pool, expected, memtable);
    if (status == FLOWDB_OK && before->series > 0)
        fl_memtable_expect(*memtable, before->records / before->series);
    return status;
}

/* The caller holds commit_lock. */
static struct fl_content active_content(flowdb *db) {
    pthread_mutex_lock(&db->version_lock);
    const struct fl_memtable *active = db->version->active;
    struct fl_content content = {.series = fl_memtable_series(active),
                                 .records = fl_memtable_records(active)};
    pthread_mutex_unlock(&db->version_lock);
    return content;
}

/* What the active memtable, which is half full, will hold: at least as many series as it has now, and
   otherwise what the one before it held. The caller holds commit_lock. */
static struct fl_content expected_content(flowdb *db) {
    struct fl_content now = active_content(db), last = db->last_frozen;
    if (last.series == 0)
        return (struct fl_content){.series = now.series * 2, .records = now.records * 2};
    return last.series >= now.series ? last : now;
}

flowdb_status fl_engine_prepare_log(flowdb *db) {
    pthread_mutex_lock(&db->commit_lock);
    uint64_t active = db->logs[db->log_count - 1].id;
    bool wanted = db->spare.writer == NULL;
    struct fl_content before = expected_content(db);
    pthread_mutex_unlock(&db->commit_lock);
    /* Space that is short is not for what may never be used. */
    if (!wanted || atomic_load(&db->space_low))
        return FLOWDB_DONE;
    struct fl_log made;
    struct fl_memtable *memtable = NULL;
    flowdb_status status = fl_engine_create_log(db, active, &made);
    if (status != FLOWDB_OK)
        return status;
    /* One that cannot be made now is made by the freeze. */
    (void)make_memtable(db, &before, &memtable);
    pthread_mutex_lock(&db->commit_lock);
    bool fits = db->logs[db->log_count - 1].id == active && db->spare.writer == NULL;
    if (fits) {
        db->spare = made;
        /* A freeze that failed to make a log may have left the memtable that it made. */
        if (db->spare_memtable == NULL) {
            db->spare_memtable = memtable;
            memtable = NULL;
        }
    }
    pthread_mutex_unlock(&db->commit_lock);
    if (!fits)
        fl_engine_discard_log(db, &made);
    fl_memtable_unref(memtable);
    return FLOWDB_DONE;
}

bool fl_engine_wants_log(const flowdb *db, uint64_t log_bytes, uint64_t memtable_bytes) {
    return db->spare.writer == NULL &&
           (log_bytes > (uint64_t)db->config.wal_segment_size_mb << 19 ||
            memtable_bytes > (uint64_t)db->config.memtable_size_mb << 19);
}

flowdb_status fl_engine_next_log(flowdb *db, struct fl_log *log, struct fl_memtable **memtable) {
    flowdb_status status = FLOWDB_OK;
    struct fl_content active = active_content(db);
    if (db->spare_memtable == NULL)
        status = make_memtable(db, &active, &db->spare_memtable);
    if (status == FLOWDB_OK && db->spare.writer == NULL)
        status = fl_engine_create_log(db, db->logs[db->log_count - 1].id, &db->spare);
    if (status != FLOWDB_OK)
        return status;
    db->last_frozen = active;
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
