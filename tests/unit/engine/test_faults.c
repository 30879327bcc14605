/*
 * Every call of the interface while each file-system call, and each allocation, fails in turn.
 *
 * A call that failed has not changed what is there, unless the engine stopped writes: then nobody
 * can tell, and what it would have done may be found after reopening, whole or not at all. What was
 * acknowledged before is always found.
 */
#include "fault_runs.h"

#include <string.h>

#include "engine/batch.h"
#include "engine/engine.h"

/* ----------------------------------------------------------------------------------- calls -- */

static flowdb_status call_write(struct engine *engine) {
    flowdb_record records[2] = {record_of("a", 2, "w"), record_of("e", 1, "w")};
    return flowdb_write(engine->db, records, 2);
}
#define AFTER_WRITE "a@1=t1 a@2=w b@1=t1 c@1=m1 d@5=t5 e@1=w"

/* More records than there is room for on the stack. */
static flowdb_status call_write_many(struct engine *engine) {
    static flowdb_record records[300];
    for (size_t i = 0; i < 300; i++)
        records[i] = record_of("e", (int64_t)(i % 2), i < 298 ? "x" : "w");
    return flowdb_write(engine->db, records, 300);
}
#define AFTER_WRITE_MANY "a@1=t1 a@2=m2 b@1=t1 c@1=m1 d@5=t5 e@0=w e@1=w"

/* The batch itself is made without faults. */
static flowdb_batch *make_batch(struct engine *engine, const struct fl_alloc *alloc) {
    uint64_t fail_at = engine->failing.fail_at, calls = engine->failing.calls;
    engine->failing.fail_at = 0;
    flowdb_batch *batch = fl_batch_create(alloc);
    assert_non_null(batch);
    engine_assert_ok(flowdb_batch_put(batch, flowdb_str("e"), 1, FLOWDB_NEVER, flowdb_str("w")));
    engine_assert_ok(flowdb_batch_delete(batch, flowdb_str("a"), 1));
    engine_assert_ok(flowdb_batch_put(batch, flowdb_str("e"), 2, FLOWDB_NEVER, flowdb_str("w")));
    engine_assert_ok(flowdb_batch_delete_range(batch, flowdb_str("c"), flowdb_str("d")));
    engine->failing.fail_at = fail_at;
    engine->failing.calls = calls;
    return batch;
}
#define AFTER_BATCH "a@2=m2 b@1=t1 d@5=t5 e@1=w e@2=w"

static flowdb_status call_write_batch(struct engine *engine) {
    flowdb_batch *batch = make_batch(engine, fl_alloc_system());
    flowdb_status status = flowdb_write_batch(engine->db, batch);
    assert_int_equal(flowdb_batch_count(batch), 4); /* as it was, whatever happened */
    flowdb_batch_destroy(batch);
    return status;
}

static flowdb_status call_write_batch_owned(struct engine *engine) {
    return flowdb_write_batch_owned(engine->db, make_batch(engine, engine->env.alloc));
}

static flowdb_status call_try_write_batch_owned(struct engine *engine) {
    flowdb_batch *batch = make_batch(engine, engine->env.alloc);
    flowdb_status status = flowdb_try_write_batch_owned(engine->db, batch);
    return status == FLOWDB_WOULD_WAIT ? flowdb_write_batch_owned(engine->db, batch) : status;
}

static flowdb_status call_delete(struct engine *engine) {
    return flowdb_delete(engine->db, flowdb_str("a"), 2);
}

static flowdb_status call_delete_range(struct engine *engine) {
    return flowdb_delete_range(engine->db, flowdb_str("a"), flowdb_str("c"));
}

static flowdb_status call_patch(struct engine *engine) {
    flowdb_slice value = flowdb_str("patched");
    flowdb_patch patch = {.value = &value};
    flowdb_result updated = {.count = 77};
    flowdb_status status = flowdb_patch_record(engine->db, flowdb_str("d"), 5, &patch, &updated);
    if (status == FLOWDB_OK) {
        assert_int_equal(updated.count, 1);
        assert_true(fl_slice_equal(updated.records[0].value, value));
        flowdb_result_free(&updated);
    } else {
        assert_true(updated.count == 77 && updated.owner == NULL && updated.records == NULL);
    }
    return status;
}

static flowdb_status call_flush(struct engine *engine) {
    return flowdb_flush(engine->db);
}

static flowdb_status call_sync(struct engine *engine) {
    return flowdb_sync(engine->db);
}

static flowdb_status call_compact_all(struct engine *engine) {
    return flowdb_compact_all(engine->db);
}

