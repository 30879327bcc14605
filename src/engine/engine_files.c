#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/engine.h"

static char *numbered_path(const flowdb *db, const char *dir, uint64_t id, const char *extension) {
    size_t size = strlen(dir) + 40;
    char *path = fl_allocate(db->env.alloc, size);
    if (path != NULL)
        snprintf(path, size, "%s/%06" PRIu64 ".%s", dir, id, extension);
    else
        fl_fail_memory("a path", size);
    return path;
}

char *fl_engine_wal_path(const flowdb *db, uint64_t id) {
    return numbered_path(db, db->wal_dir, id, "log");
}

char *fl_engine_table_path(const flowdb *db, uint64_t id) {
    return numbered_path(db, db->sst_dir, id, "sst");
}

enum fl_file_kind fl_engine_parse_name(const char *name, uint64_t *id) {
    static const char manifest[] = "MANIFEST-";
    const char *digits = name;
    bool is_manifest = strncmp(name, manifest, sizeof manifest - 1) == 0;
    if (is_manifest)
        digits += sizeof manifest - 1;
    size_t count = strspn(digits, "0123456789");
    /* Written otherwise than we would it is another name for the number, and not ours. */
    if (count < 6 || count > 19 || (count > 6 && digits[0] == '0'))
        return FL_FILE_OTHER;
    *id = strtoull(digits, NULL, 10);
    const char *rest = digits + count;
    if (is_manifest)
        return *rest == '\0' ? FL_FILE_MANIFEST : FL_FILE_OTHER;
    if (strcmp(rest, ".log") == 0)
        return FL_FILE_WAL;
    return strcmp(rest, ".sst") == 0 ? FL_FILE_TABLE : FL_FILE_OTHER;
}

struct listing {
    const struct fl_alloc *alloc;
    enum fl_file_kind kind;
    struct fl_id_list *list;
};

static flowdb_status add_name(void *context, const char *name) {
    struct listing *listing = context;
    struct fl_id_list *list = listing->list;
    uint64_t id = 0;
    if (fl_engine_parse_name(name, &id) != listing->kind)
        return FLOWDB_OK;
    if (list->count == list->capacity) {
        size_t capacity = FL_MAX(list->capacity * 2, (size_t)16);
        uint64_t *ids = fl_reallocate(listing->alloc, list->ids, capacity * sizeof *ids);
        if (ids == NULL)
            return fl_fail_memory("a list of files", capacity * sizeof *ids);
        list->ids = ids;
        list->capacity = capacity;
    }
    list->ids[list->count++] = id;
    return FLOWDB_OK;
}

static int compare_ids(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

flowdb_status fl_engine_list_ids(const flowdb *db, const char *dir, enum fl_file_kind kind,
                                 struct fl_id_list *list) {
    *list = (struct fl_id_list){0};
    struct listing listing = {.alloc = db->env.alloc, .kind = kind, .list = list};
    flowdb_status status = fl_fs_list(db->env.fs, dir, add_name, &listing);
    if (status != FLOWDB_OK) {
        fl_release(db->env.alloc, list->ids);
        *list = (struct fl_id_list){0};
    } else if (list->count > 0) {
        qsort(list->ids, list->count, sizeof *list->ids, compare_ids);
    }
    return status;
}
