#include "memtable/series.h"

#include <string.h>

void fl_series_init(struct fl_series *series, flowdb_slice key, uint64_t hash) {
    series->hash = (uint32_t)hash;
    series->key = key.data;
    series->key_size = (uint16_t)key.size;
    series->capacity = 0;
    series->prepared = 0;
    atomic_init(&series->count, 0);
    atomic_init(&series->slots, &series->first);
    atomic_init(&series->late, NULL);
}

#define FIRST_STEP 3     /* 4 versions */
#define FIRST_MOST 13    /* 128 */
#define DOUBLES_BELOW 11 /* 64; what is larger grows by a step: half of it empty is much */

static uint32_t room_of(uint32_t step) {
    return step == 0 ? 1 : (2 + (step - 1) % 2) << (step - 1) / 2;
}

uint8_t fl_series_step(uint64_t versions) {
    uint8_t step = FIRST_STEP;
    while (step < FIRST_MOST && room_of(step) < versions)
        step++;
    return step;
}

/* More room, in new memory: readers may still be in the old. */
static flowdb_status grow_slots(struct fl_series *series, struct fl_arena *arena,
                                uint8_t first_step, uint32_t used) {
    uint8_t step = series->capacity;
    step = step == 0 ? first_step : (uint8_t)(step + (step < DOUBLES_BELOW ? 2 : 1));
    struct fl_slot *grown = fl_arena_allocate(arena, room_of(step) * sizeof *grown);
    if (grown == NULL)
        return FLOWDB_NO_MEMORY;
    memcpy(grown, atomic_load_explicit(&series->slots, memory_order_relaxed), used * sizeof *grown);
    series->capacity = step;
    atomic_store_explicit(&series->slots, grown, memory_order_release);
    return FLOWDB_OK;
}

static uint64_t next_random(struct fl_late_list *late) {
    /* xorshift64* (Vigna 2016) */
    late->random ^= late->random >> 12;
    late->random ^= late->random << 25;
    late->random ^= late->random >> 27;
    return late->random * UINT64_C(2685821657736338717);
}

static flowdb_status make_late_node(struct fl_series *series, struct fl_arena *arena,
                                    const struct fl_slot *slot, struct fl_late_node **node) {
    struct fl_late_list *late = atomic_load_explicit(&series->late, memory_order_relaxed);
    if (late == NULL) {
        late = fl_arena_allocate(arena, sizeof *late);
        if (late == NULL)
            return FLOWDB_NO_MEMORY;
        late->random = UINT64_C(0x9E3779B97F4A7C15) ^ slot->seq;
        for (size_t i = 0; i < FL_LATE_LEVELS; i++)
            atomic_init(&late->head[i], NULL);
        atomic_store_explicit(&series->late, late, memory_order_release);
    }
    uint32_t levels = 1;
    for (uint64_t bits = next_random(late) >> 32; levels < FL_LATE_LEVELS && (bits & 3) == 0;
         bits >>= 2)
        levels++;
    struct fl_late_node *made =
        fl_arena_allocate(arena, sizeof *made + levels * sizeof made->next[0]);
    if (made == NULL)
        return FLOWDB_NO_MEMORY;
    made->slot = *slot;
    made->levels = levels;
    *node = made;
    return FLOWDB_OK;
}

flowdb_status fl_series_prepare(struct fl_series *series, struct fl_arena *arena,
                                uint8_t first_step, const struct fl_slot *slot,
                                struct fl_late_node **node) {
    uint32_t used = atomic_load_explicit(&series->count, memory_order_relaxed) + series->prepared;
    struct fl_slot *slots = atomic_load_explicit(&series->slots, memory_order_relaxed);
    if (used > 0 && slot->ts <= slots[used - 1].ts)
        return make_late_node(series, arena, slot, node);
    if (used == room_of(series->capacity)) {
        flowdb_status status = grow_slots(series, arena, first_step, used);
        if (status != FLOWDB_OK)
            return status;
        slots = atomic_load_explicit(&series->slots, memory_order_relaxed);
    }
    slots[used] = *slot;
    series->prepared++;
    *node = NULL;
    return FLOWDB_OK;
}

void fl_series_publish(struct fl_series *series) {
    if (series->prepared == 0)
        return;
    uint32_t count = atomic_load_explicit(&series->count, memory_order_relaxed);
    atomic_store_explicit(&series->count, count + series->prepared, memory_order_release);
    series->prepared = 0;
}

void fl_series_cancel(struct fl_series *series) {
    series->prepared = 0;
}

/* Does `slot` come before (ts, seq) in the late list's order? */
static bool before(const struct fl_slot *slot, int64_t ts, uint64_t seq) {
    return slot->ts != ts ? slot->ts < ts : slot->seq > seq;
}

