#include "wal/wal_reader.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "base/entry.h"

static flowdb_status read_file(struct fl_file *file, struct fl_chunk_pool *pool, const char *path,
                               struct fl_wal_reader *reader) {
    uint64_t size;
    flowdb_status status = fl_file_size(file, &size);
    if (status != FLOWDB_OK)
        return status;
    if (size < FL_WAL_FILE_HEADER)
        return FLOWDB_OK;
    if (size > SIZE_MAX / 4)
        return fl_fail(FLOWDB_CORRUPTION, "%s: impossible size %" PRIu64, path, size);
    status = fl_chunk_pool_take(pool, (size_t)size, &reader->chunk);
    if (status != FLOWDB_OK)
        return status;
    size_t got = 0;
    status = fl_file_read_at(file, 0, reader->chunk->data, (size_t)size, &got);
    reader->size = got;
    return status;
}

static flowdb_status check_file_header(struct fl_wal_reader *reader, const char *path) {
    if (reader->chunk == NULL)
        return FLOWDB_OK;
    const uint8_t *header = reader->chunk->data;
    bool whole = reader->size >= FL_WAL_FILE_HEADER && memcmp(header, FL_WAL_MAGIC, 7) == 0 &&
                 fl_get_u64(header + 24) == fl_checksum(header, 24, reader->id, 0) &&
                 fl_get_u64(header + 8) == reader->id;
    if (!whole) {
        fl_chunk_unref(reader->chunk);
        reader->chunk = NULL;
        return FLOWDB_OK;
    }
    if (header[7] > FL_WAL_VERSION)
        return fl_fail(FLOWDB_UNSUPPORTED, "%s: log format version %d; this library reads %d", path,
                       header[7], FL_WAL_VERSION);
    reader->previous = fl_get_u64(header + 16);
    reader->offset = FL_WAL_FILE_HEADER;
    return FLOWDB_OK;
}

flowdb_status fl_wal_reader_open(const struct fl_env *env, struct fl_chunk_pool *pool,
                                 const char *path, uint64_t id, struct fl_wal_reader *reader) {
    *reader = (struct fl_wal_reader){.alloc = env->alloc, .id = id};
    struct fl_file *file;
    flowdb_status status = fl_fs_open(env->fs, path, FL_OPEN_READ, &file);
    if (status != FLOWDB_OK)
        return status;
    reader->path = fl_duplicate(env->alloc, path, strlen(path));
    status = reader->path != NULL ? read_file(file, pool, path, reader)
                                  : fl_fail_memory("a path", strlen(path));
    fl_file_close(file);
    if (status == FLOWDB_OK)
        status = check_file_header(reader, path);
    if (status != FLOWDB_OK)
        fl_wal_reader_close(reader);
    return status;
}

void fl_wal_reader_close(struct fl_wal_reader *reader) {
    fl_chunk_unref(reader->chunk);
    reader->chunk = NULL;
    if (reader->path != NULL)
        fl_release(reader->alloc, reader->path);
    reader->path = NULL;
}

/* The size of the header of a whole frame at `offset`; 0 where there is none. */
static size_t whole_frame(const struct fl_wal_reader *reader, size_t offset) {
    size_t left = reader->size - offset;
    if (left < FL_WAL_FRAME_HEADER)
        return 0;
    const uint8_t *frame = reader->chunk->data + offset;
    size_t header = fl_get_u16(frame + FL_FRAME_HEADER_SIZE);
    if (header < FL_WAL_FRAME_HEADER || header > left ||
        fl_get_u64(frame + FL_FRAME_LOG) != reader->id ||
        fl_get_u64(frame + FL_FRAME_OFFSET) != offset ||
        fl_get_u64(frame + FL_FRAME_SUM) != fl_wal_header_sum(frame, header, reader->id, offset))
        return 0;
    size_t payload = fl_get_u32(frame + FL_FRAME_PAYLOAD_SIZE);
    if (payload > left - header ||
        fl_wal_payload_sum(frame + header, payload) != fl_get_u64(frame + FL_FRAME_PAYLOAD_SUM))
        return 0;
    return header;
}

/* Is (log, offset) of the frame's declaration beyond the position? */
static bool declares(const uint8_t *frame, const struct fl_wal_position *position) {
    uint64_t log = fl_get_u64(frame + FL_FRAME_DURABLE_LOG);
    return log > position->log ||
           (log == position->log && fl_get_u64(frame + FL_FRAME_DURABLE_OFFSET) > position->offset);
}

bool fl_wal_reader_declares(const struct fl_wal_reader *reader, size_t from,
                            const struct fl_wal_position *position) {
    if (reader->chunk == NULL || reader->size < FL_WAL_FRAME_HEADER)
        return false;
    size_t last = reader->size - FL_WAL_FRAME_HEADER;
    for (size_t at = from; at <= last;) {
        const uint8_t *frame = reader->chunk->data + at;
        /* A frame states its own offset: a cheap test that nearly nothing else passes. */
        size_t header = fl_get_u64(frame + FL_FRAME_OFFSET) == at ? whole_frame(reader, at) : 0;
        if (header == 0) {
            at++;
            continue;
        }
        if (declares(frame, position))
            return true;
        at += header + fl_get_u32(frame + FL_FRAME_PAYLOAD_SIZE);
    }
    return false;
}

static bool only_zeros(const uint8_t *bytes, size_t size) {
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static flowdb_status end_at_hole(struct fl_wal_reader *reader) {
    size_t at = reader->offset;
    if (only_zeros(reader->chunk->data + at, reader->size - at))
        return FLOWDB_DONE;
    reader->torn = true;
    struct fl_wal_position hole = {.log = reader->id, .offset = at};
    if (fl_wal_reader_declares(reader, at, &hole))
        return fl_fail(FLOWDB_CORRUPTION,
                       "%s: damaged at offset %zu, in what was already on the disk", reader->path,
                       at);
    return FLOWDB_DONE;
}

static bool entries_valid(const uint8_t *entries, size_t size, uint32_t count) {
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!fl_entry_valid(entries + at, size - at))
            return false;
        at += fl_entry_size(entries + at);
    }
    return at == size;
}

flowdb_status fl_wal_reader_next(struct fl_wal_reader *reader, struct fl_wal_frame *out) {
    if (reader->sealed || reader->chunk == NULL)
        return FLOWDB_DONE;
    size_t header = whole_frame(reader, reader->offset);
    if (header == 0)
        return end_at_hole(reader);
    const uint8_t *frame = reader->chunk->data + reader->offset;
    const uint8_t *payload = frame + header;
    size_t size = fl_get_u32(frame + FL_FRAME_PAYLOAD_SIZE);
    if (frame[FL_FRAME_TYPE] == FL_FRAME_SEAL && size >= 8) {
        reader->sealed = true;
        reader->next_log = fl_get_u64(payload);
        reader->offset += header + size;
        return FLOWDB_DONE;
    }
    struct fl_wal_frame found = {.entries = payload,
                                 .size = size,
                                 .count = fl_get_u32(frame + FL_FRAME_COUNT),
                                 .first_seq = fl_get_u64(frame + FL_FRAME_FIRST_SEQ)};
    if (frame[FL_FRAME_TYPE] != FL_FRAME_BATCH || found.count == 0 ||
        !entries_valid(found.entries, found.size, found.count))
        return fl_fail(FLOWDB_CORRUPTION, "%s: frame at offset %zu verifies but makes no sense",
                       reader->path, reader->offset);
    reader->offset += header + size;
    *out = found;
    return FLOWDB_OK;
}
