#include "api/checkpoint_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* One that is being removed has a name that no checkpoint may have. */
#define REMOVING ".removing-"
#define PARTIAL ".partial-checkpoint"
/* A checkpoint's folders hold files, and no folders. */
#define DEPTH_MAX 2

bool fl_checkpoint_name_valid(const char *name) {
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t size = strlen(name), tail = strlen(PARTIAL);
    return size > 0 && size <= FL_CHECKPOINT_NAME && name[0] != '.' &&
           strspn(name, allowed) == size &&
           (size < tail || strcmp(name + size - tail, PARTIAL) != 0);
}

int fl_checkpoint_dir_open(const char *data_dir) {
    char path[4096];
    int size = snprintf(path, sizeof path, "%s/checkpoints", data_dir);
    if (size >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int open_folder(int dir, const char *name) {
    return openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* ------------------------------------------------------------------------------------ walking -- */

/* Calls `visit` with what is in the folder, which it closes; false, with errno, where that fails. */
static bool for_each(int folder, bool (*visit)(void *context, int folder, const char *name),
                     void *context) {
    DIR *listing = fdopendir(folder);
    if (listing == NULL) {
        close(folder);
        return false;
    }
    bool fine = true;
    while (fine) {
        errno = 0;
        const struct dirent *entry = readdir(listing);
        if (entry == NULL) {
            fine = errno == 0;
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            fine = visit(context, dirfd(listing), entry->d_name);
    }
    int error = errno;
    closedir(listing);
    errno = error;
    return fine;
}

struct sum {
    struct fl_checkpoint *checkpoint;
    unsigned depth;
};

static bool add_up(void *context, int folder, const char *name) {
    struct sum *sum = context;
    struct stat file;
    if (fstatat(folder, name, &file, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT;
    if (S_ISREG(file.st_mode)) {
        sum->checkpoint->bytes += (uint64_t)file.st_size;
        sum->checkpoint->files++;
    } else if (S_ISDIR(file.st_mode) && sum->depth < DEPTH_MAX) {
        struct sum inner = {sum->checkpoint, sum->depth + 1};
        int below = open_folder(folder, name);
        return below < 0 || for_each(below, add_up, &inner);
    }
    return true;
}

/* Only a folder with a CURRENT, which is written last, is a checkpoint. */
static bool is_checkpoint(int folder, struct stat *current) {
    return fstatat(folder, "CURRENT", current, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(current->st_mode);
}

enum fl_checkpoint_status fl_checkpoint_look(int dir, const char *name,
                                             struct fl_checkpoint *checkpoint) {
    struct stat current;
    int folder = fl_checkpoint_name_valid(name) ? open_folder(dir, name) : -1;
    if (folder < 0)
        return FL_CHECKPOINT_ABSENT;
    if (!is_checkpoint(folder, &current)) {
        close(folder);
        return FL_CHECKPOINT_ABSENT;
    }
    *checkpoint = (struct fl_checkpoint){0};
    memcpy(checkpoint->name, name, strlen(name) + 1);
    checkpoint->made_us =
        (int64_t)current.st_mtim.tv_sec * 1000000 + current.st_mtim.tv_nsec / 1000;
    struct sum sum = {checkpoint, 1};
    return for_each(folder, add_up, &sum) ? FL_CHECKPOINT_OK : FL_CHECKPOINT_FAILED;
}

/* ----------------------------------------------------------------------------------- removing -- */

static bool remove_entry(void *context, int folder, const char *name) {
    const unsigned *depth = context;
    if (unlinkat(folder, name, 0) == 0)
        return true;
    unsigned inner = *depth + 1;
    int below =
        (errno == EISDIR || errno == EPERM) && *depth < DEPTH_MAX ? open_folder(folder, name) : -1;
    return below >= 0 && for_each(below, remove_entry, &inner) &&
           unlinkat(folder, name, AT_REMOVEDIR) == 0;
}

static bool remove_folder(int dir, const char *name) {
    unsigned depth = 1;
    int folder = open_folder(dir, name);
    return folder >= 0 && for_each(folder, remove_entry, &depth) &&
           unlinkat(dir, name, AT_REMOVEDIR) == 0;
}

/* Where that fails the next removal tries again. */
static bool remove_leftover(void *context, int folder, const char *name) {
    (void)context;
    if (strncmp(name, REMOVING, strlen(REMOVING)) == 0)
        (void)remove_folder(folder, name);
    return true;
}

/* False where some process has the database open. Else *lock is to be closed, or -1: nobody ever had. */
static bool take_lock(int dir, const char *name, int *lock) {
    int folder = open_folder(dir, name);
    *lock = folder >= 0 ? openat(folder, "LOCK", O_RDWR | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (folder >= 0)
        close(folder);
    if (*lock < 0 || flock(*lock, LOCK_EX | LOCK_NB) == 0)
        return true;
    close(*lock);
    return false;
}

enum fl_checkpoint_status fl_checkpoint_remove(int dir, const char *name) {
    struct fl_checkpoint found;
    enum fl_checkpoint_status status = fl_checkpoint_look(dir, name, &found);
    if (status != FL_CHECKPOINT_OK)
        return status;
    int lock;
    if (!take_lock(dir, name, &lock))
        return FL_CHECKPOINT_IN_USE;
    char hidden[FL_CHECKPOINT_NAME + sizeof REMOVING];
    snprintf(hidden, sizeof hidden, REMOVING "%s", name);
    int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = again >= 0 && for_each(again, remove_leftover, NULL) &&
                renameat(dir, name, dir, hidden) == 0 && remove_folder(dir, hidden) &&
                fsync(dir) == 0;
    int error = errno;
    if (lock >= 0)
        close(lock);
    errno = error;
    return done ? FL_CHECKPOINT_OK : FL_CHECKPOINT_FAILED;
}
