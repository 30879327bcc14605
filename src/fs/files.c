#include "fs/files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

#define COPY_BYTES ((size_t)256 << 10)

char *fl_path_in(const struct fl_alloc *alloc, const char *dir, const char *name) {
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = fl_allocate(alloc, size);
    if (path != NULL)
        snprintf(path, size, "%s/%s", dir, name);
    else
        fl_fail_memory("a path", size);
    return path;
}

char *fl_path_parent(const struct fl_alloc *alloc, const char *path) {
    const char *slash = strrchr(path, '/');
    const char *from = slash != NULL ? path : ".";
    size_t size = slash == NULL || slash == path ? 1 : (size_t)(slash - path);
    char *parent = fl_duplicate(alloc, from, size);
    if (parent == NULL)
        fl_fail_memory("a path", size);
    return parent;
}

flowdb_status fl_fs_create_dirs(struct fl_fs *fs, char *path) {
    bool there = false;
    flowdb_status status = fl_fs_exists(fs, path, &there);
    if (status != FLOWDB_OK || there)
        return status;
    char *slash = strrchr(path, '/');
    if (slash != NULL && slash != path) {
        *slash = '\0';
        status = fl_fs_create_dirs(fs, path);
        *slash = '/';
    }
    if (status == FLOWDB_OK)
        status = fl_fs_create_dir(fs, path);
    if (status != FLOWDB_OK)
        return status;
    if (slash == NULL || slash == path)
        return fl_fs_sync_dir(fs, slash == path ? "/" : ".");
    *slash = '\0';
    status = fl_fs_sync_dir(fs, path);
    *slash = '/';
    return status;
}

flowdb_status fl_fs_sync_parents(struct fl_fs *fs, char *path) {
    char *slash = strrchr(path, '/');
    bool last = slash == NULL || slash == path;
    if (!last)
        *slash = '\0';
    const char *parent = slash == path ? "/" : last ? "." : path;
    flowdb_status status = fl_fs_sync_dir(fs, parent);
    if (status == FLOWDB_READ_ONLY)
        status = FLOWDB_OK;
    if (status == FLOWDB_OK && !last)
        status = fl_fs_sync_parents(fs, path);
    if (!last)
        *slash = '/';
    return status;
}

static flowdb_status note_entry(void *context, const char *name) {
    bool *empty = context;
    (void)name;
    *empty = false;
    return FLOWDB_OK;
}

flowdb_status fl_fs_is_empty_dir(struct fl_fs *fs, const char *path, bool *empty) {
    bool found = true;
    flowdb_status status = fl_fs_list(fs, path, note_entry, &found);
    if (status == FLOWDB_OK)
        *empty = found;
    return status;
}

flowdb_status fl_fs_read_whole(const struct fl_env *env, const char *path, uint64_t size_max,
                               struct fl_buffer *into) {
    struct fl_file *file;
    flowdb_status status = fl_fs_open(env->fs, path, FL_OPEN_READ, &file);
    if (status != FLOWDB_OK)
        return status;
    uint64_t size = 0;
    size_t got = 0;
    into->size = 0;
    status = fl_file_size(file, &size);
    if (status == FLOWDB_OK && size > size_max)
        status = fl_fail(FLOWDB_CORRUPTION, "%s: impossible size %" PRIu64, path, size);
    if (status == FLOWDB_OK)
        status = fl_buffer_reserve(into, (size_t)size + 1);
    if (status == FLOWDB_OK)
        status = fl_file_read_at(file, 0, into->data, (size_t)size, &got);
    into->size = got;
    fl_file_close(file);
    return status;
}

static flowdb_status copy_bytes(struct fl_file *from, struct fl_file *to, uint64_t size,
                                uint8_t *buffer, const char *path) {
    for (uint64_t done = 0; done < size;) {
        size_t part = (size_t)FL_MIN(size - done, (uint64_t)COPY_BYTES), got = 0;
        flowdb_status status = fl_file_read_at(from, done, buffer, part, &got);
        if (status == FLOWDB_OK && got < part)
            status = fl_fail(FLOWDB_IO_ERROR,
                             "cannot copy to %s: the file ends at %" PRIu64 " of %" PRIu64 " bytes",
                             path, done + got, size);
        struct iovec piece = {.iov_base = buffer, .iov_len = part};
        if (status == FLOWDB_OK)
            status = fl_file_write_at(to, done, &piece, 1);
        if (status != FLOWDB_OK)
            return status;
        done += part;
    }
    return fl_file_sync(to);
}

flowdb_status fl_fs_copy_from(const struct fl_env *env, struct fl_file *from, uint64_t size,
                              const char *to) {
    uint8_t *buffer = fl_allocate(env->alloc, COPY_BYTES);
    if (buffer == NULL)
        return fl_fail_memory("copying a file", COPY_BYTES);
    struct fl_file *file;
    flowdb_status status = fl_fs_open(env->fs, to, FL_OPEN_CREATE, &file);
    if (status == FLOWDB_OK) {
        status = copy_bytes(from, file, size, buffer, to);
        fl_file_close(file);
        if (status != FLOWDB_OK)
            fl_fs_discard(env->fs, to, status);
    }
    fl_release(env->alloc, buffer);
    return status;
}

flowdb_status fl_fs_link_or_copy(const struct fl_env *env, const char *from, const char *to) {
    flowdb_status status = fl_fs_link(env->fs, from, to);
    if (status != FLOWDB_UNSUPPORTED)
        return status;
    struct fl_file *file;
    uint64_t size;
    status = fl_fs_open(env->fs, from, FL_OPEN_READ, &file);
    if (status != FLOWDB_OK)
        return status;
    status = fl_file_size(file, &size);
    if (status == FLOWDB_OK)
        status = fl_fs_copy_from(env, file, size, to);
    fl_file_close(file);
    return status;
}

void fl_fs_discard(struct fl_fs *fs, const char *path, flowdb_status status) {
    char sentence[512];
    snprintf(sentence, sizeof sentence, "%s", flowdb_last_error());
    (void)fl_fs_remove(fs, path);
    fl_fail(status, "%s", sentence);
}
