/* What is found again after a crash, and what is refused when a file is not as it should be. */
#include "engine_fixture.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/entry.h"
#include "engine/engine.h"
#include "wal/wal_reader.h"

static const char *in(const char *folder, const char *name) {
    return scratch_in(folder, name);
}

static size_t count_files(const char *folder, const char *sub, const char *part) {
    return scratch_find(in(folder, sub), part, NULL, NULL);
}

static void remove_file(const char *path) {
    assert_int_equal(fl_fs_remove(fl_fs_posix(), path), FLOWDB_OK);
}

/* ---- a kill */

static void what_a_log_holds_is_found_again_after_a_kill(void **state) {
    struct engine *engine = *state;
    static const flowdb_wal_sync modes[] = {FLOWDB_SYNC_INTERVAL, FLOWDB_SYNC_ALWAYS};
    for (size_t i = 0; i < 2; i++) {
        scratch_remove(engine->data);
        engine->config.wal_sync = modes[i];
        engine_open(engine);
        engine_put(engine, "a", 1, "one");
        engine_put(engine, "a", 1, "two");
        engine_put(engine, "b", 2, "three");
        engine_delete(engine, "b", 2);
        engine_put(engine, "c", 3, "four");
        engine_put(engine, "d", 4, "five");
        engine_delete_range(engine, "c", "e");
        engine_put(engine, "d", 5, "six");
        engine_go_on_after_crash(engine);
        engine_assert_contents(engine, "a@1=two d@5=six");
        /* It is in a table by now; the log is a new one. */
        assert_int_equal(count_files(engine->data, "sst", ".sst"), 1);
        assert_int_equal(count_files(engine->data, "wal", ".log"), 1);
        engine_go_on_after_crash(engine);
        engine_assert_contents(engine, "a@1=two d@5=six");
        engine_close(engine);
    }
}

static void a_kill_costs_buffered_writes_from_the_end_only(void **state) {
    struct engine *engine = *state;
    engine->config.wal_sync = FLOWDB_SYNC_BUFFERED;
    engine_open(engine);
    engine_put(engine, "a", 1, "drained");
    engine_sync(engine);
    engine_put(engine, "a", 2, "buffered");
    engine_assert_contents(engine, "a@1=drained a@2=buffered");
    engine_go_on_after_crash(engine);
    engine_assert_contents(engine, "a@1=drained");
    engine_put(engine, "a", 3, "new");
    engine_reopen(engine); /* a close keeps all */
    engine_assert_contents(engine, "a@1=drained a@3=new");
}

/* Fills four memtables without flushing any; the contents afterwards. */
static const char *fill_chain(struct engine *engine) {
    engine_open(engine);
    engine_put(engine, "a", 1, "first");
    for (char key[] = "k0"; key[1] <= '9'; key[1]++)
        engine_put_large(engine, key);
    engine_put(engine, "a", 1, "last");
    engine_delete(engine, "k0", 0);
    assert_int_equal(count_files(engine->data, "wal", ".log"), 3);
    return "a@1=last k1@0=#300000 k2@0=#300000 k3@0=#300000 k4@0=#300000 k5@0=#300000 "
           "k6@0=#300000 k7@0=#300000 k8@0=#300000 k9@0=#300000";
}

static void a_chain_of_logs_is_read_to_its_end(void **state) {
    struct engine *engine = *state;
    const char *contents = fill_chain(engine);
    engine_assert_contents(engine, contents);
    assert_int_equal(count_files(engine->data, "sst", ".sst"), 0);
    engine_go_on_after_crash(engine);
    assert_non_null(strstr(engine->last_line, "from 3 logs"));
    engine_assert_contents(engine, contents);
    assert_int_equal(count_files(engine->data, "sst", ".sst"), 3);
    assert_int_equal(count_files(engine->data, "wal", ".log"), 1);
}

