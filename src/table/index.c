/* The index in memory: loading and searching. */
#include "table/index.h"

#include "base/coding.h"

/* No stored frame of a data block is larger. */
#define FRAME_MAX (FL_FRAME_HEADER + UINT16_MAX + FL_FRAME_DATA_MAX)

static flowdb_status damaged(const char *what) {
    return fl_fail(FLOWDB_CORRUPTION, "%s", what);
}

/* ----------------------------------------------------------------------------------- loading -- */

/* Hands out parts of one allocation, 8-byte ones first. */
struct carver {
    uint8_t *at;
};

static void *carve(struct carver *carver, size_t count, size_t size) {
    void *part = carver->at;
    carver->at += count * size;
    return part;
}

/* What heads take besides their numbers of 8 bytes. */
static size_t keys_memory(const struct fl_columns *columns) {
    return (columns->rows + (size_t)1) * sizeof(uint32_t) +
           columns->slots[FL_COLUMN_KEY_PREFIX].size + columns->slots[FL_COLUMN_KEYS].size;
}

static bool load_keys(const struct fl_columns *columns, const uint8_t *raw, uint64_t *heads,
                      struct carver *carver, struct fl_heads *keys) {
    const struct fl_column_slot *prefix = &columns->slots[FL_COLUMN_KEY_PREFIX];
    const struct fl_column_slot *rest = &columns->slots[FL_COLUMN_KEYS];
    uint32_t count = columns->rows, *offsets = carve(carver, (size_t)count + 1, sizeof *offsets);
    uint8_t *prefix_bytes = carve(carver, prefix->size, 1);
    uint8_t *rest_bytes = carve(carver, rest->size, 1);
    memcpy(prefix_bytes, raw + prefix->offset, prefix->size);
    memcpy(rest_bytes, raw + rest->offset, rest->size);
    if (!fl_columns_offsets(columns, raw, FL_COLUMN_KEY_SIZES, count, rest->size, offsets))
        return false;
    for (uint32_t i = 0; i < count; i++)
        heads[i] = fl_get_head(rest_bytes + offsets[i], offsets[i + 1] - offsets[i]);
    *keys = (struct fl_heads){.heads = heads,
                              .offsets = offsets,
                              .prefix = prefix_bytes,
                              .rest = rest_bytes,
                              .count = count,
                              .prefix_size = prefix->size};
    return true;
}

static bool has_columns(const struct fl_columns *columns) {
    static const enum fl_column needed[] = {FL_COLUMN_KEYS,    FL_COLUMN_TS,   FL_COLUMN_TS_BELOW,
                                            FL_COLUMN_TS_SPAN, FL_COLUMN_ROWS, FL_COLUMN_SIZES,
                                            FL_COLUMN_START};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (!columns->slots[needed[i]].present)
            return false;
    }
    return columns->slots[FL_COLUMN_EXPIRE].present ==
               columns->slots[FL_COLUMN_EXPIRE_SPAN].present &&
           columns->keys == columns->rows &&
           columns->slots[FL_COLUMN_KEYS].encoding == FL_KEYS_WHOLE;
}

