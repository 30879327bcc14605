/* The index being written: entries of blocks fill partitions, entries of partitions the root. */
#include "base/coding.h"
#include "table/index.h"

struct index_row {
    struct fl_block_summary summary; /* rows: blocks, for a partition */
    uint64_t offset, size;
    uint32_t key_end; /* in key_bytes */
};

static void level_init(struct fl_index_level *level, const struct fl_alloc *alloc) {
    level->count = 0;
    fl_buffer_init(&level->key_bytes, alloc);
    fl_buffer_init(&level->numbers, alloc);
    fl_payload_init(&level->payload, alloc);
}

static void level_deinit(struct fl_index_level *level) {
    fl_buffer_deinit(&level->key_bytes);
    fl_buffer_deinit(&level->numbers);
    fl_payload_deinit(&level->payload);
}

void fl_index_builder_init(struct fl_index_builder *builder, const struct fl_alloc *alloc) {
    level_init(&builder->blocks, alloc);
    level_init(&builder->partitions, alloc);
    fl_buffer_init(&builder->frames, alloc);
}

void fl_index_builder_deinit(struct fl_index_builder *builder) {
    level_deinit(&builder->blocks);
    level_deinit(&builder->partitions);
    fl_buffer_deinit(&builder->frames);
}

static const struct index_row *rows_of(const struct fl_index_level *level) {
    return (const struct index_row *)(const void *)level->numbers.data;
}

static flowdb_status level_add(struct fl_index_level *level, flowdb_slice first_key,
                               const struct fl_block_summary *summary, uint64_t offset,
                               uint64_t size) {
    if (level->key_bytes.size > FL_FRAME_OTHER_MAX)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "a table's index would be too large");
    flowdb_status status = fl_buffer_append(&level->key_bytes, first_key.data, first_key.size);
    if (status != FLOWDB_OK)
        return status;
    const struct index_row row = {.summary = *summary,
                                  .offset = offset,
                                  .size = size,
                                  .key_end = (uint32_t)level->key_bytes.size};
    status = fl_buffer_append(&level->numbers, &row, sizeof row);
    if (status == FLOWDB_OK)
        level->count++;
    return status;
}

uint64_t fl_index_number(const struct fl_block_summary *summary, uint64_t size, enum fl_column id) {
    switch (id) {
    case FL_COLUMN_TS:
        return (uint64_t)summary->first_ts;
    case FL_COLUMN_TS_BELOW:
        return (uint64_t)summary->first_ts - (uint64_t)summary->min_ts;
    case FL_COLUMN_TS_SPAN:
        return (uint64_t)summary->max_ts - (uint64_t)summary->min_ts;
    case FL_COLUMN_EXPIRE:
        return (uint64_t)summary->min_expire_at;
    case FL_COLUMN_EXPIRE_SPAN:
        return (uint64_t)summary->max_expire_at - (uint64_t)summary->min_expire_at;
    case FL_COLUMN_ROWS:
        return summary->rows;
    default:
        return size;
    }
}

static flowdb_status add_columns(struct fl_index_level *level, uint64_t start, uint64_t *scratch) {
    static const enum fl_column columns[] = {
        FL_COLUMN_TS,    FL_COLUMN_TS_BELOW, FL_COLUMN_TS_SPAN,    FL_COLUMN_ROWS,
        FL_COLUMN_SIZES, FL_COLUMN_EXPIRE,   FL_COLUMN_EXPIRE_SPAN};
    const struct index_row *rows = rows_of(level);
    size_t count = sizeof columns / sizeof *columns;
    bool expires = false;
    for (uint32_t i = 0; i < level->count && !expires; i++)
        expires = rows[i].summary.min_expire_at != FLOWDB_NEVER;
    flowdb_status status = fl_payload_ints(&level->payload, FL_COLUMN_START, &start, 1);
    for (size_t column = 0; status == FLOWDB_OK && column < (expires ? count : count - 2);
         column++) {
        for (uint32_t i = 0; i < level->count; i++)
            scratch[i] = fl_index_number(&rows[i].summary, rows[i].size, columns[column]);
        status = fl_payload_ints(&level->payload, columns[column], scratch, level->count);
    }
    return status;
}

static flowdb_status add_keys(struct fl_index_level *level, uint64_t *scratch, uint32_t *ends) {
    const struct index_row *rows = rows_of(level);
    const uint8_t *keys = level->key_bytes.data;
    uint32_t count = level->count;
    for (uint32_t i = 0; i < count; i++)
        ends[i] = rows[i].key_end;
    uint32_t last = count > 1 ? ends[count - 2] : 0;
    size_t prefix = fl_slice_common_prefix(flowdb_bytes(keys, ends[0]),
                                           flowdb_bytes(keys + last, ends[count - 1] - last));
    return fl_payload_keys(&level->payload, keys, ends, count, prefix, false, scratch);
}

