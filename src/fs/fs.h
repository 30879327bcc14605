/*
 * The file system as the engine sees it. All input and output goes through here, so that a test can
 * put a simulated one underneath, fail any call, and crash after any of them.
 *
 * Every function returns FLOWDB_OK or fails with a sentence that names the path: FLOWDB_NOT_FOUND
 * (ENOENT), FLOWDB_NO_SPACE (ENOSPC, EDQUOT), FLOWDB_READ_ONLY (EROFS, EACCES, EPERM),
 * FLOWDB_NO_MEMORY, FLOWDB_LOCKED, FLOWDB_IO_ERROR for the rest. EINTR and short reads or writes
 * are handled within. Paths are NUL-terminated. All is thread-safe, but that one file's write,
 * truncate and close must not overlap.
 */
#ifndef FL_FS_FS_H
#define FL_FS_FS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/alloc.h"
#include "base/status.h"

struct fl_file;
struct fl_fs;

enum fl_open_mode {
    FL_OPEN_READ,   /* an existing file, for reading */
    FL_OPEN_WRITE,  /* an existing file, for reading and writing */
    FL_OPEN_CREATE, /* a new file, for reading and writing; fails where one exists */
};

struct fl_file_ops {
    flowdb_status (*read_at)(struct fl_file *file, uint64_t offset, void *into, size_t size,
                             size_t *got);
    flowdb_status (*write_at)(struct fl_file *file, uint64_t offset, const struct iovec *parts,
                              size_t count);
    flowdb_status (*sync)(struct fl_file *file);
    flowdb_status (*truncate)(struct fl_file *file, uint64_t size);
    flowdb_status (*allocate)(struct fl_file *file, uint64_t size);
    flowdb_status (*size)(struct fl_file *file, uint64_t *size);
    void (*close)(struct fl_file *file);
};

/* An open file; an implementation puts this first in its own struct. */
struct fl_file {
    const struct fl_file_ops *ops;
};

struct fl_fs_ops {
    flowdb_status (*open)(struct fl_fs *fs, const char *path, enum fl_open_mode mode,
                          struct fl_file **file);
    flowdb_status (*create_dir)(struct fl_fs *fs, const char *path);
    flowdb_status (*remove)(struct fl_fs *fs, const char *path);
    flowdb_status (*remove_dir)(struct fl_fs *fs, const char *path);
    flowdb_status (*rename)(struct fl_fs *fs, const char *from, const char *to);
    flowdb_status (*link)(struct fl_fs *fs, const char *from, const char *to);
    flowdb_status (*list)(struct fl_fs *fs, const char *path,
                          flowdb_status (*each)(void *context, const char *name), void *context);
    flowdb_status (*sync_dir)(struct fl_fs *fs, const char *path);
    flowdb_status (*exists)(struct fl_fs *fs, const char *path, bool *exists);
    flowdb_status (*lock)(struct fl_fs *fs, const char *path, struct fl_file **lock);
    flowdb_status (*free_space)(struct fl_fs *fs, const char *path, uint64_t *bytes);
    flowdb_status (*working_dir)(struct fl_fs *fs, char *path, size_t size); /* may be NULL */
};

struct fl_fs {
    const struct fl_fs_ops *ops;
};

/* The real one. Lives as long as the process; holds no state of its own. */
struct fl_fs *fl_fs_posix(void);