static void tables_and_logs_come_together(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "table");
    engine_put(engine, "b", 1, "table");
    engine_flush(engine);
    engine_put(engine, "a", 1, "log");
    engine_put(engine, "c", 1, "log");
    engine_delete(engine, "b", 1);
    engine_go_on_after_crash(engine);
    engine_assert_contents(engine, "a@1=log c@1=log");
    engine_put(engine, "b", 1, "again");
    engine_flush(engine);
    engine_go_on_after_crash(engine);
    engine_assert_contents(engine, "a@1=log b@1=again c@1=log");
}

static void the_manifest_of_a_clean_close_names_no_log(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "one");
    engine_close(engine);
    assert_int_equal(count_files(engine->data, "wal", ".log"), 0);
    struct fl_manifest_state manifest;
    uint64_t id;
    fl_manifest_state_init(&manifest, engine->env.alloc);
    engine_assert_ok(fl_manifest_load(&engine->env, engine->data, &manifest, &id));
    assert_true(manifest.log == 0 && manifest.table_count == 1);
    assert_true(manifest.last_seq == 1 && manifest.latest_time_us == ENGINE_NOW);
    fl_manifest_state_deinit(&manifest);
    engine_open(engine);
    assert_non_null(strstr(engine->last_line, "from 0 logs"));
    engine_assert_contents(engine, "a@1=one");
}

static void a_kill_before_anything_was_written_leaves_an_empty_database(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    for (int i = 0; i < 3; i++)
        engine_go_on_after_crash(engine);
    engine_assert_contents(engine, "");
    assert_int_equal(count_files(engine->data, "wal", ".log"), 1);
    assert_int_equal(scratch_find(engine->data, "MANIFEST-", NULL, NULL), 1);
}

/* ---- tears */

static uint8_t *read_last_log(struct engine *engine, char path[SCRATCH_PATH], size_t *size) {
    assert_true(scratch_find(in(engine->copy, "wal"), ".log", NULL, path) > 0);
    return scratch_read(path, size);
}

/* The last batch is cut at each of its bytes: it is there whole or not at all. */
static void a_batch_torn_at_any_byte_is_not_there_at_all(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "before");
    uint64_t from = fl_wal_offset(engine->db->logs[0].writer);
    flowdb_batch *batch = flowdb_batch_create();
    engine_assert_ok(flowdb_batch_put(batch, flowdb_str("a"), 1, FLOWDB_NEVER, flowdb_str("x")));
    engine_assert_ok(flowdb_batch_put(batch, flowdb_str("b"), 1, FLOWDB_NEVER, flowdb_str("y")));
    engine_assert_ok(flowdb_batch_delete_range(batch, flowdb_str("a"), flowdb_str("b")));
    engine_assert_ok(flowdb_write_batch(engine->db, batch));
    flowdb_batch_destroy(batch);
    uint64_t end = fl_wal_offset(engine->db->logs[0].writer);
    engine_assert_contents(engine, "b@1=y");
    engine_crash(engine);
    engine_close(engine);
    char path[SCRATCH_PATH], whole[SCRATCH_PATH];
    size_t size;
    uint8_t *bytes = read_last_log(engine, path, &size);
    snprintf(whole, sizeof whole, "%s", in(engine->folder, "whole"));
    scratch_copy(engine->copy, whole);
    engine_use_copy(engine);
    for (size_t cut = (size_t)from; cut <= end; cut++) {
        scratch_copy(whole, engine->copy);
        scratch_write(path, bytes, cut);
        engine->warnings = 0;
        engine_open(engine);
        assert_int_equal(engine->warnings, cut > from && cut < end);
        engine_assert_contents(engine, cut < end ? "a@1=before" : "b@1=y");
        /* What is written now does not lie behind the tear. */
        engine_put(engine, "c", 1, "after");
        engine_go_on_after_crash(engine);
        engine_assert_contents(engine, cut < end ? "a@1=before c@1=after" : "b@1=y c@1=after");
        engine_close(engine);
    }
    free(bytes);
}

