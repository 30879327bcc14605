#include "support/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cmocka.h>

static void create_below(const char *base, char path[SCRATCH_PATH]) {
    snprintf(path, SCRATCH_PATH, "%s/flowdb-unit-XXXXXX", base);
    if (mkdtemp(path) == NULL)
        fail_msg("cannot create %s: %s", path, strerror(errno));
}

void scratch_create(char path[SCRATCH_PATH]) {
    const char *base = getenv("TMPDIR");
    create_below(base != NULL ? base : "/tmp", path);
}

void scratch_create_in_memory(char path[SCRATCH_PATH]) {
    struct statvfs info;
    bool room = statvfs("/dev/shm", &info) == 0 && access("/dev/shm", W_OK) == 0 &&
                info.f_bavail * info.f_frsize > (uint64_t)256 << 20;
    if (room)
        create_below("/dev/shm", path);
    else
        scratch_create(path);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

void scratch_remove(const char *path) {
    if (path[0] != '\0')
        nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

uint8_t *scratch_read(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("cannot open %s: %s", path, strerror(errno));
    struct stat info;
    assert_int_equal(fstat(fileno(file), &info), 0);
    uint8_t *bytes = malloc((size_t)info.st_size + 1);
    assert_non_null(bytes);
    *size = fread(bytes, 1, (size_t)info.st_size, file);
    fclose(file);
    assert_int_equal(*size, info.st_size);
    return bytes;
}

void scratch_write(const char *path, const void *bytes, size_t size) {
    enum { PAGE = 4096 };
    static const uint8_t zeros[PAGE];
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0)
        fail_msg("cannot create %s: %s", path, strerror(errno));
    /* Zeros are left out: logs have many, and they are copied often. */
    for (size_t at = 0; at < size; at += PAGE) {
        size_t part = size - at < PAGE ? size - at : PAGE;
        const uint8_t *from = (const uint8_t *)bytes + at;
        if (memcmp(from, zeros, part) != 0)
            assert_int_equal(pwrite(file, from, part, (off_t)at), part);
    }
    assert_int_equal(ftruncate(file, (off_t)size), 0);
    assert_int_equal(close(file), 0);
}

bool scratch_exists(const char *path) {
    return access(path, F_OK) == 0;
}

const char *scratch_in(const char *folder, const char *name) {
    static char paths[8][SCRATCH_PATH];
    static unsigned turn;
    char *path = paths[turn++ % 8];
    snprintf(path, SCRATCH_PATH, "%s/%s", folder, name);
    return path;
}

static void copy_tree(const char *from, const char *to) {
    assert_int_equal(mkdir(to, 0755), 0);
    DIR *folder = opendir(from);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char source[SCRATCH_PATH * 2], target[SCRATCH_PATH * 2];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(source, sizeof source, "%s/%s", from, entry->d_name);
        snprintf(target, sizeof target, "%s/%s", to, entry->d_name);
        struct stat info;
        assert_int_equal(stat(source, &info), 0);
        if (S_ISDIR(info.st_mode)) {
            copy_tree(source, target);
        } else {
            size_t size;
            uint8_t *bytes = scratch_read(source, &size);
            scratch_write(target, bytes, size);
            free(bytes);
        }
    }
    closedir(folder);
}

void scratch_copy(const char *from, const char *to) {
    scratch_remove(to);
    copy_tree(from, to);
}

/* FNV-1a */
static uint64_t mix(uint64_t sum, const void *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001B3);
    return sum;
}

/* Sums over files, so that the order in which they are listed does not count. */
uint64_t scratch_fingerprint(const char *folder) {
    uint64_t sum = 0;
    DIR *stream = opendir(folder);
    assert_non_null(stream);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        char path[SCRATCH_PATH * 2];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        struct stat info;
        assert_int_equal(stat(path, &info), 0);
        uint64_t own = mix(UINT64_C(0xCBF29CE484222325), entry->d_name, strlen(entry->d_name) + 1);
        if (S_ISDIR(info.st_mode)) {
            uint64_t inside = scratch_fingerprint(path);
            own = mix(own, &inside, sizeof inside);
        } else {
            size_t size;
            uint8_t *bytes = scratch_read(path, &size);
            own = mix(own, bytes, size);
            free(bytes);
        }
        sum += own;
    }
    closedir(stream);
    return sum;
}

size_t scratch_find(const char *folder, const char *part, char first[SCRATCH_PATH],
                    char last[SCRATCH_PATH]) {
    char low[256] = "", high[256] = "";
    size_t count = 0;
    DIR *stream = opendir(folder);
    assert_non_null(stream);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        if (entry->d_name[0] == '.' || strstr(entry->d_name, part) == NULL)
            continue;
        if (count == 0 || strcmp(entry->d_name, low) < 0)
            snprintf(low, sizeof low, "%s", entry->d_name);
        if (count == 0 || strcmp(entry->d_name, high) > 0)
            snprintf(high, sizeof high, "%s", entry->d_name);
        count++;
    }
    closedir(stream);
    if (first != NULL && count > 0)
        snprintf(first, SCRATCH_PATH, "%s", scratch_in(folder, low));
    if (last != NULL && count > 0)
        snprintf(last, SCRATCH_PATH, "%s", scratch_in(folder, high));
    return count;
}
