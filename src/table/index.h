/*
 * The index of a table: for each data block its first (key, ts), ranges, rows and place, in
 * partitions of about a hundred, and over them a root. On disk each is a frame of columns; in
 * memory a partition is a few arrays in one allocation. The root stays in memory; partitions stay
 * or come and go.
 *
 * Searching compares 8-byte heads of keys, behind the prefix that the partition's keys have in
 * common, before it looks at keys.
 */
#ifndef FL_TABLE_INDEX_H
#define FL_TABLE_INDEX_H

#include "table/block.h"
#include "table/columns.h"
#include "table/meta.h"

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

/* Blocks that follow one another. Immutable and counted; resident in its index, or in the cache. */
struct fl_partition {
    struct fl_cached cached; /* first: partitions are cached like blocks */
    const struct fl_alloc *alloc;
    size_t memory; /* bytes of the allocation */
    struct fl_heads keys;
    const int64_t *first_ts, *min_ts, *max_ts;
    const int64_t *min_expire_at, *max_expire_at; /* NULL: all FLOWDB_NEVER */
    const uint64_t *offsets;                      /* count + 1: frames lie without gaps */
    const uint32_t *rows;
    uint64_t first_block; /* number of its first block in the table */
    uint64_t row_count;
};

/* What the root says of a partition. */
struct fl_root_entry {
    uint64_t offset, size; /* of its frame */
    uint64_t first_block;  /* number in the table */
    uint32_t blocks;
};

/* The root, in memory as long as the table is open, and what is resident of the partitions. */
struct fl_index {
    const struct fl_alloc *alloc;
    struct fl_heads keys; /* of the partitions */
    const int64_t *first_ts, *min_ts, *max_ts;
    const struct fl_root_entry *entries;
    _Atomic(struct fl_partition *) *residents; /* by partition; NULL: is to be loaded */
    struct fl_cache_slot *slots;               /* by partition: for those that are not resident */
    void *memory;                              /* of all that */
    size_t memory_size;
    uint32_t count; /* of partitions */
    uint64_t block_count;
    uint64_t data_end; /* where the last block ends */
};

/*
 * Decodes the root of at most `partitions_max` whose frames lie one behind the other from
 * `partitions_start` to `partitions_end`, over blocks that end at `data_end`. An index of an empty
 * table is a zeroed one.
 */
flowdb_status fl_index_init(struct fl_index *index, const struct fl_alloc *alloc,
                            struct fl_unpacker *unpacker, const struct fl_frame *root,
                            struct fl_extent partitions, uint64_t data_end);
/* Lets go of the residents as well; the slots must have been emptied. */
void fl_index_deinit(struct fl_index *index);
/* Decodes partition `at`, checked against the root; *partition has one reference. */
flowdb_status fl_partition_decode(const struct fl_index *index, struct fl_unpacker *unpacker,
                                  uint32_t at, const struct fl_frame *frame,
                                  struct fl_partition **partition);
/* Bytes that its partition takes in memory, at least: known without reading it. */
size_t fl_index_partition_memory(const struct fl_index *index, uint32_t at);

/* The last partition that begins at or before (key, ts); false where all begin behind it. */
bool fl_index_find(const struct fl_index *index, flowdb_slice key, int64_t ts, uint32_t *partition);
/* The last block of the partition that begins at or before (key, ts), or its first. */
uint32_t fl_partition_find(const struct fl_partition *partition, flowdb_slice key, int64_t ts);
/* How first key `at` compares to `key`. */
int fl_heads_compare(const struct fl_heads *keys, uint32_t at, flowdb_slice key);

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
/* What a column of partitions, or of the root, has of a block, or a partition, of `size` bytes. */
uint64_t fl_index_number(const struct fl_block_summary *summary, uint64_t size, enum fl_column id);
/* Bytes that the index takes so far, roughly. */
size_t fl_index_builder_size(const struct fl_index_builder *builder);

#endif
