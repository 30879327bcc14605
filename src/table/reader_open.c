/* Opening a table: the parts that are read, verified and kept. And its end. */
#include <inttypes.h>

#include "table/reader.h"

/* -------------------------------------------------------------------------------------- frames -- */

flowdb_status fl_table_read_bytes(struct fl_table *table, struct fl_extent extent, uint8_t *into) {
    size_t got;
    flowdb_status status =
        fl_file_read_at(table->file, extent.offset, into, (size_t)extent.size, &got);
    if (status == FLOWDB_OK && got < extent.size)
        status = fl_fail(FLOWDB_CORRUPTION, "%s: cut off at offset %" PRIu64, table->path,
                         extent.offset + got);
    return status;
}

flowdb_status fl_table_locate(const struct fl_table *table, flowdb_status status, uint64_t offset) {
    if (status == FLOWDB_OK)
        return FLOWDB_OK;
    return fl_fail_within(status, "%s at offset %" PRIu64, table->path, offset);
}

static flowdb_status parse(const struct fl_table *table, const uint8_t *bytes,
                           struct fl_extent extent, enum fl_frame_type type,
                           struct fl_frame *frame) {
    return fl_table_locate(
        table,
        fl_frame_parse(bytes, (size_t)extent.size, type, table->id, extent.offset, true, frame),
        extent.offset);
}

flowdb_status fl_table_read_frame(struct fl_table *table, struct fl_extent extent,
                                  enum fl_frame_type type, struct fl_buffer *buffer,
                                  struct fl_frame *frame) {
    buffer->size = 0;
    flowdb_status status = fl_buffer_reserve(buffer, (size_t)extent.size);
    if (status == FLOWDB_OK)
        status = fl_table_read_bytes(table, extent, buffer->data);
    if (status == FLOWDB_OK)
        status = parse(table, buffer->data, extent, type, frame);
    return status;
}

/* --------------------------------------------------------------------------------------- parts -- */

static flowdb_status open_footer(struct fl_table *table, uint64_t expected_size,
                                 struct fl_footer *footer) {
    uint64_t size;
    uint8_t tail[FL_FOOTER_MAX];
    flowdb_status status = fl_file_size(table->file, &size);
    if (status != FLOWDB_OK)
        return status;
    if (size != expected_size)
        return fl_fail(FLOWDB_CORRUPTION, "%s has %" PRIu64 " bytes where %" PRIu64 " are expected",
                       table->path, size, expected_size);
    uint64_t tail_size = FL_MIN(size, (uint64_t)sizeof tail);
    struct fl_extent extent = {.offset = size - tail_size, .size = tail_size};
    status = fl_table_read_bytes(table, extent, tail);
    if (status != FLOWDB_OK)
        return status;
    table->properties.file_size = size;
    status = fl_footer_decode(tail, (size_t)tail_size, table->id, size, footer);
    return fl_table_locate(table, status, extent.offset);
}

static flowdb_status open_properties(struct fl_table *table, const struct fl_footer *footer,
                                     struct fl_buffer *buffer) {
    struct fl_frame frame;
    flowdb_slice min_key = {0}, max_key = {0};
    flowdb_status status =
        fl_table_read_frame(table, footer->properties, FL_FRAME_PROPERTIES, buffer, &frame);
    if (status != FLOWDB_OK)
        return status;
    if (frame.codec != FL_CODEC_NONE)
        status = fl_fail(FLOWDB_CORRUPTION, "compressed properties");
    if (status == FLOWDB_OK)
        status = fl_properties_decode(frame.payload, &table->properties, &min_key, &max_key);
    if (status != FLOWDB_OK)
        return fl_table_locate(table, status, footer->properties.offset);
    table->keys = fl_allocate(table->env->alloc, min_key.size + max_key.size);
    if (table->keys == NULL)
        return fl_fail_memory("a table's bounds", min_key.size + max_key.size);
    memcpy(table->keys, min_key.data, min_key.size);
    memcpy(table->keys + min_key.size, max_key.data, max_key.size);
    table->min_key = flowdb_bytes(table->keys, min_key.size);
    table->max_key = flowdb_bytes(table->keys + min_key.size, max_key.size);
    return FLOWDB_OK;
}

static flowdb_status open_index(struct fl_table *table, const struct fl_footer *footer,
                                struct fl_buffer *buffer) {
    struct fl_frame frame;
    struct fl_extent partitions = {.offset = footer->tombstones.offset + footer->tombstones.size};
    partitions.size = footer->root.offset - partitions.offset;
    if (footer->root.size == 0) {
        if (partitions.size != 0 || footer->data_end != 0)
            return fl_fail(FLOWDB_CORRUPTION, "%s: there is no index", table->path);
        return FLOWDB_OK;
    }
    flowdb_status status = fl_table_read_frame(table, footer->root, FL_FRAME_ROOT, buffer, &frame);
    if (status != FLOWDB_OK)
        return status;
    status = fl_index_init(&table->index, table->env->alloc, &table->unpacker, &frame, partitions,
                           footer->data_end);
    return fl_table_locate(table, status, footer->root.offset);
}

/* One for each block, where there is a cache. */
static flowdb_status open_slots(struct fl_table *table) {
    size_t count = (size_t)table->index.block_count;
    if (table->cache == NULL || count == 0)
        return FLOWDB_OK;
    table->slots = fl_allocate_zeroed(table->env->alloc, count, sizeof *table->slots);
    return table->slots != NULL
               ? FLOWDB_OK
               : fl_fail_memory("a table's cache slots", count * sizeof *table->slots);
}

