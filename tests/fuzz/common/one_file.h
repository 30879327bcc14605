/* A file system that holds one file, for targets that read what the fuzzer made. */
#ifndef FUZZ_COMMON_ONE_FILE_H
#define FUZZ_COMMON_ONE_FILE_H

#include "fs/env.h"

struct one_file {
    struct fl_fs fs; /* hand this out */
    const uint8_t *data;
    size_t size;
    const char *name; /* the end of the paths that lead to it; any other is not there */
};

/* The bytes are borrowed. */
void one_file_init(struct one_file *one, const char *name, const uint8_t *data, size_t size);

/* System memory and clock, and that file system. */
struct fl_env one_file_env(struct one_file *one);

#endif
