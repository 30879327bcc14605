#include "workload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "crash.h"

enum { ENTRIES_MAX = 12, VALUE_MAX = 8192, KEY_MAX = 16 };

/* One entry of a batch. Slot WORKLOAD_SLOTS stands for the key that is overwritten. */
struct entry {
    enum { PUT, DELETE, DELETE_SLOTS } kind;
    unsigned slot, slot_end;
    uint64_t ts;
};

struct plan {
    enum { BY_WRITE, BY_BATCH, BY_OWNED_BATCH } way;
    size_t count;
    struct entry entries[ENTRIES_MAX];
};

static void plan_make(struct plan *plan, uint64_t seed, unsigned thread, uint64_t number) {
    struct crash_random random = {crash_mix(seed ^ crash_mix(number * WORKLOAD_THREADS + thread))};
    bool deletes = crash_random_chance(&random, 30);
    plan->way = deletes ? BY_BATCH : BY_WRITE;
    if (crash_random_chance(&random, 50))
        plan->way = crash_random_chance(&random, 50) ? BY_BATCH : BY_OWNED_BATCH;
    plan->count = 2 + crash_random_below(&random, ENTRIES_MAX - 2);
    for (size_t i = 0; i < plan->count; i++) {
        struct entry *entry = &plan->entries[i];
        uint32_t dice = crash_random_below(&random, 100);
        *entry = (struct entry){PUT, crash_random_below(&random, WORKLOAD_SLOTS), 0, number};
        if (dice < 20) {
            entry->slot = WORKLOAD_SLOTS;
            entry->ts = crash_random_below(&random, WORKLOAD_OVERWRITTEN);
        } else if (plan->way != BY_WRITE && deletes && dice < 45) {
            entry->kind = DELETE;
            entry->ts = number - crash_random_below(&random, number < 50 ? (uint32_t)number : 50);
        } else if (plan->way != BY_WRITE && deletes && dice < 48) {
            entry->kind = DELETE_SLOTS;
            entry->slot_end = entry->slot + 1 + crash_random_below(&random, 3);
        }
    }
}

/* "t2/slot07"; the names ascend with the slot, the overwritten key comes last. */
static flowdb_slice key_make(unsigned thread, unsigned slot, char text[KEY_MAX]) {
    int size = slot < WORKLOAD_SLOTS ? snprintf(text, KEY_MAX, "t%u/slot%02u", thread, slot % 100)
                                     : snprintf(text, KEY_MAX, "t%u/zover", thread);
    return flowdb_bytes(text, (size_t)size);
}

static flowdb_slice marker_key(unsigned thread, char text[KEY_MAX]) {
    return flowdb_bytes(text, (size_t)snprintf(text, KEY_MAX, "t%u/marker", thread));
}

/* The value that batch `number` puts into a slot. */
static flowdb_slice value_make(uint64_t seed, unsigned thread, uint64_t number, unsigned slot,
                               uint8_t bytes[VALUE_MAX]) {
    struct crash_random random = {crash_mix(seed + number) ^ (thread * 100 + slot)};
    size_t size = crash_random_below(&random, 120);
    if (crash_random_chance(&random, 10))
        size = crash_random_below(&random, VALUE_MAX - 8);
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = crash_random_next(&random);
        memcpy(bytes + i, &word, sizeof word);
    }
    return flowdb_bytes(bytes, size);
}

/* ------------------------------------------------------------------------------- writing */

struct room {
    char keys[ENTRIES_MAX + 1][2][KEY_MAX];
    uint8_t values[ENTRIES_MAX][VALUE_MAX];
};

static flowdb_status write_records(flowdb *db, uint64_t seed, unsigned thread, uint64_t number,
                                   const struct plan *plan, struct room *room,
                                   flowdb_slice marker) {
    flowdb_record records[ENTRIES_MAX + 1];
    for (size_t i = 0; i < plan->count; i++) {
        const struct entry *entry = &plan->entries[i];
        records[i] = (flowdb_record){
            key_make(thread, entry->slot, room->keys[i][0]), (int64_t)entry->ts, FLOWDB_NEVER,
            value_make(seed, thread, number, entry->slot, room->values[i])};
    }
    records[plan->count] = (flowdb_record){marker_key(thread, room->keys[plan->count][0]),
                                           (int64_t)number, FLOWDB_NEVER, marker};
    return flowdb_write(db, records, plan->count + 1);
}

