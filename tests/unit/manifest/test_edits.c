/* Manifests written and read back. */
#include "manifest_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/coding.h"
#include "base/hash.h"
#include "manifest/edit.h"

static void a_state_comes_back_as_it_was_created(void **state) {
    struct fixture *fixture = *state;
    static const size_t tables[] = {0, 1, 2, 31, 1000};
    for (uint64_t i = 0; i < 5; i++) {
        manifest_create(fixture, 7 + i, tables[i]);
        manifest_check(fixture);
        manifest_start_over(fixture);
    }
}

static void every_edit_comes_back(void **state) {
    struct fixture *fixture = *state;
    struct seeded seeded = seeded_begin("manifest edits");
    manifest_create(fixture, 7, 3);
    for (int i = 0; i < 50; i++) {
        size_t tables = fl_manifest_state(fixture->manifest)->table_count;
        size_t removed = seeded_below(&seeded, (uint32_t)(tables < 20 ? tables : 20) + 1);
        assert_int_equal(manifest_edit(fixture, seeded_below(&seeded, 12), removed), FLOWDB_OK);
        manifest_check(fixture);
    }
}

static void numbers_of_every_size_come_back(void **state) {
    struct fixture *fixture = *state;
    manifest_create(fixture, UINT64_C(999999999999), 0);
    struct fl_table_meta table = {.id = UINT64_MAX, .file_size = UINT64_MAX};
    struct fl_manifest_edit edit = {.added = &table,
                                    .added_count = 1,
                                    .next_id = UINT64_MAX,
                                    .last_seq = UINT64_MAX,
                                    .log = UINT64_MAX,
                                    .latest_time_us = INT64_MAX};
    assert_int_equal(fl_manifest_append(fixture->manifest, &edit), FLOWDB_OK);
    struct fl_manifest_state read;
    uint64_t id;
    fl_manifest_state_init(&read, fixture->env.alloc);
    assert_int_equal(fl_manifest_load(&fixture->env, fixture->folder, &read, &id), FLOWDB_OK);
    assert_true(id == UINT64_C(999999999999));
    assert_state(&read, fl_manifest_state(fixture->manifest));
    fl_manifest_state_deinit(&read);
}

static void a_new_manifest_takes_the_old_ones_place(void **state) {
    struct fixture *fixture = *state;
    manifest_create(fixture, 7, 2);
    assert_int_equal(manifest_edit(fixture, 3, 1), FLOWDB_OK);
    manifest_start_over(fixture);
    manifest_create(fixture, 8, 5);
    manifest_check(fixture);
    assert_true(scratch_exists(scratch_in(fixture->folder, "MANIFEST-000007"))); /* its owner's */
    size_t size;
    uint8_t *current = scratch_read(scratch_in(fixture->folder, "CURRENT"), &size);
    assert_memory_equal(current, "MANIFEST-000008 ", 16);
    free(current);
    assert_false(scratch_exists(scratch_in(fixture->folder, "CURRENT.tmp")));
}

static void a_leftover_of_an_earlier_try_is_no_obstacle(void **state) {
    struct fixture *fixture = *state;
    scratch_write(scratch_in(fixture->folder, "CURRENT.tmp"), "garbage", 7);
    manifest_create(fixture, 7, 2);
    manifest_check(fixture);
}

static void a_manifest_is_not_written_over_another(void **state) {
    struct fixture *fixture = *state;
    manifest_create(fixture, 7, 2);
    struct fl_manifest *second = NULL;
    bool in_doubt = true;
    assert_int_equal(fl_manifest_create(&fixture->env, fixture->folder, 7, &fixture->states[0],
                                        &in_doubt, &second),
                     FLOWDB_IO_ERROR);
    assert_null(second);
    assert_false(in_doubt);
    manifest_check(fixture);
}

static void without_current_there_is_no_manifest(void **state) {
    struct fixture *fixture = *state;
    size_t which;
    assert_int_equal(manifest_read(fixture, fixture->folder, &which), FLOWDB_NOT_FOUND);
    manifest_create(fixture, 7, 2);
    assert_int_equal(fl_fs_remove(fl_fs_posix(), scratch_in(fixture->folder, "CURRENT")),
                     FLOWDB_OK);
    assert_int_equal(manifest_read(fixture, fixture->folder, &which), FLOWDB_NOT_FOUND);
}

static void a_missing_manifest_is_corruption(void **state) {
    struct fixture *fixture = *state;
    manifest_create(fixture, 7, 2);
    const char *path = scratch_in(fixture->folder, "MANIFEST-000007");
    assert_int_equal(fl_fs_remove(fl_fs_posix(), path), FLOWDB_OK);
    size_t which;
    assert_int_equal(manifest_read(fixture, fixture->folder, &which), FLOWDB_CORRUPTION);
    assert_non_null(strstr(flowdb_last_error(), path));
}

