#include "slots.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SERIES_MAX = 2000, DELETE_ONE_IN = 16 };

void slots_init(struct slots *slots, uint64_t seed, uint64_t records) {
    uint64_t series = records / 100 < SERIES_MAX ? records / 100 : SERIES_MAX;
    uint64_t points = records / series;
    *slots = (struct slots){.seed = seed,
                            .series = (uint32_t)series,
                            .points = (uint32_t)points,
                            .count = series * points};
    slots->begun = tool_allocate(slots->count * sizeof *slots->begun);
    slots->acked = tool_allocate(slots->count * sizeof *slots->acked);
}

void slots_deinit(struct slots *slots) {
    free(slots->begun);
    free(slots->acked);
    *slots = (struct slots){0};
}

flowdb_slice slots_key(uint32_t series, char out[SLOTS_KEY_BYTES]) {
    int size = snprintf(out, SLOTS_KEY_BYTES, "stress.%06u", series % 1000000);
    return flowdb_bytes(out, (size_t)size);
}

static uint64_t number_of(const struct slots *slots, uint64_t slot, uint32_t generation) {
    return tool_mix(tool_mix(slots->seed + slot) ^ generation);
}

bool slots_is_gone(const struct slots *slots, uint64_t slot, uint32_t generation) {
    return generation == 0 ||
           (generation > 1 && number_of(slots, slot, generation) % DELETE_ONE_IN == 0);
}

/* The generation first, in plain sight for whoever looks into a failure; then bytes of which half
   repeat, as measurements do. */
size_t slots_value(const struct slots *slots, uint64_t slot, uint32_t generation,
                   uint8_t out[SLOTS_VALUE_BYTES]) {
    uint64_t number = number_of(slots, slot, generation);
    size_t size = 8 + (number >> 32) % (SLOTS_VALUE_BYTES - 8);
    memset(out, (int)(number & 0x7f), SLOTS_VALUE_BYTES);
    memcpy(out, &generation, sizeof generation);
    for (size_t at = sizeof generation; at + 8 <= size; at += 16) {
        number = tool_mix(number);
        memcpy(out + at, &number, sizeof number);
    }
    return size;
}

uint32_t slots_begin(struct slots *slots, uint64_t slot) {
    return atomic_fetch_add(&slots->begun[slot], 1) + 1;
}

void slots_acknowledge(struct slots *slots, uint64_t slot, uint32_t generation) {
    atomic_store(&slots->acked[slot], generation);
}

static uint32_t width(const struct slots_area *area) {
    return area->point_last - area->point_first + 1;
}

uint64_t slots_area_count(const struct slots_area *area) {
    return (uint64_t)(area->series_last - area->series_first + 1) * width(area);
}

static uint64_t slot_at(const struct slots *slots, const struct slots_area *area, uint64_t index) {
    return (area->series_first + index / width(area)) * slots->points + area->point_first +
           index % width(area);
}

void slots_note(const struct slots *slots, const struct slots_area *area, uint32_t *noted) {
    for (uint64_t i = 0, count = slots_area_count(area); i < count; i++)
        noted[i] = atomic_load(&slots->acked[slot_at(slots, area, i)]);
}

/* Where the `done`th slot in the read's order lies in the area. */
static uint64_t index_of(const struct slots_check *check, uint64_t done) {
    return check->reverse ? slots_area_count(&check->area) - 1 - done : done;
}

static bool say(const struct slots_check *check, uint64_t index, const char *got,
                char message[SLOTS_MESSAGE_BYTES]) {
    const struct slots *slots = check->slots;
    uint64_t slot = slot_at(slots, &check->area, index);
    uint32_t noted = check->noted[index], begun = atomic_load(&slots->begun[slot]);
    char key[SLOTS_KEY_BYTES];
    slots_key((uint32_t)(slot / slots->points), key);
    snprintf(message, SLOTS_MESSAGE_BYTES,
             "key %s ts %" PRId64 ": expected generation %u%s to %u%s, got %s", key,
             slots_ts((uint32_t)(slot % slots->points)), noted,
             slots_is_gone(slots, slot, noted) ? " (absent)" : "", begun,
             slots_is_gone(slots, slot, begun) ? " (absent)" : "", got);
    return false;
}

