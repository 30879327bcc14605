#include "memtable/memtable.h"

#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "memtable/internal.h"

#define SLAB_FIRST 8 /* series in the first slab; each next one is twice as large, up to */
#define SLAB_LARGEST 512
#define TABLE_SMALLEST 64 /* slots */

/* How many series a hash table of so many slots takes before it is outgrown. */
static uint64_t room_of(uint64_t slots) {
    return slots / 4 * 3;
}

static flowdb_status make_table(struct fl_memtable *memtable, uint64_t slots,
                                struct fl_series_table **table) {
    size_t size = sizeof **table + slots * sizeof(uint64_t);
    struct fl_series_table *made = fl_arena_allocate(&memtable->arena, size);
    if (made == NULL)
        return FLOWDB_NO_MEMORY;
    memset(made, 0, size);
    made->mask = slots - 1;
    *table = made;
    return FLOWDB_OK;
}

flowdb_status fl_memtable_create(const struct fl_alloc *alloc, struct fl_chunk_pool *pool,
                                 size_t expected_series, struct fl_memtable **memtable) {
    struct fl_memtable *made = fl_allocate_zeroed(alloc, 1, sizeof *made);
    if (made == NULL)
        return fl_fail_memory("a memtable", sizeof *made);
    made->alloc = alloc;
    made->pool = pool;
    made->first_step = fl_series_step(0);
    made->number = atomic_fetch_add(&pool->holders, 1) + 1;
    atomic_init(&made->refs, 1);
    fl_arena_init(&made->arena, pool);
    pthread_mutex_init(&made->lock, NULL);
    uint64_t slots = TABLE_SMALLEST;
    while (room_of(slots) < expected_series)
        slots *= 2;
    struct fl_series_table *table = NULL;
    flowdb_status status = make_table(made, slots, &table);
    if (status != FLOWDB_OK) {
        fl_memtable_unref(made);
        return status;
    }
    atomic_init(&made->table, table);
    *memtable = made;
    return FLOWDB_OK;
}

void fl_memtable_expect(struct fl_memtable *memtable, uint64_t versions) {
    memtable->first_step = fl_series_step(versions);
}

void fl_memtable_ref(struct fl_memtable *memtable) {
    atomic_fetch_add_explicit(&memtable->refs, 1, memory_order_relaxed);
}

void fl_memtable_unref(struct fl_memtable *memtable) {
    if (memtable == NULL ||
        atomic_fetch_sub_explicit(&memtable->refs, 1, memory_order_acq_rel) != 1)
        return;
    fl_directory_release(memtable->alloc, &memtable->directory);
    fl_skyline_unref(memtable->skyline);
    for (size_t i = 0; i < memtable->held_count; i++)
        fl_chunk_unref(memtable->held[i]);
    fl_release(memtable->alloc, memtable->held);
    fl_release(memtable->alloc, memtable->prepared);
    fl_arena_deinit(&memtable->arena);
    pthread_mutex_destroy(&memtable->lock);
    fl_release(memtable->alloc, memtable);
}

/* ------------------------------------------------------------------------------ hash table -- */

static struct fl_series *series_of(uint64_t word) {
    return (struct fl_series *)(uintptr_t)(word & FL_SLOT_ADDRESS); /* NOLINT: that is the idea */
}

struct fl_series *fl_memtable_find(const struct fl_memtable *memtable, flowdb_slice key,
                                   uint64_t hash) {
    if (atomic_load_explicit(&memtable->series_count, memory_order_acquire) == 0)
        return NULL;
    const struct fl_series_table *table =
        atomic_load_explicit(&memtable->table, memory_order_acquire);
    for (uint64_t at = hash & table->mask;; at = (at + 1) & table->mask) {
        uint64_t word = atomic_load_explicit(&table->slots[at], memory_order_acquire);
        if (word == 0)
            return NULL;
        if (((word ^ hash) & ~FL_SLOT_ADDRESS) != 0)
            continue;
        struct fl_series *series = series_of(word);
        /* The first entry lies around its key, and is mostly what is wanted next. */
        __builtin_prefetch(series->key + 64);
        __builtin_prefetch(series->key + 128);
        if (fl_key_equal(fl_series_key(series), key))
            return series;
    }
}

