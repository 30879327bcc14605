#include "table/contents.h"

#include "table/index.h"

#include "base/hash.h"
#include "table/filter.h"

/* A block, or a partition: what an index says of it. */
struct fl_content_entry {
    struct fl_block_summary summary; /* rows: blocks, for a partition */
    uint64_t offset, size;
    size_t key_at, key_size; /* in contents->keys */
};

static flowdb_status damaged(const char *what) {
    return fl_fail(FLOWDB_CORRUPTION, "%s", what);
}

void fl_contents_init(struct fl_contents *contents, const struct fl_alloc *alloc) {
    *contents = (struct fl_contents){.alloc = alloc,
                                     .properties = {.min_seq = UINT64_MAX,
                                                    .min_ts = INT64_MAX,
                                                    .max_ts = INT64_MIN,
                                                    .min_expire_at = INT64_MAX,
                                                    .max_expire_at = INT64_MIN}};
    fl_buffer_init(&contents->min_key, alloc);
    fl_buffer_init(&contents->last_key, alloc);
    fl_buffer_init(&contents->keys, alloc);
    fl_buffer_init(&contents->blocks, alloc);
    fl_buffer_init(&contents->partitions, alloc);
    fl_buffer_init(&contents->hashes, alloc);
}

void fl_contents_deinit(struct fl_contents *contents) {
    fl_buffer_deinit(&contents->min_key);
    fl_buffer_deinit(&contents->last_key);
    fl_buffer_deinit(&contents->keys);
    fl_buffer_deinit(&contents->blocks);
    fl_buffer_deinit(&contents->partitions);
    fl_buffer_deinit(&contents->hashes);
}

/* -------------------------------------------------------------------------------------- noting -- */

static flowdb_slice slice_of(const struct fl_buffer *buffer) {
    return flowdb_bytes(buffer->data, buffer->size);
}

static const struct fl_content_entry *entries_of(const struct fl_buffer *buffer) {
    return (const struct fl_content_entry *)(const void *)buffer->data;
}

static size_t count_of(const struct fl_buffer *buffer) {
    return buffer->size / sizeof(struct fl_content_entry);
}

/* Are the rows of the block in order, and above `last_key`, `last_ts`? */
static bool in_order(const struct fl_contents *contents, const struct fl_block *block) {
    flowdb_slice before = slice_of(&contents->last_key);
    bool any = contents->properties.row_count > 0;
    int64_t last_ts = contents->last_ts;
    for (uint32_t key = 0; key < block->keys; key++) {
        flowdb_slice here = fl_block_key(block, key);
        int order = any ? fl_slice_compare(before, here) : -1;
        if (here.size == 0 || here.size > FL_KEY_MAX || order > 0 || (order == 0 && key > 0))
            return false;
        bool follows = order == 0;
        for (uint32_t row = fl_block_run(block, key); row < fl_block_run(block, key + 1); row++) {
            struct fl_row found;
            struct fl_decimal_text text;
            fl_block_row(block, key, row, &found, &text);
            if ((follows && found.ts <= last_ts) || found.value.size > FL_VALUE_MAX ||
                (found.op == FL_OP_DELETE && found.value.size > 0))
                return false;
            follows = true;
            last_ts = found.ts;
        }
        before = here;
        any = true;
    }
    return true;
}

static void note_row(struct fl_contents *contents, const struct fl_row *row,
                     struct fl_block_summary *summary) {
    struct fl_table_properties *all = &contents->properties;
    all->row_count++;
    all->raw_bytes += row->key.size + row->value.size;
    all->min_seq = FL_MIN(all->min_seq, row->seq);
    all->max_seq = FL_MAX(all->max_seq, row->seq);
    all->min_ts = FL_MIN(all->min_ts, row->ts);
    all->max_ts = FL_MAX(all->max_ts, row->ts);
    summary->rows++;
    summary->min_ts = FL_MIN(summary->min_ts, row->ts);
    summary->max_ts = FL_MAX(summary->max_ts, row->ts);
    summary->min_expire_at = FL_MIN(summary->min_expire_at, row->expire_at);
    summary->max_expire_at = FL_MAX(summary->max_expire_at, row->expire_at);
    if (row->op == FL_OP_DELETE) {
        all->delete_count++;
        return;
    }
    all->min_expire_at = FL_MIN(all->min_expire_at, row->expire_at);
    all->max_expire_at = FL_MAX(all->max_expire_at, row->expire_at);
}