static inline flowdb_status fl_fs_open(struct fl_fs *fs, const char *path, enum fl_open_mode mode,
                                       struct fl_file **file) {
    return fs->ops->open(fs, path, mode, file);
}
/* The directory may exist already. Not recursive. */
static inline flowdb_status fl_fs_create_dir(struct fl_fs *fs, const char *path) {
    return fs->ops->create_dir(fs, path);
}
static inline flowdb_status fl_fs_remove(struct fl_fs *fs, const char *path) {
    return fs->ops->remove(fs, path);
}
/* An empty directory. */
static inline flowdb_status fl_fs_remove_dir(struct fl_fs *fs, const char *path) {
    return fs->ops->remove_dir(fs, path);
}
/* Replaces `to` atomically: a file a file, a directory an empty directory. */
static inline flowdb_status fl_fs_rename(struct fl_fs *fs, const char *from, const char *to) {
    return fs->ops->rename(fs, from, to);
}
/* A second name for a file; FLOWDB_UNSUPPORTED where the file system can't (EXDEV, EPERM, EMLINK). */
static inline flowdb_status fl_fs_link(struct fl_fs *fs, const char *from, const char *to) {
    return fs->ops->link(fs, from, to);
}
/* Calls `each` with every entry's name but "." and ".."; stops at the first that fails. */
static inline flowdb_status fl_fs_list(struct fl_fs *fs, const char *path,
                                       flowdb_status (*each)(void *context, const char *name),
                                       void *context) {
    return fs->ops->list(fs, path, each, context);
}
/* Makes the entries created, renamed and removed in the directory durable. FLOWDB_NO_MEMORY
   where no descriptor is left: then nothing is in doubt, as it is where the sync itself fails. */
static inline flowdb_status fl_fs_sync_dir(struct fl_fs *fs, const char *path) {
    return fs->ops->sync_dir(fs, path);
}
static inline flowdb_status fl_fs_exists(struct fl_fs *fs, const char *path, bool *exists) {
    return fs->ops->exists(fs, path, exists);
}
/* Creates the file if need be and holds it until fl_file_close; FLOWDB_LOCKED where anyone else,
   in this process too, holds it. */
static inline flowdb_status fl_fs_lock(struct fl_fs *fs, const char *path, struct fl_file **lock) {
    return fs->ops->lock(fs, path, lock);
}
/* Bytes that this process may still write to the file system that holds `path`. */
static inline flowdb_status fl_fs_free_space(struct fl_fs *fs, const char *path, uint64_t *bytes) {
    return fs->ops->free_space(fs, path, bytes);
}

/* What relative paths are relative to now; FLOWDB_UNSUPPORTED where they are to nothing that could
   change. A program may change it at any time: what is to last must not depend on it. */
static inline flowdb_status fl_fs_working_dir(struct fl_fs *fs, char *path, size_t size) {
    return fs->ops->working_dir != NULL ? fs->ops->working_dir(fs, path, size) : FLOWDB_UNSUPPORTED;
}

/* Reads up to `size` bytes; *got is smaller only where the file ends. */
static inline flowdb_status fl_file_read_at(struct fl_file *file, uint64_t offset, void *into,
                                            size_t size, size_t *got) {
    return file->ops->read_at(file, offset, into, size, got);
}
/* Writes all the parts one behind the other, or fails with some prefix of them written. */
static inline flowdb_status fl_file_write_at(struct fl_file *file, uint64_t offset,
                                             const struct iovec *parts, size_t count) {
    return file->ops->write_at(file, offset, parts, count);
}
/* fdatasync. After a failure nothing that was written since the last success can be trusted, and
   another call proves nothing: give the file up. */
static inline flowdb_status fl_file_sync(struct fl_file *file) {
    return file->ops->sync(file);
}
static inline flowdb_status fl_file_truncate(struct fl_file *file, uint64_t size) {
    return file->ops->truncate(file, size);
}
/* Reserves space for the first `size` bytes without changing the file's size; FLOWDB_UNSUPPORTED
   where the file system can't. */
static inline flowdb_status fl_file_allocate(struct fl_file *file, uint64_t size) {
    return file->ops->allocate(file, size);
}
static inline flowdb_status fl_file_size(struct fl_file *file, uint64_t *size) {
    return file->ops->size(file, size);
}
/* Frees the file. NULL is fine. */
static inline void fl_file_close(struct fl_file *file) {
    if (file != NULL)
        file->ops->close(file);
}

#endif