/* `high` has the hash's high bits, and anything below. */
static void insert_slot(struct fl_series_table *table, uint64_t high, struct fl_series *series) {
    uint64_t at = series->hash & table->mask;
    while (atomic_load_explicit(&table->slots[at], memory_order_relaxed) != 0)
        at = (at + 1) & table->mask;
    uint64_t word = (high & ~FL_SLOT_ADDRESS) | (uint64_t)(uintptr_t)series;
    atomic_store_explicit(&table->slots[at], word, memory_order_release);
}

static flowdb_status grow_table(struct fl_memtable *memtable) {
    struct fl_series_table *old = atomic_load_explicit(&memtable->table, memory_order_relaxed);
    struct fl_series_table *grown = NULL;
    flowdb_status status = make_table(memtable, (old->mask + 1) * 2, &grown);
    if (status != FLOWDB_OK)
        return status;
    /* Where a word goes its series' hash tells, which is a cache miss away. */
    enum { AHEAD = 16 };
    for (uint64_t i = 0; i <= old->mask; i++) {
        uint64_t ahead = (i + AHEAD) & old->mask;
        __builtin_prefetch(
            series_of(atomic_load_explicit(&old->slots[ahead], memory_order_relaxed)));
        uint64_t word = atomic_load_explicit(&old->slots[i], memory_order_relaxed);
        if (word != 0)
            insert_slot(grown, word, series_of(word));
    }
    atomic_store_explicit(&memtable->table, grown, memory_order_release);
    return FLOWDB_OK;
}

static flowdb_status add_slab(struct fl_memtable *memtable) {
    struct fl_slab *last = memtable->last_slab;
    uint32_t capacity = last == NULL ? SLAB_FIRST : FL_MIN(last->capacity * 2, SLAB_LARGEST);
    struct fl_slab *slab =
        fl_arena_allocate(&memtable->arena, sizeof *slab + capacity * sizeof slab->series[0]);
    if (slab == NULL)
        return FLOWDB_NO_MEMORY;
    atomic_init(&slab->next, NULL);
    slab->capacity = capacity;
    if (last == NULL)
        memtable->first_slab = slab;
    else
        atomic_store_explicit(&last->next, slab, memory_order_release);
    memtable->last_slab = slab;
    memtable->last_slab_used = 0;
    return FLOWDB_OK;
}

static flowdb_status make_series(struct fl_memtable *memtable, flowdb_slice key, uint64_t hash,
                                 struct fl_series **series) {
    uint64_t count = atomic_load_explicit(&memtable->series_count, memory_order_relaxed);
    const struct fl_series_table *table =
        atomic_load_explicit(&memtable->table, memory_order_relaxed);
    flowdb_status status = FLOWDB_OK;
    if (count >= room_of(table->mask + 1))
        status = grow_table(memtable);
    if (status == FLOWDB_OK &&
        (memtable->last_slab == NULL || memtable->last_slab_used == memtable->last_slab->capacity))
        status = add_slab(memtable);
    if (status != FLOWDB_OK)
        return status;
    struct fl_series *made = &memtable->last_slab->series[memtable->last_slab_used++];
    fl_series_init(made, key, hash);
    insert_slot(atomic_load_explicit(&memtable->table, memory_order_relaxed), hash, made);
    atomic_store_explicit(&memtable->series_count, count + 1, memory_order_release);
    *series = made;
    return FLOWDB_OK;
}

/* ----------------------------------------------------------------------------------- write -- */