static flowdb_status call_compact(struct engine *engine) {
    bool ran = true;
    flowdb_status status = flowdb_compact(engine->db, &ran);
    assert_true(ran); /* there is something to do; untouched on failure */
    return status;
}

static flowdb_status call_gc(struct engine *engine) {
    uint64_t purged = 77;
    flowdb_status status = flowdb_gc(engine->db, &purged);
    assert_int_equal(purged, status == FLOWDB_OK ? 1 : 77);
    return status;
}

/* Right, or untouched. */
static flowdb_status check_found(flowdb_status status, flowdb_result *found, int64_t ts,
                                 const char *value) {
    if (status == FLOWDB_OK) {
        assert_int_equal(found->count, 1);
        assert_true(found->records[0].ts == ts);
        assert_true(fl_slice_equal(found->records[0].value, flowdb_str(value)));
        flowdb_result_free(found);
    } else {
        assert_true(found->count == 77 && found->owner == NULL && found->records == NULL);
    }
    return status;
}

static flowdb_status call_get(struct engine *engine) {
    flowdb_result found = {.count = 77};
    flowdb_status status = flowdb_get(engine->db, flowdb_str("b"), 1, &found);
    return check_found(status, &found, 1, "t1");
}

/* An error must not look like an absence. */
static flowdb_status call_get_absent(struct engine *engine) {
    flowdb_result found = {.count = 77};
    flowdb_status status = flowdb_get(engine->db, flowdb_str("b"), 2, &found);
    assert_int_not_equal(status, FLOWDB_OK);
    return check_found(status == FLOWDB_NOT_FOUND ? FLOWDB_DONE : status, &found, 0, "");
}

static flowdb_status call_get_latest(struct engine *engine) {
    flowdb_result found = {.count = 77};
    flowdb_status status = flowdb_get_latest(engine->db, flowdb_str("b"), &found);
    return check_found(status, &found, 1, "t1");
}

static flowdb_status call_query(struct engine *engine) {
    flowdb_result found = {.count = 77};
    flowdb_range all = flowdb_range_all();
    flowdb_status status = flowdb_query(engine->db, &all, NULL, &found);
    if (status != FLOWDB_OK) {
        assert_true(found.count == 77 && found.owner == NULL && found.records == NULL);
        return status;
    }
    assert_int_equal(found.count, 5);
    flowdb_result_free(&found);
    return FLOWDB_OK;
}

/* Reads everything in one direction. Once it has failed it keeps failing so, until it is sought. */
static flowdb_status scan_through(struct engine *engine, bool reverse) {
    flowdb_iterator *iterator = (flowdb_iterator *)engine; /* must not be touched */
    flowdb_range all = flowdb_range_all();
    flowdb_read_options options = flowdb_read_options_default();
    options.reverse = reverse;
    flowdb_status status = flowdb_scan(engine->db, &all, &options, &iterator);
    if (status != FLOWDB_OK) {
        assert_ptr_equal(iterator, engine);
        return status;
    }
    static const char *const keys[] = {"a", "a", "b", "c", "d"};
    flowdb_record record;
    size_t count = 0;
    while ((status = flowdb_iterator_next(iterator, &record)) == FLOWDB_OK) {
        assert_true(count < 5);
        assert_true(fl_slice_equal(record.key, flowdb_str(keys[reverse ? 4 - count : count])));
        count++;
    }
    if (status == FLOWDB_DONE) {
        assert_int_equal(count, 5);
        status = FLOWDB_OK;
    } else {
        assert_int_equal(flowdb_iterator_next(iterator, &record), status);
    }
    flowdb_iterator_destroy(iterator);
    return status;
}

static flowdb_status call_scan(struct engine *engine) {
    return scan_through(engine, false);
}

static flowdb_status call_scan_reverse(struct engine *engine) {
    return scan_through(engine, true);
}

static flowdb_status call_seek(struct engine *engine) {
    flowdb_iterator *iterator;
    flowdb_range all = flowdb_range_all();
    flowdb_status status = flowdb_scan(engine->db, &all, NULL, &iterator);
    if (status != FLOWDB_OK)
        return status;
    flowdb_record record;
    status = flowdb_iterator_seek(iterator, flowdb_str("b"), 0);
    if (status == FLOWDB_OK)
        status = flowdb_iterator_next_key(iterator, &record);
    if (status == FLOWDB_OK)
        assert_true(fl_slice_equal(record.key, flowdb_str("b")));
    if (status == FLOWDB_OK)
        status = flowdb_iterator_next_key(iterator, &record);
    if (status == FLOWDB_OK)
        assert_true(fl_slice_equal(record.key, flowdb_str("c")));
    /* A seek that succeeds puts a failed iterator right. */
    engine->fault.fail_at = 0;
    engine->failing.fail_at = 0;
    if (status != FLOWDB_OK) {
        engine_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("d"), 0));
        engine_assert_ok(flowdb_iterator_next(iterator, &record));
        assert_true(record.ts == 5);
    }
    flowdb_iterator_destroy(iterator);
    return status;
}

