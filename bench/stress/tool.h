/* What flowdb-stress and flowdb-soak share: time, random numbers, options, folders. */
#ifndef STRESS_TOOL_H
#define STRESS_TOOL_H

#include <flowdb/flowdb.h>
#include <stdatomic.h>

enum { TOOL_PATH_BYTES = 512 };

uint64_t tool_now_ns(void); /* steady */
int64_t tool_wall_us(void); /* since the Unix epoch */
void tool_sleep_ms(unsigned ms);

/* splitmix64's finish (Steele, Lea and Flood 2014): a number that looks random for each number. */
static inline uint64_t tool_mix(uint64_t z) {
    z += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

struct tool_random {
    uint64_t state;
};

static inline uint64_t tool_random_next(struct tool_random *random) {
    uint64_t number = tool_mix(random->state);
    random->state += UINT64_C(0x9e3779b97f4a7c15);
    return number;
}

/* 0 <= result < bound, bound <= 2^32 */
static inline uint64_t tool_below(struct tool_random *random, uint64_t bound) {
    return ((tool_random_next(random) >> 32) * bound) >> 32;
}

/* malloc that ends the program where memory is out; zeroed. */
void *tool_allocate(size_t size);

/* A whole number of an option within bounds, or a message that names both and exit status 2. */
uint64_t tool_parse_number(const char *program, const char *option, const char *text,
                           uint64_t minimum, uint64_t maximum);
/* Says what is wrong with the command line, where help is to be found, and ends with 2. */
__attribute__((noreturn, format(printf, 2, 3))) void tool_refuse(const char *program,
                                                                 const char *format, ...);

/* A new folder `name`-XXXXXX below `base`, or below TMPDIR or /tmp where that is NULL. Ends the
   program with 2 where it cannot be made. */
void tool_folder_create(const char *program, const char *base, const char *name,
                        char path[TOOL_PATH_BYTES]);
void tool_folder_remove(const char *path); /* with all that is in it */

struct tool_usage {
    uint64_t files;
    uint64_t table_bytes; /* of *.sst */
    uint64_t bytes;       /* of all files, as long as they are */
};
struct tool_usage tool_folder_usage(const char *path);

uint64_t tool_resident_bytes(void); /* VmRSS of this process */

#endif
