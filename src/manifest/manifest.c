#include "manifest/manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/coding.h"
#include "base/hash.h"
#include "fs/files.h"
#include "manifest/edit.h"

#define GROWN_FROM ((uint64_t)1 << 20)

struct fl_manifest {
    const struct fl_env *env;
    struct fl_file *file;
    uint64_t id;
    uint64_t offset;        /* where the next edit goes */
    uint64_t snapshot_size; /* of the file when it was new */
    bool failed;            /* an edit was not written; what follows would lie behind a torn one */
    bool in_doubt;          /* a failed edit may be on the disk */
    struct fl_manifest_state state;
};

char *fl_manifest_path(const struct fl_alloc *alloc, const char *dir, uint64_t id) {
    size_t size = strlen(dir) + 40;
    char *path = fl_allocate(alloc, size);
    if (path != NULL)
        snprintf(path, size, "%s/MANIFEST-%06" PRIu64, dir, id);
    else
        fl_fail_memory("a path", size);
    return path;
}

/* ------------------------------------------------------------------------------------ read -- */

/* "MANIFEST-<id> <checksum of that name in hex>\n" */
static void print_current(char *line, size_t size, uint64_t id) {
    int name = snprintf(line, size, "MANIFEST-%06" PRIu64, id);
    snprintf(line + name, size - (size_t)name, " %016" PRIx64 "\n",
             fl_checksum(line, (size_t)name, 0, 0));
}

static flowdb_status parse_current(const struct fl_buffer *text, const char *path, uint64_t *id) {
    char line[64] = "", expected[64];
    memcpy(line, text->data, FL_MIN(text->size, sizeof line - 1));
    *id = strncmp(line, "MANIFEST-", 9) == 0 ? strtoull(line + 9, NULL, 10) : 0;
    print_current(expected, sizeof expected, *id);
    if (text->size != strlen(expected) || memcmp(line, expected, text->size) != 0)
        return fl_fail(FLOWDB_CORRUPTION, "%s: damaged at offset 0: it names no manifest", path);
    return FLOWDB_OK;
}

/* Edits are synced one by one, so only the last can be torn: a whole one behind means damage. */
static flowdb_status check_tail(const struct fl_buffer *file, uint64_t id, size_t at,
                                const char *path) {
    for (size_t later = at + 1; later < file->size; later++) {
        if (fl_edit_frame_size(file, id, later) > 0)
            return fl_fail(FLOWDB_CORRUPTION, "%s: damaged at offset %zu", path, at);
    }
    return FLOWDB_OK;
}

static flowdb_status read_edits(const struct fl_buffer *file, uint64_t id, const char *path,
                                struct fl_manifest_state *state) {
    flowdb_status checked = fl_edit_check_header(file, id, path);
    if (checked != FLOWDB_OK)
        return checked;
    size_t at = FL_MANIFEST_FILE_HEADER, edits = 0;
    for (size_t size; (size = fl_edit_frame_size(file, id, at)) > 0; at += size, edits++) {
        if (file->data[at + 20] != FL_MANIFEST_FRAME_EDIT)
            return fl_fail(FLOWDB_UNSUPPORTED, "%s: unknown frame type %d at offset %zu", path,
                           file->data[at + 20], at);
        flowdb_status status =
            fl_edit_decode_apply(file->data + at + FL_MANIFEST_FRAME_HEADER,
                                 size - FL_MANIFEST_FRAME_HEADER, path, at, state);
        if (status != FLOWDB_OK)
            return status;
    }
    if (edits == 0)
        return fl_fail(FLOWDB_CORRUPTION, "%s: damaged at offset %zu: no snapshot", path, at);
    return check_tail(file, id, at, path);
}

flowdb_status fl_manifest_current(const struct fl_env *env, const char *dir, uint64_t *id) {
    struct fl_buffer text;
    fl_buffer_init(&text, env->alloc);
    char *current = fl_path_in(env->alloc, dir, "CURRENT");
    flowdb_status status =
        current != NULL ? fl_fs_read_whole(env, current, FL_MANIFEST_MAX, &text) : FLOWDB_NO_MEMORY;
    if (status == FLOWDB_OK)
        status = parse_current(&text, current, id);
    fl_release(env->alloc, current);
    fl_buffer_deinit(&text);
    return status;
}

