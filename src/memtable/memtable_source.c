/*
 * A memtable as a sorted source: the keys from the directory's runs, each key's versions from its
 * array and its late list.
 */
#include "base/bytes.h"
#include "base/hash.h"
#include "memtable/internal.h"

#define TOUCHED_AT_ONCE 16
#define TOUCHED_FROM 4 /* fewer are not worth it */

/* A place in one series, moving through ts in the source's direction. */
struct series_cursor {
    const struct fl_series *series;
    const struct fl_slot *slots;
    uint32_t at, end;           /* forward: [at, end) is left; reverse: [end, at), at - 1 next */
    const struct fl_slot *late; /* the next late version; NULL if none is left */
    uint8_t touched;            /* worth nothing; keeps loads from being left out */
};

/* A place in one run of the directory. */
struct run_cursor {
    const struct fl_directory_run *run;
    size_t at; /* forward: the next item; reverse: one above it */
};

struct memtable_source {
    struct fl_source base;
    struct fl_memtable *memtable;
    struct fl_bounds bounds;
    uint64_t seq;
    bool one_key; /* the bounds hold a single key: no need for the directory */
    struct fl_directory directory;
    struct run_cursor runs[FL_DIRECTORY_RUNS];
    size_t run_count;
    struct series_cursor cursor;
};

static struct memtable_source *source_of(struct fl_source *base) {
    return (struct memtable_source *)(void *)base;
}

/* ------------------------------------------------------------------------------ one series -- */

static const struct fl_slot *late_within(const struct memtable_source *source,
                                         const struct fl_slot *slot) {
    return slot != NULL && slot->ts >= source->bounds.ts_low && slot->ts <= source->bounds.ts_high
               ? slot
               : NULL;
}

/* Enters a series at the first version at or after `ts`, which lies inside the bounds. */
static void enter_series(struct memtable_source *source, const struct fl_series *series,
                         int64_t ts) {
    struct series_cursor *cursor = &source->cursor;
    const struct fl_bounds *bounds = &source->bounds;
    cursor->series = series;
    uint32_t count = fl_series_visible(series, source->seq, &cursor->slots);
    if (bounds->reverse) {
        cursor->end = fl_slots_lower_bound(cursor->slots, count, bounds->ts_low);
        cursor->at = ts == INT64_MAX ? count : fl_slots_lower_bound(cursor->slots, count, ts + 1);
        cursor->late = late_within(source, fl_series_late_before(series, ts, source->seq));
    } else {
        cursor->at = ts == INT64_MIN ? 0 : fl_slots_lower_bound(cursor->slots, count, ts);
        cursor->end = bounds->ts_high == INT64_MAX
                          ? count
                          : fl_slots_lower_bound(cursor->slots, count, bounds->ts_high + 1);
        cursor->late = late_within(source, fl_series_late_at(series, ts, source->seq));
    }
}

/* The late version behind the one at `ts`. */
static const struct fl_slot *next_late(const struct memtable_source *source, int64_t ts) {
    const struct fl_series *series = source->cursor.series;
    if (source->bounds.reverse)
        return ts == INT64_MIN
                   ? NULL
                   : late_within(source, fl_series_late_before(series, ts - 1, source->seq));
    return ts == INT64_MAX ? NULL
                           : late_within(source, fl_series_late_at(series, ts + 1, source->seq));
}

static void set_row(struct memtable_source *source, const struct fl_slot *slot) {
    const uint8_t *entry = slot->entry;
    struct fl_row *row = &source->base.row;
    row->ts = slot->ts;
    row->seq = slot->seq;
    row->expire_at = fl_entry_expire_at(entry);
    row->op = fl_entry_op(entry);
    row->value = fl_entry_value(entry);
}

/* Loads what the next versions consist of, all at once: they were written far apart, and a cache miss
   for each, after the row before it was worked on, takes several times as long. Prefetching them one
   by one brought nothing. */
static void touch_versions(struct series_cursor *cursor) {
    uint32_t count = FL_MIN(cursor->end - cursor->at, (uint32_t)TOUCHED_AT_ONCE);
    const struct fl_slot *slots = cursor->slots + cursor->at;
    if (count < TOUCHED_FROM)
        return;
    uint8_t touched = 0;
    for (uint32_t i = 0; i < count; i++)
        touched ^= slots[i].entry[0];
    for (uint32_t i = 0; i < count; i++)
        touched ^= slots[i].entry[fl_entry_size(slots[i].entry) - 1];
    cursor->touched = touched;
}

