/* The log and the memtable that are made ahead: taken by the next freeze, harmless where they never are. */
#include <string.h>
#include <unistd.h>

#include "engine/engine.h"
#include "fault_runs.h"
#include "memtable/internal.h"

static size_t logs(struct engine *engine) {
    return scratch_find(scratch_in(engine->config.data_dir, "wal"), ".log", NULL, NULL);
}

static void prepare_log(struct engine *engine) {
    assert_int_equal(fl_engine_step(engine->db, FL_JOB_LOG), FLOWDB_DONE);
}

static void fill(struct engine *engine) {
    for (unsigned i = 0; atomic_load(&engine->db->frozen_count) == 0; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%u", i);
        engine_put_large(engine, key);
    }
}

static void the_next_freeze_takes_it(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    prepare_log(engine);
    assert_int_equal(logs(engine), 2);
    prepare_log(engine);
    assert_int_equal(logs(engine), 2);
    const struct fl_memtable *memtable = engine->db->spare_memtable;
    assert_non_null(memtable);
    uint64_t created = engine->fault.counts[FAULT_CREATE];
    uint64_t synced = engine->fault.counts[FAULT_SYNC] + engine->fault.counts[FAULT_SYNC_DIR];
    fill(engine);
    assert_int_equal(engine->fault.counts[FAULT_CREATE], created);
    assert_int_equal(engine->fault.counts[FAULT_SYNC] + engine->fault.counts[FAULT_SYNC_DIR],
                     synced);
    assert_int_equal(logs(engine), 2);
    assert_ptr_equal(engine->db->version->active, memtable);
    assert_null(engine->db->spare_memtable);
    prepare_log(engine);
    assert_int_equal(logs(engine), 3);
}

/* What a memtable begins with is as large as the one before it needed. */
static void it_is_made_for_what_the_last_memtable_held(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    prepare_log(engine);
    assert_int_equal(engine->db->spare_memtable->first_step, fl_series_step(0));
    for (int64_t ts = 0; ts < 200; ts++)
        engine_put(engine, "a", ts, "x");
    fill(engine);
    const struct fl_content *held = &engine->db->last_frozen;
    uint64_t versions = held->records / held->series;
    assert_true(fl_series_step(versions) > fl_series_step(0));
    engine_put(engine, "a", 1, "x");
    prepare_log(engine);
    assert_int_equal(engine->db->spare_memtable->first_step, fl_series_step(versions));
}

static void it_is_wanted_when_half_of_the_memtable_is_full(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    enum fl_engine_job job;
    while (fl_engine_step_due(engine->db, &job) != FLOWDB_DONE || job != FL_JOBS)
        ;
    engine_put_large(engine, "a");
    assert_int_equal(fl_engine_step_due(engine->db, &job), FLOWDB_DONE);
    assert_int_equal(job, FL_JOBS);
    engine_put_large(engine, "b");
    assert_int_equal(fl_engine_step_due(engine->db, &job), FLOWDB_DONE);
    assert_int_equal(job, FL_JOB_LOG);
}

static void a_close_removes_it(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    prepare_log(engine);
    engine_close(engine);
    assert_int_equal(logs(engine), 0);
}

static void what_was_written_behind_it_is_recovered(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    prepare_log(engine);
    fill(engine);
    engine_put(engine, "z", 1, "y");
    prepare_log(engine);
    engine_go_on_after_crash(engine);
    flowdb_result result = {0};
    engine_assert_ok(flowdb_get(engine->db, flowdb_str("a"), 1, &result));
    flowdb_result_free(&result);
    engine_assert_ok(flowdb_get(engine->db, flowdb_str("z"), 1, &result));
    flowdb_result_free(&result);
    assert_int_equal(engine->warnings, 0);
    assert_int_equal(logs(engine), 1);
}

/* However far it had come to be when the power went. */
static void a_crash_beside_it_loses_nothing(void **state) {
    struct engine *engine = *state;
    static const off_t sizes[] = {0, 1, 31, 32, -1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        scratch_remove(engine->data);
        engine_open(engine);
        engine_put(engine, "a", 1, "x");
        prepare_log(engine);
        engine_crash(engine);
        engine_close(engine);
        char spare[SCRATCH_PATH];
        engine_use_copy(engine);
        assert_int_equal(scratch_find(scratch_in(engine->copy, "wal"), ".log", NULL, spare), 2);
        if (sizes[i] >= 0)
            assert_int_equal(truncate(spare, sizes[i]), 0);
        engine->warnings = 0;
        engine->config.read_only = true;
        engine_open(engine);
        engine_assert_contents(engine, "a@1=x");
        engine_close(engine);
        engine->config.read_only = false;
        engine_open(engine);
        engine_assert_contents(engine, "a@1=x");
        assert_int_equal(engine->warnings, 0);
        assert_int_equal(logs(engine), 1);
        engine_put(engine, "b", 1, "y");
        engine_reopen(engine);
        engine_assert_contents(engine, "a@1=x b@1=y");
        engine_close(engine);
        engine_use_original(engine);
    }
}

static void where_it_cannot_be_made_a_freeze_makes_its_own(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine->fault.ops = FAULT_MASK(FAULT_SYNC);
    engine->fault.path_part = "/wal/";
    fault_fs_arm(&engine->fault, 1, false, FAULT_BEFORE, FLOWDB_IO_ERROR);
    assert_int_equal(fl_engine_step(engine->db, FL_JOB_LOG), FLOWDB_IO_ERROR);
    assert_int_equal(logs(engine), 1);
    fill(engine);
    assert_int_equal(logs(engine), 2);
}

