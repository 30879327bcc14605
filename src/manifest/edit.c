#include "manifest/edit.h"

#include <inttypes.h>

#include "base/coding.h"
#include "base/hash.h"

void fl_manifest_state_init(struct fl_manifest_state *state, const struct fl_alloc *alloc) {
    *state = (struct fl_manifest_state){.alloc = alloc, .next_id = 1, .latest_time_us = INT64_MIN};
}

void fl_manifest_state_deinit(struct fl_manifest_state *state) {
    fl_release(state->alloc, state->tables);
    state->tables = NULL;
    state->table_count = state->table_capacity = 0;
}

flowdb_status fl_manifest_state_copy(const struct fl_manifest_state *from,
                                     struct fl_manifest_state *to) {
    struct fl_table_meta *tables = NULL;
    if (from->table_count > 0) {
        tables = fl_allocate(from->alloc, from->table_count * sizeof *tables);
        if (tables == NULL)
            return fl_fail_memory("the list of tables", from->table_count * sizeof *tables);
        memcpy(tables, from->tables, from->table_count * sizeof *tables);
    }
    *to = *from;
    to->tables = tables;
    to->table_capacity = from->table_count;
    return FLOWDB_OK;
}

static size_t find_table(const struct fl_manifest_state *state, uint64_t id) {
    size_t i = 0;
    while (i < state->table_count && state->tables[i].id != id)
        i++;
    return i;
}

static bool is_removed(const struct fl_manifest_edit *edit, uint64_t id) {
    for (size_t i = 0; i < edit->removed_count; i++) {
        if (edit->removed[i] == id)
            return true;
    }
    return false;
}

static flowdb_status reserve_tables(struct fl_manifest_state *state, size_t count) {
    if (count <= state->table_capacity)
        return FLOWDB_OK;
    size_t capacity = FL_MAX(count, state->table_capacity * 2);
    struct fl_table_meta *tables =
        fl_reallocate(state->alloc, state->tables, capacity * sizeof *tables);
    if (tables == NULL)
        return fl_fail_memory("the list of tables", capacity * sizeof *tables);
    state->tables = tables;
    state->table_capacity = capacity;
    return FLOWDB_OK;
}

/* Is the table among those that the edit adds before it? */
static bool is_repeated(const struct fl_manifest_edit *edit, size_t at) {
    for (size_t i = 0; i < at; i++) {
        if (edit->added[i].id == edit->added[at].id)
            return true;
    }
    return false;
}

flowdb_status fl_manifest_apply(struct fl_manifest_state *state,
                                const struct fl_manifest_edit *edit) {
    flowdb_status status = reserve_tables(state, state->table_count + edit->added_count);
    if (status != FLOWDB_OK)
        return status;
    for (size_t i = 0; i < edit->removed_count; i++) {
        if (find_table(state, edit->removed[i]) == state->table_count)
            return fl_fail(FLOWDB_CORRUPTION,
                           "an edit removes table %" PRIu64 ", which is not there",
                           edit->removed[i]);
    }
    for (size_t i = 0; i < edit->added_count; i++) {
        if (find_table(state, edit->added[i].id) != state->table_count || is_repeated(edit, i))
            return fl_fail(FLOWDB_CORRUPTION,
                           "an edit adds table %" PRIu64 ", which is there already",
                           edit->added[i].id);
    }
    size_t kept = 0;
    for (size_t i = 0; i < state->table_count; i++) {
        if (!is_removed(edit, state->tables[i].id))
            state->tables[kept++] = state->tables[i];
    }
    for (size_t i = 0; i < edit->added_count; i++)
        state->tables[kept++] = edit->added[i];
    state->table_count = kept;
    state->next_id = edit->next_id;
    state->last_seq = edit->last_seq;
    state->log = edit->log;
    state->latest_time_us = edit->latest_time_us;
    return FLOWDB_OK;
}

/* ---------------------------------------------------------------------------------- encode -- */

static flowdb_status put_field(struct fl_buffer *buffer, enum fl_edit_tag tag,
                               const uint64_t *values, size_t count) {
    uint8_t bytes[2 * FL_VARINT_MAX];
    uint8_t *end = bytes;
    for (size_t i = 0; i < count; i++)
        end = fl_put_varint(end, values[i]);
    size_t size = (size_t)(end - bytes);
    flowdb_status status = fl_buffer_append_varint(buffer, (uint64_t)tag);
    if (status == FLOWDB_OK)
        status = fl_buffer_append_varint(buffer, size);
    if (status == FLOWDB_OK)
        status = fl_buffer_append(buffer, bytes, size);
    return status;
}

