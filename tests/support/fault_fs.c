#include "support/fault_fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fault_file {
    struct fl_file base;
    struct fault_fs *fault;
    struct fl_file *real;
    char path[];
};

static struct fault_fs *fault_of(struct fl_fs *fs) {
    return (struct fault_fs *)(void *)fs;
}

static struct fault_file *file_of(struct fl_file *file) {
    return (struct fault_file *)(void *)file;
}

const char *fault_op_name(enum fault_op op) {
    static const char *const names[FAULT_OPS] = {
        "open",     "create",     "read",   "write",      "sync",       "truncate", "allocate",
        "size",     "create_dir", "remove", "remove_dir", "rename",     "link",     "list",
        "sync_dir", "exists",     "lock",   "free_space", "working_dir"};
    return names[op];
}

/* Counts the call. Must it fail? */
static bool strikes(struct fault_fs *fault, enum fault_op op, const char *path) {
    if (fault->hook != NULL)
        fault->hook(fault->hook_context, op, path);
    pthread_mutex_lock(&fault->lock);
    fault->counts[op]++;
    bool counts = (fault->ops & FAULT_MASK(op)) != 0 &&
                  (fault->path_part == NULL || strstr(path, fault->path_part) != NULL);
    bool fails = false;
    if (counts) {
        fault->calls++;
        fails = fault->fail_at > 0 && (fault->persistent ? fault->calls >= fault->fail_at
                                                         : fault->calls == fault->fail_at);
    }
    if (fails) {
        fault->failures++;
        fault->failed_op = op;
        snprintf(fault->failed_path, sizeof fault->failed_path, "%s", path);
    }
    pthread_mutex_unlock(&fault->lock);
    return fails;
}

static flowdb_status injected(const struct fault_fs *fault, enum fault_op op, const char *path) {
    return fl_fail(fault->status, "cannot %s %s: a fault was injected", fault_op_name(op), path);
}

/* What a call without a result gives: it is made unless it fails before. */
#define CALL(fault, op, path, call)                                                         \
    do {                                                                                    \
        bool fails_ = strikes((fault), (op), (path));                                       \
        flowdb_status status_ = fails_ && (fault)->way != FAULT_AFTER ? FLOWDB_OK : (call); \
        return fails_ && status_ == FLOWDB_OK ? injected((fault), (op), (path)) : status_;  \
    } while (0)

/* ----------------------------------------------------------------------------------- files -- */

static flowdb_status fault_read_at(struct fl_file *file, uint64_t offset, void *into, size_t size,
                                   size_t *got) {
    struct fault_file *mine = file_of(file);
    if (strikes(mine->fault, FAULT_READ, mine->path))
        return injected(mine->fault, FAULT_READ, mine->path);
    return fl_file_read_at(mine->real, offset, into, size, got);
}

/* Writes half of the bytes. */
static void write_half(struct fault_file *mine, uint64_t offset, const struct iovec *parts,
                       size_t count) {
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += parts[i].iov_len;
    size_t left = total / 2;
    for (size_t i = 0; i < count && left > 0; i++) {
        struct iovec part = parts[i];
        if (part.iov_len > left)
            part.iov_len = left;
        if (fl_file_write_at(mine->real, offset, &part, 1) != FLOWDB_OK)
            return;
        offset += part.iov_len;
        left -= part.iov_len;
    }
}

static flowdb_status fault_write_at(struct fl_file *file, uint64_t offset,
                                    const struct iovec *parts, size_t count) {
    struct fault_file *mine = file_of(file);
    struct fault_fs *fault = mine->fault;
    bool fails = strikes(fault, FAULT_WRITE, mine->path);
    if (fails && fault->way == FAULT_HALFWAY)
        write_half(mine, offset, parts, count);
    flowdb_status status = FLOWDB_OK;
    if (!fails || fault->way == FAULT_AFTER)
        status = fl_file_write_at(mine->real, offset, parts, count);
    return fails && status == FLOWDB_OK ? injected(fault, FAULT_WRITE, mine->path) : status;
}

