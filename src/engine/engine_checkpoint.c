/*
 * flowdb_checkpoint: a copy of the database that opens by itself, made while writes go on.
 *
 * What belongs to it is decided at one moment, under manifest_lock: the tables of the current
 * version, and the logs as far as they are written then. From there on nobody waits for it. The
 * version is pinned, so its tables keep their names, and the logs are open, so that they can be
 * read even after a flush has removed them. Nothing is ever written to a table in place, so a table
 * may have a name in two databases.
 *
 * It comes into being beside its target, and is renamed when all of it is on the disk.
 */
#include <inttypes.h>
#include <stdio.h>

#include "engine/engine.h"
#include "fs/files.h"

/* Behind the target's name, of the directory in which it comes into being: nobody would call his own
   so. */
#define PARTIAL ".partial-checkpoint"

struct log_part {
    uint64_t id, size; /* the first `size` bytes belong to it */
    struct fl_file *file;
};

struct checkpoint {
    flowdb *db;
    const struct fl_env *env;
    char *target, *parent;
    char *partial, *sst_dir, *wal_dir; /* where it comes into being */
    struct fl_version *version;
    struct fl_manifest_state state;
    struct log_part logs[FL_LOGS_MAX];
    size_t log_count;
};

static void deinit(struct checkpoint *checkpoint) {
    const struct fl_alloc *alloc = checkpoint->env->alloc;
    for (size_t i = 0; i < checkpoint->log_count; i++)
        fl_file_close(checkpoint->logs[i].file);
    fl_manifest_state_deinit(&checkpoint->state);
    fl_version_unref(checkpoint->version);
    fl_release(alloc, checkpoint->target);
    fl_release(alloc, checkpoint->parent);
    fl_release(alloc, checkpoint->partial);
    fl_release(alloc, checkpoint->sst_dir);
    fl_release(alloc, checkpoint->wal_dir);
}

/* ---------------------------------------------------------------------------- names and places -- */

static flowdb_status name_paths(struct checkpoint *checkpoint, const char *dir) {
    const struct fl_alloc *alloc = checkpoint->env->alloc;
    size_t length = strlen(dir);
    while (length > 1 && dir[length - 1] == '/')
        length--;
    checkpoint->target = fl_duplicate(alloc, dir, length);
    checkpoint->partial = fl_allocate(alloc, length + sizeof PARTIAL);
    if (checkpoint->target == NULL || checkpoint->partial == NULL)
        return fl_fail_memory("a path", length);
    snprintf(checkpoint->partial, length + sizeof PARTIAL, "%s" PARTIAL, checkpoint->target);
    checkpoint->parent = fl_path_parent(alloc, checkpoint->target);
    checkpoint->sst_dir = fl_path_in(alloc, checkpoint->partial, "sst");
    checkpoint->wal_dir = fl_path_in(alloc, checkpoint->partial, "wal");
    bool named =
        checkpoint->parent != NULL && checkpoint->sst_dir != NULL && checkpoint->wal_dir != NULL;
    return named ? FLOWDB_OK : FLOWDB_NO_MEMORY;
}

static flowdb_status check_target(struct checkpoint *checkpoint) {
    const char *target = checkpoint->target, *slash = strrchr(target, '/');
    const char *last = slash != NULL ? slash + 1 : target;
    if (*last == '\0' || strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "%s cannot be the name of a checkpoint", target);
    bool there = false, empty = true;
    flowdb_status status = fl_fs_exists(checkpoint->env->fs, target, &there);
    if (status == FLOWDB_OK && there)
        status = fl_fs_is_empty_dir(checkpoint->env->fs, target, &empty);
    if (status == FLOWDB_OK && !empty)
        status = fl_fail(FLOWDB_INVALID_ARGUMENT,
                         "%s is not empty: a checkpoint needs a directory of its own", target);
    return status;
}

struct removal {
    const struct fl_env *env;
    const char *dir;
    flowdb_status status; /* the first failure; the others are tried all the same */
};

/* Names that a checkpoint gives. */
static bool is_ours(const char *name) {
    uint64_t id;
    return fl_engine_parse_name(name, &id) != FL_FILE_OTHER || strcmp(name, "CURRENT") == 0 ||
           strcmp(name, "CURRENT.tmp") == 0;
}

static flowdb_status remove_in(const struct fl_env *env, const char *dir, const char *name) {
    char *path = fl_path_in(env->alloc, dir, name);
    flowdb_status status = path != NULL ? fl_fs_remove(env->fs, path) : FLOWDB_NO_MEMORY;
    fl_release(env->alloc, path);
    return status;
}

