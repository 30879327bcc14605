/* flowdb_compact, flowdb_compact_all and flowdb_gc: what to do, one at a time. */
#include "engine/compaction.h"

flowdb_status fl_engine_compaction_backlog(flowdb *db, size_t *tables) {
    struct fl_version *version = fl_engine_pin(db);
    flowdb_status status = fl_compaction_backlog(db, version, tables);
    fl_version_unref(version);
    return status;
}

flowdb_status fl_engine_compact_once(flowdb *db, bool *ran) {
    flowdb_status status = fl_engine_check_writable(db);
    if (status != FLOWDB_OK)
        return status;
    pthread_mutex_lock(&db->compaction_lock);
    struct fl_version *version = NULL;
    struct fl_table *inputs[FL_COMPACTION_INPUTS_MAX];
    struct fl_compaction compaction = {.input_count = 0};
    status = fl_engine_pin_tables(db, &version);
    if (status == FLOWDB_OK)
        status = fl_compaction_pick(db, version, inputs, &compaction);
    bool due = status == FLOWDB_OK && compaction.input_count > 0;
    if (due)
        status = fl_compaction_run(db, &compaction);
    fl_version_unref(version);
    pthread_mutex_unlock(&db->compaction_lock);
    *ran = due && status == FLOWDB_OK;
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

/* A single table that a compaction wrote, and of which nothing has to go, is as good as merged. */
static flowdb_status is_done(flowdb *db, const struct fl_version *version, bool *done) {
    *done = version->table_count == 0;
    if (version->table_count != 1)
        return FLOWDB_OK;
    const struct fl_table_properties *properties = fl_table_properties(version->tables[0]);
    if (version->skyline != NULL || properties->delete_count > 0 ||
        properties->min_expire_at <= fl_engine_purge_time(db))
        return FLOWDB_OK;
    enum fl_codec codec = FL_CODEC_NONE;
    flowdb_status status = fl_table_first_codec(version->tables[0], &codec);
    *done = codec == FL_CODEC_ZSTD;
    return status;
}

flowdb_status flowdb_compact_all(flowdb *db) {
    if (db == NULL)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "db is NULL");
    flowdb_status status = flowdb_flush(db);
    if (status != FLOWDB_OK)
        return status;
    pthread_mutex_lock(&db->compaction_lock);
    struct fl_version *version = NULL;
    bool done;
    status = fl_engine_pin_tables(db, &version);
    if (status == FLOWDB_OK)
        status = is_done(db, version, &done);
    if (status == FLOWDB_OK && !done)
        status =
            fl_compaction_run(db, &(struct fl_compaction){.inputs = version->tables,
                                                          .input_count = version->table_count});
    fl_version_unref(version);
    pthread_mutex_unlock(&db->compaction_lock);
    return status == FLOWDB_DONE ? FLOWDB_OK : status;
}

/* -------------------------------------------------------------------------------------- gc -- */

/* A table of which nothing is to be seen, and which hides nothing. */
static bool is_garbage(const struct fl_version *version, struct fl_table *table, int64_t purge_us) {
    /* Of a table without puts this is the smallest number. */
    return fl_table_properties(table)->max_expire_at <= purge_us &&
           !fl_compaction_table_hides(version, table);
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
        const struct fl_table_properties *properties = fl_table_properties(garbage);
        fl_event_add_input(event, garbage);
        event->records_expired += properties->row_count - properties->delete_count;
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
        *records_purged = event.records_expired;
    return status;
}