static flowdb_status add_entry(flowdb_batch *batch, uint64_t seed, unsigned thread, uint64_t number,
                               const struct entry *entry, struct room *room) {
    flowdb_slice key = key_make(thread, entry->slot, room->keys[0][0]);
    switch (entry->kind) {
    case PUT:
        return flowdb_batch_put(batch, key, (int64_t)entry->ts, FLOWDB_NEVER,
                                value_make(seed, thread, number, entry->slot, room->values[0]));
    case DELETE:
        return flowdb_batch_delete(batch, key, (int64_t)entry->ts);
    default:
        return flowdb_batch_delete_range(batch, key,
                                         key_make(thread, entry->slot_end, room->keys[0][1]));
    }
}

static flowdb_status write_batch(flowdb *db, uint64_t seed, unsigned thread, uint64_t number,
                                 const struct plan *plan, struct room *room, flowdb_slice marker) {
    flowdb_status status = FLOWDB_OK;
    flowdb_batch *batch = flowdb_batch_create();
    if (batch == NULL)
        return FLOWDB_NO_MEMORY;
    for (size_t i = 0; i < plan->count && status == FLOWDB_OK; i++)
        status = add_entry(batch, seed, thread, number, &plan->entries[i], room);
    if (status == FLOWDB_OK)
        status = flowdb_batch_put(batch, marker_key(thread, room->keys[0][0]), (int64_t)number,
                                  FLOWDB_NEVER, marker);
    if (status == FLOWDB_OK && plan->way == BY_OWNED_BATCH)
        return flowdb_write_batch_owned(db, batch);
    if (status == FLOWDB_OK)
        status = flowdb_write_batch(db, batch);
    flowdb_batch_destroy(batch);
    return status;
}

flowdb_status workload_write(flowdb *db, uint64_t seed, unsigned thread, uint64_t number,
                             const struct workload_marker *known) {
    struct plan plan;
    flowdb_slice marker = flowdb_bytes(known, sizeof *known);
    struct room *room = malloc(sizeof *room);
    if (room == NULL)
        return FLOWDB_NO_MEMORY;
    plan_make(&plan, seed, thread, number);
    flowdb_status status = plan.way == BY_WRITE
                               ? write_records(db, seed, thread, number, &plan, room, marker)
                               : write_batch(db, seed, thread, number, &plan, room, marker);
    free(room);
    return status;
}

/* ------------------------------------------------------------------------------ checking */

/* The state of one thread's keys after its batch `last`. */
struct state {
    uint64_t last;
    uint8_t *live;                         /* [slot * (last + 1) + ts] */
    uint64_t writer[WORKLOAD_OVERWRITTEN]; /* the batch that wrote it; 0: none */
};

static void apply(struct state *state, const struct plan *plan, uint64_t number) {
    for (size_t i = 0; i < plan->count; i++) {
        const struct entry *entry = &plan->entries[i];
        uint8_t *slot = state->live + entry->slot * (state->last + 1);
        if (entry->kind == PUT && entry->slot == WORKLOAD_SLOTS)
            state->writer[entry->ts] = number;
        else if (entry->kind == PUT)
            slot[entry->ts] = 1;
        else if (entry->kind == DELETE)
            slot[entry->ts] = 0;
        else
            for (unsigned at = entry->slot; at < entry->slot_end && at < WORKLOAD_SLOTS; at++)
                memset(state->live + at * (state->last + 1), 0, state->last + 1);
        /* A range that reaches past the last slot ends at "zover", which it does not hold. */
    }
}

static bool state_compute(struct state *state, uint64_t seed, unsigned thread, uint64_t last) {
    struct plan plan;
    *state = (struct state){.last = last, .live = calloc(WORKLOAD_SLOTS, last + 1)};
    if (state->live == NULL)
        return false;
    for (uint64_t number = 1; number <= last; number++) {
        plan_make(&plan, seed, thread, number);
        apply(state, &plan, number);
    }
    return true;
}

/* The walk over one thread's records that the check makes. */
struct check {
    flowdb_iterator *iterator;
    uint64_t seed;
    unsigned thread;
    const uint64_t *last; /* of every thread */
};

static bool complain(const struct check *check, flowdb_slice key, uint64_t ts, const char *what) {
    fprintf(stderr, "thread %u, recovered up to batch %" PRIu64 ": %.*s at %" PRIu64 ": %s\n",
            check->thread, check->last[check->thread], (int)key.size, (const char *)key.data, ts,
            what);
    return false;
}

