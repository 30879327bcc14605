/* Back pressure: writers that wait until what is in memory has become tables. */
#include <stdio.h>

#include "engine/engine.h"

void fl_engine_notify(flowdb *db) {
    pthread_mutex_lock(&db->state_lock);
    pthread_cond_broadcast(&db->state_changed);
    pthread_mutex_unlock(&db->state_lock);
}

void fl_engine_note_flush(flowdb *db, const struct fl_job_report *report) {
    pthread_mutex_lock(&db->state_lock);
    db->flush_failed_in_row = report->failed_in_row;
    db->flush_status = report->status;
    snprintf(db->flush_message, sizeof db->flush_message, "%s", report->message);
    pthread_cond_broadcast(&db->state_changed);
    pthread_mutex_unlock(&db->state_lock);
}

static bool is_full(flowdb *db) {
    return atomic_load(&db->frozen_count) >= db->config.max_frozen_memtables &&
           !atomic_load(&db->stopped_writes);
}

/* The caller holds state_lock. A failure that the next tries get over costs a writer some time; one
   that they do not is its answer, for it must not wait for ever. */
static flowdb_status wait_while_full(flowdb *db) {
    while (is_full(db)) {
        if (db->flush_failed_in_row >= FL_FLUSH_PATIENCE)
            return fl_fail(db->flush_status, "memory is full and cannot be flushed: %s",
                           db->flush_message);
        pthread_cond_wait(&db->state_changed, &db->state_lock);
    }
    return FLOWDB_OK;
}

flowdb_status fl_engine_wait_for_room(flowdb *db) {
    fl_scheduler_want(&db->scheduler, FL_JOB_FLUSH);
    int64_t began_us = fl_clock_monotonic_us(db->env.clock);
    pthread_mutex_lock(&db->state_lock);
    if (!is_full(db)) {
        pthread_mutex_unlock(&db->state_lock);
        return FLOWDB_OK;
    }
    db->stalls.count++;
    db->stalls.waiting++;
    flowdb_status status = wait_while_full(db);
    db->stalls.waiting--;
    uint64_t took_us = (uint64_t)(fl_clock_monotonic_us(db->env.clock) - began_us);
    db->stalls.total_us += took_us;
    db->stalls.longest_us = FL_MAX(db->stalls.longest_us, took_us);
    pthread_mutex_unlock(&db->state_lock);
    return status;
}

void fl_engine_stalls(flowdb *db, struct fl_stalls *stalls) {
    pthread_mutex_lock(&db->state_lock);
    *stalls = db->stalls;
    pthread_mutex_unlock(&db->state_lock);
}
