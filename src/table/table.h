/*
 * SSTables: immutable files of rows sorted by (key, ts), one row for each pair.
 * docs/formats/sstable.md has the bytes; table/README.md the reasons.
 */
#ifndef FL_TABLE_TABLE_H
#define FL_TABLE_TABLE_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/row.h"
#include "cache/cache.h"
#include "fs/env.h"
#include "merge/source.h"
#include "table/decimal.h"

enum fl_codec { FL_CODEC_NONE = 0, FL_CODEC_LZ4 = 1, FL_CODEC_ZSTD = 2 }; /* part of the format */

struct fl_table_options {
    uint32_t block_size;         /* bytes of encoded columns that end a block */
    enum fl_codec codec;         /* a block that does not shrink is stored raw */
    int zstd_level;              /* for FL_CODEC_ZSTD */
    uint32_t bloom_bits_per_key; /* 0: no filter */
};

/* What is known of a table as a whole. Sizes and counts are of the table; ranges are inclusive.
   Where row_count is 0 the row ranges (keys, ts, seq, expire) are those of an empty set: no keys,
   min above max. */
struct fl_table_properties {
    uint64_t file_size;
    uint64_t row_count;    /* deletes included */
    uint64_t delete_count; /* rows that are FL_OP_DELETE */
    uint64_t key_count;    /* distinct keys */
    uint64_t raw_bytes;    /* keys and values as written, every row's key counted */
    uint64_t block_count;  /* data blocks */
    uint64_t range_tombstone_count;
    uint64_t min_seq, max_seq; /* of rows and range tombstones together */
    int64_t min_ts, max_ts;
    int64_t min_expire_at, max_expire_at; /* of puts */
};

/* ---- builder: one thread; add rows in ascending (key, ts), then finish, then destroy ---- */

struct fl_table_builder;

/* Creates the file at `path`, which must not exist. `env` is borrowed. */
flowdb_status fl_table_builder_create(const struct fl_env *env, const char *path, uint64_t table_id,
                                      const struct fl_table_options *options,
                                      struct fl_table_builder **builder);
/* The row must be above the one before it; its slices are copied. */
flowdb_status fl_table_builder_add(struct fl_table_builder *builder, const struct fl_row *row);
/* In any order, at any time before finish; its slices are copied. */
flowdb_status fl_table_builder_add_range_tombstone(struct fl_table_builder *builder,
                                                   const struct fl_range_tombstone *tombstone);
/* Bytes that the file would have so far, roughly. For splitting output by size. */
uint64_t fl_table_builder_size(const struct fl_table_builder *builder);
/* Of the last row that was added, empty before; valid until the next is. */
flowdb_slice fl_table_builder_last_key(const struct fl_table_builder *builder);
/* Writes the rest and syncs the file (not its directory). Nothing can be added afterwards. */
flowdb_status fl_table_builder_finish(struct fl_table_builder *builder,
                                      struct fl_table_properties *properties);
/* Closes the file; removing an unfinished one is the caller's. NULL is fine. */
void fl_table_builder_destroy(struct fl_table_builder *builder);

/* ---- reader: shared by threads, reference-counted ---- */

struct fl_table;

/* How much memory the indexes and filters of a database's open tables may keep resident. What is
   beyond it is read when it is needed, and goes through the block cache. */
struct fl_index_budget {
    size_t limit;
    /* Roots, bounds, slots, range tombstones and the versions' skylines of these are charged even
       beyond the limit. */
    _Atomic size_t used;
};

/* What the tables of a database share; either may be NULL: nothing is cached, no limit. Both must
   outlive the tables. */
struct fl_table_shared {
    struct fl_cache *cache;
    struct fl_index_budget *budget;
};

/*
 * Opens a finished table. `expected_size` is the manifest's; another size is FLOWDB_CORRUPTION.
 * Reads and verifies footer, properties, index root and range tombstones, which stay in memory, and
 * of filter and index partitions what the budget has room for; the rest is verified when it is read.
 * The table starts with one reference. `env` is borrowed.
 */
flowdb_status fl_table_open_shared(const struct fl_env *env, const char *path, uint64_t table_id,
                                   uint64_t expected_size, const struct fl_table_shared *shared,
                                   struct fl_table **table);
/* The same with nothing shared: all of the index is read, verified and kept. */
flowdb_status fl_table_open(const struct fl_env *env, const char *path, uint64_t table_id,
                            uint64_t expected_size, struct fl_table **table);