static void a_torn_log_is_reported_with_its_place(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "one");
    engine_put(engine, "a", 2, "two");
    engine_crash(engine);
    engine_close(engine);
    char path[SCRATCH_PATH];
    size_t size;
    uint8_t *bytes = read_last_log(engine, path, &size);
    bytes[32] ^= 1; /* the first frame's checksum: all behind it goes */
    scratch_write(path, bytes, size);
    free(bytes);
    engine_use_copy(engine);
    engine_open(engine);
    engine_assert_contents(engine, "");
    assert_int_equal(engine->warnings, 1);
    assert_non_null(strstr(engine->last_warning, path));
    assert_non_null(strstr(engine->last_warning, "offset 32"));
    assert_non_null(strstr(engine->last_line, "1 of them torn"));
}

/* ---- damage */

/* Two writes, the first of which the second declares durable. */
static void crash_with_durable_writes(struct engine *engine) {
    engine_open(engine);
    engine_put(engine, "a", 1, "durable");
    engine_sync(engine);
    engine_put(engine, "a", 2, "not yet");
    engine_crash(engine);
    engine_close(engine);
    engine_use_copy(engine);
}

static void damage_to_what_was_durable_is_corruption_and_changes_nothing(void **state) {
    struct engine *engine = *state;
    crash_with_durable_writes(engine);
    char path[SCRATCH_PATH];
    size_t size;
    uint8_t *bytes = read_last_log(engine, path, &size);
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
    fill_chain(engine);
    engine_sync(engine);
    engine_put(engine, "z", 1, "declares");
    engine_crash(engine);
    engine_close(engine);
    engine_use_copy(engine);
    char path[SCRATCH_PATH], kept[SCRATCH_PATH];
    assert_int_equal(scratch_find(in(engine->copy, "wal"), ".log", path, NULL), 3);
    snprintf(kept, sizeof kept, "%s", in(engine->folder, "kept"));
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
    fill_chain(engine);
    engine_crash(engine);
    engine_close(engine);
    engine_use_copy(engine);
    char path[SCRATCH_PATH];
    scratch_find(in(engine->copy, "wal"), ".log", path, NULL);
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
    fill_chain(engine);
    engine_crash(engine);
    engine_close(engine);
    engine_use_copy(engine);
    char path[SCRATCH_PATH];
    scratch_find(in(engine->copy, "wal"), ".log", path, NULL);
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
    assert_int_equal(count_files(engine->copy, "wal", ".log"), 0);
}

/* ---- missing files */

