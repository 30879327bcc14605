/* flowdb_compact, flowdb_compact_all and flowdb_gc: what to do, one at a time. */
#include "engine/compaction.h"

static int64_t bucket_us(const flowdb *db) {
    return (int64_t)db->config.time_bucket_secs * 1000000;
}

/* Tables below this many bytes of records count as alike: a sixteenth of a memtable. */
static uint64_t small_bytes(const flowdb *db) {
    return ((uint64_t)db->config.memtable_size_mb << 20) / 16;
}

flowdb_status fl_engine_compact_once(flowdb *db, bool *ran) {
    flowdb_status status = fl_engine_check_writable(db);
    if (status != FLOWDB_OK)
        return status;
    pthread_mutex_lock(&db->compaction_lock);
    struct fl_version *version = fl_engine_pin(db);
    struct fl_table *inputs[FL_COMPACTION_INPUTS_MAX];
    size_t count;
    status = fl_compaction_pick(version, fl_engine_now(db), bucket_us(db),
                                db->config.compaction_threshold, small_bytes(db),
                                fl_engine_compaction_budget(db), inputs, &count);
    if (status == FLOWDB_OK && count > 0)
        status = fl_compaction_run(db, inputs, count);
    fl_version_unref(version);
    pthread_mutex_unlock(&db->compaction_lock);
    *ran = count > 0 && status == FLOWDB_OK;
    return status == FLOWDB_DONE ? FLOWDB_OK : status;
}

flowdb_status flowdb_compact(flowdb *db, bool *ran) {
    if (db == NULL)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "db is NULL");
    bool did = false;
    flowdb_status status = fl_engine_compact_once(db, &did);
    if (status == FLOWDB_OK && ran != NULL)
        *ran = did;
    return status;
}

flowdb_status flowdb_compact_all(flowdb *db) {
    if (db == NULL)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "db is NULL");
    flowdb_status status = flowdb_flush(db);
    if (status != FLOWDB_OK)
        return status;
    pthread_mutex_lock(&db->compaction_lock);
    struct fl_version *version = fl_engine_pin(db);
    if (version->table_count > 0)
        status = fl_compaction_run(db, version->tables, version->table_count);
    fl_version_unref(version);
    pthread_mutex_unlock(&db->compaction_lock);
    return status == FLOWDB_DONE ? FLOWDB_OK : status;
}

/* -------------------------------------------------------------------------------------- gc -- */

/* May another table hold something older than what this one holds, in the same place? */
static bool may_hide(const struct fl_version *version, const struct fl_table *table) {
    const struct fl_table_properties *mine = fl_table_properties(table);
    for (size_t i = 0; i < version->table_count; i++) {
        const struct fl_table *other = version->tables[i];
        const struct fl_table_properties *properties = fl_table_properties(other);
        if (other == table || properties->row_count == 0 || properties->min_seq >= mine->max_seq ||
            properties->max_ts < mine->min_ts || properties->min_ts > mine->max_ts)
            continue;
        if (fl_slice_compare(fl_table_max_key(other), fl_table_min_key(table)) >= 0 &&
            fl_slice_compare(fl_table_min_key(other), fl_table_max_key(table)) <= 0)
            return true;
    }
    return false;
}

/* A table whose every record is expired, and which hides nothing. */
static bool is_garbage(const struct fl_version *version, const struct fl_table *table,
                       int64_t purge_us) {
    const struct fl_table_properties *properties = fl_table_properties(table);
    return properties->range_tombstone_count == 0 && properties->row_count > 0 &&
           properties->delete_count == 0 && properties->max_expire_at <= purge_us &&
           !may_hide(version, table);
}

/* One table at a time: what hides something may hide nothing once another is gone. */
static flowdb_status drop_garbage(flowdb *db, struct fl_event *event, bool *dropped) {
    struct fl_version *version = fl_engine_pin(db);
    int64_t purge_us = fl_engine_purge_time(db);
    struct fl_table *garbage = NULL;
    for (size_t i = 0; i < version->table_count && garbage == NULL; i++) {
        if (is_garbage(version, version->tables[i], purge_us))
            garbage = version->tables[i];
    }
    flowdb_status status = FLOWDB_OK;
    *dropped = false;
    if (garbage != NULL) {
        struct fl_table_change change = {.removed = &garbage, .removed_count = 1};
        status = fl_engine_change_tables(db, &change);
    }
    if (garbage != NULL && status == FLOWDB_OK) {
        fl_table_mark_obsolete(garbage);
        fl_event_add_input(event, garbage);
        *dropped = true;
    }
    fl_version_unref(version);
    return status;
}

flowdb_status flowdb_gc(flowdb *db, uint64_t *records_purged) {
    if (db == NULL)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "db is NULL");
    flowdb_status status = fl_engine_check_writable(db);
    if (status != FLOWDB_OK)
        return status;
    bool dropped = true;
    pthread_mutex_lock(&db->compaction_lock);
    struct fl_event event;
    fl_engine_event_begin(db, FLOWDB_EVENT_GC, &event);
    while (status == FLOWDB_OK && dropped)
        status = drop_garbage(db, &event, &dropped);
    fl_engine_event_end(db, &event, status);
    pthread_mutex_unlock(&db->compaction_lock);
    if (status == FLOWDB_OK && records_purged != NULL)
        *records_purged = event.records_in;
    return status;
}