struct call {
    const char *name;
    flowdb_status (*run)(struct engine *engine);
    const char *after; /* what there is when it has worked */
};

static const struct call calls[] = {
    {"write", call_write, AFTER_WRITE},
    {"write of many", call_write_many, AFTER_WRITE_MANY},
    {"write_batch", call_write_batch, AFTER_BATCH},
    {"write_batch_owned", call_write_batch_owned, AFTER_BATCH},
    {"try_write_batch_owned", call_try_write_batch_owned, AFTER_BATCH},
    {"delete", call_delete, "a@1=t1 b@1=t1 c@1=m1 d@5=t5"},
    {"delete_range", call_delete_range, "c@1=m1 d@5=t5"},
    {"patch_record", call_patch, "a@1=t1 a@2=m2 b@1=t1 c@1=m1 d@5=patched"},
    {"flush", call_flush, SEED},
    {"sync", call_sync, SEED},
    {"compact_all", call_compact_all, SEED},
    {"compact", call_compact, SEED},
    {"gc", call_gc, SEED},
    /* from here on reads */
    {"get", call_get, SEED},
    {"get of what is absent", call_get_absent, SEED},
    {"get_latest", call_get_latest, SEED},
    {"query", call_query, SEED},
    {"scan", call_scan, SEED},
    {"scan backwards", call_scan_reverse, SEED},
    {"seek", call_seek, SEED},
};
enum { WRITING_CALLS = 13, CALLS = sizeof calls / sizeof calls[0] };

/* ------------------------------------------------------------------------------- after it -- */

/* Looks at the database as it is, as a kill would leave it, and after closing it. */
static void check_afterwards(struct engine *engine, const struct call *call, flowdb_status status,
                             bool may_stop, const char *what) {
    bool done = status == FLOWDB_OK;
    bool on = goes_on(engine, what);
    if (!on && !may_stop)
        fail_msg("%s: writes are refused: %s", what, flowdb_last_error());
    const char *possible[POSSIBLE_MAX] = {done ? call->after : SEED};
    if (!done && !on)
        possible[1] = call->after;
    assert_one_of(engine, possible, on, what);
    bool buffered = engine->config.wal_sync == FLOWDB_SYNC_BUFFERED;
    if (on && buffered)
        engine_sync(engine);
    engine_crash(engine);
    /* A log that cannot be cut back takes nothing more: the buffer is lost, from its end. */
    flowdb *db = engine->db;
    if (buffered && fl_wal_broken(db->logs[db->log_count - 1].writer)) {
        static const char *const prefixes[] = {SEED, SEED_WITHOUT_BOTH, SEED_WITHOUT_LAST};
        memcpy(possible, prefixes, sizeof prefixes);
        possible[3] = call->after;
    }
    engine->db = NULL;
    flowdb_status closed = flowdb_close(db);
    if (closed != (on ? FLOWDB_OK : FLOWDB_READ_ONLY))
        fail_msg("%s: close: %s: %s", what, flowdb_status_name(closed), flowdb_last_error());
    assert_int_equal(engine->failing.live, 0);
    assert_int_equal(engine->fault.open_files, 0);
    engine_open(engine);
    assert_one_of(engine, possible, on, what);
    engine_close(engine);
    /* What the buffer held when writes stopped is lost with the process. */
    if (on || !buffered) {
        engine_use_copy(engine);
        engine_open(engine);
        assert_one_of(engine, possible, on, what);
        engine_close(engine);
        engine_use_original(engine);
    }
}

/* ------------------------------------------------------------------------------ file system -- */

/* Failures after which nobody can tell what is on the disk. */
static bool leaves_doubt(const struct fault *fault, enum fault_op op) {
    return fault->persistent || op == FAULT_SYNC || op == FAULT_TRUNCATE || op == FAULT_RENAME ||
           op == FAULT_SYNC_DIR;
}

