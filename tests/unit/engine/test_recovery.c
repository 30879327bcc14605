/* What is found again after a crash. */
#include "recovery_fixture.h"

#include <stdlib.h>
#include <string.h>

/* ---- a kill */

static void what_a_log_holds_is_found_again_after_a_kill(void **state) {
    struct engine *engine = *state;
    static const flowdb_wal_sync modes[] = {FLOWDB_SYNC_INTERVAL, FLOWDB_SYNC_ALWAYS};
    for (size_t i = 0; i < 2; i++) {
        scratch_remove(engine->data);
        engine->config.wal_sync = modes[i];
        engine_open(engine);
        engine_put(engine, "a", 1, "one");
        engine_put(engine, "a", 1, "two");
        engine_put(engine, "b", 2, "three");
        engine_delete(engine, "b", 2);
        engine_put(engine, "c", 3, "four");
        engine_put(engine, "d", 4, "five");
        engine_delete_range(engine, "c", "e");
        engine_put(engine, "d", 5, "six");
        engine_go_on_after_crash(engine);
        engine_assert_contents(engine, "a@1=two d@5=six");
        /* It is in a table by now; the log is a new one. */
        assert_int_equal(recovery_count(engine->data, "sst", ".sst"), 1);
        assert_int_equal(recovery_count(engine->data, "wal", ".log"), 1);
        engine_go_on_after_crash(engine);
        engine_assert_contents(engine, "a@1=two d@5=six");
        engine_close(engine);
    }
}

static void a_kill_costs_buffered_writes_from_the_end_only(void **state) {
    struct engine *engine = *state;
    engine->config.wal_sync = FLOWDB_SYNC_BUFFERED;
    engine_open(engine);
    engine_put(engine, "a", 1, "drained");
    engine_sync(engine);
    engine_put(engine, "a", 2, "buffered");
    engine_assert_contents(engine, "a@1=drained a@2=buffered");
    engine_go_on_after_crash(engine);
    engine_assert_contents(engine, "a@1=drained");
    engine_put(engine, "a", 3, "new");
    engine_reopen(engine); /* a close keeps all */
    engine_assert_contents(engine, "a@1=drained a@3=new");
}

static void a_chain_of_logs_is_read_to_its_end(void **state) {
    struct engine *engine = *state;
    const char *contents = recovery_fill_chain(engine);
    engine_assert_contents(engine, contents);
    assert_int_equal(recovery_count(engine->data, "sst", ".sst"), 0);
    engine_go_on_after_crash(engine);
    assert_non_null(strstr(engine->last_line, "from 3 logs"));
    engine_assert_contents(engine, contents);
    assert_int_equal(recovery_count(engine->data, "sst", ".sst"), 3);
    assert_int_equal(recovery_count(engine->data, "wal", ".log"), 1);
}

static void tables_and_logs_come_together(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "table");
    engine_put(engine, "b", 1, "table");
    engine_flush(engine);
    engine_put(engine, "a", 1, "log");
    engine_put(engine, "c", 1, "log");
    engine_delete(engine, "b", 1);
    engine_go_on_after_crash(engine);
    engine_assert_contents(engine, "a@1=log c@1=log");
    engine_put(engine, "b", 1, "again");
    engine_flush(engine);
    engine_go_on_after_crash(engine);
    engine_assert_contents(engine, "a@1=log b@1=again c@1=log");
}

static void the_manifest_of_a_clean_close_names_no_log(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "one");
    engine_close(engine);
    assert_int_equal(recovery_count(engine->data, "wal", ".log"), 0);
    struct fl_manifest_state manifest;
    uint64_t id;
    fl_manifest_state_init(&manifest, engine->env.alloc);
    engine_assert_ok(fl_manifest_load(&engine->env, engine->data, &manifest, &id));
    assert_true(manifest.log == 0 && manifest.table_count == 1);
    assert_true(manifest.last_seq == 1 && manifest.latest_time_us == ENGINE_NOW);
    fl_manifest_state_deinit(&manifest);
    engine_open(engine);
    assert_non_null(strstr(engine->last_line, "from 0 logs"));
    engine_assert_contents(engine, "a@1=one");
}

