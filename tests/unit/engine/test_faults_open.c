/* Opening and closing while each file-system call, and each allocation, fails in turn. */
#include "fault_runs.h"

#include <string.h>

/* The same directory, whatever the failed opens before made of it. */
static void check_opens(struct engine *engine, const char *expected, const char *what) {
    assert_null(engine->db);
    assert_int_equal(engine->failing.live, 0);
    assert_int_equal(engine->fault.open_files, 0);
    engine_open(engine);
    assert_contents(engine, expected, false, what);
    if (!engine->config.read_only)
        assert_true(goes_on(engine, what));
    engine_close(engine);
}

/* What a kill left: tables, two logs, and files that nobody needs. */
static void prepare_killed(struct engine *engine) {
    prepare_seed(engine);
    prepare(engine);
    engine->config.max_frozen_memtables = 8;
    for (char key[] = "k0"; key[1] < '4'; key[1]++)
        engine_put_large(engine, key);
    engine_put(engine, "l", 1, "last");
    engine_crash(engine);
    scratch_write(scratch_in(engine->copy, "sst/000900.sst"), "x", 1);
    engine_close(engine);
    engine_use_copy(engine);
    scratch_copy(engine->copy, scratch_in(engine->folder, "killed"));
}
#define KILLED SEED " k0@0=#300000 k1@0=#300000 k2@0=#300000 k3@0=#300000 l@1=last"

static bool open_with_fault(struct engine *engine, const struct fault *fault, uint64_t nth) {
    scratch_copy(scratch_in(engine->folder, "killed"), engine->copy);
    char what[128];
    fault_fs_arm(&engine->fault, nth, fault->persistent, fault->way, fault->status);
    flowdb_status status = engine_try_open(engine);
    bool struck = engine->fault.failures > 0;
    snprintf(what, sizeof what, "open, fault %d at call %llu (%s), returned %s",
             (int)(fault - faults), (unsigned long long)nth,
             struck ? fault_op_name(engine->fault.failed_op) : "none", flowdb_status_name(status));
    fault_fs_disarm(&engine->fault);
    if (status != FLOWDB_OK && (!struck || status != fault->status))
        fail_msg("%s: %s", what, flowdb_last_error());
    if (status == FLOWDB_OK) {
        assert_contents(engine, KILLED, false, what);
        engine_close(engine);
    }
    check_opens(engine, KILLED, what);
    return struck;
}

static void an_open_that_fails_at_any_file_operation_loses_nothing(void **state) {
    struct engine *engine = *state;
    prepare_killed(engine);
    for (int read_only = 0; read_only < 2; read_only++) {
        engine->config.read_only = read_only == 1;
        for (size_t f = 0; f < FAULTS; f++) {
            uint64_t nth = 1;
            while (open_with_fault(engine, &faults[f], nth))
                nth++;
            assert_true(nth > 10);
        }
    }
}

static void an_open_without_memory_loses_nothing(void **state) {
    struct engine *engine = *state;
    prepare_killed(engine);
    for (int read_only = 0; read_only < 2; read_only++) {
        engine->config.read_only = read_only == 1;
        flowdb_status status = FLOWDB_NO_MEMORY;
        for (uint64_t nth = 1; status != FLOWDB_OK; nth++) {
            scratch_copy(scratch_in(engine->folder, "killed"), engine->copy);
            engine->failing.calls = 0;
            engine->failing.persistent = nth % 2 == 0;
            engine->failing.fail_at = nth;
            status = engine_try_open(engine);
            bool struck = engine->failing.calls >= nth;
            engine->failing.fail_at = 0;
            if (status != FLOWDB_OK && (!struck || status != FLOWDB_NO_MEMORY))
                fail_msg("allocation %llu: %s", (unsigned long long)nth, flowdb_last_error());
            if (status == FLOWDB_OK && struck)
                status = FLOWDB_NO_MEMORY; /* a failure that did no harm: go on */
            if (engine->db != NULL)
                engine_close(engine);
            check_opens(engine, KILLED, "an open without memory");
        }
    }
}

/* A close that fails has freed the handle, and the logs hold what could not be flushed. */
static bool close_with_fault(struct engine *engine, const struct fault *fault, uint64_t nth) {
    prepare(engine);
    engine_sync(engine);
    flowdb *db = engine->db;
    engine->db = NULL;
    char what[128];
    fault_fs_arm(&engine->fault, nth, fault->persistent, fault->way, fault->status);
    flowdb_status status = flowdb_close(db);
    bool struck = engine->fault.failures > 0;
    snprintf(what, sizeof what, "close, wal_sync %d, fault %d at call %llu (%s), returned %s",
             (int)engine->config.wal_sync, (int)(fault - faults), (unsigned long long)nth,
             struck ? fault_op_name(engine->fault.failed_op) : "none", flowdb_status_name(status));
    fault_fs_disarm(&engine->fault);
    if (status != FLOWDB_OK && (!struck || status != fault->status))
        fail_msg("%s: %s", what, flowdb_last_error());
    check_opens(engine, SEED, what);
    return struck;
}

static void a_close_that_fails_at_any_file_operation_loses_nothing(void **state) {
    struct engine *engine = *state;
    for (int mode = FLOWDB_SYNC_ALWAYS; mode <= FLOWDB_SYNC_BUFFERED; mode++) {
        engine->config.wal_sync = (flowdb_wal_sync)mode;
        prepare_seed(engine);
        for (size_t f = 0; f < FAULTS; f++) {
            uint64_t nth = 1;
            while (close_with_fault(engine, &faults[f], nth))
                nth++;
            assert_true(nth > 10);
        }
    }
}

static void a_close_without_memory_loses_nothing(void **state) {
    struct engine *engine = *state;
    prepare_seed(engine);
    bool struck = true;
    for (uint64_t nth = 1; struck; nth++) {
        prepare(engine);
        flowdb *db = engine->db;
        engine->db = NULL;
        engine->failing.calls = 0;
        engine->failing.persistent = nth % 2 == 0;
        engine->failing.fail_at = nth;
        flowdb_status status = flowdb_close(db);
        struck = engine->failing.calls >= nth;
        engine->failing.fail_at = 0;
        assert_true(status == FLOWDB_OK || (struck && status == FLOWDB_NO_MEMORY));
        check_opens(engine, SEED, "a close without memory");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(an_open_that_fails_at_any_file_operation_loses_nothing),
        ENGINE_TEST(an_open_without_memory_loses_nothing),
        ENGINE_TEST(a_close_that_fails_at_any_file_operation_loses_nothing),
        ENGINE_TEST(a_close_without_memory_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
