/* The engine's jobs, one step at a time: what each does, when it is due, and that the same seed does
   the same to the last byte. */
#include <string.h>

#include "engine/engine.h"
#include "engine_fixture.h"

static size_t frozen(struct engine *engine) {
    return atomic_load(&engine->db->frozen_count);
}

static size_t tables(struct engine *engine) {
    struct fl_version *version = fl_engine_pin(engine->db);
    size_t count = version->table_count;
    fl_version_unref(version);
    return count;
}

static void fill_frozen(struct engine *engine, size_t count) {
    for (unsigned i = 0; frozen(engine) < count; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%u", i);
        engine_put_large(engine, key);
    }
}

static void turn_clock(struct engine *engine, int64_t us) {
    atomic_fetch_add(&engine->clock.monotonic_us, us);
    atomic_fetch_add(&engine->clock.wall_us, us);
}

/* Runs what is due until nothing is. Returns a mask of the jobs that ran. */
static unsigned run_due(struct engine *engine) {
    unsigned ran = 0;
    enum fl_engine_job job;
    while (fl_engine_step_due(engine->db, &job) != FLOWDB_DONE || job != FL_JOBS)
        ran |= 1U << job;
    return ran;
}

static void nothing_runs_by_itself(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    fill_frozen(engine, 3);
    turn_clock(engine, ENGINE_HOUR);
    assert_int_equal(frozen(engine), 3);
    assert_int_equal(tables(engine), 0);
}

static void a_flush_step_makes_one_table(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    fill_frozen(engine, 2);
    assert_int_equal(fl_engine_step(engine->db, FL_JOB_FLUSH), FLOWDB_OK);
    assert_int_equal(frozen(engine), 1);
    assert_int_equal(tables(engine), 1);
    assert_int_equal(fl_engine_step(engine->db, FL_JOB_FLUSH), FLOWDB_OK);
    assert_int_equal(fl_engine_step(engine->db, FL_JOB_FLUSH), FLOWDB_DONE);
    assert_int_equal(tables(engine), 2);
}

static void a_compaction_step_runs_one_round(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    for (unsigned i = 0; i < 2; i++) {
        engine_put(engine, "a", i, "x");
        engine_flush(engine);
    }
    assert_int_equal(fl_engine_step(engine->db, FL_JOB_COMPACT), FLOWDB_OK);
    assert_int_equal(tables(engine), 1);
    assert_int_equal(fl_engine_step(engine->db, FL_JOB_COMPACT), FLOWDB_DONE);
}

static void a_gc_step_drops_what_expired(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put_until(engine, "a", 1, ENGINE_NOW + ENGINE_HOUR, "x");
    engine_flush(engine);
    turn_clock(engine, 2 * ENGINE_HOUR);
    assert_int_equal(fl_engine_step(engine->db, FL_JOB_GC), FLOWDB_DONE);
    assert_int_equal(tables(engine), 0);
}

static void a_sync_step_syncs(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    uint64_t before = engine->fault.counts[FAULT_SYNC];
    assert_int_equal(fl_engine_step(engine->db, FL_JOB_SYNC), FLOWDB_DONE);
    assert_int_equal(engine->fault.counts[FAULT_SYNC], before + 1);
    assert_int_equal(fl_engine_step(engine->db, FL_JOB_SYNC), FLOWDB_DONE);
    assert_int_equal(engine->fault.counts[FAULT_SYNC], before + 1);
}

static void the_clock_says_what_is_due(void **state) {
    struct engine *engine = *state;
    engine->config.wal_sync_interval_ms = 500;
    engine->config.flush_interval_ms = 1000;
    engine->config.gc_interval_secs = 10;
    engine_open(engine);
    run_due(engine);
    turn_clock(engine, 499999);
    assert_int_equal(run_due(engine), 0);
    turn_clock(engine, 1);
    assert_int_equal(run_due(engine), 1U << FL_JOB_SYNC);
    turn_clock(engine, 500000);
    assert_true(run_due(engine) & 1U << FL_JOB_FLUSH);
    turn_clock(engine, 9000000);
    assert_true(run_due(engine) & 1U << FL_JOB_GC);
}

