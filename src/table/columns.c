#include "table/columns.h"

#include "base/coding.h"

static flowdb_status damaged(const char *what) {
    return fl_fail(FLOWDB_CORRUPTION, "%s", what);
}

/* ----------------------------------------------------------------------------------- reading -- */

/* The last encoding of each column that this reader knows. */
static const uint8_t last_encodings[FL_COLUMN_COUNT] = {
    [FL_COLUMN_KEY_PREFIX] = 0,
    [FL_COLUMN_KEY_SIZES] = FL_INTS_LAST,
    [FL_COLUMN_KEYS] = FL_KEYS_PLANES,
    [FL_COLUMN_RUNS] = FL_INTS_LAST,
    [FL_COLUMN_TS] = FL_INTS_LAST,
    [FL_COLUMN_TS_FIRST] = FL_INTS_LAST,
    [FL_COLUMN_SEQ] = FL_INTS_LAST,
    [FL_COLUMN_SEQ_FIRST] = FL_INTS_LAST,
    [FL_COLUMN_EXPIRE] = FL_INTS_LAST,
    [FL_COLUMN_LIFETIME] = FL_INTS_LAST,
    [FL_COLUMN_DELETES] = 0,
    [FL_COLUMN_VALUE_SIZES] = FL_INTS_LAST,
    [FL_COLUMN_VALUES] = FL_VALUES_DECIMALS,
    [FL_COLUMN_TS_BELOW] = FL_INTS_LAST,
    [FL_COLUMN_TS_SPAN] = FL_INTS_LAST,
    [FL_COLUMN_EXPIRE_SPAN] = FL_INTS_LAST,
    [FL_COLUMN_ROWS] = FL_INTS_LAST,
    [FL_COLUMN_SIZES] = FL_INTS_LAST,
    [FL_COLUMN_START] = FL_INTS_LAST,
    [FL_COLUMN_END_SIZES] = FL_INTS_LAST,
    [FL_COLUMN_ENDS] = 0,
    [FL_COLUMN_NUMBERS] = FL_INTS_LAST,
    [FL_COLUMN_NUMBERS_FIRST] = FL_INTS_LAST,
    [FL_COLUMN_ODD_ROWS] = 0,
};

static flowdb_status parse_slots(const uint8_t *at, const uint8_t *end, uint32_t raw_size,
                                 struct fl_columns *columns) {
    uint32_t offset = 0;
    while (at < end) {
        if (end - at < 3)
            return damaged("a directory of columns is cut off");
        uint8_t id = at[0], encoding = at[1];
        uint64_t size;
        at = fl_get_varint(at + 2, end, &size);
        if (at == NULL || size > raw_size - offset)
            return damaged("a column passes the end of its payload");
        if (id >= FL_COLUMN_COUNT && id < FL_COLUMN_OPTIONAL)
            return fl_fail(FLOWDB_UNSUPPORTED, "column %u is of a newer format", (unsigned)id);
        if (id < FL_COLUMN_COUNT) {
            if (encoding > last_encodings[id])
                return fl_fail(FLOWDB_UNSUPPORTED, "encoding %u of column %u is of a newer format",
                               (unsigned)encoding, (unsigned)id);
            struct fl_column_slot *slot = &columns->slots[id];
            if (id == 0 || slot->present)
                return damaged("a directory of columns lists one twice");
            *slot = (struct fl_column_slot){
                .offset = offset, .size = (uint32_t)size, .encoding = encoding, .present = true};
        }
        offset += (uint32_t)size;
    }
    if (offset != raw_size)
        return damaged("columns do not fill their payload");
    return FLOWDB_OK;
}

