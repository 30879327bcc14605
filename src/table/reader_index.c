/*
 * Index partitions and the filter of an open table. Those that the budget has room for are resident:
 * in memory until the table is closed, used without counting. The others are read when they are
 * needed and go through the block cache, as blocks do. What is loaded while the budget has room again
 * becomes resident.
 */
#include <inttypes.h>

#include "table/filter.h"
#include "table/reader.h"

#define CACHE_LINE ((size_t)64)
#define MAP_FROM ((size_t)1 << 20) /* smaller regions come from the heap */

/* ------------------------------------------------------------------------------------- budget -- */

void fl_table_charge(struct fl_table *table, size_t bytes) {
    atomic_fetch_add_explicit(&table->charged, bytes, memory_order_relaxed);
    if (table->budget != NULL)
        atomic_fetch_add_explicit(&table->budget->used, bytes, memory_order_relaxed);
}

static void give_back(struct fl_table *table, size_t bytes) {
    atomic_fetch_sub_explicit(&table->charged, bytes, memory_order_relaxed);
    if (table->budget != NULL)
        atomic_fetch_sub_explicit(&table->budget->used, bytes, memory_order_relaxed);
}

static bool has_room(const struct fl_table *table, size_t bytes) {
    if (table->budget == NULL)
        return true;
    size_t used = atomic_load_explicit(&table->budget->used, memory_order_relaxed);
    return used <= table->budget->limit && bytes <= table->budget->limit - used;
}

/* Charges the bytes if there is room for them. */
static bool reserve(struct fl_table *table, size_t bytes) {
    struct fl_index_budget *budget = table->budget;
    if (budget != NULL) {
        size_t used = atomic_load_explicit(&budget->used, memory_order_relaxed);
        do {
            if (used > budget->limit || bytes > budget->limit - used)
                return false;
        } while (!atomic_compare_exchange_weak_explicit(
            &budget->used, &used, used + bytes, memory_order_relaxed, memory_order_relaxed));
    }
    atomic_fetch_add_explicit(&table->charged, bytes, memory_order_relaxed);
    return true;
}

size_t fl_table_index_memory(const struct fl_table *table) {
    return atomic_load_explicit(&table->charged, memory_order_relaxed);
}

/* --------------------------------------------------------------------------------- partitions -- */

static flowdb_status read_partition(struct fl_table *table, uint32_t at,
                                    struct fl_partition **partition) {
    const struct fl_root_entry *entry = &table->index.entries[at];
    struct fl_extent extent = {.offset = entry->offset, .size = entry->size};
    struct fl_buffer buffer;
    struct fl_frame frame;
    fl_buffer_init(&buffer, table->env->alloc);
    flowdb_status status = fl_table_read_frame(table, extent, FL_FRAME_PARTITION, &buffer, &frame);
    if (status == FLOWDB_OK)
        status = fl_table_locate(
            table, fl_partition_decode(&table->index, &table->unpacker, at, &frame, partition),
            entry->offset);
    fl_buffer_deinit(&buffer);
    return status;
}

/* Makes a partition that was just read the resident one, if the budget has room; *use is without
   count then. False: it is the caller's still. */
static bool make_resident(struct fl_table *table, uint32_t at, struct fl_partition *partition,
                          struct fl_partition_use *use) {
    size_t bytes = fl_cache_charge(partition->memory);
    if (!reserve(table, bytes))
        return false;
    struct fl_partition *there = NULL;
    if (atomic_compare_exchange_strong_explicit(&table->index.residents[at], &there, partition,
                                                memory_order_acq_rel, memory_order_acquire)) {
        *use = (struct fl_partition_use){.partition = partition};
        return true;
    }
    give_back(table, bytes);
    fl_cached_unref(&partition->cached);
    *use = (struct fl_partition_use){.partition = there};
    return true;
}

static __attribute__((noinline)) flowdb_status
load_partition(struct fl_table *table, uint32_t at, bool fill_cache, struct fl_partition_use *use) {
    struct fl_cache_slot *slot = &table->index.slots[at];
    struct fl_cached *cached = table->cache != NULL ? fl_cache_get(table->cache, slot) : NULL;
    if (cached == NULL) {
        struct fl_partition *made;
        flowdb_status status = read_partition(table, at, &made);
        if (status != FLOWDB_OK)
            return status;
        if (fill_cache && make_resident(table, at, made, use))
            return FLOWDB_OK;
        cached = &made->cached;
        if (fill_cache && table->cache != NULL)
            cached = fl_cache_put(table->cache, slot, cached, fl_cache_charge(made->memory), true);
    }
    *use = (struct fl_partition_use){.partition = (struct fl_partition *)(void *)cached,
                                     .counted = true};
    return FLOWDB_OK;
}

flowdb_status fl_table_use_partition(struct fl_table *table, uint32_t at, bool fill_cache,
                                     struct fl_partition_use *use) {
    struct fl_partition *resident =
        atomic_load_explicit(&table->index.residents[at], memory_order_acquire);
    if (resident == NULL)
        return load_partition(table, at, fill_cache, use);
    *use = (struct fl_partition_use){.partition = resident};
    return FLOWDB_OK;
}