static flowdb_status hold_chunk(struct fl_memtable *memtable, struct fl_chunk *chunk) {
    if (chunk->holder == memtable->number)
        return FLOWDB_OK;
    if (memtable->held_count == memtable->held_capacity) {
        size_t capacity = FL_MAX(memtable->held_capacity * 2, (size_t)64);
        struct fl_chunk **held =
            fl_reallocate(memtable->alloc, memtable->held, capacity * sizeof *held);
        if (held == NULL)
            return fl_fail_memory("a memtable's chunks", capacity * sizeof *held);
        memtable->held = held;
        memtable->held_capacity = capacity;
    }
    fl_chunk_ref(chunk);
    chunk->holder = memtable->number;
    memtable->held[memtable->held_count++] = chunk;
    return FLOWDB_OK;
}

static flowdb_status reserve_prepared(struct fl_memtable *memtable, size_t count) {
    if (count <= memtable->prepared_capacity)
        return FLOWDB_OK;
    size_t capacity = FL_MAX(count, memtable->prepared_capacity * 2);
    struct fl_prepared *prepared =
        fl_reallocate(memtable->alloc, memtable->prepared, capacity * sizeof *prepared);
    if (prepared == NULL)
        return fl_fail_memory("a commit", capacity * sizeof *prepared);
    memtable->prepared = prepared;
    memtable->prepared_capacity = capacity;
    return FLOWDB_OK;
}

/* Readers may be in the array: it grows into new memory. */
static flowdb_status prepare_range(struct fl_memtable *memtable, const uint8_t *entry,
                                   uint64_t seq) {
    size_t used = atomic_load_explicit(&memtable->range_count, memory_order_relaxed) +
                  memtable->prepared_ranges;
    struct fl_range_tombstone *ranges =
        atomic_load_explicit(&memtable->ranges, memory_order_relaxed);
    if (used == memtable->range_capacity) {
        size_t capacity = FL_MAX(memtable->range_capacity * 2, (size_t)4);
        struct fl_range_tombstone *grown =
            fl_arena_allocate(&memtable->arena, capacity * sizeof *grown);
        if (grown == NULL)
            return FLOWDB_NO_MEMORY;
        if (used > 0)
            memcpy(grown, ranges, used * sizeof *grown);
        atomic_store_explicit(&memtable->ranges, grown, memory_order_release);
        memtable->range_capacity = capacity;
        ranges = grown;
    }
    ranges[used] = (struct fl_range_tombstone){.start = fl_entry_key(entry),
                                               .end = fl_entry_value(entry),
                                               .seq = seq,
                                               .ts_start = INT64_MIN,
                                               .ts_end = INT64_MAX};
    memtable->prepared_ranges++;
    return FLOWDB_OK;
}

static flowdb_status prepare_entry(struct fl_memtable *memtable, const uint8_t *entry,
                                   uint64_t hash, uint64_t seq) {
    struct fl_prepared *prepared = &memtable->prepared[memtable->prepared_count];
    if (fl_entry_op(entry) == FL_OP_DELETE_RANGE) {
        flowdb_status status = prepare_range(memtable, entry, seq);
        if (status == FLOWDB_OK) {
            *prepared = (struct fl_prepared){0};
            memtable->prepared_count++;
        }
        return status;
    }
    flowdb_slice key = fl_entry_key(entry);
    struct fl_series *series = fl_memtable_find(memtable, key, hash);
    flowdb_status status = series != NULL ? FLOWDB_OK : make_series(memtable, key, hash, &series);
    if (status != FLOWDB_OK)
        return status;
    struct fl_slot slot = {.ts = fl_entry_ts(entry), .seq = seq, .entry = entry};
    prepared->series = series;
    status =
        fl_series_prepare(series, &memtable->arena, memtable->first_step, &slot, &prepared->node);
    if (status == FLOWDB_OK)
        memtable->prepared_count++;
    return status;
}

