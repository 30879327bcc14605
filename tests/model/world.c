/* Keys, timestamps and values. */
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

flowdb_slice world_key(const struct world *world, unsigned key) {
    return flowdb_bytes(world->keys[key].bytes, world->keys[key].size);
}

int world_compare(flowdb_slice a, flowdb_slice b) {
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0)
        return order;
    return (a.size > b.size) - (a.size < b.size);
}

static int compare_keys(const void *a, const void *b) {
    const struct world_key *left = a, *right = b;
    return world_compare(flowdb_bytes(left->bytes, left->size),
                         flowdb_bytes(right->bytes, right->size));
}

static void key_random_bytes(struct world_key *key, struct random *random, size_t size) {
    key->size = size;
    for (size_t i = 0; i < size; i++)
        key->bytes[i] = (uint8_t)random_next(random);
}

/* One key in one of the shapes that have broken databases before. */
static void key_choose(struct world_key *key, struct random *random) {
    static const uint8_t zeros_and_letters[] = {0, 0, 'a', 0, 'a', 0, 0, 'b'};
    uint32_t number = random_below(random, 40);
    switch (random_below(random, 8)) {
    case 0: /* each the beginning of the next */
        key->size = 1 + random_below(random, 12);
        memset(key->bytes, 'a', key->size);
        break;
    case 1: /* as series are named */
        key->size = (size_t)snprintf((char *)key->bytes, WORLD_KEY_BYTES, "host-%02u.cpu%u.%s",
                                     number, number % 3, number % 2 ? "user" : "system");
        break;
    case 2: /* no successor */
        key->size = 1 + random_below(random, 4);
        memset(key->bytes, 0xff, key->size);
        break;
    case 3: /* a successor that has to carry */
        key->size = 3;
        memset(key->bytes, 0xff, key->size);
        key->bytes[random_below(random, 3)] = (uint8_t)random_below(random, 256);
        break;
    case 4: /* NULs inside and at the end */
        key->size = 1 + random_below(random, sizeof zeros_and_letters);
        memcpy(key->bytes, zeros_and_letters, key->size);
        break;
    case 5: /* long, and alike for longer than any fixed head */
        key_random_bytes(key, random, 290 + random_below(random, 11));
        memset(key->bytes, 'k', 285);
        break;
    case 6: /* alike but for the eighth byte and what follows */
        key->size = 8 + random_below(random, 4);
        memcpy(key->bytes, "sameheadtail", key->size);
        key->bytes[7] = (uint8_t)random_below(random, 4);
        break;
    default:
        key_random_bytes(key, random, 1 + random_below(random, 300));
    }
}

static bool key_is_taken(const struct world *world, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        if (compare_keys(&world->keys[i], &world->keys[count]) == 0)
            return true;
    return false;
}

