/*
 * The policy: size-tiered inside time windows.
 *
 * Tables of similar size are merged, so a record is rewritten about log2(n) times while its window
 * is young; when a window falls into a wider one, its tables become candidates there.
 */
#include <stdlib.h>

#include "engine/compaction.h"

struct candidate {
    struct fl_table *table;
    struct fl_window_id window;
    uint64_t bytes; /* as written: compression must not decide what is similar */
};

static int64_t floor_divide(int64_t a, int64_t b) {
    return a / b - (a % b != 0 && a < 0);
}

struct fl_window_id fl_compaction_window(int64_t max_ts, int64_t now_us, int64_t bucket_us) {
    struct fl_window_id window = {0};
    if (max_ts >= now_us)
        return window;
    uint64_t age = (uint64_t)now_us - (uint64_t)max_ts;
    int64_t length = bucket_us;
    window.level = 1;
    /* A window is four times as long as the ones after it, once it is four of its lengths old. */
    while ((uint64_t)length * 4 <= age && length <= INT64_MAX / 4) {
        length *= 4;
        window.level++;
    }
    window.number = floor_divide(max_ts, length);
    return window;
}

static int compare_candidates(const void *left, const void *right) {
    const struct candidate *a = left, *b = right;
    if (a->window.level != b->window.level)
        return a->window.level < b->window.level ? -1 : 1;
    if (a->window.number != b->window.number)
        return a->window.number < b->window.number ? -1 : 1;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? -1 : 1;
    uint64_t x = fl_table_id(a->table), y = fl_table_id(b->table);
    return x < y ? -1 : x > y;
}

static bool same_window(const struct candidate *a, const struct candidate *b) {
    return a->window.level == b->window.level && a->window.number == b->window.number;
}

/* How many candidates from `first` on are alike: each at most twice the average of those before it,
   or small anyway. */
static size_t similar_run(const struct candidate *first, size_t count, uint64_t small_bytes) {
    uint64_t total = first->bytes;
    size_t n = 1;
    while (n < count && n < FL_COMPACTION_INPUTS_MAX && same_window(first, &first[n]) &&
           (first[n].bytes <= small_bytes || first[n].bytes / 2 <= total / n)) {
        total += first[n].bytes;
        n++;
    }
    return n;
}

/* How many of the first `count` fit into the budget. */
static size_t affordable(const struct candidate *first, size_t count, uint64_t budget) {
    size_t n = 0;
    for (uint64_t total = 0; n < count; n++) {
        total += fl_table_properties(first[n].table)->file_size;
        if (total > budget)
            break;
    }
    return n;
}

static size_t pick(const struct candidate *all, size_t count, uint32_t threshold,
                   uint64_t small_bytes, uint64_t budget, struct fl_table **inputs) {
    for (size_t first = 0; first < count; first++) {
        size_t n = similar_run(&all[first], count - first, small_bytes);
        n = affordable(&all[first], n, budget);
        if (n < threshold)
            continue;
        for (size_t i = 0; i < n; i++)
            inputs[i] = all[first + i].table;
        return n;
    }
    return 0;
}

flowdb_status fl_compaction_pick(const struct fl_version *version, int64_t now_us,
                                 int64_t bucket_us, uint32_t threshold, uint64_t small_bytes,
                                 uint64_t budget, struct fl_table **inputs, size_t *count) {
    *count = 0;
    if (version->table_count < threshold)
        return FLOWDB_OK;
    struct candidate *all = fl_allocate(version->alloc, version->table_count * sizeof *all);
    if (all == NULL)
        return fl_fail_memory("choosing what to compact", version->table_count * sizeof *all);
    for (size_t i = 0; i < version->table_count; i++) {
        const struct fl_table_properties *properties = fl_table_properties(version->tables[i]);
        int64_t max_ts = properties->row_count > 0 ? properties->max_ts : now_us;
        all[i] = (struct candidate){.table = version->tables[i],
                                    .window = fl_compaction_window(max_ts, now_us, bucket_us),
                                    .bytes = properties->raw_bytes};
    }
    qsort(all, version->table_count, sizeof *all, compare_candidates);
    *count = pick(all, version->table_count, threshold, small_bytes, budget, inputs);
    fl_release(version->alloc, all);
    return FLOWDB_OK;
}
