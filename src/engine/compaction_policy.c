/*
 * The policy: what is overwritten, size-tiered inside time windows, and garbage.
 *
 * Tables of similar size are merged, so a record is rewritten about log2(n) times while its window
 * is young; when a window falls into a wider one, its tables become candidates there. What a merge
 * split by size counts as one table again: its parts are full, and none lies over another.
 */
#include <stdlib.h>

#include "engine/compaction.h"

/* A table in its window. */
struct place {
    const struct fl_compaction_table *table;
    struct fl_window_id window;
    size_t unit; /* number of the unit that it is of */
};

/* What is merged as a whole: a table, or full ones side by side. */
struct unit {
    size_t number;
    struct fl_window_id window;
    uint64_t bytes, file_size, id; /* id: of its first table */
    size_t tables;
    flowdb_slice min_key, max_key;
    int64_t min_ts, max_ts;
    bool full;
};

/* -------------------------------------------------------------------------------------- windows -- */

static int64_t floor_divide(int64_t a, int64_t b) {
    return a / b - (a % b != 0 && a < 0);
}

/* `number` * `length`, or the end of time that it passes. */
static int64_t border(int64_t number, int64_t length) {
    int64_t at;
    if (__builtin_mul_overflow(number, length, &at))
        return number < 0 ? INT64_MIN : INT64_MAX;
    return at;
}

static int64_t window_length(uint32_t level, int64_t bucket_us) {
    int64_t length = bucket_us;
    for (; level > 1; level--)
        length *= 4;
    return length;
}

