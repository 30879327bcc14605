/* Writes that must not wait: they do what others do, or say that they would wait and do nothing. */
#include <pthread.h>
#include <string.h>

#include "engine/batch.h"
#include "engine_fixture.h"

/* Its memory is such that the database takes it. */
static flowdb_batch *batch_of(struct engine *engine, const char *key, const char *value) {
    flowdb_batch *batch = fl_batch_create(engine->env.alloc);
    assert_non_null(batch);
    engine_assert_ok(flowdb_batch_put(batch, flowdb_str(key), 1, FLOWDB_NEVER, flowdb_str(value)));
    return batch;
}

static void assert_written(struct engine *engine, const char *key) {
    engine_assert_ok(flowdb_try_write_batch_owned(engine->db, batch_of(engine, key, "x")));
}

static flowdb_status try_patch(struct engine *engine, const char *key, flowdb_result *updated) {
    flowdb_slice value = flowdb_str("patched");
    return flowdb_try_patch_record(engine->db, flowdb_str(key), 1, &(flowdb_patch){.value = &value},
                                   updated);
}

static uint64_t write_calls(struct engine *engine) {
    flowdb_stats stats = {.struct_size = sizeof stats};
    engine_assert_ok(flowdb_get_stats(engine->db, &stats));
    return stats.total_write_calls;
}

/* The batch is given back as it was; the caller has it. Nothing is counted. */
static flowdb_batch *assert_would_wait(struct engine *engine, const char *key, const char *why) {
    uint64_t calls = write_calls(engine);
    flowdb_batch *batch = batch_of(engine, key, "x");
    assert_int_equal(flowdb_try_write_batch_owned(engine->db, batch), FLOWDB_WOULD_WAIT);
    if (strstr(flowdb_last_error(), why) == NULL)
        fail_msg("'%s' instead of '%s'", flowdb_last_error(), why);
    assert_int_equal(flowdb_batch_count(batch), 1);
    flowdb_result updated = {.count = 77};
    assert_int_equal(try_patch(engine, "a", &updated), FLOWDB_WOULD_WAIT);
    assert_int_equal(updated.count, 77);
    assert_int_equal(write_calls(engine), calls);
    return batch;
}

static void what_need_not_wait_is_done(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "c", 1, "c");
    engine_put(engine, "d", 1, "d");
    flowdb_batch *batch = batch_of(engine, "a", "v");
    engine_assert_ok(flowdb_batch_delete(batch, flowdb_str("c"), 1));
    engine_assert_ok(flowdb_batch_delete_range(batch, flowdb_str("d"), flowdb_str("e")));
    engine_assert_ok(flowdb_try_write_batch_owned(engine->db, batch));
    engine_assert_contents(engine, "a@1=v");
    flowdb_result updated = {0};
    engine_assert_ok(try_patch(engine, "a", &updated));
    assert_int_equal(updated.count, 1);
    flowdb_result_free(&updated);
    assert_int_equal(try_patch(engine, "b", NULL), FLOWDB_NOT_FOUND);
    engine_assert_ok(flowdb_try_write_batch_owned(engine->db, flowdb_batch_create()));
    engine_assert_contents(engine, "a@1=patched");
    assert_int_equal(write_calls(engine), 5);
    engine_reopen(engine);
    engine_assert_contents(engine, "a@1=patched");
}

static void failures_are_told_as_ever(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    /* One whose memory the database cannot take is copied. */
    flowdb_batch *batch = flowdb_batch_create();
    engine_assert_ok(flowdb_batch_delete(batch, flowdb_str("a"), 1));
    atomic_store(&engine->db->log_drags_until_us, INT64_MAX);
    assert_int_equal(flowdb_try_write_batch_owned(engine->db, batch), FLOWDB_WOULD_WAIT);
    atomic_store(&engine->db->log_drags_until_us, 0);
    engine_assert_ok(flowdb_try_write_batch_owned(engine->db, batch));
    assert_int_equal(flowdb_try_write_batch_owned(NULL, batch_of(engine, "a", "x")),
                     FLOWDB_INVALID_ARGUMENT);
    assert_int_equal(flowdb_try_write_batch_owned(engine->db, NULL), FLOWDB_INVALID_ARGUMENT);
    assert_int_equal(flowdb_try_patch_record(engine->db, flowdb_str("a"), 1, NULL, NULL),
                     FLOWDB_INVALID_ARGUMENT);
    engine_close(engine);
    engine->config.read_only = true;
    engine_open(engine);
    assert_int_equal(flowdb_try_write_batch_owned(engine->db, batch_of(engine, "a", "x")),
                     FLOWDB_READ_ONLY);
}

