/* What is refused when a file is missing, or not as it should be. */
#include "recovery_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/entry.h"
#include "wal/wal_reader.h"

/* ---- damage */

/* Two writes, the first of which the second declares durable. */
static void crash_with_durable_writes(struct engine *engine) {
    engine_open(engine);
    engine_put(engine, "a", 1, "durable");
    engine_sync(engine);
    engine_put(engine, "a", 2, "not yet");
    engine_leave_crashed(engine);
}

static void damage_to_what_was_durable_is_corruption_and_changes_nothing(void **state) {
    struct engine *engine = *state;
    crash_with_durable_writes(engine);
    char path[SCRATCH_PATH];
    size_t size;
    uint8_t *bytes = recovery_read_last_log(engine, path, &size);
    bytes[40] ^= 0x10;
    scratch_write(path, bytes, size);
    uint64_t before = scratch_fingerprint(engine->copy);
    for (int i = 0; i < 3; i++)
        engine_assert_open_fails(engine, FLOWDB_CORRUPTION, path);
    assert_non_null(strstr(flowdb_last_error(), "offset 32"));
    assert_true(scratch_fingerprint(engine->copy) == before);
    /* Put right again, everything is there. */
    bytes[40] ^= 0x10;
    scratch_write(path, bytes, size);
    free(bytes);
    engine_open(engine);
    engine_assert_contents(engine, "a@1=durable a@2=not yet");
}

/* The damage is in one log, and it is a later one that says so. */
static void a_later_log_declares_an_earlier_one_durable(void **state) {
    struct engine *engine = *state;
    recovery_fill_chain(engine);
    engine_sync(engine);
    engine_put(engine, "z", 1, "declares");
    engine_leave_crashed(engine);
    char path[SCRATCH_PATH], kept[SCRATCH_PATH];
    assert_int_equal(scratch_find(scratch_in(engine->copy, "wal"), ".log", path, NULL), 3);
    snprintf(kept, sizeof kept, "%s", scratch_in(engine->folder, "kept"));
    scratch_copy(engine->copy, kept);
    size_t size, places[3] = {32, 400000, 0};
    uint8_t *bytes = scratch_read(path, &size);
    /* The seal, too: without it the chain would end here. */
    for (places[2] = size - 1; bytes[places[2]] == 0;)
        places[2]--;
    for (size_t i = 0; i < 3; i++) {
        bytes[places[i]] ^= 4;
        scratch_write(path, bytes, size);
        engine_assert_open_fails(engine, FLOWDB_CORRUPTION, path);
        bytes[places[i]] ^= 4;
    }
    /* Zeros in the seal's place, as where a page did not reach the disk. */
    memset(bytes + places[2] - 7, 0, 8);
    scratch_write(path, bytes, size);
    engine_assert_open_fails(engine, FLOWDB_CORRUPTION, path);
    free(bytes);
}

/* Nobody declares it: the chain is cut there, whatever later logs hold. */
static void an_undeclared_hole_ends_the_chain(void **state) {
    struct engine *engine = *state;
    recovery_fill_chain(engine);
    engine_leave_crashed(engine);
    char path[SCRATCH_PATH];
    recovery_find_log(engine, false, path);
    size_t size;
    uint8_t *bytes = scratch_read(path, &size);
    memset(bytes + 400000, 0, 4096); /* in the second large value */
    scratch_write(path, bytes, size);
    free(bytes);
    engine_open(engine);
    engine_assert_contents(engine, "a@1=first k0@0=#300000");
    assert_int_equal(engine->warnings, 3); /* the log with the hole, and two behind it */
    engine_reopen(engine);
    engine_assert_contents(engine, "a@1=first k0@0=#300000");
}

/* The seal's page never reached the disk and the next log's did: what that holds cannot follow on
   what is missing, and goes, but not in silence. */
