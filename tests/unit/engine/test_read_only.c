/* A database that is opened to be read only: beside its writer, or after a crash. */
#include "recovery_fixture.h"

#include <string.h>

static void a_read_only_open_writes_nothing(void **state) {
    struct engine *engine = *state;
    const char *contents = recovery_fill_chain(engine);
    engine_leave_crashed(engine);
    engine->config.read_only = true;
    uint64_t before = scratch_fingerprint(engine->copy);
    memset(engine->fault.counts, 0, sizeof engine->fault.counts);
    for (int i = 0; i < 2; i++) {
        engine_open(engine);
        engine_assert_contents(engine, contents);
        flowdb_record record = {.key = flowdb_str("k"), .expire_at = FLOWDB_NEVER};
        assert_int_equal(flowdb_write(engine->db, &record, 1), FLOWDB_READ_ONLY);
        assert_int_equal(flowdb_flush(engine->db), FLOWDB_READ_ONLY);
        assert_int_equal(flowdb_sync(engine->db), FLOWDB_READ_ONLY);
        engine_close(engine);
    }
    static const enum fault_op writing[] = {
        FAULT_CREATE, FAULT_WRITE,  FAULT_SYNC, FAULT_TRUNCATE, FAULT_ALLOCATE, FAULT_CREATE_DIR,
        FAULT_REMOVE, FAULT_RENAME, FAULT_LINK, FAULT_SYNC_DIR, FAULT_LOCK};
    for (size_t i = 0; i < sizeof writing / sizeof writing[0]; i++)
        assert_int_equal(engine->fault.counts[writing[i]], 0);
    assert_true(scratch_fingerprint(engine->copy) == before);
    engine->config.read_only = false;
    engine_open(engine);
    engine_assert_contents(engine, contents);
}

/* Beside the writer it sees what was committed when it was opened. */
static void a_read_only_open_sees_what_a_running_writer_has_committed(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "table");
    engine_flush(engine);
    engine_put(engine, "a", 2, "log");
    flowdb_config config = engine->config;
    config.read_only = true;
    flowdb *writer = engine->db, *reader;
    engine_assert_ok(fl_engine_open(&config, &engine->env, &reader));
    engine_put(engine, "a", 3, "later");
    engine_flush(engine);
    engine->db = reader;
    engine_assert_contents(engine, "a@1=table a@2=log");
    engine->db = writer;
    engine_assert_ok(flowdb_close(reader));
    engine_assert_contents(engine, "a@1=table a@2=log a@3=later");
}

/* A writer removes a log between the reader's look at the folder and its look into the log. */
static void remove_before_open(void *context, enum fault_op op, const char *path) {
    const char *name = context;
    if (op == FAULT_OPEN && strstr(path, name) != NULL && scratch_exists(path))
        recovery_remove(path);
}

static void a_read_only_open_looks_again_when_a_file_has_gone(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "one");
    engine_leave_crashed(engine);
    scratch_write(scratch_in(engine->copy, "wal/000850.log"), "", 0);
    engine->config.read_only = true;
    engine->fault.hook = remove_before_open;
    engine->fault.hook_context = (void *)(uintptr_t) "000850.log";
    engine_open(engine);
    engine->fault.hook = NULL;
    assert_false(scratch_exists(scratch_in(engine->copy, "wal/000850.log")));
    engine_assert_contents(engine, "a@1=one");
    engine_close(engine);
    /* Where there is no database it says so. */
    engine->config.data_dir = scratch_in(engine->folder, "nowhere");
    engine_assert_open_fails(engine, FLOWDB_NOT_FOUND, "nowhere");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(a_read_only_open_writes_nothing),
        ENGINE_TEST(a_read_only_open_sees_what_a_running_writer_has_committed),
        ENGINE_TEST(a_read_only_open_looks_again_when_a_file_has_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
