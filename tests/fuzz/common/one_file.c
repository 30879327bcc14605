#include "fuzz/common/one_file.h"

#include <stdlib.h>

#include "base/bytes.h"

struct open_file {
    struct fl_file base;
    const struct one_file *one;
};

static flowdb_status read_at(struct fl_file *file, uint64_t offset, void *into, size_t size,
                             size_t *got) {
    const struct one_file *one = ((struct open_file *)file)->one;
    *got = offset < one->size ? FL_MIN(size, one->size - (size_t)offset) : 0;
    if (*got > 0)
        memcpy(into, one->data + offset, *got);
    return FLOWDB_OK;
}

static flowdb_status file_size(struct fl_file *file, uint64_t *size) {
    *size = ((struct open_file *)file)->one->size;
    return FLOWDB_OK;
}

static void close_file(struct fl_file *file) {
    free(file);
}

static const struct fl_file_ops file_ops = {
    .read_at = read_at, .size = file_size, .close = close_file};

static flowdb_status open_file(struct fl_fs *fs, const char *path, enum fl_open_mode mode,
                               struct fl_file **file) {
    const struct one_file *one = (struct one_file *)fs;
    size_t path_size = strlen(path), name_size = strlen(one->name);
    if (mode != FL_OPEN_READ || path_size < name_size ||
        strcmp(path + path_size - name_size, one->name) != 0)
        return fl_fail(FLOWDB_NOT_FOUND, "%s is not there", path);
    struct open_file *made = malloc(sizeof *made);
    if (made == NULL)
        abort();
    *made = (struct open_file){.base.ops = &file_ops, .one = one};
    *file = &made->base;
    return FLOWDB_OK;
}

static const struct fl_fs_ops fs_ops = {.open = open_file};

void one_file_init(struct one_file *one, const char *name, const uint8_t *data, size_t size) {
    *one = (struct one_file){.fs.ops = &fs_ops, .name = name, .data = data, .size = size};
}

struct fl_env one_file_env(struct one_file *one) {
    return (struct fl_env){.alloc = fl_alloc_system(), .clock = fl_clock_system(), .fs = &one->fs};
}