void fl_table_ref(struct fl_table *table);
/* The last one closes the file and, after fl_table_mark_obsolete, removes it. NULL is fine. */
void fl_table_unref(struct fl_table *table);
/* The last unref is to remove the file. */
void fl_table_mark_obsolete(struct fl_table *table);

uint64_t fl_table_id(const struct fl_table *table);
const struct fl_table_properties *fl_table_properties(const struct fl_table *table);
/* Bounds of the rows' keys, borrowed from the table; empty where it has no rows. */
flowdb_slice fl_table_min_key(const struct fl_table *table);
flowdb_slice fl_table_max_key(const struct fl_table *table);
/* Some of its keys, spread evenly: the first one of each index partition, and the last of all. */
uint32_t fl_table_key_samples(const struct fl_table *table);
flowdb_status fl_table_key_sample(const struct fl_table *table, uint32_t sample,
                                  struct fl_buffer *key);
/* The codec of the first data block, FL_CODEC_NONE where there is none: all others have it too, or
   none. Reads the file, unverified. */
flowdb_status fl_table_first_codec(const struct fl_table *table, enum fl_codec *codec);
/* The range tombstones, ordered by start; borrowed from the table. */
const struct fl_range_tombstone *fl_table_range_tombstones(const struct fl_table *table,
                                                           size_t *count);

/* Bytes of index and filter that the table keeps in memory now. */
size_t fl_table_index_memory(const struct fl_table *table);
/* Of that, what its range tombstones take. */
size_t fl_table_tombstone_memory(const struct fl_table *table);

/* How a read treats blocks; see flowdb_read_options. */
struct fl_table_read {
    bool verify_checksums;
    bool fill_cache;
};

/* Keeps alive the bytes that a row points into, which may be its own: whoever moves it moves the
   row's value as well. Zero-initialised; release it when done. */
struct fl_table_pin {
    void *block;
    struct fl_decimal_text text; /* of a value that the block has as a number */
};
void fl_table_pin_release(struct fl_table_pin *pin);

/*
 * The row of (key, ts): *found tells whether there is one. `hash` is fl_hash_key(key). A found row's
 * slices (its key is the caller's own) stay valid until *pin is released; *pin must be empty before.
 */
flowdb_status fl_table_get(struct fl_table *table, flowdb_slice key, uint64_t hash, int64_t ts,
                           const struct fl_table_read *read, bool *found, struct fl_row *row,
                           struct fl_table_pin *pin);
/* The same for the key's row with the greatest ts that is not above `ts`. Reads one block at most. */
flowdb_status fl_table_latest(struct fl_table *table, flowdb_slice key, uint64_t hash, int64_t ts,
                              const struct fl_table_read *read, bool *found, struct fl_row *row,
                              struct fl_table_pin *pin);
/* May the table hold rows of the key? False is certain. (A filter that cannot be read lets all pass.) */
bool fl_table_may_contain(struct fl_table *table, flowdb_slice key, uint64_t hash);

/*
 * A source over the table's rows inside `bounds`, whose slices must stay valid until it is closed.
 * It holds a reference of the table. Blocks outside the bounds (keys or ts) are not read.
 */
flowdb_status fl_table_source(struct fl_table *table, const struct fl_bounds *bounds,
                              const struct fl_table_read *read, struct fl_source **source);

/* ---- whole blocks, for a compaction: what need not change is copied as it is ---- */

/* A block of a table. The slices are valid until its source moves. */
struct fl_table_block {
    flowdb_slice first_key, last_key;
    int64_t last_ts; /* of its last row */
    int64_t min_ts, max_ts;
    int64_t min_expire_at; /* of all rows */
    uint64_t min_seq;      /* no row has a smaller one */
    bool deletes;          /* are there any? */
};

/* The block of which the source, which has no bounds and goes forward, shows the first row. False
   where the row is another one. */
bool fl_table_source_block(const struct fl_source *source, struct fl_table_block *block);
/*
 * Adds the block whose first row the source shows, as fl_table_builder_add would add all its rows,
 * and moves the source behind it: the frame is copied, compressed anew if it has another codec. A
 * block that is not worth it, so small that tables would come to consist of crumbs, is left for its
 * rows to be added: then *added is false and nothing was done. Failing may have moved the source.
 */
flowdb_status fl_table_builder_add_block(struct fl_table_builder *builder, struct fl_source *source,
                                         bool *added);

#endif
