/*
 * The frame that every part of a table file is in: checksum, sizes, type, codec, fields that can
 * grow, payload. docs/formats/sstable.md has the bytes.
 *
 * Parsing bounds every size against the bytes that are there. Failures say what is wrong; which
 * file and where is added by whoever read the bytes.
 */
#ifndef FL_TABLE_FRAME_H
#define FL_TABLE_FRAME_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "table/table.h"

enum fl_frame_type {
    FL_FRAME_DATA = 1,
    FL_FRAME_FILTER = 2,
    FL_FRAME_TOMBSTONES = 3,
    FL_FRAME_PARTITION = 4,
    FL_FRAME_ROOT = 5,
    FL_FRAME_PROPERTIES = 6
};

#define FL_FRAME_HEADER ((size_t)20)         /* bytes in front of the fields */
#define FL_FRAME_CODEC ((size_t)17)          /* where in it the codec is */
#define FL_FRAME_DATA_MAX ((size_t)32 << 20) /* uncompressed bytes of a data block */
#define FL_FRAME_OTHER_MAX ((size_t)1 << 30) /* of any other frame */
#define FL_REQUIRED 0x80 /* field tags with this bit must be understood by a reader */
#define FL_FIELD_COLUMNS (FL_REQUIRED | 1)
#define FL_FIELD_FILTER (FL_REQUIRED | 2)

/* A frame whose sizes were checked; borrows the bytes that it was parsed from. */
struct fl_frame {
    enum fl_frame_type type;
    enum fl_codec codec;
    uint32_t raw_size;            /* of the payload before compression */
    flowdb_slice payload;         /* as stored */
    flowdb_slice columns, filter; /* contents of these fields; size 0 where absent */
};

/*
 * Parses the `size` bytes at `bytes`, which must be one whole frame of the type. The checksum, of
 * the table `owner` and the file offset `place`, is looked at only where `verify` is set.
 */
flowdb_status fl_frame_parse(const uint8_t *bytes, size_t size, enum fl_frame_type type,
                             uint64_t owner, uint64_t place, bool verify, struct fl_frame *frame);

/* ---- compression ---- */

struct fl_unpacker;

/*
 * Compresses for one thread. Of zstd's levels the configured one is the most effort: small payloads of
 * integers or of random text come out no larger, or even smaller, at level 1, which takes a third of
 * the time. So both are tried on a payload now and then, and level 1 serves while it does as well.
 */
struct fl_packer {
    const struct fl_alloc *alloc;
    enum fl_codec codec;
    int zstd_level;
    void *zstd;         /* made when first needed */
    uint32_t packed;    /* payloads so far */
    uint32_t fast_wins; /* trials in a row in which level 1 did as well */
};

void fl_packer_init(struct fl_packer *packer, const struct fl_alloc *alloc,
                    const struct fl_table_options *options);
void fl_packer_deinit(struct fl_packer *packer);
/* Compresses into at most `room` bytes; *size is 0 where that is too little. */
flowdb_status fl_packer_pack(struct fl_packer *packer, flowdb_slice raw, uint8_t *out, size_t room,
                             size_t *size);

/* Appends a frame of the raw payload to `out`, compressed where `packer` (may be NULL) shrinks it.
   Its checksum is 0, which never verifies, until it is sealed. Without packer raw.data may be NULL:
   a payload of zeros for the caller to fill. */
flowdb_status fl_frame_append(struct fl_packer *packer, enum fl_frame_type type,
                              flowdb_slice fields, flowdb_slice raw, struct fl_buffer *out,
                              size_t *frame_size);
/* Appends the frame that lies at `bytes` with its payload compressed by `packer` instead; `scratch`
   holds the payload meanwhile. Unsealed, too. */
flowdb_status fl_frame_repack(struct fl_packer *packer, struct fl_unpacker *unpacker,
                              flowdb_slice bytes, const struct fl_frame *frame,
                              struct fl_buffer *scratch, struct fl_buffer *out, size_t *frame_size);
/* Writes the checksum of a frame that will lie at `place` in the file of `owner`. */
void fl_frame_seal(uint8_t *frame, size_t size, uint64_t owner, uint64_t place);

#define FL_UNPACKER_SLOTS 2

/* Decompresses for any number of threads. A zstd context is 150 KB and costs tens of page faults
   to make, so a few are kept. */
struct fl_unpacker {
    const struct fl_alloc *alloc;
    _Atomic(void *) zstd[FL_UNPACKER_SLOTS];
};

void fl_unpacker_init(struct fl_unpacker *unpacker, const struct fl_alloc *alloc);
void fl_unpacker_deinit(struct fl_unpacker *unpacker);

/* Writes the payload, frame->raw_size bytes, into `out`. */
flowdb_status fl_frame_unpack(struct fl_unpacker *unpacker, const struct fl_frame *frame,
                              uint8_t *out);
/* The payload where it lies or, if it is compressed, in `buffer`, whose contents it replaces. */
flowdb_status fl_frame_raw(struct fl_unpacker *unpacker, const struct fl_frame *frame,
                           struct fl_buffer *buffer, const uint8_t **raw);

#endif