static flowdb_status note_key(struct fl_contents *contents, flowdb_slice key) {
    uint64_t hash = fl_hash_key(key);
    flowdb_status status = FLOWDB_OK;
    if (contents->properties.row_count == 0)
        status = fl_buffer_append(&contents->min_key, key.data, key.size);
    else if (fl_slice_equal(slice_of(&contents->last_key), key))
        return FLOWDB_OK;
    contents->properties.key_count++;
    return status == FLOWDB_OK ? fl_buffer_append(&contents->hashes, &hash, sizeof hash) : status;
}

static flowdb_status note_rows(struct fl_contents *contents, const struct fl_block *block,
                               struct fl_block_summary *summary) {
    for (uint32_t key = 0; key < block->keys; key++) {
        struct fl_row row = {.key = fl_block_key(block, key)};
        struct fl_decimal_text text;
        flowdb_status status = note_key(contents, row.key);
        for (uint32_t at = fl_block_run(block, key);
             status == FLOWDB_OK && at < fl_block_run(block, key + 1); at++) {
            fl_block_row(block, key, at, &row, &text);
            if (at == 0)
                summary->first_ts = row.ts;
            note_row(contents, &row, summary);
            contents->last_ts = row.ts;
        }
        contents->last_key.size = 0;
        if (status == FLOWDB_OK)
            status = fl_buffer_append(&contents->last_key, row.key.data, row.key.size);
        if (status != FLOWDB_OK)
            return status;
    }
    return FLOWDB_OK;
}

flowdb_status fl_contents_add_block(struct fl_contents *contents, const struct fl_block *block,
                                    uint64_t offset, uint64_t size) {
    if (!in_order(contents, block))
        return damaged("the rows of a data block are not in order");
    flowdb_slice key = fl_block_key(block, 0);
    struct fl_content_entry entry = {.summary = {.min_ts = INT64_MAX,
                                                 .max_ts = INT64_MIN,
                                                 .min_expire_at = INT64_MAX,
                                                 .max_expire_at = INT64_MIN},
                                     .offset = offset,
                                     .size = size,
                                     .key_at = contents->keys.size,
                                     .key_size = key.size};
    flowdb_status status = fl_buffer_append(&contents->keys, key.data, key.size);
    if (status == FLOWDB_OK)
        status = note_rows(contents, block, &entry.summary);
    if (status == FLOWDB_OK)
        status = fl_buffer_append(&contents->blocks, &entry, sizeof entry);
    contents->properties.block_count++;
    return status;
}

flowdb_status fl_contents_add_tombstones(struct fl_contents *contents,
                                         const struct fl_range_tombstone *tombstones,
                                         size_t count) {
    struct fl_table_properties *all = &contents->properties;
    for (size_t i = 0; i < count; i++) {
        const struct fl_range_tombstone *one = &tombstones[i];
        if ((i > 0 && fl_slice_compare(tombstones[i - 1].start, one->start) > 0) ||
            (one->end.size > 0 && fl_slice_compare(one->start, one->end) >= 0) ||
            one->ts_start > one->ts_end)
            return damaged("the range tombstones are not in order");
    }
    for (size_t i = 0; i < count; i++) {
        all->min_seq = FL_MIN(all->min_seq, tombstones[i].seq);
        all->max_seq = FL_MAX(all->max_seq, tombstones[i].seq);
    }
    all->range_tombstone_count += count;
    return FLOWDB_OK;
}

/* ------------------------------------------------------------------------------------ checking -- */

