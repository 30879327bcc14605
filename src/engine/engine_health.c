/* flowdb_get_health: whether one can write, judged from the states that the engine keeps. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "engine/observe.h"

static const char *const state_names[] = {
    [FLOWDB_HEALTH_GOOD] = "good",
    [FLOWDB_HEALTH_DEGRADED] = "degraded",
    [FLOWDB_HEALTH_MEMORY_FULL] = "memory_full",
    [FLOWDB_HEALTH_DISK_FULL] = "disk_full",
    [FLOWDB_HEALTH_STOPPED] = "stopped",
    [FLOWDB_HEALTH_OPENED_READ_ONLY] = "read_only",
};

const char *flowdb_health_state_name(flowdb_health_state state) {
    bool known = (unsigned)state < sizeof state_names / sizeof state_names[0];
    return known ? state_names[state] : "unknown";
}

static void set_state(flowdb_health *health, flowdb_health_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void set_state(flowdb_health *health, flowdb_health_state state, const char *format, ...) {
    health->state = state;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(health->message, sizeof health->message, format, arguments);
    va_end(arguments);
}

/* Of the jobs that are tried again and again; the worst of what lies behind the writes. */
static void judge_jobs(flowdb *db, flowdb_health *health) {
    for (size_t job = 0; job < FL_JOBS; job++) {
        struct fl_job_report report;
        fl_scheduler_report(&db->scheduler, job, &report);
        if (report.failed_in_row > 0)
            set_state(health, FLOWDB_HEALTH_DEGRADED,
                      "%s has failed %" PRIu32 " times in a row: %s", report.name,
                      report.failed_in_row, report.message);
    }
}

/* What makes writes fail, the worst last. */
static void judge_writes(flowdb *db, flowdb_health *health, uint64_t free_bytes) {
    pthread_mutex_lock(&db->state_lock);
    if (db->flush_failed_in_row >= FL_FLUSH_PATIENCE &&
        atomic_load(&db->frozen_count) >= db->config.max_frozen_memtables)
        set_state(health, FLOWDB_HEALTH_MEMORY_FULL, "memory is full and cannot be flushed: %s",
                  db->flush_message);
    if (fl_engine_lacks_room(db, free_bytes))
        set_state(health, FLOWDB_HEALTH_DISK_FULL,
                  "a write found no room on the disk, where %" PRIu64 " bytes are free",
                  free_bytes);
    if (atomic_load(&db->space_low))
        set_state(health, FLOWDB_HEALTH_DISK_FULL,
                  "%" PRIu64 " bytes are free, less than disk_reserve_mb (%" PRIu32
                  "): only deletes are taken",
                  free_bytes, db->config.disk_reserve_mb);
    if (atomic_load(&db->stopped_writes))
        set_state(health, FLOWDB_HEALTH_STOPPED,
                  "writes are refused until the database is reopened: %s", db->stopped_reason);
    pthread_mutex_unlock(&db->state_lock);
}

void fl_engine_judge_health(flowdb *db, flowdb_health *health, uint64_t *free_bytes,
                            uint64_t *flush_failures) {
    *health = (flowdb_health){.struct_size = sizeof *health, .state = FLOWDB_HEALTH_GOOD};
    if (fl_fs_free_space(db->env.fs, db->config.data_dir, free_bytes) != FLOWDB_OK)
        *free_bytes = UINT64_MAX;
    fl_engine_look_at_space(db);
    judge_jobs(db, health);
    judge_writes(db, health, *free_bytes);
    if (db->config.read_only)
        set_state(health, FLOWDB_HEALTH_OPENED_READ_ONLY, "the database was opened read-only");
    health->writes_accepted = health->state <= FLOWDB_HEALTH_DEGRADED;
    pthread_mutex_lock(&db->state_lock);
    *flush_failures = db->flush_failed_in_row;
    pthread_mutex_unlock(&db->state_lock);
}

flowdb_status flowdb_get_health(flowdb *db, flowdb_health *health) {
    if (db == NULL || health == NULL)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "%s is NULL", db == NULL ? "db" : "health");
    size_t size = health->struct_size;
    if (size < sizeof *health)
        return fl_fail(FLOWDB_INVALID_ARGUMENT,
                       "health.struct_size is %zu, below %zu: set it to sizeof(flowdb_health)",
                       size, sizeof *health);
    uint64_t free_bytes, flush_failures;
    flowdb_health now;
    fl_engine_judge_health(db, &now, &free_bytes, &flush_failures);
    now.struct_size = size;
    memset(health, 0, size);
    memcpy(health, &now, sizeof now);
    return FLOWDB_OK;
}
