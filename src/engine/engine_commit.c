/* Committing a batch: log first, then memtable, then visible. */
#include "base/entry.h"
#include "engine/engine.h"

/* Must the active memtable be frozen before `payload_size` more bytes? The caller holds
   commit_lock. */
static bool is_full(const flowdb *db, const struct fl_memtable *active, size_t payload_size) {
    if (fl_memtable_empty(active))
        return false;
    const struct fl_log *log = &db->logs[db->log_count - 1];
    uint64_t memtable_max = (uint64_t)db->config.memtable_size_mb << 20;
    uint64_t log_max = (uint64_t)db->config.wal_segment_size_mb << 20;
    uint64_t log_size = fl_wal_offset(log->writer) + FL_WAL_FRAME_HEADER + payload_size;
    return fl_memtable_bytes(active) >= memtable_max || log_size > log_max;
}

/* A close has ended the threads, and flushes by itself. */
static flowdb_status make_room(flowdb *db) {
    if (db->config.auto_background && !atomic_load(&db->closing))
        return fl_engine_wait_for_room(db);
    flowdb_status status = fl_engine_flush_oldest(db);
    return status == FLOWDB_DONE ? FLOWDB_OK : status;
}

/* The active memtable does not change while commit_lock is held, so no reference is needed. */
static struct fl_memtable *active_memtable(flowdb *db) {
    pthread_mutex_lock(&db->version_lock);
    struct fl_memtable *active = db->version->active;
    pthread_mutex_unlock(&db->version_lock);
    return active;
}

flowdb_status fl_engine_begin_commit(flowdb *db, size_t payload_size, bool puts) {
    flowdb_status space = puts ? fl_engine_check_space(db) : FLOWDB_OK;
    if (space != FLOWDB_OK)
        return space;
    for (;;) {
        pthread_mutex_lock(&db->commit_lock);
        flowdb_status status = fl_engine_check_writable(db);
        if (status == FLOWDB_OK && !is_full(db, active_memtable(db), payload_size))
            return FLOWDB_OK;
        bool room = db->log_count <= db->config.max_frozen_memtables;
        if (status == FLOWDB_OK && room) {
            status = fl_engine_freeze(db);
            fl_engine_note_room(db, status);
            if (status == FLOWDB_OK) {
                fl_scheduler_want(&db->scheduler, FL_JOB_FLUSH);
                fl_engine_look_at_space(db);
                return FLOWDB_OK;
            }
        }
        pthread_mutex_unlock(&db->commit_lock);
        if (status == FLOWDB_OK)
            status = make_room(db);
        if (status != FLOWDB_OK)
            return status;
    }
}

/* With no thread to do it, whoever writes after the interval has passed syncs. */
static bool syncs_inline(const flowdb *db) {
    return !db->config.auto_background && db->config.wal_sync != FLOWDB_SYNC_ALWAYS;
}

/* A freeze takes a write and memory, and at worst a new log, so none is begun here. */
flowdb_status fl_engine_try_begin_commit(flowdb *db, size_t payload_size, bool puts) {
    flowdb_status status = puts ? fl_engine_check_space(db) : FLOWDB_OK;
    if (status == FLOWDB_OK)
        status = fl_engine_check_waits(db, payload_size);
    if (status == FLOWDB_OK)
        status = fl_engine_try_commit_lock(db);
    if (status != FLOWDB_OK)
        return status;
    status = fl_engine_check_writable(db);
    if (status == FLOWDB_OK && is_full(db, active_memtable(db), payload_size))
        status = fl_fail(FLOWDB_WOULD_WAIT, "the memtable is full");
    else if (status == FLOWDB_OK && syncs_inline(db) &&
             fl_clock_monotonic_us(db->env.clock) >= db->next_sync_us)
        status = fl_fail(FLOWDB_WOULD_WAIT, "the log is to be synced");
    if (status != FLOWDB_OK)
        pthread_mutex_unlock(&db->commit_lock);
    return status;
}

/* Once a commit is in log and memtable; the caller holds commit_lock. */
static void count_commit(flowdb *db, const struct fl_commit *commit,
                         const struct fl_memtable *active, const struct fl_wal_writer *writer) {
    struct fl_stats *stats = &db->stats;
    fl_stats_add(&stats->records_written, commit->puts);
    fl_stats_add(&stats->deletes_written, commit->count - commit->puts);
    fl_stats_add(&stats->bytes_written, commit->payload_size - commit->count * FL_ENTRY_HEADER);
    fl_stats_set(&stats->active_records, fl_memtable_records(active));
    fl_stats_set(&stats->active_bytes, fl_memtable_bytes(active));
    fl_stats_set(&stats->active_log_bytes, fl_wal_offset(writer));
}

