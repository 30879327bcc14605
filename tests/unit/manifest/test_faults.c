/* Manifests whose every call fails in turn. */
#include "manifest_fixture.h"

#include <string.h>

static const flowdb_status statuses[] = {FLOWDB_NO_SPACE, FLOWDB_IO_ERROR};

static size_t files_in(const char *folder) {
    return scratch_find(folder, "MANIFEST-", NULL, NULL);
}

/* ---------------------------------------------------------------------------------- append -- */

/* An edit whose write failed is not there, even where all its bytes were written: what it adds will
   be removed, and the manifest must not list it. */
static void a_failed_write_leaves_the_manifest_as_it_was(void **state) {
    struct fixture *fixture = *state;
    for (int way = 0; way < FAULT_WAYS; way++) {
        for (size_t s = 0; s < 2; s++) {
            manifest_create(fixture, 7 + 2 * (uint64_t)way + s, 2);
            assert_int_equal(manifest_edit(fixture, 2, 1), FLOWDB_OK);
            fixture->fault.ops = FAULT_MASK(FAULT_WRITE);
            fault_fs_arm(&fixture->fault, 1, false, (enum fault_way)way, statuses[s]);
            uint64_t syncs = fixture->fault.counts[FAULT_SYNC];
            assert_int_equal(manifest_edit(fixture, 1, 1), statuses[s]);
            fault_fs_disarm(&fixture->fault);
            /* Taken back durably: a power cut does not bring it back. */
            assert_int_equal(fixture->fault.counts[FAULT_SYNC], syncs + 1);
            assert_true(fl_manifest_wants_successor(fixture->manifest));
            assert_false(fl_manifest_in_doubt(fixture->manifest));
            manifest_check(fixture);
            /* It takes nothing more, and a successor goes on from what was accepted. */
            uint64_t writes = fixture->fault.counts[FAULT_WRITE];
            assert_int_equal(manifest_edit(fixture, 1, 1), FLOWDB_READ_ONLY);
            assert_int_equal(fixture->fault.counts[FAULT_WRITE], writes);
            manifest_check(fixture);
            struct fl_manifest *successor;
            bool in_doubt;
            assert_int_equal(
                fl_manifest_create(&fixture->env, fixture->folder, 100 + 2 * (uint64_t)way + s,
                                   fl_manifest_state(fixture->manifest), &in_doubt, &successor),
                FLOWDB_OK);
            fl_manifest_close(fixture->manifest);
            fixture->manifest = successor;
            manifest_check(fixture);
            assert_int_equal(manifest_edit(fixture, 3, 2), FLOWDB_OK);
            manifest_check(fixture);
            manifest_start_over(fixture);
        }
    }
}

static void an_edit_that_cannot_be_taken_back_leaves_the_manifest_in_doubt(void **state) {
    struct fixture *fixture = *state;
    static const enum fault_op fails_too[] = {FAULT_TRUNCATE, FAULT_SYNC};
    for (size_t i = 0; i < sizeof fails_too / sizeof fails_too[0]; i++) {
        manifest_create(fixture, 7 + i, 2);
        fixture->fault.ops = FAULT_MASK(FAULT_WRITE) | FAULT_MASK(fails_too[i]);
        fault_fs_arm(&fixture->fault, 1, true, FAULT_AFTER, FLOWDB_NO_SPACE);
        assert_int_equal(manifest_edit(fixture, 1, 1), FLOWDB_NO_SPACE);
        fault_fs_disarm(&fixture->fault);
        assert_true(fl_manifest_in_doubt(fixture->manifest));
        assert_false(fl_manifest_wants_successor(fixture->manifest));
        assert_int_equal(manifest_edit(fixture, 1, 1), FLOWDB_READ_ONLY);
        manifest_start_over(fixture);
    }
}

static void a_failed_sync_leaves_the_manifest_in_doubt(void **state) {
    struct fixture *fixture = *state;
    for (int way = 0; way < FAULT_WAYS; way++) {
        manifest_create(fixture, 7 + (uint64_t)way, 2);
        fixture->fault.ops = FAULT_MASK(FAULT_SYNC);
        fault_fs_arm(&fixture->fault, 1, false, (enum fault_way)way, FLOWDB_IO_ERROR);
        assert_int_equal(manifest_edit(fixture, 1, 1), FLOWDB_IO_ERROR);
        fault_fs_disarm(&fixture->fault);
        assert_true(fl_manifest_in_doubt(fixture->manifest));
        assert_false(fl_manifest_wants_successor(fixture->manifest));
        uint64_t syncs = fixture->fault.counts[FAULT_SYNC];
        assert_int_equal(manifest_edit(fixture, 1, 1), FLOWDB_READ_ONLY);
        assert_int_equal(fixture->fault.counts[FAULT_SYNC], syncs);
        manifest_start_over(fixture);
    }
}

