/* The engine's own threads: one flushes, one syncs the log, one compacts. */
#include <stdio.h>
#include <time.h>

#include "engine/engine.h"

void fl_engine_wake(flowdb *db) {
    pthread_mutex_lock(&db->state_lock);
    db->flush_wanted = true;
    pthread_cond_broadcast(&db->state_changed);
    pthread_mutex_unlock(&db->state_lock);
}

void fl_engine_notify(flowdb *db) {
    pthread_mutex_lock(&db->state_lock);
    pthread_cond_broadcast(&db->state_changed);
    pthread_mutex_unlock(&db->state_lock);
}

/* Waits until the database is closing, *wanted (may be NULL) is set, or the time has passed. True
   when closing. Real time, not the engine's clock: this is about when to look, never about what is
   right. */
static bool wait_at_most(flowdb *db, uint32_t milliseconds, bool *wanted) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += milliseconds / 1000;
    until.tv_nsec += (long)(milliseconds % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&db->state_lock);
    int error = 0;
    while (!db->stopping && (wanted == NULL || !*wanted) && error == 0)
        error = pthread_cond_timedwait(&db->state_changed, &db->state_lock, &until);
    if (wanted != NULL)
        *wanted = false;
    bool stopping = db->stopping;
    pthread_mutex_unlock(&db->state_lock);
    return stopping;
}

static void note_flush(flowdb *db, flowdb_status status) {
    pthread_mutex_lock(&db->state_lock);
    bool news = db->flush_status != status;
    db->flush_status = status;
    snprintf(db->flush_message, sizeof db->flush_message, "%s",
             status != FLOWDB_OK ? flowdb_last_error() : "");
    pthread_cond_broadcast(&db->state_changed);
    pthread_mutex_unlock(&db->state_lock);
    if (news && status != FLOWDB_OK)
        fl_engine_log(db, FLOWDB_LOG_ERROR, "a memtable could not be flushed, trying again: %s",
                      flowdb_last_error());
}

/* The thread's last error is why. */
static void note_retry(flowdb *db, flowdb_status status, const char *what, uint32_t pause_ms) {
    fl_engine_event_note(db, FLOWDB_EVENT_RETRY, status, "the %s is tried again in %u ms: %s", what,
                         pause_ms, flowdb_last_error());
}

static void wake_compaction(flowdb *db) {
    pthread_mutex_lock(&db->state_lock);
    db->compact_wanted = true;
    pthread_cond_broadcast(&db->state_changed);
    pthread_mutex_unlock(&db->state_lock);
}

/* Flushes while there is something to flush. False where it failed. */
static bool flush_all(flowdb *db) {
    for (;;) {
        flowdb_status status = fl_engine_flush_oldest(db);
        if (status == FLOWDB_OK)
            wake_compaction(db);
        if (status == FLOWDB_DONE) {
            note_flush(db, FLOWDB_OK);
            return true;
        }
        note_flush(db, status);
        if (status != FLOWDB_OK)
            return false;
    }
}

/* Memory that writers will need next, faulted in by a thread that they do not wait for. */
#define WARM_CHUNKS 6

void fl_engine_wake_for_memory(flowdb *db) {
    if (db->config.auto_background && fl_chunk_pool_wants(&db->pool, WARM_CHUNKS / 2))
        fl_engine_wake(db);
}

static void *flush_main(void *argument) {
    flowdb *db = argument;
    fl_chunk_pool_warm(&db->pool, WARM_CHUNKS);
    uint32_t longest = FL_MAX(db->config.flush_interval_ms, UINT32_C(10));
    uint32_t pause = 0; /* milliseconds; grows while flushing fails */
    while (!wait_at_most(db, pause > 0 ? pause : db->config.flush_interval_ms,
                         pause > 0 ? NULL : &db->flush_wanted)) {
        bool flushed = flush_all(db);
        fl_chunk_pool_warm(&db->pool, WARM_CHUNKS);
        if (flushed)
            pause = 0;
        else
            pause = FL_MIN(FL_MAX(pause * 2, UINT32_C(10)), longest);
        if (!flushed)
            note_retry(db, db->flush_status, "flush", pause);
    }
    return NULL;
}

