/* What the random tests of this folder found once, as it happened, step by step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "life.h"

static int set_up(void **state) {
    static struct life life;
    struct seeded random = {1};
    flowdb_config config = life_choose_config(&random);
    config.wal_sync = FLOWDB_SYNC_ALWAYS;
    config.default_ttl_secs = 0;
    life_init(&life, &config);
    *state = &life;
    return 0;
}

static int tear_down(void **state) {
    life_deinit(*state);
    return 0;
}

static void ok(flowdb_status status) {
    if (status != FLOWDB_OK)
        fail_msg("%s: %s", flowdb_status_name(status), flowdb_last_error());
}

static void run(struct life *life, enum life_call_kind kind) {
    struct life_call call = {.kind = kind};
    ok(life_run(life, &call));
}

static void put(struct life *life, int64_t expire_at) {
    struct life_call call = {.kind = LIFE_WRITE, .count = 1};
    call.entries[0] = (struct oracle_entry){
        .kind = ORACLE_PUT, .value = oracle_value(1, ORACLE_SMALL), .expire_at = expire_at};
    ok(life_run(life, &call));
}

static void assert_right(struct life *life) {
    struct seeded random = {1};
    assert_true(life_check_now(life, &random));
}

/* A jump by thirty hours, and the compaction removed what would expire within the first day of them.
   The next open saw that the clock had been wrong, and the record was gone. */
static void what_only_a_clock_jump_made_expired_is_not_removed(void **state) {
    struct life *life = *state;
    for (int i = 0; i < 2; i++) {
        ok(life_open(life));
        put(life, ORACLE_NOW + 20 * ORACLE_HOUR);
        run(life, LIFE_FLUSH);
        atomic_fetch_add(&life->clock.wall_us, 30 * ORACLE_HOUR);
        run(life, i == 0 ? LIFE_COMPACT_ALL : LIFE_GC);
        assert_right(life);
        atomic_fetch_sub(&life->clock.wall_us, 30 * ORACLE_HOUR);
        run(life, LIFE_REOPEN);
        assert_right(life);
        flowdb_result found = {0};
        ok(flowdb_get(life->db, oracle_key(0), oracle_time(0), &found));
        flowdb_result_free(&found);
        life_kill(life);
    }
}

/* A process died right after it had created the directory; the next found it there and left its
   entry to chance, with all that it wrote. */
static void a_directory_that_a_dead_process_made_is_made_durable(void **state) {
    struct life *life = *state, after;
    struct sim_fs left;
    struct seeded random = {1};
    ok(fl_fs_create_dir(&life->sim.fs, "/db"));
    ok(life_open(life));
    put(life, FLOWDB_NEVER);
    sim_fs_crash(&life->sim, SIM_DROP, &random, &left);
    life_follow(&after, life, &left, 1, 1);
    ok(life_open(&after));
    assert_right(&after);
    life_deinit(&after);
}

/* The same with the directory of a checkpoint. */
static void a_checkpoint_in_such_a_directory_is_durable_too(void **state) {
    struct life *life = *state;
    struct sim_fs left;
    struct seeded random = {1};
    ok(life_open(life));
    put(life, FLOWDB_NEVER);
    ok(fl_fs_create_dir(&life->sim.fs, "/db/checkpoints"));
    run(life, LIFE_CHECKPOINT);
    sim_fs_crash(&life->sim, SIM_DROP, &random, &left);
    assert_true(life_check_checkpoint(life, &left));
    sim_fs_deinit(&left);
}

int main(void) {
#define FOUND_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FOUND_TEST(what_only_a_clock_jump_made_expired_is_not_removed),
        FOUND_TEST(a_directory_that_a_dead_process_made_is_made_durable),
        FOUND_TEST(a_checkpoint_in_such_a_directory_is_durable_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
