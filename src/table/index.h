/*
 * The index of a table: for each data block its first (key, ts), ranges, rows and place, in
 * partitions of about a hundred, and over them a root. On disk each is a frame of columns; in
 * memory a partition is a few arrays in one allocation.
 *
 * Searching compares 8-byte heads of keys, behind the prefix that the partition's keys have in
 * common, before it looks at keys.
 */
#ifndef FL_TABLE_INDEX_H
#define FL_TABLE_INDEX_H

#include "table/block.h"

#define FL_PARTITION_BLOCKS 128       /* a builder ends a partition here */
#define FL_PARTITION_BLOCKS_MAX 65536 /* what a reader accepts */

/* ---- reading ---- */

/* First keys, in order, as they are searched. */
struct fl_heads {
    const uint64_t *heads;   /* behind the prefix */
    const uint32_t *offsets; /* count + 1, into `rest` */
    const uint8_t *prefix, *rest;
    uint32_t count, prefix_size;
};

struct fl_partition {
    struct fl_heads keys;
    const int64_t *first_ts, *min_ts, *max_ts;
    const int64_t *min_expire_at, *max_expire_at; /* NULL: all FLOWDB_NEVER */
    const uint64_t *offsets;                      /* count + 1: frames lie without gaps */
    const uint32_t *rows;
    uint64_t first_block; /* number of its first block in the table */
};

struct fl_index {
    const struct fl_alloc *alloc;
    struct fl_partition **partitions;
    struct fl_heads keys; /* of the partitions */
    const int64_t *first_ts;
    void *memory;   /* of all that */
    uint32_t count; /* of partitions */
    uint64_t block_count, row_count;
};

/* A block of the index. */
struct fl_index_at {
    uint32_t partition, block;
};

struct fl_root_entry {
    uint64_t offset, size; /* of the partition's frame */
    uint64_t blocks;
};

/*
 * Decodes the root of at most `partitions_max`; then each partition has to be loaded, in order.
 * *entries, one for each, is the caller's to release. An index of an empty table is a zeroed one.
 */
flowdb_status fl_index_init(struct fl_index *index, const struct fl_alloc *alloc,
                            struct fl_unpacker *unpacker, const struct fl_frame *root,
                            uint32_t partitions_max, struct fl_root_entry **entries);
/* `start` is where the partition's first block must lie, and afterwards where the next one's. */
flowdb_status fl_index_load(struct fl_index *index, struct fl_unpacker *unpacker, uint32_t at,
                            const struct fl_root_entry *entry, const struct fl_frame *frame,
                            uint64_t *start);
void fl_index_deinit(struct fl_index *index);

/* The last block that begins at or before (key, ts); false where all begin behind it. */
bool fl_index_find(const struct fl_index *index, flowdb_slice key, int64_t ts,
                   struct fl_index_at *at);
/* How the first key of the block compares to `key`. */
int fl_index_compare(const struct fl_index *index, struct fl_index_at at, flowdb_slice key);
/* Moves to the neighbour; false where there is none. */
bool fl_index_next(const struct fl_index *index, struct fl_index_at *at);
bool fl_index_previous(const struct fl_index *index, struct fl_index_at *at);

/* ---- writing ---- */

/* Collects entries of one level. */
struct fl_index_level {
    struct fl_buffer key_bytes, numbers; /* a struct index_row for each entry */
    struct fl_payload payload;
    uint32_t count;
};

struct fl_index_builder {
    struct fl_index_level blocks, partitions;
    struct fl_buffer frames; /* of finished partitions, unsealed */
};

void fl_index_builder_init(struct fl_index_builder *builder, const struct fl_alloc *alloc);
void fl_index_builder_deinit(struct fl_index_builder *builder);
/* Blocks are added in order; their frames lie one behind the other from the file's start. */
flowdb_status fl_index_builder_add(struct fl_index_builder *builder, struct fl_packer *packer,
                                   flowdb_slice first_key, const struct fl_block_summary *summary,
                                   uint64_t offset, size_t frame_size);
/* Appends the frames of all partitions and the root, sealed for the place `offset` in the file of
   `owner`, to `out`. *root_size is that of the last frame. */
flowdb_status fl_index_builder_finish(struct fl_index_builder *builder, struct fl_packer *packer,
                                      uint64_t owner, uint64_t offset, struct fl_buffer *out,
                                      size_t *root_size);
/* Bytes that the index takes so far, roughly. */
size_t fl_index_builder_size(const struct fl_index_builder *builder);

#endif