/* ------------------------------------------------------------------------------------- filter -- */

static bool region_init(struct fl_region *region, const struct fl_alloc *alloc, size_t size) {
    region->mapped = size >= MAP_FROM;
    region->size = region->mapped ? (size + 4095) / 4096 * 4096 : size;
    region->data = region->mapped ? alloc->map(alloc->context, region->size)
                                  : fl_allocate(alloc, region->size);
    return region->data != NULL;
}

static void region_deinit(struct fl_region *region, const struct fl_alloc *alloc) {
    if (region->data != NULL && region->mapped)
        alloc->unmap(alloc->context, region->data, region->size);
    else if (region->data != NULL)
        fl_release(alloc, region->data);
}

static void destroy_filter(struct fl_cached *cached) {
    struct fl_filter *filter = (struct fl_filter *)(void *)cached;
    region_deinit(&filter->region, filter->alloc);
    fl_release(filter->alloc, filter);
}

/* What the filter takes in memory; its frame is read into it whole. */
static size_t filter_charge(const struct fl_table *table) {
    return fl_cache_charge((size_t)table->filter_extent.size + CACHE_LINE) +
           fl_cache_charge(sizeof(struct fl_filter));
}

/* The frame is read so that its payload can be moved down to a cache line's start. */
static flowdb_status fill_filter(struct fl_table *table, struct fl_filter *filter) {
    struct fl_extent extent = table->filter_extent;
    struct fl_frame frame;
    size_t size = (size_t)extent.size + CACHE_LINE;
    if (!region_init(&filter->region, filter->alloc, size))
        return fl_fail_memory("a filter", size);
    uint8_t *aligned = filter->region.data;
    aligned += (CACHE_LINE - (uintptr_t)aligned % CACHE_LINE) % CACHE_LINE;
    flowdb_status status = fl_table_read_bytes(table, extent, aligned);
    if (status == FLOWDB_OK)
        status = fl_table_locate(table,
                                 fl_frame_parse(aligned, (size_t)extent.size, FL_FRAME_FILTER,
                                                table->id, extent.offset, true, &frame),
                                 extent.offset);
    if (status != FLOWDB_OK)
        return status;
    if (frame.filter.size != 1 || *(const uint8_t *)frame.filter.data != 1)
        return fl_table_locate(table, fl_fail(FLOWDB_UNSUPPORTED, "a filter of another kind"),
                               extent.offset);
    if (frame.codec != FL_CODEC_NONE || frame.payload.size == 0 ||
        frame.payload.size % FL_FILTER_BLOCK != 0)
        return fl_table_locate(table, fl_fail(FLOWDB_CORRUPTION, "a filter of a wrong size"),
                               extent.offset);
    memmove(aligned, frame.payload.data, frame.payload.size);
    filter->bits = aligned;
    filter->size = frame.payload.size;
    return FLOWDB_OK;
}

static flowdb_status read_filter(struct fl_table *table, struct fl_filter **filter) {
    struct fl_filter *made = fl_allocate_zeroed(table->env->alloc, 1, sizeof *made);
    if (made == NULL)
        return fl_fail_memory("a filter", sizeof *made);
    fl_cached_init(&made->cached, destroy_filter);
    made->alloc = table->env->alloc;
    flowdb_status status = fill_filter(table, made);
    if (status == FLOWDB_OK)
        *filter = made;
    else
        fl_cached_unref(&made->cached);
    return status;
}

/* Makes the filter resident if the budget has room; true where one is resident then. */
static bool keep_filter(struct fl_table *table, struct fl_filter *filter) {
    size_t bytes = filter_charge(table);
    if (!reserve(table, bytes))
        return false;
    struct fl_filter *there = NULL;
    if (!atomic_compare_exchange_strong_explicit(&table->filter, &there, filter,
                                                 memory_order_acq_rel, memory_order_acquire)) {
        give_back(table, bytes);
        fl_cached_unref(&filter->cached);
    }
    return true;
}

/*
 * The filter through the cache. One that the cache would not keep is not read: that would cost more
 * than the block that it may save. Nor does one that cannot be read stand in the way: what it would
 * have said is found out from the blocks.
 */
static __attribute__((noinline)) bool cached_filter_passes(struct fl_table *table, uint64_t hash) {
    struct fl_cache_slot *slot = &table->filter_slot;
    size_t charge = filter_charge(table);
    if (table->cache == NULL || !fl_cache_keeps(table->cache, charge))
        return true;
    struct fl_cached *cached = fl_cache_get(table->cache, slot);
    if (cached == NULL) {
        struct fl_filter *made;
        if (read_filter(table, &made) != FLOWDB_OK)
            return true;
        bool passes = fl_filter_may_contain(made->bits, made->size, hash);
        if (!keep_filter(table, made))
            fl_cached_unref(fl_cache_put(table->cache, slot, &made->cached, charge, true));
        return passes;
    }
    const struct fl_filter *filter = (const struct fl_filter *)(const void *)cached;
    bool passes = fl_filter_may_contain(filter->bits, filter->size, hash);
    fl_cached_unref(cached);
    return passes;
}

