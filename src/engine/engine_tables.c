/* Changing the set of tables: one edit of the manifest, then one new version. */
#include "engine/engine.h"

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

/* The same. Fills in the numbers that every edit carries. */
static flowdb_status append_edit(flowdb *db, struct fl_manifest_edit *edit) {
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
    return status;
}

/* ----------------------------------------------------------------------------------- tables -- */

static bool is_among(struct fl_table *const *tables, size_t count, const struct fl_table *table) {
    for (size_t i = 0; i < count; i++) {
        if (tables[i] == table)
            return true;
    }
    return false;
}

/* A version of the tables after the change, without memtables. The caller holds manifest_lock, so
   that they stay the same until it is installed. */
static flowdb_status changed_version(flowdb *db, const struct fl_table_change *change,
                                     struct fl_version **next) {
    struct fl_version *now = fl_engine_pin(db);
    size_t most = now->table_count + change->added_count, count = 0;
    struct fl_table **tables = fl_allocate(db->env.alloc, most * sizeof(*tables));
    flowdb_status status = FLOWDB_OK;
    if (tables == NULL) {
        status = fl_fail_memory("a version", most * sizeof(*tables));
    } else {
        for (size_t i = 0; i < now->table_count; i++) {
            if (!is_among(change->removed, change->removed_count, now->tables[i]))
                tables[count++] = now->tables[i];
        }
        for (size_t i = 0; i < change->added_count; i++)
            tables[count++] = change->added[i];
        status = fl_version_create(db->env.alloc, tables, count, FL_LOGS_MAX,
                                   &db->index_budget.used, next);
    }
    fl_release(db->env.alloc, tables);
    fl_version_unref(now);
    return status;
}

/* Freezing is kept out for the moment that it takes to take over the memtables. */
static void install_changed(flowdb *db, const struct fl_table_change *change,
                            struct fl_version *next) {
    pthread_mutex_lock(&db->commit_lock);
    struct fl_version *now = fl_engine_pin(db);
    size_t flushed = change->oldest_flushed ? 1 : 0;
    fl_version_set_memtables(next, now->active, now->frozen + flushed, now->frozen_count - flushed);
    fl_engine_install(db, next);
    fl_version_unref(now);
    pthread_mutex_unlock(&db->commit_lock);
}

/* Lists what the change adds and removes; the caller releases *metas and *ids. */
static flowdb_status list_change(flowdb *db, const struct fl_table_change *change,
                                 struct fl_table_meta **metas, uint64_t **ids,
                                 struct fl_manifest_edit *edit) {
    *metas = fl_allocate(db->env.alloc, change->added_count * sizeof **metas);
    *ids = fl_allocate(db->env.alloc, change->removed_count * sizeof **ids);
    if (*metas == NULL || *ids == NULL)
        return fl_fail_memory("an edit of the manifest", change->added_count * sizeof **metas +
                                                             change->removed_count * sizeof **ids);
    for (size_t i = 0; i < change->added_count; i++) {
        const struct fl_table_properties *properties = fl_table_properties(change->added[i]);
        (*metas)[i] = (struct fl_table_meta){.id = fl_table_id(change->added[i]),
                                             .file_size = properties->file_size};
        edit->last_seq = FL_MAX(edit->last_seq, properties->max_seq);
    }
    for (size_t i = 0; i < change->removed_count; i++)
        (*ids)[i] = fl_table_id(change->removed[i]);
    edit->added = *metas;
    edit->added_count = change->added_count;
    edit->removed = *ids;
    edit->removed_count = change->removed_count;
    return FLOWDB_OK;
}

/* The oldest log that will still count. The caller holds manifest_lock. */
static uint64_t log_after(flowdb *db, const struct fl_table_change *change) {
    if (!change->oldest_flushed)
        return fl_manifest_state(db->manifest)->log;
    pthread_mutex_lock(&db->commit_lock);
    uint64_t id = db->logs[1].id;
    pthread_mutex_unlock(&db->commit_lock);
    return id;
}

flowdb_status fl_engine_change_tables(flowdb *db, const struct fl_table_change *change) {
    struct fl_manifest_edit edit = {0};
    struct fl_version *next = NULL;
    struct fl_table_meta *metas = NULL;
    uint64_t *ids = NULL;
    pthread_mutex_lock(&db->manifest_lock);
    edit.log = log_after(db, change);
    flowdb_status status = list_change(db, change, &metas, &ids, &edit);
    if (status == FLOWDB_OK)
        status = changed_version(db, change, &next);
    if (status == FLOWDB_OK)
        status = append_edit(db, &edit);
    if (status == FLOWDB_OK)
        install_changed(db, change, next);
    else
        fl_version_unref(next);
    pthread_mutex_unlock(&db->manifest_lock);
    fl_release(db->env.alloc, metas);
    fl_release(db->env.alloc, ids);
    fl_engine_look_at_space(db);
    return status;
}

flowdb_status fl_engine_retire_all_logs(flowdb *db) {
    struct fl_manifest_edit edit = {.log = 0};
    pthread_mutex_lock(&db->manifest_lock);
    flowdb_status status = append_edit(db, &edit);
    pthread_mutex_unlock(&db->manifest_lock);
    if (status == FLOWDB_OK)
        fl_engine_retire_log(db);
    return status;
}