static void logs_behind_the_end_of_the_chain_go_and_are_reported(void **state) {
    struct engine *engine = *state;
    recovery_fill_chain(engine);
    engine_leave_crashed(engine);
    char path[SCRATCH_PATH];
    recovery_find_log(engine, false, path);
    size_t size, end;
    uint8_t *bytes = scratch_read(path, &size);
    for (end = size; bytes[end - 1] == 0;)
        end--;
    memset(bytes + end - 8, 0, 8); /* what is left of the seal's payload */
    size_t seal = end / 8 * 8;
    while (fl_get_u64(bytes + seal + FL_FRAME_OFFSET) != seal)
        seal--;
    memset(bytes + seal, 0, size - seal);
    scratch_write(path, bytes, size);
    free(bytes);
    for (int read_only = 1; read_only >= 0; read_only--) {
        engine->config.read_only = read_only == 1;
        engine->warnings = 0;
        engine_open(engine);
        engine_assert_contents(engine, "a@1=first k0@0=#300000 k1@0=#300000 k2@0=#300000 "
                                       "k3@0=#300000");
        assert_int_equal(engine->warnings, 2); /* one for each log */
        assert_non_null(strstr(engine->last_warning, ".log"));
        if (read_only == 0)
            assert_non_null(strstr(engine->last_line, "2 logs dropped"));
        engine_close(engine);
    }
    assert_int_equal(recovery_count(engine->copy, "wal", ".log"), 0);
}

/* ---- missing files */

/* Removes each file of the copy in turn. */
static void check_each_file_removed(struct engine *engine, const char *sub, const char *part,
                                    const char *kept) {
    char path[SCRATCH_PATH], folder[SCRATCH_PATH];
    snprintf(folder, sizeof folder, "%s", scratch_in(engine->copy, sub));
    size_t files = scratch_find(folder, part, NULL, NULL);
    assert_true(files > 0);
    for (size_t i = 0; i < files; i++) {
        scratch_copy(kept, engine->copy);
        /* The i-th by name: the others are moved out of sight first, and back again. */
        for (size_t skip = 0; skip <= i; skip++) {
            scratch_find(folder, part, path, NULL);
            if (skip < i)
                recovery_remove(path);
        }
        scratch_copy(kept, engine->copy);
        recovery_remove(path);
        char *name = strrchr(path, '/') + 1;
        engine_assert_open_fails(engine, FLOWDB_CORRUPTION, name);
        assert_non_null(strstr(flowdb_last_error(), "missing"));
        engine->config.read_only = true;
        engine_assert_open_fails(engine, FLOWDB_CORRUPTION, name);
        engine->config.read_only = false;
    }
    scratch_copy(kept, engine->copy);
}

static void a_missing_file_is_corruption_that_names_it(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "t", 1, "table");
    engine_flush(engine);
    engine_put(engine, "t", 2, "table");
    engine_flush(engine);
    engine_close(engine);
    const char *contents = recovery_fill_chain(engine);
    engine_leave_crashed(engine);
    char kept[SCRATCH_PATH];
    snprintf(kept, sizeof kept, "%s", scratch_in(engine->folder, "kept"));
    scratch_copy(engine->copy, kept);
    check_each_file_removed(engine, "wal", ".log", kept);
    check_each_file_removed(engine, "sst", ".sst", kept);
    check_each_file_removed(engine, ".", "CURRENT", kept);
    check_each_file_removed(engine, ".", "MANIFEST-", kept);
    recovery_remove(scratch_in(engine->copy, "LOCK")); /* nobody misses that one */
    engine_open(engine);
    char whole[1024];
    snprintf(whole, sizeof whole, "%s t@1=table t@2=table", contents);
    engine_assert_contents(engine, whole);
}

static void flip_last_byte(const char *path) {
    size_t size;
    uint8_t *bytes = scratch_read(path, &size);
    bytes[size - 1] ^= 1;
    scratch_write(path, bytes, size);
    free(bytes);
}

