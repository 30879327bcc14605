#include "table/frame.h"

#include "base/coding.h"
#include "base/hash.h"

/* Where things are in the header. */
enum { AT_CHECKSUM = 0, AT_STORED = 8, AT_RAW = 12, AT_TYPE = 16, AT_CODEC = 17, AT_FIELDS = 18 };

static flowdb_status damaged(const char *what) {
    return fl_fail(FLOWDB_CORRUPTION, "%s", what);
}

/* Fields are tag u8 | size varint | bytes, to the end. */
static flowdb_status parse_fields(const uint8_t *at, const uint8_t *end, struct fl_frame *frame) {
    while (at < end) {
        unsigned tag = *at++;
        uint64_t size;
        at = fl_get_varint(at, end, &size);
        if (at == NULL || size > (uint64_t)(end - at))
            return damaged("a field passes the end of its frame's fields");
        flowdb_slice content = flowdb_bytes(at, (size_t)size);
        if (tag == FL_FIELD_COLUMNS)
            frame->columns = content;
        else if (tag == FL_FIELD_FILTER)
            frame->filter = content;
        else if (tag & FL_REQUIRED)
            return fl_fail(FLOWDB_UNSUPPORTED, "frame field %u is of a newer format", tag);
        at += size;
    }
    return FLOWDB_OK;
}

static flowdb_status check_sizes(const struct fl_frame *frame) {
    size_t most = frame->type == FL_FRAME_DATA ? FL_FRAME_DATA_MAX : FL_FRAME_OTHER_MAX;
    if (frame->raw_size > most)
        return damaged("the uncompressed size of a frame is out of bounds");
    if (frame->codec == FL_CODEC_NONE && frame->raw_size != frame->payload.size)
        return damaged("the sizes of an uncompressed frame differ");
    /* A byte of lz4 stands for 255 at most. */
    if (frame->codec == FL_CODEC_LZ4 && frame->raw_size / 255 > frame->payload.size)
        return damaged("the uncompressed size of an lz4 frame is out of bounds");
    if (frame->codec > FL_CODEC_ZSTD)
        return fl_fail(FLOWDB_UNSUPPORTED, "codec %u is of a newer format", (unsigned)frame->codec);
    return FLOWDB_OK;
}

flowdb_status fl_frame_parse(const uint8_t *bytes, size_t size, enum fl_frame_type type,
                             uint64_t owner, uint64_t place, bool verify, struct fl_frame *frame) {
    if (size < FL_FRAME_HEADER)
        return damaged("a frame is shorter than its header");
    if (verify && fl_get_u64(bytes + AT_CHECKSUM) !=
                      fl_checksum(bytes + AT_STORED, size - AT_STORED, owner, place))
        return damaged("the checksum of a frame does not match");
    size_t stored = fl_get_u32(bytes + AT_STORED), fields = fl_get_u16(bytes + AT_FIELDS);
    if (stored > size || fields > size || FL_FRAME_HEADER + fields + stored != size)
        return damaged("the sizes in a frame's header do not add up");
    if (bytes[AT_TYPE] != type)
        return damaged("a frame is not of the type that is expected here");
    struct fl_frame parsed = {
        .type = type,
        .codec = (enum fl_codec)bytes[AT_CODEC],
        .raw_size = fl_get_u32(bytes + AT_RAW),
        .payload = flowdb_bytes(bytes + FL_FRAME_HEADER + fields, stored),
    };
    flowdb_status status = check_sizes(&parsed);
    if (status == FLOWDB_OK)
        status = parse_fields(bytes + FL_FRAME_HEADER, bytes + FL_FRAME_HEADER + fields, &parsed);
    if (status == FLOWDB_OK)
        *frame = parsed;
    return status;
}

/* A payload that shrinks by less than this part of itself is not worth decompressing. */
#define GAIN_PART 32

flowdb_status fl_frame_append(struct fl_packer *packer, enum fl_frame_type type,
                              flowdb_slice fields, flowdb_slice raw, struct fl_buffer *out,
                              size_t *frame_size) {
    size_t most = type == FL_FRAME_DATA ? FL_FRAME_DATA_MAX : FL_FRAME_OTHER_MAX;
    if (raw.size > most || fields.size > UINT16_MAX)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "a part of a table would have %zu bytes", raw.size);
    flowdb_status status = fl_buffer_reserve(out, FL_FRAME_HEADER + fields.size + raw.size);
    if (status != FLOWDB_OK)
        return status;
    uint8_t *header = out->data + out->size;
    uint8_t *payload = header + FL_FRAME_HEADER + fields.size;
    enum fl_codec codec = FL_CODEC_NONE;
    size_t stored = raw.size;
    if (packer != NULL && packer->codec != FL_CODEC_NONE && raw.size > 0) {
        size_t packed = 0;
        status = fl_packer_pack(packer, raw, payload, raw.size - raw.size / GAIN_PART - 1, &packed);
        if (status != FLOWDB_OK)
            return status;
        if (packed > 0) {
            codec = packer->codec;
            stored = packed;
        }
    }
    if (codec == FL_CODEC_NONE && raw.data == NULL)
        memset(payload, 0, raw.size);
    else if (codec == FL_CODEC_NONE && raw.size > 0)
        memcpy(payload, raw.data, raw.size);
    fl_put_u64(header + AT_CHECKSUM, 0);
    fl_put_u32(header + AT_STORED, (uint32_t)stored);
    fl_put_u32(header + AT_RAW, (uint32_t)raw.size);
    header[AT_TYPE] = (uint8_t)type;
    header[AT_CODEC] = (uint8_t)codec;
    fl_put_u16(header + AT_FIELDS, (uint16_t)fields.size);
    if (fields.size > 0)
        memcpy(header + FL_FRAME_HEADER, fields.data, fields.size);
    *frame_size = FL_FRAME_HEADER + fields.size + stored;
    out->size += *frame_size;
    return FLOWDB_OK;
}

flowdb_status fl_frame_repack(struct fl_packer *packer, struct fl_unpacker *unpacker,
                              flowdb_slice bytes, const struct fl_frame *frame,
                              struct fl_buffer *scratch, struct fl_buffer *out,
                              size_t *frame_size) {
    const uint8_t *whole = bytes.data, *raw;
    flowdb_slice fields = flowdb_bytes(whole + FL_FRAME_HEADER, fl_get_u16(whole + AT_FIELDS));
    flowdb_status status = fl_frame_raw(unpacker, frame, scratch, &raw);
    if (status != FLOWDB_OK)
        return status;
    return fl_frame_append(packer, frame->type, fields, flowdb_bytes(raw, frame->raw_size), out,
                           frame_size);
}

void fl_frame_seal(uint8_t *frame, size_t size, uint64_t owner, uint64_t place) {
    fl_put_u64(frame + AT_CHECKSUM, fl_checksum(frame + AT_STORED, size - AT_STORED, owner, place));
}