static void *sync_main(void *argument) {
    flowdb *db = argument;
    bool failing = false;
    while (!wait_at_most(db, db->config.wal_sync_interval_ms, NULL)) {
        flowdb_status status = fl_engine_sync(db);
        if (status != FLOWDB_OK && !failing)
            fl_engine_log(db, FLOWDB_LOG_ERROR, "the log could not be synced: %s",
                          flowdb_last_error());
        failing = status != FLOWDB_OK;
    }
    return NULL;
}

static flowdb_status compact_all_rounds(flowdb *db) {
    bool ran = true;
    flowdb_status status = FLOWDB_OK;
    while (ran && status == FLOWDB_OK && !atomic_load(&db->closing)) {
        ran = false;
        status = fl_engine_compact_once(db, &ran);
    }
    return status;
}

/* Compacts at the start and after each flush, and collects garbage every gc_interval_secs. */
static void *compact_main(void *argument) {
    flowdb *db = argument;
    int64_t interval_us = (int64_t)db->config.gc_interval_secs * 1000000;
    int64_t next_gc = fl_clock_monotonic_us(db->env.clock) + interval_us;
    enum { LOOK_MS = 60000, RETRY_MS = 100 };
    uint32_t look = FL_MIN(db->config.gc_interval_secs, (uint32_t)LOOK_MS / 1000) * 1000;
    uint32_t pause = 0; /* milliseconds; grows while compacting fails */
    do {
        flowdb_status status = compact_all_rounds(db);
        if (status == FLOWDB_OK && fl_clock_monotonic_us(db->env.clock) >= next_gc) {
            status = flowdb_gc(db, NULL);
            next_gc = fl_clock_monotonic_us(db->env.clock) + interval_us;
        }
        if (status != FLOWDB_OK && pause == 0)
            fl_engine_log(db, FLOWDB_LOG_ERROR, "a compaction failed, trying again: %s",
                          flowdb_last_error());
        pause = status == FLOWDB_OK ? 0 : FL_MIN(FL_MAX(pause * 2, RETRY_MS), LOOK_MS);
        if (pause > 0)
            note_retry(db, status, "compaction", pause);
    } while (!wait_at_most(db, pause > 0 ? pause : look, pause > 0 ? NULL : &db->compact_wanted));
    return NULL;
}

static flowdb_status start_thread(pthread_t *thread, const char *name, void *(*main)(void *),
                                  flowdb *db) {
    int error = pthread_create(thread, NULL, main, db);
    if (error != 0)
        return fl_fail(FLOWDB_NO_MEMORY, "cannot start thread %s: error %d", name, error);
    pthread_setname_np(*thread, name);
    return FLOWDB_OK;
}

flowdb_status fl_engine_start_threads(flowdb *db) {
    if (!db->config.auto_background || db->config.read_only)
        return FLOWDB_OK;
    flowdb_status status = start_thread(&db->flush_thread, "flowdb-flush", flush_main, db);
    db->flush_thread_runs = status == FLOWDB_OK;
    if (status == FLOWDB_OK && db->config.wal_sync != FLOWDB_SYNC_ALWAYS) {
        status = start_thread(&db->sync_thread, "flowdb-sync", sync_main, db);
        db->sync_thread_runs = status == FLOWDB_OK;
    }
    if (status == FLOWDB_OK) {
        status = start_thread(&db->compact_thread, "flowdb-compact", compact_main, db);
        db->compact_thread_runs = status == FLOWDB_OK;
    }
    if (status != FLOWDB_OK)
        fl_engine_stop_threads(db);
    return status;
}

void fl_engine_stop_threads(flowdb *db) {
    atomic_store(&db->closing, true);
    pthread_mutex_lock(&db->state_lock);
    db->stopping = true;
    pthread_cond_broadcast(&db->state_changed);
    pthread_mutex_unlock(&db->state_lock);
    if (db->flush_thread_runs)
        pthread_join(db->flush_thread, NULL);
    if (db->sync_thread_runs)
        pthread_join(db->sync_thread, NULL);
    if (db->compact_thread_runs)
        pthread_join(db->compact_thread, NULL);
    db->flush_thread_runs = db->sync_thread_runs = db->compact_thread_runs = false;
}