/* Takes the next version of the series into the row; false if there is none. */
static bool take_version(struct memtable_source *source) {
    struct series_cursor *cursor = &source->cursor;
    bool reverse = source->bounds.reverse;
    bool array_left = reverse ? cursor->at > cursor->end : cursor->at < cursor->end;
    const struct fl_slot *slot = !array_left ? NULL
                                 : reverse   ? &cursor->slots[cursor->at - 1]
                                             : &cursor->slots[cursor->at];
    const struct fl_slot *late = cursor->late;
    if (slot == NULL && late == NULL)
        return false;
    if (array_left && !reverse && cursor->at % TOUCHED_AT_ONCE == 0)
        touch_versions(cursor);
    if (late == NULL ||
        (slot != NULL && slot->ts != late->ts && (slot->ts > late->ts) == reverse)) {
        cursor->at = reverse ? cursor->at - 1 : cursor->at + 1;
        set_row(source, slot);
        return true;
    }
    if (slot != NULL && slot->ts == late->ts)
        cursor->at = reverse ? cursor->at - 1 : cursor->at + 1;
    set_row(source, slot != NULL && slot->ts == late->ts && slot->seq > late->seq ? slot : late);
    cursor->late = next_late(source, late->ts);
    return true;
}

/* -------------------------------------------------------------------------------- the keys -- */

static const struct fl_series *run_series(const struct run_cursor *run, bool reverse) {
    if (reverse)
        return run->at > 0 ? run->run->items[run->at - 1].series : NULL;
    return run->at < run->run->count ? run->run->items[run->at].series : NULL;
}

/* Takes the next series in order from the runs; NULL at the end or behind the bounds. */
static const struct fl_series *take_series(struct memtable_source *source) {
    bool reverse = source->bounds.reverse;
    struct run_cursor *best = NULL;
    const struct fl_series *next = NULL;
    for (size_t i = 0; i < source->run_count; i++) {
        const struct fl_series *series = run_series(&source->runs[i], reverse);
        if (series == NULL)
            continue;
        int order =
            next != NULL ? fl_slice_compare(fl_series_key(series), fl_series_key(next)) : -1;
        if (next == NULL || (order < 0) != reverse) {
            best = &source->runs[i];
            next = series;
        }
    }
    if (next == NULL)
        return NULL;
    best->at = reverse ? best->at - 1 : best->at + 1;
    flowdb_slice key = fl_series_key(next);
    bool outside =
        reverse ? fl_bounds_below(&source->bounds, key) : fl_bounds_above(&source->bounds, key);
    if (outside)
        source->run_count = 0;
    return outside ? NULL : next;
}

static const struct fl_series *next_series(struct memtable_source *source) {
    return source->one_key ? NULL : take_series(source);
}

static int64_t first_ts(const struct memtable_source *source) {
    return source->bounds.reverse ? source->bounds.ts_high : source->bounds.ts_low;
}

static flowdb_status memtable_source_next(struct fl_source *base) {
    struct memtable_source *source = source_of(base);
    while (!take_version(source)) {
        const struct fl_series *series = next_series(source);
        if (series == NULL) {
            base->valid = false;
            return FLOWDB_OK;
        }
        enter_series(source, series, first_ts(source));
        base->row.key = fl_series_key(series);
    }
    return FLOWDB_OK;
}

/* Puts every run at the first key at or after `key`; an empty key is the start. */
static void seek_runs(struct memtable_source *source, flowdb_slice key) {
    bool reverse = source->bounds.reverse;
    source->run_count = source->directory.count;
    for (size_t i = 0; i < source->run_count; i++) {
        struct run_cursor *run = &source->runs[i];
        run->run = source->directory.runs[i];
        if (key.size == 0) {
            run->at = reverse ? run->run->count : 0;
            continue;
        }
        run->at = fl_directory_run_seek(run->run, key);
        if (reverse && run->at < run->run->count &&
            fl_slice_equal(fl_series_key(run->run->items[run->at].series), key))
            run->at++;
    }
}

