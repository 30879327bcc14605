/* Properties: tag u8 | size varint | bytes, to the end. Numbers are 8 bytes, little-endian. */
#include "base/coding.h"
#include "table/meta.h"

#define AT(field) offsetof(struct fl_table_properties, field)

enum { TAG_MIN_KEY = 1, TAG_MAX_KEY = 2 };

/* Part of the format. Tags with FL_REQUIRED must be understood; none has it yet. */
static const struct {
    uint8_t tag;
    size_t at;
} numbers[] = {
    {3, AT(row_count)}, {4, AT(delete_count)},   {5, AT(key_count)},
    {6, AT(raw_bytes)}, {7, AT(block_count)},    {8, AT(range_tombstone_count)},
    {9, AT(min_seq)},   {10, AT(max_seq)},       {11, AT(min_ts)},
    {12, AT(max_ts)},   {13, AT(min_expire_at)}, {14, AT(max_expire_at)},
};
#define NUMBERS (sizeof numbers / sizeof *numbers)
#define ALL ((1u << (NUMBERS + 3)) - 2) /* the bits of tags 1 to NUMBERS + 2 */

static flowdb_status append_entry(struct fl_buffer *out, uint8_t tag, const void *bytes,
                                  size_t size) {
    flowdb_status status = fl_buffer_append(out, &tag, 1);
    if (status == FLOWDB_OK)
        status = fl_buffer_append_varint(out, size);
    if (status == FLOWDB_OK)
        status = fl_buffer_append(out, bytes, size);
    return status;
}

flowdb_status fl_properties_encode(const struct fl_table_properties *properties,
                                   flowdb_slice min_key, flowdb_slice max_key,
                                   struct fl_buffer *out) {
    flowdb_status status = append_entry(out, TAG_MIN_KEY, min_key.data, min_key.size);
    if (status == FLOWDB_OK)
        status = append_entry(out, TAG_MAX_KEY, max_key.data, max_key.size);
    for (size_t i = 0; status == FLOWDB_OK && i < NUMBERS; i++)
        status = append_entry(out, numbers[i].tag, (const uint8_t *)properties + numbers[i].at, 8);
    return status;
}

static bool decode_number(uint8_t tag, const uint8_t *bytes, uint64_t size,
                          struct fl_table_properties *properties) {
    for (size_t i = 0; i < NUMBERS; i++) {
        if (numbers[i].tag != tag)
            continue;
        if (size != 8)
            return false;
        memcpy((uint8_t *)properties + numbers[i].at, bytes, 8);
        return true;
    }
    return true;
}

flowdb_status fl_properties_decode(flowdb_slice bytes, struct fl_table_properties *properties,
                                   flowdb_slice *min_key, flowdb_slice *max_key) {
    const uint8_t *at = bytes.data, *end = at + bytes.size;
    uint32_t seen = 0;
    while (at < end) {
        uint8_t tag = *at++;
        uint64_t size;
        at = fl_get_varint(at, end, &size);
        if (at == NULL || size > (uint64_t)(end - at) || !decode_number(tag, at, size, properties))
            return fl_fail(FLOWDB_CORRUPTION, "the properties are damaged");
        if (tag & FL_REQUIRED)
            return fl_fail(FLOWDB_UNSUPPORTED, "property %u is of a newer format", tag);
        if (tag == TAG_MIN_KEY)
            *min_key = flowdb_bytes(at, (size_t)size);
        if (tag == TAG_MAX_KEY)
            *max_key = flowdb_bytes(at, (size_t)size);
        if (tag < 32)
            seen |= 1u << tag;
        at += size;
    }
    if ((seen & ALL) != ALL)
        return fl_fail(FLOWDB_CORRUPTION, "a property is missing");
    return FLOWDB_OK;
}
