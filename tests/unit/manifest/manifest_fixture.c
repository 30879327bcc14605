#include "manifest_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

int manifest_set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    scratch_create(fixture->folder);
    failing_alloc_init(&fixture->failing);
    fault_fs_init(&fixture->fault);
    fixture->env = (struct fl_env){
        .alloc = &fixture->failing.alloc, .clock = fl_clock_system(), .fs = &fixture->fault.fs};
    *state = fixture;
    return 0;
}

int manifest_tear_down(void **state) {
    struct fixture *fixture = *state;
    manifest_start_over(fixture);
    scratch_remove(fixture->folder);
    bool leaked = fixture->failing.live != 0 || fixture->fault.open_files != 0;
    if (leaked)
        print_error("%lld allocations and %lld files leaked\n", (long long)fixture->failing.live,
                    (long long)fixture->fault.open_files);
    fault_fs_deinit(&fixture->fault);
    free(fixture);
    return leaked ? -1 : 0;
}

struct fl_manifest_state manifest_make_state(struct fixture *fixture, size_t tables,
                                             uint64_t salt) {
    struct fl_manifest_state state;
    fl_manifest_state_init(&state, fixture->env.alloc);
    state.next_id = 1000 + salt;
    state.last_seq = UINT64_C(0x123456789A) * (salt + 1);
    state.log = salt % 3 == 2 ? 0 : 500 + salt;
    state.latest_time_us = salt % 4 == 3 ? INT64_MIN : 1700000000000000 + (int64_t)salt * 1000000;
    if (tables > 0) {
        state.tables = fl_allocate(fixture->env.alloc, tables * sizeof *state.tables);
        assert_non_null(state.tables);
    }
    state.table_capacity = tables;
    for (; state.table_count < tables; state.table_count++)
        state.tables[state.table_count] = (struct fl_table_meta){
            .id = 100 + state.table_count, .file_size = (salt + 3) * 1000003 * state.table_count};
    return state;
}

static void remember(struct fixture *fixture) {
    assert_true(fixture->state_count < STATES_MAX);
    assert_int_equal(fl_manifest_state_copy(fl_manifest_state(fixture->manifest),
                                            &fixture->states[fixture->state_count++]),
                     FLOWDB_OK);
}

void manifest_create(struct fixture *fixture, uint64_t id, size_t tables) {
    struct fl_manifest_state state = manifest_make_state(fixture, tables, 0);
    bool in_doubt = true;
    if (fl_manifest_create(&fixture->env, fixture->folder, id, &state, &in_doubt,
                           &fixture->manifest) != FLOWDB_OK)
        fail_msg("%s", flowdb_last_error());
    assert_false(in_doubt);
    assert_true(fl_manifest_id(fixture->manifest) == id);
    assert_state(fl_manifest_state(fixture->manifest), &state);
    fl_manifest_state_deinit(&state);
    remember(fixture);
}

void manifest_close(struct fixture *fixture) {
    fl_manifest_close(fixture->manifest);
    fixture->manifest = NULL;
}

void manifest_start_over(struct fixture *fixture) {
    manifest_close(fixture);
    while (fixture->state_count > 0)
        fl_manifest_state_deinit(&fixture->states[--fixture->state_count]);
}

flowdb_status manifest_edit(struct fixture *fixture, size_t added, size_t removed) {
    const struct fl_manifest_state *now = fl_manifest_state(fixture->manifest);
    uint64_t salt = now->next_id - 1000 + 1;
    struct fl_manifest_state numbers = manifest_make_state(fixture, 0, salt);
    struct fl_table_meta fresh[32];
    uint64_t gone[32];
    assert_true(added <= 32 && removed <= 32 && removed <= now->table_count);
    for (size_t i = 0; i < added; i++)
        fresh[i] = (struct fl_table_meta){.id = 10000 + salt * 100 + i, .file_size = salt * 12345};
    for (size_t i = 0; i < removed; i++)
        gone[i] = now->tables[i].id;
    struct fl_manifest_edit edit = {.added = fresh,
                                    .added_count = added,
                                    .removed = gone,
                                    .removed_count = removed,
                                    .next_id = numbers.next_id,
                                    .last_seq = numbers.last_seq,
                                    .log = numbers.log,
                                    .latest_time_us = numbers.latest_time_us};
    struct fl_manifest_state before;
    uint64_t fail_at = fixture->failing.fail_at;
    fixture->failing.fail_at = 0; /* none of the fixture's own */
    assert_int_equal(fl_manifest_state_copy(now, &before), FLOWDB_OK);
    fixture->failing.calls = 0;
    fixture->failing.fail_at = fail_at;
    flowdb_status status = fl_manifest_append(fixture->manifest, &edit);
    fixture->failing.fail_at = 0;
    fixture->append_calls = fixture->failing.calls;
    if (status == FLOWDB_OK) {
        assert_int_equal(now->table_count, before.table_count + added - removed);
        assert_true(now->next_id == edit.next_id && now->log == edit.log);
        remember(fixture);
    } else {
        assert_state(now, &before);
    }
    fl_manifest_state_deinit(&before);
    return status;
}

static bool same_state(const struct fl_manifest_state *a, const struct fl_manifest_state *b) {
    if (a->next_id != b->next_id || a->last_seq != b->last_seq || a->log != b->log ||
        a->latest_time_us != b->latest_time_us || a->table_count != b->table_count)
        return false;
    for (size_t i = 0; i < a->table_count; i++) {
        if (a->tables[i].id != b->tables[i].id || a->tables[i].file_size != b->tables[i].file_size)
            return false;
    }
    return true;
}

void assert_state(const struct fl_manifest_state *state, const struct fl_manifest_state *expected) {
    assert_true(same_state(state, expected));
}

flowdb_status manifest_read(struct fixture *fixture, const char *folder, size_t *which) {
    struct fl_manifest_state state;
    uint64_t id = 0;
    fl_manifest_state_init(&state, fixture->env.alloc);
    flowdb_status status = fl_manifest_load(&fixture->env, folder, &state, &id);
    if (status == FLOWDB_OK) {
        *which = 0;
        while (*which < fixture->state_count && !same_state(&state, &fixture->states[*which]))
            ++*which;
        assert_true(*which < fixture->state_count);
        assert_true(id > 0);
    } else {
        assert_true(id == 0);
    }
    fl_manifest_state_deinit(&state);
    return status;
}

void manifest_check(struct fixture *fixture) {
    size_t which;
    if (manifest_read(fixture, fixture->folder, &which) != FLOWDB_OK)
        fail_msg("%s", flowdb_last_error());
    assert_int_equal(which, fixture->state_count - 1);
}
