/* A manifest in a folder of its own, and the states that it has been through. */
#ifndef TESTS_UNIT_MANIFEST_MANIFEST_FIXTURE_H
#define TESTS_UNIT_MANIFEST_MANIFEST_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "manifest/manifest.h"
#include "support/failing_alloc.h"
#include "support/fault_fs.h"
#include "support/scratch.h"
#include "support/seeded.h"

enum { STATES_MAX = 64 };

struct fixture {
    char folder[SCRATCH_PATH];
    struct failing_alloc failing;
    struct fault_fs fault;
    struct fl_env env;
    struct fl_manifest *manifest;
    /* [0] is what it was created with; each edit that was accepted adds one */
    struct fl_manifest_state states[STATES_MAX];
    size_t state_count;
    uint64_t append_calls; /* allocations that the last edit asked for */
};

int manifest_set_up(void **state);
/* Fails if memory or files leaked. */
int manifest_tear_down(void **state);
#define MANIFEST_TEST(name) \
    cmocka_unit_test_setup_teardown(name, manifest_set_up, manifest_tear_down)

/* A state with so many tables; its numbers follow from `salt`. The caller deinits it. */
struct fl_manifest_state manifest_make_state(struct fixture *fixture, size_t tables, uint64_t salt);
/* Creates the manifest with that number and state, and asserts that it worked. */
void manifest_create(struct fixture *fixture, uint64_t id, size_t tables);
void manifest_close(struct fixture *fixture);
/* Closes it and forgets the states. The files stay. */
void manifest_start_over(struct fixture *fixture);

/* Appends an edit that adds `added` tables and removes the oldest `removed`; its numbers follow
   from how many there were before. Remembers the state where it worked. */
flowdb_status manifest_edit(struct fixture *fixture, size_t added, size_t removed);

void assert_state(const struct fl_manifest_state *state, const struct fl_manifest_state *expected);
/* Reads the folder. Where that works, *which is the index of the state that came out: it must be
   one of those that were. */
flowdb_status manifest_read(struct fixture *fixture, const char *folder, size_t *which);
/* The last state comes out. */
void manifest_check(struct fixture *fixture);

#endif