static flowdb_status remove_entry(void *context, const char *name) {
    struct removal *removal = context;
    flowdb_status status = is_ours(name) ? remove_in(removal->env, removal->dir, name) : FLOWDB_OK;
    if (removal->status == FLOWDB_OK)
        removal->status = status;
    return FLOWDB_OK;
}

static flowdb_status remove_files(const struct fl_env *env, const char *dir) {
    struct removal removal = {.env = env, .dir = dir};
    flowdb_status status = fl_fs_list(env->fs, dir, remove_entry, &removal);
    return status == FLOWDB_OK ? removal.status : status;
}

static flowdb_status remove_dir(const struct fl_env *env, const char *dir) {
    bool there = false;
    flowdb_status status = fl_fs_exists(env->fs, dir, &there);
    if (status == FLOWDB_OK && there)
        status = remove_files(env, dir);
    return status == FLOWDB_OK && there ? fl_fs_remove_dir(env->fs, dir) : status;
}

/* Removes a checkpoint that did not come about, or what a crash left of one; its own files and
   nothing else. */
static flowdb_status remove_partial(const struct checkpoint *checkpoint) {
    const struct fl_env *env = checkpoint->env;
    flowdb_status status = remove_dir(env, checkpoint->sst_dir);
    if (status == FLOWDB_OK)
        status = remove_dir(env, checkpoint->wal_dir);
    return status == FLOWDB_OK ? remove_dir(env, checkpoint->partial) : status;
}

static flowdb_status create_dirs(struct checkpoint *checkpoint) {
    struct fl_fs *fs = checkpoint->env->fs;
    flowdb_status status = fl_fs_create_dir(fs, checkpoint->partial);
    if (status == FLOWDB_OK)
        status = fl_fs_create_dir(fs, checkpoint->sst_dir);
    if (status == FLOWDB_OK)
        status = fl_fs_create_dir(fs, checkpoint->wal_dir);
    return status;
}

/* ---------------------------------------------------------------------- what belongs to it -- */

/* The logs that the manifest still needs, as far as they are written. The caller holds
   manifest_lock, so that none of them is removed. */
static flowdb_status note_logs(struct checkpoint *checkpoint) {
    flowdb *db = checkpoint->db;
    pthread_mutex_lock(&db->commit_lock);
    flowdb_status status = fl_engine_drain_locked(db);
    for (size_t i = 0; i < db->log_count && status == FLOWDB_OK; i++) {
        if (db->logs[i].id >= checkpoint->state.log)
            checkpoint->logs[checkpoint->log_count++] =
                (struct log_part){.id = db->logs[i].id, .size = fl_wal_written(db->logs[i].writer)};
    }
    checkpoint->state.next_id = atomic_load(&db->next_id);
    pthread_mutex_unlock(&db->commit_lock);
    return status;
}

static flowdb_status open_logs(struct checkpoint *checkpoint) {
    flowdb_status status = FLOWDB_OK;
    for (size_t i = 0; i < checkpoint->log_count && status == FLOWDB_OK; i++) {
        struct log_part *log = &checkpoint->logs[i];
        char *path = fl_engine_wal_path(checkpoint->db, log->id);
        status = path != NULL ? fl_fs_open(checkpoint->env->fs, path, FL_OPEN_READ, &log->file)
                              : FLOWDB_NO_MEMORY;
        fl_release(checkpoint->env->alloc, path);
    }
    return status;
}

static flowdb_status decide(struct checkpoint *checkpoint) {
    flowdb *db = checkpoint->db;
    pthread_mutex_lock(&db->manifest_lock);
    flowdb_status status =
        fl_manifest_state_copy(fl_manifest_state(db->manifest), &checkpoint->state);
    if (status == FLOWDB_OK)
        status = note_logs(checkpoint);
    if (status == FLOWDB_OK)
        status = open_logs(checkpoint);
    if (status == FLOWDB_OK)
        status = fl_engine_pin_tables(db, &checkpoint->version);
    pthread_mutex_unlock(&db->manifest_lock);
    return status;
}

/* ----------------------------------------------------------------------------------- making it -- */

static flowdb_status link_tables(const struct checkpoint *checkpoint) {
    const struct fl_alloc *alloc = checkpoint->env->alloc;
    flowdb_status status = FLOWDB_OK;
    for (size_t i = 0; i < checkpoint->state.table_count && status == FLOWDB_OK; i++) {
        char *from = fl_engine_table_path(checkpoint->db, checkpoint->state.tables[i].id);
        char *to =
            from != NULL ? fl_path_in(alloc, checkpoint->sst_dir, strrchr(from, '/') + 1) : NULL;
        status = to != NULL ? fl_fs_link_or_copy(checkpoint->env, from, to) : FLOWDB_NO_MEMORY;
        fl_release(alloc, from);
        fl_release(alloc, to);
    }
    return status == FLOWDB_OK ? fl_fs_sync_dir(checkpoint->env->fs, checkpoint->sst_dir) : status;
}

