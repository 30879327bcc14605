#include "crash.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

uint64_t crash_random_next(struct crash_random *random) {
    return crash_mix(random->state++);
}

uint32_t crash_random_below(struct crash_random *random, uint32_t bound) {
    return (uint32_t)(((crash_random_next(random) >> 32) * bound) >> 32);
}

bool crash_random_chance(struct crash_random *random, uint32_t percent) {
    return crash_random_below(random, 100) < percent;
}

uint32_t crash_random_log(struct crash_random *random, uint32_t low, uint32_t high) {
    uint32_t doublings = 0;
    while (low << (doublings + 1) < high && doublings < 30)
        doublings++;
    uint64_t start = (uint64_t)low << crash_random_below(random, doublings + 1);
    uint64_t result = start + crash_random_below(random, (uint32_t)start);
    return result > high ? high : (uint32_t)result;
}

uint64_t crash_number_from_environment(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text == NULL || *text == '\0' ? otherwise : strtoull(text, NULL, 0);
}

uint64_t crash_seed(void) {
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        perror("getrandom");
    return crash_number_from_environment("FLOWDB_SEED", seed >> 16);
}

void crash_folder_create(char path[CRASH_PATH_BYTES]) {
    const char *base = getenv("TMPDIR");
    snprintf(path, CRASH_PATH_BYTES, "%s/flowdb-crash-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(path) == NULL) {
        fprintf(stderr, "cannot create %s: %s\n", path, strerror(errno));
        exit(2);
    }
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw) {
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

void crash_folder_remove(const char *path) {
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

pid_t crash_fork(void) {
    pid_t parent = getpid();
    fflush(NULL); /* or the child would write the parent's lines again */
    pid_t child = fork();
    if (child < 0) {
        perror("fork");
        exit(2);
    }
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) /* it died before prctl */
            _exit(2);
    }
    return child;
}

int64_t crash_now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