/* The first node not before (ts, seq); the links that lead to it, level by level, where asked. */
static struct fl_late_node *find_late(struct fl_late_list *late, int64_t ts, uint64_t seq,
                                      _Atomic(struct fl_late_node *) **links) {
    _Atomic(struct fl_late_node *) *next = late->head;
    struct fl_late_node *node = NULL;
    for (size_t level = FL_LATE_LEVELS; level-- > 0;) {
        node = atomic_load_explicit(&next[level], memory_order_acquire);
        while (node != NULL && before(&node->slot, ts, seq)) {
            next = node->next;
            node = atomic_load_explicit(&next[level], memory_order_acquire);
        }
        if (links != NULL)
            links[level] = &next[level];
    }
    return node;
}

void fl_series_publish_late(struct fl_series *series, struct fl_late_node *node) {
    struct fl_late_list *late = atomic_load_explicit(&series->late, memory_order_relaxed);
    _Atomic(struct fl_late_node *) *links[FL_LATE_LEVELS];
    find_late(late, node->slot.ts, node->slot.seq, links);
    for (size_t level = 0; level < node->levels; level++) {
        atomic_init(&node->next[level], atomic_load_explicit(links[level], memory_order_relaxed));
        atomic_store_explicit(links[level], node, memory_order_release);
    }
}

uint32_t fl_series_visible(const struct fl_series *series, uint64_t seq,
                           const struct fl_slot **slots) {
    uint32_t count = atomic_load_explicit(&series->count, memory_order_acquire);
    const struct fl_slot *array = atomic_load_explicit(&series->slots, memory_order_acquire);
    *slots = array;
    if (count == 0 || array[count - 1].seq <= seq)
        return count;
    uint32_t low = 0, high = count - 1; /* the first slot that is too new */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (array[middle].seq <= seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t fl_slots_lower_bound(const struct fl_slot *slots, uint32_t count, int64_t ts) {
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (slots[middle].ts < ts)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct fl_slot *fl_series_late_at(const struct fl_series *series, int64_t ts, uint64_t seq) {
    struct fl_late_list *late = atomic_load_explicit(&series->late, memory_order_acquire);
    if (late == NULL)
        return NULL;
    struct fl_late_node *node = find_late(late, ts, seq, NULL);
    while (node != NULL && node->slot.seq > seq)
        node = atomic_load_explicit(&node->next[0], memory_order_acquire);
    return node != NULL ? &node->slot : NULL;
}

/* The last node with a ts below the given one. */
static const struct fl_slot *last_below(struct fl_late_list *late, int64_t ts) {
    _Atomic(struct fl_late_node *) *next = late->head;
    const struct fl_slot *last = NULL;
    for (size_t level = FL_LATE_LEVELS; level-- > 0;) {
        struct fl_late_node *node = atomic_load_explicit(&next[level], memory_order_acquire);
        while (node != NULL && node->slot.ts < ts) {
            last = &node->slot;
            next = node->next;
            node = atomic_load_explicit(&next[level], memory_order_acquire);
        }
    }
    return last;
}

const struct fl_slot *fl_series_late_before(const struct fl_series *series, int64_t ts,
                                            uint64_t seq) {
    struct fl_late_list *late = atomic_load_explicit(&series->late, memory_order_acquire);
    if (late == NULL)
        return NULL;
    for (;;) {
        const struct fl_slot *slot = fl_series_late_at(series, ts, seq);
        if (slot != NULL && slot->ts == ts)
            return slot;
        const struct fl_slot *below = last_below(late, ts);
        if (below == NULL)
            return NULL;
        ts = below->ts;
    }
}

const struct fl_slot *fl_series_get(const struct fl_series *series, int64_t ts, uint64_t seq) {
    const struct fl_slot *slots;
    uint32_t count = fl_series_visible(series, seq, &slots);
    /* What is asked for is mostly the newest. */
    uint32_t at =
        count > 0 && slots[count - 1].ts == ts ? count - 1 : fl_slots_lower_bound(slots, count, ts);
    const struct fl_slot *found = at < count && slots[at].ts == ts ? &slots[at] : NULL;
    const struct fl_slot *late = fl_series_late_at(series, ts, seq);
    if (late != NULL && late->ts == ts && (found == NULL || late->seq > found->seq))
        return late;
    return found;
}

const struct fl_slot *fl_series_latest(const struct fl_series *series, int64_t ts, uint64_t seq) {
    const struct fl_slot *slots;
    uint32_t count = fl_series_visible(series, seq, &slots);
    if (count > 0 && slots[count - 1].ts > ts) {
        count = fl_slots_lower_bound(slots, count, ts);
        count += slots[count].ts == ts; /* there is one: the last is above ts */
    }
    const struct fl_slot *found = count > 0 ? &slots[count - 1] : NULL;
    const struct fl_slot *late = fl_series_late_before(series, ts, seq);
    bool later = late != NULL && (found == NULL || late->ts > found->ts ||
                                  (late->ts == found->ts && late->seq > found->seq));
    return later ? late : found;
}
