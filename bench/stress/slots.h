/*
 * What was written, so that every read can be checked, also beside writers.
 *
 * A slot is one (key, ts): point p of series s. Each write to it is a generation, numbered from 1; a
 * few generations are deletes. Which, and what bytes the others hold, follows from seed, slot and
 * generation. A slot has one writer at a time, which raises `begun` before the call and `acked` once
 * it has succeeded. So a read must give a generation between what was acked before it began and what
 * was begun when it had ended.
 */
#ifndef STRESS_SLOTS_H
#define STRESS_SLOTS_H

#include "tool.h"

enum { SLOTS_KEY_BYTES = 16, SLOTS_VALUE_BYTES = 96, SLOTS_STEP_US = 10000000 };
#define SLOTS_START_US INT64_C(1700000000000000)

struct slots {
    uint64_t seed;
    uint32_t series, points;
    uint64_t count; /* series * points; slot = series * points + point, the order of reads */
    _Atomic uint32_t *begun, *acked; /* generations; 0: never written */
};

void slots_init(struct slots *slots, uint64_t seed, uint64_t records);
void slots_deinit(struct slots *slots);

/* The key of a series, written into `out`. */
flowdb_slice slots_key(uint32_t series, char out[SLOTS_KEY_BYTES]);
static inline int64_t slots_ts(uint32_t point) {
    return SLOTS_START_US + (int64_t)point * SLOTS_STEP_US;
}

/* Is this generation of the slot a delete? 0, the time before the first, counts as one. */
bool slots_is_gone(const struct slots *slots, uint64_t slot, uint32_t generation);
/* Writes the value and returns its size. */
size_t slots_value(const struct slots *slots, uint64_t slot, uint32_t generation,
                   uint8_t out[SLOTS_VALUE_BYTES]);

/* The generation that the writer of the slot is to write now. */
uint32_t slots_begin(struct slots *slots, uint64_t slot);
void slots_acknowledge(struct slots *slots, uint64_t slot, uint32_t generation);

/* A rectangle of slots, bounds inclusive. */
struct slots_area {
    uint32_t series_first, series_last, point_first, point_last;
};
uint64_t slots_area_count(const struct slots_area *area);

/* What a read that begins now must see at least; one number a slot, in ascending order. */
void slots_note(const struct slots *slots, const struct slots_area *area, uint32_t *noted);

/* A read of an area that is being checked, record by record. */
struct slots_check {
    const struct slots *slots;
    struct slots_area area;
    const uint32_t *noted;
    bool reverse;
    uint64_t next; /* how many slots of the area are settled */
};

/* A wrong answer in a sentence: key, ts, expected, got. */
enum { SLOTS_MESSAGE_BYTES = 512 };

/* Each returns false, with a message, where the answer is wrong. The records come in order. */
bool slots_check_record(struct slots_check *check, const flowdb_record *record,
                        char message[SLOTS_MESSAGE_BYTES]);
/* There are no more records. */
bool slots_check_end(struct slots_check *check, char message[SLOTS_MESSAGE_BYTES]);

#endif