static flowdb_status open_tombstones(struct fl_table *table, const struct fl_footer *footer,
                                     struct fl_buffer *buffer) {
    struct fl_frame frame;
    if (footer->tombstones.size == 0)
        return FLOWDB_OK;
    flowdb_status status =
        fl_table_read_frame(table, footer->tombstones, FL_FRAME_TOMBSTONES, buffer, &frame);
    if (status != FLOWDB_OK)
        return status;
    status = fl_tombstones_decode(table->env->alloc, &table->unpacker, &frame, &table->tombstones,
                                  &table->tombstone_count, &table->tombstone_memory);
    return fl_table_locate(table, status, footer->tombstones.offset);
}

/* The parts were verified one by one; do they belong together? */
static flowdb_status check_counts(const struct fl_table *table) {
    const struct fl_table_properties *properties = &table->properties;
    bool fine = properties->block_count == table->index.block_count &&
                (properties->row_count == 0) == (table->index.block_count == 0) &&
                properties->range_tombstone_count == table->tombstone_count;
    return fine ? FLOWDB_OK
                : fl_fail(FLOWDB_CORRUPTION, "%s: index and properties differ", table->path);
}

/* What stays in memory whatever the budget says. */
static size_t fixed_memory(const struct fl_table *table) {
    size_t slots = table->slots != NULL ? (size_t)table->index.block_count : 0;
    return sizeof *table + fl_cache_charge(table->min_key.size + table->max_key.size) +
           fl_cache_charge(table->index.memory_size) + fl_table_tombstone_memory(table) +
           fl_cache_charge(slots * sizeof *table->slots);
}

static flowdb_status open_parts(struct fl_table *table, uint64_t expected_size) {
    struct fl_footer footer;
    struct fl_buffer buffer;
    flowdb_status status = open_footer(table, expected_size, &footer);
    if (status != FLOWDB_OK)
        return status;
    table->data_end = footer.data_end;
    table->filter_extent = footer.filter;
    fl_buffer_init(&buffer, table->env->alloc);
    status = open_properties(table, &footer, &buffer);
    if (status == FLOWDB_OK)
        status = open_index(table, &footer, &buffer);
    if (status == FLOWDB_OK)
        status = open_tombstones(table, &footer, &buffer);
    if (status == FLOWDB_OK)
        status = check_counts(table);
    if (status == FLOWDB_OK)
        status = open_slots(table);
    fl_buffer_deinit(&buffer);
    if (status != FLOWDB_OK)
        return status;
    fl_table_charge(table, fixed_memory(table));
    return fl_table_load_residents(table);
}

/* ------------------------------------------------------------------------------------ lifetime -- */

static void destroy(struct fl_table *table) {
    const struct fl_alloc *alloc = table->env->alloc;
    for (uint64_t i = 0; table->slots != NULL && i < table->index.block_count; i++)
        fl_cache_drop(table->cache, &table->slots[i]);
    fl_release(alloc, table->slots);
    fl_file_close(table->file);
    fl_table_drop_index(table);
    fl_unpacker_deinit(&table->unpacker);
    if (table->tombstones != NULL)
        fl_release(alloc, table->tombstones);
    if (table->keys != NULL)
        fl_release(alloc, table->keys);
    if (table->path != NULL)
        fl_release(alloc, table->path);
    fl_release(alloc, table);
}

flowdb_status fl_table_open(const struct fl_env *env, const char *path, uint64_t table_id,
                            uint64_t expected_size, struct fl_table **table) {
    static const struct fl_table_shared nothing = {0};
    return fl_table_open_shared(env, path, table_id, expected_size, &nothing, table);
}

flowdb_status fl_table_open_shared(const struct fl_env *env, const char *path, uint64_t table_id,
                                   uint64_t expected_size, const struct fl_table_shared *shared,
                                   struct fl_table **table) {
    struct fl_table *made = fl_allocate_zeroed(env->alloc, 1, sizeof *made);
    if (made == NULL)
        return fl_fail_memory("a table", sizeof *made);
    made->env = env;
    made->id = table_id;
    made->index.alloc = env->alloc;
    made->cache = shared->cache;
    made->budget = shared->budget;
    atomic_init(&made->refs, 1);
    atomic_init(&made->obsolete, false);
    fl_unpacker_init(&made->unpacker, env->alloc);
    made->path = fl_duplicate(env->alloc, path, strlen(path));
    flowdb_status status =
        made->path != NULL ? FLOWDB_OK : fl_fail_memory("a table's path", strlen(path));
    if (status == FLOWDB_OK)
        status = fl_fs_open(env->fs, path, FL_OPEN_READ, &made->file);
    if (status == FLOWDB_OK)
        status = open_parts(made, expected_size);
    if (status == FLOWDB_OK)
        *table = made;
    else
        destroy(made);
    return status;
}

void fl_table_unref(struct fl_table *table) {
    if (table == NULL || atomic_fetch_sub_explicit(&table->refs, 1, memory_order_acq_rel) != 1)
        return;
    /* A file that could not be removed is listed nowhere: opening the directory removes it. */
    if (atomic_load_explicit(&table->obsolete, memory_order_relaxed))
        (void)fl_fs_remove(table->env->fs, table->path);
    destroy(table);
}
