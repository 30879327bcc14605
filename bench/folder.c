/* The folder that the databases are made in, and the memory that they will use. */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

void bench_folder_create(struct bench *bench) {
    const char *base = bench->options.folder;
    if (base == NULL)
        base = getenv("TMPDIR");
    snprintf(bench->folder, sizeof bench->folder, "%s/flowdb-bench-XXXXXX",
             base != NULL ? base : "/tmp");
    if (mkdtemp(bench->folder) == NULL) {
        fprintf(stderr, "cannot create %s: %s\n", bench->folder, strerror(errno));
        exit(1);
    }
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw) {
    (void)status;
    (void)type;
    return ftw->level == 0 ? 0 : remove(path);
}

void bench_folder_clear(struct bench *bench) {
    nftw(bench->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void bench_folder_remove(struct bench *bench) {
    bench_folder_clear(bench);
    rmdir(bench->folder);
}

static _Thread_local uint64_t bytes_found; /* nftw takes no context */

static int add_bytes(const char *path, const struct stat *status, int type, struct FTW *ftw) {
    (void)path;
    (void)ftw;
    if (type == FTW_F)
        bytes_found += (uint64_t)status->st_size;
    return 0;
}

uint64_t bench_folder_bytes(const struct bench *bench) {
    bytes_found = 0;
    nftw(bench->folder, add_bytes, 16, FTW_PHYS);
    return bytes_found;
}

void bench_warm_memory(size_t bytes) {
    uint8_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return;
    for (size_t at = 0; at < bytes; at += 4096)
        ((volatile uint8_t *)memory)[at] = 1;
    munmap(memory, bytes);
}