static void a_frozen_memtable_wants_a_flush_and_a_table_a_compaction(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    run_due(engine);
    fill_frozen(engine, 2);
    enum fl_engine_job job;
    assert_int_equal(fl_engine_step_due(engine->db, &job), FLOWDB_OK);
    assert_int_equal(job, FL_JOB_FLUSH);
    assert_true(run_due(engine) & 1U << FL_JOB_COMPACT);
    assert_int_equal(frozen(engine), 0);
    assert_int_equal(tables(engine), 1);
}

static void a_read_only_database_has_no_jobs(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    engine_close(engine);
    engine->config.read_only = true;
    engine_open(engine);
    enum fl_engine_job job;
    assert_int_equal(fl_engine_step(engine->db, FL_JOB_COMPACT), FLOWDB_READ_ONLY);
    assert_int_equal(fl_engine_step_due(engine->db, &job), FLOWDB_READ_ONLY);
}

/* ---------------------------------------------------------------------------- determinism -- */

struct trace {
    uint64_t sum;
    size_t skip; /* bytes of the folder's name, which is another each time */
};

static void trace_call(void *context, enum fault_op op, const char *path) {
    struct trace *trace = context;
    trace->sum = trace->sum * 31 + (uint64_t)op;
    /* The folders above it are shorter, and are no part of what is compared. */
    for (const char *at = path + strnlen(path, trace->skip); *at != '\0'; at++)
        trace->sum = trace->sum * 31 + (uint8_t)*at;
}

static void one_operation(struct engine *engine, struct seeded *seeded) {
    char key[16];
    snprintf(key, sizeof key, "k%u", seeded_below(seeded, 20));
    enum fl_engine_job job;
    switch (seeded_below(seeded, 8)) {
    case 0:
        engine_put_large(engine, key);
        break;
    case 1:
        engine_delete(engine, key, (int64_t)seeded_below(seeded, 5));
        break;
    case 2:
        turn_clock(engine, (int64_t)seeded_below(seeded, 700000));
        break;
    case 3:
    case 4:
        (void)fl_engine_step_due(engine->db, &job);
        break;
    case 5:
        (void)fl_engine_step(engine->db, (enum fl_engine_job)seeded_below(seeded, FL_JOBS));
        break;
    default:
        engine_put_until(engine, key, (int64_t)seeded_below(seeded, 5),
                         ENGINE_NOW + (int64_t)seeded_below(seeded, 100000000), "value");
        break;
    }
}

static void run_seed(struct engine *engine, uint64_t seed, uint64_t *calls, uint64_t *files) {
    struct seeded seeded = {.state = seed};
    struct trace trace = {.skip = strlen(engine->folder)};
    fake_clock_init(&engine->clock, ENGINE_NOW);
    engine->fault.hook = trace_call;
    engine->fault.hook_context = &trace;
    engine_open(engine);
    for (unsigned i = 0; i < 400; i++)
        one_operation(engine, &seeded);
    engine->fault.hook = NULL;
    *files = scratch_fingerprint(engine->data);
    *calls = trace.sum;
    engine_close(engine);
    scratch_remove(engine->data);
}

static void the_same_seed_does_the_same(void **state) {
    struct engine *engine = *state;
    uint64_t calls[3], files[3];
    run_seed(engine, 7, &calls[0], &files[0]);
    run_seed(engine, 7, &calls[1], &files[1]);
    run_seed(engine, 8, &calls[2], &files[2]);
    assert_true(calls[0] == calls[1] && files[0] == files[1]);
    assert_true(calls[0] != calls[2] && files[0] != files[2]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(nothing_runs_by_itself),
        ENGINE_TEST(a_flush_step_makes_one_table),
        ENGINE_TEST(a_compaction_step_runs_one_round),
        ENGINE_TEST(a_gc_step_drops_what_expired),
        ENGINE_TEST(a_sync_step_syncs),
        ENGINE_TEST(the_clock_says_what_is_due),
        ENGINE_TEST(a_frozen_memtable_wants_a_flush_and_a_table_a_compaction),
        ENGINE_TEST(a_read_only_database_has_no_jobs),
        ENGINE_TEST(the_same_seed_does_the_same),
    };
    return cmocka_run_group_tests_name("steps", tests, NULL, NULL);
}
