/*
 * Back pressure: writers that wait until what is in memory has become tables, and that are slowed
 * down while more tables come to be than compaction merges.
 *
 * The second is proportional: each table above a number that does no harm makes a written byte cost
 * a nanosecond more. So writing slows down to what compaction keeps up with, and stays there, rather
 * than stopping and starting.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

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

/* ---------------------------------------------------------------------------------- pacing -- */

#define BACKLOG_FREE 16           /* tables that may wait at no cost */
#define NS_PER_KIB_AND_TABLE 1024 /* a nanosecond for each byte */
#define NS_PER_KIB_MAX 1024000    /* 1 MB/s: slow, but no standstill, even where compaction fails */
#define SHORTEST_WAIT_NS 1000000  /* less is saved up */

void fl_engine_set_pace(flowdb *db) {
    size_t tables, free_tables = FL_MAX(BACKLOG_FREE, 2 * (size_t)db->config.compaction_threshold);
    if (!db->config.auto_background || fl_engine_compaction_backlog(db, &tables) != FLOWDB_OK)
        return;
    uint64_t above = tables > free_tables ? tables - free_tables : 0;
    uint64_t pace = FL_MIN(above * NS_PER_KIB_AND_TABLE, (uint64_t)NS_PER_KIB_MAX);
    uint64_t before = atomic_exchange(&db->pace_ns_per_kib, pace);
    if ((before > 0) != (pace > 0))
        fl_engine_log(db, FLOWDB_LOG_INFO, "%zu tables wait to be merged: writes are %s", tables,
                      pace > 0 ? "slowed down" : "at full speed again");
    if (pace < before)
        fl_engine_notify(db);
}

static struct timespec after_ns(clockid_t clock, int64_t ns) {
    struct timespec at;
    clock_gettime(clock, &at);
    at.tv_sec += ns / 1000000000;
    at.tv_nsec += (long)(ns % 1000000000);
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

/* The caller holds state_lock. A wait ends early when the pace eases: what was owed is forgiven. */
static void wait_for_pace(flowdb *db, int64_t wait_ns, uint64_t pace) {
    struct timespec until = after_ns(CLOCK_MONOTONIC, wait_ns);
    int error = 0;
    while (error == 0 && atomic_load(&db->pace_ns_per_kib) >= pace &&
           !atomic_load(&db->stopped_writes))
        error = pthread_cond_timedwait(&db->state_changed, &db->state_lock, &until);
    if (error != ETIMEDOUT)
        db->pace_until_ns = 0;
}

void fl_engine_pace(flowdb *db, size_t bytes, bool tries) {
    uint64_t pace = atomic_load_explicit(&db->pace_ns_per_kib, memory_order_relaxed);
    if (pace == 0)
        return;
    int64_t now_us = fl_clock_monotonic_us(db->env.clock), now_ns = now_us * 1000;
    pthread_mutex_lock(&db->state_lock);
    db->pace_until_ns = FL_MAX(db->pace_until_ns, now_ns) + (int64_t)(bytes * pace / 1024);
    int64_t wait_ns = db->pace_until_ns - now_ns;
    if (wait_ns >= SHORTEST_WAIT_NS && !tries) {
        wait_for_pace(db, wait_ns, pace);
        db->stalls.paced++;
        db->stalls.paced_us += (uint64_t)(fl_clock_monotonic_us(db->env.clock) - now_us);
    }
    pthread_mutex_unlock(&db->state_lock);
}

/* ------------------------------------------------------------- writes that must not wait -- */

#define LOCK_PATIENCE_NS 1000000 /* others commit in microseconds */
#define LONG_US 2000             /* from here on a log takes long */
#define DRAGS_US 100000          /* so long after it did nobody tries */

static bool owes(flowdb *db, size_t bytes) {
    uint64_t pace = atomic_load_explicit(&db->pace_ns_per_kib, memory_order_relaxed);
    if (pace == 0)
        return false;
    int64_t now_ns = fl_clock_monotonic_us(db->env.clock) * 1000;
    pthread_mutex_lock(&db->state_lock);
    int64_t until_ns = FL_MAX(db->pace_until_ns, now_ns) + (int64_t)(bytes * pace / 1024);
    pthread_mutex_unlock(&db->state_lock);
    return until_ns - now_ns >= SHORTEST_WAIT_NS;
}

flowdb_status fl_engine_check_waits(flowdb *db, size_t bytes) {
    if (db->config.wal_sync == FLOWDB_SYNC_ALWAYS)
        return fl_fail(FLOWDB_WOULD_WAIT, "the log is synced for every write");
    int64_t until_us = atomic_load_explicit(&db->log_drags_until_us, memory_order_relaxed);
    if (until_us != 0 && fl_clock_monotonic_us(db->env.clock) < until_us)
        return fl_fail(FLOWDB_WOULD_WAIT, "the last writes to the log took long");
    if (owes(db, bytes))
        return fl_fail(FLOWDB_WOULD_WAIT, "compaction is behind, and writes are slowed down");
    return FLOWDB_OK;
}

/* Once one was in vain the next do not even try, until a write has found the log fast again or
   a while has passed: with many that try, each would cost their thread its patience. */
flowdb_status fl_engine_try_commit_lock(flowdb *db) {
    if (pthread_mutex_trylock(&db->commit_lock) == 0)
        return FLOWDB_OK;
    /* POSIX has this for the wall clock alone: set back in this very millisecond it waits longer. */
    struct timespec until = after_ns(CLOCK_REALTIME, LOCK_PATIENCE_NS);
    if (pthread_mutex_timedlock(&db->commit_lock, &until) == 0)
        return FLOWDB_OK;
    atomic_store(&db->log_drags_until_us, fl_clock_monotonic_us(db->env.clock) + DRAGS_US);
    return fl_fail(FLOWDB_WOULD_WAIT, "another write is taking long");
}

void fl_engine_note_log(flowdb *db, int64_t began_us) {
    int64_t now_us = fl_clock_monotonic_us(db->env.clock);
    bool drags = now_us - began_us >= LONG_US;
    if (drags || atomic_load_explicit(&db->log_drags_until_us, memory_order_relaxed) != 0)
        atomic_store(&db->log_drags_until_us, drags ? now_us + DRAGS_US : 0);
}

void fl_engine_stalls(flowdb *db, struct fl_stalls *stalls) {
    pthread_mutex_lock(&db->state_lock);
    *stalls = db->stalls;
    pthread_mutex_unlock(&db->state_lock);
}
