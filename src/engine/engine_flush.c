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

/* Removes what a failed build left; keeps the failure's sentence. */
static void discard_table(flowdb *db, const char *path, flowdb_status status) {
    char sentence[512];
    snprintf(sentence, sizeof sentence, "%s", flowdb_last_error());
    (void)fl_fs_remove(db->env.fs, path);
    fl_fail(status, "%s", sentence);
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
    struct fl_table_options options = {.block_size = db->config.block_size,
                                       .codec = FL_CODEC_LZ4,
                                       .zstd_level = db->config.zstd_level,
                                       .bloom_bits_per_key = db->config.bloom_bits_per_key};
    struct fl_table_builder *builder = NULL;
    struct fl_table_properties properties = {0};
    flowdb_status status = fl_table_builder_create(&db->env, path, id, &options, &builder);
    bool created = status == FLOWDB_OK;
    if (status == FLOWDB_OK)
        status = fill_builder(memtable, builder, &properties);
    fl_table_builder_destroy(builder);
    if (status == FLOWDB_OK)
        status = fl_fs_sync_dir(db->env.fs, db->sst_dir);
    if (status == FLOWDB_OK)
        status = fl_table_open(&db->env, path, id, properties.file_size, table);
    if (status != FLOWDB_OK && created)
        discard_table(db, path, status);
    fl_release(db->env.alloc, path);
    return status;
}

/* The caller holds manifest_lock. */
static flowdb_status renew_manifest(flowdb *db) {
    struct fl_manifest *fresh;
    uint64_t old_id = fl_manifest_id(db->manifest);
    struct fl_manifest_state state;
    flowdb_status status = fl_manifest_state_copy(fl_manifest_state(db->manifest), &state);
    if (status != FLOWDB_OK)
        return status;
    uint64_t id = fl_engine_new_id(db);
    state.next_id = id + 1;
    bool in_doubt;
    status = fl_manifest_create(&db->env, db->config.data_dir, id, &state, &in_doubt, &fresh);
    fl_manifest_state_deinit(&state);
    if (in_doubt)
        fl_engine_stop_writes(db, "the manifest could not be replaced");
    if (status != FLOWDB_OK)
        return status;
    fl_manifest_close(db->manifest);
    db->manifest = fresh;
    char *path = fl_manifest_path(db->env.alloc, db->config.data_dir, old_id);
    if (path == NULL || fl_fs_remove(db->env.fs, path) != FLOWDB_OK)
        fl_engine_log(db, FLOWDB_LOG_WARN, "%s", flowdb_last_error());
    fl_release(db->env.alloc, path);
    return FLOWDB_OK;
}

flowdb_status fl_engine_append_edit(flowdb *db, struct fl_manifest_edit *edit) {
    pthread_mutex_lock(&db->manifest_lock);
    flowdb_status status = FLOWDB_OK;
    if (fl_manifest_wants_successor(db->manifest))
        status = renew_manifest(db);
    if (status == FLOWDB_OK) {
        const struct fl_manifest_state *state = fl_manifest_state(db->manifest);
        edit->next_id = atomic_load(&db->next_id);
        edit->last_seq = FL_MAX(edit->last_seq, state->last_seq);
        edit->latest_time_us = FL_MAX(fl_engine_now(db), state->latest_time_us);
        status = fl_manifest_append(db->manifest, edit);
        if (status != FLOWDB_OK && fl_manifest_in_doubt(db->manifest))
            fl_engine_stop_writes(db, "the manifest could not be synced");
    }
    pthread_mutex_unlock(&db->manifest_lock);
    return status;
}

/* A version of the current tables and one more. The caller holds flush_lock, so that the tables
   stay the same until it is installed. */
static flowdb_status version_with(flowdb *db, struct fl_table *table, struct fl_version **next) {
    struct fl_version *now = fl_engine_pin(db);
    if (table == NULL) {
        flowdb_status status = fl_version_copy_tables(now, FL_LOGS_MAX, next);
        fl_version_unref(now);
        return status;
    }
    size_t count = now->table_count;
    struct fl_table **tables = fl_allocate(db->env.alloc, (count + 1) * sizeof *tables);
    flowdb_status status = FLOWDB_OK;
    if (tables == NULL) {
        status = fl_fail_memory("a version", (count + 1) * sizeof *tables);
    } else {
        for (size_t i = 0; i < count; i++)
            tables[i] = now->tables[i];
        tables[count] = table;
        status = fl_version_create(db->env.alloc, tables, count + 1, FL_LOGS_MAX, next);
    }
    fl_release(db->env.alloc, tables);
    fl_version_unref(now);
    return status;
}

/* The oldest frozen memtable gives way to the version's tables. */
static void install_flushed(flowdb *db, struct fl_version *next) {
    pthread_mutex_lock(&db->commit_lock);
    struct fl_version *now = fl_engine_pin(db);
    fl_version_set_memtables(next, now->active, now->frozen + 1, now->frozen_count - 1);
    fl_engine_install(db, next);
    fl_version_unref(now);
    pthread_mutex_unlock(&db->commit_lock);
}

/* Makes the table, if there is one, part of the database in place of the oldest frozen memtable:
   one edit, then the version. */
static flowdb_status install_table(flowdb *db, struct fl_table *table) {
    struct fl_table_meta added;
    struct fl_manifest_edit edit = {0};
    if (table != NULL) {
        const struct fl_table_properties *properties = fl_table_properties(table);
        added =
            (struct fl_table_meta){.id = fl_table_id(table), .file_size = properties->file_size};
        edit.added = &added;
        edit.added_count = 1;
        edit.last_seq = properties->max_seq;
    }
    pthread_mutex_lock(&db->commit_lock);
    edit.log = db->logs[1].id;
    pthread_mutex_unlock(&db->commit_lock);
    struct fl_version *next = NULL;
    flowdb_status status = version_with(db, table, &next);
    if (status == FLOWDB_OK)
        status = fl_engine_append_edit(db, &edit);
    if (status == FLOWDB_OK)
        install_flushed(db, next);
    else
        fl_version_unref(next);
    return status;
}

/* The caller holds flush_lock. */
static flowdb_status flush_oldest_locked(flowdb *db) {
    flowdb_status status = fl_engine_check_writable(db);
    if (status != FLOWDB_OK)
        return status;
    struct fl_version *version = fl_engine_pin(db);
    struct fl_memtable *oldest = version->frozen_count > 0 ? version->frozen[0] : NULL;
    struct fl_table *table = NULL;
    if (oldest == NULL)
        status = FLOWDB_DONE;
    else
        status = fl_engine_build_table(db, oldest, &table);
    fl_version_unref(version);
    if (status != FLOWDB_OK)
        return status;
    status = install_table(db, table);
    if (status != FLOWDB_OK && table != NULL && !atomic_load(&db->stopped_writes))
        fl_table_mark_obsolete(table);
    fl_table_unref(table);
    if (status == FLOWDB_OK)
        fl_engine_retire_log(db);
    return status;
}

flowdb_status fl_engine_flush_oldest(flowdb *db) {
    pthread_mutex_lock(&db->flush_lock);
    flowdb_status status = flush_oldest_locked(db);
    pthread_mutex_unlock(&db->flush_lock);
    fl_engine_notify(db);
    return status;
}

/* Freezes what is in memory now, unless that has to wait for a flush: then *frozen is false. *last
   is the youngest log that must go. */
static flowdb_status try_freeze(flowdb *db, bool *frozen, uint64_t *last) {
    flowdb_status status = fl_engine_begin_commit(db, 0);
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