static void the_last_edit_cannot_be_lost_unnoticed(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "one");
    engine_flush(engine); /* an edit: a table, and another log */
    for (int closed = 0; closed < 2; closed++) {
        engine_leave_crashed(engine);
        char path[SCRATCH_PATH];
        assert_int_equal(scratch_find(engine->copy, "MANIFEST-", NULL, path), 1);
        flip_last_byte(path);
        engine_assert_open_fails(engine, FLOWDB_CORRUPTION, "missing");
        /* The same for the edit of a clean close. */
        engine_use_original(engine);
        engine_open(engine);
        if (closed == 0) {
            engine_close(engine);
            scratch_copy(engine->data, engine->copy);
            engine_use_copy(engine);
            scratch_find(engine->copy, "MANIFEST-", NULL, path);
            flip_last_byte(path);
            engine_assert_open_fails(engine, FLOWDB_CORRUPTION, "missing");
            engine_use_original(engine);
            engine_open(engine);
            engine_put(engine, "a", 2, "two");
            engine_flush(engine);
        }
    }
    engine_assert_contents(engine, "a@1=one a@2=two");
}

/* Reads the copy, read-only. It must fail with FLOWDB_CORRUPTION, or be right. */
static unsigned check_flip(struct engine *engine, const char *contents) {
    flowdb_status status = engine_try_open(engine);
    if (status != FLOWDB_OK) {
        assert_int_equal(status, FLOWDB_CORRUPTION);
        return 1;
    }
    engine_assert_contents(engine, contents);
    engine_close(engine);
    return 0;
}

static void a_byte_that_flips_in_manifest_or_current_is_corruption(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "one");
    engine_flush(engine);
    engine_put(engine, "a", 2, "two");
    engine_flush(engine);
    engine_put(engine, "a", 3, "three");
    engine_leave_crashed(engine);
    engine->config.read_only = true;
    char manifest[SCRATCH_PATH];
    scratch_find(engine->copy, "MANIFEST-", NULL, manifest);
    for (int which = 0; which < 2; which++) {
        const char *path = which == 0 ? manifest : scratch_in(engine->copy, "CURRENT");
        size_t size;
        uint8_t *bytes = scratch_read(path, &size);
        unsigned found_out = 0;
        for (size_t at = 0; at < size; at++) {
            bytes[at] ^= (uint8_t)(1u << at % 8);
            scratch_write(path, bytes, size);
            found_out += check_flip(engine, "a@1=one a@2=two a@3=three");
            bytes[at] ^= (uint8_t)(1u << at % 8);
        }
        assert_int_equal(found_out, size);
        scratch_write(path, bytes, size);
        free(bytes);
    }
}

static void a_log_whose_header_is_damaged_is_corruption(void **state) {
    struct engine *engine = *state;
    recovery_fill_chain(engine);
    engine_leave_crashed(engine);
    char first[SCRATCH_PATH], last[SCRATCH_PATH];
    scratch_find(scratch_in(engine->copy, "wal"), ".log", first, last);
    for (int which = 0; which < 2; which++) {
        const char *path = which == 0 ? first : last;
        size_t size;
        uint8_t *bytes = scratch_read(path, &size);
        for (size_t at = 0; at < FL_WAL_FILE_HEADER; at++) {
            bytes[at] ^= 0x20;
            scratch_write(path, bytes, size);
            engine_assert_open_fails(engine, FLOWDB_CORRUPTION, path);
            bytes[at] ^= 0x20;
        }
        for (size_t cut = 0; cut < FL_WAL_FILE_HEADER; cut += 5) {
            scratch_write(path, bytes, cut);
            engine_assert_open_fails(engine, FLOWDB_CORRUPTION, path);
        }
        scratch_write(path, bytes, size);
        free(bytes);
    }
}

/* The number in the name of a file. */
static uint64_t number_of(const char *path) {
    return strtoull(strrchr(path, '/') + 1, NULL, 10);
}

