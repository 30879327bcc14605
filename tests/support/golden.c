#include "support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

const char *golden_path(const char *name) {
    const char *source = getenv("FLOWDB_SOURCE_DIR");
    if (source == NULL)
        fail_msg("FLOWDB_SOURCE_DIR must say where the source is");
    char folder[SCRATCH_PATH];
    snprintf(folder, sizeof folder, "%s/tests/format", source);
    return scratch_in(folder, name);
}

void golden_assert_same(const char *path, const char *name) {
    size_t size, golden_size;
    uint8_t *bytes = scratch_read(path, &size);
    uint8_t *golden = scratch_read(golden_path(name), &golden_size);
    assert_int_equal(size, golden_size);
    assert_memory_equal(bytes, golden, size);
    free(bytes);
    free(golden);
}
