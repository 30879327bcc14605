#include "memtable/directory.h"

#include <stdlib.h>

#include "base/bytes.h"

#define RADIX_FROM 512 /* items; below, a comparison sort is as fast */

static uint64_t head_behind(const struct fl_series *series, uint32_t prefix) {
    return fl_get_head(series->key + prefix, series->key_size - prefix);
}

/* Orders by head; where heads tie, by the keys. */
static int compare_items(const void *left, const void *right) {
    const struct fl_directory_item *a = left, *b = right;
    if (a->head != b->head)
        return a->head < b->head ? -1 : 1;
    return fl_slice_compare(fl_series_key(a->series), fl_series_key(b->series));
}

/* Least significant digit first, a byte at a time, skipping bytes in which all heads agree. Stable.
   Returns where the sorted items are: `items` or `spare`. */
static struct fl_directory_item *radix_sort(struct fl_directory_item *items,
                                            struct fl_directory_item *spare, size_t count) {
    uint64_t differing = 0;
    for (size_t i = 1; i < count; i++)
        differing |= items[i].head ^ items[0].head;
    for (unsigned shift = 0; shift < 64; shift += 8) {
        if (((differing >> shift) & 0xFF) == 0)
            continue;
        size_t starts[256] = {0};
        for (size_t i = 0; i < count; i++)
            starts[(items[i].head >> shift) & 0xFF]++;
        size_t total = 0;
        for (size_t digit = 0; digit < 256; digit++) {
            size_t n = starts[digit];
            starts[digit] = total;
            total += n;
        }
        for (size_t i = 0; i < count; i++)
            spare[starts[(items[i].head >> shift) & 0xFF]++] = items[i];
        struct fl_directory_item *swap = items;
        items = spare;
        spare = swap;
    }
    return items;
}

static void sort_ties(struct fl_directory_item *items, size_t count) {
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && items[end].head == items[i].head)
            end++;
        if (end - i > 1)
            qsort(items + i, end - i, sizeof *items, compare_items);
        i = end;
    }
}

static struct fl_directory_run *allocate_run(const struct fl_alloc *alloc, size_t count) {
    struct fl_directory_run *run = fl_allocate(alloc, sizeof *run + count * sizeof run->items[0]);
    if (run == NULL) {
        fl_fail_memory("the order of a memtable's keys", sizeof *run + count * 16);
        return NULL;
    }
    atomic_init(&run->refs, 1);
    run->count = count;
    return run;
}

/* Keys mostly are created in order, or nearly: then there is nothing to sort. */
static bool fill_run(struct fl_directory_run *run, const struct fl_series *const *series) {
    flowdb_slice first = fl_series_key(series[0]);
    size_t prefix = first.size;
    bool sorted = true;
    for (size_t i = 1; i < run->count; i++) {
        flowdb_slice key = fl_series_key(series[i]);
        prefix = fl_slice_common_prefix(flowdb_bytes(first.data, prefix), key);
        sorted = sorted && fl_slice_compare(fl_series_key(series[i - 1]), key) < 0;
    }
    run->prefix = (uint32_t)prefix;
    for (size_t i = 0; i < run->count; i++)
        run->items[i] = (struct fl_directory_item){.head = head_behind(series[i], run->prefix),
                                                   .series = series[i]};
    return sorted;
}

flowdb_status fl_directory_run_create(const struct fl_alloc *alloc,
                                      const struct fl_series *const *series, size_t count,
                                      struct fl_directory_run **run) {
    struct fl_directory_run *made = allocate_run(alloc, count);
    if (made == NULL)
        return FLOWDB_NO_MEMORY;
    bool sorted = fill_run(made, series);
    if (!sorted && count < RADIX_FROM) {
        qsort(made->items, count, sizeof made->items[0], compare_items);
    } else if (!sorted) {
        struct fl_directory_run *spare = allocate_run(alloc, count);
        if (spare == NULL) {
            fl_release(alloc, made);
            return FLOWDB_NO_MEMORY;
        }
        spare->prefix = made->prefix;
        if (radix_sort(made->items, spare->items, count) == spare->items) {
            struct fl_directory_run *swap = made;
            made = spare;
            spare = swap;
        }
        fl_release(alloc, spare);
        sort_ties(made->items, count);
    }
    *run = made;
    return FLOWDB_OK;
}

