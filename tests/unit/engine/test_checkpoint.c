/* flowdb_checkpoint: what it holds, where it may lie, and what a failure leaves. */
#include "fault_runs.h"

#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"

static const char *target_of(struct engine *engine) {
    return scratch_in(engine->folder, "backup");
}

/* Opens the checkpoint as the database that it is, expects these contents, and writes to it. */
static void assert_holds(struct engine *engine, const char *dir, const char *expected) {
    flowdb *db = engine->db;
    const char *data_dir = engine->config.data_dir;
    engine->db = NULL;
    engine->config.data_dir = dir;
    engine_open(engine);
    engine_assert_contents(engine, expected);
    engine_put(engine, "zz", 1, "its own");
    assert_int_equal(flowdb_compact_all(engine->db), FLOWDB_OK);
    engine_close(engine);
    engine->config.data_dir = data_dir;
    engine->db = db;
}

/* Tables, a frozen memtable and an active one. */
static void fill(struct engine *engine) {
    engine->config.max_frozen_memtables = 4;
    engine_open(engine);
    engine_put(engine, "a", 1, "table");
    engine_put(engine, "b", 1, "table");
    engine_flush(engine);
    engine_put(engine, "b", 1, "newer");
    engine_delete(engine, "a", 1);
    engine_put(engine, "a", 2, "table");
    engine_flush(engine);
    for (char key[] = "k0"; key[1] < '4'; key[1]++)
        engine_put_large(engine, key);
    engine_put_large(engine, "k5");
    engine_delete_range(engine, "k0", "k2");
    assert_true(engine->db->log_count > 1);
}
#define FILLED "a@2=table b@1=newer k2@0=#300000 k3@0=#300000 k5@0=#300000"

static void a_checkpoint_holds_what_was_written_before_it_in_every_mode(void **state) {
    struct engine *engine = *state;
    for (int mode = FLOWDB_SYNC_ALWAYS; mode <= FLOWDB_SYNC_BUFFERED; mode++) {
        scratch_remove(engine->data);
        scratch_remove(target_of(engine));
        engine->config.wal_sync = (flowdb_wal_sync)mode;
        fill(engine);
        engine_assert_ok(flowdb_checkpoint(engine->db, target_of(engine)));
        engine_put(engine, "later", 1, "not in it");
        engine_delete(engine, "b", 1);
        assert_holds(engine, target_of(engine), FILLED);
        engine_close(engine);
    }
}

/* Tables have a name in both databases: neither must notice what the other does. */
static void neither_database_minds_what_becomes_of_the_other(void **state) {
    struct engine *engine = *state;
    char copy[SCRATCH_PATH];
    snprintf(copy, sizeof copy, "%s", target_of(engine));
    fill(engine);
    engine_assert_ok(flowdb_checkpoint(engine->db, copy));
    assert_int_equal(flowdb_compact_all(engine->db), FLOWDB_OK);
    engine_delete_range(engine, "", "");
    assert_int_equal(flowdb_compact_all(engine->db), FLOWDB_OK);
    assert_holds(engine, copy, FILLED);
    engine_reopen(engine);
    engine_assert_contents(engine, "");
}

static void a_checkpoint_of_a_checkpoint_is_one(void **state) {
    struct engine *engine = *state;
    char first[SCRATCH_PATH], second[SCRATCH_PATH];
    snprintf(first, sizeof first, "%s", target_of(engine));
    snprintf(second, sizeof second, "%s", scratch_in(engine->folder, "second"));
    fill(engine);
    engine_assert_ok(flowdb_checkpoint(engine->db, first));
    engine_close(engine);
    engine->config.data_dir = first;
    engine_open(engine);
    engine_assert_ok(flowdb_checkpoint(engine->db, second));
    engine_close(engine);
    engine->config.data_dir = second;
    engine_open(engine);
    engine_assert_contents(engine, FILLED);
}

static void opening_and_collecting_garbage_leave_checkpoints_inside_alone(void **state) {
    struct engine *engine = *state;
    char inside[SCRATCH_PATH];
    snprintf(inside, sizeof inside, "%s", scratch_in(engine->data, "checkpoints/monday"));
    fill(engine);
    engine_assert_ok(flowdb_checkpoint(engine->db, inside));
    uint64_t before = scratch_fingerprint(inside);
    engine_reopen(engine);
    assert_int_equal(flowdb_compact_all(engine->db), FLOWDB_OK);
    assert_int_equal(flowdb_gc(engine->db, NULL), FLOWDB_OK);
    engine_reopen(engine);
    assert_true(scratch_fingerprint(inside) == before);
    engine_assert_contents(engine, FILLED);
    assert_holds(engine, inside, FILLED);
}

static void assert_refused(struct engine *engine, const char *dir, flowdb_status expected,
                           const char *named) {
    uint64_t before = scratch_fingerprint(engine->folder);
    assert_int_equal(flowdb_checkpoint(engine->db, dir), expected);
    assert_non_null(strstr(flowdb_last_error(), named));
    assert_true(scratch_fingerprint(engine->folder) == before);
}

