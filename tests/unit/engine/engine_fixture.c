#include "engine_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"

enum { LARGE = 300000, SHOWN = 64 };

void engine_assert_ok(flowdb_status status) {
    if (status != FLOWDB_OK)
        fail_msg("%s: %s", flowdb_status_name(status), flowdb_last_error());
}

static void note_line(void *context, flowdb_log_level level, const char *message) {
    struct engine *engine = context;
    engine->warnings += level == FLOWDB_LOG_WARN;
    engine->errors += level == FLOWDB_LOG_ERROR;
    snprintf(engine->last_line, sizeof engine->last_line, "%s", message);
    if (level == FLOWDB_LOG_WARN)
        snprintf(engine->last_warning, sizeof engine->last_warning, "%s", message);
}

int engine_set_up(void **state) {
    struct engine *engine = calloc(1, sizeof *engine);
    assert_non_null(engine);
    scratch_create_in_memory(engine->folder);
    snprintf(engine->data, sizeof engine->data, "%s", scratch_in(engine->folder, "data"));
    snprintf(engine->copy, sizeof engine->copy, "%s", scratch_in(engine->folder, "copy"));
    failing_alloc_init(&engine->failing);
    fault_fs_init(&engine->fault);
    engine->fault.skip_syncs = true;
    fake_clock_init(&engine->clock, ENGINE_NOW);
    engine->env = (struct fl_env){
        .alloc = &engine->failing.alloc, .clock = &engine->clock.clock, .fs = &engine->fault.fs};
    engine->config = flowdb_config_default();
    engine->config.auto_background = false;
    engine->config.data_dir = engine->data;
    engine->config.memtable_size_mb = 1;
    engine->config.wal_segment_size_mb = 2;
    engine->config.max_frozen_memtables = 8;
    engine->config.disk_reserve_mb = 0;
    engine->config.log = note_line;
    engine->config.log_context = engine;
    *state = engine;
    return 0;
}

int engine_tear_down(void **state) {
    struct engine *engine = *state;
    fault_fs_disarm(&engine->fault);
    engine->failing.fail_at = 0;
    flowdb_close(engine->db);
    scratch_remove(engine->folder);
    bool leaked = engine->failing.live != 0 || engine->fault.open_files != 0;
    if (leaked)
        print_error("%lld allocations and %lld files leaked\n", (long long)engine->failing.live,
                    (long long)engine->fault.open_files);
    fault_fs_deinit(&engine->fault);
    free(engine);
    return leaked ? -1 : 0;
}

/* --------------------------------------------------------------------------- open and close -- */

flowdb_status engine_try_open(struct engine *engine) {
    assert_null(engine->db);
    return fl_engine_open(&engine->config, &engine->env, &engine->db);
}

void engine_open(struct engine *engine) {
    engine_assert_ok(engine_try_open(engine));
}

void engine_close(struct engine *engine) {
    flowdb *db = engine->db;
    engine->db = NULL;
    engine_assert_ok(flowdb_close(db));
}

void engine_reopen(struct engine *engine) {
    engine_close(engine);
    engine_open(engine);
}

void engine_assert_open_fails(struct engine *engine, flowdb_status expected, const char *named) {
    flowdb_status status = engine_try_open(engine);
    if (status != expected)
        fail_msg("%s instead of %s: %s", flowdb_status_name(status), flowdb_status_name(expected),
                 status != FLOWDB_OK ? flowdb_last_error() : "opened");
    if (strstr(flowdb_last_error(), named) == NULL)
        fail_msg("'%s' does not name %s", flowdb_last_error(), named);
    assert_null(engine->db);
    assert_int_equal(engine->failing.live, 0);
    assert_int_equal(engine->fault.open_files, 0);
}

void engine_crash(struct engine *engine) {
    scratch_copy(engine->config.data_dir, engine->copy);
}

void engine_use_copy(struct engine *engine) {
    assert_null(engine->db);
    engine->config.data_dir = engine->copy;
}

void engine_use_original(struct engine *engine) {
    assert_null(engine->db);
    engine->config.data_dir = engine->data;
}

void engine_leave_crashed(struct engine *engine) {
    engine_crash(engine);
    engine_close(engine);
    engine_use_copy(engine);
}

