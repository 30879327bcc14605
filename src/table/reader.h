/* The insides of an open table, for the reader and the source. */
#ifndef FL_TABLE_READER_H
#define FL_TABLE_READER_H

#include "table/index.h"
#include "table/memo.h"
#include "table/meta.h"

/* Memory that is mapped where it is large, so that it can lie on huge pages. */
struct fl_region {
    uint8_t *data;
    size_t size;
    bool mapped;
};

/* A table's filter. Counted; resident in its table, or in the cache. */
struct fl_filter {
    struct fl_cached cached; /* first */
    const struct fl_alloc *alloc;
    struct fl_region region;
    const uint8_t *bits; /* aligned to a cache line */
    size_t size;
};

struct fl_table {
    const struct fl_env *env;
    struct fl_file *file;
    char *path;
    uint64_t id;
    _Atomic uint32_t refs;
    _Atomic bool obsolete;
    struct fl_table_properties properties;
    flowdb_slice min_key, max_key; /* in `keys` */
    uint8_t *keys;
    struct fl_index index;
    struct fl_extent filter_extent;     /* size 0: no filter */
    _Atomic(struct fl_filter *) filter; /* NULL: not resident */
    struct fl_cache_slot filter_slot;
    uint64_t data_end; /* where the data blocks end */
    struct fl_range_tombstone *tombstones;
    size_t tombstone_count, tombstone_memory; /* bytes of their allocation */
    struct fl_unpacker unpacker;
    struct fl_cache *cache;         /* NULL: none */
    struct fl_cache_slot *slots;    /* one for each block, with a cache */
    _Atomic(struct fl_memo *) memo; /* NULL: none yet */
    _Atomic uint64_t memo_wanted;   /* gets that it would have saved a search, roughly */
    struct fl_region memo_memory;   /* the maker's, then the closer's */
    struct fl_index_budget *budget; /* NULL: no limit */
    _Atomic size_t charged;         /* to the budget, to be given back */
};

/* What a scan has read of the file: some frames ahead. Zeroed but for `bytes`. */
struct fl_window {
    struct fl_buffer bytes;
    uint64_t offset; /* where bytes.data was read */
    size_t ahead;    /* bytes to read beyond the frame that is asked for */
};

/*
 * The decoded block `at` of the partition, from the cache or from the file; the caller gets a
 * reference. `window` is a scan's, NULL for a point read.
 */
flowdb_status fl_table_load_block(struct fl_table *table, const struct fl_partition *partition,
                                  uint32_t at, const struct fl_table_read *read,
                                  struct fl_window *window, struct fl_block **block);

/* ---- reader_index.c: the parts that stay, or come and go ---- */

/* A partition in use. Zeroed: none. */
struct fl_partition_use {
    struct fl_partition *partition;
    bool counted; /* a reference is held: it is not a resident */
};

/* Takes partition `at` into use: the resident, the cache's or the file's. */
flowdb_status fl_table_use_partition(struct fl_table *table, uint32_t at, bool fill_cache,
                                     struct fl_partition_use *use);
static inline void fl_partition_use_end(struct fl_partition_use *use) {
    if (use->counted)
        fl_cached_unref(&use->partition->cached);
    *use = (struct fl_partition_use){0};
}

/* May the filter let the key pass? False is certain. */
bool fl_table_filter_passes(struct fl_table *table, uint64_t hash);

/* The table's memo, made once enough gets would have been glad of it and the budget has room; NULL
   where there is none. Only for tables with a cache. */
struct fl_memo *fl_table_want_memo(struct fl_table *table);

/* Makes filter and partitions resident, as far as the budget goes. */
flowdb_status fl_table_load_residents(struct fl_table *table);
/* Empties what reader_index.c keeps, the cache's slots included. */
void fl_table_drop_index(struct fl_table *table);
/* What is always in memory, whatever the budget says of it. */
void fl_table_charge(struct fl_table *table, size_t bytes);

/* Reads a stretch of the file whole. */
flowdb_status fl_table_read_bytes(struct fl_table *table, struct fl_extent extent, uint8_t *into);
/* Reads a frame into the buffer, whose contents it replaces, and verifies it. */
flowdb_status fl_table_read_frame(struct fl_table *table, struct fl_extent extent,
                                  enum fl_frame_type type, struct fl_buffer *buffer,
                                  struct fl_frame *frame);
/* What is wrong with bytes gets the file and the place where they lie. */
flowdb_status fl_table_locate(const struct fl_table *table, flowdb_status status, uint64_t offset);

/* The bytes of the block's frame, as they lie in the file, verified; borrowed from the window. */
flowdb_status fl_table_block_frame(struct fl_table *table, const struct fl_partition *partition,
                                   uint32_t at, struct fl_window *window, flowdb_slice *bytes,
                                   struct fl_frame *frame);

/* A whole block: decoded, as its table's index has it, and as it lies in the file. */
struct fl_block_copy {
    const struct fl_block *block;
    struct fl_block_summary summary;
    flowdb_slice bytes;
    struct fl_frame frame;
    struct fl_unpacker *unpacker; /* for the frame */
};
/* Of a source that shows a block's first row. All is borrowed until the source moves. */
flowdb_status fl_table_source_copy(struct fl_source *base, struct fl_block_copy *copy);
/* Moves such a source behind its block. */
flowdb_status fl_table_source_skip(struct fl_source *base);

#endif
