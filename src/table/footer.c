/*
 * The footer is found from the end: the last 16 bytes of every version are its version, its size
 * and the magic number, and its first 8 its checksum. So a later version is told from damage.
 */
#include "base/coding.h"
#include "base/hash.h"
#include "table/meta.h"

#define MAGIC UINT64_C(0x454C424154574C46) /* "FLWTABLE" */
#define TAIL ((size_t)16)

enum {
    AT_CHECKSUM = 0,
    AT_TABLE_ID = 8,
    AT_FILE_SIZE = 16,
    AT_DATA_END = 24,
    AT_FILTER = 32,
    AT_TOMBSTONES = 48,
    AT_ROOT = 64,
    AT_PROPERTIES = 80,
    AT_FLAGS = 96, /* features that a reader must know; none yet */
    AT_VERSION = 104,
    AT_SIZE = 108,
    AT_MAGIC = 112
};

static void put_extent(uint8_t *at, struct fl_extent extent) {
    fl_put_u64(at, extent.offset);
    fl_put_u64(at + 8, extent.size);
}

static struct fl_extent get_extent(const uint8_t *at) {
    return (struct fl_extent){.offset = fl_get_u64(at), .size = fl_get_u64(at + 8)};
}

void fl_footer_encode(const struct fl_footer *footer, uint8_t *out) {
    fl_put_u64(out + AT_TABLE_ID, footer->table_id);
    fl_put_u64(out + AT_FILE_SIZE, footer->file_size);
    fl_put_u64(out + AT_DATA_END, footer->data_end);
    put_extent(out + AT_FILTER, footer->filter);
    put_extent(out + AT_TOMBSTONES, footer->tombstones);
    put_extent(out + AT_ROOT, footer->root);
    put_extent(out + AT_PROPERTIES, footer->properties);
    fl_put_u64(out + AT_FLAGS, 0);
    fl_put_u32(out + AT_VERSION, FL_TABLE_VERSION);
    fl_put_u32(out + AT_SIZE, (uint32_t)FL_FOOTER_SIZE);
    fl_put_u64(out + AT_MAGIC, MAGIC);
    fl_put_u64(out + AT_CHECKSUM,
               fl_checksum(out + AT_TABLE_ID, FL_FOOTER_SIZE - AT_TABLE_ID, footer->table_id,
                           footer->file_size - FL_FOOTER_SIZE));
}

/* The part follows what ends at *place. */
static bool follows(struct fl_extent extent, uint64_t *place, uint64_t file_size) {
    if (extent.offset != *place || extent.size > file_size - *place)
        return false;
    *place += extent.size;
    return true;
}

static bool covers_file(const struct fl_footer *footer, uint64_t file_size) {
    uint64_t place = footer->data_end;
    if (place > file_size || !follows(footer->filter, &place, file_size) ||
        !follows(footer->tombstones, &place, file_size))
        return false;
    if (footer->root.offset < place || footer->root.offset > file_size)
        return false;
    place = footer->root.offset; /* partitions are in front of it */
    return follows(footer->root, &place, file_size) &&
           follows(footer->properties, &place, file_size) && file_size - place == FL_FOOTER_SIZE;
}

flowdb_status fl_footer_decode(const uint8_t *tail, size_t size, uint64_t table_id,
                               uint64_t file_size, struct fl_footer *footer) {
    const uint8_t *end = tail + size;
    if (size < TAIL || fl_get_u64(end - 8) != MAGIC)
        return fl_fail(FLOWDB_CORRUPTION, "the file does not end as a table does");
    size_t footer_size = fl_get_u32(end - 12);
    if (footer_size < 8 + TAIL || footer_size > size || footer_size > FL_FOOTER_MAX)
        return fl_fail(FLOWDB_CORRUPTION, "the footer's size is out of bounds");
    const uint8_t *at = end - footer_size;
    if (fl_get_u64(at) != fl_checksum(at + 8, footer_size - 8, table_id, file_size - footer_size))
        return fl_fail(FLOWDB_CORRUPTION, "the checksum of the footer does not match");
    uint32_t version = fl_get_u32(end - 16);
    if (version != FL_TABLE_VERSION || footer_size != FL_FOOTER_SIZE ||
        fl_get_u64(at + AT_FLAGS) != 0)
        return fl_fail(FLOWDB_UNSUPPORTED,
                       "a table of format version %u, or with features, that "
                       "this library does not read",
                       version);
    struct fl_footer found = {.table_id = fl_get_u64(at + AT_TABLE_ID),
                              .file_size = fl_get_u64(at + AT_FILE_SIZE),
                              .data_end = fl_get_u64(at + AT_DATA_END),
                              .filter = get_extent(at + AT_FILTER),
                              .tombstones = get_extent(at + AT_TOMBSTONES),
                              .root = get_extent(at + AT_ROOT),
                              .properties = get_extent(at + AT_PROPERTIES)};
    if (found.table_id != table_id || found.file_size != file_size ||
        !covers_file(&found, file_size))
        return fl_fail(FLOWDB_CORRUPTION, "the footer does not describe this file");
    *footer = found;
    return FLOWDB_OK;
}
