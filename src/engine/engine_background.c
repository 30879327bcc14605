/* What runs behind the callers' backs: the engine's jobs, and what becomes of those that fail. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/engine.h"

/* A flush must never wait behind a long compaction, nor a sync behind a flush, nor a writer's memory
   behind any of them. */
enum lane { LANE_FLUSH, LANE_SYNC, LANE_COMPACT, LANE_PREPARE };

#define PAUSE_US INT64_C(10000) /* after a first failure */
#define PAUSE_MAX_US 5000000    /* of what writers wait for */
#define PAUSE_BEHIND_MAX_US 60000000
#define COMPACT_LOOK_US 60000000 /* windows widen with age: there may be work with no flush */
#define SPACE_LOOK_US 1000000
#define WARM_CHUNKS 6

/* ------------------------------------------------------------------------------------- jobs -- */

static bool has_ended(flowdb *db) {
    return atomic_load(&db->stopped_writes) || atomic_load(&db->closing);
}

static flowdb_status run_sync(void *context) {
    flowdb *db = context;
    flowdb_status status = has_ended(db) ? FLOWDB_OK : fl_engine_sync(db);
    return status == FLOWDB_OK ? FLOWDB_DONE : status;
}

static flowdb_status run_flush(void *context) {
    flowdb *db = context;
    return has_ended(db) ? FLOWDB_DONE : fl_engine_flush_oldest(db);
}

static flowdb_status run_compact(void *context) {
    flowdb *db = context;
    bool ran = false;
    flowdb_status status = has_ended(db) ? FLOWDB_OK : fl_engine_compact_once(db, &ran);
    if (ran)
        fl_engine_set_pace(db);
    return status == FLOWDB_OK && !ran ? FLOWDB_DONE : status;
}

static flowdb_status run_gc(void *context) {
    flowdb *db = context;
    flowdb_status status = has_ended(db) ? FLOWDB_OK : flowdb_gc(db, NULL);
    return status == FLOWDB_OK ? FLOWDB_DONE : status;
}

static flowdb_status run_log(void *context) {
    flowdb *db = context;
    return has_ended(db) ? FLOWDB_DONE : fl_engine_prepare_log(db);
}

/* Memory that writers will need next, faulted in by a thread that they do not wait for. */
static flowdb_status run_memory(void *context) {
    flowdb *db = context;
    fl_chunk_pool_warm(&db->pool, WARM_CHUNKS);
    return FLOWDB_DONE;
}

static flowdb_status run_space(void *context) {
    fl_engine_look_at_space(context);
    return FLOWDB_DONE;
}

static int64_t ms(uint32_t milliseconds) {
    return (int64_t)milliseconds * 1000;
}

static void describe_jobs(const flowdb *db, struct fl_job_spec specs[FL_JOBS]) {
    const flowdb_config *config = &db->config;
    int64_t gc_us = (int64_t)config->gc_interval_secs * 1000000;
    bool syncs = config->wal_sync != FLOWDB_SYNC_ALWAYS;
    specs[FL_JOB_SYNC] =
        (struct fl_job_spec){"sync",   LANE_SYNC,    syncs ? ms(config->wal_sync_interval_ms) : 0,
                             PAUSE_US, PAUSE_MAX_US, run_sync};
    specs[FL_JOB_FLUSH] = (struct fl_job_spec){
        "flush", LANE_FLUSH, ms(config->flush_interval_ms), PAUSE_US, PAUSE_MAX_US, run_flush};
    specs[FL_JOB_LOG] =
        (struct fl_job_spec){"log", LANE_PREPARE, 0, PAUSE_US, PAUSE_MAX_US, run_log};
    specs[FL_JOB_MEMORY] =
        (struct fl_job_spec){"memory", LANE_PREPARE, 0, PAUSE_US, PAUSE_MAX_US, run_memory};
    specs[FL_JOB_SPACE] = (struct fl_job_spec){"space",  LANE_PREPARE, SPACE_LOOK_US,
                                               PAUSE_US, PAUSE_MAX_US, run_space};
    specs[FL_JOB_COMPACT] = (struct fl_job_spec){
        "compaction",  LANE_COMPACT,        FL_MIN(gc_us, (int64_t)COMPACT_LOOK_US),
        PAUSE_US * 10, PAUSE_BEHIND_MAX_US, run_compact};
    specs[FL_JOB_GC] =
        (struct fl_job_spec){"gc", LANE_COMPACT, gc_us, PAUSE_US * 10, PAUSE_BEHIND_MAX_US, run_gc};
}