flowdb_status fl_columns_parse(const struct fl_frame *frame, uint32_t rows_max,
                               struct fl_columns *columns) {
    const uint8_t *at = frame->columns.data;
    if (frame->columns.size == 0)
        return damaged("a frame has no directory of columns");
    const uint8_t *end = at + frame->columns.size;
    uint64_t rows, keys;
    if ((at = fl_get_varint(at, end, &rows)) == NULL ||
        (at = fl_get_varint(at, end, &keys)) == NULL)
        return damaged("a directory of columns is cut off");
    if (rows == 0 || keys == 0 || rows > rows_max || keys > rows)
        return damaged("the counts in a directory of columns are out of bounds");
    *columns = (struct fl_columns){.rows = (uint32_t)rows, .keys = (uint32_t)keys};
    return parse_slots(at, end, frame->raw_size, columns);
}

bool fl_columns_ints(const struct fl_columns *columns, const uint8_t *raw, enum fl_column id,
                     size_t count, struct fl_ints_reader *reader) {
    const struct fl_column_slot *slot = &columns->slots[id];
    return slot->present &&
           fl_ints_reader_init(reader, slot->encoding, raw + slot->offset, slot->size, count);
}

bool fl_columns_read(const struct fl_columns *columns, const uint8_t *raw, enum fl_column id,
                     uint64_t *values, size_t count) {
    const struct fl_column_slot *slot = &columns->slots[id];
    return slot->present &&
           fl_ints_decode(slot->encoding, raw + slot->offset, slot->size, values, count);
}

bool fl_columns_offsets(const struct fl_columns *columns, const uint8_t *raw, enum fl_column id,
                        size_t count, uint32_t total, uint32_t *offsets) {
    uint32_t offset = 0;
    offsets[0] = 0;
    if (!columns->slots[id].present) {
        uint32_t each = total / (uint32_t)count;
        for (size_t i = 1; i <= count; i++)
            offsets[i] = (uint32_t)i * each;
        return each * count == total;
    }
    struct fl_ints_reader reader;
    uint64_t sizes[FL_INTS_GROUP];
    size_t got;
    if (!fl_columns_ints(columns, raw, id, count, &reader))
        return false;
    while (reader.left > 0) {
        if (!fl_ints_reader_next(&reader, sizes, &got))
            return false;
        for (size_t i = 0; i < got; i++) {
            if (sizes[i] > total - offset)
                return false;
            offset += (uint32_t)sizes[i];
            *++offsets = offset;
        }
    }
    return offset == total;
}

/* ----------------------------------------------------------------------------------- writing -- */

#define FIELD_HEADER 3 /* tag, and the directory's size as a varint of two bytes */

void fl_payload_init(struct fl_payload *payload, const struct fl_alloc *alloc) {
    *payload = (struct fl_payload){.directory_size = 0};
    fl_buffer_init(&payload->raw, alloc);
}

void fl_payload_deinit(struct fl_payload *payload) {
    fl_buffer_deinit(&payload->raw);
}

void fl_payload_begin(struct fl_payload *payload, uint32_t rows, uint32_t keys) {
    uint8_t *start = payload->fields + FIELD_HEADER;
    uint8_t *at = fl_put_varint(fl_put_varint(start, rows), keys);
    payload->directory_size = (size_t)(at - start);
    payload->column_start = 0;
}

void fl_payload_column(struct fl_payload *payload, enum fl_column id, uint8_t encoding) {
    uint8_t *start = payload->fields + FIELD_HEADER, *at = start + payload->directory_size;
    *at++ = (uint8_t)id;
    *at++ = encoding;
    at = fl_put_varint(at, payload->raw.size - payload->column_start);
    payload->directory_size = (size_t)(at - start);
    payload->column_start = payload->raw.size;
}

flowdb_status fl_payload_ints(struct fl_payload *payload, enum fl_column id, const uint64_t *values,
                              size_t count) {
    enum fl_ints_encoding encoding;
    fl_ints_measure(values, count, &encoding);
    return fl_payload_ints_as(payload, id, values, count, encoding);
}

