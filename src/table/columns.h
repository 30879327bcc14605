/*
 * Payloads that are made of columns: each has an id, an encoding and so many bytes, listed in a
 * directory that stands uncompressed in the frame's fields, so that a reader knows how much memory
 * it needs before it decompresses. docs/formats/sstable.md has the bytes.
 */
#ifndef FL_TABLE_COLUMNS_H
#define FL_TABLE_COLUMNS_H

#include "table/frame.h"
#include "table/ints.h"

/* Part of the format. Ids from FL_COLUMN_OPTIONAL on may be skipped by a reader that does not know
   them. "By key" columns have a value for each key of the frame, the others one for each row. */
enum fl_column {
    FL_COLUMN_KEY_PREFIX = 1,   /* bytes: what all keys start with; absent: nothing */
    FL_COLUMN_KEY_SIZES = 2,    /* by key: bytes behind the prefix; absent: all the same */
    FL_COLUMN_KEYS = 3,         /* what is behind the prefix; see enum fl_keys_encoding */
    FL_COLUMN_RUNS = 4,         /* by key: its rows; absent: one each */
    FL_COLUMN_TS = 5,           /* where TS_FIRST is present: differences inside each key's run */
    FL_COLUMN_TS_FIRST = 6,     /* by key: ts of its first row */
    FL_COLUMN_SEQ = 7,          /* as TS */
    FL_COLUMN_SEQ_FIRST = 8,    /* as TS_FIRST */
    FL_COLUMN_EXPIRE = 9,       /* expire_at; absent, and the next too: FLOWDB_NEVER */
    FL_COLUMN_LIFETIME = 10,    /* expire_at - ts, in place of EXPIRE */
    FL_COLUMN_DELETES = 11,     /* bits, lowest first: 1 is a delete; absent: all are puts */
    FL_COLUMN_VALUE_SIZES = 12, /* for FL_VALUES_VARIABLE; with DECIMALS those of odd rows */
    FL_COLUMN_VALUES = 13,      /* see enum fl_values_encoding; absent: all are empty */
    /* index partitions and the root; a row is a block, or a partition */
    FL_COLUMN_TS_BELOW = 14,    /* TS - the smallest ts */
    FL_COLUMN_TS_SPAN = 15,     /* the largest ts - the smallest */
    FL_COLUMN_EXPIRE_SPAN = 16, /* the largest expire_at - EXPIRE, the smallest */
    FL_COLUMN_ROWS = 17,        /* rows of a block; blocks of a partition */
    FL_COLUMN_SIZES = 18,       /* bytes of its frame */
    FL_COLUMN_START = 19,       /* one value: offset of the first one's frame */
    /* range tombstones; a key is a start */
    FL_COLUMN_END_SIZES = 20, /* bytes of the end */
    FL_COLUMN_ENDS = 21,      /* bytes: end after end */
    /* data blocks, for FL_VALUES_DECIMALS */
    FL_COLUMN_NUMBERS = 22,       /* as TS: mantissas; of deletes and odd rows they mean nothing */
    FL_COLUMN_NUMBERS_FIRST = 23, /* as TS_FIRST */
    FL_COLUMN_ODD_ROWS = 24,      /* u16 each, ascending: rows whose values are no number */
    FL_COLUMN_COUNT = 25,
    FL_COLUMN_OPTIONAL = 128
};

/* Part of the format. */
enum fl_keys_encoding {
    FL_KEYS_WHOLE = 0, /* key after key */
    FL_KEYS_PLANES =
        1 /* keys of one size: the first byte of each, then the second of each... Counting
                          keys compress to next to nothing so. Data blocks only. */
};

/* Part of the format. */
enum fl_values_encoding {
    FL_VALUES_CONSTANT = 0, /* one value, that of every row */
    FL_VALUES_FIXED = 1,    /* values of one size */
    FL_VALUES_VARIABLE = 2, /* values of the sizes in FL_COLUMN_VALUE_SIZES */
    FL_VALUES_DECIMALS = 3  /* the values of odd rows, then scale and form (0 fixed, 1 trimmed), a
                               byte each: the others are decimal text of FL_COLUMN_NUMBERS */
};

struct fl_column_slot {
    uint32_t offset, size; /* in the raw payload */
    uint8_t encoding;
    bool present;
};

struct fl_columns {
    uint32_t rows, keys;
    struct fl_column_slot slots[FL_COLUMN_COUNT];
};

/* What is behind the slice's first `size` bytes, which it has. An empty one may have no address. */
static inline flowdb_slice fl_slice_behind(flowdb_slice slice, size_t size) {
    return size == 0 ? slice : flowdb_bytes((const uint8_t *)slice.data + size, slice.size - size);
}

/* Parses the directory of a frame and checks it against the frame's raw_size and these limits. */
flowdb_status fl_columns_parse(const struct fl_frame *frame, uint32_t rows_max,
                               struct fl_columns *columns);
/* Starts to read a column of integers from the raw payload; false where it is absent or damaged. */
bool fl_columns_ints(const struct fl_columns *columns, const uint8_t *raw, enum fl_column id,
                     size_t count, struct fl_ints_reader *reader);
/* Reads all of one. */
bool fl_columns_read(const struct fl_columns *columns, const uint8_t *raw, enum fl_column id,
                     uint64_t *values, size_t count);
/*
 * Turns a column of sizes into count + 1 offsets, the last of which must be `total`. An absent one
 * means sizes that are all the same.
 */
bool fl_columns_offsets(const struct fl_columns *columns, const uint8_t *raw, enum fl_column id,
                        size_t count, uint32_t total, uint32_t *offsets);

#define FL_DIRECTORY_MAX ((size_t)256)

/* A payload that is put together column after column, and its directory. */
struct fl_payload {
    struct fl_buffer raw;
    uint8_t fields[FL_DIRECTORY_MAX + 8]; /* room for the tag and the size in front */
    size_t directory_size;
    size_t column_start; /* where in raw the next column begins */
};

void fl_payload_init(struct fl_payload *payload, const struct fl_alloc *alloc);
void fl_payload_deinit(struct fl_payload *payload);
/* Begins the directory; what is in `raw` already becomes the first column. */
void fl_payload_begin(struct fl_payload *payload, uint32_t rows, uint32_t keys);
/* What was appended to `raw` since the last column is a column. */
void fl_payload_column(struct fl_payload *payload, enum fl_column id, uint8_t encoding);
flowdb_status fl_payload_ints(struct fl_payload *payload, enum fl_column id, const uint64_t *values,
                              size_t count);
/* The same in the encoding that fl_ints_measure found. */
flowdb_status fl_payload_ints_as(struct fl_payload *payload, enum fl_column id,
                                 const uint64_t *values, size_t count,
                                 enum fl_ints_encoding encoding);
/*
 * The three columns of keys. They lie one behind the other at `keys`, key i up to ends[i], and all
 * start with the first `prefix` bytes of the first one. `planes` allows FL_KEYS_PLANES.
 */
flowdb_status fl_payload_keys(struct fl_payload *payload, const uint8_t *keys, const uint32_t *ends,
                              size_t count, size_t prefix, bool planes, uint64_t *scratch);
/* Appends the frame of the payload and empties it. */
flowdb_status fl_payload_finish(struct fl_payload *payload, struct fl_packer *packer,
                                enum fl_frame_type type, struct fl_buffer *out, size_t *frame_size);

#endif