bool fl_table_filter_passes(struct fl_table *table, uint64_t hash) {
    if (table->filter_extent.size == 0)
        return true;
    const struct fl_filter *filter = atomic_load_explicit(&table->filter, memory_order_acquire);
    return filter != NULL ? fl_filter_may_contain(filter->bits, filter->size, hash)
                          : cached_filter_passes(table, hash);
}

/* --------------------------------------------------------------------------------------- memo -- */

/* One in so many keys has to have been found before a memo is made. */
#define MEMO_PART 16

static struct fl_memo *make_memo(struct fl_table *table) {
    uint64_t keys = table->properties.key_count;
    size_t size = fl_memo_size(keys), charge = fl_cache_charge(size);
    struct fl_region region;
    if (!reserve(table, charge))
        return NULL;
    if (!region_init(&region, table->env->alloc, size)) {
        give_back(table, charge);
        return NULL;
    }
    if (!region.mapped)
        memset(region.data, 0, region.size);
    struct fl_memo *memo = (struct fl_memo *)(void *)region.data;
    fl_memo_init(memo, keys);
    table->memo_memory = region;
    atomic_store_explicit(&table->memo, memo, memory_order_release);
    return memo;
}

/*
 * One thread makes it: the one whose count reaches the limit. If it cannot, the counting begins anew:
 * memory may come back. Where there are more blocks than keys, a key goes on for blocks, and where one
 * of its rows was found says little about another: looking there first would mostly be in vain.
 */
struct fl_memo *fl_table_want_memo(struct fl_table *table) {
    struct fl_memo *memo = atomic_load_explicit(&table->memo, memory_order_acquire);
    if (memo != NULL || table->index.block_count >= FL_MEMO_BLOCKS_MAX ||
        table->index.block_count > table->properties.key_count)
        return memo;
    uint64_t limit = table->properties.key_count / MEMO_PART + MEMO_PART;
    if (atomic_fetch_add_explicit(&table->memo_wanted, 1, memory_order_acq_rel) + 1 != limit)
        return NULL;
    memo = make_memo(table);
    if (memo == NULL)
        atomic_store_explicit(&table->memo_wanted, 0, memory_order_release);
    return memo;
}

/* ------------------------------------------------------------------------------ open and close -- */

/* Read one after the other, so that each one's blocks can be seen to follow on the one's before. */
static flowdb_status load_partitions(struct fl_table *table) {
    struct fl_index *index = &table->index;
    uint64_t place = 0, rows = 0;
    for (uint32_t i = 0; i < index->count; i++) {
        struct fl_partition_use use = {0};
        if (!has_room(table, fl_index_partition_memory(index, i)))
            return FLOWDB_OK;
        struct fl_partition *partition;
        flowdb_status status = read_partition(table, i, &partition);
        if (status != FLOWDB_OK)
            return status;
        bool follows = partition->offsets[0] == place;
        place = partition->offsets[partition->keys.count];
        rows += partition->row_count;
        bool resident = make_resident(table, i, partition, &use);
        if (!resident)
            fl_cached_unref(&partition->cached);
        if (!follows)
            return fl_fail(FLOWDB_CORRUPTION,
                           "%s at offset %" PRIu64 ": an index partition does "
                           "not follow on the one before",
                           table->path, index->entries[i].offset);
        if (!resident)
            return FLOWDB_OK;
    }
    return rows == table->properties.row_count
               ? FLOWDB_OK
               : fl_fail(FLOWDB_CORRUPTION, "%s: index and properties differ", table->path);
}

flowdb_status fl_table_load_residents(struct fl_table *table) {
    flowdb_status status = FLOWDB_OK;
    if (table->filter_extent.size > 0 && has_room(table, filter_charge(table))) {
        struct fl_filter *filter;
        status = read_filter(table, &filter);
        if (status == FLOWDB_OK && !keep_filter(table, filter))
            fl_cached_unref(&filter->cached);
    }
    return status == FLOWDB_OK ? load_partitions(table) : status;
}

void fl_table_drop_index(struct fl_table *table) {
    if (table->cache != NULL) {
        for (uint32_t i = 0; i < table->index.count; i++)
            fl_cache_drop(table->cache, &table->index.slots[i]);
        fl_cache_drop(table->cache, &table->filter_slot);
    }
    struct fl_filter *filter = atomic_load_explicit(&table->filter, memory_order_relaxed);
    if (filter != NULL)
        fl_cached_unref(&filter->cached);
    region_deinit(&table->memo_memory, table->env->alloc);
    fl_index_deinit(&table->index);
    give_back(table, atomic_load_explicit(&table->charged, memory_order_relaxed));
}
