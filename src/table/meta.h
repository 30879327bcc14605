/* The parts of a table file that are neither rows nor index: properties, range tombstones, footer. */
#ifndef FL_TABLE_META_H
#define FL_TABLE_META_H

#include "table/columns.h"

#define FL_TABLE_VERSION 1u
#define FL_FOOTER_SIZE ((size_t)120)
#define FL_FOOTER_MAX ((size_t)4096) /* of any version */
#define FL_TOMBSTONES_MAX (1u << 24)

/* A stretch of the file; size 0: not there. */
struct fl_extent {
    uint64_t offset, size;
};

/*
 * Where the parts lie. They follow one another without gaps: data blocks from 0 to data_end,
 * filter, tombstones, index partitions, root, properties, footer. Absent ones have the offset where
 * they would be.
 */
struct fl_footer {
    uint64_t table_id, file_size, data_end;
    struct fl_extent filter, tombstones, root, properties;
};

/* Writes FL_FOOTER_SIZE bytes, sealed. */
void fl_footer_encode(const struct fl_footer *footer, uint8_t *out);
/*
 * Reads the footer at the end of `tail`, the last `size` bytes of a file of `file_size`, and checks
 * that the parts cover the file.
 */
flowdb_status fl_footer_decode(const uint8_t *tail, size_t size, uint64_t table_id,
                               uint64_t file_size, struct fl_footer *footer);

/* Appends the payload of a properties frame. */
flowdb_status fl_properties_encode(const struct fl_table_properties *properties,
                                   flowdb_slice min_key, flowdb_slice max_key,
                                   struct fl_buffer *out);
/* The keys are borrowed from `bytes`. file_size is left alone. */
flowdb_status fl_properties_decode(flowdb_slice bytes, struct fl_table_properties *properties,
                                   flowdb_slice *min_key, flowdb_slice *max_key);

/* Range tombstones being collected. */
struct fl_tombstones {
    struct fl_buffer entries; /* struct fl_tombstone_entry */
    struct fl_buffer bytes;   /* starts and ends */
    uint32_t count;
};

void fl_tombstones_init(struct fl_tombstones *tombstones, const struct fl_alloc *alloc);
void fl_tombstones_deinit(struct fl_tombstones *tombstones);
flowdb_status fl_tombstones_add(struct fl_tombstones *tombstones,
                                const struct fl_range_tombstone *tombstone);
/* Appends their frame, unsealed, ordered by start. There is at least one. */
flowdb_status fl_tombstones_encode(struct fl_tombstones *tombstones, struct fl_packer *packer,
                                   struct fl_buffer *out, size_t *frame_size);
/* *tombstones is one allocation of `*memory` bytes, those of the slices included. */
flowdb_status fl_tombstones_decode(const struct fl_alloc *alloc, struct fl_unpacker *unpacker,
                                   const struct fl_frame *frame,
                                   struct fl_range_tombstone **tombstones, size_t *count,
                                   size_t *memory);

#endif