static int compare_times(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void times_init(struct world *world, struct random *random) {
    static const int64_t fixed[] = {
        INT64_MIN, INT64_MIN + 1, -1000000000000000, -3600000000,   -1,       0, 1,
        1000,      3600000000,    4102444800000000,  INT64_MAX - 1, INT64_MAX};
    enum { FIXED = sizeof fixed / sizeof *fixed };
    memcpy(world->times, fixed, sizeof fixed);
    /* The rest lie in November 2023: some a second apart, some anywhere. */
    int64_t base = 1700000000000000 + (int64_t)random_below(random, 1000000);
    for (unsigned i = FIXED; i < WORLD_TIMES; i++) {
        base += i % 3 == 0 ? 1 + (int64_t)random_below(random, 900000000) : 1000000;
        world->times[i] = base;
    }
    qsort(world->times, WORLD_TIMES, sizeof *world->times, compare_times);
}

void world_init(struct world *world, struct random *random) {
    memset(world, 0, sizeof *world);
    for (unsigned count = 0; count < WORLD_KEYS; count++)
        do {
            key_choose(&world->keys[count], random);
        } while (key_is_taken(world, count));
    qsort(world->keys, WORLD_KEYS, sizeof *world->keys, compare_keys);
    times_init(world, random);
}

/* The low four bits of a value say what it looks like. */
enum {
    VALUE_EMPTY,
    VALUE_DECIMAL,
    VALUE_INTEGER,
    VALUE_ODD_NUMBER,
    VALUE_SHORT,
    VALUE_MEDIUM,
    VALUE_REPEATED,
    VALUE_LARGE
};

uint64_t world_value_choose(struct random *random) {
    static const uint8_t look[] = {VALUE_DECIMAL, VALUE_DECIMAL,    VALUE_DECIMAL, VALUE_INTEGER,
                                   VALUE_INTEGER, VALUE_ODD_NUMBER, VALUE_SHORT,   VALUE_SHORT,
                                   VALUE_SHORT,   VALUE_MEDIUM,     VALUE_MEDIUM,  VALUE_REPEATED,
                                   VALUE_EMPTY};
    uint64_t chosen = look[random_below(random, sizeof look)];
    if (random_below(random, 150) == 0)
        chosen = VALUE_LARGE;
    return (random_next(random) << 4) | chosen;
}

/* Numbers as programs print them, and some that only look like numbers. */
static size_t number_text(uint64_t value, char text[32]) {
    static const char *const odd[] = {"-0", "-0.0", "007", "1e5",  "+3",  ".5",
                                      "5.", "NaN",  "-",   "1.50", "0x1", "9223372036854775808",
                                      "1 ", "--1"};
    struct random random = {value};
    int64_t number = (int64_t)random_next(&random) >> random_below(&random, 63);
    switch (value & 15) {
    case VALUE_DECIMAL:
        return (size_t)snprintf(text, 32, "%d.%02u", (int)(number % 1000),
                                random_below(&random, 100));
    case VALUE_INTEGER:
        return (size_t)snprintf(text, 32, "%" PRId64, number);
    default:
        return (size_t)snprintf(text, 32, "%s",
                                odd[random_below(&random, sizeof odd / sizeof *odd)]);
    }
}

size_t world_value_size(uint64_t value) {
    char text[32];
    uint64_t number = value >> 4;
    switch (value & 15) {
    case VALUE_EMPTY:
        return 0;
    case VALUE_DECIMAL:
    case VALUE_INTEGER:
    case VALUE_ODD_NUMBER:
        return number_text(value, text);
    case VALUE_SHORT:
        return 1 + number % 40;
    case VALUE_LARGE:
        return 4096 + number % (WORLD_VALUE_BYTES - 4096);
    default:
        return 100 + number % 1500;
    }
}

void world_value_write(uint64_t value, uint8_t *out) {
    char text[32];
    size_t size = world_value_size(value);
    struct random random = {value};
    switch (value & 15) {
    case VALUE_DECIMAL:
    case VALUE_INTEGER:
    case VALUE_ODD_NUMBER:
        number_text(value, text);
        memcpy(out, text, size);
        return;
    case VALUE_REPEATED:
        memset(out, (int)(value >> 8 & 0xff), size);
        return;
    default:
        while (size > 0) {
            uint64_t word = random_next(&random);
            size_t part = size < sizeof word ? size : sizeof word;
            memcpy(out, &word, part);
            out += part;
            size -= part;
        }
    }
}

int64_t world_expiry_choose(struct random *random, int64_t now) {
    static const int64_t past[] = {INT64_MIN, -1, 0, 1, 1000000000000000};
    static const int64_t near[] = {1, 1000, 1000000, 60000000, 3600000000, 86400000000};
    if (random_chance(random, 70))
        return FLOWDB_NEVER;
    if (random_chance(random, 60)) {
        int64_t unit = near[random_below(random, sizeof near / sizeof *near)];
        return now + unit * ((int64_t)random_below(random, 8) - 1);
    }
    if (random_chance(random, 50))
        return random_chance(random, 50) ? 4102444800000000 : INT64_MAX - 1;
    return past[random_below(random, sizeof past / sizeof *past)];
}

const char *world_text(flowdb_slice slice, char text[WORLD_TEXT_BYTES]) {
    const uint8_t *bytes = slice.data;
    size_t at = 0, shown = slice.size < 60 ? slice.size : 60;
    for (size_t i = 0; i < shown && at + 5 < WORLD_TEXT_BYTES; i++) {
        if (bytes[i] >= 0x20 && bytes[i] < 0x7f && bytes[i] != '\\')
            text[at++] = (char)bytes[i];
        else
            at += (size_t)snprintf(text + at, 5, "\\x%02x", bytes[i]);
    }
    snprintf(text + at, WORLD_TEXT_BYTES - at, "%s", shown < slice.size ? ".." : "");
    return text;
}
