/*
 * What the data blocks of a table hold, noted block by block, and held against what the rest of the
 * file says of them. An independent reading of index, filter and properties: verify must not take
 * the word of the code that it checks.
 */
#ifndef FL_TABLE_CONTENTS_H
#define FL_TABLE_CONTENTS_H

#include "table/block.h"
#include "table/meta.h"

struct fl_contents {
    const struct fl_alloc *alloc;
    struct fl_table_properties properties; /* of what was noted; file_size is not */
    struct fl_buffer min_key, last_key;
    int64_t last_ts;
    struct fl_buffer keys;       /* first keys of blocks */
    struct fl_buffer blocks;     /* struct fl_content_entry for each block */
    struct fl_buffer partitions; /* for each partition that was checked */
    struct fl_buffer hashes;     /* fl_hash_key of each key */
    uint32_t blocks_indexed;     /* by the partitions so far */
};

void fl_contents_init(struct fl_contents *contents, const struct fl_alloc *alloc);
void fl_contents_deinit(struct fl_contents *contents);

/* FLOWDB_CORRUPTION, nothing noted, where the rows are not in order or not above those before. */
flowdb_status fl_contents_add_block(struct fl_contents *contents, const struct fl_block *block,
                                    uint64_t offset, uint64_t size);
flowdb_status fl_contents_add_tombstones(struct fl_contents *contents,
                                         const struct fl_range_tombstone *tombstones, size_t count);

/* Each returns FLOWDB_CORRUPTION where the part says something else than the blocks. In the order of
   the file, after all blocks. */
flowdb_status fl_contents_check_filter(const struct fl_contents *contents,
                                       const struct fl_frame *frame);
flowdb_status fl_contents_check_partition(struct fl_contents *contents,
                                          struct fl_unpacker *unpacker,
                                          const struct fl_frame *frame, uint64_t offset,
                                          uint64_t size);
flowdb_status fl_contents_check_root(struct fl_contents *contents, struct fl_unpacker *unpacker,
                                     const struct fl_frame *frame);
flowdb_status fl_contents_check_properties(const struct fl_contents *contents,
                                           const struct fl_frame *frame);

#endif
