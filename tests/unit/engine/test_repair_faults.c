/* flowdb_verify and flowdb_repair while file operations and allocations fail, and killed midway. */
#include "damaged.h"

#include <stdlib.h>
#include <string.h>

#include "fault_runs.h"

/* What is wrong with the directory that is to be repaired: each takes another way through it. */
static void hurt_table(struct damaged *damaged) {
    struct damaged_file *file = &damaged->files[IN_NEW_TABLE];
    damaged_restore(damaged);
    file->bytes[file->size / 3] ^= 1;
    scratch_write(file->path, file->bytes, file->size);
    file->bytes[file->size / 3] ^= 1;
}

static void hurt_log(struct damaged *damaged) {
    struct damaged_file *file = &damaged->files[IN_OLD_LOG];
    damaged_restore(damaged);
    file->bytes[file->size / 2] ^= 1;
    scratch_write(file->path, file->bytes, file->size);
    file->bytes[file->size / 2] ^= 1;
}

static void lose_current(struct damaged *damaged) {
    damaged_restore(damaged);
    engine_assert_ok(fl_fs_remove(fl_fs_posix(), damaged->files[5].path));
}

static const struct {
    const char *name;
    void (*hurt)(struct damaged *damaged);
    size_t file;
} hurts[] = {{"a damaged table", hurt_table, IN_NEW_TABLE},
             {"a damaged log", hurt_log, IN_OLD_LOG},
             {"no CURRENT", lose_current, 5}};
enum { HURTS = sizeof hurts / sizeof hurts[0] };

/* Where blocks could not be read any table may have been hurt. */
static struct damaged_file all_hurt(void) {
    return (struct damaged_file){.holds = {true, true, true, true}};
}

static bool verify_with_fault(struct damaged *damaged, const struct fault *fault, uint64_t nth) {
    struct engine *engine = damaged->engine;
    struct told told = {0};
    uint64_t before = scratch_fingerprint(engine->copy);
    fault_fs_arm(&engine->fault, nth, fault->persistent, fault->way, fault->status);
    flowdb_status status = verify_copy(engine, &told);
    bool struck = engine->fault.failures > 0;
    fault_fs_disarm(&engine->fault);
    if (status != FLOWDB_OK && status != FLOWDB_CORRUPTION && status != fault->status)
        fail_msg("fault %d at call %llu: %s", (int)(fault - faults), (unsigned long long)nth,
                 flowdb_last_error());
    assert_true(status == FLOWDB_OK || struck);
    assert_true((status == FLOWDB_CORRUPTION) == (told.lines > 0 && status != fault->status));
    assert_true(scratch_fingerprint(engine->copy) == before);
    assert_int_equal(engine->failing.live, 0);
    assert_int_equal(engine->fault.open_files, 0);
    return struck;
}

static void a_verify_that_fails_at_any_file_operation_says_so_and_changes_nothing(void **state) {
    struct engine *engine = *state;
    struct damaged *damaged = damaged_make(engine);
    damaged_restore(damaged);
    for (size_t f = 0; f < FAULTS; f++) {
        uint64_t nth = 1;
        while (verify_with_fault(damaged, &faults[f], nth))
            nth++;
        assert_true(nth > 20);
    }
    damaged_free(damaged);
}

static bool repair_with_fault(struct damaged *damaged, size_t h, const struct fault *fault,
                              uint64_t nth) {
    struct engine *engine = damaged->engine;
    struct told told = {0};
    char what[160];
    hurts[h].hurt(damaged);
    fault_fs_arm(&engine->fault, nth, fault->persistent, fault->way, fault->status);
    flowdb_status status = repair_copy(engine, &told);
    bool struck = engine->fault.failures > 0;
    snprintf(what, sizeof what, "%s, fault %d at call %llu (%s), returned %s", hurts[h].name,
             (int)(fault - faults), (unsigned long long)nth,
             struck ? fault_op_name(engine->fault.failed_op) : "none", flowdb_status_name(status));
    bool unread =
        struck && engine->fault.failed_op == FAULT_READ && fault->status == FLOWDB_IO_ERROR;
    fault_fs_disarm(&engine->fault);
    assert_int_equal(engine->failing.live, 0);
    assert_int_equal(engine->fault.open_files, 0);
    if (status != FLOWDB_OK && (!struck || (status != fault->status && status != FLOWDB_IO_ERROR)))
        fail_msg("%s: %s", what, flowdb_last_error());
    /* Whatever became of it, it can be done again. */
    if (status != FLOWDB_OK && repair_copy(engine, &told) != FLOWDB_OK)
        fail_msg("%s: and then: %s", what, flowdb_last_error());
    struct damaged_file all = all_hurt();
    damaged_assert_salvaged(damaged, unread ? &all : &damaged->files[hurts[h].file], SIZE_MAX,
                            what);
    return struck;
}

static void a_repair_that_fails_at_any_file_operation_can_be_made_again(void **state) {
    struct engine *engine = *state;
    struct damaged *damaged = damaged_make(engine);
    for (size_t h = 0; h < HURTS; h++) {
        for (size_t f = 0; f < FAULTS; f++) {
            uint64_t nth = 1;
            while (repair_with_fault(damaged, h, &faults[f], nth))
                nth++;
            assert_true(nth > 40);
        }
    }
    damaged_free(damaged);
}