static void a_target_that_holds_something_is_refused_and_an_empty_one_taken(void **state) {
    struct engine *engine = *state;
    char target[SCRATCH_PATH], partial[SCRATCH_PATH];
    snprintf(target, sizeof target, "%s", target_of(engine));
    snprintf(partial, sizeof partial, "%s",
             scratch_in(engine->folder, "backup.partial-checkpoint"));
    fill(engine);
    engine_assert_ok(fl_fs_create_dir(fl_fs_posix(), target));
    scratch_write(scratch_in(target, "mine"), "x", 1);
    assert_refused(engine, target, FLOWDB_INVALID_ARGUMENT, "not empty");
    assert_refused(engine, engine->data, FLOWDB_INVALID_ARGUMENT, "not empty");
    assert_refused(engine, "", FLOWDB_INVALID_ARGUMENT, "dir");
    assert_refused(engine, NULL, FLOWDB_INVALID_ARGUMENT, "dir");
    assert_refused(engine, "/", FLOWDB_INVALID_ARGUMENT, "/");
    assert_refused(engine, scratch_in(engine->data, ".."), FLOWDB_INVALID_ARGUMENT, "..");
    scratch_remove(target);
    engine_assert_ok(fl_fs_create_dir(fl_fs_posix(), target));
    /* Somebody's own, which only has the name that a checkpoint would begin with. */
    engine_assert_ok(fl_fs_create_dir(fl_fs_posix(), partial));
    scratch_write(scratch_in(partial, "mine"), "x", 1);
    assert_refused(engine, target, FLOWDB_IO_ERROR, "partial");
    scratch_remove(partial);
    engine_assert_ok(flowdb_checkpoint(engine->db, target));
    assert_holds(engine, target, FILLED);
    assert_int_equal(flowdb_checkpoint(NULL, target), FLOWDB_INVALID_ARGUMENT);
}

static void a_read_only_handle_makes_none(void **state) {
    struct engine *engine = *state;
    fill(engine);
    engine_close(engine);
    engine->config.read_only = true;
    engine_open(engine);
    assert_refused(engine, target_of(engine), FLOWDB_READ_ONLY, "read-only");
}

static flowdb_status refuse_link(struct fl_fs *fs, const char *from, const char *to) {
    (void)fs;
    return fl_fail(FLOWDB_UNSUPPORTED, "cannot link %s to %s", from, to);
}

static void tables_are_copied_where_they_cannot_be_linked(void **state) {
    struct engine *engine = *state;
    struct fl_fs_ops ops = *engine->fault.fs.ops;
    const struct fl_fs_ops *original = engine->fault.fs.ops;
    fill(engine);
    ops.link = refuse_link;
    engine->fault.fs.ops = &ops;
    engine_assert_ok(flowdb_checkpoint(engine->db, target_of(engine)));
    engine->fault.fs.ops = original;
    assert_holds(engine, target_of(engine), FILLED);
}

static void a_checkpoint_is_an_event(void **state) {
    struct engine *engine = *state;
    fill(engine);
    engine_assert_ok(flowdb_checkpoint(engine->db, target_of(engine)));
    flowdb_events events = {0};
    engine_assert_ok(flowdb_list_events(engine->db, &events));
    const flowdb_event *last = events.events[events.count - 1];
    assert_int_equal(last->kind, FLOWDB_EVENT_CHECKPOINT);
    assert_int_equal(last->status, FLOWDB_OK);
    assert_int_equal(last->inputs, engine->db->version->table_count + engine->db->log_count);
    flowdb_events_free(&events);
}

/* ---- failures */

static void assert_no_trace(struct engine *engine, const char *what) {
    if (scratch_exists(target_of(engine)) ||
        scratch_exists(scratch_in(engine->folder, "backup.partial-checkpoint")))
        fail_msg("%s: something is left of the checkpoint", what);
}

/* False once nothing failed. What is made after the failure cannot be removed where it persists. */
static bool checkpoint_with_fault(struct engine *engine, const struct fault *fault, uint64_t nth) {
    char what[128];
    fault_fs_arm(&engine->fault, nth, fault->persistent, fault->way, fault->status);
    flowdb_status status = flowdb_checkpoint(engine->db, target_of(engine));
    bool struck = engine->fault.failures > 0;
    enum fault_op op = engine->fault.failed_op;
    snprintf(what, sizeof what, "fault %d at call %llu (%s), returned %s", (int)(fault - faults),
             (unsigned long long)nth, struck ? fault_op_name(op) : "none",
             flowdb_status_name(status));
    fault_fs_disarm(&engine->fault);
    if (status != FLOWDB_OK && (!struck || status != fault->status))
        fail_msg("%s: %s", what, flowdb_last_error());
    bool last = status != FLOWDB_OK && scratch_exists(target_of(engine)); /* the parent's sync */
    if (status == FLOWDB_OK || last)
        assert_holds(engine, target_of(engine), FILLED);
    else if (!fault->persistent && !(fault->way == FAULT_AFTER && op == FAULT_CREATE))
        assert_no_trace(engine, what);
    if (status != FLOWDB_OK && !last) { /* the next one succeeds, whatever this one left */
        engine_assert_ok(flowdb_checkpoint(engine->db, target_of(engine)));
        assert_holds(engine, target_of(engine), FILLED);
    }
    scratch_remove(target_of(engine));
    assert_no_trace(engine, what);
    return struck;
}