static void prefetch_slots(const struct fl_memtable *memtable, const uint64_t *hashes,
                           uint32_t count) {
    const struct fl_series_table *table =
        atomic_load_explicit(&memtable->table, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++)
        __builtin_prefetch(&table->slots[hashes[i] & table->mask], 1);
}

flowdb_status fl_memtable_prepare(struct fl_memtable *memtable,
                                  const struct fl_memtable_batch *batch) {
    memtable->before_held = memtable->held_count;
    memtable->before_series = atomic_load_explicit(&memtable->series_count, memory_order_relaxed);
    flowdb_status status = hold_chunk(memtable, batch->chunk);
    if (status == FLOWDB_OK)
        status = reserve_prepared(memtable, batch->count);
    enum { AHEAD = 64 };
    const uint8_t *entry = batch->entries;
    for (uint32_t i = 0; i < batch->count && status == FLOWDB_OK; i++) {
        if (i % AHEAD == 0)
            prefetch_slots(memtable, batch->hashes + i, FL_MIN(batch->count - i, (uint32_t)AHEAD));
        status = prepare_entry(memtable, entry, batch->hashes[i], batch->first_seq + i);
        entry += fl_entry_size(entry);
    }
    memtable->prepared_charge = batch->charge;
    if (status != FLOWDB_OK)
        fl_memtable_cancel(memtable);
    return status;
}

static void add_relaxed(_Atomic uint64_t *counter, uint64_t more) {
    /* The writer alone changes it. */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

void fl_memtable_publish(struct fl_memtable *memtable) {
    for (size_t i = 0; i < memtable->prepared_count; i++) {
        struct fl_prepared *prepared = &memtable->prepared[i];
        if (prepared->series == NULL)
            continue;
        if (prepared->node != NULL)
            fl_series_publish_late(prepared->series, prepared->node);
        else
            fl_series_publish(prepared->series);
    }
    if (memtable->prepared_ranges > 0) {
        size_t count = atomic_load_explicit(&memtable->range_count, memory_order_relaxed);
        atomic_store_explicit(&memtable->range_count, count + memtable->prepared_ranges,
                              memory_order_release);
    }
    add_relaxed(&memtable->record_count, memtable->prepared_count);
    add_relaxed(&memtable->charge, memtable->prepared_charge);
    memtable->prepared_count = 0;
    memtable->prepared_ranges = 0;
    memtable->before_held = memtable->held_count;
}

/* Gives back the chunk that was taken for a cancelled batch: writes that fail again and again must
   not pile up. New series stay, and their keys lie in it. */
static void let_go_of_chunk(struct fl_memtable *memtable) {
    uint64_t series = atomic_load_explicit(&memtable->series_count, memory_order_relaxed);
    if (memtable->held_count == memtable->before_held || series != memtable->before_series)
        return;
    struct fl_chunk *chunk = memtable->held[--memtable->held_count];
    chunk->holder = 0;
    fl_chunk_unref(chunk);
}

void fl_memtable_cancel(struct fl_memtable *memtable) {
    for (size_t i = 0; i < memtable->prepared_count; i++) {
        if (memtable->prepared[i].series != NULL)
            fl_series_cancel(memtable->prepared[i].series);
    }
    memtable->prepared_count = 0;
    memtable->prepared_ranges = 0;
    let_go_of_chunk(memtable);
}

uint64_t fl_memtable_bytes(const struct fl_memtable *memtable) {
    return atomic_load_explicit(&memtable->charge, memory_order_relaxed) + memtable->arena.bytes;
}

uint64_t fl_memtable_records(const struct fl_memtable *memtable) {
    return atomic_load_explicit(&memtable->record_count, memory_order_relaxed);
}

uint64_t fl_memtable_series(const struct fl_memtable *memtable) {
    return atomic_load_explicit(&memtable->series_count, memory_order_relaxed);
}

bool fl_memtable_empty(const struct fl_memtable *memtable) {
    return fl_memtable_records(memtable) == 0;
}