static flowdb_status put_fields(struct fl_buffer *buffer, const struct fl_manifest_edit *edit) {
    uint64_t time = fl_zigzag(edit->latest_time_us);
    flowdb_status status = put_field(buffer, FL_EDIT_NEXT_ID, &edit->next_id, 1);
    if (status == FLOWDB_OK)
        status = put_field(buffer, FL_EDIT_LAST_SEQ, &edit->last_seq, 1);
    if (status == FLOWDB_OK)
        status = put_field(buffer, FL_EDIT_LOG, &edit->log, 1);
    if (status == FLOWDB_OK)
        status = put_field(buffer, FL_EDIT_LATEST_TIME, &time, 1);
    for (size_t i = 0; i < edit->removed_count && status == FLOWDB_OK; i++)
        status = put_field(buffer, FL_EDIT_REMOVE, &edit->removed[i], 1);
    for (size_t i = 0; i < edit->added_count && status == FLOWDB_OK; i++) {
        uint64_t values[2] = {edit->added[i].id, edit->added[i].file_size};
        status = put_field(buffer, FL_EDIT_ADD, values, 2);
    }
    return status;
}

flowdb_status fl_edit_encode(struct fl_buffer *buffer, uint64_t id, uint64_t offset,
                             const struct fl_manifest_edit *edit) {
    static const uint8_t zeros[FL_MANIFEST_FRAME_HEADER];
    size_t start = buffer->size;
    flowdb_status status = fl_buffer_append(buffer, zeros, sizeof zeros);
    if (status == FLOWDB_OK)
        status = put_fields(buffer, edit);
    if (status != FLOWDB_OK) {
        buffer->size = start;
        return status;
    }
    uint8_t *frame = buffer->data + start;
    size_t size = buffer->size - start;
    fl_put_u64(frame + 8, offset);
    fl_put_u32(frame + 16, (uint32_t)(size - FL_MANIFEST_FRAME_HEADER));
    frame[20] = FL_MANIFEST_FRAME_EDIT;
    fl_put_u64(frame, fl_checksum(frame + 8, size - 8, id, offset));
    return FLOWDB_OK;
}

/* ---------------------------------------------------------------------------------- decode -- */

/* An edit while it is being read; its tables are collected in buffers. */
struct decoded {
    struct fl_manifest_edit edit;
    struct fl_buffer added, removed;
};

static flowdb_status take_field(struct decoded *decoded, uint64_t tag, const uint8_t *at,
                                const uint8_t *end, bool *sense) {
    uint64_t value = 0, size = 0;
    at = fl_get_varint(at, end, &value);
    *sense = at != NULL;
    if (at == NULL)
        return FLOWDB_OK;
    struct fl_table_meta table;
    switch (tag) {
    case FL_EDIT_NEXT_ID:
        decoded->edit.next_id = value;
        return FLOWDB_OK;
    case FL_EDIT_LAST_SEQ:
        decoded->edit.last_seq = value;
        return FLOWDB_OK;
    case FL_EDIT_LOG:
        decoded->edit.log = value;
        return FLOWDB_OK;
    case FL_EDIT_LATEST_TIME:
        decoded->edit.latest_time_us = fl_unzigzag(value);
        return FLOWDB_OK;
    case FL_EDIT_REMOVE:
        decoded->edit.removed_count++;
        return fl_buffer_append(&decoded->removed, &value, sizeof value);
    default: /* FL_EDIT_ADD */
        at = fl_get_varint(at, end, &size);
        *sense = at != NULL;
        table = (struct fl_table_meta){.id = value, .file_size = size};
        decoded->edit.added_count++;
        return fl_buffer_append(&decoded->added, &table, sizeof table);
    }
}

static flowdb_status decode_fields(struct decoded *decoded, const uint8_t *at, const uint8_t *end,
                                   const char *path, uint64_t offset) {
    while (at < end) {
        uint64_t tag = 0, size = 0;
        at = fl_get_varint(at, end, &tag);
        at = at != NULL ? fl_get_varint(at, end, &size) : NULL;
        if (at == NULL || tag == 0 || size > (uint64_t)(end - at))
            return fl_fail(FLOWDB_CORRUPTION, "%s: malformed edit at offset %" PRIu64, path,
                           offset);
        if (tag > FL_EDIT_ADD && tag < 64)
            return fl_fail(FLOWDB_UNSUPPORTED,
                           "%s: edit at offset %" PRIu64 " has field %" PRIu64
                           ", which this library does not know",
                           path, offset, tag);
        bool sense = true;
        flowdb_status status =
            tag < 64 ? take_field(decoded, tag, at, at + size, &sense) : FLOWDB_OK;
        if (status != FLOWDB_OK)
            return status;
        if (!sense)
            return fl_fail(FLOWDB_CORRUPTION, "%s: malformed edit at offset %" PRIu64, path,
                           offset);
        at += size;
    }
    return FLOWDB_OK;
}

