/* A manifest from any bytes: refused, or what it adds up to holds together. The first byte says
   whether the frames are given right checksums. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "fuzz/common/one_file.h"
#include "fuzz/common/seal.h"
#include "manifest/edit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MANIFEST_ID 7

/* CURRENT and the manifest that it names. */
struct two_files {
    struct one_file manifest; /* its fs is handed out */
    struct one_file current;
};

static flowdb_status open_either(struct fl_fs *fs, const char *path, enum fl_open_mode mode,
                                 struct fl_file **file) {
    struct two_files *two = (struct two_files *)(void *)fs;
    struct one_file *which = strstr(path, "CURRENT") != NULL ? &two->current : &two->manifest;
    struct one_file plain;
    one_file_init(&plain, which->name, which->data, which->size);
    (void)mode;
    return plain.fs.ops->open(&which->fs, path, FL_OPEN_READ, file);
}

/* No table is listed twice. */
static void check_state(const struct fl_manifest_state *state) {
    for (size_t i = 0; i < state->table_count && i < 64; i++)
        for (size_t k = 0; k < i; k++)
            if (state->tables[i].id == state->tables[k].id)
                abort();
}

static void load(const uint8_t *file, size_t size) {
    static const struct fl_fs_ops ops = {.open = open_either};
    char current[64], name[32];
    int length = snprintf(name, sizeof name, "MANIFEST-%06d", MANIFEST_ID);
    int line = snprintf(current, sizeof current, "%s %016llx\n", name,
                        (unsigned long long)fl_checksum(name, (size_t)length, 0, 0));
    struct two_files two;
    one_file_init(&two.manifest, name, file, size);
    one_file_init(&two.current, "CURRENT", (const uint8_t *)current, (size_t)line);
    two.manifest.fs.ops = &ops;
    struct fl_env env = one_file_env(&two.manifest);
    struct fl_manifest_state state;
    uint64_t id = 0;
    fl_manifest_state_init(&state, env.alloc);
    if (fl_manifest_load(&env, "folder", &state, &id) == FLOWDB_OK)
        check_state(&state);
    fl_manifest_state_deinit(&state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    uint8_t *file = malloc(size);
    if (file == NULL)
        abort();
    memcpy(file, data + 1, size - 1);
    if (data[0] & 1)
        seal_manifest(file, size - 1, MANIFEST_ID);
    load(file, size - 1);
    free(file);
    return 0;
}
