/* The plain table that the engine is compared with. */
#include "reference.h"

#include <stdio.h>
#include <stdlib.h>

enum { VERSIONS_KEPT = 8 }; /* for the trace, even where no view needs them */

void reference_init(struct reference *reference, const struct world *world) {
    memset(reference, 0, sizeof *reference);
    reference->world = world;
}

void reference_deinit(struct reference *reference) {
    for (unsigned key = 0; key < WORLD_KEYS; key++) {
        free(reference->covers[key].covers);
        for (unsigned time = 0; time < WORLD_TIMES; time++)
            free(reference->cells[key][time].versions);
    }
    memset(reference, 0, sizeof *reference);
}

static void *grow(void *array, size_t *capacity, size_t element) {
    *capacity = *capacity == 0 ? 8 : *capacity * 2;
    array = realloc(array, *capacity * element);
    if (array == NULL) {
        fprintf(stderr, "model: out of memory\n");
        exit(2);
    }
    return array;
}

/* Drops versions that are hidden from every view by a newer one. */
static void cell_prune(struct reference_cell *cell, uint64_t oldest_seq) {
    size_t first = 0;
    while (first + 1 < cell->count && cell->count - first > VERSIONS_KEPT &&
           cell->versions[first + 1].seq <= oldest_seq)
        first++;
    if (first == 0)
        return;
    cell->count -= first;
    memmove(cell->versions, cell->versions + first, cell->count * sizeof *cell->versions);
}

static void cell_append(struct reference *reference, unsigned key, unsigned time,
                        struct reference_version version) {
    struct reference_cell *cell = &reference->cells[key][time];
    if (cell->count == cell->capacity)
        cell_prune(cell, reference->oldest_seq);
    if (cell->count == cell->capacity)
        cell->versions = grow(cell->versions, &cell->capacity, sizeof *cell->versions);
    version.seq = ++reference->seq;
    cell->versions[cell->count++] = version;
}

void reference_put(struct reference *reference, unsigned key, unsigned time, int64_t expire_at,
                   uint64_t value, uint64_t operation) {
    cell_append(
        reference, key, time,
        (struct reference_version){.operation = operation, .value = value, .expire_at = expire_at});
}

void reference_delete(struct reference *reference, unsigned key, unsigned time,
                      uint64_t operation) {
    cell_append(reference, key, time,
                (struct reference_version){.operation = operation, .deleted = true});
}

void reference_delete_range(struct reference *reference, flowdb_slice start, flowdb_slice end,
                            uint64_t operation) {
    uint64_t seq = ++reference->seq;
    for (unsigned key = 0; key < WORLD_KEYS; key++) {
        flowdb_slice bytes = world_key(reference->world, key);
        if (start.size != 0 && world_compare(bytes, start) < 0)
            continue;
        if (end.size != 0 && world_compare(bytes, end) >= 0)
            continue;
        struct reference_covers *covers = &reference->covers[key];
        if (covers->count == covers->capacity)
            covers->covers = grow(covers->covers, &covers->capacity, sizeof *covers->covers);
        covers->covers[covers->count++] = (struct reference_cover){seq, operation};
    }
}

