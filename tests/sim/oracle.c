#include "oracle.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { NOISE = 1 << 16 };

void oracle_init(struct oracle *oracle) {
    *oracle = (struct oracle){.states = calloc(16, sizeof *oracle->states), .count = 1, .room = 16};
    if (oracle->states == NULL)
        abort();
}

void oracle_deinit(struct oracle *oracle) {
    free(oracle->states);
    *oracle = (struct oracle){0};
}

void oracle_copy(const struct oracle *from, size_t last, struct oracle *into) {
    *into = (struct oracle){.count = last + 1, .room = last + 17};
    into->states = calloc(into->room, sizeof *into->states);
    if (into->states == NULL)
        abort();
    memcpy(into->states, from->states, into->count * sizeof *into->states);
}

/* ----------------------------------------------------------------------------------- world -- */

flowdb_slice oracle_key(unsigned key) {
    static const struct {
        const char *bytes;
        size_t size;
    } keys[ORACLE_KEYS] = {{"\0", 1}, {"a", 1},         {"a\xff", 2},   {"b", 1},
                           {"bb", 2}, {"m/cpu,h=1", 9}, {"\xff\xff", 2}};
    return flowdb_bytes(keys[key].bytes, keys[key].size);
}

int64_t oracle_time(unsigned time) {
    static const int64_t times[ORACLE_TIMES] = {-ORACLE_HOUR, ORACLE_NOW - 100 * ORACLE_HOUR,
                                                ORACLE_NOW - ORACLE_HOUR, ORACLE_NOW,
                                                ORACLE_NOW + ORACLE_HOUR};
    return times[time];
}

/* The size is in the number's upper bits. */
uint32_t oracle_value(uint32_t number, enum oracle_size size) {
    return number | (uint32_t)size << 28;
}

static size_t value_size(uint32_t value) {
    struct seeded random = {value};
    switch (value >> 28) {
    case ORACLE_LARGE:
        return 150000 + seeded_below(&random, ORACLE_VALUE_MAX - 150000);
    case ORACLE_MEDIUM:
        return 1000 + seeded_below(&random, 20000);
    default:
        return seeded_chance(&random, 10) ? 4 : 4 + seeded_below(&random, 200);
    }
}

/* All values are cut from one stretch of noise, and begin with their numbers. */
flowdb_slice oracle_bytes(uint32_t value) {
    static uint8_t noise[NOISE + ORACLE_VALUE_MAX], bytes[ORACLE_ENTRIES][ORACLE_VALUE_MAX];
    static size_t turn;
    if (noise[0] == 0) {
        struct seeded random = {1};
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (uint8_t)(seeded_next(&random) % 200 + 1);
    }
    uint8_t *out = bytes[turn++ % ORACLE_ENTRIES];
    size_t size = value_size(value);
    memcpy(out, noise + value * 97 % NOISE, size);
    memcpy(out, &value, sizeof value);
    return flowdb_bytes(out, size);
}

/* ---------------------------------------------------------------------------------- writes -- */

static bool is_inside(const struct oracle_entry *range, unsigned key) {
    return (range->key == ORACLE_UNBOUNDED || key >= range->key) &&
           (range->key_end == ORACLE_UNBOUNDED || key < range->key_end);
}

static void apply(struct oracle_state *state, const struct oracle_entry *entry,
                  int64_t default_ttl_us) {
    struct oracle_cell *cell = &state->cells[entry->key * ORACLE_TIMES + entry->time];
    switch (entry->kind) {
    case ORACLE_PUT:
        *cell = (struct oracle_cell){entry->value, entry->expire_at, false};
        if (default_ttl_us > 0 && entry->expire_at == FLOWDB_NEVER)
            cell->expire_at = oracle_time(entry->time) + default_ttl_us;
        break;
    case ORACLE_DELETE:
        *cell = (struct oracle_cell){0};
        break;
    case ORACLE_DELETE_RANGE:
        for (unsigned i = 0; i < ORACLE_CELLS; i++) {
            if (is_inside(entry, i / ORACLE_TIMES))
                state->cells[i] = (struct oracle_cell){0};
        }
        break;
    }
}