static const struct fl_series *seek_series(struct memtable_source *source, flowdb_slice key) {
    const struct fl_bounds *bounds = &source->bounds;
    if (source->one_key) {
        int order = key.size == 0 ? 0 : fl_slice_compare(bounds->key_low, key);
        bool passed = bounds->reverse ? order > 0 : order < 0;
        return passed ? NULL
                      : fl_memtable_find(source->memtable, bounds->key_low,
                                         fl_hash_key(bounds->key_low));
    }
    bool outside = bounds->reverse ? (key.size == 0 && bounds->key_high_kind != FL_BOUND_NONE) ||
                                         fl_bounds_above(bounds, key)
                                   : fl_bounds_below(bounds, key);
    flowdb_slice bound = bounds->reverse ? bounds->key_high : bounds->key_low;
    seek_runs(source, outside ? bound : key);
    return take_series(source);
}

static flowdb_status memtable_source_seek(struct fl_source *base, flowdb_slice key, int64_t ts) {
    struct memtable_source *source = source_of(base);
    const struct fl_bounds *bounds = &source->bounds;
    base->valid = false;
    if (bounds->ts_low > bounds->ts_high)
        return FLOWDB_OK;
    const struct fl_series *series = seek_series(source, key);
    /* An exclusive upper bound may be a key that is there. */
    while (series != NULL && bounds->reverse && fl_bounds_above(bounds, fl_series_key(series)))
        series = next_series(source);
    bool there = series != NULL && fl_slice_equal(fl_series_key(series), key);
    bool key_passed = there && (bounds->reverse ? ts < bounds->ts_low : ts > bounds->ts_high);
    if (key_passed) {
        series = next_series(source);
        there = false;
    }
    if (series == NULL)
        return FLOWDB_OK;
    int64_t from = first_ts(source);
    if (there)
        from = bounds->reverse ? FL_MIN(from, ts) : FL_MAX(from, ts);
    enter_series(source, series, from);
    base->row.key = fl_series_key(series);
    base->valid = true;
    return memtable_source_next(base);
}

/* The rest of the series' array, where its key comes first and nothing lies between its rows. */
static size_t memtable_source_run(const struct fl_source *base, flowdb_slice key, int64_t ts) {
    const struct memtable_source *source = (const struct memtable_source *)(const void *)base;
    const struct series_cursor *cursor = &source->cursor;
    int order = fl_slice_compare(base->row.key, key);
    (void)ts;
    if (cursor->late != NULL || (source->bounds.reverse ? order <= 0 : order >= 0))
        return 0;
    return source->bounds.reverse ? cursor->at - cursor->end : cursor->end - cursor->at;
}

static void memtable_source_close(struct fl_source *base) {
    struct memtable_source *source = source_of(base);
    const struct fl_alloc *alloc = source->memtable->alloc;
    fl_directory_release(alloc, &source->directory);
    fl_release(alloc, source);
}

static bool holds_one_key(const struct fl_bounds *bounds) {
    return bounds->key_high_kind == FL_BOUND_INCLUSIVE && bounds->key_low.size > 0 &&
           fl_slice_equal(bounds->key_low, bounds->key_high);
}

flowdb_status fl_memtable_source(struct fl_memtable *memtable, const struct fl_bounds *bounds,
                                 uint64_t seq, struct fl_source **source) {
    static const struct fl_source_ops ops = {
        .seek = memtable_source_seek,
        .next = memtable_source_next,
        .run = memtable_source_run,
        .close = memtable_source_close,
    };
    struct memtable_source *made = fl_allocate(memtable->alloc, sizeof *made);
    if (made == NULL)
        return fl_fail_memory("a scan of a memtable", sizeof *made);
    struct memtable_source initial = {.base.ops = &ops,
                                      .memtable = memtable,
                                      .bounds = *bounds,
                                      .seq = seq,
                                      .one_key = holds_one_key(bounds)};
    memcpy(made, &initial, sizeof initial);
    flowdb_status status =
        made->one_key ? FLOWDB_OK : fl_memtable_directory(memtable, &made->directory);
    if (status != FLOWDB_OK) {
        fl_release(memtable->alloc, made);
        return status;
    }
    *source = &made->base;
    return FLOWDB_OK;
}
