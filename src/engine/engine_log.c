/* The logs: creating, syncing, retiring. */
#include <stdio.h>

#include "engine/engine.h"

flowdb_status fl_engine_create_log(flowdb *db, uint64_t previous, struct fl_log *log) {
    struct fl_log made = {.id = fl_engine_new_id(db)};
    char *path = fl_engine_wal_path(db, made.id);
    if (path == NULL)
        return FLOWDB_NO_MEMORY;
    uint64_t expected =
        atomic_load(&db->space_low) ? 0 : (uint64_t)db->config.wal_segment_size_mb << 20;
    flowdb_status status = fl_wal_create(&db->env, path, made.id, previous, expected, &made.writer);
    if (status == FLOWDB_OK)
        status = fl_engine_sync_dir(db, db->wal_dir);
    if (status != FLOWDB_OK) {
        /* Whatever came of the file, nothing refers to it. */
        char sentence[512];
        snprintf(sentence, sizeof sentence, "%s", flowdb_last_error());
        fl_wal_close(made.writer);
        (void)fl_fs_remove(db->env.fs, path);
        fl_fail(status, "%s", sentence);
    }
    fl_release(db->env.alloc, path);
    if (status == FLOWDB_OK)
        *log = made;
    return status;
}

flowdb_status fl_engine_drain_locked(flowdb *db) {
    struct fl_wal_writer *writer = db->logs[db->log_count - 1].writer;
    flowdb_status status = fl_wal_drain(writer);
    if (status != FLOWDB_OK && fl_wal_broken(writer))
        fl_engine_stop_writes(db, "a log could not be cut back after a failed write");
    return status;
}

/* The logs that a sync has to go through, and how far it will then reach. */
struct sync_plan {
    struct fl_wal_writer *writers[FL_LOGS_MAX];
    size_t count;
    struct fl_wal_position position;
    uint64_t seq;
};

/* The caller holds sync_lock, so none of the writers is closed meanwhile. */
static flowdb_status plan_sync(flowdb *db, struct sync_plan *plan) {
    pthread_mutex_lock(&db->commit_lock);
    flowdb_status status = FLOWDB_OK;
    plan->count = 0;
    struct fl_log *active = &db->logs[db->log_count - 1];
    status = fl_engine_drain_locked(db);
    plan->position =
        (struct fl_wal_position){.log = active->id, .offset = fl_wal_written(active->writer)};
    plan->seq = db->next_seq - 1;
    bool done =
        db->durable.log == plan->position.log && db->durable.offset >= plan->position.offset;
    for (size_t i = 0; i < db->log_count && !done; i++) {
        if (db->logs[i].id >= db->durable.log)
            plan->writers[plan->count++] = db->logs[i].writer;
    }
    pthread_mutex_unlock(&db->commit_lock);
    return status;
}

static void reach(flowdb *db, const struct sync_plan *plan) {
    pthread_mutex_lock(&db->commit_lock);
    if (plan->position.log > db->durable.log ||
        (plan->position.log == db->durable.log && plan->position.offset > db->durable.offset))
        db->durable = plan->position;
    if (db->config.wal_sync == FLOWDB_SYNC_ALWAYS &&
        plan->seq > atomic_load_explicit(&db->visible_seq, memory_order_relaxed))
        atomic_store_explicit(&db->visible_seq, plan->seq, memory_order_release);
    pthread_mutex_unlock(&db->commit_lock);
}

flowdb_status fl_engine_sync_log(flowdb *db, struct fl_wal_writer *writer) {
    int64_t begun_ns = fl_clock_monotonic_ns(db->env.clock);
    flowdb_status status = fl_wal_sync(writer);
    if (status != FLOWDB_OK) {
        /* What the kernel could not write it may have dropped: asking again proves nothing. */
        fl_engine_stop_writes(db, "a log could not be synced");
        return status;
    }
    int64_t took_ns = fl_clock_monotonic_ns(db->env.clock) - begun_ns;
    fl_histogram_record(&db->stats.syncs, (uint64_t)FL_MAX(took_ns, INT64_C(0)), 1);
    return FLOWDB_OK;
}

/* The caller holds sync_lock. */
static flowdb_status sync_locked(flowdb *db) {
    struct sync_plan plan;
    flowdb_status status = plan_sync(db, &plan);
    if (status != FLOWDB_OK)
        return status;
    for (size_t i = 0; i < plan.count; i++) {
        status = fl_engine_sync_log(db, plan.writers[i]);
        if (status != FLOWDB_OK)
            return status;
    }
    reach(db, &plan);
    return FLOWDB_OK;
}

flowdb_status fl_engine_sync(flowdb *db) {
    if (atomic_load_explicit(&db->stopped_writes, memory_order_relaxed))
        return fl_engine_check_writable(db);
    pthread_mutex_lock(&db->sync_lock);
    flowdb_status status = sync_locked(db);
    pthread_mutex_unlock(&db->sync_lock);
    return status;
}

flowdb_status fl_engine_sync_to(flowdb *db, const struct fl_wal_position *position) {
    pthread_mutex_lock(&db->sync_lock);
    pthread_mutex_lock(&db->commit_lock);
    bool reached = db->durable.log > position->log ||
                   (db->durable.log == position->log && db->durable.offset >= position->offset);
    pthread_mutex_unlock(&db->commit_lock);
    flowdb_status status = FLOWDB_OK;
    if (!reached)
        status = atomic_load(&db->stopped_writes) ? fl_engine_check_writable(db) : sync_locked(db);
    pthread_mutex_unlock(&db->sync_lock);
    return status;
}

flowdb_status fl_engine_drain(flowdb *db) {
    pthread_mutex_lock(&db->commit_lock);
    flowdb_status status = fl_engine_drain_locked(db);
    pthread_mutex_unlock(&db->commit_lock);
    return status;
}

void fl_engine_retire_log(flowdb *db) {
    pthread_mutex_lock(&db->sync_lock);
    pthread_mutex_lock(&db->commit_lock);
    struct fl_log oldest = db->logs[0];
    db->log_count--;
    memmove(db->logs, db->logs + 1, db->log_count * sizeof db->logs[0]);
    atomic_store(&db->frozen_count, db->log_count - 1);
    if (db->log_count > 0) /* it was not the active one, at close */
        fl_stats_add(&db->stats.frozen_log_bytes, 0 - fl_wal_offset(oldest.writer));
    pthread_mutex_unlock(&db->commit_lock);
    fl_wal_close(oldest.writer);
    pthread_mutex_unlock(&db->sync_lock);
    char *path = fl_engine_wal_path(db, oldest.id);
    /* One that stays is removed at the next open. */
    if (path == NULL || fl_fs_remove(db->env.fs, path) != FLOWDB_OK)
        fl_engine_log(db, FLOWDB_LOG_WARN, "%s", flowdb_last_error());
    fl_release(db->env.alloc, path);
}