static flowdb_status fault_sync(struct fl_file *file) {
    struct fault_file *mine = file_of(file);
    struct fault_fs *fault = mine->fault;
    bool fails = strikes(fault, FAULT_SYNC, mine->path);
    flowdb_status status = FLOWDB_OK;
    if (fails && fault->way == FAULT_HALFWAY && fault->sync_halfway != NULL)
        fault->sync_halfway(fault->sync_halfway_context, mine->real);
    else if ((!fails || fault->way == FAULT_AFTER) && !fault->skip_syncs)
        status = fl_file_sync(mine->real);
    return fails && status == FLOWDB_OK ? injected(fault, FAULT_SYNC, mine->path) : status;
}

static flowdb_status fault_truncate(struct fl_file *file, uint64_t size) {
    struct fault_file *mine = file_of(file);
    CALL(mine->fault, FAULT_TRUNCATE, mine->path, fl_file_truncate(mine->real, size));
}

static flowdb_status fault_allocate(struct fl_file *file, uint64_t size) {
    struct fault_file *mine = file_of(file);
    CALL(mine->fault, FAULT_ALLOCATE, mine->path, fl_file_allocate(mine->real, size));
}

static flowdb_status fault_size(struct fl_file *file, uint64_t *size) {
    struct fault_file *mine = file_of(file);
    if (strikes(mine->fault, FAULT_SIZE, mine->path))
        return injected(mine->fault, FAULT_SIZE, mine->path);
    return fl_file_size(mine->real, size);
}

static void fault_close(struct fl_file *file) {
    struct fault_file *mine = file_of(file);
    pthread_mutex_lock(&mine->fault->lock);
    mine->fault->open_files--;
    pthread_mutex_unlock(&mine->fault->lock);
    fl_file_close(mine->real);
    free(mine);
}

static const struct fl_file_ops file_ops = {
    .read_at = fault_read_at,
    .write_at = fault_write_at,
    .sync = fault_sync,
    .truncate = fault_truncate,
    .allocate = fault_allocate,
    .size = fault_size,
    .close = fault_close,
};

static struct fl_file *wrap(struct fault_fs *fault, const char *path, struct fl_file *real) {
    size_t length = strlen(path);
    struct fault_file *made = malloc(sizeof *made + length + 1);
    if (made == NULL)
        abort();
    made->base.ops = &file_ops;
    made->fault = fault;
    made->real = real;
    memcpy(made->path, path, length + 1);
    pthread_mutex_lock(&fault->lock);
    fault->open_files++;
    pthread_mutex_unlock(&fault->lock);
    return &made->base;
}

/* ------------------------------------------------------------------------------------ names -- */

/* Hands out the opened file, or takes it back where the call fails all the same. */
static flowdb_status open_result(struct fault_fs *fault, enum fault_op op, const char *path,
                                 bool fails, flowdb_status status, struct fl_file *real,
                                 struct fl_file **file) {
    if (status != FLOWDB_OK)
        return status;
    if (fails) {
        fl_file_close(real);
        return injected(fault, op, path);
    }
    *file = wrap(fault, path, real);
    return FLOWDB_OK;
}

static flowdb_status fault_open(struct fl_fs *fs, const char *path, enum fl_open_mode mode,
                                struct fl_file **file) {
    struct fault_fs *fault = fault_of(fs);
    enum fault_op op = mode == FL_OPEN_CREATE ? FAULT_CREATE : FAULT_OPEN;
    bool fails = strikes(fault, op, path);
    if (fails && fault->way != FAULT_AFTER)
        return injected(fault, op, path);
    struct fl_file *real = NULL;
    flowdb_status status = fl_fs_open(fault->real, path, mode, &real);
    return open_result(fault, op, path, fails, status, real, file);
}

static flowdb_status fault_lock(struct fl_fs *fs, const char *path, struct fl_file **lock) {
    struct fault_fs *fault = fault_of(fs);
    bool fails = strikes(fault, FAULT_LOCK, path);
    if (fails && fault->way != FAULT_AFTER)
        return injected(fault, FAULT_LOCK, path);
    struct fl_file *real = NULL;
    flowdb_status status = fl_fs_lock(fault->real, path, &real);
    return open_result(fault, FAULT_LOCK, path, fails, status, real, lock);
}

static flowdb_status fault_create_dir(struct fl_fs *fs, const char *path) {
    CALL(fault_of(fs), FAULT_CREATE_DIR, path, fl_fs_create_dir(fault_of(fs)->real, path));
}

