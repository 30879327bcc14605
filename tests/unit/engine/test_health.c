/* flowdb_get_health: whether one can write, and why not. */
#include "engine_fixture.h"

#include <string.h>

#include "engine/engine.h"

static flowdb_health health_of(struct engine *engine) {
    flowdb_health health = {.struct_size = sizeof health};
    engine_assert_ok(flowdb_get_health(engine->db, &health));
    assert_int_equal(health.struct_size, sizeof health);
    return health;
}

static void assert_state(struct engine *engine, flowdb_health_state state, bool accepts,
                         const char *named) {
    flowdb_health health = health_of(engine);
    assert_string_equal(flowdb_health_state_name(health.state), flowdb_health_state_name(state));
    assert_int_equal(health.writes_accepted, accepts);
    if (strstr(health.message, named) == NULL)
        fail_msg("\"%s\" does not hold \"%s\"", health.message, named);
    flowdb_stats stats = {.struct_size = sizeof stats};
    engine_assert_ok(flowdb_get_stats(engine->db, &stats));
    assert_int_equal(stats.writes_accepted, accepts);
}

static flowdb_status put(struct engine *engine) {
    flowdb_record record = {
        .key = flowdb_str("k"), .ts = 1, .expire_at = FLOWDB_NEVER, .value = flowdb_str("v")};
    return flowdb_write(engine->db, &record, 1);
}

static void an_open_database_is_in_good_health(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    assert_state(engine, FLOWDB_HEALTH_GOOD, true, "");
    assert_string_equal(health_of(engine).message, "");
}

static void one_opened_read_only_says_so(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    engine_close(engine);
    engine->config.read_only = true;
    engine_open(engine);
    assert_state(engine, FLOWDB_HEALTH_OPENED_READ_ONLY, false, "read-only");
    assert_int_equal(put(engine), FLOWDB_READ_ONLY);
}

static void writes_that_were_stopped_say_why(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    engine->fault.ops = FAULT_MASK(FAULT_SYNC);
    fault_fs_arm(&engine->fault, 1, false, FAULT_BEFORE, FLOWDB_IO_ERROR);
    assert_int_equal(flowdb_sync(engine->db), FLOWDB_IO_ERROR);
    fault_fs_disarm(&engine->fault);
    assert_state(engine, FLOWDB_HEALTH_STOPPED, false, "a log could not be synced");
    assert_int_equal(put(engine), FLOWDB_READ_ONLY);
    assert_int_equal(flowdb_close(engine->db), FLOWDB_READ_ONLY);
    engine->db = NULL;
}

/* A flush that fails costs nothing yet; with memory full it is what writes get. */
static void failing_flushes_first_degrade_and_then_fill_memory(void **state) {
    struct engine *engine = *state;
    engine->config.max_frozen_memtables = 1;
    engine_open(engine);
    for (int i = 0; i < 5; i++) {
        char key[2] = {(char)('a' + i), '\0'};
        engine_put_large(engine, key);
    }
    engine->fault.path_part = ".sst";
    fault_fs_arm(&engine->fault, 1, true, FAULT_BEFORE, FLOWDB_NO_SPACE);
    assert_int_equal(fl_engine_step(engine->db, FL_JOB_FLUSH), FLOWDB_NO_SPACE);
    assert_state(engine, FLOWDB_HEALTH_DEGRADED, true, "flush has failed 1 times in a row");
    for (int i = 1; i < FL_FLUSH_PATIENCE; i++)
        assert_int_equal(fl_engine_step(engine->db, FL_JOB_FLUSH), FLOWDB_NO_SPACE);
    assert_state(engine, FLOWDB_HEALTH_MEMORY_FULL, false, "memory is full");
    fault_fs_disarm(&engine->fault);
    engine_assert_ok(fl_engine_step(engine->db, FL_JOB_FLUSH));
    assert_state(engine, FLOWDB_HEALTH_GOOD, true, "");
}

static void what_it_cannot_do_it_refuses(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    flowdb_health health = {.struct_size = sizeof health - 1};
    assert_int_equal(flowdb_get_health(engine->db, &health), FLOWDB_INVALID_ARGUMENT);
    assert_int_equal(flowdb_get_health(NULL, &health), FLOWDB_INVALID_ARGUMENT);
    assert_int_equal(flowdb_get_health(engine->db, NULL), FLOWDB_INVALID_ARGUMENT);
    struct {
        flowdb_health health;
        char beyond[8];
    } larger;
    memset(&larger, 1, sizeof larger);
    larger.health.struct_size = sizeof larger;
    engine_assert_ok(flowdb_get_health(engine->db, &larger.health));
    assert_int_equal(larger.beyond[7], 0);
    for (int s = 0; s <= FLOWDB_HEALTH_OPENED_READ_ONLY; s++)
        assert_string_not_equal(flowdb_health_state_name((flowdb_health_state)s), "unknown");
    assert_string_equal(flowdb_health_state_name((flowdb_health_state)99), "unknown");
}