static flowdb_status copy_logs(const struct checkpoint *checkpoint) {
    const struct fl_alloc *alloc = checkpoint->env->alloc;
    flowdb_status status = FLOWDB_OK;
    for (size_t i = 0; i < checkpoint->log_count && status == FLOWDB_OK; i++) {
        const struct log_part *log = &checkpoint->logs[i];
        char name[40];
        snprintf(name, sizeof name, "%06" PRIu64 ".log", log->id);
        char *to = fl_path_in(alloc, checkpoint->wal_dir, name);
        status = to != NULL ? fl_fs_copy_from(checkpoint->env, log->file, log->size, to)
                            : FLOWDB_NO_MEMORY;
        fl_release(alloc, to);
    }
    return status == FLOWDB_OK ? fl_fs_sync_dir(checkpoint->env->fs, checkpoint->wal_dir) : status;
}

/* Last, so that a partial one has no CURRENT before all that it leads to is on the disk. */
static flowdb_status write_manifest(struct checkpoint *checkpoint) {
    struct fl_manifest *manifest;
    bool in_doubt;
    uint64_t id = checkpoint->state.next_id++;
    flowdb_status status = fl_manifest_create(checkpoint->env, checkpoint->partial, id,
                                              &checkpoint->state, &in_doubt, &manifest);
    if (status == FLOWDB_OK)
        fl_manifest_close(manifest);
    return status;
}

static flowdb_status fill(struct checkpoint *checkpoint) {
    struct fl_fs *fs = checkpoint->env->fs;
    flowdb_status status = create_dirs(checkpoint);
    if (status == FLOWDB_OK)
        status = link_tables(checkpoint);
    if (status == FLOWDB_OK)
        status = copy_logs(checkpoint);
    if (status == FLOWDB_OK)
        status = write_manifest(checkpoint);
    if (status == FLOWDB_OK)
        status = fl_fs_sync_dir(fs, checkpoint->partial);
    return status == FLOWDB_OK ? fl_fs_rename(fs, checkpoint->partial, checkpoint->target) : status;
}

static flowdb_status make(struct checkpoint *checkpoint) {
    struct fl_fs *fs = checkpoint->env->fs;
    flowdb_status status = fl_fs_create_dirs(fs, checkpoint->parent);
    if (status == FLOWDB_OK)
        status = fl_fs_sync_parents(fs, checkpoint->parent);
    if (status == FLOWDB_OK)
        status = remove_partial(checkpoint);
    if (status != FLOWDB_OK)
        return status;
    status = fill(checkpoint);
    /* Whatever becomes of the new name, it leads to something whole: nothing is taken back. */
    if (status == FLOWDB_OK)
        return fl_fs_sync_dir(fs, checkpoint->parent);
    char sentence[512];
    snprintf(sentence, sizeof sentence, "%s", flowdb_last_error());
    (void)remove_partial(checkpoint);
    return fl_fail(status, "%s", sentence);
}

/* Tables and logs; what it made of them is one database. */
static void count_inputs(const struct checkpoint *checkpoint, struct fl_event *event) {
    for (size_t i = 0; checkpoint->version != NULL && i < checkpoint->version->table_count; i++)
        fl_event_add_input(event, checkpoint->version->tables[i]);
    for (size_t i = 0; i < checkpoint->log_count; i++) {
        event->inputs++;
        event->bytes_in += checkpoint->logs[i].size;
    }
}

flowdb_status flowdb_checkpoint(flowdb *db, const char *dir) {
    if (db == NULL || dir == NULL || *dir == '\0')
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "%s", db == NULL ? "db is NULL" : "dir is empty");
    if (db->config.read_only)
        return fl_fail(FLOWDB_READ_ONLY,
                       "a read-only handle makes no checkpoint: it cannot keep the writer from "
                       "removing files");
    struct checkpoint checkpoint = {.db = db, .env = &db->env};
    fl_manifest_state_init(&checkpoint.state, db->env.alloc);
    pthread_mutex_lock(&db->checkpoint_lock);
    struct fl_event event;
    fl_engine_event_begin(db, FLOWDB_EVENT_CHECKPOINT, &event);
    flowdb_status status = name_paths(&checkpoint, dir);
    if (status == FLOWDB_OK)
        status = check_target(&checkpoint);
    if (status == FLOWDB_OK)
        status = decide(&checkpoint);
    if (status == FLOWDB_OK)
        status = make(&checkpoint);
    count_inputs(&checkpoint, &event);
    fl_engine_event_end(db, &event, status);
    pthread_mutex_unlock(&db->checkpoint_lock);
    deinit(&checkpoint);
    return status;
}