static void without_memory_verify_and_repair_say_so_and_change_nothing(void **state) {
    struct engine *engine = *state;
    struct damaged *damaged = damaged_make(engine);
    for (size_t h = 0; h < HURTS; h++) {
        struct told told = {0};
        hurts[h].hurt(damaged);
        scratch_write(scratch_in(engine->copy, "LOCK"), "", 0);
        uint64_t before = scratch_fingerprint(engine->copy);
        for (int repair = 0; repair < 2; repair++) {
            flowdb_status status = FLOWDB_NO_MEMORY;
            for (uint64_t nth = 1; status == FLOWDB_NO_MEMORY; nth++) {
                engine->failing.calls = 0;
                engine->failing.persistent = nth % 2 == 0;
                engine->failing.fail_at = nth;
                status = repair ? repair_copy(engine, &told) : verify_copy(engine, &told);
                engine->failing.fail_at = 0;
                assert_int_equal(engine->failing.live, 0);
                if (status == FLOWDB_NO_MEMORY)
                    assert_true(scratch_fingerprint(engine->copy) == before);
            }
            assert_int_equal(status, repair ? FLOWDB_OK : FLOWDB_CORRUPTION);
        }
        damaged_assert_salvaged(damaged, &damaged->files[hurts[h].file], SIZE_MAX, "no memory");
    }
    damaged_free(damaged);
}

/* ---- killed */

struct kill_at {
    struct engine *engine;
    unsigned at;
    bool taken;
};

static void copy_then(void *context, enum fault_op op, const char *path) {
    struct kill_at *kill = context;
    (void)op;
    (void)path;
    if (kill->at-- == 0) {
        kill->taken = true;
        scratch_copy(kill->engine->copy, scratch_in(kill->engine->folder, "killed"));
    }
}

static void a_repair_killed_at_any_file_operation_leaves_what_can_be_repaired(void **state) {
    struct engine *engine = *state;
    struct damaged *damaged = damaged_make(engine);
    for (size_t h = 0; h < HURTS; h++) {
        struct kill_at kill = {.engine = engine, .taken = true};
        for (unsigned at = 0; kill.taken; at++) {
            struct told told = {0};
            char what[96];
            snprintf(what, sizeof what, "%s, killed at operation %u", hurts[h].name, at);
            hurts[h].hurt(damaged);
            kill.taken = false;
            kill.at = at;
            engine->fault.hook = copy_then;
            engine->fault.hook_context = &kill;
            engine_assert_ok(repair_copy(engine, &told));
            engine->fault.hook = NULL;
            if (!kill.taken)
                break;
            scratch_copy(scratch_in(engine->folder, "killed"), engine->copy);
            engine_assert_ok(repair_copy(engine, &told));
            damaged_assert_salvaged(damaged, &damaged->files[hurts[h].file], SIZE_MAX, what);
        }
    }
    damaged_free(damaged);
}

/* ---- who else is there */

static void an_open_directory_is_locked_and_one_without_a_database_not_found(void **state) {
    struct engine *engine = *state;
    struct told told = {0};
    snprintf(engine->copy, sizeof engine->copy, "%s", engine->data);
    assert_int_equal(verify_copy(engine, &told), FLOWDB_NOT_FOUND);
    assert_int_equal(repair_copy(engine, &told), FLOWDB_NOT_FOUND);
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    assert_int_equal(verify_copy(engine, &told), FLOWDB_LOCKED);
    assert_int_equal(repair_copy(engine, &told), FLOWDB_LOCKED);
    engine_close(engine);
    engine_assert_ok(verify_copy(engine, &told));
    engine_assert_ok(repair_copy(engine, &told));
    assert_int_equal(told.lines, 0);
    scratch_remove(engine->data);
    engine_assert_ok(fl_fs_create_dir(fl_fs_posix(), engine->data));
    assert_int_equal(verify_copy(engine, &told), FLOWDB_NOT_FOUND);
    assert_int_equal(flowdb_verify("", NULL, NULL), FLOWDB_INVALID_ARGUMENT);
    assert_int_equal(flowdb_repair(NULL, NULL, NULL), FLOWDB_INVALID_ARGUMENT);
}

static void what_was_kept_before_is_not_replaced(void **state) {
    struct engine *engine = *state;
    struct damaged *damaged = damaged_make(engine);
    struct told told = {0};
    hurt_table(damaged);
    const char *name = strrchr(damaged->files[IN_NEW_TABLE].name, '/') + 1;
    char first[SCRATCH_PATH + 64], second[SCRATCH_PATH + 64];
    snprintf(first, sizeof first, "%s/lost/%s", engine->copy, name);
    snprintf(second, sizeof second, "%s/lost/%s.1", engine->copy, name);
    engine_assert_ok(fl_fs_create_dir(fl_fs_posix(), scratch_in(engine->copy, "lost")));
    scratch_write(first, "from before", 11);
    engine_assert_ok(repair_copy(engine, &told));
    size_t size;
    uint8_t *kept = scratch_read(first, &size);
    assert_int_equal(size, 11);
    free(kept);
    kept = scratch_read(second, &size);
    assert_int_equal(size, damaged->files[IN_NEW_TABLE].size);
    free(kept);
    damaged_free(damaged);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(a_verify_that_fails_at_any_file_operation_says_so_and_changes_nothing),
        ENGINE_TEST(a_repair_that_fails_at_any_file_operation_can_be_made_again),
        ENGINE_TEST(without_memory_verify_and_repair_say_so_and_change_nothing),
        ENGINE_TEST(a_repair_killed_at_any_file_operation_leaves_what_can_be_repaired),
        ENGINE_TEST(an_open_directory_is_locked_and_one_without_a_database_not_found),
        ENGINE_TEST(what_was_kept_before_is_not_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
