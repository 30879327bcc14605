/* From frames of the index to what is searched in memory: the root, and partitions. */
#include "base/coding.h"
#include "table/index.h"

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

/* The times of the entries: first_ts, min_ts, max_ts. */
struct times {
    int64_t *first, *min, *max;
};

static struct times carve_times(struct carver *carver, size_t count) {
    struct times times = {.first = carve(carver, count, sizeof(int64_t)),
                          .min = carve(carver, count, sizeof(int64_t)),
                          .max = carve(carver, count, sizeof(int64_t))};
    return times;
}

static bool load_times(const struct fl_columns *columns, const uint8_t *raw,
                       const struct times *times) {
    uint32_t count = columns->rows;
    if (!fl_columns_read(columns, raw, FL_COLUMN_TS, (uint64_t *)times->first, count) ||
        !fl_columns_read(columns, raw, FL_COLUMN_TS_BELOW, (uint64_t *)times->min, count) ||
        !fl_columns_read(columns, raw, FL_COLUMN_TS_SPAN, (uint64_t *)times->max, count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        times->min[i] = (int64_t)((uint64_t)times->first[i] - (uint64_t)times->min[i]);
        times->max[i] = (int64_t)((uint64_t)times->min[i] + (uint64_t)times->max[i]);
    }
    return true;
}

/* ------------------------------------------------------------------------------------- root -- */

/* Where the partitions lie, and which blocks they have. */
static bool load_entries(const struct fl_columns *columns, const uint8_t *raw,
                         struct fl_extent partitions, uint64_t *numbers, struct fl_index *index,
                         struct fl_root_entry *entries) {
    uint32_t count = columns->rows;
    uint64_t start, end = partitions.offset + partitions.size;
    if (!fl_columns_read(columns, raw, FL_COLUMN_START, &start, 1) || start != partitions.offset ||
        !fl_columns_read(columns, raw, FL_COLUMN_SIZES, numbers, count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (numbers[i] > end - start)
            return false;
        entries[i].offset = start;
        entries[i].size = numbers[i];
        start += numbers[i];
    }
    if (start != end || !fl_columns_read(columns, raw, FL_COLUMN_ROWS, numbers, count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (numbers[i] == 0 || numbers[i] > FL_PARTITION_BLOCKS_MAX)
            return false;
        entries[i].first_block = index->block_count;
        entries[i].blocks = (uint32_t)numbers[i];
        index->block_count += numbers[i];
    }
    return index->block_count <= index->data_end / FL_FRAME_HEADER;
}

static flowdb_status load_root(struct fl_index *index, const struct fl_columns *columns,
                               const uint8_t *raw, struct fl_extent partitions) {
    uint32_t count = columns->rows;
    size_t size = count * (sizeof(*index->residents) + sizeof *index->slots +
                           sizeof(struct fl_root_entry) + 5 * sizeof(uint64_t)) +
                  keys_memory(columns);
    index->memory = fl_allocate_zeroed(index->alloc, size, 1);
    if (index->memory == NULL)
        return fl_fail_memory("an index", size);
    struct carver carver = {.at = index->memory};
    index->memory_size = size;
    index->residents = carve(&carver, count, sizeof(*index->residents));
    index->slots = carve(&carver, count, sizeof *index->slots);
    struct fl_root_entry *entries = carve(&carver, count, sizeof *entries);
    uint64_t *numbers = carve(&carver, count, sizeof *numbers);
    uint64_t *heads = carve(&carver, count, sizeof *heads);
    struct times times = carve_times(&carver, count);
    index->count = count;
    index->entries = entries;
    index->first_ts = times.first;
    index->min_ts = times.min;
    index->max_ts = times.max;
    if (!load_entries(columns, raw, partitions, numbers, index, entries) ||
        !load_times(columns, raw, &times) || !load_keys(columns, raw, heads, &carver, &index->keys))
        return damaged("the columns of an index root do not fit together");
    return FLOWDB_OK;
}

flowdb_status fl_index_init(struct fl_index *index, const struct fl_alloc *alloc,
                            struct fl_unpacker *unpacker, const struct fl_frame *root,
                            struct fl_extent partitions, uint64_t data_end) {
    *index = (struct fl_index){.alloc = alloc, .data_end = data_end};
    uint64_t most = FL_MIN(partitions.size / FL_FRAME_HEADER, (uint64_t)UINT32_MAX - 1);
    struct fl_columns columns;
    struct fl_buffer buffer;
    const uint8_t *raw;
    fl_buffer_init(&buffer, alloc);
    flowdb_status status = fl_columns_parse(root, (uint32_t)most, &columns);
    if (status == FLOWDB_OK && !has_columns(&columns))
        status = damaged("an index root lacks a column");
    if (status == FLOWDB_OK)
        status = fl_frame_raw(unpacker, root, &buffer, &raw);
    if (status == FLOWDB_OK)
        status = load_root(index, &columns, raw, partitions);
    fl_buffer_deinit(&buffer);
    if (status != FLOWDB_OK)
        fl_index_deinit(index);
    return status;
}

void fl_index_deinit(struct fl_index *index) {
    for (uint32_t i = 0; i < index->count; i++) {
        struct fl_partition *resident =
            atomic_load_explicit(&index->residents[i], memory_order_relaxed);
        if (resident != NULL)
            fl_cached_unref(&resident->cached);
    }
    if (index->memory != NULL)
        fl_release(index->alloc, index->memory);
    *index = (struct fl_index){.alloc = index->alloc};
}

/* -------------------------------------------------------------------------------- partition -- */

static bool load_expiry(const struct fl_columns *columns, const uint8_t *raw, struct carver *carver,
                        struct fl_partition *partition) {
    uint32_t count = columns->rows;
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
                        uint64_t data_end, struct fl_partition *partition) {
    uint32_t count = columns->rows;
    uint64_t *offsets = carve(carver, (size_t)count + 1, sizeof *offsets), place;
    partition->offsets = offsets;
    if (!fl_columns_read(columns, raw, FL_COLUMN_START, &place, 1) || place > data_end ||
        !fl_columns_read(columns, raw, FL_COLUMN_SIZES, offsets + 1, count))
        return false;
    offsets[0] = place;
    for (uint32_t i = 1; i <= count; i++) {
        if (offsets[i] < FL_FRAME_HEADER || offsets[i] > FRAME_MAX)
            return false;
        place += offsets[i];
        offsets[i] = place;
    }
    return place <= data_end;
}

static bool load_rows(const struct fl_columns *columns, const uint8_t *raw, struct carver *carver,
                      struct fl_partition *partition) {
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
            partition->row_count += values[i];
        }
    }
    return true;
}

/* All but the first key, which stands in the root as well. */
static bool is_entry(const struct fl_index *index, uint32_t at,
                     const struct fl_partition *partition) {
    uint32_t count = partition->keys.count;
    int64_t min_ts = partition->min_ts[0], max_ts = partition->max_ts[0];
    for (uint32_t i = 1; i < count; i++) {
        min_ts = FL_MIN(min_ts, partition->min_ts[i]);
        max_ts = FL_MAX(max_ts, partition->max_ts[i]);
    }
    /* Where the other partitions end and begin is not known; the outermost ends are. */
    return partition->first_ts[0] == index->first_ts[at] && min_ts == index->min_ts[at] &&
           max_ts == index->max_ts[at] && (at > 0 || partition->offsets[0] == 0) &&
           (at + 1 < index->count || partition->offsets[count] == index->data_end);
}

static bool has_first_key(const struct fl_index *index, uint32_t at,
                          const struct fl_partition *partition) {
    const struct fl_heads *root = &index->keys, *keys = &partition->keys;
    size_t size = root->offsets[at + 1] - root->offsets[at];
    if (keys->prefix_size + (size_t)keys->offsets[1] != root->prefix_size + size)
        return false;
    /* Byte by byte: the two prefixes end where they like. */
    for (size_t i = 0; i < root->prefix_size + size; i++) {
        uint8_t there = i < root->prefix_size
                            ? root->prefix[i]
                            : root->rest[root->offsets[at] + (i - root->prefix_size)];
        uint8_t here = i < keys->prefix_size ? keys->prefix[i] : keys->rest[i - keys->prefix_size];
        if (here != there)
            return false;
    }
    return true;
}

static void destroy_partition(struct fl_cached *cached) {
    struct fl_partition *partition = (struct fl_partition *)(void *)cached;
    fl_release(partition->alloc, partition);
}

static size_t numbers_memory(size_t count, bool expires) {
    return sizeof(struct fl_partition) + ((expires ? 7 : 5) * count + 1) * sizeof(uint64_t) +
           count * sizeof(uint32_t);
}

size_t fl_index_partition_memory(const struct fl_index *index, uint32_t at) {
    return numbers_memory(index->entries[at].blocks, false);
}

static flowdb_status load_partition(const struct fl_index *index, const struct fl_columns *columns,
                                    const uint8_t *raw, uint32_t at,
                                    struct fl_partition **partition) {
    uint32_t count = columns->rows;
    size_t size =
        numbers_memory(count, columns->slots[FL_COLUMN_EXPIRE].present) + keys_memory(columns);
    struct fl_partition *made = fl_allocate(index->alloc, size);
    if (made == NULL)
        return fl_fail_memory("an index", size);
    *made = (struct fl_partition){
        .alloc = index->alloc, .memory = size, .first_block = index->entries[at].first_block};
    fl_cached_init(&made->cached, destroy_partition);
    struct carver carver = {.at = (uint8_t *)(made + 1)};
    uint64_t *heads = carve(&carver, count, sizeof *heads);
    struct times times = carve_times(&carver, count);
    made->first_ts = times.first;
    made->min_ts = times.min;
    made->max_ts = times.max;
    flowdb_status status = FLOWDB_OK;
    if (!load_times(columns, raw, &times) || !load_expiry(columns, raw, &carver, made) ||
        !load_places(columns, raw, &carver, index->data_end, made) ||
        !load_rows(columns, raw, &carver, made) ||
        !load_keys(columns, raw, heads, &carver, &made->keys))
        status = damaged("the columns of an index partition do not fit together");
    else if (!is_entry(index, at, made) || !has_first_key(index, at, made))
        status = damaged("an index partition is not what the root says");
    if (status == FLOWDB_OK)
        *partition = made;
    else
        fl_cached_unref(&made->cached);
    return status;
}

flowdb_status fl_partition_decode(const struct fl_index *index, struct fl_unpacker *unpacker,
                                  uint32_t at, const struct fl_frame *frame,
                                  struct fl_partition **partition) {
    struct fl_columns columns;
    struct fl_buffer buffer;
    const uint8_t *raw;
    fl_buffer_init(&buffer, index->alloc);
    flowdb_status status = fl_columns_parse(frame, FL_PARTITION_BLOCKS_MAX, &columns);
    if (status == FLOWDB_OK &&
        (!has_columns(&columns) || columns.rows != index->entries[at].blocks))
        status = damaged("an index partition is not what the root says");
    if (status == FLOWDB_OK)
        status = fl_frame_raw(unpacker, frame, &buffer, &raw);
    if (status == FLOWDB_OK)
        status = load_partition(index, &columns, raw, at, partition);
    fl_buffer_deinit(&buffer);
    return status;
}