flowdb_status fl_contents_check_filter(const struct fl_contents *contents,
                                       const struct fl_frame *frame) {
    if (frame->filter.size != 1 || *(const uint8_t *)frame->filter.data != 1)
        return fl_fail(FLOWDB_UNSUPPORTED, "a filter of another kind");
    if (frame->codec != FL_CODEC_NONE || frame->payload.size == 0 ||
        frame->payload.size % FL_FILTER_BLOCK != 0)
        return damaged("a filter of a wrong size");
    const uint64_t *hashes = (const uint64_t *)(const void *)contents->hashes.data;
    for (size_t i = 0; i < contents->hashes.size / sizeof *hashes; i++) {
        if (!fl_filter_may_contain(frame->payload.data, frame->payload.size, hashes[i]))
            return damaged("the filter denies a key that is there");
    }
    return FLOWDB_OK;
}

static bool numbers_match(const struct fl_columns *columns, const uint8_t *raw,
                          const struct fl_content_entry *entries, uint64_t *scratch) {
    static const enum fl_column ids[] = {
        FL_COLUMN_TS,    FL_COLUMN_TS_BELOW, FL_COLUMN_TS_SPAN,    FL_COLUMN_ROWS,
        FL_COLUMN_SIZES, FL_COLUMN_EXPIRE,   FL_COLUMN_EXPIRE_SPAN};
    uint32_t count = columns->rows;
    uint64_t start;
    if (!fl_columns_read(columns, raw, FL_COLUMN_START, &start, 1) || start != entries[0].offset)
        return false;
    for (size_t c = 0; c < sizeof ids / sizeof *ids; c++) {
        bool expiry = ids[c] == FL_COLUMN_EXPIRE || ids[c] == FL_COLUMN_EXPIRE_SPAN;
        if (expiry && !columns->slots[ids[c]].present) {
            for (uint32_t i = 0; i < count; i++)
                scratch[i] = ids[c] == FL_COLUMN_EXPIRE ? (uint64_t)FLOWDB_NEVER : 0;
        } else if (!fl_columns_read(columns, raw, ids[c], scratch, count)) {
            return false;
        }
        for (uint32_t i = 0; i < count; i++) {
            if (scratch[i] != fl_index_number(&entries[i].summary, entries[i].size, ids[c]))
                return false;
        }
    }
    return true;
}

static bool keys_match(const struct fl_contents *contents, const struct fl_columns *columns,
                       const uint8_t *raw, const struct fl_content_entry *entries,
                       uint32_t *offsets) {
    const struct fl_column_slot *prefix = &columns->slots[FL_COLUMN_KEY_PREFIX];
    const struct fl_column_slot *rest = &columns->slots[FL_COLUMN_KEYS];
    if (!rest->present || rest->encoding != FL_KEYS_WHOLE ||
        !fl_columns_offsets(columns, raw, FL_COLUMN_KEY_SIZES, columns->rows, rest->size, offsets))
        return false;
    for (uint32_t i = 0; i < columns->rows; i++) {
        size_t size = offsets[i + 1] - offsets[i];
        const uint8_t *key = contents->keys.data + entries[i].key_at;
        if (entries[i].key_size != prefix->size + size ||
            memcmp(key, raw + prefix->offset, prefix->size) != 0 ||
            memcmp(key + prefix->size, raw + rest->offset + offsets[i], size) != 0)
            return false;
    }
    return true;
}