static void a_sync_for_every_write_is_waited_for(void **state) {
    struct engine *engine = *state;
    engine->config.wal_sync = FLOWDB_SYNC_ALWAYS;
    engine_open(engine);
    flowdb_batch *batch = assert_would_wait(engine, "a", "synced for every write");
    engine_assert_contents(engine, "");
    engine_assert_ok(flowdb_write_batch_owned(engine->db, batch));
    engine_assert_contents(engine, "a@1=x");
}

static void so_is_one_that_is_due_where_no_thread_does_it(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    assert_written(engine, "b");
    atomic_fetch_add(&engine->clock.monotonic_us, 2000000);
    flowdb_batch *batch = assert_would_wait(engine, "c", "to be synced");
    engine_assert_ok(flowdb_write_batch_owned(engine->db, batch));
    assert_written(engine, "d");
    engine_assert_contents(engine, "a@1=x b@1=x c@1=x d@1=x");
}

static void so_is_the_next_memtable(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    for (char key[] = "k0"; atomic_load(&engine->db->stats.active_bytes) < 1 << 20; key[1]++)
        engine_put_large(engine, key);
    flowdb_batch *batch = assert_would_wait(engine, "b", "memtable is full");
    assert_int_equal(atomic_load(&engine->db->frozen_count), 0);
    engine_assert_ok(flowdb_write_batch_owned(engine->db, batch));
    assert_int_equal(atomic_load(&engine->db->frozen_count), 1);
    assert_written(engine, "c");
}

/* At the slowest pace a byte costs a microsecond. */
static void so_is_compaction_that_is_behind(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    atomic_store(&engine->db->pace_ns_per_kib, 1024000);
    unsigned written = 0;
    flowdb_status status = FLOWDB_OK;
    flowdb_batch *batch = NULL;
    while (status == FLOWDB_OK && written < 100) {
        batch = batch_of(engine, "b", "x");
        status = flowdb_try_write_batch_owned(engine->db, batch);
        written += status == FLOWDB_OK;
    }
    assert_int_equal(status, FLOWDB_WOULD_WAIT);
    assert_true(written > 10);
    assert_non_null(strstr(flowdb_last_error(), "compaction is behind"));
    flowdb_batch_destroy(batch);
    atomic_fetch_add(&engine->clock.monotonic_us, 1000);
    assert_written(engine, "d");
    engine_assert_contents(engine, "a@1=x b@1=x d@1=x");
}

/* ------------------------------------------------------------------------- a log that takes long -- */

static void take_long(void *context, enum fault_op op, const char *path) {
    struct engine *engine = context;
    if (op == FAULT_WRITE && strstr(path, ".log") != NULL)
        atomic_fetch_add(&engine->clock.monotonic_us, 5000);
}

static void a_log_that_takes_long_is_left_to_those_that_wait(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine->fault.hook_context = engine;
    engine->fault.hook = take_long;
    assert_written(engine, "a");
    flowdb_batch *batch = assert_would_wait(engine, "b", "took long");
    engine_assert_ok(flowdb_write_batch_owned(engine->db, batch));
    batch = assert_would_wait(engine, "c", "took long");
    engine->fault.hook = NULL;
    engine_assert_ok(flowdb_write_batch_owned(engine->db, batch));
    assert_written(engine, "d");
    engine_assert_contents(engine, "a@1=x b@1=x c@1=x d@1=x");
}

/* Whoever has no thread that may wait tries again, and gets through in the end. */
static void a_log_that_took_long_is_tried_again_after_a_while(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine->fault.hook_context = engine;
    engine->fault.hook = take_long;
    assert_written(engine, "a");
    engine->fault.hook = NULL;
    atomic_fetch_add(&engine->clock.monotonic_us, 99999);
    flowdb_batch_destroy(assert_would_wait(engine, "b", "took long"));
    atomic_fetch_add(&engine->clock.monotonic_us, 1);
    assert_written(engine, "b");
    assert_written(engine, "c");
    engine_assert_contents(engine, "a@1=x b@1=x c@1=x");
}

/* A write to the log that does not return until the test lets it. */
struct held {
    struct engine *engine;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool reached, released; /* guarded by lock */
};

static void hold(void *context, enum fault_op op, const char *path) {
    struct held *held = context;
    if (op != FAULT_WRITE || strstr(path, ".log") == NULL)
        return;
    pthread_mutex_lock(&held->lock);
    held->reached = true;
    pthread_cond_broadcast(&held->changed);
    while (!held->released)
        pthread_cond_wait(&held->changed, &held->lock);
    pthread_mutex_unlock(&held->lock);
}