flowdb_status fl_payload_ints_as(struct fl_payload *payload, enum fl_column id,
                                 const uint64_t *values, size_t count,
                                 enum fl_ints_encoding encoding) {
    struct fl_buffer *raw = &payload->raw;
    flowdb_status status = fl_buffer_reserve(raw, fl_ints_bound(count));
    if (status != FLOWDB_OK)
        return status;
    raw->size += fl_ints_encode(values, count, encoding, raw->data + raw->size);
    fl_payload_column(payload, id, (uint8_t)encoding);
    return FLOWDB_OK;
}

static bool all_equal(const uint64_t *values, size_t count) {
    for (size_t i = 1; i < count; i++) {
        if (values[i] != values[0])
            return false;
    }
    return true;
}

/* Keys of more bytes are not worth so many strided reads. */
#define PLANES_MAX 32
#define PLANES_KEYS_MIN 8

/* What is behind the prefix, key after key. */
static uint8_t *put_keys_whole(const uint8_t *keys, size_t count, size_t prefix,
                               const uint64_t *sizes, uint8_t *out) {
    for (size_t i = 0; i < count; i++) {
        if (sizes[i] > 0)
            memcpy(out, keys + prefix, sizes[i]);
        out += sizes[i];
        if (prefix + sizes[i] > 0)
            keys += prefix + sizes[i];
    }
    return out;
}

static uint8_t *put_keys_planes(const uint8_t *keys, size_t count, size_t prefix, size_t size,
                                uint8_t *out) {
    for (size_t byte = 0; byte < size; byte++) {
        const uint8_t *from = keys + prefix + byte;
        for (size_t i = 0; i < count; i++, from += prefix + size)
            *out++ = *from;
    }
    return out;
}

flowdb_status fl_payload_keys(struct fl_payload *payload, const uint8_t *keys, const uint32_t *ends,
                              size_t count, size_t prefix, bool planes, uint64_t *scratch) {
    struct fl_buffer *raw = &payload->raw;
    flowdb_status status = fl_buffer_append(raw, keys, prefix);
    if (status != FLOWDB_OK)
        return status;
    if (prefix > 0)
        fl_payload_column(payload, FL_COLUMN_KEY_PREFIX, 0);
    for (size_t i = 0; i < count; i++)
        scratch[i] = ends[i] - (i > 0 ? ends[i - 1] : 0) - prefix;
    bool fixed = all_equal(scratch, count);
    planes = planes && fixed && scratch[0] <= PLANES_MAX && count >= PLANES_KEYS_MIN;
    status = fl_buffer_reserve(raw, ends[count - 1] - count * prefix + 1);
    if (status != FLOWDB_OK)
        return status;
    uint8_t *out = raw->data + raw->size;
    out = planes ? put_keys_planes(keys, count, prefix, scratch[0], out)
                 : put_keys_whole(keys, count, prefix, scratch, out);
    raw->size = (size_t)(out - raw->data);
    fl_payload_column(payload, FL_COLUMN_KEYS, planes ? FL_KEYS_PLANES : FL_KEYS_WHOLE);
    return fixed ? FLOWDB_OK : fl_payload_ints(payload, FL_COLUMN_KEY_SIZES, scratch, count);
}

flowdb_status fl_payload_finish(struct fl_payload *payload, struct fl_packer *packer,
                                enum fl_frame_type type, struct fl_buffer *out,
                                size_t *frame_size) {
    size_t size = payload->directory_size;
    payload->fields[0] = FL_FIELD_COLUMNS;
    payload->fields[1] = (uint8_t)(size | 0x80);
    payload->fields[2] = (uint8_t)(size >> 7);
    flowdb_status status =
        fl_frame_append(packer, type, flowdb_bytes(payload->fields, FIELD_HEADER + size),
                        flowdb_bytes(payload->raw.data, payload->raw.size), out, frame_size);
    payload->raw.size = 0;
    payload->column_start = 0;
    return status;
}