/* The next record must be this one. */
static bool expect(struct check *check, flowdb_slice key, uint64_t ts, flowdb_slice value,
                   flowdb_record *record) {
    flowdb_status status = flowdb_iterator_next(check->iterator, record);
    if (status != FLOWDB_OK)
        return complain(check, key, ts,
                        status == FLOWDB_DONE ? "lost, and all after it" : flowdb_last_error());
    if (record->key.size != key.size || memcmp(record->key.data, key.data, key.size) != 0 ||
        record->ts != (int64_t)ts) {
        fprintf(stderr, "got %.*s at %" PRId64 " instead of:\n", (int)record->key.size,
                (const char *)record->key.data, record->ts);
        return complain(check, key, ts, "lost, or something that should not be there");
    }
    if (value.data != NULL && (record->value.size != value.size ||
                               memcmp(record->value.data, value.data, value.size) != 0))
        return complain(check, key, ts, "another value");
    if (record->expire_at != FLOWDB_NEVER)
        return complain(check, key, ts, "another time of expiry");
    return true;
}

static bool check_markers(struct check *check) {
    char text[KEY_MAX];
    flowdb_slice key = marker_key(check->thread, text);
    struct workload_marker marker;
    flowdb_record record;
    for (uint64_t number = 1; number <= check->last[check->thread]; number++) {
        if (!expect(check, key, number, flowdb_bytes(NULL, 0), &record))
            return false;
        if (record.value.size != sizeof marker)
            return complain(check, key, number, "a marker of another size");
        memcpy(&marker, record.value.data, sizeof marker);
        for (unsigned other = 0; other < WORKLOAD_THREADS; other++)
            if (marker.acknowledged[other] > check->last[other]) {
                fprintf(stderr, "it knew batch %" PRIu64 " of thread %u, which is lost:\n",
                        marker.acknowledged[other], other);
                return complain(check, key, number, "a middle was lost");
            }
    }
    return true;
}

static bool check_records(struct check *check, const struct state *state) {
    char text[KEY_MAX];
    uint8_t bytes[VALUE_MAX];
    flowdb_record record;
    unsigned thread = check->thread;
    if (!check_markers(check)) /* "marker" < "slot" < "zover" */
        return false;
    for (unsigned slot = 0; slot < WORKLOAD_SLOTS; slot++)
        for (uint64_t ts = 1; ts <= state->last; ts++)
            if (state->live[slot * (state->last + 1) + ts] &&
                !expect(check, key_make(thread, slot, text), ts,
                        value_make(check->seed, thread, ts, slot, bytes), &record))
                return false;
    for (uint64_t ts = 0; ts < WORKLOAD_OVERWRITTEN; ts++)
        if (state->writer[ts] != 0 &&
            !expect(check, key_make(thread, WORKLOAD_SLOTS, text), ts,
                    value_make(check->seed, thread, state->writer[ts], WORKLOAD_SLOTS, bytes),
                    &record))
            return false;
    flowdb_status status = flowdb_iterator_next(check->iterator, &record);
    if (status == FLOWDB_DONE)
        return true;
    if (status != FLOWDB_OK)
        return complain(check, flowdb_str("the end"), 0, flowdb_last_error());
    return complain(check, record.key, (uint64_t)record.ts, "should not be there");
}

static bool check_thread(flowdb *db, uint64_t seed, unsigned thread, const uint64_t *last) {
    char prefix[KEY_MAX];
    struct state state;
    struct check check = {.seed = seed, .thread = thread, .last = last};
    snprintf(prefix, sizeof prefix, "t%u/", thread);
    flowdb_range range = flowdb_range_prefix(flowdb_str(prefix));
    if (flowdb_scan(db, &range, NULL, &check.iterator) != FLOWDB_OK)
        return complain(&check, flowdb_str(prefix), 0, flowdb_last_error());
    bool good = state_compute(&state, seed, thread, last[thread]) && check_records(&check, &state);
    free(state.live);
    flowdb_iterator_destroy(check.iterator);
    return good;
}

bool workload_check(flowdb *db, uint64_t seed, uint64_t last[WORKLOAD_THREADS]) {
    char text[KEY_MAX];
    for (unsigned thread = 0; thread < WORKLOAD_THREADS; thread++) {
        flowdb_result result = {0};
        flowdb_status status = flowdb_get_latest(db, marker_key(thread, text), &result);
        if (status != FLOWDB_OK && status != FLOWDB_NOT_FOUND) {
            fprintf(stderr, "get_latest of %s: %s\n", text, flowdb_last_error());
            return false;
        }
        last[thread] = status == FLOWDB_OK ? (uint64_t)result.records[0].ts : 0;
        flowdb_result_free(&result);
    }
    for (unsigned thread = 0; thread < WORKLOAD_THREADS; thread++)
        if (!check_thread(db, seed, thread, last))
            return false;
    return true;
}