void engine_go_on_after_crash(struct engine *engine) {
    char crashed[SCRATCH_PATH];
    snprintf(crashed, sizeof crashed, "%s", scratch_in(engine->folder, "crashed"));
    scratch_copy(engine->config.data_dir, crashed);
    /* What the close does was never done. */
    void (*hook)(void *context, enum fault_op op, const char *path) = engine->fault.hook;
    engine->fault.hook = NULL;
    engine_close(engine);
    engine->fault.hook = hook;
    scratch_copy(crashed, engine->config.data_dir);
    engine_open(engine);
}

/* ----------------------------------------------------------------------------------- write -- */

void engine_put_until(struct engine *engine, const char *key, int64_t ts, int64_t expire_at,
                      const char *value) {
    flowdb_record record = {
        .key = flowdb_str(key), .ts = ts, .expire_at = expire_at, .value = flowdb_str(value)};
    engine_assert_ok(flowdb_write(engine->db, &record, 1));
}

void engine_put(struct engine *engine, const char *key, int64_t ts, const char *value) {
    engine_put_until(engine, key, ts, FLOWDB_NEVER, value);
}

void engine_delete(struct engine *engine, const char *key, int64_t ts) {
    engine_assert_ok(flowdb_delete(engine->db, flowdb_str(key), ts));
}

void engine_delete_range(struct engine *engine, const char *start, const char *end) {
    engine_assert_ok(flowdb_delete_range(engine->db, flowdb_str(start), flowdb_str(end)));
}

void engine_put_large(struct engine *engine, const char *key) {
    char *value = malloc(LARGE);
    assert_non_null(value);
    memset(value, 'x', LARGE);
    flowdb_record record = {
        .key = flowdb_str(key), .expire_at = FLOWDB_NEVER, .value = flowdb_bytes(value, LARGE)};
    flowdb_status status = flowdb_write(engine->db, &record, 1);
    free(value);
    engine_assert_ok(status);
}

void engine_flush(struct engine *engine) {
    engine_assert_ok(flowdb_flush(engine->db));
}

void engine_sync(struct engine *engine) {
    engine_assert_ok(flowdb_sync(engine->db));
}

/* ------------------------------------------------------------------------------------ read -- */

static char *print_records(const flowdb_result *result) {
    size_t room = 1;
    for (size_t i = 0; i < result->count; i++)
        room += result->records[i].key.size + SHOWN + 32;
    char *text = malloc(room), *at = text;
    assert_non_null(text);
    *at = '\0';
    for (size_t i = 0; i < result->count; i++) {
        const flowdb_record *record = &result->records[i];
        at += sprintf(at, "%s%.*s@%lld=", i > 0 ? " " : "", (int)record->key.size,
                      (const char *)record->key.data, (long long)record->ts);
        if (record->value.size < SHOWN)
            at += sprintf(at, "%.*s", (int)record->value.size, (const char *)record->value.data);
        else
            at += sprintf(at, "#%zu", record->value.size);
    }
    return text;
}

char *engine_contents(flowdb *db, flowdb_status *status) {
    flowdb_result result = {0};
    flowdb_range all = flowdb_range_all();
    *status = flowdb_query(db, &all, NULL, &result);
    if (*status != FLOWDB_OK)
        return NULL;
    char *text = print_records(&result);
    flowdb_result_free(&result);
    return text;
}

static void assert_same(const flowdb_record *record, const flowdb_result *found) {
    assert_int_equal(found->count, 1);
    assert_true(fl_slice_equal(found->records[0].key, record->key));
    assert_true(found->records[0].ts == record->ts);
    assert_true(found->records[0].expire_at == record->expire_at);
    assert_true(fl_slice_equal(found->records[0].value, record->value));
}

static void check_points(flowdb *db) {
    flowdb_result all = {0};
    flowdb_range range = flowdb_range_all();
    engine_assert_ok(flowdb_query(db, &range, NULL, &all));
    for (size_t i = 0; i < all.count; i++) {
        const flowdb_record *record = &all.records[i];
        flowdb_result found = {0};
        engine_assert_ok(flowdb_get(db, record->key, record->ts, &found));
        assert_same(record, &found);
        flowdb_result_free(&found);
        if (i + 1 < all.count && fl_slice_equal(record->key, all.records[i + 1].key))
            continue;
        engine_assert_ok(flowdb_get_latest(db, record->key, &found));
        assert_same(record, &found);
        flowdb_result_free(&found);
    }
    flowdb_result_free(&all);
}

void engine_assert_contents(struct engine *engine, const char *expected) {
    flowdb_status status;
    char *text = engine_contents(engine->db, &status);
    engine_assert_ok(status);
    assert_string_equal(text, expected);
    free(text);
    check_points(engine->db);
}
