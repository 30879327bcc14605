/* Manifests and CURRENT cut, flipped and overwritten at every byte. */
#include "manifest_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/coding.h"
#include "manifest/edit.h"

enum { EDITS = 4 };

/* A manifest with a snapshot and some edits, closed; ends[i] is where edit i of the file ends, the
   snapshot being the first. */
static uint8_t *write_manifest(struct fixture *fixture, size_t *size, size_t ends[EDITS + 1]) {
    manifest_create(fixture, 7, 3);
    for (size_t i = 0; i < EDITS; i++)
        assert_int_equal(manifest_edit(fixture, i % 3, i % 2), FLOWDB_OK);
    manifest_close(fixture);
    uint8_t *bytes = scratch_read(scratch_in(fixture->folder, "MANIFEST-000007"), size);
    size_t at = FL_MANIFEST_FILE_HEADER;
    for (size_t i = 0; i <= EDITS; i++) {
        at += FL_MANIFEST_FRAME_HEADER + fl_get_u32(bytes + at + 16);
        ends[i] = at;
    }
    assert_int_equal(at, *size);
    return bytes;
}

/* Reads these bytes in the manifest's place. `expected` is the index of the state that comes out;
   SIZE_MAX: FLOWDB_CORRUPTION that names the file. */
static void check(struct fixture *fixture, const char *name, const uint8_t *bytes, size_t size,
                  size_t expected) {
    const char *path = scratch_in(fixture->folder, name);
    scratch_write(path, bytes, size);
    size_t which = SIZE_MAX;
    flowdb_status status = manifest_read(fixture, fixture->folder, &which);
    if (expected == SIZE_MAX) {
        assert_int_equal(status, FLOWDB_CORRUPTION);
        assert_non_null(strstr(flowdb_last_error(), path));
    } else {
        if (status != FLOWDB_OK)
            fail_msg("%s: %s", flowdb_status_name(status), flowdb_last_error());
        assert_int_equal(which, expected);
    }
}

/* How many frames end at or before the offset; the last of them is the state that is left. */
static size_t state_before(const size_t ends[EDITS + 1], size_t offset) {
    size_t frames = 0;
    while (frames <= EDITS && ends[frames] <= offset)
        frames++;
    return frames > 0 ? frames - 1 : SIZE_MAX;
}

static void any_flipped_bit_is_corruption_but_in_the_last_edit(void **state) {
    struct fixture *fixture = *state;
    size_t size, ends[EDITS + 1];
    uint8_t *bytes = write_manifest(fixture, &size, ends);
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        check(fixture, "MANIFEST-000007", bytes, size,
              bit / 8 < ends[EDITS - 1] ? SIZE_MAX : EDITS - 1);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    free(bytes);
}

static void any_flipped_bit_in_a_snapshot_alone_is_corruption(void **state) {
    struct fixture *fixture = *state;
    manifest_create(fixture, 7, 3);
    size_t size;
    uint8_t *bytes = scratch_read(scratch_in(fixture->folder, "MANIFEST-000007"), &size);
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        check(fixture, "MANIFEST-000007", bytes, size, SIZE_MAX);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    free(bytes);
}

static void a_manifest_cut_at_any_byte_gives_the_edits_before_the_cut(void **state) {
    struct fixture *fixture = *state;
    size_t size, ends[EDITS + 1];
    uint8_t *bytes = write_manifest(fixture, &size, ends);
    for (size_t cut = 0; cut <= size; cut++)
        check(fixture, "MANIFEST-000007", bytes, cut, state_before(ends, cut));
    free(bytes);
}

/* The last edit was being written when the machine stopped: any of its bytes may be anything. */
static void a_torn_last_edit_was_never_made(void **state) {
    struct fixture *fixture = *state;
    struct seeded seeded = seeded_begin("manifest tears");
    size_t size, ends[EDITS + 1];
    uint8_t *bytes = write_manifest(fixture, &size, ends), *torn = malloc(size + 100);
    for (int garbage = 0; garbage < 3; garbage++) {
        for (size_t from = ends[EDITS - 1]; from < size; from++) {
            size_t longer = from % 7 * 13;
            memcpy(torn, bytes, from);
            for (size_t at = from; at < size + longer; at++)
                torn[at] = garbage == 0 ? 0 : garbage == 1 ? 0xFF : (uint8_t)seeded_next(&seeded);
            bool whole = memcmp(torn, bytes, size) == 0;
            check(fixture, "MANIFEST-000007", torn, size + longer, whole ? EDITS : EDITS - 1);
        }
    }
    free(bytes);
    free(torn);
}