static void a_checkpoint_that_fails_at_any_file_operation_leaves_nothing(void **state) {
    struct engine *engine = *state;
    fill(engine);
    for (size_t f = 0; f < FAULTS; f++) {
        uint64_t nth = 1;
        while (checkpoint_with_fault(engine, &faults[f], nth))
            nth++;
        assert_true(nth > 20);
    }
    engine_assert_contents(engine, FILLED);
    engine_put(engine, "z", 1, "goes on");
    engine_reopen(engine);
    engine_assert_contents(engine, FILLED " z@1=goes on");
}

static void a_checkpoint_without_memory_leaves_nothing(void **state) {
    struct engine *engine = *state;
    fill(engine);
    flowdb_status status = FLOWDB_NO_MEMORY;
    for (uint64_t nth = 1; status != FLOWDB_OK; nth++) {
        int64_t live = engine->failing.live;
        engine->failing.calls = 0;
        engine->failing.persistent = false;
        engine->failing.fail_at = nth;
        status = flowdb_checkpoint(engine->db, target_of(engine));
        engine->failing.fail_at = 0;
        assert_true(status == FLOWDB_OK || status == FLOWDB_NO_MEMORY);
        assert_int_equal(engine->failing.live, live);
        if (status != FLOWDB_OK)
            assert_no_trace(engine, "out of memory");
    }
    assert_holds(engine, target_of(engine), FILLED);
}

/* Killed at its nth file operation, it has left the database as it was, nothing or all of the
   checkpoint, and room for another one. */
struct kill_at {
    struct engine *engine;
    unsigned at;
    bool taken;
};

static void copy_then(void *context, enum fault_op op, const char *path) {
    struct kill_at *kill = context;
    (void)op;
    (void)path;
    if (kill->at-- != 0)
        return;
    kill->taken = true;
    scratch_remove(scratch_in(kill->engine->folder, "killed"));
    engine_assert_ok(fl_fs_create_dir(fl_fs_posix(), scratch_in(kill->engine->folder, "killed")));
    scratch_copy(kill->engine->data, scratch_in(kill->engine->folder, "killed/data"));
}

static void a_kill_at_any_file_operation_leaves_nothing_that_looks_whole(void **state) {
    struct engine *engine = *state;
    fill(engine);
    char inside[SCRATCH_PATH], killed[SCRATCH_PATH], left[SCRATCH_PATH];
    snprintf(inside, sizeof inside, "%s", scratch_in(engine->data, "checkpoints/c"));
    snprintf(killed, sizeof killed, "%s", scratch_in(engine->folder, "killed/data"));
    snprintf(left, sizeof left, "%s", scratch_in(killed, "checkpoints/c"));
    struct kill_at kill = {.engine = engine, .taken = true};
    for (unsigned at = 0; kill.taken; at++) {
        scratch_remove(scratch_in(engine->data, "checkpoints"));
        kill.taken = false;
        kill.at = at;
        engine->fault.hook = copy_then;
        engine->fault.hook_context = &kill;
        engine_assert_ok(flowdb_checkpoint(engine->db, inside));
        engine->fault.hook = NULL;
        if (!kill.taken)
            break;
        if (scratch_exists(left))
            assert_holds(engine, left, FILLED);
        flowdb *db = engine->db;
        engine->db = NULL;
        engine->config.data_dir = killed;
        engine_open(engine);
        engine_assert_contents(engine, FILLED);
        if (!scratch_exists(left))
            engine_assert_ok(flowdb_checkpoint(engine->db, left));
        engine_close(engine);
        engine->config.data_dir = engine->data;
        engine->db = db;
        assert_true(at < 1000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(a_checkpoint_holds_what_was_written_before_it_in_every_mode),
        ENGINE_TEST(neither_database_minds_what_becomes_of_the_other),
        ENGINE_TEST(a_checkpoint_of_a_checkpoint_is_one),
        ENGINE_TEST(opening_and_collecting_garbage_leave_checkpoints_inside_alone),
        ENGINE_TEST(a_target_that_holds_something_is_refused_and_an_empty_one_taken),
        ENGINE_TEST(a_read_only_handle_makes_none),
        ENGINE_TEST(tables_are_copied_where_they_cannot_be_linked),
        ENGINE_TEST(a_checkpoint_is_an_event),
        ENGINE_TEST(a_checkpoint_that_fails_at_any_file_operation_leaves_nothing),
        ENGINE_TEST(a_checkpoint_without_memory_leaves_nothing),
        ENGINE_TEST(a_kill_at_any_file_operation_leaves_nothing_that_looks_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