/* The Nth call fails while `call` runs. False where there is no such call. */
static bool run_with_fault(struct engine *engine, const struct call *call,
                           const struct fault *fault, uint64_t nth, bool sync_due) {
    prepare(engine);
    if (sync_due)
        atomic_fetch_add(&engine->clock.monotonic_us, 3600 * INT64_C(1000000));
    fault_fs_arm(&engine->fault, nth, fault->persistent, fault->way, fault->status);
    flowdb_status status = call->run(engine);
    bool struck = engine->fault.failures > 0;
    enum fault_op op = engine->fault.failed_op;
    fault_fs_disarm(&engine->fault);
    char what[256];
    snprintf(what, sizeof what, "%s, wal_sync %d%s, fault %d at call %llu (%s), returned %s",
             call->name, (int)engine->config.wal_sync, sync_due ? ", sync due" : "",
             (int)(fault - faults), (unsigned long long)nth, struck ? fault_op_name(op) : "none",
             flowdb_status_name(status));
    if (status == FLOWDB_DONE) /* of what is absent, and nothing went wrong */
        status = FLOWDB_OK;
    if (status != FLOWDB_OK && (!struck || status != fault->status))
        fail_msg("%s: %s", what, flowdb_last_error());
    check_afterwards(engine, call, status, struck && leaves_doubt(fault, op), what);
    return struck;
}

/* Calls that only read do the same however writes are synced: once is enough. */
static void run_all_faults(struct engine *engine, bool sync_due, bool reads) {
    for (size_t c = 0; c < (reads ? CALLS : WRITING_CALLS); c++) {
        for (size_t f = 0; f < FAULTS; f++) {
            uint64_t nth = 1;
            while (run_with_fault(engine, &calls[c], &faults[f], nth, sync_due))
                nth++;
        }
    }
}

static void every_call_survives_a_fault_at_every_file_operation(void **state) {
    struct engine *engine = *state;
    prepare_seed(engine);
    run_all_faults(engine, false, true);
}

static void the_same_where_every_write_is_synced(void **state) {
    struct engine *engine = *state;
    engine->config.wal_sync = FLOWDB_SYNC_ALWAYS;
    prepare_seed(engine);
    run_all_faults(engine, false, false);
}

static void the_same_where_writes_are_buffered(void **state) {
    struct engine *engine = *state;
    engine->config.wal_sync = FLOWDB_SYNC_BUFFERED;
    prepare_seed(engine);
    run_all_faults(engine, false, false);
}

static void the_same_where_a_sync_is_due(void **state) {
    struct engine *engine = *state;
    prepare_seed(engine);
    run_all_faults(engine, true, false);
}

static void the_same_where_a_sync_of_buffered_writes_is_due(void **state) {
    struct engine *engine = *state;
    engine->config.wal_sync = FLOWDB_SYNC_BUFFERED;
    prepare_seed(engine);
    run_all_faults(engine, true, false);
}

/* ------------------------------------------------------------------------------ allocations -- */

static bool run_without_memory(struct engine *engine, const struct call *call, uint64_t nth,
                               bool persistent) {
    prepare(engine);
    engine->failing.calls = 0;
    engine->failing.fail_at = nth;
    engine->failing.persistent = persistent;
    flowdb_status status = call->run(engine);
    bool struck = engine->failing.calls >= nth;
    engine->failing.fail_at = 0;
    char what[256];
    snprintf(what, sizeof what, "%s, allocation %llu%s fails, returned %s", call->name,
             (unsigned long long)nth, persistent ? " and all after it" : "",
             flowdb_status_name(status));
    if (status == FLOWDB_DONE)
        status = FLOWDB_OK;
    if (status != FLOWDB_OK && (!struck || status != FLOWDB_NO_MEMORY))
        fail_msg("%s: %s", what, flowdb_last_error());
    check_afterwards(engine, call, status, false, what);
    return struck;
}

static void every_call_survives_a_failure_of_every_allocation(void **state) {
    struct engine *engine = *state;
    prepare_seed(engine);
    unsigned failures = 0;
    for (size_t c = 0; c < CALLS; c++) {
        for (int persistent = 0; persistent < 2; persistent++) {
            for (uint64_t nth = 1; run_without_memory(engine, &calls[c], nth, persistent == 1);
                 nth++)
                failures++;
        }
    }
    assert_true(failures > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(every_call_survives_a_fault_at_every_file_operation),
        ENGINE_TEST(the_same_where_every_write_is_synced),
        ENGINE_TEST(the_same_where_writes_are_buffered),
        ENGINE_TEST(the_same_where_a_sync_is_due),
        ENGINE_TEST(the_same_where_a_sync_of_buffered_writes_is_due),
        ENGINE_TEST(every_call_survives_a_failure_of_every_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
