/* What the crash tests share: random numbers, folders, and children that end with their parent. */
#ifndef CRASH_CRASH_H
#define CRASH_CRASH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CRASH_PATH_BYTES = 256 };

/* splitmix64 */
static inline uint64_t crash_mix(uint64_t number) {
    number += UINT64_C(0x9e3779b97f4a7c15);
    number = (number ^ (number >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ (number >> 27)) * UINT64_C(0x94d049bb133111eb);
    return number ^ (number >> 31);
}

struct crash_random {
    uint64_t state;
};

uint64_t crash_random_next(struct crash_random *random);
/* 0 <= result < bound */
uint32_t crash_random_below(struct crash_random *random, uint32_t bound);
bool crash_random_chance(struct crash_random *random, uint32_t percent);
/* low <= result <= high, small ones as likely as large ones: each doubling has the same share. */
uint32_t crash_random_log(struct crash_random *random, uint32_t low, uint32_t high);

uint64_t crash_number_from_environment(const char *name, uint64_t otherwise);
/* FLOWDB_SEED, or a random one. */
uint64_t crash_seed(void);

/* A new, empty folder under TMPDIR or /tmp. Ends the program when there can be none. */
void crash_folder_create(char path[CRASH_PATH_BYTES]);
void crash_folder_remove(const char *path);

/* As fork, but the child is killed when the parent dies. */
pid_t crash_fork(void);

int64_t crash_now_us(void);

#endif
