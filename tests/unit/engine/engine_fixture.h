/*
 * A database on a clock, a file system and an allocator of the test's, with no thread of its own:
 * the same calls do the same each time.
 */
#ifndef TESTS_UNIT_ENGINE_ENGINE_FIXTURE_H
#define TESTS_UNIT_ENGINE_ENGINE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <flowdb/flowdb.h>

#include "fs/env.h"
#include "support/failing_alloc.h"
#include "support/fake_clock.h"
#include "support/fault_fs.h"
#include "support/scratch.h"
#include "support/seeded.h"

/* When the clock begins, and what lies far enough from it. */
#define ENGINE_NOW INT64_C(1700000000000000)
#define ENGINE_HOUR INT64_C(3600000000)
#define ENGINE_DAY (24 * ENGINE_HOUR)
#define ENGINE_YEAR (365 * ENGINE_DAY)

struct engine {
    char folder[SCRATCH_PATH]; /* of this test; the databases lie in it */
    char data[SCRATCH_PATH];   /* the database; config.data_dir, unless it is the copy's turn */
    char copy[SCRATCH_PATH];   /* what a crash left */
    struct failing_alloc failing;
    struct fault_fs fault;
    struct fake_clock clock;
    struct fl_env env;
    flowdb_config config;
    flowdb *db;
    unsigned warnings, errors; /* log lines */
    char last_line[512];       /* of any level */
    char last_warning[512];    /* of level warning */
};

/* *state becomes a struct engine; nothing is open. */
int engine_set_up(void **state);
/* Closes what is open. Fails if memory or files leaked. */
int engine_tear_down(void **state);
#define ENGINE_TEST(name) cmocka_unit_test_setup_teardown(name, engine_set_up, engine_tear_down)

/* ---- open and close; those that return nothing assert success */

flowdb_status engine_try_open(struct engine *engine);
void engine_open(struct engine *engine);
void engine_close(struct engine *engine);
void engine_reopen(struct engine *engine);
/* Opening fails so, and the message holds `named`. */
void engine_assert_open_fails(struct engine *engine, flowdb_status expected, const char *named);
/* Copies the open database's files as they are: what a kill would leave. */
void engine_crash(struct engine *engine);
/* The same, closes the database, and makes the copy the one that is opened next. */
void engine_leave_crashed(struct engine *engine);
/* A crash, and goes on with the copy. */
void engine_go_on_after_crash(struct engine *engine);
/* From now on the crashed copy is opened, or again the original. Nothing is open. */
void engine_use_copy(struct engine *engine);
void engine_use_original(struct engine *engine);

/* ---- write; each asserts success */

void engine_put(struct engine *engine, const char *key, int64_t ts, const char *value);
void engine_put_until(struct engine *engine, const char *key, int64_t ts, int64_t expire_at,
                      const char *value);
void engine_delete(struct engine *engine, const char *key, int64_t ts);
void engine_delete_range(struct engine *engine, const char *start, const char *end);
/* A value so large that a few of them fill a memtable of 1 MiB: key@0. */
void engine_put_large(struct engine *engine, const char *key);
void engine_flush(struct engine *engine);
void engine_sync(struct engine *engine);

/* ---- read */

/* All records as "key@ts=value key@ts=value"; of large values only "#" and the size. To be freed;
   NULL where reading fails with *status. */
char *engine_contents(flowdb *db, flowdb_status *status);
/* That is what there is, by scan, and one by one by get and get_latest. */
void engine_assert_contents(struct engine *engine, const char *expected);

void engine_assert_ok(flowdb_status status);

#endif
