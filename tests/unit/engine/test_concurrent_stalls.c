/* Writers that outrun the flush: they wait, are counted, wake, and get the reason where waiting would
   be for ever; and jobs that a close cuts short. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/engine.h"
#include "engine_fixture.h"

enum { WRITERS = 4, RECORDS = 16, LARGE = 300000, WATCHDOG_SECONDS = 120 };

/* Where a call of the file system waits until the test lets it go on. */
struct gate {
    enum fault_op op;
    const char *path_part;
    const char *thread; /* NULL: any */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open; /* guarded by lock */
};

static bool is_thread(const char *name) {
    char own[16] = "";
    pthread_getname_np(pthread_self(), own, sizeof own);
    return strcmp(own, name) == 0;
}

static void pass_gate(void *context, enum fault_op op, const char *path) {
    struct gate *gate = context;
    if (op != gate->op || strstr(path, gate->path_part) == NULL ||
        (gate->thread != NULL && !is_thread(gate->thread)))
        return;
    pthread_mutex_lock(&gate->lock);
    while (!gate->open)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void gate_init(struct gate *gate, enum fault_op op, const char *path_part) {
    *gate = (struct gate){.op = op, .path_part = path_part};
    pthread_mutex_init(&gate->lock, NULL);
    pthread_cond_init(&gate->changed, NULL);
}

static void gate_open(struct gate *gate) {
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static void open_in_background(struct engine *engine) {
    engine->env.clock = fl_clock_system();
    engine->config.auto_background = true;
    engine->config.max_frozen_memtables = 1;
    engine_open(engine);
}

static flowdb_status put_large(flowdb *db, const char *key, int64_t ts) {
    char *value = calloc(1, LARGE);
    flowdb_record record = {.key = flowdb_str(key),
                            .ts = ts,
                            .expire_at = FLOWDB_NEVER,
                            .value = flowdb_bytes(value, LARGE)};
    flowdb_status status = flowdb_write(db, &record, 1);
    free(value);
    return status;
}

struct writer {
    struct engine *engine;
    pthread_t thread;
    unsigned number;
    flowdb_status status; /* of its last write */
    unsigned written;
    char message[256];
};

static void *write_main(void *argument) {
    struct writer *writer = argument;
    char key[16];
    snprintf(key, sizeof key, "w%u", writer->number);
    for (unsigned i = 0; i < RECORDS && writer->status == FLOWDB_OK; i++) {
        writer->status = put_large(writer->engine->db, key, i);
        writer->written += writer->status == FLOWDB_OK;
    }
    snprintf(writer->message, sizeof writer->message, "%s", flowdb_last_error());
    return NULL;
}

static void start_writers(struct engine *engine, struct writer writers[WRITERS]) {
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.engine = engine, .number = i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_main, &writers[i]), 0);
    }
}

static void join_writers(struct writer writers[WRITERS]) {
    for (unsigned i = 0; i < WRITERS; i++)
        pthread_join(writers[i].thread, NULL);
}

static void await_waiting(flowdb *db, uint64_t waiting) {
    struct fl_stalls stalls;
    do {
        sched_yield();
        fl_engine_stalls(db, &stalls);
    } while (stalls.waiting < waiting);
}

/* Opens, and returns when all writers wait for a flush that the gate holds up. */
static void begin_stall(struct engine *engine, struct gate *gate, struct writer writers[WRITERS]) {
    gate_init(gate, FAULT_CREATE, ".sst");
    engine->fault.hook = pass_gate;
    engine->fault.hook_context = gate;
    open_in_background(engine);
    start_writers(engine, writers);
    await_waiting(engine->db, WRITERS);
}

static void writers_wait_for_the_flush_and_are_counted(void **state) {
    struct engine *engine = *state;
    struct gate gate;
    struct writer writers[WRITERS];
    begin_stall(engine, &gate, writers);
    gate_open(&gate);
    join_writers(writers);
    for (unsigned i = 0; i < WRITERS; i++)
        assert_int_equal(writers[i].written, RECORDS);
    struct fl_stalls stalls;
    fl_engine_stalls(engine->db, &stalls);
    assert_int_equal(stalls.waiting, 0);
    assert_true(stalls.count >= WRITERS);
    assert_true(stalls.longest_us > 0 && stalls.longest_us <= stalls.total_us);
    engine_close(engine);
    engine->fault.hook = NULL;
}