static void an_edit_that_contradicts_the_state_is_refused_and_not_written(void **state) {
    struct fixture *fixture = *state;
    manifest_create(fixture, 7, 3);
    uint64_t absent = 4711;
    struct fl_manifest_edit remove = {.removed = &absent, .removed_count = 1, .next_id = 2000};
    assert_int_equal(fl_manifest_append(fixture->manifest, &remove), FLOWDB_CORRUPTION);
    struct fl_table_meta present = {.id = 101, .file_size = 5};
    struct fl_manifest_edit add = {.added = &present, .added_count = 1, .next_id = 2000};
    assert_int_equal(fl_manifest_append(fixture->manifest, &add), FLOWDB_CORRUPTION);
    assert_state(fl_manifest_state(fixture->manifest), &fixture->states[0]);
    manifest_check(fixture);
    assert_false(fl_manifest_wants_successor(fixture->manifest));
    assert_int_equal(manifest_edit(fixture, 1, 1), FLOWDB_OK);
    manifest_check(fixture);
}

static void a_manifest_wants_a_successor_once_it_has_grown(void **state) {
    struct fixture *fixture = *state;
    manifest_create(fixture, 7, 0);
    fixture->fault.ops = 0;
    struct fl_table_meta tables[512];
    uint64_t ids[512], next = 1;
    size_t edits = 0;
    for (; !fl_manifest_wants_successor(fixture->manifest); edits++) {
        struct fl_manifest_edit edit = {.next_id = 1000000, .log = 5};
        for (size_t i = 0; i < 512 && edits % 2 == 0; i++)
            tables[i] = (struct fl_table_meta){.id = ids[i] = next++, .file_size = 1u << 30};
        edit.added = tables;
        edit.added_count = edits % 2 == 0 ? 512 : 0;
        edit.removed = ids;
        edit.removed_count = edits % 2 == 0 ? 0 : 512;
        assert_int_equal(fl_manifest_append(fixture->manifest, &edit), FLOWDB_OK);
        assert_true(edits < 2000);
    }
    size_t size;
    free(scratch_read(scratch_in(fixture->folder, "MANIFEST-000007"), &size));
    assert_true(size > 1 << 20 && size < (1 << 20) + 20000);
    assert_false(fl_manifest_in_doubt(fixture->manifest));
}

/* ------------------------------------------------------------------------ what later may add -- */

/* Puts a frame with this payload at the manifest's end. */
static void append_payload(struct fixture *fixture, unsigned type, const void *payload,
                           size_t payload_size) {
    const char *path = scratch_in(fixture->folder, "MANIFEST-000007");
    size_t size;
    uint8_t *bytes = scratch_read(path, &size);
    bytes = realloc(bytes, size + FL_MANIFEST_FRAME_HEADER + payload_size);
    uint8_t *frame = bytes + size;
    memset(frame, 0, FL_MANIFEST_FRAME_HEADER);
    fl_put_u64(frame + 8, size);
    fl_put_u32(frame + 16, (uint32_t)payload_size);
    frame[20] = (uint8_t)type;
    if (payload_size > 0)
        memcpy(frame + FL_MANIFEST_FRAME_HEADER, payload, payload_size);
    size_t frame_size = FL_MANIFEST_FRAME_HEADER + payload_size;
    fl_put_u64(frame, fl_checksum(frame + 8, frame_size - 8, 7, size));
    scratch_write(path, bytes, size + frame_size);
    free(bytes);
}

/* With this payload behind it the manifest reads so. */
static void check_payload(struct fixture *fixture, const void *payload, size_t size,
                          flowdb_status expected) {
    scratch_remove(fixture->folder);
    assert_int_equal(fl_fs_create_dir(fl_fs_posix(), fixture->folder), FLOWDB_OK);
    manifest_start_over(fixture);
    manifest_create(fixture, 7, 2);
    append_payload(fixture, FL_MANIFEST_FRAME_EDIT, payload, size);
    size_t which;
    flowdb_status status = manifest_read(fixture, fixture->folder, &which);
    if (status != expected)
        fail_msg("%s instead of %s: %s", flowdb_status_name(status), flowdb_status_name(expected),
                 status != FLOWDB_OK ? flowdb_last_error() : "");
    if (status != FLOWDB_OK)
        assert_non_null(strstr(flowdb_last_error(), "MANIFEST-000007"));
}

