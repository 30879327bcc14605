/* Point reads, range tombstones and the order of the keys, for readers beside a writer. */
#include "base/bytes.h"
#include "memtable/internal.h"

static bool show_slot(const struct fl_slot *slot, flowdb_slice key, struct fl_row *row) {
    if (slot == NULL)
        return false;
    *row = (struct fl_row){.key = key,
                           .ts = slot->ts,
                           .seq = slot->seq,
                           .expire_at = fl_entry_expire_at(slot->entry),
                           .value = fl_entry_value(slot->entry),
                           .op = fl_entry_op(slot->entry)};
    return true;
}

bool fl_memtable_get(const struct fl_memtable *memtable, flowdb_slice key, uint64_t hash,
                     int64_t ts, uint64_t seq, struct fl_row *row) {
    const struct fl_series *series = fl_memtable_find(memtable, key, hash);
    return series != NULL && show_slot(fl_series_get(series, ts, seq), key, row);
}

bool fl_memtable_latest(const struct fl_memtable *memtable, flowdb_slice key, uint64_t hash,
                        int64_t ts, uint64_t seq, struct fl_row *row) {
    const struct fl_series *series = fl_memtable_find(memtable, key, hash);
    return series != NULL && show_slot(fl_series_latest(series, ts, seq), key, row);
}

/* ----------------------------------------------------------------------- range tombstones -- */

/* As many tombstones outside the skyline as this are looked through one by one: rebuilding at each
   would make a mix of range deletes and reads quadratic. */
static size_t rest_limit(const struct fl_memtable *memtable) {
    return 16 + (memtable->skyline != NULL ? memtable->skyline->count / 256 : 0);
}

static size_t visible_ranges(const struct fl_range_tombstone *ranges, size_t count, uint64_t seq) {
    while (count > 0 && ranges[count - 1].seq > seq)
        count--;
    return count;
}

/* A snapshot from before the cached skyline's newest tombstone: one of its own. */
static flowdb_status old_ranges(struct fl_memtable *memtable,
                                const struct fl_range_tombstone *ranges, size_t count,
                                struct fl_memtable_ranges *out) {
    struct fl_skyline *skyline;
    flowdb_status status = fl_skyline_build(memtable->alloc, NULL, ranges, count, &skyline);
    if (status == FLOWDB_OK)
        *out = (struct fl_memtable_ranges){.skyline = skyline};
    return status;
}

bool fl_memtable_has_ranges(const struct fl_memtable *memtable) {
    return atomic_load_explicit(&memtable->range_count, memory_order_acquire) > 0;
}

flowdb_status fl_memtable_ranges(struct fl_memtable *memtable, uint64_t seq,
                                 struct fl_memtable_ranges *out) {
    size_t count = atomic_load_explicit(&memtable->range_count, memory_order_acquire);
    const struct fl_range_tombstone *ranges =
        atomic_load_explicit(&memtable->ranges, memory_order_acquire);
    count = visible_ranges(ranges, count, seq);
    if (count == 0) {
        *out = (struct fl_memtable_ranges){0};
        return FLOWDB_OK;
    }
    flowdb_status status = FLOWDB_OK;
    pthread_mutex_lock(&memtable->lock);
    if (count < memtable->skyline_ranges) {
        pthread_mutex_unlock(&memtable->lock);
        return old_ranges(memtable, ranges, count, out);
    }
    size_t rest = count - memtable->skyline_ranges;
    if (rest > rest_limit(memtable)) {
        struct fl_skyline *built;
        status = fl_skyline_build(memtable->alloc, memtable->skyline,
                                  ranges + memtable->skyline_ranges, rest, &built);
        if (status == FLOWDB_OK) {
            fl_skyline_unref(memtable->skyline);
            memtable->skyline = built;
            memtable->skyline_ranges = count;
            rest = 0;
        }
    }
    if (status == FLOWDB_OK) {
        fl_skyline_ref(memtable->skyline);
        *out = (struct fl_memtable_ranges){
            .skyline = memtable->skyline, .rest = ranges + (count - rest), .rest_count = rest};
    }
    pthread_mutex_unlock(&memtable->lock);
    return status;
}

void fl_memtable_ranges_release(struct fl_memtable_ranges *ranges) {
    fl_skyline_unref(ranges->skyline);
    *ranges = (struct fl_memtable_ranges){0};
}

uint64_t fl_memtable_ranges_seq(const struct fl_memtable_ranges *ranges, flowdb_slice key) {
    /* The rest is newer than the skyline, and in order: the last one that covers is the answer. */
    for (size_t i = ranges->rest_count; i-- > 0;) {
        const struct fl_range_tombstone *range = &ranges->rest[i];
        if (fl_slice_compare(range->start, key) <= 0 &&
            (range->end.size == 0 || fl_slice_compare(key, range->end) < 0))
            return range->seq;
    }
    return fl_skyline_seq(ranges->skyline, key);
}

const struct fl_range_tombstone *fl_memtable_range_tombstones(const struct fl_memtable *memtable,
                                                              size_t *count) {
    *count = atomic_load_explicit(&memtable->range_count, memory_order_acquire);
    return atomic_load_explicit(&memtable->ranges, memory_order_acquire);
}

/* ------------------------------------------------------------------------------- directory -- */

/* Collects the series that are not in the directory yet; the caller holds the lock. */
static void collect_new(struct fl_memtable *memtable, const struct fl_series **series,
                        uint64_t count) {
    const struct fl_slab *slab = memtable->directory_slab;
    uint32_t used = memtable->directory_slab_used;
    if (slab == NULL)
        slab = memtable->first_slab;
    for (uint64_t i = 0; i < count; i++) {
        if (used == slab->capacity) {
            slab = atomic_load_explicit(&slab->next, memory_order_acquire);
            used = 0;
        }
        series[i] = &slab->series[used++];
    }
    memtable->directory_slab = slab;
    memtable->directory_slab_used = used;
}

/* The caller holds the lock. */
static flowdb_status extend_directory(struct fl_memtable *memtable, uint64_t more) {
    const struct fl_series **series = fl_allocate(memtable->alloc, more * sizeof(*series));
    if (series == NULL)
        return fl_fail_memory("the order of a memtable's keys", more * sizeof(*series));
    const struct fl_slab *slab = memtable->directory_slab;
    uint32_t used = memtable->directory_slab_used;
    collect_new(memtable, series, more);
    struct fl_directory_run *run;
    flowdb_status status = fl_directory_run_create(memtable->alloc, series, (size_t)more, &run);
    if (status == FLOWDB_OK)
        status = fl_directory_add(memtable->alloc, &memtable->directory, run);
    if (status == FLOWDB_OK) {
        memtable->directory_series += more;
    } else {
        memtable->directory_slab = slab;
        memtable->directory_slab_used = used;
    }
    fl_release(memtable->alloc, series);
    return status;
}

flowdb_status fl_memtable_directory(struct fl_memtable *memtable, struct fl_directory *directory) {
    flowdb_status status = FLOWDB_OK;
    pthread_mutex_lock(&memtable->lock);
    uint64_t count = atomic_load_explicit(&memtable->series_count, memory_order_acquire);
    if (count > memtable->directory_series)
        status = extend_directory(memtable, count - memtable->directory_series);
    if (status == FLOWDB_OK)
        fl_directory_copy(&memtable->directory, directory);
    pthread_mutex_unlock(&memtable->lock);
    return status;
}
