/* What a part of a benchmark costs this process: memory, and bytes handed to the kernel. */
#ifndef BENCH_ACCOUNT_H
#define BENCH_ACCOUNT_H

#include <stdint.h>

struct account {
    uint64_t memory;  /* resident bytes at its beginning; at its end: the most beyond them */
    uint64_t written; /* bytes given to write calls so far; at its end: since its beginning */
};

/* One at a time: the kernel keeps a single largest size for each process, which begins anew here. */
struct account account_begin(void);
struct account account_end(const struct account *begun);

#endif
