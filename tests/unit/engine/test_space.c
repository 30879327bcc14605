/* Little free space: what is refused, what goes on, and that all comes back by itself. */
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine_fixture.h"

enum { MIB = 1 << 20, RESERVE_MB = 4 };

static void set_free(struct engine *engine, uint64_t bytes) {
    atomic_store(&engine->fault.free_bytes, bytes);
}

static void open_with_reserve(struct engine *engine) {
    engine->config.disk_reserve_mb = RESERVE_MB;
    set_free(engine, 100 * MIB);
    engine_open(engine);
}

static uint64_t looks(struct engine *engine) {
    return engine->fault.counts[FAULT_FREE_SPACE];
}

static flowdb_status put(struct engine *engine, const char *key) {
    flowdb_record record = {
        .key = flowdb_str(key), .ts = 1, .expire_at = FLOWDB_NEVER, .value = flowdb_str("v")};
    return flowdb_write(engine->db, &record, 1);
}

static void run_out_of_space(struct engine *engine) {
    set_free(engine, RESERVE_MB * MIB - 1);
    assert_int_equal(fl_engine_step(engine->db, FL_JOB_SPACE), FLOWDB_DONE);
}

static uint64_t events(struct engine *engine, flowdb_event_kind kind) {
    struct fl_event_totals totals;
    fl_engine_event_totals(engine->db, kind, &totals);
    return totals.ended;
}

static void writes_do_not_ask_how_much_is_free(void **state) {
    struct engine *engine = *state;
    open_with_reserve(engine);
    uint64_t before = looks(engine);
    for (unsigned i = 0; i < 100; i++)
        engine_assert_ok(put(engine, "a"));
    assert_int_equal(looks(engine), before);
}

static void without_a_reserve_nobody_asks(void **state) {
    struct engine *engine = *state;
    set_free(engine, 0);
    engine_open(engine);
    engine_assert_ok(put(engine, "a"));
    engine_flush(engine);
    assert_int_equal(fl_engine_step(engine->db, FL_JOB_SPACE), FLOWDB_DONE);
    engine_assert_ok(flowdb_compact_all(engine->db));
    assert_int_equal(looks(engine), 0);
}

static void below_the_reserve_only_deletes_are_taken(void **state) {
    struct engine *engine = *state;
    open_with_reserve(engine);
    engine_put(engine, "a", 1, "x");
    engine_put(engine, "b", 1, "x");
    engine_put(engine, "c", 1, "x");
    engine_put(engine, "d", 1, "x");
    run_out_of_space(engine);
    assert_int_equal(put(engine, "e"), FLOWDB_NO_SPACE);
    assert_non_null(strstr(flowdb_last_error(), "disk_reserve_mb"));
    flowdb_batch *batch = flowdb_batch_create();
    engine_assert_ok(flowdb_batch_delete(batch, flowdb_str("a"), 1));
    engine_assert_ok(
        flowdb_batch_put(batch, flowdb_str("e"), 1, FLOWDB_NEVER, flowdb_str("never")));
    assert_int_equal(flowdb_write_batch(engine->db, batch), FLOWDB_NO_SPACE);
    flowdb_slice value = flowdb_str("patched");
    flowdb_patch patch = {.value = &value};
    assert_int_equal(flowdb_patch_record(engine->db, flowdb_str("a"), 1, &patch, NULL),
                     FLOWDB_NO_SPACE);
    engine_assert_contents(engine, "a@1=x b@1=x c@1=x d@1=x");

    flowdb_batch_clear(batch);
    engine_assert_ok(flowdb_batch_delete(batch, flowdb_str("a"), 1));
    engine_assert_ok(flowdb_write_batch(engine->db, batch));
    flowdb_batch_destroy(batch);
    engine_delete(engine, "b", 1);
    engine_delete_range(engine, "c", "d");
    engine_sync(engine);
    engine_flush(engine);
    engine_assert_ok(flowdb_gc(engine->db, NULL));
    engine_assert_contents(engine, "d@1=x");
    assert_int_equal(put(engine, "e"), FLOWDB_NO_SPACE);
    assert_int_equal(atomic_load(&engine->db->space_refusals), 4);
}

