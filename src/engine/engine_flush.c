/* From memtable to table. */
#include <stdio.h>

#include "engine/engine.h"

static const struct fl_bounds everything = {.ts_low = INT64_MIN, .ts_high = INT64_MAX};

static flowdb_status add_rows(struct fl_memtable *memtable, struct fl_table_builder *builder) {
    struct fl_source *source;
    flowdb_status status = fl_memtable_source(memtable, &everything, UINT64_MAX, &source);
    if (status != FLOWDB_OK)
        return status;
    status = fl_source_seek(source, (flowdb_slice){0}, INT64_MIN);
    while (status == FLOWDB_OK && source->valid) {
        status = fl_table_builder_add(builder, &source->row);
        if (status == FLOWDB_OK)
            status = fl_source_next(source);
    }
    fl_source_close(source);
    return status;
}

static flowdb_status fill_builder(struct fl_memtable *memtable, struct fl_table_builder *builder,
                                  struct fl_table_properties *properties) {
    flowdb_status status = add_rows(memtable, builder);
    size_t count;
    const struct fl_range_tombstone *ranges = fl_memtable_range_tombstones(memtable, &count);
    for (size_t i = 0; i < count && status == FLOWDB_OK; i++)
        status = fl_table_builder_add_range_tombstone(builder, &ranges[i]);
    return status == FLOWDB_OK ? fl_table_builder_finish(builder, properties) : status;
}

void fl_engine_discard_file(flowdb *db, const char *path, flowdb_status status) {
    char sentence[512];
    snprintf(sentence, sizeof sentence, "%s", flowdb_last_error());
    (void)fl_fs_remove(db->env.fs, path);
    fl_fail(status, "%s", sentence);
}

struct fl_table_options fl_engine_table_options(const flowdb *db, enum fl_codec codec) {
    return (struct fl_table_options){.block_size = db->config.block_size,
                                     .codec = codec,
                                     .zstd_level = db->config.zstd_level,
                                     .bloom_bits_per_key = db->config.bloom_bits_per_key};
}

flowdb_status fl_engine_open_table(flowdb *db, const char *path, uint64_t id, uint64_t size,
                                   struct fl_table **table) {
    const struct fl_table_shared shared = {.cache = db->cache, .budget = &db->index_budget};
    return fl_table_open_shared(&db->env, path, id, size, &shared, table);
}

flowdb_status fl_engine_build_table(flowdb *db, struct fl_memtable *memtable,
                                    struct fl_table **table) {
    *table = NULL;
    if (fl_memtable_empty(memtable))
        return FLOWDB_OK;
    uint64_t id = fl_engine_new_id(db);
    char *path = fl_engine_table_path(db, id);
    if (path == NULL)
        return FLOWDB_NO_MEMORY;
    struct fl_table_options options = fl_engine_table_options(db, FL_CODEC_LZ4);
    struct fl_table_builder *builder = NULL;
    struct fl_table_properties properties = {0};
    flowdb_status status = fl_table_builder_create(&db->env, path, id, &options, &builder);
    bool created = status == FLOWDB_OK;
    if (status == FLOWDB_OK)
        status = fill_builder(memtable, builder, &properties);
    fl_table_builder_destroy(builder);
    if (status == FLOWDB_OK)
        status = fl_engine_sync_dir(db, db->sst_dir);
    if (status == FLOWDB_OK)
        status = fl_engine_open_table(db, path, id, properties.file_size, table);
    if (status != FLOWDB_OK && created)
        fl_engine_discard_file(db, path, status);
    fl_release(db->env.alloc, path);
    return status;
}