/* Does the frame list the entries from `first` on? *listed is how many. */
static flowdb_status check_level(const struct fl_contents *contents, struct fl_unpacker *unpacker,
                                 const struct fl_frame *frame, const struct fl_buffer *entries,
                                 uint32_t first, uint32_t rows_max, uint32_t *listed) {
    struct fl_columns columns;
    struct fl_buffer buffer;
    const uint8_t *raw;
    uint64_t *scratch = NULL;
    bool matches = false;
    fl_buffer_init(&buffer, contents->alloc);
    flowdb_status status = fl_columns_parse(frame, rows_max, &columns);
    if (status == FLOWDB_OK &&
        (columns.keys != columns.rows || columns.rows > count_of(entries) - first))
        status = damaged("the index lists blocks that are not there");
    if (status == FLOWDB_OK)
        status = fl_frame_raw(unpacker, frame, &buffer, &raw);
    if (status == FLOWDB_OK) {
        size_t size = (columns.rows + (size_t)1) * sizeof *scratch;
        scratch = fl_allocate(contents->alloc, size);
        status = scratch != NULL ? FLOWDB_OK : fl_fail_memory("checking an index", size);
    }
    if (status == FLOWDB_OK) {
        const struct fl_content_entry *expected = entries_of(entries) + first;
        matches = numbers_match(&columns, raw, expected, scratch) &&
                  keys_match(contents, &columns, raw, expected, (uint32_t *)scratch);
        status = matches ? FLOWDB_OK : damaged("the index is not that of the data blocks");
        *listed = columns.rows;
    }
    fl_release(contents->alloc, scratch);
    fl_buffer_deinit(&buffer);
    return status;
}

static struct fl_content_entry summarise(const struct fl_content_entry *blocks, uint32_t count,
                                         uint64_t offset, uint64_t size) {
    struct fl_content_entry whole = blocks[0];
    whole.offset = offset;
    whole.size = size;
    whole.summary.rows = count;
    for (uint32_t i = 1; i < count; i++) {
        const struct fl_block_summary *next = &blocks[i].summary;
        whole.summary.min_ts = FL_MIN(whole.summary.min_ts, next->min_ts);
        whole.summary.max_ts = FL_MAX(whole.summary.max_ts, next->max_ts);
        whole.summary.min_expire_at = FL_MIN(whole.summary.min_expire_at, next->min_expire_at);
        whole.summary.max_expire_at = FL_MAX(whole.summary.max_expire_at, next->max_expire_at);
    }
    return whole;
}

flowdb_status fl_contents_check_partition(struct fl_contents *contents,
                                          struct fl_unpacker *unpacker,
                                          const struct fl_frame *frame, uint64_t offset,
                                          uint64_t size) {
    enum { BLOCKS_MAX = 65536 }; /* part of the format */
    uint32_t first = contents->blocks_indexed, listed = 0;
    if (first >= count_of(&contents->blocks))
        return damaged("an index partition of blocks that are not there");
    flowdb_status status =
        check_level(contents, unpacker, frame, &contents->blocks, first, BLOCKS_MAX, &listed);
    if (status != FLOWDB_OK)
        return status;
    struct fl_content_entry whole =
        summarise(entries_of(&contents->blocks) + first, listed, offset, size);
    contents->blocks_indexed += listed;
    return fl_buffer_append(&contents->partitions, &whole, sizeof whole);
}

flowdb_status fl_contents_check_root(struct fl_contents *contents, struct fl_unpacker *unpacker,
                                     const struct fl_frame *frame) {
    uint32_t listed = 0;
    size_t partitions = count_of(&contents->partitions);
    if (partitions == 0 || contents->blocks_indexed != count_of(&contents->blocks))
        return damaged("the index does not cover the data blocks");
    flowdb_status status = check_level(contents, unpacker, frame, &contents->partitions, 0,
                                       (uint32_t)partitions, &listed);
    if (status == FLOWDB_OK && listed != partitions)
        status = damaged("the index root lacks a partition");
    return status;
}

flowdb_status fl_contents_check_properties(const struct fl_contents *contents,
                                           const struct fl_frame *frame) {
    struct fl_table_properties said = {0};
    flowdb_slice min_key = {0}, max_key = {0};
    if (frame->codec != FL_CODEC_NONE)
        return damaged("compressed properties");
    flowdb_status status = fl_properties_decode(frame->payload, &said, &min_key, &max_key);
    if (status != FLOWDB_OK)
        return status;
    said.file_size = contents->properties.file_size;
    if (memcmp(&said, &contents->properties, sizeof said) != 0 ||
        !fl_slice_equal(min_key, slice_of(&contents->min_key)) ||
        !fl_slice_equal(max_key, slice_of(&contents->last_key)))
        return damaged("the properties are not those of the data blocks");
    return FLOWDB_OK;
}
