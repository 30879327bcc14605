#include "manifest/salvage.h"

#include "fs/files.h"
#include "manifest/edit.h"

struct reading {
    const struct fl_buffer *file;
    uint64_t id;
    const char *path;
    void (*damage)(void *context, uint64_t offset, const char *what);
    void *context;
    struct fl_salvaged_manifest *salvaged;
};

static void report(struct reading *reading, uint64_t offset, const char *what) {
    reading->salvaged->damages++;
    reading->damage(reading->context, offset, what);
}

static flowdb_status take_edit(struct reading *reading, size_t at, size_t size) {
    const uint8_t *frame = reading->file->data + at;
    if (frame[20] != FL_MANIFEST_FRAME_EDIT)
        return fl_fail(FLOWDB_UNSUPPORTED, "%s: unknown frame type %d at offset %zu", reading->path,
                       frame[20], at);
    flowdb_status status = fl_edit_decode_salvage(
        frame + FL_MANIFEST_FRAME_HEADER, size - FL_MANIFEST_FRAME_HEADER, reading->path, at,
        &reading->salvaged->state, &reading->salvaged->removed);
    if (status == FLOWDB_CORRUPTION) {
        report(reading, at, "an edit verifies but makes no sense");
        return FLOWDB_OK;
    }
    reading->salvaged->edits += status == FLOWDB_OK;
    return status;
}

static flowdb_status read_frames(struct reading *reading) {
    const struct fl_buffer *file = reading->file;
    size_t lost_from = 0; /* a damaged place that may turn out to be the torn end; 0: none */
    for (size_t at = FL_MANIFEST_FILE_HEADER; at < file->size;) {
        size_t size = fl_edit_frame_size(file, reading->id, at);
        if (size == 0) {
            lost_from = lost_from != 0 ? lost_from : at;
            at++;
            continue;
        }
        if (lost_from != 0)
            report(reading, lost_from, "an edit is damaged, and others follow");
        lost_from = 0;
        flowdb_status status = take_edit(reading, at, size);
        if (status != FLOWDB_OK)
            return status;
        at += size;
    }
    reading->salvaged->torn = lost_from != 0;
    if (reading->salvaged->edits == 0)
        report(reading, FL_MANIFEST_FILE_HEADER, "there is no whole edit in it");
    return FLOWDB_OK;
}

flowdb_status fl_manifest_salvage(const struct fl_env *env, const char *dir, uint64_t id,
                                  void (*damage)(void *context, uint64_t offset, const char *what),
                                  void *context, struct fl_salvaged_manifest *salvaged) {
    *salvaged = (struct fl_salvaged_manifest){0};
    fl_manifest_state_init(&salvaged->state, env->alloc);
    fl_buffer_init(&salvaged->removed, env->alloc);
    struct fl_buffer file;
    fl_buffer_init(&file, env->alloc);
    char *path = fl_manifest_path(env->alloc, dir, id);
    struct reading reading = {.file = &file,
                              .id = id,
                              .path = path,
                              .damage = damage,
                              .context = context,
                              .salvaged = salvaged};
    flowdb_status status =
        path != NULL ? fl_fs_read_whole(env, path, FL_MANIFEST_MAX, &file) : FLOWDB_NO_MEMORY;
    if (status == FLOWDB_CORRUPTION) {
        report(&reading, 0, flowdb_last_error());
        status = FLOWDB_OK;
    } else if (status == FLOWDB_OK) {
        status = fl_edit_check_header(&file, id, path);
        if (status == FLOWDB_CORRUPTION) {
            report(&reading, 0, "the file's header is damaged");
            status = FLOWDB_OK;
        }
        if (status == FLOWDB_OK && file.size > FL_MANIFEST_FILE_HEADER)
            status = read_frames(&reading);
        else if (status == FLOWDB_OK)
            report(&reading, file.size, "the file is cut off before its first edit");
    }
    fl_release(env->alloc, path);
    fl_buffer_deinit(&file);
    return status;
}

void fl_salvaged_manifest_deinit(struct fl_salvaged_manifest *salvaged) {
    if (salvaged->state.alloc == NULL)
        return;
    fl_manifest_state_deinit(&salvaged->state);
    fl_buffer_deinit(&salvaged->removed);
}
