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

/* The number itself, with a sign and a point somewhere. */
static size_t write_decimal(uint32_t value, char text[16]) {
    unsigned number = value & 0xfffffff;
    const char *sign = number % 3 == 0 ? "-" : "";
    if (number % 4 == 0)
        return (size_t)snprintf(text, 16, "%s%u", sign, number);
    unsigned unit = number % 4 == 3 ? 1000 : 10;
    return (size_t)snprintf(text, 16, "%s%u.%0*u", sign, number / unit, unit == 10 ? 1 : 3,
                            number % unit);
}

/* The number of the value; 0 where the bytes are no value's beginning. */
static uint32_t read_number(flowdb_slice bytes) {
    const char *text = bytes.data;
    uint32_t value = 0, number = 0;
    bool decimal = bytes.size > 0;
    for (size_t i = 0; i < bytes.size && decimal; i++) {
        decimal = (text[i] >= '0' && text[i] <= '9') || text[i] == '.' || text[i] == '-';
        if (decimal && text[i] >= '0')
            number = number * 10 + (uint32_t)(text[i] - '0');
    }
    if (decimal)
        return oracle_value(number & 0xfffffff, ORACLE_DECIMAL);
    if (bytes.size >= sizeof value)
        memcpy(&value, text, sizeof value);
    return value >> 28 < ORACLE_DECIMAL ? value : 0;
}

/* Values are decimal, or cut from one stretch of noise and begin with their numbers. */
flowdb_slice oracle_bytes(uint32_t value) {
    static uint8_t noise[NOISE + ORACLE_VALUE_MAX], bytes[ORACLE_ENTRIES][ORACLE_VALUE_MAX];
    static size_t turn;
    if (noise[0] == 0) {
        struct seeded random = {1};
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (uint8_t)(seeded_next(&random) % 200 + 1);
    }
    uint8_t *out = bytes[turn++ % ORACLE_ENTRIES];
    if (value >> 28 == ORACLE_DECIMAL)
        return flowdb_bytes(out, write_decimal(value, (char *)out));
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
    /* That of a range may be none. */
    struct oracle_cell *cell =
        state->cells + (size_t)entry->key % ORACLE_KEYS * ORACLE_TIMES + entry->time;
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

static bool find_cell(const flowdb_record *record, unsigned *cell) {
    for (unsigned i = 0; i < ORACLE_CELLS; i++) {
        if (oracle_time(i % ORACLE_TIMES) == record->ts &&
            fl_slice_equal(oracle_key(i / ORACLE_TIMES), record->key)) {
            *cell = i;
            return true;
        }
    }
    return false;
}

bool oracle_read_record(const flowdb_record *record, unsigned *cell, struct oracle_cell *into) {
    uint32_t value = read_number(record->value);
    if (!find_cell(record, cell)) {
        fprintf(stderr, "a record that nobody wrote\n");
        return false;
    }
    if (value == 0 || !fl_slice_equal(record->value, oracle_bytes(value))) {
        fprintf(stderr, "a record's value is none that was written\n");
        return false;
    }
    *into = (struct oracle_cell){value, record->expire_at, false};
    return true;
}

bool oracle_read(const flowdb_result *found, struct oracle_state *into) {
    *into = (struct oracle_state){0};
    unsigned next = 0;
    for (size_t i = 0; i < found->count; i++) {
        unsigned cell = 0;
        struct oracle_cell read;
        if (!oracle_read_record(&found->records[i], &cell, &read))
            return false;
        if (cell < next) {
            fprintf(stderr, "record %zu is out of order\n", i);
            return false;
        }
        into->cells[cell] = read;
        next = cell + 1;
    }
    return true;
}

bool oracle_cell_matches(const struct oracle_cell *cell, const struct oracle_cell *found,
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
        if (!oracle_cell_matches(&state->cells[i], &found->cells[i], time))
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
        if (oracle_cell_matches(cell, there, time))
            continue;
        fprintf(stderr,
                "  key %zu time %zu: expected value %#x until %" PRId64 ", found %#x until %" PRId64
                "; it is %" PRId64 "\n",
                i / ORACLE_TIMES, i % ORACLE_TIMES, cell->value, cell->expire_at, there->value,
                there->expire_at, time->now_us);
    }
}
