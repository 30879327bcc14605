/*
 * The bytes of a log; docs/formats/wal.md is the page.
 *
 *   file:   header (32 bytes) | frame | frame | ... | zeros
 *   frame:  header (72 bytes, more in later versions) | payload
 *
 * A frame's header checksum is seeded with the log's id and the frame's offset, so that a frame of
 * another log, or of another place, or zeros, never verify. The payload has its own checksum,
 * covered by the header's, because it is worked out before the place is known.
 */
#ifndef FL_WAL_WAL_FORMAT_H
#define FL_WAL_WAL_FORMAT_H

#include "base/coding.h"
#include "base/hash.h"

#define FL_WAL_MAGIC "FLOWWAL"
#define FL_WAL_VERSION 1
#define FL_WAL_FILE_HEADER ((size_t)32)
/* file header: magic 7 | version u8 | log id u64 | previous log's id u64 | checksum u64 */

#define FL_WAL_FRAME_HEADER ((size_t)72)
#define FL_WAL_PAYLOAD_MAX (((size_t)256 << 20) + 4096)

/* Offsets in a frame's header. */
enum {
    FL_FRAME_SUM = 0,             /* u64, over the rest of the header */
    FL_FRAME_PAYLOAD_SUM = 8,     /* u64 */
    FL_FRAME_PAYLOAD_SIZE = 16,   /* u32 */
    FL_FRAME_HEADER_SIZE = 20,    /* u16: 72, or more with optional fields */
    FL_FRAME_TYPE = 22,           /* u8 */
    FL_FRAME_ZERO = 23,           /* u8 */
    FL_FRAME_LOG = 24,            /* u64 */
    FL_FRAME_OFFSET = 32,         /* u64 */
    FL_FRAME_FIRST_SEQ = 40,      /* u64 */
    FL_FRAME_COUNT = 48,          /* u32: entries; each has a sequence number of its own */
    FL_FRAME_ZERO2 = 52,          /* u32 */
    FL_FRAME_DURABLE_LOG = 56,    /* u64: all logs before this one, and ... */
    FL_FRAME_DURABLE_OFFSET = 64, /* u64: ... this much of it, were on the disk */
};

enum fl_frame_type {
    FL_FRAME_BATCH = 1, /* payload: entries */
    FL_FRAME_SEAL = 2,  /* payload: u64, the log that follows; nothing comes after it */
};

static inline uint64_t fl_wal_payload_sum(const void *payload, size_t size) {
    return fl_checksum(payload, size, 0, 0);
}

static inline uint64_t fl_wal_header_sum(const uint8_t *frame, size_t header_size, uint64_t log,
                                         uint64_t offset) {
    return fl_checksum(frame + 8, header_size - 8, log, offset);
}

#endif
