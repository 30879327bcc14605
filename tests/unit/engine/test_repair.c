/* flowdb_verify and flowdb_repair on directories that are damaged in every place. */
#include "damaged.h"

#include <stdlib.h>
#include <string.h>

static bool is_log(size_t file) {
    return file == IN_OLD_LOG || file == IN_NEW_LOG;
}

/* The original of a file that was hurt is kept, byte by byte. */
static void assert_kept(struct damaged *damaged, const struct damaged_file *hurt,
                        const uint8_t *bytes, size_t size, const char *what) {
    const char *base = strrchr(hurt->name, '/') != NULL ? strrchr(hurt->name, '/') + 1 : hurt->name;
    char path[SCRATCH_PATH + 64];
    snprintf(path, sizeof path, "%s/lost/%s", damaged->engine->copy, base);
    if (!scratch_exists(path))
        fail_msg("%s: %s is not kept", what, path);
    size_t kept;
    uint8_t *found = scratch_read(path, &kept);
    assert_int_equal(kept, size);
    assert_memory_equal(found, bytes, size);
    free(found);
}

static void a_healthy_directory_verifies_and_repair_changes_nothing(void **state) {
    struct engine *engine = *state;
    struct damaged *damaged = damaged_make(engine);
    struct told told = {0};
    damaged_restore(damaged);
    scratch_write(scratch_in(engine->copy, "LOCK"), "", 0);
    scratch_write(scratch_in(engine->copy, "sst/000900.sst"), "leftover", 8);
    scratch_write(scratch_in(engine->copy, "notes.txt"), "not ours", 8);
    uint64_t before = scratch_fingerprint(engine->copy);
    assert_true(damaged_reads_right(damaged, "as it is"));
    engine_assert_ok(verify_copy(engine, &told));
    engine_assert_ok(repair_copy(engine, &told));
    assert_int_equal(told.lines, 0);
    assert_true(scratch_fingerprint(engine->copy) == before);
    engine_open(engine);
    engine_close(engine); /* cleanly: no logs */
    engine_assert_ok(verify_copy(engine, &told));
    assert_int_equal(told.lines, 0);
    damaged_free(damaged);
}

/* ---- every byte */

static void flip(const struct damaged_file *file, uint8_t *bytes, size_t at, uint8_t bits) {
    memcpy(bytes, file->bytes, file->size);
    bytes[at] ^= bits;
    scratch_write(file->path, bytes, file->size);
}

/* Verify must find it, unless it is in what may be torn: then all but the end is read right. */
static bool verify_flipped(struct damaged *damaged, size_t file, const char *what) {
    struct told told = {0};
    flowdb_status status = verify_copy(damaged->engine, &told);
    if (status != FLOWDB_OK && (status != FLOWDB_CORRUPTION || told.lines == 0))
        fail_msg("%s: verify: %s: %s", what, flowdb_status_name(status), flowdb_last_error());
    if (status == FLOWDB_OK && !is_log(file))
        fail_msg("%s: verify finds nothing", what);
    bool all = damaged_reads_right(damaged, what);
    if (status == FLOWDB_CORRUPTION && all && is_log(file))
        fail_msg("%s: verify finds something: %s", what, told.first);
    return status == FLOWDB_CORRUPTION;
}

static void repair_flipped(struct damaged *damaged, size_t file, const uint8_t *bytes,
                           const char *what) {
    struct told told = {0};
    const struct damaged_file *hurt = &damaged->files[file];
    flowdb_status status = repair_copy(damaged->engine, &told);
    if (status != FLOWDB_OK)
        fail_msg("%s: repair: %s", what, flowdb_last_error());
    damaged_assert_salvaged(damaged, hurt, is_log(file) ? SIZE_MAX : damaged->largest_block, what);
    assert_kept(damaged, hurt, bytes, hurt->size, what);
    damaged_restore(damaged);
}

static void a_flip_of_any_byte_is_found_and_repaired(void **state) {
    struct engine *engine = *state;
    struct damaged *damaged = damaged_make(engine);
    struct seeded seeded = seeded_begin("flips");
    damaged_restore(damaged);
    size_t total = 0, found = 0;
    for (size_t f = 0; f < FILES; f++) {
        struct damaged_file *file = &damaged->files[f];
        uint8_t *bytes = malloc(file->size);
        assert_non_null(bytes);
        for (size_t at = 0; at < file->size; at++) {
            char what[96];
            snprintf(what, sizeof what, "%s, byte %zu of %zu flipped", file->name, at, file->size);
            flip(file, bytes, at, (uint8_t)(1u << seeded_below(&seeded, 8)));
            bool is_found = verify_flipped(damaged, f, what);
            found += is_found;
            if (is_found && (f > IN_NEW_LOG || seeded_below(&seeded, 20) == 0))
                repair_flipped(damaged, f, bytes, what);
        }
        total += file->size;
        scratch_write(file->path, file->bytes, file->size);
        free(bytes);
    }
    print_message("%zu of %zu flips found\n", found, total);
    assert_true(found > total / 2);
    damaged_free(damaged);
}