/* The next slot of the read was not in the answer. */
static bool settle_absent(struct slots_check *check, char message[SLOTS_MESSAGE_BYTES]) {
    uint64_t index = index_of(check, check->next++);
    uint64_t slot = slot_at(check->slots, &check->area, index);
    uint32_t begun = atomic_load(&check->slots->begun[slot]);
    for (uint32_t generation = check->noted[index]; generation <= begun; generation++)
        if (slots_is_gone(check->slots, slot, generation))
            return true;
    return say(check, index, "no record", message);
}

/* Which slot of the area the record is; false where it is none. */
static bool locate(const struct slots_check *check, const flowdb_record *record, uint64_t *index) {
    const struct slots_area *area = &check->area;
    char key[SLOTS_KEY_BYTES] = "", again[SLOTS_KEY_BYTES];
    if (record->key.size >= sizeof key || record->key.size < 8)
        return false;
    memcpy(key, record->key.data, record->key.size);
    uint32_t series = (uint32_t)strtoul(key + 7, NULL, 10);
    flowdb_slice whole = slots_key(series, again);
    int64_t offset = record->ts - SLOTS_START_US;
    if (whole.size != record->key.size || memcmp(again, key, whole.size) != 0 || offset < 0 ||
        offset % SLOTS_STEP_US != 0 || series < area->series_first || series > area->series_last)
        return false;
    uint64_t point = (uint64_t)offset / SLOTS_STEP_US;
    if (point < area->point_first || point > area->point_last)
        return false;
    *index = (uint64_t)(series - area->series_first) * width(area) + point - area->point_first;
    return true;
}

static bool check_value(const struct slots_check *check, uint64_t index,
                        const flowdb_record *record, char message[SLOTS_MESSAGE_BYTES]) {
    const struct slots *slots = check->slots;
    uint64_t slot = slot_at(slots, &check->area, index);
    uint32_t generation = 0;
    uint8_t value[SLOTS_VALUE_BYTES];
    char got[96];
    if (record->value.size >= sizeof generation)
        memcpy(&generation, record->value.data, sizeof generation);
    size_t size = slots_value(slots, slot, generation, value);
    bool whole = record->value.size == size && memcmp(record->value.data, value, size) == 0 &&
                 !slots_is_gone(slots, slot, generation);
    if (whole && record->expire_at == FLOWDB_NEVER && generation >= check->noted[index] &&
        generation <= atomic_load(&slots->begun[slot]))
        return true;
    snprintf(got, sizeof got, "generation %u in %zu bytes%s, expire_at %" PRId64, generation,
             record->value.size, whole ? "" : " (not what was written)", record->expire_at);
    return say(check, index, got, message);
}

bool slots_check_record(struct slots_check *check, const flowdb_record *record,
                        char message[SLOTS_MESSAGE_BYTES]) {
    uint64_t index;
    if (!locate(check, record, &index)) {
        snprintf(message, SLOTS_MESSAGE_BYTES,
                 "key %.*s ts %" PRId64 ": expected nothing outside of what was asked for, got %zu "
                 "bytes",
                 (int)(record->key.size < 64 ? record->key.size : 64),
                 (const char *)record->key.data, record->ts, record->value.size);
        return false;
    }
    uint64_t done = check->reverse ? slots_area_count(&check->area) - 1 - index : index;
    if (done < check->next)
        return say(check, index, "it twice or out of order", message);
    while (check->next < done)
        if (!settle_absent(check, message))
            return false;
    check->next++;
    return check_value(check, index, record, message);
}

bool slots_check_end(struct slots_check *check, char message[SLOTS_MESSAGE_BYTES]) {
    while (check->next < slots_area_count(&check->area))
        if (!settle_absent(check, message))
            return false;
    return true;
}
