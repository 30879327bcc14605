#include "fuzz/common/seal.h"

#include "base/coding.h"
#include "base/hash.h"
#include "manifest/edit.h"
#include "wal/wal_format.h"

void seal_wal(uint8_t *file, size_t size, uint64_t id) {
    if (size < FL_WAL_FILE_HEADER)
        return;
    memcpy(file, FL_WAL_MAGIC, 7);
    fl_put_u64(file + 8, id);
    fl_put_u64(file + 24, fl_checksum(file, 24, id, 0));
    for (size_t at = FL_WAL_FILE_HEADER; size - at >= FL_WAL_FRAME_HEADER;) {
        uint8_t *frame = file + at;
        size_t left = size - at, header = fl_get_u16(frame + FL_FRAME_HEADER_SIZE);
        if (header < FL_WAL_FRAME_HEADER || header > left)
            return;
        size_t payload = fl_get_u32(frame + FL_FRAME_PAYLOAD_SIZE);
        if (payload > left - header)
            return;
        fl_put_u64(frame + FL_FRAME_LOG, id);
        fl_put_u64(frame + FL_FRAME_OFFSET, at);
        fl_put_u64(frame + FL_FRAME_PAYLOAD_SUM, fl_wal_payload_sum(frame + header, payload));
        fl_put_u64(frame + FL_FRAME_SUM, fl_wal_header_sum(frame, header, id, at));
        at += header + payload;
    }
}

void seal_manifest(uint8_t *file, size_t size, uint64_t id) {
    if (size < FL_MANIFEST_FILE_HEADER)
        return;
    memcpy(file, FL_MANIFEST_MAGIC, 7);
    fl_put_u64(file + 8, id);
    fl_put_u64(file + 16, fl_checksum(file, 16, id, 0));
    for (size_t at = FL_MANIFEST_FILE_HEADER; size - at >= FL_MANIFEST_FRAME_HEADER;) {
        uint8_t *frame = file + at;
        size_t payload = fl_get_u32(frame + 16);
        if (payload > size - at - FL_MANIFEST_FRAME_HEADER)
            return;
        fl_put_u64(frame + 8, at);
        size_t whole = FL_MANIFEST_FRAME_HEADER + payload;
        fl_put_u64(frame, fl_checksum(frame + 8, whole - 8, id, at));
        at += whole;
    }
}