struct fl_window_id fl_compaction_window(int64_t max_ts, int64_t now_us, int64_t bucket_us) {
    struct fl_window_id window = {0};
    if (max_ts >= border(floor_divide(now_us, bucket_us) + 1, bucket_us))
        return window;
    uint64_t age = max_ts < now_us ? (uint64_t)now_us - (uint64_t)max_ts : 0;
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

/* The first ts of the window that `ts` lies in. */
static int64_t window_start(int64_t ts, int64_t now_us, int64_t bucket_us) {
    struct fl_window_id window = fl_compaction_window(ts, now_us, bucket_us);
    if (window.level == 0)
        return border(floor_divide(now_us, bucket_us) + 1, bucket_us);
    return border(window.number, window_length(window.level, bucket_us));
}

size_t fl_compaction_cuts(int64_t min_ts, int64_t max_ts, int64_t now_us, int64_t bucket_us,
                          int64_t *cuts) {
    size_t count = 0;
    for (int64_t ts = max_ts;;) {
        int64_t start = window_start(ts, now_us, bucket_us);
        if (start <= min_ts)
            break;
        if (count == FL_COMPACTION_CUTS_MAX) {
            memmove(cuts, cuts + 1, (count - 1) * sizeof *cuts);
            count--;
        }
        cuts[count++] = start;
        ts = start - 1;
    }
    for (size_t i = 0; i < count / 2; i++) {
        int64_t swapped = cuts[i];
        cuts[i] = cuts[count - 1 - i];
        cuts[count - 1 - i] = swapped;
    }
    return count;
}

/* ---------------------------------------------------------------------------------------- units -- */

static int compare_windows(struct fl_window_id a, struct fl_window_id b) {
    if (a.level != b.level)
        return a.level < b.level ? -1 : 1;
    return a.number < b.number ? -1 : a.number > b.number;
}

static int compare_places(const void *left, const void *right) {
    const struct place *a = left, *b = right;
    int order = compare_windows(a->window, b->window);
    if (order == 0)
        order = fl_slice_compare(a->table->min_key, b->table->min_key);
    return order != 0 ? order : a->table->id < b->table->id ? -1 : a->table->id > b->table->id;
}

static int compare_units(const void *left, const void *right) {
    const struct unit *a = left, *b = right;
    int order = compare_windows(a->window, b->window);
    if (order != 0)
        return order;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

/* The unit at or behind `first` that the full table goes on; `count` where it begins one. */
static size_t find_unit(const struct unit *units, size_t first, size_t count,
                        const struct fl_compaction_table *table) {
    size_t at = first;
    while (at < count &&
           (!units[at].full || fl_slice_compare(units[at].max_key, table->min_key) > 0))
        at++;
    return at;
}

/* Gathers the places, which it sorts, into units, ordered by window and size. */
static size_t make_units(const struct fl_compaction_policy *policy, struct place *places,
                         size_t count, struct unit *units) {
    qsort(places, count, sizeof *places, compare_places);
    size_t made = 0, first = 0; /* first: of the window */
    for (size_t i = 0; i < count; i++) {
        const struct fl_compaction_table *table = places[i].table;
        if (i > 0 && compare_windows(places[i].window, places[i - 1].window) != 0)
            first = made;
        bool full = table->file_size >= policy->output_bytes / 2;
        size_t at = full ? find_unit(units, first, made, table) : made;
        struct unit *unit = &units[at];
        if (at == made)
            *unit = (struct unit){.number = made++,
                                  .window = places[i].window,
                                  .id = table->id,
                                  .min_key = table->min_key,
                                  .min_ts = table->min_ts,
                                  .max_ts = table->max_ts,
                                  .full = full};
        unit->min_ts = FL_MIN(unit->min_ts, table->min_ts);
        unit->max_ts = FL_MAX(unit->max_ts, table->max_ts);
        unit->bytes += table->bytes;
        unit->file_size += table->file_size;
        unit->max_key = table->max_key;
        unit->tables++;
        places[i].unit = unit->number;
    }
    qsort(units, made, sizeof *units, compare_units);
    return made;
}

/* -------------------------------------------------------------------------------------- overwritten -- */

/* Of the largest unit's file bytes, those that lie over it may be one part in so many. */
#define OVERWRITTEN_PART 2

/* Has the unit keys of the largest one's, and times of which half are common to both? Then it was
   written over it, for the most part: what comes in order of time lies behind it. */
static bool lies_over(const struct unit *unit, const struct unit *largest) {
    if (unit->max_key.size == 0 || largest->max_key.size == 0 ||
        fl_slice_compare(unit->min_key, largest->max_key) > 0 ||
        fl_slice_compare(largest->min_key, unit->max_key) > 0)
        return false;
    double common = (double)FL_MIN(unit->max_ts, largest->max_ts) -
                    (double)FL_MAX(unit->min_ts, largest->min_ts);
    double span = FL_MIN((double)unit->max_ts - (double)unit->min_ts,
                         (double)largest->max_ts - (double)largest->min_ts);
    return common >= 0 && common >= span / 2;
}

/* The tables of the units from `first` to `end` that lie over the last of them, and its own; 0 where they are
   too few to matter or too many to be merged. */
static size_t choose_over(const struct fl_compaction_policy *policy, const struct unit *first,
                          const struct unit *end, const struct place *places, size_t count,
                          const struct fl_compaction_table *tables, size_t *chosen) {
    const struct unit *largest = end - 1;
    uint64_t over = 0;
    size_t units = 1, found = 0, all = largest->tables;
    for (const struct unit *unit = first; unit < largest; unit++) {
        bool counts = lies_over(unit, largest);
        over += counts ? unit->file_size : 0;
        units += counts;
        all += counts ? unit->tables : 0;
    }
    if (units < policy->threshold || over < largest->file_size / OVERWRITTEN_PART ||
        all > FL_COMPACTION_INPUTS_MAX || over + largest->file_size > policy->budget)
        return 0;
    for (const struct unit *unit = first; unit < end; unit++) {
        for (size_t i = 0; i < count && (unit == largest || lies_over(unit, largest)); i++) {
            if (places[i].unit == unit->number)
                chosen[found++] = (size_t)(places[i].table - tables);
        }
    }
    return found;
}

/*
 * Tiers alone let what is overwritten take up to twice its room, and more while what was flushed last
 * is not compressed as well as the rest. Where the largest unit of a window, in which what is written
 * again and again has come together, has half of its size lying over it, both are merged.
 */
static size_t choose_overwritten(const struct fl_compaction_policy *policy,
                                 const struct unit *units, size_t unit_count,
                                 const struct place *places, size_t count,
                                 const struct fl_compaction_table *tables, size_t *chosen) {
    size_t found = 0;
    for (size_t first = 0, end; first < unit_count && found == 0; first = end) {
        end = first + 1;
        while (end < unit_count && compare_windows(units[first].window, units[end].window) == 0)
            end++;
        if (units[end - 1].bytes > policy->small_bytes)
            found = choose_over(policy, units + first, units + end, places, count, tables, chosen);
    }
    return found;
}

/* ----------------------------------------------------------------------------------- similar size -- */

/* How many units from the first on are alike: each at most twice the average of those before it, or
   small anyway; and not too many tables or bytes. */
static size_t similar_units(const struct fl_compaction_policy *policy, const struct unit *first,
                            size_t count) {
    uint64_t bytes = 0, file_size = 0;
    size_t n = 0, tables = 0;
    for (; n < count && compare_windows(first->window, first[n].window) == 0; n++) {
        tables += first[n].tables;
        file_size += first[n].file_size;
        bool alike =
            n == 0 || first[n].bytes <= policy->small_bytes || first[n].bytes / 2 <= bytes / n;
        if (!alike || tables > FL_COMPACTION_INPUTS_MAX || file_size > policy->budget)
            break;
        bytes += first[n].bytes;
    }
    return n;
}

static size_t choose_similar(const struct fl_compaction_policy *policy, const struct unit *units,
                             size_t unit_count, const struct place *places, size_t count,
                             const struct fl_compaction_table *tables, size_t *chosen) {
    size_t found = 0, n = 0, first = 0;
    for (; first < unit_count && n < policy->threshold; first++)
        n = similar_units(policy, &units[first], unit_count - first);
    if (n < policy->threshold)
        return 0;
    first--;
    for (size_t i = 0; i < count; i++) {
        for (size_t unit = first; unit < first + n; unit++) {
            if (places[i].unit == units[unit].number)
                chosen[found++] = (size_t)(places[i].table - tables);
        }
    }
    return found;
}

/* ---------------------------------------------------------------------------------------- garbage -- */

/* Of all that is stored one part in so many must be garbage for a compaction to be made of it, and
   of what is merged too. */
#define GARBAGE_PART 4

/* May the first hold what hides something in the second? */
static bool may_hide(const struct fl_compaction_table *a, const struct fl_compaction_table *b) {
    return a->max_seq > b->min_seq && a->min_ts <= b->max_ts && b->min_ts <= a->max_ts &&
           b->max_key.size > 0 && a->max_key.size > 0 &&
           fl_slice_compare(a->min_key, b->max_key) <= 0 &&
           fl_slice_compare(b->min_key, a->max_key) <= 0;
}

static bool is_chosen(const size_t *chosen, size_t count, size_t table) {
    for (size_t i = 0; i < count; i++) {
        if (chosen[i] == table)
            return true;
    }
    return false;
}

/* With the table all that it may hide something in, and what these may; else its tombstones would
   have to stay, and be garbage still. 0 where that is too much, or too little of it garbage. */
static size_t choose_around(const struct fl_compaction_policy *policy,
                            const struct fl_compaction_table *tables, size_t count, size_t table,
                            size_t *chosen) {
    size_t n = 0;
    uint64_t bytes = 0, garbage = 0, file_size = 0;
    chosen[n++] = table;
    for (size_t at = 0; at < n; at++) {
        const struct fl_compaction_table *one = &tables[chosen[at]];
        bytes += one->bytes;
        garbage += one->garbage;
        file_size += one->file_size;
        for (size_t i = 0; i < count; i++) {
            if (!may_hide(one, &tables[i]) || is_chosen(chosen, n, i))
                continue;
            if (n == FL_COMPACTION_INPUTS_MAX)
                return 0;
            chosen[n++] = i;
        }
    }
    return garbage >= bytes / GARBAGE_PART && file_size <= policy->budget ? n : 0;
}

static size_t choose_garbage(const struct fl_compaction_policy *policy,
                             const struct fl_compaction_table *tables, size_t count,
                             size_t *chosen) {
    uint64_t bytes = 0, garbage = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += tables[i].bytes;
        garbage += tables[i].garbage;
    }
    if (garbage == 0 || garbage < bytes / GARBAGE_PART)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (tables[i].garbage == 0 || tables[i].garbage < tables[i].bytes / GARBAGE_PART)
            continue;
        size_t n = choose_around(policy, tables, count, i, chosen);
        if (n > 0)
            return n;
    }
    return 0;
}