static void an_edit_without_memory_changes_nothing(void **state) {
    struct fixture *fixture = *state;
    manifest_create(fixture, 7, 2);
    for (int round = 0; round < 6; round++) {
        flowdb_status status = FLOWDB_NO_MEMORY;
        for (uint64_t nth = 1; status != FLOWDB_OK; nth++) {
            int64_t live = fixture->failing.live;
            fixture->failing.fail_at = nth;
            status = manifest_edit(fixture, 20, 2);
            bool struck = fixture->append_calls >= nth;
            assert_int_equal(status, struck ? FLOWDB_NO_MEMORY : FLOWDB_OK);
            if (status != FLOWDB_OK)
                assert_int_equal(fixture->failing.live, live);
            assert_false(fl_manifest_wants_successor(fixture->manifest));
            manifest_check(fixture);
        }
    }
}

/* ---------------------------------------------------------------------------------- create -- */

/* Fails the Nth call while a second manifest is written, for every N. */
static void replace_through_failures(struct fixture *fixture, enum fault_way way,
                                     flowdb_status injected) {
    struct fl_manifest_state next = manifest_make_state(fixture, 4, 1);
    uint64_t id = 8;
    bool struck = true;
    for (uint64_t nth = 1; struck; nth++, id++) {
        struct fl_manifest *fresh = NULL;
        bool in_doubt = false;
        size_t files = files_in(fixture->folder);
        fault_fs_arm(&fixture->fault, nth, false, way, injected);
        flowdb_status status =
            fl_manifest_create(&fixture->env, fixture->folder, id, &next, &in_doubt, &fresh);
        struck = fixture->fault.failures > 0;
        enum fault_op failed_op = fixture->fault.failed_op;
        fault_fs_disarm(&fixture->fault);
        assert_int_equal(status, struck ? injected : FLOWDB_OK);
        assert_int_equal(fresh != NULL, !struck);
        fl_manifest_close(fresh);

        struct fl_manifest_state read;
        uint64_t named = 0;
        fl_manifest_state_init(&read, fixture->env.alloc);
        assert_int_equal(fl_manifest_load(&fixture->env, fixture->folder, &read, &named),
                         FLOWDB_OK);
        /* The old one, unless there is doubt; the new one, if it worked. */
        if (!struck)
            assert_true(named == id && !in_doubt);
        else if (!in_doubt)
            assert_true(named == 7);
        assert_true(named == 7 || named == id);
        assert_state(&read, named == 7 ? &fixture->states[0] : &next);
        fl_manifest_state_deinit(&read);
        /* What nobody names does not pile up. */
        if (struck && !in_doubt && !(way == FAULT_AFTER && failed_op == FAULT_CREATE))
            assert_int_equal(files_in(fixture->folder), files);
        if (named != 7) {
            /* As it was, for the next failure. */
            struct fl_manifest *old;
            assert_int_equal(
                fl_fs_remove(fl_fs_posix(), scratch_in(fixture->folder, "MANIFEST-000007")),
                FLOWDB_OK);
            assert_int_equal(fl_manifest_create(&fixture->env, fixture->folder, 7,
                                                &fixture->states[0], &in_doubt, &old),
                             FLOWDB_OK);
            fl_manifest_close(old);
        }
        assert_true(nth < 50);
    }
    fl_manifest_state_deinit(&next);
}

static void a_manifest_replaces_another_whole_or_not_at_all(void **state) {
    struct fixture *fixture = *state;
    for (int way = 0; way < FAULT_WAYS; way++) {
        for (size_t s = 0; s < 2; s++) {
            scratch_remove(fixture->folder);
            assert_int_equal(fl_fs_create_dir(fl_fs_posix(), fixture->folder), FLOWDB_OK);
            manifest_create(fixture, 7, 2);
            manifest_close(fixture);
            replace_through_failures(fixture, (enum fault_way)way, statuses[s]);
            manifest_start_over(fixture);
        }
    }
}