/* ---- cut, gone, zeroed */

static void check_hurt(struct damaged *damaged, size_t f, bool gone, const char *what) {
    struct told told = {0};
    bool all = damaged_reads_right(damaged, what);
    flowdb_status status = verify_copy(damaged->engine, &told);
    if (status == FLOWDB_OK && !all && !is_log(f))
        fail_msg("%s: verify finds nothing", what);
    if (status != FLOWDB_OK && (status != FLOWDB_CORRUPTION || told.lines == 0))
        fail_msg("%s: verify: %s: %s", what, flowdb_status_name(status), flowdb_last_error());
    if (status == FLOWDB_OK && !all)
        return; /* a torn log */
    const struct damaged_file *hurt = &damaged->files[f];
    size_t size = 0;
    uint8_t *bytes = gone ? NULL : scratch_read(hurt->path, &size);
    flowdb_status repaired = repair_copy(damaged->engine, &told);
    if (repaired != FLOWDB_OK)
        fail_msg("%s: repair: %s", what, flowdb_last_error());
    damaged_assert_salvaged(damaged, hurt, SIZE_MAX, what);
    if (status == FLOWDB_CORRUPTION && !gone && (!is_log(f) || size > 32))
        assert_kept(damaged, hurt, bytes, size, what);
    free(bytes);
}

static void any_file_that_is_gone_is_found_and_what_the_others_hold_is_saved(void **state) {
    struct engine *engine = *state;
    struct damaged *damaged = damaged_make(engine);
    for (size_t f = 0; f < FILES; f++) {
        struct told told = {0};
        char what[96];
        snprintf(what, sizeof what, "%s is gone", damaged->files[f].name);
        damaged_restore(damaged);
        engine_assert_ok(fl_fs_remove(fl_fs_posix(), damaged->files[f].path));
        assert_int_equal(verify_copy(engine, &told), FLOWDB_CORRUPTION);
        check_hurt(damaged, f, true, what);
    }
    damaged_free(damaged);
}

static void a_file_cut_anywhere_is_found_and_what_is_left_is_saved(void **state) {
    struct engine *engine = *state;
    struct damaged *damaged = damaged_make(engine);
    for (size_t f = 0; f < FILES; f++) {
        const struct damaged_file *file = &damaged->files[f];
        size_t step = f <= IN_NEW_LOG ? 97 : 5;
        for (size_t size = 0; size < file->size; size += step) {
            char what[96];
            snprintf(what, sizeof what, "%s, cut to %zu of %zu", file->name, size, file->size);
            damaged_restore(damaged);
            scratch_write(file->path, file->bytes, size);
            check_hurt(damaged, f, false, what);
        }
    }
    damaged_free(damaged);
}

static void zeros_in_place_of_a_page_are_found_and_the_rest_is_saved(void **state) {
    struct engine *engine = *state;
    struct damaged *damaged = damaged_make(engine);
    for (size_t f = 0; f <= IN_NEW_LOG; f++) {
        const struct damaged_file *file = &damaged->files[f];
        uint8_t *bytes = malloc(file->size);
        assert_non_null(bytes);
        for (size_t at = 0; at < file->size; at += 512) {
            char what[96];
            snprintf(what, sizeof what, "%s, zeros from %zu of %zu", file->name, at, file->size);
            damaged_restore(damaged);
            memcpy(bytes, file->bytes, file->size);
            memset(bytes + at, 0, FL_MIN((size_t)512, file->size - at));
            scratch_write(file->path, bytes, file->size);
            check_hurt(damaged, f, false, what);
        }
        free(bytes);
    }
    damaged_free(damaged);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(a_healthy_directory_verifies_and_repair_changes_nothing),
        ENGINE_TEST(any_file_that_is_gone_is_found_and_what_the_others_hold_is_saved),
        ENGINE_TEST(a_file_cut_anywhere_is_found_and_what_is_left_is_saved),
        ENGINE_TEST(zeros_in_place_of_a_page_are_found_and_the_rest_is_saved),
        ENGINE_TEST(a_flip_of_any_byte_is_found_and_repaired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