/* The tables in their units; the caller releases *places, which the units lie behind. */
static flowdb_status place_tables(const struct fl_alloc *alloc,
                                  const struct fl_compaction_policy *policy,
                                  const struct fl_compaction_table *tables, size_t count,
                                  struct place **placed, struct unit **units, size_t *unit_count) {
    size_t size = count * (sizeof(struct place) + sizeof(struct unit));
    struct place *places = fl_allocate(alloc, size);
    if (places == NULL)
        return fl_fail_memory("choosing what to compact", size);
    for (size_t i = 0; i < count; i++)
        places[i] = (struct place){
            .table = &tables[i],
            .window = fl_compaction_window(tables[i].max_ts, policy->now_us, policy->bucket_us)};
    *placed = places;
    *units = (struct unit *)(void *)(places + count);
    *unit_count = make_units(policy, places, count, *units);
    return FLOWDB_OK;
}

flowdb_status fl_compaction_count_waiting(const struct fl_alloc *alloc,
                                          const struct fl_compaction_policy *policy,
                                          const struct fl_compaction_table *tables, size_t count,
                                          size_t *waiting) {
    *waiting = 0;
    if (count == 0)
        return FLOWDB_OK;
    struct place *places;
    struct unit *units;
    size_t unit_count;
    flowdb_status status = place_tables(alloc, policy, tables, count, &places, &units, &unit_count);
    if (status != FLOWDB_OK)
        return status;
    for (size_t first = 0; first < unit_count;) {
        size_t n = similar_units(policy, &units[first], unit_count - first);
        for (size_t i = first; n >= policy->threshold && i < first + n; i++)
            *waiting += units[i].tables;
        first += FL_MAX(n, 1);
    }
    fl_release(alloc, places);
    return FLOWDB_OK;
}

flowdb_status fl_compaction_choose(const struct fl_alloc *alloc,
                                   const struct fl_compaction_policy *policy,
                                   const struct fl_compaction_table *tables, size_t count,
                                   size_t *chosen, size_t *chosen_count) {
    *chosen_count = 0;
    if (count == 0)
        return FLOWDB_OK;
    struct place *places;
    struct unit *units;
    size_t unit_count;
    flowdb_status status = place_tables(alloc, policy, tables, count, &places, &units, &unit_count);
    if (status != FLOWDB_OK)
        return status;
    *chosen_count = choose_overwritten(policy, units, unit_count, places, count, tables, chosen);
    if (*chosen_count == 0)
        *chosen_count = choose_similar(policy, units, unit_count, places, count, tables, chosen);
    fl_release(alloc, places);
    if (*chosen_count == 0)
        *chosen_count = choose_garbage(policy, tables, count, chosen);
    return FLOWDB_OK;
}