/* A chain is one where each log names the one before it as well. */
static void a_log_of_another_chain_is_corruption(void **state) {
    struct engine *engine = *state;
    recovery_fill_chain(engine);
    engine_leave_crashed(engine);
    char path[SCRATCH_PATH];
    recovery_find_log(engine, true, path);
    uint64_t id = number_of(path);
    recovery_remove(path);
    struct fl_wal_writer *writer;
    engine_assert_ok(fl_wal_create(&engine->env, path, id, id + 7, 0, &writer));
    fl_wal_close(writer);
    engine_assert_open_fails(engine, FLOWDB_CORRUPTION, path);
}

/* A frame of one record, at a@1. */
static void append_frame(struct fl_wal_writer *writer, uint64_t seq, const char *value) {
    uint8_t frame[FL_WAL_FRAME_HEADER + 256], *payload = frame + FL_WAL_FRAME_HEADER;
    size_t size = fl_entry_size_of(1, strlen(value));
    fl_entry_put(payload, FL_OP_PUT, flowdb_str("a"), 1, FLOWDB_NEVER, flowdb_str(value));
    const struct fl_wal_frame_info info = {.payload_size = size,
                                           .payload_sum = fl_wal_payload_sum(payload, size),
                                           .first_seq = seq,
                                           .count = 1};
    engine_assert_ok(fl_wal_append(writer, frame, &info, false));
}

/* Every frame of it verifies, but what it tells cannot have been. */
static void a_log_whose_sequence_numbers_go_back_is_corruption(void **state) {
    struct engine *engine = *state;
    static const uint64_t seconds[] = {4, 5, 6};
    engine_open(engine);
    engine_leave_crashed(engine);
    char path[SCRATCH_PATH];
    recovery_find_log(engine, true, path);
    uint64_t id = number_of(path);
    for (size_t i = 0; i < 3; i++) {
        recovery_remove(path);
        struct fl_wal_writer *writer;
        engine_assert_ok(fl_wal_create(&engine->env, path, id, 0, 0, &writer));
        append_frame(writer, 5, "one");
        append_frame(writer, seconds[i], "two");
        fl_wal_close(writer);
        if (seconds[i] <= 5)
            engine_assert_open_fails(engine, FLOWDB_CORRUPTION, path);
    }
    engine_open(engine);
    engine_assert_contents(engine, "a@1=two");
}

static void an_empty_database_is_never_made_over_data(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "one");
    engine_leave_crashed(engine); /* in a log */
    recovery_remove(scratch_in(engine->copy, "CURRENT"));
    engine_assert_open_fails(engine, FLOWDB_CORRUPTION, "CURRENT is missing");
    engine->config.create_if_missing = false;
    engine_assert_open_fails(engine, FLOWDB_CORRUPTION, "CURRENT is missing");
    engine->config.create_if_missing = true;
    scratch_copy(engine->data, engine->copy); /* in a table */
    recovery_remove(scratch_in(engine->copy, "CURRENT"));
    engine_assert_open_fails(engine, FLOWDB_CORRUPTION, "CURRENT is missing");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(damage_to_what_was_durable_is_corruption_and_changes_nothing),
        ENGINE_TEST(a_later_log_declares_an_earlier_one_durable),
        ENGINE_TEST(an_undeclared_hole_ends_the_chain),
        ENGINE_TEST(logs_behind_the_end_of_the_chain_go_and_are_reported),
        ENGINE_TEST(a_missing_file_is_corruption_that_names_it),
        ENGINE_TEST(the_last_edit_cannot_be_lost_unnoticed),
        ENGINE_TEST(a_byte_that_flips_in_manifest_or_current_is_corruption),
        ENGINE_TEST(a_log_whose_header_is_damaged_is_corruption),
        ENGINE_TEST(a_log_of_another_chain_is_corruption),
        ENGINE_TEST(a_log_whose_sequence_numbers_go_back_is_corruption),
        ENGINE_TEST(an_empty_database_is_never_made_over_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
