/*
 * The manifest in tests/format/manifest: CURRENT, and MANIFEST-000007 with a snapshot, a flush, a
 * compaction that carries a field of some later version, and a torn edit.
 *
 *     unit_manifest_golden --write FOLDER     makes them
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/coding.h"
#include "base/hash.h"
#include "manifest/edit.h"
#include "manifest/manifest.h"
#include "support/golden.h"

static const struct fl_table_meta tables[] = {
    {.id = 2, .file_size = 4096}, {.id = 5, .file_size = 123456789}, {.id = 9, .file_size = 777}};

/* ---- writing it */

static struct fl_env system_env(void) {
    return (struct fl_env){
        .alloc = fl_alloc_system(), .clock = fl_clock_system(), .fs = fl_fs_posix()};
}

/* The field with tag 64 goes behind the last edit's others. */
static void add_field(const char *path, size_t edit) {
    static const uint8_t field[] = {0x40, 0x05, 'l', 'a', 't', 'e', 'r'};
    size_t size;
    uint8_t *bytes = scratch_read(path, &size);
    bytes = realloc(bytes, size + sizeof field);
    assert_non_null(bytes);
    memcpy(bytes + size, field, sizeof field);
    uint8_t *frame = bytes + edit;
    fl_put_u32(frame + 16, (uint32_t)(fl_get_u32(frame + 16) + sizeof field));
    size_t summed = size + sizeof field - edit - 8;
    fl_put_u64(frame, fl_checksum(frame + 8, summed, 7, edit));
    scratch_write(path, bytes, size + sizeof field);
    free(bytes);
}

/* Half of an edit, as a crash in the middle of the write would leave it. */
static void add_torn_edit(const char *path) {
    struct fl_buffer edit;
    fl_buffer_init(&edit, fl_alloc_system());
    struct fl_manifest_edit lost = {.next_id = 99, .last_seq = 999, .log = 98};
    size_t size;
    uint8_t *bytes = scratch_read(path, &size);
    assert_int_equal(fl_edit_encode(&edit, 7, size, &lost), FLOWDB_OK);
    bytes = realloc(bytes, size + edit.size / 2);
    assert_non_null(bytes);
    memcpy(bytes + size, edit.data, edit.size / 2);
    scratch_write(path, bytes, size + edit.size / 2);
    free(bytes);
    fl_buffer_deinit(&edit);
}

static void write_manifest(const char *folder) {
    struct fl_env env = system_env();
    struct fl_manifest_state state;
    fl_manifest_state_init(&state, env.alloc);
    state.next_id = 8;
    state.last_seq = 300;
    state.log = 6;
    state.latest_time_us = -1;
    struct fl_table_meta first[2] = {tables[0], tables[1]};
    state.tables = first;
    state.table_count = 2;
    struct fl_manifest *manifest;
    bool in_doubt;
    assert_int_equal(fl_manifest_create(&env, folder, 7, &state, &in_doubt, &manifest), FLOWDB_OK);
    struct fl_manifest_edit flush = {.added = &tables[2],
                                     .added_count = 1,
                                     .next_id = 10,
                                     .last_seq = 400,
                                     .log = 8,
                                     .latest_time_us = 1700000000000000};
    assert_int_equal(fl_manifest_append(manifest, &flush), FLOWDB_OK);
    const char *path = scratch_in(folder, "MANIFEST-000007");
    size_t before;
    free(scratch_read(path, &before));
    struct fl_table_meta merged = {.id = 11, .file_size = 5000000000};
    uint64_t removed[2] = {2, 9};
    struct fl_manifest_edit compaction = {.added = &merged,
                                          .added_count = 1,
                                          .removed = removed,
                                          .removed_count = 2,
                                          .next_id = 12,
                                          .last_seq = 400,
                                          .log = 8,
                                          .latest_time_us = 1700000000000001};
    assert_int_equal(fl_manifest_append(manifest, &compaction), FLOWDB_OK);
    fl_manifest_close(manifest);
    add_field(path, before);
    add_torn_edit(path);
}

/* ---- reading it */

static void a_golden_manifest_is_read_as_it_was_written(void **state) {
    (void)state;
    struct fl_env env = system_env();
    struct fl_manifest_state read;
    uint64_t id = 0;
    fl_manifest_state_init(&read, env.alloc);
    assert_int_equal(fl_manifest_load(&env, golden_path("manifest"), &read, &id), FLOWDB_OK);
    assert_true(id == 7 && read.next_id == 12 && read.last_seq == 400 && read.log == 8);
    assert_true(read.latest_time_us == 1700000000000001);
    assert_int_equal(read.table_count, 2);
    assert_true(read.tables[0].id == 5 && read.tables[0].file_size == 123456789);
    assert_true(read.tables[1].id == 11 && read.tables[1].file_size == 5000000000);
    fl_manifest_state_deinit(&read);
}

static void what_is_written_today_is_what_was_written_then(void **state) {
    (void)state;
    char folder[SCRATCH_PATH];
    scratch_create(folder);
    write_manifest(folder);
    golden_assert_same(scratch_in(folder, "MANIFEST-000007"), "manifest/MANIFEST-000007");
    golden_assert_same(scratch_in(folder, "CURRENT"), "manifest/CURRENT");
    scratch_remove(folder);
}

int main(int count, char **arguments) {
    if (count == 3 && strcmp(arguments[1], "--write") == 0) {
        write_manifest(arguments[2]);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_golden_manifest_is_read_as_it_was_written),
        cmocka_unit_test(what_is_written_today_is_what_was_written_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