static bool decode_root(struct fl_index *index, const struct fl_columns *columns,
                        const uint8_t *raw, struct carver *carver, uint64_t *numbers,
                        struct fl_root_entry *entries) {
    uint32_t count = columns->rows;
    uint64_t start;
    uint64_t *heads = carve(carver, count, sizeof *heads);
    uint64_t *first_ts = carve(carver, count, sizeof *first_ts);
    index->first_ts = (const int64_t *)first_ts;
    if (!fl_columns_read(columns, raw, FL_COLUMN_START, &start, 1) ||
        !fl_columns_read(columns, raw, FL_COLUMN_TS, first_ts, count) ||
        !fl_columns_read(columns, raw, FL_COLUMN_SIZES, numbers, count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        entries[i].offset = start;
        entries[i].size = numbers[i];
        if (__builtin_add_overflow(start, numbers[i], &start))
            return false;
    }
    if (!fl_columns_read(columns, raw, FL_COLUMN_ROWS, numbers, count))
        return false;
    for (uint32_t i = 0; i < count; i++)
        entries[i].blocks = numbers[i];
    return load_keys(columns, raw, heads, carver, &index->keys);
}

static flowdb_status load_root(struct fl_index *index, const struct fl_columns *columns,
                               const uint8_t *raw, struct fl_root_entry *entries) {
    uint32_t count = columns->rows;
    size_t size =
        count * (sizeof(struct fl_partition *) + 3 * sizeof(uint64_t)) + keys_memory(columns);
    index->memory = fl_allocate_zeroed(index->alloc, size, 1);
    if (index->memory == NULL)
        return fl_fail_memory("an index", size);
    struct carver carver = {.at = index->memory};
    index->partitions = carve(&carver, count, sizeof *index->partitions);
    index->count = count;
    uint64_t *numbers = carve(&carver, count, sizeof *numbers);
    if (!decode_root(index, columns, raw, &carver, numbers, entries))
        return damaged("the columns of an index root do not fit together");
    return FLOWDB_OK;
}

flowdb_status fl_index_init(struct fl_index *index, const struct fl_alloc *alloc,
                            struct fl_unpacker *unpacker, const struct fl_frame *root,
                            uint32_t partitions_max, struct fl_root_entry **entries) {
    *index = (struct fl_index){.alloc = alloc};
    struct fl_columns columns;
    struct fl_buffer buffer;
    const uint8_t *raw;
    struct fl_root_entry *listed = NULL;
    fl_buffer_init(&buffer, alloc);
    flowdb_status status = fl_columns_parse(root, partitions_max, &columns);
    if (status == FLOWDB_OK && !has_columns(&columns))
        status = damaged("an index root lacks a column");
    if (status == FLOWDB_OK)
        status = fl_frame_raw(unpacker, root, &buffer, &raw);
    if (status == FLOWDB_OK) {
        listed = fl_allocate(alloc, columns.rows * sizeof *listed);
        status = listed != NULL ? load_root(index, &columns, raw, listed)
                                : fl_fail_memory("an index", columns.rows * sizeof *listed);
    }
    fl_buffer_deinit(&buffer);
    if (status == FLOWDB_OK) {
        *entries = listed;
        return FLOWDB_OK;
    }
    if (listed != NULL)
        fl_release(alloc, listed);
    fl_index_deinit(index);
    return status;
}

static bool load_ranges(const struct fl_columns *columns, const uint8_t *raw, struct carver *carver,
                        struct fl_partition *partition) {
    uint32_t count = columns->rows;
    int64_t *first_ts = carve(carver, count, sizeof *first_ts);
    int64_t *min_ts = carve(carver, count, sizeof *min_ts);
    int64_t *max_ts = carve(carver, count, sizeof *max_ts);
    if (!fl_columns_read(columns, raw, FL_COLUMN_TS, (uint64_t *)first_ts, count) ||
        !fl_columns_read(columns, raw, FL_COLUMN_TS_BELOW, (uint64_t *)min_ts, count) ||
        !fl_columns_read(columns, raw, FL_COLUMN_TS_SPAN, (uint64_t *)max_ts, count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        min_ts[i] = (int64_t)((uint64_t)first_ts[i] - (uint64_t)min_ts[i]);
        max_ts[i] = (int64_t)((uint64_t)min_ts[i] + (uint64_t)max_ts[i]);
    }
    partition->first_ts = first_ts;
    partition->min_ts = min_ts;
    partition->max_ts = max_ts;
    if (!columns->slots[FL_COLUMN_EXPIRE].present)
        return true;
    int64_t *soonest = carve(carver, count, sizeof *soonest);
    int64_t *latest = carve(carver, count, sizeof *latest);
    if (!fl_columns_read(columns, raw, FL_COLUMN_EXPIRE, (uint64_t *)soonest, count) ||
        !fl_columns_read(columns, raw, FL_COLUMN_EXPIRE_SPAN, (uint64_t *)latest, count))
        return false;
    for (uint32_t i = 0; i < count; i++)
        latest[i] = (int64_t)((uint64_t)soonest[i] + (uint64_t)latest[i]);
    partition->min_expire_at = soonest;
    partition->max_expire_at = latest;
    return true;
}

/* Sizes become offsets; each is checked, so that reading a block needs no check of it. */
static bool load_places(const struct fl_columns *columns, const uint8_t *raw, struct carver *carver,
                        uint64_t start, struct fl_partition *partition) {
    uint32_t count = columns->rows;
    uint64_t *offsets = carve(carver, (size_t)count + 1, sizeof *offsets), place;
    partition->offsets = offsets;
    if (!fl_columns_read(columns, raw, FL_COLUMN_START, &place, 1) || place != start ||
        !fl_columns_read(columns, raw, FL_COLUMN_SIZES, offsets + 1, count))
        return false;
    offsets[0] = place;
    for (uint32_t i = 1; i <= count; i++) {
        if (offsets[i] < FL_FRAME_HEADER || offsets[i] > FRAME_MAX)
            return false;
        place += offsets[i];
        offsets[i] = place;
    }
    return true;
}

static bool load_rows(const struct fl_columns *columns, const uint8_t *raw, struct carver *carver,
                      struct fl_partition *partition, uint64_t *total) {
    uint32_t count = columns->rows, *rows = carve(carver, count, sizeof *rows);
    struct fl_ints_reader reader;
    uint64_t values[FL_INTS_GROUP];
    size_t got;
    partition->rows = rows;
    if (!fl_columns_ints(columns, raw, FL_COLUMN_ROWS, count, &reader))
        return false;
    while (reader.left > 0) {
        if (!fl_ints_reader_next(&reader, values, &got))
            return false;
        for (size_t i = 0; i < got; i++) {
            if (values[i] == 0 || values[i] > FL_BLOCK_ROWS_MAX)
                return false;
            *rows++ = (uint32_t)values[i];
            *total += values[i];
        }
    }
    return true;
}

static flowdb_status load_partition(struct fl_index *index, const struct fl_columns *columns,
                                    const uint8_t *raw, uint32_t at, uint64_t *start) {
    uint32_t count = columns->rows;
    size_t size = sizeof(struct fl_partition) + (7 * (size_t)count + 1) * sizeof(uint64_t) +
                  count * sizeof(uint32_t) + keys_memory(columns);
    struct fl_partition *partition = fl_allocate(index->alloc, size);
    if (partition == NULL)
        return fl_fail_memory("an index", size);
    *partition = (struct fl_partition){.first_block = index->block_count};
    index->partitions[at] = partition;
    struct carver carver = {.at = (uint8_t *)(partition + 1)};
    uint64_t *heads = carve(&carver, count, sizeof *heads), rows = 0;
    if (!load_ranges(columns, raw, &carver, partition) ||
        !load_places(columns, raw, &carver, *start, partition) ||
        !load_rows(columns, raw, &carver, partition, &rows) ||
        !load_keys(columns, raw, heads, &carver, &partition->keys))
        return damaged("the columns of an index partition do not fit together");
    *start = partition->offsets[count];
    index->block_count += count;
    index->row_count += rows;
    return FLOWDB_OK;
}

flowdb_status fl_index_load(struct fl_index *index, struct fl_unpacker *unpacker, uint32_t at,
                            const struct fl_root_entry *entry, const struct fl_frame *frame,
                            uint64_t *start) {
    struct fl_columns columns;
    struct fl_buffer buffer;
    const uint8_t *raw;
    fl_buffer_init(&buffer, index->alloc);
    flowdb_status status = fl_columns_parse(frame, FL_PARTITION_BLOCKS_MAX, &columns);
    if (status == FLOWDB_OK && (!has_columns(&columns) || columns.rows != entry->blocks))
        status = damaged("an index partition is not what the root says");
    if (status == FLOWDB_OK)
        status = fl_frame_raw(unpacker, frame, &buffer, &raw);
    if (status == FLOWDB_OK)
        status = load_partition(index, &columns, raw, at, start);
    fl_buffer_deinit(&buffer);
    return status;
}

void fl_index_deinit(struct fl_index *index) {
    for (uint32_t i = 0; i < index->count; i++) {
        if (index->partitions[i] != NULL)
            fl_release(index->alloc, index->partitions[i]);
    }
    if (index->memory != NULL)
        fl_release(index->alloc, index->memory);
    *index = (struct fl_index){.alloc = index->alloc};
}

/* --------------------------------------------------------------------------------- searching -- */

static flowdb_slice rest_of(const struct fl_heads *keys, uint32_t i) {
    return flowdb_bytes(keys->rest + keys->offsets[i], keys->offsets[i + 1] - keys->offsets[i]);
}

/* How many entries are at or before (key, ts). */
static uint32_t count_up_to(const struct fl_heads *keys, const int64_t *first_ts, flowdb_slice key,
                            int64_t ts) {
    size_t shared = FL_MIN(key.size, (size_t)keys->prefix_size);
    int order = shared > 0 ? memcmp(key.data, keys->prefix, shared) : 0;
    if (order != 0)
        return order < 0 ? 0 : keys->count;
    if (key.size < keys->prefix_size)
        return 0;
    flowdb_slice rest = fl_slice_behind(key, shared);
    uint64_t head = fl_get_head(rest.data, rest.size);
    uint32_t low = 0, count = keys->count;
    while (count > 0) {
        uint32_t half = count / 2, middle = low + half;
        bool before = keys->heads[middle] < head;
        if (keys->heads[middle] == head) {
            order = fl_slice_compare(rest_of(keys, middle), rest);
            before = order < 0 || (order == 0 && first_ts[middle] <= ts);
        }
        low = before ? middle + 1 : low;
        count = before ? count - half - 1 : half;
    }
    return low;
}

bool fl_index_find(const struct fl_index *index, flowdb_slice key, int64_t ts,
                   struct fl_index_at *at) {
    if (index->count == 0)
        return false;
    uint32_t partitions = count_up_to(&index->keys, index->first_ts, key, ts);
    if (partitions == 0)
        return false;
    const struct fl_partition *partition = index->partitions[partitions - 1];
    uint32_t blocks = count_up_to(&partition->keys, partition->first_ts, key, ts);
    at->partition = partitions - 1;
    at->block = blocks > 0 ? blocks - 1 : 0;
    return true;
}

int fl_index_compare(const struct fl_index *index, struct fl_index_at at, flowdb_slice key) {
    const struct fl_heads *keys = &index->partitions[at.partition]->keys;
    size_t shared = FL_MIN(key.size, (size_t)keys->prefix_size);
    int order = shared > 0 ? memcmp(keys->prefix, key.data, shared) : 0;
    if (order != 0)
        return order;
    if (key.size < keys->prefix_size)
        return 1;
    return fl_slice_compare(rest_of(keys, at.block), fl_slice_behind(key, shared));
}

bool fl_index_next(const struct fl_index *index, struct fl_index_at *at) {
    if (at->block + 1 < index->partitions[at->partition]->keys.count) {
        at->block++;
        return true;
    }
    if (at->partition + 1 >= index->count)
        return false;
    at->partition++;
    at->block = 0;
    return true;
}

bool fl_index_previous(const struct fl_index *index, struct fl_index_at *at) {
    if (at->block > 0) {
        at->block--;
        return true;
    }
    if (at->partition == 0)
        return false;
    at->partition--;
    at->block = index->partitions[at->partition]->keys.count - 1;
    return true;
}
