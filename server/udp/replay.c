#include "udp/replay.h"

#include <stdlib.h>
#include <string.h>

#define TURN_US (INT64_C(600) * 1000000)

static const uint8_t zeros[FL_REPLAY_CODE];

/* Codes are digests: any of their bits are as good as a hash. */
static size_t slot_of(const struct fl_replay_set *set, const uint8_t *code) {
    uint64_t word;
    memcpy(&word, code, sizeof word);
    size_t slot = (size_t)word & (set->capacity - 1);
    while (memcmp(set->codes[slot], zeros, FL_REPLAY_CODE) != 0 &&
           memcmp(set->codes[slot], code, FL_REPLAY_CODE) != 0)
        slot = (slot + 1) & (set->capacity - 1);
    return slot;
}

static bool holds(const struct fl_replay_set *set, const uint8_t *code) {
    if (memcmp(code, zeros, FL_REPLAY_CODE) == 0)
        return set->has_zeros;
    return set->capacity > 0 && memcmp(set->codes[slot_of(set, code)], code, FL_REPLAY_CODE) == 0;
}

static bool grow(struct fl_replay_set *set) {
    struct fl_replay_set larger = {.count = set->count,
                                   .has_zeros = set->has_zeros,
                                   .capacity = set->capacity > 0 ? set->capacity * 2 : 1024};
    larger.codes = calloc(larger.capacity, sizeof *larger.codes);
    if (larger.codes == NULL)
        return false;
    for (size_t i = 0; i < set->capacity; i++)
        if (memcmp(set->codes[i], zeros, FL_REPLAY_CODE) != 0)
            memcpy(larger.codes[slot_of(&larger, set->codes[i])], set->codes[i], FL_REPLAY_CODE);
    free(set->codes);
    *set = larger;
    return true;
}

static bool add(struct fl_replay_set *set, const uint8_t *code) {
    if (memcmp(code, zeros, FL_REPLAY_CODE) == 0) {
        set->has_zeros = true;
        return true;
    }
    if (set->count >= FL_REPLAY_MAX || (set->count * 2 >= set->capacity && !grow(set)))
        return false;
    memcpy(set->codes[slot_of(set, code)], code, FL_REPLAY_CODE);
    set->count++;
    return true;
}

void fl_replay_deinit(struct fl_replay *replay) {
    free(replay->now.codes);
    free(replay->before.codes);
    *replay = (struct fl_replay){0};
}

enum fl_replay_verdict fl_replay_check(struct fl_replay *replay, const uint8_t code[FL_REPLAY_CODE],
                                       int64_t now_us) {
    if (now_us - replay->turned_at_us >= TURN_US) {
        free(replay->before.codes);
        replay->before = replay->now;
        replay->now = (struct fl_replay_set){0};
        replay->turned_at_us = now_us;
    }
    if (holds(&replay->now, code) || holds(&replay->before, code))
        return FL_REPLAY_SEEN;
    return add(&replay->now, code) ? FL_REPLAY_NEW : FL_REPLAY_FULL;
}
