/* Opening and closing. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/hash.h"
#include "engine/recovery.h"
#include "fs/files.h"

/* ------------------------------------------------------------------------------- the handle -- */

static void init_locks(flowdb *db) {
    pthread_mutex_init(&db->checkpoint_lock, NULL);
    pthread_mutex_init(&db->flush_lock, NULL);
    pthread_mutex_init(&db->compaction_lock, NULL);
    pthread_mutex_init(&db->sync_lock, NULL);
    pthread_mutex_init(&db->commit_lock, NULL);
    pthread_mutex_init(&db->manifest_lock, NULL);
    pthread_mutex_init(&db->version_lock, NULL);
    pthread_mutex_init(&db->state_lock, NULL);
    pthread_mutex_init(&db->event_lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&db->state_changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

/* Chunks of about a thirtieth of a memtable, so that rounding up to them stays small. */
static size_t chunk_size(const flowdb_config *config) {
    size_t size = (size_t)2 << 20;
    size_t memtable = (size_t)config->memtable_size_mb << 20;
    while (size > ((size_t)64 << 10) && size * 32 > memtable)
        size /= 2;
    return size;
}

/* A relative path is resolved once: the program may change its working directory later. */
static flowdb_status set_paths(flowdb *db, const char *dir) {
    enum { WORKING_DIR_BYTES = 4096 };
    char base[WORKING_DIR_BYTES] = "";
    if (dir[0] != '/') {
        flowdb_status status = fl_fs_working_dir(db->env.fs, base, sizeof base);
        if (status != FLOWDB_OK && status != FLOWDB_UNSUPPORTED)
            return status;
        while (base[0] != '\0' && dir[0] == '.' && dir[1] == '/')
            dir += 1 + strspn(dir + 1, "/");
    }
    const char *between = base[0] != '\0' ? "/" : "";
    size_t size = strlen(base) + strlen(dir) + sizeof "//wal";
    char *data_dir = fl_allocate(db->env.alloc, size);
    db->wal_dir = fl_allocate(db->env.alloc, size);
    db->sst_dir = fl_allocate(db->env.alloc, size);
    db->config.data_dir = data_dir;
    if (data_dir == NULL || db->wal_dir == NULL || db->sst_dir == NULL)
        return fl_fail_memory("a path", size);
    snprintf(data_dir, size, "%s%s%s", base, between, dir);
    snprintf(db->wal_dir, size, "%s/wal", data_dir);
    snprintf(db->sst_dir, size, "%s/sst", data_dir);
    return FLOWDB_OK;
}

flowdb_status fl_engine_create(const flowdb_config *config, const struct fl_env *env,
                               flowdb **out) {
    flowdb *db = fl_allocate_zeroed(env->alloc, 1, sizeof *db);
    if (db == NULL)
        return fl_fail_memory("a database handle", sizeof *db);
    db->env = *env;
    db->config = *config;
    init_locks(db);
    fl_engine_init_jobs(db);
    size_t chunk = chunk_size(config);
    size_t memtable = (size_t)config->memtable_size_mb << 20;
    fl_chunk_pool_init(&db->pool, env->alloc, chunk, memtable / chunk + 2);
    /* What full memtables may take: memory made ahead must not come on top of it. */
    db->pool.resident_max = (uint64_t)memtable * (1 + (uint64_t)config->max_frozen_memtables);
    atomic_init(&db->latest_time_us, INT64_MIN);
    db->config.data_dir = NULL;
    *out = db;
    db->index_budget.limit = (size_t)config->index_memory_budget_mb << 20;
    flowdb_status status = fl_stats_init(&db->stats, env->alloc);
    if (status == FLOWDB_OK)
        status = set_paths(db, config->data_dir);
    if (status != FLOWDB_OK)
        return status;
    size_t capacity = (size_t)config->block_cache_capacity_mb << 20;
    return capacity > 0 ? fl_cache_create(env->alloc, capacity, &db->cache) : FLOWDB_OK;
}

void fl_engine_destroy(flowdb *db) {
    if (db == NULL)
        return;
    const struct fl_alloc *alloc = db->env.alloc;
    for (size_t i = 0; i < db->log_count; i++)
        fl_wal_close(db->logs[i].writer);
    fl_manifest_close(db->manifest);
    fl_engine_install(db, NULL);
    fl_cache_destroy(db->cache);
    fl_stats_deinit(&db->stats);
    fl_chunk_pool_deinit(&db->pool);
    fl_file_close(db->lock_file);
    fl_release(alloc, (void *)(uintptr_t)db->config.data_dir);
    fl_release(alloc, db->wal_dir);
    fl_release(alloc, db->sst_dir);
    fl_scheduler_deinit(&db->scheduler);
    pthread_mutex_destroy(&db->checkpoint_lock);
    pthread_mutex_destroy(&db->flush_lock);
    pthread_mutex_destroy(&db->compaction_lock);
    pthread_mutex_destroy(&db->sync_lock);
    pthread_mutex_destroy(&db->commit_lock);
    pthread_mutex_destroy(&db->manifest_lock);
    pthread_mutex_destroy(&db->version_lock);
    pthread_mutex_destroy(&db->state_lock);
    pthread_mutex_destroy(&db->event_lock);
    pthread_cond_destroy(&db->state_changed);
    fl_release(alloc, db);
}

/* ----------------------------------------------------------------------------- directories -- */

static flowdb_status require_database(flowdb *db) {
    bool there = false;
    size_t size = strlen(db->config.data_dir) + sizeof "/CURRENT";
    char *current = fl_allocate(db->env.alloc, size);
    if (current == NULL)
        return fl_fail_memory("a path", size);
    snprintf(current, size, "%s/CURRENT", db->config.data_dir);
    flowdb_status status = fl_fs_exists(db->env.fs, current, &there);
    if (status == FLOWDB_OK && !there)
        status = fl_fs_exists(db->env.fs, db->sst_dir, &there);
    if (status == FLOWDB_OK && !there)
        status = fl_fail(FLOWDB_NOT_FOUND, "there is no database in %s", db->config.data_dir);
    fl_release(db->env.alloc, current);
    return status;
}

static flowdb_status prepare_dirs(flowdb *db) {
    flowdb_status status = FLOWDB_OK;
    if (!db->config.create_if_missing)
        status = require_database(db);
    if (status == FLOWDB_OK)
        status = fl_fs_create_dirs(db->env.fs, db->wal_dir);
    if (status == FLOWDB_OK)
        status = fl_fs_create_dirs(db->env.fs, db->sst_dir);
    return status;
}

static flowdb_status take_lock(flowdb *db) {
    size_t size = strlen(db->config.data_dir) + sizeof "/LOCK";
    char *path = fl_allocate(db->env.alloc, size);
    if (path == NULL)
        return fl_fail_memory("a path", size);
    snprintf(path, size, "%s/LOCK", db->config.data_dir);
    flowdb_status status = fl_fs_lock(db->env.fs, path, &db->lock_file);
    fl_release(db->env.alloc, path);
    return status;
}

/* ------------------------------------------------------------------------------------ open -- */

static void set_clock(flowdb *db, const struct fl_recovery *recovery) {
    int64_t now = fl_clock_wall_us(db->env.clock), stored = recovery->state.latest_time_us;
    if (stored > now && (uint64_t)stored - (uint64_t)now > (uint64_t)FL_DAY_US) {
        fl_engine_log(db, FLOWDB_LOG_WARN,
                      "the database has seen a time %" PRIu64
                      " s ahead of the clock, which is ignored: was the clock wrong?",
                      ((uint64_t)stored - (uint64_t)now) / 1000000);
        stored = now;
    }
    atomic_store(&db->latest_time_us, FL_MAX(now, stored));
    db->opened_wall_us = FL_MAX(now, stored);
    db->opened_monotonic_us = fl_clock_monotonic_us(db->env.clock);
}

/* What was only in logs goes into tables, before anything refers to new logs. */
static flowdb_status flush_recovered(flowdb *db, struct fl_recovery *recovery) {
    flowdb_status status = FLOWDB_OK;
    for (size_t i = 0; i < recovery->memtable_count && status == FLOWDB_OK; i++) {
        struct fl_table *table;
        status = fl_engine_build_table(db, recovery->memtables[i], &table);
        if (status != FLOWDB_OK || table == NULL)
            continue;
        status = fl_recovery_add_table(db, recovery, table);
        if (status != FLOWDB_OK)
            fl_table_unref(table);
    }
    return status;
}

/* The manifest that says what the recovery found, and a log to go on with. */
static flowdb_status begin_manifest(flowdb *db, struct fl_recovery *recovery) {
    flowdb_status status = fl_engine_create_log(db, 0, &db->logs[0]);
    if (status != FLOWDB_OK)
        return status;
    db->log_count = 1;
    fl_stats_set(&db->stats.active_log_bytes, fl_wal_offset(db->logs[0].writer));
    db->durable = (struct fl_wal_position){.log = db->logs[0].id,
                                           .offset = fl_wal_written(db->logs[0].writer)};
    size_t size = recovery->table_count * sizeof(struct fl_table_meta);
    struct fl_table_meta *metas = fl_allocate(db->env.alloc, size);
    if (metas == NULL)
        return fl_fail_memory("the list of tables", size);
    for (size_t i = 0; i < recovery->table_count; i++) {
        metas[i].id = fl_table_id(recovery->tables[i]);
        metas[i].file_size = fl_table_properties(recovery->tables[i])->file_size;
    }
    uint64_t id = fl_engine_new_id(db);
    struct fl_manifest_state state = {.alloc = db->env.alloc,
                                      .next_id = id + 1,
                                      .last_seq = recovery->max_seq,
                                      .log = db->logs[0].id,
                                      .latest_time_us = atomic_load(&db->latest_time_us),
                                      .tables = metas,
                                      .table_count = recovery->table_count};
    bool in_doubt;
    status =
        fl_manifest_create(&db->env, db->config.data_dir, id, &state, &in_doubt, &db->manifest);
    fl_release(db->env.alloc, metas);
    return status;
}

static flowdb_status first_version(flowdb *db, const struct fl_recovery *recovery,
                                   struct fl_memtable *const *frozen, size_t frozen_count) {
    struct fl_memtable *active = NULL;
    struct fl_version *version;
    size_t series = db->config.read_only ? 0 : fl_engine_expected_series(db);
    flowdb_status status = fl_memtable_create(db->env.alloc, &db->pool, series, &active);
    if (status == FLOWDB_OK)
        status = fl_version_create(db->env.alloc, recovery->tables, recovery->table_count,
                                   frozen_count, &db->index_budget.used, &version);
    if (status == FLOWDB_OK) {
        fl_version_set_memtables(version, active, frozen, frozen_count);
        fl_engine_install(db, version);
        db->next_seq = recovery->max_seq + 1;
        atomic_store(&db->visible_seq, recovery->max_seq);
    }
    fl_memtable_unref(active);
    return status;
}

static void remove_file(flowdb *db, char *path) {
    if (path == NULL || fl_fs_remove(db->env.fs, path) != FLOWDB_OK)
        fl_engine_log(db, FLOWDB_LOG_WARN, "%s", flowdb_last_error());
    fl_release(db->env.alloc, path);
}

static bool is_listed(const struct fl_recovery *recovery, uint64_t table) {
    for (size_t i = 0; i < recovery->state.table_count; i++) {
        if (recovery->state.tables[i].id == table)
            return true;
    }
    return false;
}

/* Files that were there before this open and that the new manifest has no use for. One that cannot
   be removed now is removed at the next open. */
static void remove_leftovers(flowdb *db, const struct fl_recovery *recovery) {
    for (size_t i = 0; i < recovery->wal_files.count; i++)
        remove_file(db, fl_engine_wal_path(db, recovery->wal_files.ids[i]));
    for (size_t i = 0; i < recovery->table_files.count; i++) {
        if (!is_listed(recovery, recovery->table_files.ids[i]))
            remove_file(db, fl_engine_table_path(db, recovery->table_files.ids[i]));
    }
    for (size_t i = 0; i < recovery->manifest_files.count; i++)
        remove_file(db, fl_manifest_path(db->env.alloc, db->config.data_dir,
                                         recovery->manifest_files.ids[i]));
}

/* Tables that recovery wrote, when it failed before any manifest could list them. */
static void abandon_recovered(struct fl_recovery *recovery) {
    for (size_t i = recovery->state.table_count; i < recovery->table_count; i++)
        fl_table_mark_obsolete(recovery->tables[i]);
}

static void count_recovery(flowdb *db, const struct fl_recovery *recovery) {
    db->stats.recovered_records = recovery->records;
    db->stats.torn_logs = recovery->torn_logs;
    db->stats.dropped_logs = recovery->dropped_logs;
}

/* What became of the logs; tables that the manifest listed do not count. */
static void end_open_event(flowdb *db, struct fl_event *event, const struct fl_recovery *recovery) {
    event->inputs = recovery->memtable_count;
    event->records_in = recovery->records;
    for (size_t i = recovery->state.table_count; i < recovery->table_count; i++)
        fl_event_add_output(event, recovery->tables[i]);
    fl_engine_event_end(db, event, FLOWDB_OK);
}

static flowdb_status recover(flowdb *db) {
    struct fl_recovery recovery;
    struct fl_event event;
    fl_engine_event_begin(db, FLOWDB_EVENT_OPEN, &event);
    flowdb_status status = fl_recovery_read(db, &recovery);
    if (status != FLOWDB_OK)
        goto done;
    if (recovery.is_new && !db->config.create_if_missing) {
        status = fl_fail(FLOWDB_NOT_FOUND, "there is no database in %s", db->config.data_dir);
        goto done;
    }
    atomic_store(&db->next_id, recovery.max_id + 1);
    set_clock(db, &recovery);
    if (recovery.is_new)
        status = fl_fs_sync_parents(db->env.fs, db->wal_dir);
    if (status == FLOWDB_OK)
        status = flush_recovered(db, &recovery);
    if (status == FLOWDB_OK)
        status = first_version(db, &recovery, NULL, 0);
    if (status != FLOWDB_OK) {
        abandon_recovered(&recovery);
        goto done;
    }
    status = begin_manifest(db, &recovery);
    if (status != FLOWDB_OK)
        goto done;
    remove_leftovers(db, &recovery);
    end_open_event(db, &event, &recovery);
    count_recovery(db, &recovery);
    fl_engine_log(db, FLOWDB_LOG_INFO,
                  "opened %s: %zu tables, %" PRIu64 " entries replayed from %zu logs, %" PRIu64
                  " of them torn; %" PRIu64 " logs dropped",
                  db->config.data_dir, recovery.table_count, recovery.records,
                  recovery.memtable_count, recovery.torn_logs, recovery.dropped_logs);
done:
    fl_recovery_deinit(db, &recovery);
    return status;
}

static flowdb_status read_once(flowdb *db, struct fl_recovery *recovery) {
    flowdb_status status = fl_recovery_read(db, recovery);
    if (status == FLOWDB_OK && recovery->is_new)
        return fl_fail(FLOWDB_NOT_FOUND, "there is no database in %s", db->config.data_dir);
    if (status != FLOWDB_OK)
        return status;
    set_clock(db, recovery);
    return first_version(db, recovery, recovery->memtables, recovery->memtable_count);
}

/* What a manifest said, as a number. Two edits in a row may give the same numbers for the next file,
   but never list the same tables and logs. */
static uint64_t fingerprint(const struct fl_recovery *recovery) {
    const struct fl_manifest_state *state = &recovery->state;
    const uint64_t numbers[] = {recovery->manifest_id, state->next_id, state->log};
    size_t size = state->table_count * sizeof *state->tables;
    return fl_hash_key(flowdb_bytes(numbers, sizeof numbers)) * 31 +
           fl_hash_key(flowdb_bytes(state->tables, size));
}

/* A writer may remove files while they are being opened: then what it made of them is there, and
   the manifest tells. Something missing or damaged twice under the same manifest really is. */
static flowdb_status recover_read_only(flowdb *db) {
    enum { TRIES = 100 };
    flowdb_status status = FLOWDB_OK;
    uint64_t before = 0;
    struct fl_event event;
    fl_engine_event_begin(db, FLOWDB_EVENT_OPEN, &event);
    for (int i = 0; i < TRIES; i++) {
        struct fl_recovery recovery;
        status = read_once(db, &recovery);
        count_recovery(db, &recovery);
        event.inputs = recovery.memtable_count;
        event.records_in = recovery.records;
        uint64_t now = fingerprint(&recovery);
        bool moved = now != before;
        before = now;
        bool is_new = recovery.is_new;
        fl_recovery_deinit(db, &recovery);
        if ((status != FLOWDB_CORRUPTION && status != FLOWDB_NOT_FOUND) || is_new ||
            (i > 0 && !moved))
            break;
    }
    fl_engine_event_end(db, &event, status);
    return status;
}

static flowdb_status open_for_writing(flowdb *db) {
    flowdb_status status = prepare_dirs(db);
    if (status == FLOWDB_OK)
        status = take_lock(db);
    if (status == FLOWDB_OK)
        status = recover(db);
    if (status == FLOWDB_OK) {
        db->next_sync_us =
            fl_clock_monotonic_us(db->env.clock) + (int64_t)db->config.wal_sync_interval_ms * 1000;
        fl_engine_look_at_space(db);
        status = fl_engine_start_jobs(db);
    }
    return status;
}

flowdb_status fl_engine_open(const flowdb_config *config, const struct fl_env *env, flowdb **out) {
    flowdb_config defaults;
    if (config == NULL) {
        flowdb_config_init(&defaults, sizeof defaults);
        config = &defaults;
    }
    flowdb_status status = flowdb_config_validate(config);
    if (status == FLOWDB_OK && out == NULL)
        status = fl_fail(FLOWDB_INVALID_ARGUMENT, "db is NULL: there is nowhere to put the handle");
    if (status != FLOWDB_OK)
        return status;
    flowdb *db = NULL;
    status = fl_engine_create(config, env, &db);
    if (status == FLOWDB_OK)
        status = config->read_only ? recover_read_only(db) : open_for_writing(db);
    if (status != FLOWDB_OK) {
        fl_engine_destroy(db);
        return status;
    }
    *out = db;
    return FLOWDB_OK;
}

flowdb_status flowdb_open(const flowdb_config *config, flowdb **db) {
    const struct fl_env env = {
        .alloc = fl_alloc_system(), .clock = fl_clock_system(), .fs = fl_fs_posix()};
    return fl_engine_open(config, &env, db);
}

/* ----------------------------------------------------------------------------------- close -- */

flowdb_status flowdb_close(flowdb *db) {
    if (db == NULL)
        return FLOWDB_OK;
    uint64_t iterators = atomic_load(&db->iterators);
    if (iterators > 0)
        return fl_fail(FLOWDB_INVALID_ARGUMENT,
                       "%" PRIu64 " iterators are alive: destroy them before flowdb_close",
                       iterators);
    flowdb_status status = FLOWDB_OK;
    if (!db->config.read_only) {
        fl_engine_stop_jobs(db);
        status = flowdb_flush(db);
        if (status == FLOWDB_OK)
            status = fl_engine_retire_all_logs(db);
        if (status != FLOWDB_OK) {
            /* The tables could not be written; the logs at least shall be whole. Once a sync has
               failed there is no other, but what waits in the buffer need not be lost. */
            char sentence[512];
            snprintf(sentence, sizeof sentence, "%s", flowdb_last_error());
            (void)(atomic_load(&db->stopped_writes) ? fl_engine_drain(db) : fl_engine_sync(db));
            fl_fail(status, "%s", sentence);
        }
        fl_engine_drop_spare(db);
    }
    fl_engine_destroy(db);
    return status;
}