/* Over and over, with a frozen list as short as it can be: one wakeup that is lost hangs it. */
static void no_wakeup_is_lost(void **state) {
    struct engine *engine = *state;
    open_in_background(engine);
    for (unsigned round = 0; round < 10; round++) {
        struct writer writers[WRITERS];
        start_writers(engine, writers);
        join_writers(writers);
        for (unsigned i = 0; i < WRITERS; i++)
            assert_int_equal(writers[i].status, FLOWDB_OK);
    }
    engine_close(engine);
}

static void waiting_writers_get_the_reason_where_flushing_fails(void **state) {
    struct engine *engine = *state;
    engine->fault.path_part = ".sst";
    open_in_background(engine);
    fault_fs_arm(&engine->fault, 1, true, FAULT_BEFORE, FLOWDB_IO_ERROR);
    struct writer writers[WRITERS];
    start_writers(engine, writers);
    join_writers(writers);
    for (unsigned i = 0; i < WRITERS; i++) {
        assert_int_equal(writers[i].status, FLOWDB_IO_ERROR);
        assert_non_null(strstr(writers[i].message, "memory is full and cannot be flushed"));
        assert_non_null(strstr(writers[i].message, "fault was injected"));
    }
    struct fl_job_report report;
    fl_scheduler_report(&engine->db->scheduler, FL_JOB_FLUSH, &report);
    assert_true(report.failures >= FL_FLUSH_PATIENCE);
    /* And when it does not fail any more, writes come back without being asked to. */
    fault_fs_disarm(&engine->fault);
    fl_scheduler_retry(&engine->db->scheduler, FL_JOB_FLUSH);
    while (put_large(engine->db, "again", 1) != FLOWDB_OK)
        sched_yield();
    engine_close(engine);
}

static void waiting_writers_wake_when_writes_stop(void **state) {
    struct engine *engine = *state;
    struct gate gate;
    struct writer writers[WRITERS];
    begin_stall(engine, &gate, writers);
    fl_fail(FLOWDB_IO_ERROR, "the disk is gone");
    fl_engine_stop_writes(engine->db, "a log could not be synced");
    join_writers(writers);
    for (unsigned i = 0; i < WRITERS; i++) {
        assert_int_equal(writers[i].status, FLOWDB_READ_ONLY);
        assert_non_null(strstr(writers[i].message, "the disk is gone"));
    }
    gate_open(&gate);
    flowdb *db = engine->db;
    engine->db = NULL;
    assert_int_equal(flowdb_close(db), FLOWDB_READ_ONLY);
    engine->fault.hook = NULL;
}

/* ----------------------------------------------------------------------------------- pacing -- */

static void writes_slow_down_while_compaction_is_behind(void **state) {
    struct engine *engine = *state;
    struct gate gate;
    gate_init(&gate, FAULT_CREATE, ".sst");
    gate.thread = "flowdb-compact";
    engine->fault.hook = pass_gate;
    engine->fault.hook_context = &gate;
    open_in_background(engine);
    struct fl_stalls stalls;
    for (unsigned i = 0; i < 24; i++) {
        engine_put(engine, "a", i, "x");
        engine_flush(engine);
    }
    assert_true(atomic_load(&engine->db->pace_ns_per_kib) > 0);
    engine_assert_ok(put_large(engine->db, "b", 1));
    fl_engine_stalls(engine->db, &stalls);
    assert_true(stalls.paced > 0 && stalls.paced_us >= 1000);
    assert_int_equal(stalls.count, 0);
    flowdb_stats stats = {.struct_size = sizeof stats};
    engine_assert_ok(flowdb_get_stats(engine->db, &stats));
    assert_int_equal(stats.total_paced_writes, stalls.paced);
    assert_int_equal(stats.total_write_paced_us, stalls.paced_us);
    assert_true(stats.write_pace_ns_per_kib > 0);
    gate_open(&gate);
    while (atomic_load(&engine->db->pace_ns_per_kib) > 0)
        sched_yield();
    fl_engine_stalls(engine->db, &stalls);
    uint64_t paced = stalls.paced;
    engine_assert_ok(put_large(engine->db, "b", 2));
    fl_engine_stalls(engine->db, &stalls);
    assert_int_equal(stalls.paced, paced);
    engine_assert_ok(flowdb_get_stats(engine->db, &stats));
    assert_int_equal(stats.write_pace_ns_per_kib, 0);
    engine_close(engine);
    engine->fault.hook = NULL;
}

