/*
 * The logs in tests/format/wal: 000003.log, sealed, and 000004.log, which ends in a torn frame.
 *
 *     unit_wal_golden --write FOLDER     makes them
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/entry.h"
#include "support/golden.h"
#include "wal/wal_reader.h"
#include "wal/wal_writer.h"

/* ---- what they hold */

struct entry {
    enum fl_op op;
    const char *key;
    size_t key_size;
    int64_t ts, expire_at;
    const char *value;
    size_t value_size;
};

#define BYTES(literal) literal, sizeof(literal) - 1

static const struct entry entries[] = {
    {FL_OP_PUT, BYTES("boiler.temp"), 1700000000000000, FLOWDB_NEVER, BYTES("71.5")},
    {FL_OP_PUT, BYTES("boiler.temp"), 1700000001000000, 1700003600000000, BYTES("71.6")},
    {FL_OP_PUT, BYTES("\0\xFF\x80"), INT64_MIN, FLOWDB_NEVER, BYTES("")},
    {FL_OP_DELETE, BYTES("boiler.temp"), 1700000000000000, FLOWDB_NEVER, BYTES("")},
    {FL_OP_DELETE_RANGE, BYTES("cellar."), 0, 0, BYTES("cellar/")},
    {FL_OP_PUT, BYTES("k"), INT64_MAX, -1, BYTES("\0\1\2\3")},
    {FL_OP_DELETE_RANGE, BYTES(""), 0, 0, BYTES("")},
    {FL_OP_PUT, BYTES("after"), -1, FLOWDB_NEVER, BYTES("the seal")},
    {FL_OP_PUT, BYTES("torn"), 0, FLOWDB_NEVER, BYTES("never to be seen again")},
};

static const struct frame {
    uint64_t log;
    size_t first, count; /* of the entries */
    uint64_t first_seq;
    struct fl_wal_position durable;
} frames[] = {
    {3, 0, 1, 101, {0, 0}},  {3, 1, 4, 102, {3, 32}}, {3, 5, 2, 106, {3, 143}},
    {4, 7, 1, 108, {4, 32}}, {4, 8, 1, 109, {4, 32}}, /* the torn one */
};
enum { FRAMES = sizeof frames / sizeof frames[0], WHOLE = FRAMES - 1 };

/* Of the zeros that follow the frames. */
enum { ZEROS = 64 };

/* ---- writing them */

static size_t encode(const struct frame *frame, uint8_t *bytes) {
    uint8_t *at = bytes + FL_WAL_FRAME_HEADER;
    for (size_t i = frame->first; i < frame->first + frame->count; i++) {
        const struct entry *entry = &entries[i];
        at = fl_entry_put(at, entry->op, flowdb_bytes(entry->key, entry->key_size), entry->ts,
                          entry->expire_at, flowdb_bytes(entry->value, entry->value_size));
    }
    return (size_t)(at - bytes) - FL_WAL_FRAME_HEADER;
}

/* Writes all frames of one log. The last frame of log 4 is cut in the middle of its payload. */
static void write_log(const struct fl_env *env, const char *folder, uint64_t id) {
    const char *path = scratch_in(folder, id == 3 ? "000003.log" : "000004.log");
    struct fl_wal_writer *writer;
    assert_int_equal(fl_wal_create(env, path, id, id == 3 ? 0 : 3, 0, &writer), FLOWDB_OK);
    uint64_t end = 0;
    for (size_t i = 0; i < FRAMES; i++) {
        uint8_t bytes[1024];
        if (frames[i].log != id)
            continue;
        size_t size = encode(&frames[i], bytes);
        struct fl_wal_frame_info info = {.payload_size = size,
                                         .payload_sum =
                                             fl_wal_payload_sum(bytes + FL_WAL_FRAME_HEADER, size),
                                         .first_seq = frames[i].first_seq,
                                         .count = (uint32_t)frames[i].count,
                                         .durable = frames[i].durable};
        assert_int_equal(fl_wal_append(writer, bytes, &info, i % 2 == 1), FLOWDB_OK);
        assert_int_equal(fl_wal_drain(writer), FLOWDB_OK);
        end = fl_wal_offset(writer) - (i < WHOLE ? 0 : size / 2);
    }
    if (id == 3) {
        assert_int_equal(fl_wal_seal(writer, 4, &frames[2].durable), FLOWDB_OK);
        end = fl_wal_offset(writer);
    }
    fl_wal_close(writer);
    size_t size;
    uint8_t *bytes = scratch_read(path, &size);
    assert_true(size >= end + ZEROS);
    memset(bytes + end, 0, size - end);
    scratch_write(path, bytes, end + ZEROS);
    free(bytes);
}