/* Removes each file of the copy in turn. */
static void check_each_file_removed(struct engine *engine, const char *sub, const char *part,
                                    const char *kept) {
    char path[SCRATCH_PATH], folder[SCRATCH_PATH];
    snprintf(folder, sizeof folder, "%s", in(engine->copy, sub));
    size_t files = scratch_find(folder, part, NULL, NULL);
    assert_true(files > 0);
    for (size_t i = 0; i < files; i++) {
        scratch_copy(kept, engine->copy);
        /* The i-th by name: the others are moved out of sight first, and back again. */
        for (size_t skip = 0; skip <= i; skip++) {
            scratch_find(folder, part, path, NULL);
            if (skip < i)
                remove_file(path);
        }
        scratch_copy(kept, engine->copy);
        remove_file(path);
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
    const char *contents = fill_chain(engine);
    engine_crash(engine);
    engine_close(engine);
    engine_use_copy(engine);
    char kept[SCRATCH_PATH];
    snprintf(kept, sizeof kept, "%s", in(engine->folder, "kept"));
    scratch_copy(engine->copy, kept);
    check_each_file_removed(engine, "wal", ".log", kept);
    check_each_file_removed(engine, "sst", ".sst", kept);
    check_each_file_removed(engine, ".", "CURRENT", kept);
    check_each_file_removed(engine, ".", "MANIFEST-", kept);
    remove_file(in(engine->copy, "LOCK")); /* nobody misses that one */
    engine_open(engine);
    char whole[1024];
    snprintf(whole, sizeof whole, "%s t@1=table t@2=table", contents);
    engine_assert_contents(engine, whole);
}

static void the_last_edit_cannot_be_lost_unnoticed(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "one");
    engine_flush(engine); /* an edit: a table, and another log */
    for (int closed = 0; closed < 2; closed++) {
        engine_crash(engine);
        engine_close(engine);
        engine_use_copy(engine);
        char path[SCRATCH_PATH];
        size_t size;
        assert_int_equal(scratch_find(engine->copy, "MANIFEST-", NULL, path), 1);
        uint8_t *bytes = scratch_read(path, &size);
        bytes[size - 1] ^= 1;
        scratch_write(path, bytes, size);
        free(bytes);
        engine_assert_open_fails(engine, FLOWDB_CORRUPTION, "missing");
        /* The same for the edit of a clean close. */
        engine_use_original(engine);
        engine_open(engine);
        if (closed == 0) {
            engine_close(engine);
            scratch_copy(engine->data, engine->copy);
            engine_use_copy(engine);
            scratch_find(engine->copy, "MANIFEST-", NULL, path);
            bytes = scratch_read(path, &size);
            bytes[size - 1] ^= 1;
            scratch_write(path, bytes, size);
            free(bytes);
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
    engine_crash(engine);
    engine_close(engine);
    engine_use_copy(engine);
    engine->config.read_only = true;
    char manifest[SCRATCH_PATH];
    scratch_find(engine->copy, "MANIFEST-", NULL, manifest);
    for (int which = 0; which < 2; which++) {
        const char *path = which == 0 ? manifest : in(engine->copy, "CURRENT");
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
    fill_chain(engine);
    engine_crash(engine);
    engine_close(engine);
    engine_use_copy(engine);
    char first[SCRATCH_PATH], last[SCRATCH_PATH];
    scratch_find(in(engine->copy, "wal"), ".log", first, last);
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

/* A chain is one where each log names the one before it as well. */
static void a_log_of_another_chain_is_corruption(void **state) {
    struct engine *engine = *state;
    fill_chain(engine);
    engine_crash(engine);
    engine_close(engine);
    engine_use_copy(engine);
    char path[SCRATCH_PATH];
    scratch_find(in(engine->copy, "wal"), ".log", NULL, path);
    uint64_t id = strtoull(strrchr(path, '/') + 1, NULL, 10);
    remove_file(path);
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
    engine_crash(engine);
    engine_close(engine);
    engine_use_copy(engine);
    char path[SCRATCH_PATH];
    scratch_find(in(engine->copy, "wal"), ".log", NULL, path);
    uint64_t id = strtoull(strrchr(path, '/') + 1, NULL, 10);
    for (size_t i = 0; i < 3; i++) {
        remove_file(path);
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
    engine_crash(engine); /* in a log */
    engine_close(engine);
    engine_use_copy(engine);
    remove_file(in(engine->copy, "CURRENT"));
    engine_assert_open_fails(engine, FLOWDB_CORRUPTION, "CURRENT is missing");
    engine->config.create_if_missing = false;
    engine_assert_open_fails(engine, FLOWDB_CORRUPTION, "CURRENT is missing");
    engine->config.create_if_missing = true;
    scratch_copy(engine->data, engine->copy); /* in a table */
    remove_file(in(engine->copy, "CURRENT"));
    engine_assert_open_fails(engine, FLOWDB_CORRUPTION, "CURRENT is missing");
}

/* ---- leftovers and names */

static void leftovers_go_and_what_is_not_ours_stays(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "one");
    engine_flush(engine);
    engine_put(engine, "a", 2, "two");
    engine_crash(engine);
    engine_close(engine);
    engine_use_copy(engine);
    static const char *const leftovers[] = {"sst/000900.sst", "MANIFEST-000800", "CURRENT.tmp"};
    static const char *const others[] = {
        "notes.txt",        "sst/000900.sst.old", "wal/12.log",
        "wal/0000123.log",  "sst/x00001.sst",     "MANIFEST-",
        "MANIFEST-0000123", "sst/0000123.sst",    "wal/00000000000000000000000001.log"};
    for (size_t i = 0; i < sizeof leftovers / sizeof leftovers[0]; i++)
        scratch_write(in(engine->copy, leftovers[i]), "garbage", 7);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        scratch_write(in(engine->copy, others[i]), "precious", 8);
    /* A log that was created when the process died, before the seal that would name it. */
    scratch_write(in(engine->copy, "wal/000850.log"), "", 0);
    engine_open(engine);
    engine_assert_contents(engine, "a@1=one a@2=two");
    for (size_t i = 0; i < sizeof leftovers / sizeof leftovers[0]; i++)
        assert_false(scratch_exists(in(engine->copy, leftovers[i])));
    assert_false(scratch_exists(in(engine->copy, "wal/000850.log")));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_true(scratch_exists(in(engine->copy, others[i])));
    /* No number of theirs is given to another file. */
    char path[SCRATCH_PATH];
    scratch_find(in(engine->copy, "wal"), "0009", NULL, path);
    assert_true(strtoull(strrchr(path, '/') + 1, NULL, 10) > 900);
}

/* The numbers of all files that were created, whatever became of them. */
struct numbers {
    bool seen[4096];
    unsigned again;
};

static void note_number(void *context, enum fault_op op, const char *path) {
    struct numbers *numbers = context;
    uint64_t id;
    if (op != FAULT_CREATE || fl_engine_parse_name(strrchr(path, '/') + 1, &id) == FL_FILE_OTHER)
        return;
    assert_true(id < 4096);
    numbers->again += numbers->seen[id];
    numbers->seen[id] = true;
}

static void no_number_is_used_twice_in_any_life(void **state) {
    struct engine *engine = *state;
    struct seeded seeded = seeded_begin("file numbers");
    struct numbers numbers = {0};
    engine->fault.hook = note_number;
    engine->fault.hook_context = &numbers;
    engine_open(engine);
    for (int64_t i = 0; i < 150; i++) {
        switch (seeded_below(&seeded, 8)) {
        case 0:
            engine_flush(engine);
            break;
        case 1:
            engine_reopen(engine);
            break;
        case 2:
            engine_go_on_after_crash(engine);
            break;
        case 3: /* the file with the largest number goes: a table of which nothing is left, */
            engine_delete_range(engine, "a", "b");
            engine_assert_ok(flowdb_compact_all(engine->db));
            break;
        case 4: /* or a log that was made ahead */
            assert_int_equal(fl_engine_step(engine->db, FL_JOB_LOG), FLOWDB_DONE);
            break;
        default:
            engine_put(engine, "a", i, "x");
        }
    }
    assert_int_equal(numbers.again, 0);
    engine->fault.hook = NULL;
}

static void sequence_numbers_go_on_behind_all_that_there_are(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    char value[16];
    for (int i = 0; i < 40; i++) {
        snprintf(value, sizeof value, "%d", i);
        engine_put(engine, "a", 1, value);
        char expected[32];
        snprintf(expected, sizeof expected, "a@1=%d", i);
        if (i % 3 == 0)
            engine_flush(engine);
        if (i % 5 == 0)
            engine_go_on_after_crash(engine);
        if (i % 7 == 0)
            engine_reopen(engine);
        engine_assert_contents(engine, expected);
    }
    assert_int_equal(engine->db->next_seq, 41);
    /* Nor do they come again when nothing is left that has them. */
    engine_delete_range(engine, "", "");
    engine_assert_ok(flowdb_compact_all(engine->db));
    assert_int_equal(count_files(engine->config.data_dir, "sst", ".sst"), 0);
    engine_reopen(engine);
    assert_int_equal(engine->db->next_seq, 42);
}

/* ---- read-only */

static void a_read_only_open_writes_nothing(void **state) {
    struct engine *engine = *state;
    const char *contents = fill_chain(engine);
    engine_crash(engine);
    engine_close(engine);
    engine_use_copy(engine);
    engine->config.read_only = true;
    uint64_t before = scratch_fingerprint(engine->copy);
    memset(engine->fault.counts, 0, sizeof engine->fault.counts);
    for (int i = 0; i < 2; i++) {
        engine_open(engine);
        engine_assert_contents(engine, contents);
        flowdb_record record = {.key = flowdb_str("k"), .expire_at = FLOWDB_NEVER};
        assert_int_equal(flowdb_write(engine->db, &record, 1), FLOWDB_READ_ONLY);
        assert_int_equal(flowdb_flush(engine->db), FLOWDB_READ_ONLY);
        assert_int_equal(flowdb_sync(engine->db), FLOWDB_READ_ONLY);
        engine_close(engine);
    }
    static const enum fault_op writing[] = {
        FAULT_CREATE, FAULT_WRITE,  FAULT_SYNC, FAULT_TRUNCATE, FAULT_ALLOCATE, FAULT_CREATE_DIR,
        FAULT_REMOVE, FAULT_RENAME, FAULT_LINK, FAULT_SYNC_DIR, FAULT_LOCK};
    for (size_t i = 0; i < sizeof writing / sizeof writing[0]; i++)
        assert_int_equal(engine->fault.counts[writing[i]], 0);
    assert_true(scratch_fingerprint(engine->copy) == before);
    engine->config.read_only = false;
    engine_open(engine);
    engine_assert_contents(engine, contents);
}

/* Beside the writer it sees what was committed when it was opened. */
static void a_read_only_open_sees_what_a_running_writer_has_committed(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "table");
    engine_flush(engine);
    engine_put(engine, "a", 2, "log");
    flowdb_config config = engine->config;
    config.read_only = true;
    flowdb *writer = engine->db, *reader;
    engine_assert_ok(fl_engine_open(&config, &engine->env, &reader));
    engine_put(engine, "a", 3, "later");
    engine_flush(engine);
    engine->db = reader;
    engine_assert_contents(engine, "a@1=table a@2=log");
    engine->db = writer;
    engine_assert_ok(flowdb_close(reader));
    engine_assert_contents(engine, "a@1=table a@2=log a@3=later");
}

/* A writer removes a log between the reader's look at the folder and its look into the log. */
static void remove_before_open(void *context, enum fault_op op, const char *path) {
    const char *name = context;
    if (op == FAULT_OPEN && strstr(path, name) != NULL && scratch_exists(path))
        remove_file(path);
}

static void a_read_only_open_looks_again_when_a_file_has_gone(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "one");
    engine_crash(engine);
    engine_close(engine);
    engine_use_copy(engine);
    scratch_write(in(engine->copy, "wal/000850.log"), "", 0);
    engine->config.read_only = true;
    engine->fault.hook = remove_before_open;
    engine->fault.hook_context = (void *)(uintptr_t) "000850.log";
    engine_open(engine);
    engine->fault.hook = NULL;
    assert_false(scratch_exists(in(engine->copy, "wal/000850.log")));
    engine_assert_contents(engine, "a@1=one");
    engine_close(engine);
    /* Where there is no database it says so. */
    engine->config.data_dir = in(engine->folder, "nowhere");
    engine_assert_open_fails(engine, FLOWDB_NOT_FOUND, "nowhere");
}

/* ---- the clock */

static void set_clock(struct engine *engine, int64_t wall_us) {
    atomic_store(&engine->clock.wall_us, wall_us);
}

static void time_never_runs_backwards_in_one_life(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put_until(engine, "a", 1, ENGINE_NOW + ENGINE_HOUR, "soon");
    engine_put_until(engine, "b", 1, ENGINE_NOW + 2 * ENGINE_HOUR, "later");
    engine_assert_contents(engine, "a@1=soon b@1=later");
    set_clock(engine, ENGINE_NOW + ENGINE_HOUR);
    engine_assert_contents(engine, "b@1=later");
    set_clock(engine, ENGINE_NOW - 10 * ENGINE_YEAR);
    engine_assert_contents(engine, "b@1=later");
    engine_flush(engine);
    engine_assert_contents(engine, "b@1=later");
    engine_put_until(engine, "c", 1, ENGINE_NOW, "past"); /* expired when it is written */
    engine_assert_contents(engine, "b@1=later");
}

/* Up to a day the stored time is believed: what has expired stays so. */
static void a_clock_that_is_set_back_by_hours_brings_nothing_back(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put_until(engine, "a", 1, ENGINE_NOW + ENGINE_HOUR, "soon");
    engine_put(engine, "b", 1, "for ever");
    set_clock(engine, ENGINE_NOW + ENGINE_DAY);
    engine_assert_contents(engine, "b@1=for ever");
    engine_close(engine);
    set_clock(engine, ENGINE_NOW);
    engine_open(engine);
    assert_int_equal(engine->warnings, 0);
    engine_assert_contents(engine, "b@1=for ever");
    engine_go_on_after_crash(engine);
    engine_assert_contents(engine, "b@1=for ever");
}

/* A year is no time that passed: it is logged and ignored, and no data is lost by it. */
static void a_clock_that_was_a_year_ahead_costs_no_data(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put_until(engine, "a", 1, ENGINE_NOW + ENGINE_HOUR, "log");
    engine_put_until(engine, "b", 1, ENGINE_NOW + ENGINE_HOUR, "table");
    engine_flush(engine);
    engine_put_until(engine, "a", 1, ENGINE_NOW + ENGINE_HOUR, "log again");
    set_clock(engine, ENGINE_NOW + ENGINE_YEAR);
    engine_assert_contents(engine, "");
    engine_reopen(engine); /* with the wrong clock, too */
    engine_assert_contents(engine, "");
    engine_put(engine, "c", 1, "written then");
    engine_flush(engine);
    engine_close(engine);
    set_clock(engine, ENGINE_NOW);
    engine_open(engine);
    assert_int_equal(engine->warnings, 1);
    assert_non_null(strstr(engine->last_warning, "ahead of the clock"));
    engine_assert_contents(engine, "a@1=log again b@1=table c@1=written then");
    /* The wrong time is forgotten. */
    engine_reopen(engine);
    assert_int_equal(engine->warnings, 1);
    engine_assert_contents(engine, "a@1=log again b@1=table c@1=written then");
}

static void the_furthest_times_are_no_overflow(void **state) {
    struct engine *engine = *state;
    static const int64_t times[] = {INT64_MAX, INT64_MIN, 0, INT64_MAX - 1, INT64_MIN + 1};
    engine_open(engine);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        set_clock(engine, times[i]);
        engine_put(engine, "a", (int64_t)i, "x");
        engine_reopen(engine);
        engine_go_on_after_crash(engine);
    }
    engine_assert_contents(engine, "a@0=x a@1=x a@2=x a@3=x a@4=x");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(what_a_log_holds_is_found_again_after_a_kill),
        ENGINE_TEST(a_kill_costs_buffered_writes_from_the_end_only),
        ENGINE_TEST(a_chain_of_logs_is_read_to_its_end),
        ENGINE_TEST(tables_and_logs_come_together),
        ENGINE_TEST(the_manifest_of_a_clean_close_names_no_log),
        ENGINE_TEST(a_kill_before_anything_was_written_leaves_an_empty_database),
        ENGINE_TEST(a_batch_torn_at_any_byte_is_not_there_at_all),
        ENGINE_TEST(a_torn_log_is_reported_with_its_place),
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
        ENGINE_TEST(leftovers_go_and_what_is_not_ours_stays),
        ENGINE_TEST(no_number_is_used_twice_in_any_life),
        ENGINE_TEST(sequence_numbers_go_on_behind_all_that_there_are),
        ENGINE_TEST(a_read_only_open_writes_nothing),
        ENGINE_TEST(a_read_only_open_sees_what_a_running_writer_has_committed),
        ENGINE_TEST(a_read_only_open_looks_again_when_a_file_has_gone),
        ENGINE_TEST(time_never_runs_backwards_in_one_life),
        ENGINE_TEST(a_clock_that_is_set_back_by_hours_brings_nothing_back),
        ENGINE_TEST(a_clock_that_was_a_year_ahead_costs_no_data),
        ENGINE_TEST(the_furthest_times_are_no_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
