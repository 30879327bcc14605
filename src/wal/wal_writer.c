#include "wal/wal_writer.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#include "base/bytes.h"

#define ZERO_STEP ((size_t)256 << 10)
#define BUFFER_BYTES ((size_t)256 << 10)
#define BUFFER_PARTS 512

struct fl_wal_writer {
    const struct fl_env *env;
    struct fl_file *file;
    uint64_t id;
    uint64_t offset;  /* where the next frame lies */
    uint64_t written; /* up to here the kernel has it; the rest waits in `parts` */
    uint64_t zeroed;  /* up to here the file exists */
    bool broken;
    bool drain_failed; /* the last one; the buffer takes nothing more until one succeeds */
    pthread_mutex_t sync_lock;
    bool sync_failed; /* guarded by sync_lock */
    size_t part_count;
    struct iovec parts[BUFFER_PARTS];
    uint8_t zeros[ZERO_STEP];
};

static flowdb_status write_file_header(struct fl_wal_writer *writer, uint64_t previous) {
    uint8_t header[FL_WAL_FILE_HEADER];
    memcpy(header, FL_WAL_MAGIC, 7);
    header[7] = FL_WAL_VERSION;
    fl_put_u64(header + 8, writer->id);
    fl_put_u64(header + 16, previous);
    fl_put_u64(header + 24, fl_checksum(header, 24, writer->id, 0));
    struct iovec part = {.iov_base = header, .iov_len = sizeof header};
    flowdb_status status = fl_file_write_at(writer->file, 0, &part, 1);
    if (status == FLOWDB_OK)
        status = fl_file_sync(writer->file);
    writer->offset = writer->written = writer->zeroed = sizeof header;
    return status;
}

flowdb_status fl_wal_create(const struct fl_env *env, const char *path, uint64_t id,
                            uint64_t previous, uint64_t expected_size,
                            struct fl_wal_writer **writer) {
    struct fl_wal_writer *made = fl_allocate_zeroed(env->alloc, 1, sizeof *made);
    if (made == NULL)
        return fl_fail_memory("a log writer", sizeof *made);
    made->env = env;
    made->id = id;
    pthread_mutex_init(&made->sync_lock, NULL);
    flowdb_status status = fl_fs_open(env->fs, path, FL_OPEN_CREATE, &made->file);
    if (status != FLOWDB_OK) {
        fl_wal_close(made);
        return status;
    }
    /* Only a matter of speed: without it the disk fills while writing. */
    (void)fl_file_allocate(made->file, expected_size);
    status = write_file_header(made, previous);
    if (status != FLOWDB_OK) {
        fl_wal_close(made);
        return status;
    }
    *writer = made;
    return FLOWDB_OK;
}

void fl_wal_close(struct fl_wal_writer *writer) {
    if (writer == NULL)
        return;
    fl_file_close(writer->file);
    pthread_mutex_destroy(&writer->sync_lock);
    fl_release(writer->env->alloc, writer);
}

/* Makes the file exist ahead of `end`, for writes so small that they come to many in a step: a large
   one does as well by itself. Best effort: where it fails, the write itself will tell. */
static void write_zeros_ahead(struct fl_wal_writer *writer, uint64_t end) {
    if (end <= writer->zeroed || end - writer->written > ZERO_STEP / 2)
        return;
    struct iovec part = {.iov_base = writer->zeros, .iov_len = ZERO_STEP};
    if (end - writer->zeroed <= ZERO_STEP &&
        fl_file_write_at(writer->file, writer->zeroed, &part, 1) == FLOWDB_OK)
        writer->zeroed += ZERO_STEP;
}

/*
 * Cuts off what a failed write may have left, so that the log ends where it did. A full disk takes a
 * beginning of a frame, which is none; after any other failure the frame may be whole, and must not
 * be found there after a power cut.
 */
static void cut_back(struct fl_wal_writer *writer, flowdb_status status) {
    char sentence[512];
    snprintf(sentence, sizeof sentence, "%s", flowdb_last_error());
    bool cut = fl_file_truncate(writer->file, writer->written) == FLOWDB_OK;
    if (cut)
        writer->zeroed = writer->written;
    if (!cut || (status != FLOWDB_NO_SPACE && fl_wal_sync(writer) != FLOWDB_OK))
        writer->broken = true;
    fl_fail(FLOWDB_IO_ERROR, "%s", sentence);
}

static flowdb_status write_parts(struct fl_wal_writer *writer, const struct iovec *parts,
                                 size_t count, uint64_t end) {
    if (writer->broken)
        return fl_fail(FLOWDB_READ_ONLY,
                       "log %" PRIu64 " could not be cut back after a failed "
                       "write; reopen the database",
                       writer->id);
    write_zeros_ahead(writer, end);
    flowdb_status status = fl_file_write_at(writer->file, writer->written, parts, count);
    if (status != FLOWDB_OK) {
        cut_back(writer, status);
        return status;
    }
    writer->written = end;
    writer->zeroed = FL_MAX(writer->zeroed, end);
    return FLOWDB_OK;
}