/* The caller holds commit_lock. Nothing has changed where it fails. */
static flowdb_status log_and_apply(flowdb *db, const struct fl_commit *commit, bool *wants_log) {
    struct fl_memtable *active = active_memtable(db);
    struct fl_wal_writer *writer = db->logs[db->log_count - 1].writer;
    struct fl_memtable_batch batch = {.chunk = commit->chunk,
                                      .entries = commit->frame + FL_WAL_FRAME_HEADER,
                                      .size = commit->payload_size,
                                      .charge = commit->charge,
                                      .hashes = commit->hashes,
                                      .count = commit->count,
                                      .first_seq = db->next_seq};
    flowdb_status status = fl_memtable_prepare(active, &batch);
    if (status != FLOWDB_OK)
        return status;
    struct fl_wal_frame_info info = {.payload_size = commit->payload_size,
                                     .payload_sum = commit->payload_sum,
                                     .first_seq = db->next_seq,
                                     .count = commit->count,
                                     .durable = db->durable};
    status =
        fl_wal_append(writer, commit->frame, &info, db->config.wal_sync == FLOWDB_SYNC_BUFFERED);
    if (status != FLOWDB_OK) {
        fl_memtable_cancel(active);
        if (fl_wal_broken(writer))
            fl_engine_stop_writes(db, "a log could not be cut back after a failed write");
        return status;
    }
    fl_memtable_publish(active);
    db->next_seq += commit->count;
    count_commit(db, commit, active, writer);
    if (db->config.wal_sync != FLOWDB_SYNC_ALWAYS)
        atomic_store_explicit(&db->visible_seq, db->next_seq - 1, memory_order_release);
    *wants_log = fl_engine_wants_log(db, fl_wal_offset(writer), fl_memtable_bytes(active));
    return FLOWDB_OK;
}

static flowdb_status sync_if_due(flowdb *db) {
    int64_t now = fl_clock_monotonic_us(db->env.clock);
    pthread_mutex_lock(&db->commit_lock);
    bool due = now >= db->next_sync_us;
    if (due)
        db->next_sync_us = now + (int64_t)db->config.wal_sync_interval_ms * 1000;
    pthread_mutex_unlock(&db->commit_lock);
    if (due)
        fl_engine_look_at_space(db);
    flowdb_status status = due ? fl_engine_sync(db) : FLOWDB_OK;
    if (status == FLOWDB_OK || atomic_load(&db->stopped_writes))
        return status;
    /* The buffer could not be drained. This write is in it and can be seen: it is done. The next
       will be refused while that lasts. */
    fl_engine_log(db, FLOWDB_LOG_WARN, "a log's buffer could not be drained: %s",
                  flowdb_last_error());
    return FLOWDB_OK;
}

flowdb_status fl_engine_end_commit(flowdb *db, const struct fl_commit *commit) {
    bool wants_log = false;
    /* Nobody but those that try wants to know, until one has had to. */
    bool watched =
        commit->tries || atomic_load_explicit(&db->log_drags_until_us, memory_order_relaxed) != 0;
    int64_t began_us = watched ? fl_clock_monotonic_us(db->env.clock) : 0;
    flowdb_status status = log_and_apply(db, commit, &wants_log);
    fl_engine_note_room(db, status);
    if (watched)
        fl_engine_note_log(db, began_us);
    const struct fl_log *log = &db->logs[db->log_count - 1];
    struct fl_wal_position end = {.log = log->id, .offset = fl_wal_offset(log->writer)};
    pthread_mutex_unlock(&db->commit_lock);
    if (status != FLOWDB_OK)
        return status;
    if (wants_log)
        fl_scheduler_want(&db->scheduler, FL_JOB_LOG);
    fl_engine_wake_for_memory(db);
    fl_engine_pace(db, commit->payload_size, commit->tries);
    if (db->config.wal_sync == FLOWDB_SYNC_ALWAYS)
        return fl_engine_sync_to(db, &end);
    return syncs_inline(db) && !commit->tries ? sync_if_due(db) : FLOWDB_OK;
}

flowdb_status fl_engine_commit(flowdb *db, const struct fl_commit *commit) {
    flowdb_status status = commit->tries
                               ? fl_engine_try_begin_commit(db, commit->payload_size, commit->puts)
                               : fl_engine_begin_commit(db, commit->payload_size, commit->puts);
    return status == FLOWDB_OK ? fl_engine_end_commit(db, commit) : status;
}
