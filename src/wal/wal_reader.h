/*
 * Reading a log back after a crash.
 *
 * Pages that were not synced may have reached the disk in any order, so a log may have a hole with
 * whole frames behind it, and that is no damage: it ends at the hole. It is damage when some later
 * frame says that what lies before it was already on the disk.
 */
#ifndef FL_WAL_WAL_READER_H
#define FL_WAL_WAL_READER_H

#include "base/chunk.h"
#include "fs/env.h"
#include "wal/wal_writer.h"

/* A whole log in memory. One thread. */
struct fl_wal_reader {
    char *path;
    const struct fl_alloc *alloc;
    struct fl_chunk *chunk; /* holds the file; NULL where its header is not whole */
    size_t size;
    size_t offset; /* the next frame; at the end, where the log ends */
    uint64_t id;
    uint64_t previous;
    bool sealed;
    uint64_t next_log; /* what the seal names */
    bool torn;         /* something that is no frame follows the end */
};

struct fl_wal_frame {
    const uint8_t *entries; /* well-formed; borrowed from the reader's chunk */
    size_t size;
    uint32_t count;
    uint64_t first_seq;
};

/*
 * Reads the file. FLOWDB_OK with chunk NULL where the file's header was never wholly written: it is
 * the caller who knows whether that can be. FLOWDB_UNSUPPORTED for a newer version.
 */
flowdb_status fl_wal_reader_open(const struct fl_env *env, struct fl_chunk_pool *pool,
                                 const char *path, uint64_t id, struct fl_wal_reader *reader);
void fl_wal_reader_close(struct fl_wal_reader *reader);

/* The next batch; FLOWDB_DONE at the end of the log; FLOWDB_CORRUPTION for a hole in what this
   log itself declares durable. */
flowdb_status fl_wal_reader_next(struct fl_wal_reader *reader, struct fl_wal_frame *out);

/* Does any whole frame from `from` on declare `position` (of this or an earlier log) durable? */
bool fl_wal_reader_declares(const struct fl_wal_reader *reader, size_t from,
                            const struct fl_wal_position *position);

#endif
