/* Folders for tests to work in, and whole files as bytes. What goes wrong here fails the test. */
#ifndef TESTS_SUPPORT_SCRATCH_H
#define TESTS_SUPPORT_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCRATCH_PATH = 512 };

/* A new, empty folder below TMPDIR or /tmp. */
void scratch_create(char path[SCRATCH_PATH]);
/* The same in memory where the machine has a folder that is: for what does not care for the disk. */
void scratch_create_in_memory(char path[SCRATCH_PATH]);
/* With all that is in it; "" and what is not there are fine. */
void scratch_remove(const char *path);
/* `to` as it would be found if the machine's processes died now: `from` file by file. Replaces what
   is there. */
void scratch_copy(const char *from, const char *to);

/* The file's bytes, to be freed. */
uint8_t *scratch_read(const char *path, size_t *size);
/* Creates or replaces the file. */
void scratch_write(const char *path, const void *bytes, size_t size);
bool scratch_exists(const char *path);

/* All that is in the folder, names and contents, as a number. */
uint64_t scratch_fingerprint(const char *folder);

/* How many files in `folder` have `part` in their names. `last`, if not NULL, receives the path of
   the last of them by name, `first` that of the first. */
size_t scratch_find(const char *folder, const char *part, char first[SCRATCH_PATH],
                    char last[SCRATCH_PATH]);

/* folder/name, in one of a few buffers that are used in turn. */
const char *scratch_in(const char *folder, const char *name);

#endif