/* The caller holds flush_lock and keeps the memtable alive. */
static flowdb_status flush_memtable(flowdb *db, struct fl_memtable *memtable,
                                    struct fl_event *event) {
    struct fl_table *table;
    flowdb_status status = fl_engine_build_table(db, memtable, &table);
    if (status != FLOWDB_OK)
        return status;
    struct fl_table_change change = {
        .added = &table, .added_count = table != NULL ? 1 : 0, .oldest_flushed = true};
    status = fl_engine_change_tables(db, &change);
    if (table != NULL && status == FLOWDB_OK)
        fl_event_add_output(event, table);
    else if (table != NULL && !atomic_load(&db->stopped_writes))
        fl_table_mark_obsolete(table);
    fl_table_unref(table);
    return status;
}

/* The caller holds flush_lock. */
static flowdb_status flush_oldest_locked(flowdb *db) {
    flowdb_status status = fl_engine_check_writable(db);
    if (status != FLOWDB_OK)
        return status;
    struct fl_version *version = fl_engine_pin(db);
    struct fl_memtable *oldest = version->frozen_count > 0 ? version->frozen[0] : NULL;
    if (oldest == NULL) {
        fl_version_unref(version);
        return FLOWDB_DONE;
    }
    struct fl_event event;
    fl_engine_event_begin(db, FLOWDB_EVENT_FLUSH, &event);
    event.inputs = 1;
    event.bytes_in = fl_memtable_bytes(oldest);
    event.records_in = fl_memtable_records(oldest);
    status = flush_memtable(db, oldest, &event);
    fl_engine_event_end(db, &event, status);
    fl_version_unref(version);
    if (status == FLOWDB_OK)
        fl_engine_retire_log(db);
    return status;
}

flowdb_status fl_engine_flush_oldest(flowdb *db) {
    pthread_mutex_lock(&db->flush_lock);
    flowdb_status status = flush_oldest_locked(db);
    pthread_mutex_unlock(&db->flush_lock);
    fl_engine_notify(db);
    if (status == FLOWDB_OK) {
        fl_scheduler_want(&db->scheduler, FL_JOB_COMPACT);
        fl_engine_set_pace(db);
    }
    return status;
}

/* Freezes what is in memory now, unless that has to wait for a flush: then *frozen is false. *last
   is the youngest log that must go. */
static flowdb_status try_freeze(flowdb *db, bool *frozen, uint64_t *last) {
    flowdb_status status = fl_engine_begin_commit(db, 0, false);
    if (status != FLOWDB_OK)
        return status;
    pthread_mutex_lock(&db->version_lock);
    bool empty = fl_memtable_empty(db->version->active);
    pthread_mutex_unlock(&db->version_lock);
    size_t youngest = db->log_count - 1;
    *frozen = empty || youngest < db->config.max_frozen_memtables;
    if (empty)
        *last = youngest > 0 ? db->logs[youngest - 1].id : 0;
    else if (*frozen) {
        *last = db->logs[youngest].id;
        status = fl_engine_freeze(db);
    }
    pthread_mutex_unlock(&db->commit_lock);
    return status;
}

static flowdb_status freeze_now(flowdb *db, uint64_t *last) {
    for (;;) {
        bool frozen = false;
        flowdb_status status = try_freeze(db, &frozen, last);
        if (status != FLOWDB_OK || frozen)
            return status;
        status = fl_engine_flush_oldest(db);
        if (status != FLOWDB_OK && status != FLOWDB_DONE)
            return status;
    }
}

flowdb_status flowdb_flush(flowdb *db) {
    uint64_t last;
    flowdb_status status = freeze_now(db, &last);
    while (status == FLOWDB_OK) {
        pthread_mutex_lock(&db->commit_lock);
        bool done = db->logs[0].id > last;
        pthread_mutex_unlock(&db->commit_lock);
        if (done)
            return FLOWDB_OK;
        status = fl_engine_flush_oldest(db);
    }
    return status == FLOWDB_DONE ? FLOWDB_OK : status;
}

flowdb_status flowdb_sync(flowdb *db) {
    flowdb_status status = fl_engine_check_writable(db);
    return status == FLOWDB_OK ? fl_engine_sync(db) : status;
}