static void writes_come_back_by_themselves(void **state) {
    struct engine *engine = *state;
    open_with_reserve(engine);
    run_out_of_space(engine);
    assert_int_equal(put(engine, "a"), FLOWDB_NO_SPACE);
    assert_int_equal(put(engine, "a"), FLOWDB_NO_SPACE);
    assert_int_equal(events(engine, FLOWDB_EVENT_WRITES_STOPPED), 1);
    assert_int_equal(engine->warnings, 1); /* said once */
    set_free(engine, RESERVE_MB * MIB);
    engine_assert_ok(put(engine, "a"));
    assert_int_equal(events(engine, FLOWDB_EVENT_WRITES_RESUMED), 1);
}

static void it_is_seen_when_a_log_is_begun(void **state) {
    struct engine *engine = *state;
    open_with_reserve(engine);
    set_free(engine, 0);
    unsigned written = 0;
    char key[16];
    do {
        snprintf(key, sizeof key, "k%u", written++);
        engine_put_large(engine, key);
    } while (atomic_load(&engine->db->frozen_count) == 0);
    assert_int_equal(put(engine, "a"), FLOWDB_NO_SPACE);
}

static void it_is_seen_at_open(void **state) {
    struct engine *engine = *state;
    open_with_reserve(engine);
    engine_put(engine, "a", 1, "x");
    engine_close(engine);
    set_free(engine, 0);
    engine_open(engine);
    assert_int_equal(put(engine, "b"), FLOWDB_NO_SPACE);
    engine_assert_contents(engine, "a@1=x");
}

/* The clock stands still, so that the space job never is due. */
static void refused_writes_of_many_threads_ask_at_a_bounded_rate(void **state) {
    struct engine *engine = *state;
    engine->config.auto_background = true;
    open_with_reserve(engine);
    run_out_of_space(engine);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(put(engine, "a"), FLOWDB_NO_SPACE);
    set_free(engine, 100 * MIB);
    assert_int_equal(put(engine, "a"), FLOWDB_NO_SPACE);
    atomic_fetch_add(&engine->clock.monotonic_us, 100000);
    engine_assert_ok(put(engine, "a"));
}

static void where_it_cannot_be_known_nothing_is_refused(void **state) {
    struct engine *engine = *state;
    engine->fault.ops = FAULT_MASK(FAULT_FREE_SPACE);
    uint64_t failures = 0;
    for (uint64_t at = 1; at <= 12; at++) {
        fault_fs_arm(&engine->fault, at, false, FAULT_BEFORE, FLOWDB_IO_ERROR);
        open_with_reserve(engine);
        engine_assert_ok(put(engine, "a"));
        engine_flush(engine);
        engine_assert_ok(put(engine, "b"));
        engine_flush(engine);
        engine_assert_ok(flowdb_compact(engine->db, NULL));
        engine_assert_ok(put(engine, "c"));
        engine_assert_contents(engine, "a@1=v b@1=v c@1=v");
        failures += engine->fault.failures;
        engine_close(engine);
        scratch_remove(engine->data);
    }
    assert_in_range(failures, 5, 11);
}

/* ------------------------------------------------------------------------------- compaction -- */

/* A table of about `kib` KiB that no codec makes smaller. */
static void make_table(struct engine *engine, const char *key, int64_t ts, size_t kib) {
    struct seeded seeded = {.state = (uint64_t)ts};
    uint64_t *value = malloc(kib << 10);
    assert_non_null(value);
    for (size_t i = 0; i < kib * 128; i++)
        value[i] = seeded_next(&seeded);
    flowdb_record record = {.key = flowdb_str(key),
                            .ts = ts,
                            .expire_at = FLOWDB_NEVER,
                            .value = flowdb_bytes(value, kib << 10)};
    engine_assert_ok(flowdb_write(engine->db, &record, 1));
    free(value);
    engine_flush(engine);
}

static size_t tables(struct engine *engine) {
    struct fl_version *version = fl_engine_pin(engine->db);
    size_t count = version->table_count;
    fl_version_unref(version);
    return count;
}

