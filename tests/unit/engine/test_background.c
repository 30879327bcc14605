/* What becomes of jobs that fail: pauses, retries, and an end of writes where it is hopeless. */
#include <string.h>

#include "engine/engine.h"
#include "engine_fixture.h"

static void freeze_one(struct engine *engine) {
    for (unsigned i = 0; atomic_load(&engine->db->frozen_count) == 0; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%u", i);
        engine_put_large(engine, key);
    }
}

static void fail_tables(struct engine *engine, enum fault_op op, flowdb_status status) {
    engine->fault.ops = FAULT_MASK(op);
    engine->fault.path_part = "/sst/";
    fault_fs_arm(&engine->fault, 1, true, FAULT_BEFORE, status);
}

static struct fl_job_report report_of(struct engine *engine, enum fl_engine_job job) {
    struct fl_job_report report;
    fl_scheduler_report(&engine->db->scheduler, job, &report);
    return report;
}

static bool writes(struct engine *engine) {
    flowdb_record record = {
        .key = flowdb_str("small"), .expire_at = FLOWDB_NEVER, .value = flowdb_str("v")};
    return flowdb_write(engine->db, &record, 1) == FLOWDB_OK;
}

static void a_flush_that_failed_is_tried_again_into_a_new_file_after_a_pause(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    freeze_one(engine);
    fail_tables(engine, FAULT_SYNC, FLOWDB_IO_ERROR);
    enum fl_engine_job job;
    char first[sizeof engine->fault.failed_path];
    assert_int_equal(fl_engine_step_due(engine->db, &job), FLOWDB_IO_ERROR);
    assert_int_equal(job, FL_JOB_FLUSH);
    snprintf(first, sizeof first, "%s", engine->fault.failed_path);
    assert_false(scratch_exists(first));
    assert_int_equal(report_of(engine, FL_JOB_FLUSH).failed_in_row, 1);
    assert_int_equal(engine->errors, 1);

    while (fl_engine_step_due(engine->db, &job) == FLOWDB_DONE && job != FL_JOBS)
        assert_int_not_equal(job, FL_JOB_FLUSH);
    atomic_fetch_add(&engine->clock.monotonic_us, report_of(engine, FL_JOB_FLUSH).pause_us);
    assert_int_equal(fl_engine_step_due(engine->db, &job), FLOWDB_IO_ERROR);
    assert_string_not_equal(first, engine->fault.failed_path);
    assert_int_equal(engine->errors, 1); /* said once */

    fault_fs_disarm(&engine->fault);
    assert_int_equal(fl_engine_step(engine->db, FL_JOB_FLUSH), FLOWDB_OK);
    assert_int_equal(report_of(engine, FL_JOB_FLUSH).failed_in_row, 0);
    assert_int_equal(report_of(engine, FL_JOB_FLUSH).failures, 2);
    assert_true(writes(engine));
}

static void flushing_that_goes_on_failing_ends_writes_with_the_reason(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    freeze_one(engine);
    fail_tables(engine, FAULT_WRITE, FLOWDB_IO_ERROR);
    for (unsigned i = 0; i < FL_FLUSH_FAILURES_MAX; i++) {
        assert_true(writes(engine));
        assert_int_equal(fl_engine_step(engine->db, FL_JOB_FLUSH), FLOWDB_IO_ERROR);
    }
    assert_false(writes(engine));
    assert_non_null(strstr(flowdb_last_error(), "could not be flushed 16 times in a row"));
    assert_non_null(strstr(flowdb_last_error(), "a fault was injected"));
    assert_int_equal(fl_engine_step(engine->db, FL_JOB_FLUSH), FLOWDB_READ_ONLY);
    fault_fs_disarm(&engine->fault);
    assert_false(writes(engine));
    /* Nothing was lost: the logs have it all. */
    assert_int_equal(flowdb_close(engine->db), FLOWDB_READ_ONLY);
    engine->db = NULL;
    engine_open(engine);
    flowdb_result result = {0};
    engine_assert_ok(flowdb_get(engine->db, flowdb_str("small"), 0, &result));
    flowdb_result_free(&result);
    assert_true(writes(engine));
}

