/*
 * The file system of the machine: descriptors, pread and pwritev, fdatasync.
 *
 * Not mmap: a read that fails must be an error that the caller gets, not a SIGBUS.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/bytes.h"
#include "fs/fs.h"

struct posix_file {
    struct fl_file base;
    int descriptor;
    char path[]; /* for messages */
};

static flowdb_status fail_errno(const char *verb, const char *path) {
    int error = errno;
    flowdb_status status = FLOWDB_IO_ERROR;
    switch (error) {
    case ENOENT:
        status = FLOWDB_NOT_FOUND;
        break;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        status = FLOWDB_NO_SPACE;
        break;
    case EROFS:
    case EACCES:
    case EPERM:
        status = FLOWDB_READ_ONLY;
        break;
    case ENOMEM:
        status = FLOWDB_NO_MEMORY;
        break;
    default:
        break;
    }
    char text[128];
    return fl_fail(status, "cannot %s %s: %s", verb, path, strerror_r(error, text, sizeof text));
}

static struct posix_file *posix_of(struct fl_file *file) {
    return (struct posix_file *)file;
}

static flowdb_status posix_read_at(struct fl_file *file, uint64_t offset, void *into, size_t size,
                                   size_t *got) {
    struct posix_file *posix = posix_of(file);
    size_t done = 0;
    while (done < size) {
        ssize_t n =
            pread(posix->descriptor, (char *)into + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno("read", posix->path);
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *got = done;
    return FLOWDB_OK;
}

/* Writes all of a few parts, however the kernel splits them; uses up the array. */
static flowdb_status write_parts(struct posix_file *posix, uint64_t offset, struct iovec *parts,
                                 size_t count) {
    while (count > 0) {
        ssize_t n = pwritev(posix->descriptor, parts, (int)count, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno("write", posix->path);
        offset += (uint64_t)n;
        size_t left = (size_t)n;
        while (count > 0 && left >= parts->iov_len) {
            left -= parts->iov_len;
            parts++;
            count--;
        }
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + left;
            parts->iov_len -= left;
        }
    }
    return FLOWDB_OK;
}

static flowdb_status posix_write_at(struct fl_file *file, uint64_t offset,
                                    const struct iovec *parts, size_t count) {
    enum { AT_ONCE = 64 };
    struct iovec some[AT_ONCE];
    while (count > 0) {
        size_t n = FL_MIN(count, (size_t)AT_ONCE);
        size_t bytes = 0;
        for (size_t i = 0; i < n; i++) {
            some[i] = parts[i];
            bytes += parts[i].iov_len;
        }
        flowdb_status status = write_parts(posix_of(file), offset, some, n);
        if (status != FLOWDB_OK)
            return status;
        offset += bytes;
        parts += n;
        count -= n;
    }
    return FLOWDB_OK;
}

static flowdb_status posix_sync(struct fl_file *file) {
    struct posix_file *posix = posix_of(file);
    while (fdatasync(posix->descriptor) != 0) {
        if (errno != EINTR)
            return fail_errno("sync", posix->path);
    }
    return FLOWDB_OK;
}

static flowdb_status posix_truncate(struct fl_file *file, uint64_t size) {
    struct posix_file *posix = posix_of(file);
    while (ftruncate(posix->descriptor, (off_t)size) != 0) {
        if (errno != EINTR)
            return fail_errno("truncate", posix->path);
    }
    return FLOWDB_OK;
}

static flowdb_status posix_allocate(struct fl_file *file, uint64_t size) {
    struct posix_file *posix = posix_of(file);
    while (fallocate(posix->descriptor, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) != 0) {
        if (errno == EOPNOTSUPP || errno == ENOSYS)
            return fl_fail(FLOWDB_UNSUPPORTED, "cannot allocate space ahead for %s", posix->path);
        if (errno != EINTR)
            return fail_errno("allocate space for", posix->path);
    }
    return FLOWDB_OK;
}

static flowdb_status posix_size(struct fl_file *file, uint64_t *size) {
    struct posix_file *posix = posix_of(file);
    struct stat info;
    if (fstat(posix->descriptor, &info) != 0)
        return fail_errno("look at", posix->path);
    *size = (uint64_t)info.st_size;
    return FLOWDB_OK;
}

static void posix_close(struct fl_file *file) {
    struct posix_file *posix = posix_of(file);
    close(posix->descriptor);
    fl_release(fl_alloc_system(), posix);
}

static const struct fl_file_ops file_ops = {
    .read_at = posix_read_at,
    .write_at = posix_write_at,
    .sync = posix_sync,
    .truncate = posix_truncate,
    .allocate = posix_allocate,
    .size = posix_size,
    .close = posix_close,
};

static flowdb_status open_descriptor(const char *path, int flags, const char *verb,
                                     struct fl_file **file) {
    size_t length = strlen(path);
    struct posix_file *posix = fl_allocate(fl_alloc_system(), sizeof *posix + length + 1);
    if (posix == NULL)
        return fl_fail_memory("an open file", sizeof *posix + length + 1);
    do {
        posix->descriptor = open(path, flags | O_CLOEXEC, 0644);
    } while (posix->descriptor < 0 && errno == EINTR);
    if (posix->descriptor < 0) {
        int error = errno;
        flowdb_status status = fail_errno(verb, path);
        fl_release(fl_alloc_system(), posix);
        errno = error;
        return status;
    }
    posix->base.ops = &file_ops;
    memcpy(posix->path, path, length + 1);
    *file = &posix->base;
    return FLOWDB_OK;
}

static flowdb_status posix_open(struct fl_fs *fs, const char *path, enum fl_open_mode mode,
                                struct fl_file **file) {
    (void)fs;
    switch (mode) {
    case FL_OPEN_CREATE:
        return open_descriptor(path, O_RDWR | O_CREAT | O_EXCL, "create", file);
    case FL_OPEN_WRITE:
        return open_descriptor(path, O_RDWR, "open", file);
    case FL_OPEN_READ:
    default:
        return open_descriptor(path, O_RDONLY, "open", file);
    }
}

static flowdb_status posix_create_dir(struct fl_fs *fs, const char *path) {
    (void)fs;
    if (mkdir(path, 0755) == 0)
        return FLOWDB_OK;
    int error = errno;
    struct stat info;
    if (error == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return FLOWDB_OK;
    errno = error;
    return fail_errno("create directory", path);
}

static flowdb_status posix_remove(struct fl_fs *fs, const char *path) {
    (void)fs;
    return unlink(path) == 0 ? FLOWDB_OK : fail_errno("remove", path);
}

static flowdb_status posix_remove_dir(struct fl_fs *fs, const char *path) {
    (void)fs;
    return rmdir(path) == 0 ? FLOWDB_OK : fail_errno("remove directory", path);
}

static flowdb_status posix_rename(struct fl_fs *fs, const char *from, const char *to) {
    (void)fs;
    return rename(from, to) == 0 ? FLOWDB_OK : fail_errno("rename", from);
}

static flowdb_status posix_link(struct fl_fs *fs, const char *from, const char *to) {
    (void)fs;
    if (link(from, to) == 0)
        return FLOWDB_OK;
    if (errno == EXDEV || errno == EPERM || errno == EMLINK || errno == EOPNOTSUPP)
        return fl_fail(FLOWDB_UNSUPPORTED, "cannot link %s to %s", from, to);
    return fail_errno("link", from);
}

static flowdb_status posix_list(struct fl_fs *fs, const char *path,
                                flowdb_status (*each)(void *context, const char *name),
                                void *context) {
    (void)fs;
    DIR *directory = opendir(path);
    if (directory == NULL)
        return fail_errno("list", path);
    flowdb_status status = FLOWDB_OK;
    while (status == FLOWDB_OK) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (entry == NULL) {
            if (errno != 0)
                status = fail_errno("list", path);
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = each(context, entry->d_name);
    }
    closedir(directory);
    return status;
}

static flowdb_status posix_sync_dir(struct fl_fs *fs, const char *path) {
    (void)fs;
    struct fl_file *directory;
    flowdb_status status =
        open_descriptor(path, O_RDONLY | O_DIRECTORY, "open directory", &directory);
    /* Only a sync that failed leaves doubts; that no descriptor was left for it is a lack that
       passes. */
    if (status != FLOWDB_OK && (errno == EMFILE || errno == ENFILE))
        status = FLOWDB_NO_MEMORY;
    if (status != FLOWDB_OK)
        return status;
    while (fsync(posix_of(directory)->descriptor) != 0) {
        if (errno != EINTR) {
            status = fail_errno("sync directory", path);
            break;
        }
    }
    posix_close(directory);
    return status;
}

static flowdb_status posix_exists(struct fl_fs *fs, const char *path, bool *exists) {
    (void)fs;
    struct stat info;
    if (stat(path, &info) == 0) {
        *exists = true;
        return FLOWDB_OK;
    }
    if (errno != ENOENT && errno != ENOTDIR)
        return fail_errno("look at", path);
    *exists = false;
    return FLOWDB_OK;
}

/* flock belongs to the open file, so a second open in this very process is refused as well. */
static flowdb_status posix_lock(struct fl_fs *fs, const char *path, struct fl_file **lock) {
    (void)fs;
    struct fl_file *file;
    flowdb_status status = open_descriptor(path, O_RDWR | O_CREAT, "open", &file);
    if (status != FLOWDB_OK)
        return status;
    while (flock(posix_of(file)->descriptor, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR)
            continue;
        status = errno == EWOULDBLOCK
                     ? fl_fail(FLOWDB_LOCKED, "%s is held: the database is open already", path)
                     : fail_errno("lock", path);
        posix_close(file);
        return status;
    }
    *lock = file;
    return FLOWDB_OK;
}

static flowdb_status posix_free_space(struct fl_fs *fs, const char *path, uint64_t *bytes) {
    (void)fs;
    struct statvfs info;
    if (statvfs(path, &info) != 0)
        return fail_errno("look at the file system of", path);
    if (__builtin_mul_overflow((uint64_t)info.f_bavail, (uint64_t)info.f_frsize, bytes))
        *bytes = UINT64_MAX;
    return FLOWDB_OK;
}

static flowdb_status posix_working_dir(struct fl_fs *fs, char *path, size_t size) {
    (void)fs;
    return getcwd(path, size) != NULL ? FLOWDB_OK : fail_errno("find", "the working directory");
}

struct fl_fs *fl_fs_posix(void) {
    static const struct fl_fs_ops ops = {
        .open = posix_open,
        .create_dir = posix_create_dir,
        .remove = posix_remove,
        .remove_dir = posix_remove_dir,
        .rename = posix_rename,
        .link = posix_link,
        .list = posix_list,
        .sync_dir = posix_sync_dir,
        .exists = posix_exists,
        .lock = posix_lock,
        .free_space = posix_free_space,
        .working_dir = posix_working_dir,
    };
    static struct fl_fs fs = {.ops = &ops};
    return &fs;
}