static void where_memory_is_out_a_freeze_makes_its_own_memtable(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    engine->failing.persistent = true;
    /* Behind the allocations of the log. */
    for (uint64_t at = 1; engine->db->spare.writer == NULL; at++) {
        engine->failing.calls = 0;
        engine->failing.fail_at = at;
        (void)fl_engine_step(engine->db, FL_JOB_LOG);
        engine->failing.fail_at = 0;
    }
    assert_null(engine->db->spare_memtable);
    fill(engine);
    engine_reopen(engine);
    flowdb_result result = {0};
    engine_assert_ok(flowdb_get(engine->db, flowdb_str("a"), 1, &result));
    flowdb_result_free(&result);
}

/* The memtable comes before the log: where the log fails, the next one to make a log finds it there. */
static void a_memtable_that_a_failed_freeze_made_is_kept(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    engine->fault.ops = FAULT_MASK(FAULT_SYNC);
    engine->fault.path_part = "/wal/";
    fault_fs_arm(&engine->fault, 1, false, FAULT_BEFORE, FLOWDB_IO_ERROR);
    assert_int_equal(flowdb_flush(engine->db), FLOWDB_IO_ERROR);
    const struct fl_memtable *made = engine->db->spare_memtable;
    assert_non_null(made);
    assert_null(engine->db->spare.writer);
    prepare_log(engine);
    assert_non_null(engine->db->spare.writer);
    assert_ptr_equal(engine->db->spare_memtable, made);
    engine_reopen(engine);
    engine_assert_contents(engine, "a@1=x");
}

static void none_is_made_while_space_is_low(void **state) {
    struct engine *engine = *state;
    engine->config.disk_reserve_mb = 1;
    atomic_store(&engine->fault.free_bytes, 0);
    engine_open(engine);
    prepare_log(engine);
    assert_int_equal(logs(engine), 1);
}

/* The seal that names it is written, and could not be synced: it may be on the disk. */
static void one_that_a_seal_may_name_stays(void **state) {
    struct engine *engine = *state;
    engine->config.wal_sync = FLOWDB_SYNC_ALWAYS;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    prepare_log(engine);
    engine->fault.ops = FAULT_MASK(FAULT_SYNC);
    engine->fault.path_part = "/wal/";
    fault_fs_arm(&engine->fault, 1, false, FAULT_BEFORE, FLOWDB_IO_ERROR);
    assert_int_equal(flowdb_flush(engine->db), FLOWDB_IO_ERROR);
    assert_int_equal(logs(engine), 2);
    engine_crash(engine);
    assert_int_equal(flowdb_close(engine->db), FLOWDB_READ_ONLY);
    engine->db = NULL;
    engine_use_copy(engine);
    engine_open(engine);
    engine_assert_contents(engine, "a@1=x");
}

/* Every call of making one, taking it and going on fails in turn. */
static void no_failing_call_loses_anything(void **state) {
    struct engine *engine = *state;
    prepare_seed(engine);
    for (size_t i = 0; i < FAULTS; i++) {
        for (uint64_t at = 1;; at++) {
            char what[96];
            snprintf(what, sizeof what, "fault %zu at call %" PRIu64, i, at);
            prepare(engine);
            fault_fs_arm(&engine->fault, at, faults[i].persistent, faults[i].way, faults[i].status);
            (void)fl_engine_step(engine->db, FL_JOB_LOG);
            (void)flowdb_flush(engine->db);
            bool struck = engine->fault.failures > 0;
            fault_fs_disarm(&engine->fault);
            bool on = goes_on(engine, what);
            assert_contents(engine, SEED, on, what);
            engine_crash(engine);
            flowdb_close(engine->db);
            engine->db = NULL;
            engine_use_copy(engine);
            engine_open(engine);
            assert_contents(engine, SEED, on, what);
            engine_close(engine);
            engine_use_original(engine);
            if (!struck)
                break;
        }
    }
}

/* And every allocation. */
static void no_failing_allocation_loses_anything(void **state) {
    struct engine *engine = *state;
    prepare_seed(engine);
    for (uint64_t at = 1;; at++) {
        char what[64];
        snprintf(what, sizeof what, "allocation %" PRIu64, at);
        prepare(engine);
        engine->failing.calls = 0;
        engine->failing.fail_at = at;
        (void)fl_engine_step(engine->db, FL_JOB_LOG);
        (void)flowdb_flush(engine->db);
        bool struck = engine->failing.calls >= at;
        engine->failing.fail_at = 0;
        assert_contents(engine, SEED, goes_on(engine, what), what);
        engine_close(engine);
        if (!struck)
            break;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(the_next_freeze_takes_it),
        ENGINE_TEST(it_is_made_for_what_the_last_memtable_held),
        ENGINE_TEST(it_is_wanted_when_half_of_the_memtable_is_full),
        ENGINE_TEST(a_close_removes_it),
        ENGINE_TEST(what_was_written_behind_it_is_recovered),
        ENGINE_TEST(a_crash_beside_it_loses_nothing),
        ENGINE_TEST(where_it_cannot_be_made_a_freeze_makes_its_own),
        ENGINE_TEST(where_memory_is_out_a_freeze_makes_its_own_memtable),
        ENGINE_TEST(a_memtable_that_a_failed_freeze_made_is_kept),
        ENGINE_TEST(none_is_made_while_space_is_low),
        ENGINE_TEST(one_that_a_seal_may_name_stays),
        ENGINE_TEST(no_failing_call_loses_anything),
        ENGINE_TEST(no_failing_allocation_loses_anything),
    };
    return cmocka_run_group_tests_name("spare log", tests, NULL, NULL);
}
