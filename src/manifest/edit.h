/* Edits as bytes. */
#ifndef FL_MANIFEST_EDIT_H
#define FL_MANIFEST_EDIT_H

#include "base/bytes.h"
#include "manifest/manifest.h"

#define FL_MANIFEST_MAGIC "FLOWMAN"
#define FL_MANIFEST_VERSION 1
#define FL_MANIFEST_MAX ((uint64_t)1 << 30)
#define FL_MANIFEST_FILE_HEADER ((size_t)24)
/* file header: magic 7 | version u8 | id u64 | checksum u64 */
#define FL_MANIFEST_FRAME_HEADER ((size_t)24)
/* frame: checksum u64 | its offset u64 | payload size u32 | type u8 | 0 u8 x 3 | payload */
#define FL_MANIFEST_FRAME_EDIT 1

/* Fields of an edit: tag varint | size varint | bytes. A reader skips what it does not know where
   the tag is 64 or more, and refuses the file below. */
enum fl_edit_tag {
    FL_EDIT_NEXT_ID = 1,     /* varint */
    FL_EDIT_LAST_SEQ = 2,    /* varint */
    FL_EDIT_LOG = 3,         /* varint */
    FL_EDIT_LATEST_TIME = 4, /* zigzag varint */
    FL_EDIT_REMOVE = 5,      /* table id varint */
    FL_EDIT_ADD = 6,         /* table id varint | file size varint | more fields, some day */
};

/* Appends a frame for the file `id` at `offset`. */
flowdb_status fl_edit_encode(struct fl_buffer *buffer, uint64_t id, uint64_t offset,
                             const struct fl_manifest_edit *edit);

/* Is that the header of manifest `id`? FLOWDB_CORRUPTION or FLOWDB_UNSUPPORTED, naming `path`. */
flowdb_status fl_edit_check_header(const struct fl_buffer *file, uint64_t id, const char *path);
/* Bytes of the whole frame at `at` in a manifest's bytes; 0 where there is none. */
size_t fl_edit_frame_size(const struct fl_buffer *file, uint64_t id, size_t at);

/* Applies the fields of a payload to the state. The messages name `path` and `offset`. */
flowdb_status fl_edit_decode_apply(const uint8_t *payload, size_t size, const char *path,
                                   uint64_t offset, struct fl_manifest_state *state);
/* The same where edits before it may be lost: tables are removed as far as they are there, and added
   as far as they are not. The ids of all that it removes go behind those in `removed`. */
flowdb_status fl_edit_decode_salvage(const uint8_t *payload, size_t size, const char *path,
                                     uint64_t offset, struct fl_manifest_state *state,
                                     struct fl_buffer *removed);

#endif