/* Appends the level's entries as a frame and forgets them. */
static flowdb_status level_finish(struct fl_index_level *level, struct fl_packer *packer,
                                  enum fl_frame_type type, uint64_t start, struct fl_buffer *out,
                                  size_t *frame_size) {
    const struct fl_alloc *alloc = level->key_bytes.alloc;
    size_t size = level->count * (sizeof(uint64_t) + sizeof(uint32_t));
    uint64_t *scratch = fl_allocate(alloc, size);
    if (scratch == NULL)
        return fl_fail_memory("an index", size);
    fl_payload_begin(&level->payload, level->count, level->count);
    flowdb_status status = add_keys(level, scratch, (uint32_t *)(scratch + level->count));
    if (status == FLOWDB_OK)
        status = add_columns(level, start, scratch);
    if (status == FLOWDB_OK)
        status = fl_payload_finish(&level->payload, packer, type, out, frame_size);
    fl_release(alloc, scratch);
    level->count = 0;
    level->key_bytes.size = level->numbers.size = 0;
    return status;
}

/* What the root says of the partition that the level's entries make. */
static void summarise(const struct fl_index_level *level, struct fl_block_summary *summary) {
    const struct index_row *rows = rows_of(level);
    *summary = rows[0].summary;
    summary->rows = level->count;
    for (uint32_t i = 1; i < level->count; i++) {
        const struct fl_block_summary *next = &rows[i].summary;
        summary->min_ts = FL_MIN(summary->min_ts, next->min_ts);
        summary->max_ts = FL_MAX(summary->max_ts, next->max_ts);
        summary->min_expire_at = FL_MIN(summary->min_expire_at, next->min_expire_at);
        summary->max_expire_at = FL_MAX(summary->max_expire_at, next->max_expire_at);
    }
}

static flowdb_status finish_partition(struct fl_index_builder *builder, struct fl_packer *packer) {
    struct fl_index_level *blocks = &builder->blocks;
    const struct index_row *first = rows_of(blocks);
    struct fl_block_summary summary;
    summarise(blocks, &summary);
    /* The first key is copied before finishing the level forgets it. */
    flowdb_status status = level_add(
        &builder->partitions, flowdb_bytes(blocks->key_bytes.data, first->key_end), &summary, 0, 0);
    size_t frame_size = 0;
    if (status == FLOWDB_OK)
        status = level_finish(blocks, packer, FL_FRAME_PARTITION, first->offset, &builder->frames,
                              &frame_size);
    if (status != FLOWDB_OK)
        return status;
    struct fl_buffer *numbers = &builder->partitions.numbers;
    struct index_row *added =
        (struct index_row *)(void *)(numbers->data + numbers->size - sizeof *added);
    added->size = frame_size;
    return FLOWDB_OK;
}

flowdb_status fl_index_builder_add(struct fl_index_builder *builder, struct fl_packer *packer,
                                   flowdb_slice first_key, const struct fl_block_summary *summary,
                                   uint64_t offset, size_t frame_size) {
    if (builder->blocks.count == FL_PARTITION_BLOCKS) {
        flowdb_status status = finish_partition(builder, packer);
        if (status != FLOWDB_OK)
            return status;
    }
    return level_add(&builder->blocks, first_key, summary, offset, frame_size);
}

flowdb_status fl_index_builder_finish(struct fl_index_builder *builder, struct fl_packer *packer,
                                      uint64_t owner, uint64_t offset, struct fl_buffer *out,
                                      size_t *root_size) {
    flowdb_status status = FLOWDB_OK;
    if (builder->blocks.count > 0)
        status = finish_partition(builder, packer);
    struct fl_buffer *frames = &builder->frames;
    const struct index_row *rows = rows_of(&builder->partitions);
    uint8_t *frame = frames->data;
    uint64_t place = offset;
    for (uint32_t i = 0; status == FLOWDB_OK && i < builder->partitions.count; i++) {
        fl_frame_seal(frame, rows[i].size, owner, place);
        frame += rows[i].size;
        place += rows[i].size;
    }
    size_t before = frames->size;
    if (status == FLOWDB_OK)
        status =
            level_finish(&builder->partitions, packer, FL_FRAME_ROOT, offset, frames, root_size);
    if (status != FLOWDB_OK)
        return status;
    fl_frame_seal(frames->data + before, *root_size, owner, place);
    return fl_buffer_append(out, frames->data, frames->size);
}

size_t fl_index_builder_size(const struct fl_index_builder *builder) {
    return builder->frames.size + builder->blocks.key_bytes.size +
           builder->blocks.count * (size_t)16 + builder->partitions.key_bytes.size;
}
