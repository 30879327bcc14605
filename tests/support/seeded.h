/* Random numbers that a printed seed gives back. */
#ifndef TESTS_SUPPORT_SEEDED_H
#define TESTS_SUPPORT_SEEDED_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

struct seeded {
    uint64_t state;
};

/* splitmix64 (Steele, Lea and Flood 2014) */
static inline uint64_t seeded_next(struct seeded *seeded) {
    uint64_t z = seeded->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* 0 <= result < bound; the bound is small, so the bias is not worth a loop. */
static inline uint32_t seeded_below(struct seeded *seeded, uint32_t bound) {
    return (uint32_t)((seeded_next(seeded) >> 32) % bound);
}

static inline bool seeded_chance(struct seeded *seeded, uint32_t percent) {
    return seeded_below(seeded, 100) < percent;
}

/* Starts from FLOWDB_SEED or from a random seed, and prints it. */
static inline struct seeded seeded_begin(const char *test) {
    struct seeded seeded = {0};
    const char *given = getenv("FLOWDB_SEED");
    if (given != NULL)
        seeded.state = strtoull(given, NULL, 0);
    else if (getrandom(&seeded.state, sizeof seeded.state, 0) != (ssize_t)sizeof seeded.state)
        abort();
    printf("%s: FLOWDB_SEED=0x%" PRIx64 "\n", test, seeded.state);
    fflush(stdout);
    return seeded;
}

#endif