flowdb_status fl_edit_check_header(const struct fl_buffer *file, uint64_t id, const char *path) {
    const uint8_t *header = file->data;
    if (file->size < FL_MANIFEST_FILE_HEADER || memcmp(header, FL_MANIFEST_MAGIC, 7) != 0 ||
        fl_get_u64(header + 8) != id || fl_get_u64(header + 16) != fl_checksum(header, 16, id, 0))
        return fl_fail(FLOWDB_CORRUPTION, "%s: damaged at offset 0", path);
    if (header[7] > FL_MANIFEST_VERSION)
        return fl_fail(FLOWDB_UNSUPPORTED, "%s: manifest format version %d; this library reads %d",
                       path, header[7], FL_MANIFEST_VERSION);
    return FLOWDB_OK;
}

size_t fl_edit_frame_size(const struct fl_buffer *file, uint64_t id, size_t at) {
    size_t left = file->size - at;
    if (left < FL_MANIFEST_FRAME_HEADER || fl_get_u64(file->data + at + 8) != at)
        return 0;
    size_t size = fl_get_u32(file->data + at + 16);
    if (size > left - FL_MANIFEST_FRAME_HEADER)
        return 0;
    size += FL_MANIFEST_FRAME_HEADER;
    return fl_get_u64(file->data + at) == fl_checksum(file->data + at + 8, size - 8, id, at) ? size
                                                                                             : 0;
}

/* Takes out of the edit what the state makes impossible. */
static void make_possible(struct decoded *decoded, const struct fl_manifest_state *state) {
    uint64_t *removed = (uint64_t *)(void *)decoded->removed.data;
    struct fl_table_meta *added = (struct fl_table_meta *)(void *)decoded->added.data;
    size_t kept = 0;
    for (size_t i = 0; i < decoded->edit.removed_count; i++) {
        if (find_table(state, removed[i]) < state->table_count)
            removed[kept++] = removed[i];
    }
    decoded->edit.removed_count = kept;
    kept = 0;
    for (size_t i = 0; i < decoded->edit.added_count; i++) {
        if (find_table(state, added[i].id) == state->table_count)
            added[kept++] = added[i];
    }
    decoded->edit.added_count = kept;
}

/* `removed` NULL: strictly. */
static flowdb_status decode_apply(const uint8_t *payload, size_t size, const char *path,
                                  uint64_t offset, struct fl_manifest_state *state,
                                  struct fl_buffer *removed) {
    struct decoded decoded = {.edit = {.next_id = state->next_id,
                                       .last_seq = state->last_seq,
                                       .log = state->log,
                                       .latest_time_us = state->latest_time_us}};
    fl_buffer_init(&decoded.added, state->alloc);
    fl_buffer_init(&decoded.removed, state->alloc);
    flowdb_status status = decode_fields(&decoded, payload, payload + size, path, offset);
    if (status == FLOWDB_OK && removed != NULL) {
        status = fl_buffer_append(removed, decoded.removed.data, decoded.removed.size);
        make_possible(&decoded, state);
    }
    if (status == FLOWDB_OK) {
        decoded.edit.added = (const struct fl_table_meta *)(const void *)decoded.added.data;
        decoded.edit.removed = (const uint64_t *)(const void *)decoded.removed.data;
        status = fl_manifest_apply(state, &decoded.edit);
        if (status == FLOWDB_CORRUPTION)
            fl_fail_within(status, "%s: edit at offset %" PRIu64, path, offset);
    }
    fl_buffer_deinit(&decoded.added);
    fl_buffer_deinit(&decoded.removed);
    return status;
}

flowdb_status fl_edit_decode_apply(const uint8_t *payload, size_t size, const char *path,
                                   uint64_t offset, struct fl_manifest_state *state) {
    return decode_apply(payload, size, path, offset, state, NULL);
}

flowdb_status fl_edit_decode_salvage(const uint8_t *payload, size_t size, const char *path,
                                     uint64_t offset, struct fl_manifest_state *state,
                                     struct fl_buffer *removed) {
    return decode_apply(payload, size, path, offset, state, removed);
}