static void write_logs(const char *folder) {
    struct fl_env env = {
        .alloc = fl_alloc_system(), .clock = fl_clock_system(), .fs = fl_fs_posix()};
    write_log(&env, folder, 3);
    write_log(&env, folder, 4);
}

/* ---- reading them */

static void check_entries(const struct frame *frame, const struct fl_wal_frame *found) {
    assert_true(found->first_seq == frame->first_seq);
    assert_int_equal(found->count, frame->count);
    const uint8_t *at = found->entries;
    for (size_t i = frame->first; i < frame->first + frame->count; i++) {
        const struct entry *entry = &entries[i];
        assert_int_equal(fl_entry_op(at), entry->op);
        assert_true(fl_entry_ts(at) == entry->ts && fl_entry_expire_at(at) == entry->expire_at);
        assert_true(fl_slice_equal(fl_entry_key(at), flowdb_bytes(entry->key, entry->key_size)));
        assert_true(
            fl_slice_equal(fl_entry_value(at), flowdb_bytes(entry->value, entry->value_size)));
        at += fl_entry_size(at);
    }
    assert_ptr_equal(at, found->entries + found->size);
}

static void golden_logs_are_read_as_they_were_written(void **state) {
    (void)state;
    struct fl_env env = {
        .alloc = fl_alloc_system(), .clock = fl_clock_system(), .fs = fl_fs_posix()};
    struct fl_chunk_pool pool;
    fl_chunk_pool_init(&pool, env.alloc, 64 << 10, 1);
    size_t next = 0;
    for (uint64_t id = 3; id <= 4; id++) {
        struct fl_wal_reader reader;
        struct fl_wal_frame found;
        const char *path = golden_path(id == 3 ? "wal/000003.log" : "wal/000004.log");
        assert_int_equal(fl_wal_reader_open(&env, &pool, path, id, &reader), FLOWDB_OK);
        assert_non_null(reader.chunk);
        assert_true(reader.previous == (id == 3 ? 0 : 3));
        flowdb_status status;
        while ((status = fl_wal_reader_next(&reader, &found)) == FLOWDB_OK) {
            assert_true(next < WHOLE && frames[next].log == id);
            check_entries(&frames[next++], &found);
        }
        assert_int_equal(status, FLOWDB_DONE);
        assert_int_equal(reader.sealed, id == 3);
        assert_int_equal(reader.torn, id == 4);
        assert_true(id == 4 || reader.next_log == 4);
        /* The second frame of the first log declares the file's header, the third 143 bytes. */
        struct fl_wal_position position = {.log = 3, .offset = 142};
        assert_true(fl_wal_reader_declares(&reader, FL_WAL_FILE_HEADER, &position));
        position.offset = 143;
        assert_int_equal(fl_wal_reader_declares(&reader, FL_WAL_FILE_HEADER, &position), id == 4);
        fl_wal_reader_close(&reader);
    }
    assert_int_equal(next, WHOLE);
    fl_chunk_pool_deinit(&pool);
}

static void what_is_written_today_is_what_was_written_then(void **state) {
    (void)state;
    char folder[SCRATCH_PATH];
    scratch_create(folder);
    write_logs(folder);
    golden_assert_same(scratch_in(folder, "000003.log"), "wal/000003.log");
    golden_assert_same(scratch_in(folder, "000004.log"), "wal/000004.log");
    scratch_remove(folder);
}

int main(int count, char **arguments) {
    if (count == 3 && strcmp(arguments[1], "--write") == 0) {
        write_logs(arguments[2]);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_logs_are_read_as_they_were_written),
        cmocka_unit_test(what_is_written_today_is_what_was_written_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