flowdb_status fl_manifest_load(const struct fl_env *env, const char *dir,
                               struct fl_manifest_state *state, uint64_t *manifest_id) {
    uint64_t id = 0;
    flowdb_status status = fl_manifest_current(env, dir, &id);
    if (status != FLOWDB_OK)
        return status;
    struct fl_buffer text;
    fl_buffer_init(&text, env->alloc);
    char *manifest = fl_manifest_path(env->alloc, dir, id);
    status = manifest != NULL ? fl_fs_read_whole(env, manifest, FL_MANIFEST_MAX, &text)
                              : FLOWDB_NO_MEMORY;
    if (status == FLOWDB_NOT_FOUND)
        status = fl_fail(FLOWDB_CORRUPTION, "%s is missing, which CURRENT names", manifest);
    if (status == FLOWDB_OK)
        status = read_edits(&text, id, manifest, state);
    if (status == FLOWDB_OK)
        *manifest_id = id;
    fl_release(env->alloc, manifest);
    fl_buffer_deinit(&text);
    return status;
}

/* ----------------------------------------------------------------------------------- write -- */

static flowdb_status write_bytes(struct fl_file *file, uint64_t offset, const void *bytes,
                                 size_t size) {
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    flowdb_status status = fl_file_write_at(file, offset, &part, 1);
    return status == FLOWDB_OK ? fl_file_sync(file) : status;
}

static flowdb_status encode_snapshot(const struct fl_manifest *manifest, struct fl_buffer *into) {
    uint8_t header[FL_MANIFEST_FILE_HEADER];
    memcpy(header, FL_MANIFEST_MAGIC, 7);
    header[7] = FL_MANIFEST_VERSION;
    fl_put_u64(header + 8, manifest->id);
    fl_put_u64(header + 16, fl_checksum(header, 16, manifest->id, 0));
    flowdb_status status = fl_buffer_append(into, header, sizeof header);
    if (status != FLOWDB_OK)
        return status;
    const struct fl_manifest_state *state = &manifest->state;
    struct fl_manifest_edit all = {.added = state->tables,
                                   .added_count = state->table_count,
                                   .next_id = state->next_id,
                                   .last_seq = state->last_seq,
                                   .log = state->log,
                                   .latest_time_us = state->latest_time_us};
    return fl_edit_encode(into, manifest->id, into->size, &all);
}

/* CURRENT changes by a rename: it always names a whole manifest. */
static flowdb_status set_current(const struct fl_env *env, const char *dir, uint64_t id,
                                 bool *renamed) {
    char line[64];
    print_current(line, sizeof line, id);
    char *temporary = fl_path_in(env->alloc, dir, "CURRENT.tmp");
    char *current = fl_path_in(env->alloc, dir, "CURRENT");
    struct fl_file *file = NULL;
    bool left_over = false;
    flowdb_status status = temporary != NULL && current != NULL ? FLOWDB_OK : FLOWDB_NO_MEMORY;
    if (status == FLOWDB_OK)
        status = fl_fs_exists(env->fs, temporary, &left_over);
    if (status == FLOWDB_OK && left_over)
        status = fl_fs_remove(env->fs, temporary);
    if (status == FLOWDB_OK)
        status = fl_fs_open(env->fs, temporary, FL_OPEN_CREATE, &file);
    if (status == FLOWDB_OK)
        status = write_bytes(file, 0, line, strlen(line));
    fl_file_close(file);
    /* The manifest's own entry first, then the name that leads to it. */
    if (status == FLOWDB_OK)
        status = fl_fs_sync_dir(env->fs, dir);
    *renamed = status == FLOWDB_OK;
    if (status == FLOWDB_OK)
        status = fl_fs_rename(env->fs, temporary, current);
    if (status == FLOWDB_OK)
        status = fl_fs_sync_dir(env->fs, dir);
    fl_release(env->alloc, temporary);
    fl_release(env->alloc, current);
    return status;
}

static flowdb_status write_snapshot(struct fl_manifest *manifest, const char *dir, const char *path,
                                    bool *renamed) {
    struct fl_buffer bytes;
    fl_buffer_init(&bytes, manifest->env->alloc);
    flowdb_status status = encode_snapshot(manifest, &bytes);
    if (status == FLOWDB_OK)
        status = fl_fs_open(manifest->env->fs, path, FL_OPEN_CREATE, &manifest->file);
    if (status == FLOWDB_OK)
        status = write_bytes(manifest->file, 0, bytes.data, bytes.size);
    if (status == FLOWDB_OK)
        status = set_current(manifest->env, dir, manifest->id, renamed);
    manifest->offset = manifest->snapshot_size = bytes.size;
    fl_buffer_deinit(&bytes);
    return status;
}

/* Ends a manifest that did not come about. Unless CURRENT may name it the file goes as well: on a
   full disk one would follow the other. Keeps the failure's sentence. */