static void a_kill_before_anything_was_written_leaves_an_empty_database(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    for (int i = 0; i < 3; i++)
        engine_go_on_after_crash(engine);
    engine_assert_contents(engine, "");
    assert_int_equal(recovery_count(engine->data, "wal", ".log"), 1);
    assert_int_equal(scratch_find(engine->data, "MANIFEST-", NULL, NULL), 1);
}

/* ---- tears */

/* The last batch is cut at each of its bytes: it is there whole or not at all. */
static void a_batch_torn_at_any_byte_is_not_there_at_all(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "before");
    uint64_t from = fl_wal_offset(engine->db->logs[0].writer);
    flowdb_batch *batch = flowdb_batch_create();
    engine_assert_ok(flowdb_batch_put(batch, flowdb_str("a"), 1, FLOWDB_NEVER, flowdb_str("x")));
    engine_assert_ok(flowdb_batch_put(batch, flowdb_str("b"), 1, FLOWDB_NEVER, flowdb_str("y")));
    engine_assert_ok(flowdb_batch_delete_range(batch, flowdb_str("a"), flowdb_str("b")));
    engine_assert_ok(flowdb_write_batch(engine->db, batch));
    flowdb_batch_destroy(batch);
    uint64_t end = fl_wal_offset(engine->db->logs[0].writer);
    engine_assert_contents(engine, "b@1=y");
    engine_crash(engine);
    engine_close(engine);
    char path[SCRATCH_PATH], whole[SCRATCH_PATH];
    size_t size;
    uint8_t *bytes = recovery_read_last_log(engine, path, &size);
    snprintf(whole, sizeof whole, "%s", scratch_in(engine->folder, "whole"));
    scratch_copy(engine->copy, whole);
    engine_use_copy(engine);
    for (size_t cut = (size_t)from; cut <= end; cut++) {
        scratch_copy(whole, engine->copy);
        scratch_write(path, bytes, cut);
        engine->warnings = 0;
        engine_open(engine);
        assert_int_equal(engine->warnings, cut > from && cut < end);
        engine_assert_contents(engine, cut < end ? "a@1=before" : "b@1=y");
        /* What is written now does not lie behind the tear. */
        engine_put(engine, "c", 1, "after");
        engine_go_on_after_crash(engine);
        engine_assert_contents(engine, cut < end ? "a@1=before c@1=after" : "b@1=y c@1=after");
        engine_close(engine);
    }
    free(bytes);
}

static void a_torn_log_is_reported_with_its_place(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "one");
    engine_put(engine, "a", 2, "two");
    engine_crash(engine);
    engine_close(engine);
    char path[SCRATCH_PATH];
    size_t size;
    uint8_t *bytes = recovery_read_last_log(engine, path, &size);
    bytes[32] ^= 1; /* the first frame's checksum: all behind it goes */
    scratch_write(path, bytes, size);
    free(bytes);
    engine_use_copy(engine);
    engine_open(engine);
    engine_assert_contents(engine, "");
    assert_int_equal(engine->warnings, 1);
    assert_non_null(strstr(engine->last_warning, path));
    assert_non_null(strstr(engine->last_warning, "offset 32"));
    assert_non_null(strstr(engine->last_line, "1 of them torn"));
}

/* ---- leftovers and names */

static void leftovers_go_and_what_is_not_ours_stays(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "one");
    engine_flush(engine);
    engine_put(engine, "a", 2, "two");
    engine_leave_crashed(engine);
    static const char *const leftovers[] = {"sst/000900.sst", "MANIFEST-000800", "CURRENT.tmp"};
    static const char *const others[] = {
        "notes.txt",        "sst/000900.sst.old", "wal/12.log",
        "wal/0000123.log",  "sst/x00001.sst",     "MANIFEST-",
        "MANIFEST-0000123", "sst/0000123.sst",    "wal/00000000000000000000000001.log"};
    for (size_t i = 0; i < sizeof leftovers / sizeof leftovers[0]; i++)
        scratch_write(scratch_in(engine->copy, leftovers[i]), "garbage", 7);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        scratch_write(scratch_in(engine->copy, others[i]), "precious", 8);
    /* A log that was created when the process died, before the seal that would name it. */
    scratch_write(scratch_in(engine->copy, "wal/000850.log"), "", 0);
    engine_open(engine);
    engine_assert_contents(engine, "a@1=one a@2=two");
    for (size_t i = 0; i < sizeof leftovers / sizeof leftovers[0]; i++)
        assert_false(scratch_exists(scratch_in(engine->copy, leftovers[i])));
    assert_false(scratch_exists(scratch_in(engine->copy, "wal/000850.log")));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_true(scratch_exists(scratch_in(engine->copy, others[i])));
    /* No number of theirs is given to another file. */
    char path[SCRATCH_PATH];
    scratch_find(scratch_in(engine->copy, "wal"), "0009", NULL, path);
    assert_true(strtoull(strrchr(path, '/') + 1, NULL, 10) > 900);
}

