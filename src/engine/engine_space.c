/*
 * Free space: below disk_reserve_mb puts are refused, so that what makes room, deletes, flushes,
 * compaction and garbage collection, has room itself.
 *
 * How much is free is asked of the file system now and then, never for each write: each second, when
 * a log was begun or the tables have changed, and, while puts are refused, for those that are.
 */
#include <inttypes.h>

#include "engine/engine.h"

#define LOOK_AGAIN_US 100000 /* at most so often for puts that are refused */
#define NO_ROOM_US 10000000  /* so long a write that found no room is believed for itself */
#define ROOM_BYTES (UINT64_C(1) << 20) /* and with less than this free, until one is taken */

static uint64_t reserve(const flowdb *db) {
    return (uint64_t)db->config.disk_reserve_mb << 20;
}

static void tell(flowdb *db, bool low, uint64_t free_bytes) {
    if (low) {
        fl_fail(FLOWDB_NO_SPACE,
                "%s has %" PRIu64 " bytes free, less than disk_reserve_mb (%" PRIu32 ")",
                db->config.data_dir, free_bytes, db->config.disk_reserve_mb);
        fl_engine_event_note(db, FLOWDB_EVENT_WRITES_STOPPED, FLOWDB_NO_SPACE, "%s",
                             flowdb_last_error());
        fl_engine_log(db, FLOWDB_LOG_WARN, "writes other than deletes are refused: %s",
                      flowdb_last_error());
        return;
    }
    fl_engine_event_note(db, FLOWDB_EVENT_WRITES_RESUMED, FLOWDB_OK, "%" PRIu64 " bytes are free",
                         free_bytes);
    fl_engine_log(db, FLOWDB_LOG_INFO, "writes are taken again: %" PRIu64 " bytes are free",
                  free_bytes);
    fl_scheduler_retry(&db->scheduler, FL_JOB_FLUSH);
    fl_scheduler_retry(&db->scheduler, FL_JOB_COMPACT);
}

void fl_engine_look_at_space(flowdb *db) {
    if (db->config.read_only || db->config.disk_reserve_mb == 0)
        return;
    atomic_store(&db->space_looked_us, fl_clock_monotonic_us(db->env.clock));
    uint64_t free_bytes;
    if (fl_fs_free_space(db->env.fs, db->config.data_dir, &free_bytes) != FLOWDB_OK) {
        /* What cannot be known is no reason to refuse anything: a full disk tells by itself. */
        free_bytes = UINT64_MAX;
    }
    bool low = free_bytes < reserve(db);
    atomic_store(&db->compaction_gives_up, free_bytes < reserve(db) / 4);
    if (atomic_exchange(&db->space_low, low) != low)
        tell(db, low, free_bytes);
}

/* With no threads each refused put looks: then the same calls find the same. */
static bool may_look(flowdb *db) {
    if (!db->config.auto_background)
        return true;
    int64_t now = fl_clock_monotonic_us(db->env.clock);
    int64_t last = atomic_load(&db->space_looked_us);
    return now - last >= LOOK_AGAIN_US &&
           atomic_compare_exchange_strong(&db->space_looked_us, &last, now);
}

flowdb_status fl_engine_check_space(flowdb *db) {
    if (!atomic_load_explicit(&db->space_low, memory_order_relaxed))
        return FLOWDB_OK;
    if (may_look(db))
        fl_engine_look_at_space(db);
    if (!atomic_load(&db->space_low))
        return FLOWDB_OK;
    atomic_fetch_add_explicit(&db->space_refusals, 1, memory_order_relaxed);
    return fl_fail(FLOWDB_NO_SPACE,
                   "less than disk_reserve_mb (%" PRIu32
                   ") is free where %s lies: only deletes are "
                   "taken until there is room",
                   db->config.disk_reserve_mb, db->config.data_dir);
}

void fl_engine_note_room(flowdb *db, flowdb_status status) {
    if (status == FLOWDB_NO_SPACE)
        atomic_store(&db->no_room_us, FL_MAX(fl_clock_monotonic_us(db->env.clock), INT64_C(1)));
    else if (status == FLOWDB_OK &&
             atomic_load_explicit(&db->no_room_us, memory_order_relaxed) != 0)
        atomic_store(&db->no_room_us, 0);
}

/* Not until a write is taken alone: who asks before it sends one would never send it. Nor by the free
   space alone: it does not tell of a quota, or of a limit of a file's size. */
bool fl_engine_lacks_room(flowdb *db, uint64_t free_bytes) {
    int64_t found_us = atomic_load(&db->no_room_us);
    return found_us != 0 && (free_bytes < ROOM_BYTES ||
                             fl_clock_monotonic_us(db->env.clock) - found_us < NO_ROOM_US);
}

uint64_t fl_engine_compaction_budget(flowdb *db) {
    uint64_t free_bytes;
    if (db->config.disk_reserve_mb == 0 ||
        fl_fs_free_space(db->env.fs, db->config.data_dir, &free_bytes) != FLOWDB_OK)
        return UINT64_MAX;
    return free_bytes / 2;
}

flowdb_status fl_engine_check_go_on(flowdb *db) {
    if (atomic_load_explicit(&db->closing, memory_order_relaxed))
        return FLOWDB_DONE;
    if (!atomic_load_explicit(&db->compaction_gives_up, memory_order_relaxed))
        return FLOWDB_OK;
    return fl_fail(FLOWDB_NO_SPACE,
                   "a compaction was given up: less than a quarter of disk_reserve_mb (%" PRIu32
                   ") is free where %s lies",
                   db->config.disk_reserve_mb, db->config.data_dir);
}