static void a_compaction_that_would_not_fit_is_passed_over_for_one_that_does(void **state) {
    struct engine *engine = *state;
    open_with_reserve(engine);
    make_table(engine, "large", ENGINE_NOW - 1, 600);
    make_table(engine, "large", ENGINE_NOW - 2, 600);
    make_table(engine, "small", ENGINE_NOW - 20 * ENGINE_YEAR, 200);
    make_table(engine, "small", ENGINE_NOW - 20 * ENGINE_YEAR - 1, 200);
    bool ran = false;
    set_free(engine, 700 << 10);
    engine_assert_ok(flowdb_compact(engine->db, &ran));
    assert_false(ran);
    assert_int_equal(tables(engine), 4);
    /* More than twice the small ones, below the reserve and not below a quarter of it. */
    set_free(engine, 1100 << 10);
    engine_assert_ok(flowdb_compact(engine->db, &ran));
    assert_true(ran);
    assert_int_equal(tables(engine), 3);
    engine_assert_ok(flowdb_compact(engine->db, &ran));
    assert_false(ran);
    set_free(engine, 100 * MIB);
    engine_assert_ok(flowdb_compact(engine->db, &ran));
    assert_true(ran);
    assert_int_equal(tables(engine), 2);
}

static void disk_fills_up(void *context, enum fault_op op, const char *path) {
    struct engine *engine = context;
    if (op != FAULT_CREATE || strstr(path, ".sst") == NULL)
        return;
    set_free(engine, MIB - 1);
    fl_engine_look_at_space(engine->db);
}

static void write_rows(struct engine *engine, int64_t first_ts) {
    enum { ROWS = 8000 };
    flowdb_record *records = calloc(ROWS, sizeof *records);
    assert_non_null(records);
    for (int64_t i = 0; i < ROWS; i++)
        records[i] = (flowdb_record){.key = flowdb_str("k"),
                                     .ts = first_ts + i,
                                     .expire_at = FLOWDB_NEVER,
                                     .value = flowdb_str("v")};
    engine_assert_ok(flowdb_write(engine->db, records, ROWS));
    free(records);
    engine_flush(engine);
}

static void a_compaction_gives_up_where_the_disk_fills_up_meanwhile(void **state) {
    struct engine *engine = *state;
    open_with_reserve(engine);
    write_rows(engine, 0);
    write_rows(engine, 100000);
    engine->fault.hook = disk_fills_up;
    engine->fault.hook_context = engine;
    assert_int_equal(fl_engine_step(engine->db, FL_JOB_COMPACT), FLOWDB_NO_SPACE);
    assert_non_null(strstr(flowdb_last_error(), "given up"));
    engine->fault.hook = NULL;
    assert_int_equal(tables(engine), 2);
    assert_int_equal(scratch_find(scratch_in(engine->data, "sst"), ".sst", NULL, NULL), 2);
    /* When there is room again, the job does not wait until its pause has passed. */
    set_free(engine, 100 * MIB);
    engine_assert_ok(put(engine, "z"));
    enum fl_engine_job job;
    do {
        flowdb_status status = fl_engine_step_due(engine->db, &job);
        assert_true(status == FLOWDB_OK || status == FLOWDB_DONE);
    } while (job != FL_JOBS);
    assert_int_equal(tables(engine), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(writes_do_not_ask_how_much_is_free),
        ENGINE_TEST(without_a_reserve_nobody_asks),
        ENGINE_TEST(below_the_reserve_only_deletes_are_taken),
        ENGINE_TEST(writes_come_back_by_themselves),
        ENGINE_TEST(it_is_seen_when_a_log_is_begun),
        ENGINE_TEST(it_is_seen_at_open),
        ENGINE_TEST(refused_writes_of_many_threads_ask_at_a_bounded_rate),
        ENGINE_TEST(where_it_cannot_be_known_nothing_is_refused),
        ENGINE_TEST(a_compaction_that_would_not_fit_is_passed_over_for_one_that_does),
        ENGINE_TEST(a_compaction_gives_up_where_the_disk_fills_up_meanwhile),
    };
    return cmocka_run_group_tests_name("space", tests, NULL, NULL);
}
