/*
 * The binary frame of UDP and POST /write/binary. All integers are big-endian.
 *
 *   v1:      0x54 | 0x01 | count u16 | record × count
 *   v2:      0x54 | 0x02 | count u16 | sent_at i64 (µs) | mac 16 bytes | record × count
 *   record:  key_len u16 | key | ts i64 | ttl u32 (seconds; 0: none) | val_len u16 | value
 */
#ifndef FL_INGEST_FRAME_H
#define FL_INGEST_FRAME_H

#include <flowdb/flowdb.h>

#include "request_limits.h"

enum {
    FL_FRAME_MAGIC = 0x54,
    FL_FRAME_V1_HEADER = 4,
    FL_FRAME_V2_HEADER = 28,
    FL_FRAME_SENT_AT = 4, /* where it lies in a v2 header */
    FL_FRAME_MAC = 12,
    FL_FRAME_MAC_SIZE = 16
};

/* What is wrong with a frame. */
enum fl_frame_fault {
    FL_FRAME_FINE,
    FL_FRAME_BAD_MAGIC,
    FL_FRAME_BAD_VERSION,
    FL_FRAME_TRUNCATED,
    FL_FRAME_TRAILING, /* bytes behind the last record */
    FL_FRAME_LIMIT,    /* a key, a value or a time that the server does not take */
    FL_FRAME_FAULTS
};

/* "bad_magic" and so on, for a metric's label. */
const char *fl_frame_fault_name(enum fl_frame_fault fault);

/* A frame's head. */
struct fl_frame_head {
    unsigned version;
    size_t size;  /* of the head: where the first record lies */
    size_t count; /* of records */
    int64_t sent_at;
};

/* Reads the head of a frame that begins at `bytes`. FL_FRAME_TRUNCATED: there are too few. */
enum fl_frame_fault fl_frame_read_head(const uint8_t *bytes, size_t size,
                                       struct fl_frame_head *head);

/*
 * Reads the record at `bytes`. *used is how many bytes it takes; `record` points into them.
 * FL_FRAME_TRUNCATED: it goes on behind the end. FL_FRAME_LIMIT: `why`, which is static, says what it
 * passes.
 */
enum fl_frame_fault fl_frame_read_record(const uint8_t *bytes, size_t size,
                                         const struct fl_limits *limits, flowdb_record *record,
                                         size_t *used, const char **why);

/* Is the datagram one whole, good frame? Then *count is how many records it has. */
enum fl_frame_fault fl_frame_check(const uint8_t *bytes, size_t size,
                                   const struct fl_limits *limits, struct fl_frame_head *head);
/* Adds the records of a frame that was checked, and to *expired how many of them had expired at
   `now_us`. */
flowdb_status fl_frame_add(const uint8_t *bytes, size_t size, const struct fl_limits *limits,
                           int64_t now_us, flowdb_batch *batch, uint64_t *expired);

#endif