static void garbage_behind_the_last_edit_changes_nothing(void **state) {
    struct fixture *fixture = *state;
    size_t size, ends[EDITS + 1];
    uint8_t *bytes = write_manifest(fixture, &size, ends);
    bytes = realloc(bytes, size + 300);
    for (size_t more = 0; more <= 300; more += 25) {
        memset(bytes + size, more % 50 == 0 ? 0 : 0xA5, more);
        check(fixture, "MANIFEST-000007", bytes, size + more, EDITS);
    }
    free(bytes);
}

/* An edit lies at its place in its file, or it is none. */
static void frames_of_another_place_or_file_are_not_read(void **state) {
    struct fixture *fixture = *state;
    size_t size, ends[EDITS + 1];
    uint8_t *bytes = write_manifest(fixture, &size, ends);
    /* The last edit once more behind itself. */
    size_t last = ends[EDITS] - ends[EDITS - 1];
    bytes = realloc(bytes, size + last);
    memcpy(bytes + size, bytes + ends[EDITS - 1], last);
    check(fixture, "MANIFEST-000007", bytes, size + last, EDITS);
    /* All of it under another number. */
    manifest_start_over(fixture);
    manifest_create(fixture, 8, 1);
    check(fixture, "MANIFEST-000008", bytes, size, SIZE_MAX);
    free(bytes);
}

static void current_is_whole_or_corrupt(void **state) {
    struct fixture *fixture = *state;
    manifest_create(fixture, 7, 3);
    size_t size;
    uint8_t *bytes = scratch_read(scratch_in(fixture->folder, "CURRENT"), &size);
    check(fixture, "CURRENT", bytes, size, 0);
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        check(fixture, "CURRENT", bytes, size, SIZE_MAX);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < size; cut++)
        check(fixture, "CURRENT", bytes, cut, SIZE_MAX);
    bytes = realloc(bytes, 100000);
    memset(bytes + size, '\n', 100000 - size);
    check(fixture, "CURRENT", bytes, size + 1, SIZE_MAX);
    check(fixture, "CURRENT", bytes, 100000, SIZE_MAX);
    bytes[size] = '\0';
    check(fixture, "CURRENT", bytes, size + 1, SIZE_MAX);
    free(bytes);
}

static void a_manifest_of_impossible_size_is_not_read_into_memory(void **state) {
    struct fixture *fixture = *state;
    manifest_create(fixture, 7, 3);
    manifest_close(fixture);
    const char *path = scratch_in(fixture->folder, "MANIFEST-000007");
    struct fl_file *file;
    assert_int_equal(fl_fs_open(fl_fs_posix(), path, FL_OPEN_WRITE, &file), FLOWDB_OK);
    assert_int_equal(fl_file_truncate(file, UINT64_C(1) << 40), FLOWDB_OK);
    fl_file_close(file);
    size_t which;
    assert_int_equal(manifest_read(fixture, fixture->folder, &which), FLOWDB_CORRUPTION);
    assert_non_null(strstr(flowdb_last_error(), path));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        MANIFEST_TEST(any_flipped_bit_is_corruption_but_in_the_last_edit),
        MANIFEST_TEST(any_flipped_bit_in_a_snapshot_alone_is_corruption),
        MANIFEST_TEST(a_manifest_cut_at_any_byte_gives_the_edits_before_the_cut),
        MANIFEST_TEST(a_torn_last_edit_was_never_made),
        MANIFEST_TEST(garbage_behind_the_last_edit_changes_nothing),
        MANIFEST_TEST(frames_of_another_place_or_file_are_not_read),
        MANIFEST_TEST(current_is_whole_or_corrupt),
        MANIFEST_TEST(a_manifest_of_impossible_size_is_not_read_into_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