static void fields_that_may_be_skipped_are_and_others_refuse_the_file(void **state) {
    struct fixture *fixture = *state;
    check_payload(fixture, "", 0, FLOWDB_OK);
    check_payload(fixture, "\x40\x03xyz", 5, FLOWDB_OK); /* tag 64 */
    check_payload(fixture, "\x40\x00", 2, FLOWDB_OK);
    check_payload(fixture, "\xFF\xFF\x03\x01z", 5, FLOWDB_OK);
    check_payload(fixture, "\x3F\x01z", 3, FLOWDB_UNSUPPORTED); /* tag 63 */
    check_payload(fixture, "\x07\x01z", 3, FLOWDB_UNSUPPORTED); /* tag 7 */
    check_payload(fixture, "\x00\x01z", 3, FLOWDB_CORRUPTION);
}

static void malformed_fields_are_corruption(void **state) {
    struct fixture *fixture = *state;
    check_payload(fixture, "\x01", 1, FLOWDB_CORRUPTION);         /* no size */
    check_payload(fixture, "\x01\x05\x01", 3, FLOWDB_CORRUPTION); /* size beyond the end */
    check_payload(fixture, "\x40\x05\x01", 3, FLOWDB_CORRUPTION); /* of a skipped one, too */
    check_payload(fixture, "\x01\x00", 2, FLOWDB_CORRUPTION);     /* no number in it */
    check_payload(fixture, "\x01\x01\x80", 3, FLOWDB_CORRUPTION); /* number cut off */
    check_payload(fixture, "\x06\x01\x7F", 3, FLOWDB_CORRUPTION); /* a table without its size */
    check_payload(fixture, "\x06\x02\x7F\x01\x06\x02\x7F\x01", 8, FLOWDB_CORRUPTION); /* twice */
    check_payload(fixture, "\x05\x01\x01", 3, FLOWDB_CORRUPTION); /* removes what is not there */
    check_payload(fixture, "\x06\x02\x64\x01", 4, FLOWDB_CORRUPTION); /* adds what is */
    check_payload(fixture, "\x40\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11, FLOWDB_CORRUPTION);
    check_payload(fixture, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\x00", 12,
                  FLOWDB_CORRUPTION);
}

static void an_added_table_may_carry_more_than_this_version_knows(void **state) {
    struct fixture *fixture = *state;
    manifest_create(fixture, 7, 2);
    append_payload(fixture, FL_MANIFEST_FRAME_EDIT, "\x06\x05\x09\x11more", 7);
    struct fl_manifest_state read;
    uint64_t id;
    fl_manifest_state_init(&read, fixture->env.alloc);
    assert_int_equal(fl_manifest_load(&fixture->env, fixture->folder, &read, &id), FLOWDB_OK);
    assert_int_equal(read.table_count, 3);
    assert_true(read.tables[2].id == 9 && read.tables[2].file_size == 17);
    /* What an edit does not say stays. */
    assert_true(read.next_id == fixture->states[0].next_id && read.log == fixture->states[0].log);
    fl_manifest_state_deinit(&read);
}

static void an_unknown_frame_or_version_is_unsupported(void **state) {
    struct fixture *fixture = *state;
    manifest_create(fixture, 7, 2);
    append_payload(fixture, 2, "", 0);
    size_t which, size;
    assert_int_equal(manifest_read(fixture, fixture->folder, &which), FLOWDB_UNSUPPORTED);
    const char *path = scratch_in(fixture->folder, "MANIFEST-000007");
    uint8_t *bytes = scratch_read(path, &size);
    bytes[7] = FL_MANIFEST_VERSION + 1;
    fl_put_u64(bytes + 16, fl_checksum(bytes, 16, 7, 0));
    scratch_write(path, bytes, size);
    free(bytes);
    assert_int_equal(manifest_read(fixture, fixture->folder, &which), FLOWDB_UNSUPPORTED);
    assert_non_null(strstr(flowdb_last_error(), path));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        MANIFEST_TEST(a_state_comes_back_as_it_was_created),
        MANIFEST_TEST(every_edit_comes_back),
        MANIFEST_TEST(numbers_of_every_size_come_back),
        MANIFEST_TEST(a_new_manifest_takes_the_old_ones_place),
        MANIFEST_TEST(a_leftover_of_an_earlier_try_is_no_obstacle),
        MANIFEST_TEST(a_manifest_is_not_written_over_another),
        MANIFEST_TEST(without_current_there_is_no_manifest),
        MANIFEST_TEST(a_missing_manifest_is_corruption),
        MANIFEST_TEST(an_edit_that_contradicts_the_state_is_refused_and_not_written),
        MANIFEST_TEST(a_manifest_wants_a_successor_once_it_has_grown),
        MANIFEST_TEST(fields_that_may_be_skipped_are_and_others_refuse_the_file),
        MANIFEST_TEST(malformed_fields_are_corruption),
        MANIFEST_TEST(an_added_table_may_carry_more_than_this_version_knows),
        MANIFEST_TEST(an_unknown_frame_or_version_is_unsupported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