/* The newest range delete of the key that a reader at `seq` sees, or 0. */
static uint64_t cover_seq(const struct reference_covers *covers, uint64_t seq) {
    size_t low = 0, high = covers->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (covers->covers[middle].seq <= seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? 0 : covers->covers[low - 1].seq;
}

const struct reference_version *reference_find(const struct reference *reference, unsigned key,
                                               unsigned time, struct reference_view view) {
    const struct reference_cell *cell = &reference->cells[key][time];
    size_t index = cell->count;
    while (index > 0 && cell->versions[index - 1].seq > view.seq)
        index--;
    if (index == 0)
        return NULL;
    const struct reference_version *version = &cell->versions[index - 1];
    if (version->deleted || cover_seq(&reference->covers[key], view.seq) > version->seq)
        return NULL;
    if (version->expire_at != FLOWDB_NEVER && version->expire_at <= view.now)
        return NULL;
    return version;
}

bool reference_is_doubtful(const struct reference_version *version, struct reference_view view) {
    return version->seq <= view.doubtful_seq && version->expire_at <= view.doubtful_until;
}

static bool range_has_key(const struct reference_range *range, flowdb_slice key) {
    if (range->prefix.size != 0 && (key.size < range->prefix.size ||
                                    memcmp(key.data, range->prefix.data, range->prefix.size) != 0))
        return false;
    if (range->key_start.size != 0 && world_compare(key, range->key_start) < 0)
        return false;
    return range->key_end.size == 0 || world_compare(key, range->key_end) <= 0;
}

enum { POSITIONS = WORLD_KEYS * WORLD_TIMES };

void reference_cursor_init(struct reference_cursor *cursor, const struct reference *reference,
                           struct reference_view view, const struct reference_range *range,
                           bool reverse, size_t limit) {
    *cursor = (struct reference_cursor){.reference = reference,
                                        .view = view,
                                        .reverse = reverse,
                                        .limit = limit,
                                        .position = reverse ? POSITIONS - 1 : 0,
                                        .current_key = -1};
    for (unsigned key = 0; key < WORLD_KEYS; key++)
        cursor->inside_key[key] = range_has_key(range, world_key(reference->world, key));
    for (unsigned time = 0; time < WORLD_TIMES; time++) {
        int64_t ts = reference->world->times[time];
        cursor->inside_time[time] = ts >= range->ts_start && ts <= range->ts_end;
    }
}

bool reference_cursor_next(struct reference_cursor *cursor, unsigned *key, unsigned *time,
                           const struct reference_version **version) {
    if (cursor->limit != 0 && cursor->returned == cursor->limit)
        return false;
    int step = cursor->reverse ? -1 : 1;
    while (cursor->position >= 0 && cursor->position < POSITIONS) {
        unsigned at_key = (unsigned)cursor->position / WORLD_TIMES;
        unsigned at_time = (unsigned)cursor->position % WORLD_TIMES;
        cursor->position += step;
        if (!cursor->inside_key[at_key] || !cursor->inside_time[at_time])
            continue;
        *version = reference_find(cursor->reference, at_key, at_time, cursor->view);
        if (*version == NULL)
            continue;
        *key = at_key;
        *time = at_time;
        cursor->current_key = (int)at_key;
        cursor->returned++;
        return true;
    }
    return false;
}

bool reference_cursor_next_key(struct reference_cursor *cursor, unsigned *key, unsigned *time,
                               const struct reference_version **version) {
    while (cursor->current_key >= 0 && cursor->position >= 0 &&
           cursor->position / WORLD_TIMES == cursor->current_key)
        cursor->position += cursor->reverse ? -1 : 1;
    return reference_cursor_next(cursor, key, time, version);
}

void reference_cursor_uncount(struct reference_cursor *cursor) {
    cursor->returned--;
}

void reference_cursor_seek(struct reference_cursor *cursor, flowdb_slice key, int64_t ts) {
    const struct world *world = cursor->reference->world;
    int position = 0;
    /* The first position at or after (key, ts), ascending. */
    while (position < POSITIONS) {
        int order = world_compare(world_key(world, (unsigned)position / WORLD_TIMES), key);
        if (order > 0 || (order == 0 && world->times[position % WORLD_TIMES] >= ts))
            break;
        position++;
    }
    if (cursor->reverse) {
        bool equal = position < POSITIONS &&
                     world_compare(world_key(world, (unsigned)position / WORLD_TIMES), key) == 0 &&
                     world->times[position % WORLD_TIMES] == ts;
        if (!equal)
            position--;
    }
    cursor->position = position;
    cursor->current_key = -1;
}