/* The numbers of all files that were created, whatever became of them. */
struct numbers {
    bool seen[4096];
    unsigned again;
};

static void note_number(void *context, enum fault_op op, const char *path) {
    struct numbers *numbers = context;
    uint64_t id;
    if (op != FAULT_CREATE || fl_engine_parse_name(strrchr(path, '/') + 1, &id) == FL_FILE_OTHER)
        return;
    assert_true(id < 4096);
    numbers->again += numbers->seen[id];
    numbers->seen[id] = true;
}

static void no_number_is_used_twice_in_any_life(void **state) {
    struct engine *engine = *state;
    struct seeded seeded = seeded_begin("file numbers");
    struct numbers numbers = {0};
    engine->fault.hook = note_number;
    engine->fault.hook_context = &numbers;
    engine_open(engine);
    for (int64_t i = 0; i < 150; i++) {
        switch (seeded_below(&seeded, 8)) {
        case 0:
            engine_flush(engine);
            break;
        case 1:
            engine_reopen(engine);
            break;
        case 2:
            engine_go_on_after_crash(engine);
            break;
        case 3: /* the file with the largest number goes: a table of which nothing is left, */
            engine_delete_range(engine, "a", "b");
            engine_assert_ok(flowdb_compact_all(engine->db));
            break;
        case 4: /* or a log that was made ahead */
            assert_int_equal(fl_engine_step(engine->db, FL_JOB_LOG), FLOWDB_DONE);
            break;
        default:
            engine_put(engine, "a", i, "x");
        }
    }
    assert_int_equal(numbers.again, 0);
    engine->fault.hook = NULL;
}

static void sequence_numbers_go_on_behind_all_that_there_are(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    char value[16];
    for (int i = 0; i < 40; i++) {
        snprintf(value, sizeof value, "%d", i);
        engine_put(engine, "a", 1, value);
        char expected[32];
        snprintf(expected, sizeof expected, "a@1=%d", i);
        if (i % 3 == 0)
            engine_flush(engine);
        if (i % 5 == 0)
            engine_go_on_after_crash(engine);
        if (i % 7 == 0)
            engine_reopen(engine);
        engine_assert_contents(engine, expected);
    }
    assert_int_equal(engine->db->next_seq, 41);
    /* Nor do they come again when nothing is left that has them. */
    engine_delete_range(engine, "", "");
    engine_assert_ok(flowdb_compact_all(engine->db));
    assert_int_equal(recovery_count(engine->config.data_dir, "sst", ".sst"), 0);
    engine_reopen(engine);
    assert_int_equal(engine->db->next_seq, 42);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(what_a_log_holds_is_found_again_after_a_kill),
        ENGINE_TEST(a_kill_costs_buffered_writes_from_the_end_only),
        ENGINE_TEST(a_chain_of_logs_is_read_to_its_end),
        ENGINE_TEST(tables_and_logs_come_together),
        ENGINE_TEST(the_manifest_of_a_clean_close_names_no_log),
        ENGINE_TEST(a_kill_before_anything_was_written_leaves_an_empty_database),
        ENGINE_TEST(a_batch_torn_at_any_byte_is_not_there_at_all),
        ENGINE_TEST(a_torn_log_is_reported_with_its_place),
        ENGINE_TEST(leftovers_go_and_what_is_not_ours_stays),
        ENGINE_TEST(no_number_is_used_twice_in_any_life),
        ENGINE_TEST(sequence_numbers_go_on_behind_all_that_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
