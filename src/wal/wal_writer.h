/*
 * Writing a log. One log belongs to one memtable.
 *
 * The file is allocated and written with zeros ahead of the frames: overwriting a page that is
 * there costs a third of appending one. The writer is not thread-safe, but for sync, which may run
 * beside the rest.
 */
#ifndef FL_WAL_WAL_WRITER_H
#define FL_WAL_WAL_WRITER_H

#include "fs/env.h"
#include "wal/wal_format.h"

/* A place in the logs. */
struct fl_wal_position {
    uint64_t log;
    uint64_t offset;
};

struct fl_wal_writer;

/*
 * Creates the log at `path` and makes it durable, but for its directory entry. `previous` is the id
 * of the log before it, or 0. `expected_size` bytes are allocated where the file system can.
 */
flowdb_status fl_wal_create(const struct fl_env *env, const char *path, uint64_t id,
                            uint64_t previous, uint64_t expected_size,
                            struct fl_wal_writer **writer);
/* Does not sync or drain. NULL is fine. */
void fl_wal_close(struct fl_wal_writer *writer);

/* What a frame says; its payload lies FL_WAL_FRAME_HEADER bytes into the frame's memory. */
struct fl_wal_frame_info {
    size_t payload_size;
    uint64_t payload_sum; /* fl_wal_payload_sum of it */
    uint64_t first_seq;
    uint32_t count;
    struct fl_wal_position durable; /* known to be on the disk */
};

/*
 * Fills in the header at `frame` and writes the frame. With `buffered` it is only remembered, and
 * the memory must stay until the next drain; when 256 KiB or so are waiting they are drained first,
 * and where that fails, the frame is not taken. A failure leaves the log as it was.
 */
flowdb_status fl_wal_append(struct fl_wal_writer *writer, uint8_t *frame,
                            const struct fl_wal_frame_info *info, bool buffered);
/* Hands what is buffered to the kernel. After a failure it is still buffered. */
flowdb_status fl_wal_drain(struct fl_wal_writer *writer);
/* Ends the log: nothing can be appended. Drains first. */
flowdb_status fl_wal_seal(struct fl_wal_writer *writer, uint64_t next_log,
                          const struct fl_wal_position *durable);
/* fdatasync. May run beside append, drain and itself; covers what was written before. Once it has
   failed it always fails. */
flowdb_status fl_wal_sync(struct fl_wal_writer *writer);

uint64_t fl_wal_id(const struct fl_wal_writer *writer);
/* Where the next frame will lie. */
uint64_t fl_wal_offset(const struct fl_wal_writer *writer);
/* How far the kernel has it. */
uint64_t fl_wal_written(const struct fl_wal_writer *writer);
/* A log that could not be cut back after a failed write must not be used any more. */
bool fl_wal_broken(const struct fl_wal_writer *writer);

#endif
