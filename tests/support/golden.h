/*
 * Golden files: bytes of a format that a released version wrote, in tests/format/. A test reads them
 * with the code as it is, and writes the same once more to compare. Made once, by running the test
 * with `--write FOLDER`; they change only together with the format's version.
 */
#ifndef TESTS_SUPPORT_GOLDEN_H
#define TESTS_SUPPORT_GOLDEN_H

#include "support/scratch.h"

/* The path of tests/format/`name`; in one of a few buffers that are used in turn. */
const char *golden_path(const char *name);
/* The file at `path` has the bytes of tests/format/`name`. */
void golden_assert_same(const char *path, const char *name);

#endif
