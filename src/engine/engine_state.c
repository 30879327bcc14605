#include <stdarg.h>
#include <stdio.h>

#include "engine/engine.h"

void fl_engine_log(const flowdb *db, flowdb_log_level level, const char *format, ...) {
    if (db->config.log == NULL)
        return;
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    db->config.log(db->config.log_context, level, line);
}

int64_t fl_engine_now(flowdb *db) {
    int64_t now = fl_clock_wall_us(db->env.clock);
    int64_t latest = atomic_load_explicit(&db->latest_time_us, memory_order_relaxed);
    while (now > latest &&
           !atomic_compare_exchange_weak_explicit(&db->latest_time_us, &latest, now,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
    return FL_MAX(now, latest);
}

int64_t fl_engine_purge_time(flowdb *db) {
    int64_t elapsed_us = fl_clock_monotonic_us(db->env.clock) - db->opened_monotonic_us;
    int64_t now_us = fl_engine_now(db), steady_us, trusted_us;
    if (__builtin_add_overflow(db->opened_wall_us, elapsed_us, &steady_us) ||
        __builtin_add_overflow(steady_us, FL_DAY_US, &trusted_us))
        return now_us;
    return now_us <= trusted_us ? now_us : steady_us;
}

uint64_t fl_engine_new_id(flowdb *db) {
    return atomic_fetch_add(&db->next_id, 1);
}

struct fl_version *fl_engine_pin(flowdb *db) {
    pthread_mutex_lock(&db->version_lock);
    struct fl_version *version = db->version;
    fl_version_ref(version);
    pthread_mutex_unlock(&db->version_lock);
    return version;
}

flowdb_status fl_engine_pin_tables(flowdb *db, struct fl_version **version) {
    struct fl_version *current = fl_engine_pin(db);
    flowdb_status status = fl_version_copy_tables(current, 0, version);
    fl_version_unref(current);
    return status;
}

void fl_engine_install(flowdb *db, struct fl_version *version) {
    pthread_mutex_lock(&db->version_lock);
    struct fl_version *old = db->version;
    db->version = version;
    fl_current_replace(&db->current, old, version);
    pthread_mutex_unlock(&db->version_lock);
    fl_version_unref(old);
}

void fl_engine_stop_writes(flowdb *db, const char *what) {
    pthread_mutex_lock(&db->state_lock);
    bool first = !atomic_load(&db->stopped_writes);
    if (first) {
        snprintf(db->stopped_reason, sizeof db->stopped_reason, "%s: %s", what,
                 flowdb_last_error());
        atomic_store(&db->stopped_writes, true);
    }
    pthread_cond_broadcast(&db->state_changed);
    pthread_mutex_unlock(&db->state_lock);
    if (!first)
        return;
    fl_engine_event_note(db, FLOWDB_EVENT_WRITES_STOPPED, FLOWDB_READ_ONLY, "%s",
                         db->stopped_reason);
    fl_engine_log(db, FLOWDB_LOG_ERROR, "writes are refused until the database is reopened: %s",
                  db->stopped_reason);
}

flowdb_status fl_engine_sync_dir(flowdb *db, const char *dir) {
    flowdb_status status = fl_fs_sync_dir(db->env.fs, dir);
    if (status == FLOWDB_IO_ERROR)
        fl_engine_stop_writes(db, "a folder could not be synced");
    return status;
}

flowdb_status fl_engine_check_writable(flowdb *db) {
    if (db->config.read_only)
        return fl_fail(FLOWDB_READ_ONLY, "the database was opened read-only");
    if (!atomic_load_explicit(&db->stopped_writes, memory_order_relaxed))
        return FLOWDB_OK;
    pthread_mutex_lock(&db->state_lock);
    fl_fail(FLOWDB_READ_ONLY, "writes are refused until the database is reopened: %s",
            db->stopped_reason);
    pthread_mutex_unlock(&db->state_lock);
    return FLOWDB_READ_ONLY;
}