static flowdb_status fault_remove(struct fl_fs *fs, const char *path) {
    CALL(fault_of(fs), FAULT_REMOVE, path, fl_fs_remove(fault_of(fs)->real, path));
}

static flowdb_status fault_remove_dir(struct fl_fs *fs, const char *path) {
    CALL(fault_of(fs), FAULT_REMOVE_DIR, path, fl_fs_remove_dir(fault_of(fs)->real, path));
}

static flowdb_status fault_rename(struct fl_fs *fs, const char *from, const char *to) {
    CALL(fault_of(fs), FAULT_RENAME, to, fl_fs_rename(fault_of(fs)->real, from, to));
}

static flowdb_status fault_link(struct fl_fs *fs, const char *from, const char *to) {
    CALL(fault_of(fs), FAULT_LINK, to, fl_fs_link(fault_of(fs)->real, from, to));
}

static flowdb_status fault_list(struct fl_fs *fs, const char *path,
                                flowdb_status (*each)(void *context, const char *name),
                                void *context) {
    CALL(fault_of(fs), FAULT_LIST, path, fl_fs_list(fault_of(fs)->real, path, each, context));
}

static flowdb_status fault_sync_dir(struct fl_fs *fs, const char *path) {
    CALL(fault_of(fs), FAULT_SYNC_DIR, path,
         fault_of(fs)->skip_syncs ? FLOWDB_OK : fl_fs_sync_dir(fault_of(fs)->real, path));
}

static flowdb_status fault_exists(struct fl_fs *fs, const char *path, bool *exists) {
    if (strikes(fault_of(fs), FAULT_EXISTS, path))
        return injected(fault_of(fs), FAULT_EXISTS, path);
    return fl_fs_exists(fault_of(fs)->real, path, exists);
}

static flowdb_status fault_free_space(struct fl_fs *fs, const char *path, uint64_t *bytes) {
    if (strikes(fault_of(fs), FAULT_FREE_SPACE, path))
        return injected(fault_of(fs), FAULT_FREE_SPACE, path);
    uint64_t told = atomic_load(&fault_of(fs)->free_bytes);
    if (told == UINT64_MAX)
        return fl_fs_free_space(fault_of(fs)->real, path, bytes);
    *bytes = told;
    return FLOWDB_OK;
}

static flowdb_status fault_working_dir(struct fl_fs *fs, char *path, size_t size) {
    if (strikes(fault_of(fs), FAULT_WORKING_DIR, "."))
        return injected(fault_of(fs), FAULT_WORKING_DIR, ".");
    return fl_fs_working_dir(fault_of(fs)->real, path, size);
}

void fault_fs_init(struct fault_fs *fault) {
    static const struct fl_fs_ops ops = {
        .open = fault_open,
        .create_dir = fault_create_dir,
        .remove = fault_remove,
        .remove_dir = fault_remove_dir,
        .rename = fault_rename,
        .link = fault_link,
        .list = fault_list,
        .sync_dir = fault_sync_dir,
        .exists = fault_exists,
        .lock = fault_lock,
        .free_space = fault_free_space,
        .working_dir = fault_working_dir,
    };
    *fault = (struct fault_fs){.fs = {.ops = &ops},
                               .real = fl_fs_posix(),
                               .ops = FAULT_MASK_ALL,
                               .status = FLOWDB_IO_ERROR,
                               .free_bytes = UINT64_MAX};
    pthread_mutex_init(&fault->lock, NULL);
}

void fault_fs_deinit(struct fault_fs *fault) {
    pthread_mutex_destroy(&fault->lock);
}

void fault_fs_arm(struct fault_fs *fault, uint64_t at, bool persistent, enum fault_way way,
                  flowdb_status status) {
    pthread_mutex_lock(&fault->lock);
    fault->calls = 0;
    fault->failures = 0;
    fault->fail_at = at;
    fault->persistent = persistent;
    fault->way = way;
    fault->status = status;
    pthread_mutex_unlock(&fault->lock);
}

void fault_fs_disarm(struct fault_fs *fault) {
    pthread_mutex_lock(&fault->lock);
    fault->fail_at = 0;
    pthread_mutex_unlock(&fault->lock);
}