flowdb_status fl_wal_drain(struct fl_wal_writer *writer) {
    if (writer->part_count == 0)
        return FLOWDB_OK;
    flowdb_status status = write_parts(writer, writer->parts, writer->part_count, writer->offset);
    writer->drain_failed = status != FLOWDB_OK;
    if (status == FLOWDB_OK)
        writer->part_count = 0;
    return status;
}

static void fill_header(const struct fl_wal_writer *writer, uint8_t *frame, enum fl_frame_type type,
                        const struct fl_wal_frame_info *info) {
    fl_put_u64(frame + FL_FRAME_PAYLOAD_SUM, info->payload_sum);
    fl_put_u32(frame + FL_FRAME_PAYLOAD_SIZE, (uint32_t)info->payload_size);
    fl_put_u16(frame + FL_FRAME_HEADER_SIZE, (uint16_t)FL_WAL_FRAME_HEADER);
    frame[FL_FRAME_TYPE] = (uint8_t)type;
    frame[FL_FRAME_ZERO] = 0;
    fl_put_u64(frame + FL_FRAME_LOG, writer->id);
    fl_put_u64(frame + FL_FRAME_OFFSET, writer->offset);
    fl_put_u64(frame + FL_FRAME_FIRST_SEQ, info->first_seq);
    fl_put_u32(frame + FL_FRAME_COUNT, info->count);
    fl_put_u32(frame + FL_FRAME_ZERO2, 0);
    fl_put_u64(frame + FL_FRAME_DURABLE_LOG, info->durable.log);
    fl_put_u64(frame + FL_FRAME_DURABLE_OFFSET, info->durable.offset);
    fl_put_u64(frame + FL_FRAME_SUM,
               fl_wal_header_sum(frame, FL_WAL_FRAME_HEADER, writer->id, writer->offset));
}

/* Remembers the frame; frames that lie one behind the other in memory are one part. */
static void remember(struct fl_wal_writer *writer, uint8_t *frame, size_t size) {
    struct iovec *last = writer->part_count > 0 ? &writer->parts[writer->part_count - 1] : NULL;
    if (last != NULL && (uint8_t *)last->iov_base + last->iov_len == frame)
        last->iov_len += size;
    else
        writer->parts[writer->part_count++] = (struct iovec){.iov_base = frame, .iov_len = size};
    writer->offset += size;
}

flowdb_status fl_wal_append(struct fl_wal_writer *writer, uint8_t *frame,
                            const struct fl_wal_frame_info *info, bool buffered) {
    size_t size = FL_WAL_FRAME_HEADER + info->payload_size;
    bool full = writer->offset - writer->written + size > BUFFER_BYTES ||
                writer->part_count == BUFFER_PARTS;
    if (!buffered || full || writer->drain_failed) {
        flowdb_status status = fl_wal_drain(writer);
        if (status != FLOWDB_OK)
            return status;
    }
    fill_header(writer, frame, FL_FRAME_BATCH, info);
    if (buffered && size <= BUFFER_BYTES) {
        remember(writer, frame, size);
        return FLOWDB_OK;
    }
    struct iovec part = {.iov_base = frame, .iov_len = size};
    flowdb_status status = write_parts(writer, &part, 1, writer->offset + size);
    if (status == FLOWDB_OK)
        writer->offset += size;
    return status;
}

flowdb_status fl_wal_seal(struct fl_wal_writer *writer, uint64_t next_log,
                          const struct fl_wal_position *durable) {
    flowdb_status status = fl_wal_drain(writer);
    if (status != FLOWDB_OK)
        return status;
    uint8_t frame[FL_WAL_FRAME_HEADER + 8];
    fl_put_u64(frame + FL_WAL_FRAME_HEADER, next_log);
    struct fl_wal_frame_info info = {
        .payload_size = 8,
        .payload_sum = fl_wal_payload_sum(frame + FL_WAL_FRAME_HEADER, 8),
        .durable = *durable,
    };
    fill_header(writer, frame, FL_FRAME_SEAL, &info);
    struct iovec part = {.iov_base = frame, .iov_len = sizeof frame};
    status = write_parts(writer, &part, 1, writer->offset + sizeof frame);
    if (status == FLOWDB_OK)
        writer->offset += sizeof frame;
    return status;
}

/* One at a time: the kernel tells of a failure once, and whoever asks next would hear that all is
   well. */
flowdb_status fl_wal_sync(struct fl_wal_writer *writer) {
    pthread_mutex_lock(&writer->sync_lock);
    flowdb_status status = writer->sync_failed
                               ? fl_fail(FLOWDB_IO_ERROR,
                                         "log %" PRIu64 " could not be synced before; reopen the "
                                         "database",
                                         writer->id)
                               : fl_file_sync(writer->file);
    writer->sync_failed = status != FLOWDB_OK;
    pthread_mutex_unlock(&writer->sync_lock);
    return status;
}

uint64_t fl_wal_id(const struct fl_wal_writer *writer) {
    return writer->id;
}

uint64_t fl_wal_offset(const struct fl_wal_writer *writer) {
    return writer->offset;
}

uint64_t fl_wal_written(const struct fl_wal_writer *writer) {
    return writer->written;
}

bool fl_wal_broken(const struct fl_wal_writer *writer) {
    return writer->broken;
}