void oracle_push(struct oracle *oracle, size_t last, const struct oracle_entry *entries,
                 size_t count, int64_t default_ttl_us) {
    oracle->count = last + 1;
    if (oracle->count == oracle->room) {
        oracle->room *= 2;
        oracle->states = realloc(oracle->states, oracle->room * sizeof *oracle->states);
        if (oracle->states == NULL)
            abort();
    }
    struct oracle_state *next = &oracle->states[oracle->count++];
    *next = oracle->states[last];
    for (size_t i = 0; i < count; i++)
        apply(next, &entries[i], default_ttl_us);
}

/* ------------------------------------------------------------------------------- comparing -- */

static bool find_cell(const flowdb_record *record, size_t *cell) {
    for (unsigned i = 0; i < ORACLE_CELLS; i++) {
        if (oracle_time(i % ORACLE_TIMES) == record->ts &&
            fl_slice_equal(oracle_key(i / ORACLE_TIMES), record->key)) {
            *cell = i;
            return true;
        }
    }
    return false;
}

bool oracle_read(const flowdb_result *found, struct oracle_state *into) {
    *into = (struct oracle_state){0};
    size_t next = 0;
    for (size_t i = 0; i < found->count; i++) {
        const flowdb_record *record = &found->records[i];
        size_t cell = 0;
        uint32_t value = 0;
        if (!find_cell(record, &cell) || cell < next || record->value.size < sizeof value) {
            fprintf(stderr, "record %zu: nobody wrote it, or it is out of order\n", i);
            return false;
        }
        memcpy(&value, record->value.data, sizeof value);
        if (value >> 28 > ORACLE_LARGE || !fl_slice_equal(record->value, oracle_bytes(value))) {
            fprintf(stderr, "record %zu: its value is none that was written\n", i);
            return false;
        }
        into->cells[cell] = (struct oracle_cell){value, record->expire_at, false};
        next = cell + 1;
    }
    return true;
}

static bool cell_matches(const struct oracle_cell *cell, const struct oracle_cell *found,
                         const struct oracle_time *time) {
    if (cell->vague)
        return true;
    if (cell->value == 0 || cell->expire_at <= time->now_us)
        return found->value == 0;
    if (found->value == 0 && cell->expire_at <= time->purged_us)
        return true;
    return found->value == cell->value && found->expire_at == cell->expire_at;
}

bool oracle_matches(const struct oracle_state *state, const struct oracle_state *found,
                    const struct oracle_time *time) {
    for (size_t i = 0; i < ORACLE_CELLS; i++) {
        if (!cell_matches(&state->cells[i], &found->cells[i], time))
            return false;
    }
    return true;
}

bool oracle_find(const struct oracle *oracle, size_t low, size_t high,
                 const struct oracle_state *found, const struct oracle_time *time,
                 struct oracle_match *match) {
    bool any = false;
    for (size_t k = low; k <= high; k++) {
        if (!oracle_matches(&oracle->states[k], found, time))
            continue;
        if (!any)
            match->oldest = k;
        match->youngest = k;
        any = true;
    }
    return any;
}

void oracle_settle(struct oracle *oracle, const struct oracle_match *match) {
    struct oracle_state *state = &oracle->states[match->youngest];
    for (size_t k = match->oldest; k < match->youngest; k++) {
        for (size_t i = 0; i < ORACLE_CELLS; i++) {
            const struct oracle_cell *other = &oracle->states[k].cells[i];
            state->cells[i].vague |= other->vague || other->value != state->cells[i].value ||
                                     other->expire_at != state->cells[i].expire_at;
        }
    }
    oracle->count = match->youngest + 1;
}

void oracle_explain(const struct oracle_state *state, const struct oracle_state *found,
                    const struct oracle_time *time) {
    for (size_t i = 0; i < ORACLE_CELLS; i++) {
        const struct oracle_cell *cell = &state->cells[i], *there = &found->cells[i];
        if (cell_matches(cell, there, time))
            continue;
        fprintf(stderr,
                "  key %zu time %zu: expected value %#x until %" PRId64 ", found %#x until %" PRId64
                "; it is %" PRId64 "\n",
                i / ORACLE_TIMES, i % ORACLE_TIMES, cell->value, cell->expire_at, there->value,
                there->expire_at, time->now_us);
    }
}