static void unref_run(const struct fl_alloc *alloc, struct fl_directory_run *run) {
    if (atomic_fetch_sub_explicit(&run->refs, 1, memory_order_acq_rel) == 1)
        fl_release(alloc, run);
}

static int compare_series(const struct fl_series *a, const struct fl_series *b) {
    return fl_slice_compare(fl_series_key(a), fl_series_key(b));
}

static struct fl_directory_run *merge_runs(const struct fl_alloc *alloc,
                                           const struct fl_directory_run *left,
                                           const struct fl_directory_run *right) {
    struct fl_directory_run *merged = allocate_run(alloc, left->count + right->count);
    if (merged == NULL)
        return NULL;
    flowdb_slice a = flowdb_bytes(left->items[0].series->key, left->prefix);
    flowdb_slice b = flowdb_bytes(right->items[0].series->key, right->prefix);
    merged->prefix = (uint32_t)fl_slice_common_prefix(a, b);
    bool same_heads = merged->prefix == left->prefix && merged->prefix == right->prefix;
    size_t l = 0, r = 0;
    for (size_t i = 0; i < merged->count; i++) {
        bool take_left = r == right->count;
        if (l < left->count && r < right->count) {
            const struct fl_directory_item *x = &left->items[l], *y = &right->items[r];
            take_left =
                same_heads ? compare_items(x, y) < 0 : compare_series(x->series, y->series) < 0;
        }
        merged->items[i] = take_left ? left->items[l++] : right->items[r++];
        if (!same_heads)
            merged->items[i].head = head_behind(merged->items[i].series, merged->prefix);
    }
    return merged;
}

flowdb_status fl_directory_add(const struct fl_alloc *alloc, struct fl_directory *directory,
                               struct fl_directory_run *run) {
    size_t keep = directory->count;
    while (keep > 0 &&
           (run->count * 2 >= directory->runs[keep - 1]->count || keep == FL_DIRECTORY_RUNS)) {
        struct fl_directory_run *merged = merge_runs(alloc, directory->runs[keep - 1], run);
        unref_run(alloc, run);
        if (merged == NULL)
            return FLOWDB_NO_MEMORY;
        run = merged;
        keep--;
    }
    while (directory->count > keep)
        unref_run(alloc, directory->runs[--directory->count]);
    directory->runs[directory->count++] = run;
    return FLOWDB_OK;
}

void fl_directory_copy(const struct fl_directory *from, struct fl_directory *to) {
    *to = *from;
    for (size_t i = 0; i < to->count; i++)
        atomic_fetch_add_explicit(&to->runs[i]->refs, 1, memory_order_relaxed);
}

void fl_directory_release(const struct fl_alloc *alloc, struct fl_directory *directory) {
    for (size_t i = 0; i < directory->count; i++)
        unref_run(alloc, directory->runs[i]);
    directory->count = 0;
}

size_t fl_directory_run_seek(const struct fl_directory_run *run, flowdb_slice key) {
    if (run->count == 0)
        return 0;
    flowdb_slice prefix = flowdb_bytes(run->items[0].series->key, run->prefix);
    flowdb_slice front = flowdb_bytes(key.data, FL_MIN(key.size, prefix.size));
    int order = fl_slice_compare(front, prefix);
    if (order != 0)
        return order < 0 ? 0 : run->count;
    uint64_t head = fl_get_head((const uint8_t *)key.data + run->prefix, key.size - run->prefix);
    size_t low = 0, high = run->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct fl_directory_item *item = &run->items[middle];
        bool below = item->head != head ? item->head < head
                                        : fl_slice_compare(fl_series_key(item->series), key) < 0;
        if (below)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