static void a_folder_that_cannot_be_synced_ends_writes_at_once(void **state) {
    struct engine *engine = *state;
    static const char *const folders[] = {"/sst", "/wal"};
    static const enum fl_engine_job jobs[] = {FL_JOB_FLUSH, FL_JOB_LOG};
    for (unsigned i = 0; i < 2; i++) {
        engine_open(engine);
        freeze_one(engine);
        engine->fault.ops = FAULT_MASK(FAULT_SYNC_DIR);
        engine->fault.path_part = folders[i];
        fault_fs_arm(&engine->fault, 1, false, FAULT_BEFORE, FLOWDB_IO_ERROR);
        assert_int_equal(fl_engine_step(engine->db, jobs[i]), FLOWDB_IO_ERROR);
        assert_false(writes(engine));
        assert_non_null(strstr(flowdb_last_error(), "a folder could not be synced"));
        assert_int_equal(flowdb_close(engine->db), FLOWDB_READ_ONLY);
        engine->db = NULL;
        engine_open(engine);
        assert_true(writes(engine));
        engine_close(engine);
    }
}

/* That there is no descriptor for it passes. */
static void a_folder_that_cannot_be_opened_to_sync_it_does_not(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    freeze_one(engine);
    engine->fault.ops = FAULT_MASK(FAULT_SYNC_DIR);
    fault_fs_arm(&engine->fault, 1, false, FAULT_BEFORE, FLOWDB_NO_MEMORY);
    assert_int_equal(fl_engine_step(engine->db, FL_JOB_FLUSH), FLOWDB_NO_MEMORY);
    assert_true(writes(engine));
    assert_int_equal(fl_engine_step(engine->db, FL_JOB_FLUSH), FLOWDB_OK);
}

/* Room may come back at any time. */
static void a_full_disk_never_ends_writes(void **state) {
    struct engine *engine = *state;
    static const flowdb_status statuses[] = {FLOWDB_NO_SPACE, FLOWDB_NO_MEMORY};
    for (unsigned i = 0; i < 2; i++) {
        engine_open(engine);
        freeze_one(engine);
        fail_tables(engine, FAULT_WRITE, statuses[i]);
        for (unsigned k = 0; k < 3 * FL_FLUSH_FAILURES_MAX; k++)
            assert_int_equal(fl_engine_step(engine->db, FL_JOB_FLUSH), statuses[i]);
        assert_true(writes(engine));
        assert_true(report_of(engine, FL_JOB_FLUSH).pause_us <= 5000000);
        fault_fs_disarm(&engine->fault);
        assert_int_equal(fl_engine_step(engine->db, FL_JOB_FLUSH), FLOWDB_OK);
        engine_close(engine);
    }
}

/* Its inputs stay, and so does all that is in them. */
static void a_compaction_that_goes_on_failing_does_not_end_writes(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    for (unsigned i = 0; i < 2; i++) {
        engine_put(engine, "a", i, "x");
        engine_flush(engine);
    }
    fail_tables(engine, FAULT_CREATE, FLOWDB_IO_ERROR);
    for (unsigned i = 0; i < 3 * FL_FLUSH_FAILURES_MAX; i++)
        assert_int_equal(fl_engine_step(engine->db, FL_JOB_COMPACT), FLOWDB_IO_ERROR);
    assert_true(report_of(engine, FL_JOB_COMPACT).pause_us <= 60000000);
    fault_fs_disarm(&engine->fault);
    assert_true(writes(engine));
    assert_int_equal(fl_engine_step(engine->db, FL_JOB_COMPACT), FLOWDB_OK);
    engine_assert_contents(engine, "a@0=x a@1=x small@0=v");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(a_flush_that_failed_is_tried_again_into_a_new_file_after_a_pause),
        ENGINE_TEST(flushing_that_goes_on_failing_ends_writes_with_the_reason),
        ENGINE_TEST(a_folder_that_cannot_be_synced_ends_writes_at_once),
        ENGINE_TEST(a_folder_that_cannot_be_opened_to_sync_it_does_not),
        ENGINE_TEST(a_full_disk_never_ends_writes),
        ENGINE_TEST(a_compaction_that_goes_on_failing_does_not_end_writes),
    };
    return cmocka_run_group_tests_name("background", tests, NULL, NULL);
}