static void discard(struct fl_manifest *manifest, const char *path, bool in_doubt) {
    char sentence[512];
    snprintf(sentence, sizeof sentence, "%s", flowdb_last_error());
    bool created = manifest->file != NULL;
    struct fl_fs *fs = manifest->env->fs;
    fl_manifest_close(manifest);
    if (created && !in_doubt)
        (void)fl_fs_remove(fs, path);
    fl_fail(FLOWDB_IO_ERROR, "%s", sentence);
}

flowdb_status fl_manifest_create(const struct fl_env *env, const char *dir, uint64_t id,
                                 const struct fl_manifest_state *state, bool *in_doubt,
                                 struct fl_manifest **manifest) {
    *in_doubt = false;
    struct fl_manifest *made = fl_allocate_zeroed(env->alloc, 1, sizeof *made);
    if (made == NULL)
        return fl_fail_memory("a manifest", sizeof *made);
    made->env = env;
    made->id = id;
    fl_manifest_state_init(&made->state, env->alloc);
    char *path = fl_manifest_path(env->alloc, dir, id);
    flowdb_status status =
        path != NULL ? fl_manifest_state_copy(state, &made->state) : FLOWDB_NO_MEMORY;
    if (status == FLOWDB_OK)
        status = write_snapshot(made, dir, path, in_doubt);
    *in_doubt = *in_doubt && status != FLOWDB_OK;
    if (status == FLOWDB_OK)
        *manifest = made;
    else
        discard(made, path, *in_doubt);
    fl_release(env->alloc, path);
    return status;
}

void fl_manifest_close(struct fl_manifest *manifest) {
    if (manifest == NULL)
        return;
    fl_file_close(manifest->file);
    fl_manifest_state_deinit(&manifest->state);
    fl_release(manifest->env->alloc, manifest);
}

/* Takes back what a failed write may have left, be it the whole edit: what it adds will be removed.
   Where that fails too nobody can tell what is there. Keeps the failure's sentence. */
static void take_back_edit(struct fl_manifest *manifest) {
    char sentence[512];
    snprintf(sentence, sizeof sentence, "%s", flowdb_last_error());
    manifest->failed = true;
    manifest->in_doubt = fl_file_truncate(manifest->file, manifest->offset) != FLOWDB_OK ||
                         fl_file_sync(manifest->file) != FLOWDB_OK;
    fl_fail(FLOWDB_IO_ERROR, "%s", sentence);
}

flowdb_status fl_manifest_append(struct fl_manifest *manifest,
                                 const struct fl_manifest_edit *edit) {
    if (manifest->failed)
        return fl_fail(FLOWDB_READ_ONLY,
                       "MANIFEST-%06" PRIu64 " could not be written before; reopen the database",
                       manifest->id);
    struct fl_buffer bytes;
    fl_buffer_init(&bytes, manifest->env->alloc);
    struct fl_manifest_state next = {0};
    flowdb_status status = fl_edit_encode(&bytes, manifest->id, manifest->offset, edit);
    if (status == FLOWDB_OK)
        status = fl_manifest_state_copy(&manifest->state, &next);
    if (status == FLOWDB_OK)
        status = fl_manifest_apply(&next, edit);
    if (status == FLOWDB_OK) {
        struct iovec part = {.iov_base = bytes.data, .iov_len = bytes.size};
        status = fl_file_write_at(manifest->file, manifest->offset, &part, 1);
        if (status != FLOWDB_OK)
            take_back_edit(manifest);
    }
    if (status == FLOWDB_OK) {
        status = fl_file_sync(manifest->file);
        manifest->failed = manifest->in_doubt = status != FLOWDB_OK;
    }
    if (status == FLOWDB_OK) {
        fl_manifest_state_deinit(&manifest->state);
        manifest->state = next;
        manifest->offset += bytes.size;
    } else if (next.alloc != NULL) {
        fl_manifest_state_deinit(&next);
    }
    fl_buffer_deinit(&bytes);
    return status;
}

const struct fl_manifest_state *fl_manifest_state(const struct fl_manifest *manifest) {
    return &manifest->state;
}

uint64_t fl_manifest_id(const struct fl_manifest *manifest) {
    return manifest->id;
}

bool fl_manifest_wants_successor(const struct fl_manifest *manifest) {
    bool grown = manifest->offset > GROWN_FROM && manifest->offset > 4 * manifest->snapshot_size;
    return (manifest->failed && !manifest->in_doubt) || grown;
}

bool fl_manifest_in_doubt(const struct fl_manifest *manifest) {
    return manifest->in_doubt;
}