/* --------------------------------------------------------------------------------- failures -- */

static const char *const failing[FL_JOBS] = {
    [FL_JOB_SYNC] = "the log could not be synced",
    [FL_JOB_FLUSH] = "a memtable could not be flushed",
    [FL_JOB_LOG] = "a log could not be made ahead",
    [FL_JOB_MEMORY] = "memory could not be prepared",
    [FL_JOB_SPACE] = "free space could not be found out",
    [FL_JOB_COMPACT] = "a compaction failed",
    [FL_JOB_GC] = "garbage could not be collected",
};

/* A full disk or memory has room again some day, and the logs hold what the memtables do: nothing is
   in doubt, however long it takes. Any other failure that goes on and on is a disk that writes should
   not rely on. */
static bool is_hopeless(size_t job, const struct fl_job_report *report) {
    return job == FL_JOB_FLUSH && report->failed_in_row >= FL_FLUSH_FAILURES_MAX &&
           report->status != FLOWDB_NO_SPACE && report->status != FLOWDB_NO_MEMORY;
}

static void job_ended(void *context, size_t job, const struct fl_job_report *report) {
    flowdb *db = context;
    if (job == FL_JOB_FLUSH)
        fl_engine_note_flush(db, report);
    if (report->failed_in_row == 1)
        fl_engine_log(db, FLOWDB_LOG_ERROR, "%s, trying again: %s", failing[job], report->message);
    if (report->failed_in_row > 0)
        fl_engine_event_note(db, FLOWDB_EVENT_RETRY, report->status,
                             "the %s is tried again in %" PRId64 " ms: %s", report->name,
                             report->pause_us / 1000, report->message);
    if (is_hopeless(job, report)) {
        char what[128];
        snprintf(what, sizeof what, "%s %" PRIu32 " times in a row", failing[job],
                 report->failed_in_row);
        fl_engine_stop_writes(db, what);
    }
}

/* ----------------------------------------------------------------------------- the scheduler -- */

void fl_engine_init_jobs(flowdb *db) {
    struct fl_job_spec specs[FL_JOBS];
    describe_jobs(db, specs);
    fl_scheduler_init(&db->scheduler, db->env.clock, specs, FL_JOBS, db, job_ended);
}

flowdb_status fl_engine_start_jobs(flowdb *db) {
    if (db->config.read_only)
        return FLOWDB_OK;
    fl_scheduler_want(&db->scheduler, FL_JOB_MEMORY);
    fl_scheduler_want(&db->scheduler, FL_JOB_COMPACT);
    if (!db->config.auto_background)
        return FLOWDB_OK;
    const char *const names[FL_SCHEDULER_LANES] = {
        [LANE_FLUSH] = "flowdb-flush",
        [LANE_SYNC] = db->config.wal_sync != FLOWDB_SYNC_ALWAYS ? "flowdb-sync" : NULL,
        [LANE_COMPACT] = "flowdb-compact",
        [LANE_PREPARE] = "flowdb-prepare",
    };
    return fl_scheduler_start(&db->scheduler, names);
}

void fl_engine_stop_jobs(flowdb *db) {
    atomic_store(&db->closing, true);
    fl_scheduler_stop(&db->scheduler);
}

flowdb_status fl_engine_step(flowdb *db, enum fl_engine_job job) {
    flowdb_status status = fl_engine_check_writable(db);
    return status == FLOWDB_OK ? fl_scheduler_step(&db->scheduler, job) : status;
}

flowdb_status fl_engine_step_due(flowdb *db, enum fl_engine_job *job) {
    flowdb_status status = fl_engine_check_writable(db);
    if (status != FLOWDB_OK)
        return status;
    size_t ran;
    status = fl_scheduler_step_due(&db->scheduler, &ran);
    *job = ran == SIZE_MAX ? FL_JOBS : (enum fl_engine_job)ran;
    return status;
}

void fl_engine_wake_for_memory(flowdb *db) {
    if (db->config.auto_background && fl_chunk_pool_wants(&db->pool, WARM_CHUNKS / 2))
        fl_scheduler_want(&db->scheduler, FL_JOB_MEMORY);
}