static void a_first_manifest_that_cannot_be_made_leaves_nothing_or_doubt(void **state) {
    struct fixture *fixture = *state;
    struct fl_manifest_state first = manifest_make_state(fixture, 2, 0);
    bool struck = true;
    for (uint64_t nth = 1; struck; nth++) {
        struct fl_manifest *made = NULL;
        bool in_doubt = true;
        scratch_remove(fixture->folder);
        assert_int_equal(fl_fs_create_dir(fl_fs_posix(), fixture->folder), FLOWDB_OK);
        fault_fs_arm(&fixture->fault, nth, true, FAULT_BEFORE, FLOWDB_IO_ERROR);
        flowdb_status status =
            fl_manifest_create(&fixture->env, fixture->folder, 7, &first, &in_doubt, &made);
        struck = fixture->fault.failures > 0;
        fault_fs_disarm(&fixture->fault);
        assert_int_equal(status == FLOWDB_OK, !struck);
        size_t which;
        if (struck && !in_doubt)
            assert_int_equal(manifest_read(fixture, fixture->folder, &which), FLOWDB_NOT_FOUND);
        fl_manifest_close(made);
    }
    fl_manifest_state_deinit(&first);
}

static void a_manifest_without_memory_is_not_made_and_nothing_leaks(void **state) {
    struct fixture *fixture = *state;
    manifest_create(fixture, 7, 2);
    manifest_close(fixture);
    struct fl_manifest_state next = manifest_make_state(fixture, 4, 1);
    flowdb_status status = FLOWDB_NO_MEMORY;
    for (uint64_t nth = 1; status != FLOWDB_OK; nth++) {
        struct fl_manifest *fresh = NULL;
        bool in_doubt = true;
        int64_t live = fixture->failing.live;
        fixture->failing.calls = 0;
        fixture->failing.fail_at = nth;
        status =
            fl_manifest_create(&fixture->env, fixture->folder, 7 + nth, &next, &in_doubt, &fresh);
        fixture->failing.fail_at = 0;
        assert_true(status == FLOWDB_OK || status == FLOWDB_NO_MEMORY);
        assert_false(in_doubt);
        fl_manifest_close(fresh);
        assert_int_equal(fixture->failing.live, live);
        if (status != FLOWDB_OK)
            manifest_check(fixture);
    }
    fl_manifest_state_deinit(&next);
}

/* ------------------------------------------------------------------------------------ load -- */

static void a_manifest_that_cannot_be_read_is_an_error_and_not_absent(void **state) {
    struct fixture *fixture = *state;
    manifest_create(fixture, 7, 2);
    assert_int_equal(manifest_edit(fixture, 10, 1), FLOWDB_OK);
    size_t which;
    flowdb_status status = FLOWDB_IO_ERROR;
    for (uint64_t nth = 1; status != FLOWDB_OK; nth++) {
        fault_fs_arm(&fixture->fault, nth, false, FAULT_BEFORE, FLOWDB_IO_ERROR);
        status = manifest_read(fixture, fixture->folder, &which);
        assert_int_equal(status, fixture->fault.failures > 0 ? FLOWDB_IO_ERROR : FLOWDB_OK);
        fault_fs_disarm(&fixture->fault);
    }
    status = FLOWDB_NO_MEMORY;
    for (uint64_t nth = 1; status != FLOWDB_OK; nth++) {
        fixture->failing.calls = 0;
        fixture->failing.fail_at = nth;
        status = manifest_read(fixture, fixture->folder, &which);
        bool struck = fixture->failing.calls >= nth;
        fixture->failing.fail_at = 0;
        assert_int_equal(status, struck ? FLOWDB_NO_MEMORY : FLOWDB_OK);
    }
    assert_int_equal(which, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        MANIFEST_TEST(a_failed_write_leaves_the_manifest_as_it_was),
        MANIFEST_TEST(an_edit_that_cannot_be_taken_back_leaves_the_manifest_in_doubt),
        MANIFEST_TEST(a_failed_sync_leaves_the_manifest_in_doubt),
        MANIFEST_TEST(an_edit_without_memory_changes_nothing),
        MANIFEST_TEST(a_manifest_replaces_another_whole_or_not_at_all),
        MANIFEST_TEST(a_first_manifest_that_cannot_be_made_leaves_nothing_or_doubt),
        MANIFEST_TEST(a_manifest_without_memory_is_not_made_and_nothing_leaks),
        MANIFEST_TEST(a_manifest_that_cannot_be_read_is_an_error_and_not_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