/* It looks for itself: nobody has to write first. */
static void a_full_disk_is_seen_and_forgotten(void **state) {
    struct engine *engine = *state;
    engine->config.disk_reserve_mb = 4;
    atomic_store(&engine->fault.free_bytes, UINT64_C(100) << 20);
    engine_open(engine);
    assert_state(engine, FLOWDB_HEALTH_GOOD, true, "");
    atomic_store(&engine->fault.free_bytes, (UINT64_C(4) << 20) - 1);
    assert_state(engine, FLOWDB_HEALTH_DISK_FULL, false, "4194303 bytes are free");
    assert_int_equal(put(engine), FLOWDB_NO_SPACE);
    engine_delete(engine, "k", 1);
    flowdb_stats stats = {.struct_size = sizeof stats};
    engine_assert_ok(flowdb_get_stats(engine->db, &stats));
    assert_int_equal(stats.total_space_refusals, 1);
    assert_int_equal(stats.disk_free_bytes, 4194303);
    atomic_store(&engine->fault.free_bytes, UINT64_C(4) << 20);
    assert_state(engine, FLOWDB_HEALTH_GOOD, true, "");
    engine_assert_ok(put(engine));
}

/* One without a reserve, on which no write finds room. */
static void open_on_a_full_disk(struct engine *engine) {
    engine->config.disk_reserve_mb = 0;
    engine_open(engine);
    engine->fault.ops = FAULT_MASK(FAULT_WRITE);
    fault_fs_arm(&engine->fault, 1, true, FAULT_BEFORE, FLOWDB_NO_SPACE);
    assert_int_equal(put(engine), FLOWDB_NO_SPACE);
}

/* Without a reserve the disk tells by the writes that it does not take. */
static void a_write_without_room_is_told_until_one_has_room(void **state) {
    struct engine *engine = *state;
    open_on_a_full_disk(engine);
    assert_state(engine, FLOWDB_HEALTH_DISK_FULL, false, "found no room");
    fault_fs_disarm(&engine->fault);
    engine_assert_ok(put(engine));
    assert_state(engine, FLOWDB_HEALTH_GOOD, true, "");
}

/* Nor does it stay so for want of somebody who writes. */
static void room_that_comes_back_is_seen_without_a_write(void **state) {
    struct engine *engine = *state;
    open_on_a_full_disk(engine);
    fault_fs_disarm(&engine->fault);
    atomic_store(&engine->fault.free_bytes, (UINT64_C(1) << 20) - 1);
    atomic_fetch_add(&engine->clock.monotonic_us, 3600 * INT64_C(1000000));
    assert_state(engine, FLOWDB_HEALTH_DISK_FULL, false, "1048575 bytes are free");
    atomic_store(&engine->fault.free_bytes, UINT64_C(1) << 20);
    assert_state(engine, FLOWDB_HEALTH_GOOD, true, "");
}

/* A quota, and a limit of a file's size, leave the free space as it is. */
static void a_write_without_room_is_believed_against_the_free_space(void **state) {
    struct engine *engine = *state;
    atomic_store(&engine->fault.free_bytes, UINT64_C(100) << 30);
    open_on_a_full_disk(engine);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(put(engine), FLOWDB_NO_SPACE);
        atomic_fetch_add(&engine->clock.monotonic_us, 9999999);
        assert_state(engine, FLOWDB_HEALTH_DISK_FULL, false, "found no room");
    }
    atomic_fetch_add(&engine->clock.monotonic_us, 1);
    assert_state(engine, FLOWDB_HEALTH_GOOD, true, "");
}

/* That the disk does not tell its free space makes nobody ill. */
static void a_silent_file_system_is_no_illness(void **state) {
    struct engine *engine = *state;
    engine->config.disk_reserve_mb = 64;
    engine_open(engine);
    engine->fault.ops = FAULT_MASK(FAULT_FREE_SPACE);
    fault_fs_arm(&engine->fault, 1, true, FAULT_BEFORE, FLOWDB_IO_ERROR);
    assert_state(engine, FLOWDB_HEALTH_GOOD, true, "");
    flowdb_stats stats = {.struct_size = sizeof stats};
    engine_assert_ok(flowdb_get_stats(engine->db, &stats));
    assert_true(stats.disk_free_bytes == UINT64_MAX);
    fault_fs_disarm(&engine->fault);
    engine_assert_ok(flowdb_get_stats(engine->db, &stats));
    assert_true(stats.disk_free_bytes > 0 && stats.disk_free_bytes < UINT64_MAX);
    assert_int_equal(stats.disk_reserve_bytes, UINT64_C(64) << 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(an_open_database_is_in_good_health),
        ENGINE_TEST(one_opened_read_only_says_so),
        ENGINE_TEST(writes_that_were_stopped_say_why),
        ENGINE_TEST(failing_flushes_first_degrade_and_then_fill_memory),
        ENGINE_TEST(what_it_cannot_do_it_refuses),
        ENGINE_TEST(a_full_disk_is_seen_and_forgotten),
        ENGINE_TEST(a_write_without_room_is_told_until_one_has_room),
        ENGINE_TEST(room_that_comes_back_is_seen_without_a_write),
        ENGINE_TEST(a_write_without_room_is_believed_against_the_free_space),
        ENGINE_TEST(a_silent_file_system_is_no_illness),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
