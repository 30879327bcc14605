/* The insides of an open table, for the reader and the source. */
#ifndef FL_TABLE_READER_H
#define FL_TABLE_READER_H

#include "table/index.h"
#include "table/meta.h"

/* Memory that is mapped where it is large, so that it can lie on huge pages. */
struct fl_region {
    uint8_t *data;
    size_t size;
    bool mapped;
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
    uint64_t data_end; /* where the data blocks end */
    struct fl_region filter_memory;
    const uint8_t *filter; /* aligned to a cache line */
    size_t filter_size;    /* 0: no filter */
    struct fl_range_tombstone *tombstones;
    size_t tombstone_count;
    struct fl_unpacker unpacker;
    struct fl_cache *cache;      /* NULL: none */
    struct fl_cache_slot *slots; /* one for each block, with a cache */
};

/* What a scan has read of the file: some frames ahead. Zeroed but for `bytes`. */
struct fl_window {
    struct fl_buffer bytes;
    uint64_t offset; /* where bytes.data was read */
    size_t ahead;    /* bytes to read beyond the frame that is asked for */
};

/*
 * The decoded block, from the cache or from the file; the caller gets a reference. `window` is a
 * scan's, NULL for a point read.
 */
flowdb_status fl_table_load_block(struct fl_table *table, struct fl_index_at at,
                                  const struct fl_table_read *read, struct fl_window *window,
                                  struct fl_block **block);

#endif