static void *write_held(void *argument) {
    struct held *held = argument;
    flowdb_record record = {flowdb_str("h"), 1, FLOWDB_NEVER, flowdb_str("x")};
    engine_assert_ok(flowdb_write(held->engine->db, &record, 1));
    return NULL;
}

static void hold_a_write(struct held *held) {
    struct engine *engine = held->engine;
    pthread_mutex_init(&held->lock, NULL);
    pthread_cond_init(&held->changed, NULL);
    engine->fault.hook_context = held;
    engine->fault.hook = hold;
    assert_int_equal(pthread_create(&held->thread, NULL, write_held, held), 0);
    pthread_mutex_lock(&held->lock);
    while (!held->reached)
        pthread_cond_wait(&held->changed, &held->lock);
    pthread_mutex_unlock(&held->lock);
}

static void release(struct held *held) {
    pthread_mutex_lock(&held->lock);
    held->released = true;
    pthread_cond_broadcast(&held->changed);
    pthread_mutex_unlock(&held->lock);
    pthread_join(held->thread, NULL);
    held->engine->fault.hook = NULL;
}

static void nor_do_they_wait_for_another_that_does_not_return(void **state) {
    struct engine *engine = *state;
    struct held held = {.engine = engine};
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    hold_a_write(&held);
    flowdb_batch *batch = assert_would_wait(engine, "b", "another write is taking long");
    flowdb_batch_destroy(assert_would_wait(engine, "c", "took long"));
    engine_assert_contents(engine, "a@1=x");
    release(&held);
    /* It is a write that waits that finds out. */
    flowdb_batch_destroy(assert_would_wait(engine, "c", "took long"));
    engine_assert_ok(flowdb_write_batch_owned(engine->db, batch));
    assert_written(engine, "d");
    engine_assert_contents(engine, "a@1=x b@1=x d@1=x h@1=x");
}

/* A patch looks at what is committed before it writes, and for that too it needs the lock. */
static void nor_does_a_patch_wait_to_read(void **state) {
    struct engine *engine = *state;
    struct held held = {.engine = engine};
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    hold_a_write(&held);
    assert_int_equal(try_patch(engine, "a", NULL), FLOWDB_WOULD_WAIT);
    assert_non_null(strstr(flowdb_last_error(), "another write is taking long"));
    release(&held);
    engine_assert_contents(engine, "a@1=x h@1=x");
}

/* Several at once: each is done or not, and what was not is done by waiting. */
enum { THREADS = 4, WRITES = 500 };

struct writer {
    struct engine *engine;
    pthread_t thread;
    unsigned number;
};

static void *write_all(void *argument) {
    struct writer *writer = argument;
    char key[16];
    for (unsigned i = 0; i < WRITES; i++) {
        snprintf(key, sizeof key, "w%u.%u", writer->number, i);
        flowdb_batch *batch = batch_of(writer->engine, key, "x");
        flowdb_status status = flowdb_try_write_batch_owned(writer->engine->db, batch);
        if (status == FLOWDB_WOULD_WAIT)
            status = flowdb_write_batch_owned(writer->engine->db, batch);
        engine_assert_ok(status);
    }
    return NULL;
}

static void several_threads_lose_nothing(void **state) {
    struct engine *engine = *state;
    struct writer writers[THREADS];
    engine->config.auto_background = true;
    engine->config.max_frozen_memtables = 1;
    engine->env.clock = fl_clock_system();
    engine_open(engine);
    for (unsigned i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){.engine = engine, .number = i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_all, &writers[i]), 0);
    }
    for (unsigned i = 0; i < 8; i++)
        engine_put_large(engine, "large");
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(writers[i].thread, NULL);
    flowdb_result result = {0};
    flowdb_range range = flowdb_range_prefix(flowdb_str("w"));
    engine_assert_ok(flowdb_query(engine->db, &range, NULL, &result));
    assert_int_equal(result.count, THREADS * WRITES);
    flowdb_result_free(&result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(what_need_not_wait_is_done),
        ENGINE_TEST(failures_are_told_as_ever),
        ENGINE_TEST(a_sync_for_every_write_is_waited_for),
        ENGINE_TEST(so_is_one_that_is_due_where_no_thread_does_it),
        ENGINE_TEST(so_is_the_next_memtable),
        ENGINE_TEST(so_is_compaction_that_is_behind),
        ENGINE_TEST(a_log_that_takes_long_is_left_to_those_that_wait),
        ENGINE_TEST(a_log_that_took_long_is_tried_again_after_a_while),
        ENGINE_TEST(nor_do_they_wait_for_another_that_does_not_return),
        ENGINE_TEST(nor_does_a_patch_wait_to_read),
        ENGINE_TEST(several_threads_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