/* ------------------------------------------------------------------------------------ close -- */

struct closing {
    flowdb *_Atomic db; /* NULL until it is open */
    _Atomic bool began;
};

/* The compaction's output waits until the database is closing. */
static void wait_for_close(void *context, enum fault_op op, const char *path) {
    struct closing *closing = context;
    if (op != FAULT_READ || strstr(path, ".sst") == NULL || !is_thread("flowdb-compact"))
        return;
    atomic_store(&closing->began, true);
    flowdb *db;
    while ((db = atomic_load(&closing->db)) == NULL || !atomic_load(&db->closing))
        sched_yield();
}

static void write_many(flowdb *db, const char *prefix) {
    for (unsigned i = 0; i < 20; i++) {
        char keys[1000][24];
        flowdb_record records[1000];
        for (unsigned k = 0; k < 1000; k++) {
            snprintf(keys[k], sizeof keys[k], "%s%03u", prefix, k);
            records[k] = (flowdb_record){.key = flowdb_str(keys[k]),
                                         .ts = i,
                                         .expire_at = FLOWDB_NEVER,
                                         .value = flowdb_str("v")};
        }
        engine_assert_ok(flowdb_write(db, records, 1000));
    }
}

static void a_close_cuts_a_compaction_short(void **state) {
    struct engine *engine = *state;
    engine->config.memtable_size_mb = engine->config.wal_segment_size_mb = 16;
    engine_open(engine);
    write_many(engine->db, "a");
    engine_flush(engine);
    write_many(engine->db, "b");
    engine_flush(engine);
    engine_close(engine);
    const char *sst = scratch_in(engine->data, "sst");
    char first[SCRATCH_PATH], last[SCRATCH_PATH], then_first[SCRATCH_PATH], then_last[SCRATCH_PATH];
    assert_int_equal(scratch_find(sst, ".sst", first, last), 2);

    struct closing closing = {.db = NULL};
    engine->fault.hook_context = &closing;
    engine->fault.hook = wait_for_close;
    open_in_background(engine);
    atomic_store(&closing.db, engine->db);
    while (!atomic_load(&closing.began))
        sched_yield();
    flowdb *db = engine->db;
    engine_assert_ok(flowdb_close(db));
    engine->db = NULL;
    engine->fault.hook = NULL;
    assert_int_equal(scratch_find(scratch_in(engine->data, "sst"), ".sst", then_first, then_last),
                     2);
    assert_string_equal(first, then_first);
    assert_string_equal(last, then_last);
}

/* No thread is left that would make room for what is in memory still. */
static void a_close_does_not_wait_for_a_flush_that_will_not_come(void **state) {
    struct engine *engine = *state;
    engine->fault.path_part = ".sst";
    fault_fs_arm(&engine->fault, 1, false, FAULT_BEFORE, FLOWDB_IO_ERROR);
    engine->config.auto_background = true;
    engine->config.max_frozen_memtables = 1;
    engine_open(engine);
    /* Four fill a memtable: one is frozen, the active one is full. The clock stands still, and so the
       pause after the failed flush does not end. */
    for (int64_t i = 0; i < 8; i++)
        engine_assert_ok(put_large(engine->db, "k", i));
    struct fl_job_report report;
    do {
        sched_yield();
        fl_scheduler_report(&engine->db->scheduler, FL_JOB_FLUSH, &report);
    } while (report.failures == 0);
    engine_reopen(engine);
    flowdb_result result = {0};
    flowdb_range all = flowdb_range_all();
    engine_assert_ok(flowdb_query(engine->db, &all, NULL, &result));
    assert_int_equal(result.count, 8);
    flowdb_result_free(&result);
}

int main(void) {
    alarm(WATCHDOG_SECONDS);
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(writers_wait_for_the_flush_and_are_counted),
        ENGINE_TEST(no_wakeup_is_lost),
        ENGINE_TEST(waiting_writers_get_the_reason_where_flushing_fails),
        ENGINE_TEST(waiting_writers_wake_when_writes_stop),
        ENGINE_TEST(writes_slow_down_while_compaction_is_behind),
        ENGINE_TEST(a_close_cuts_a_compaction_short),
        ENGINE_TEST(a_close_does_not_wait_for_a_flush_that_will_not_come),
    };
    return cmocka_run_group_tests_name("stalls", tests, NULL, NULL);
}
