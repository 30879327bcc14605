/* Logs written and read back. */
#include "log_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/entry.h"

static const struct fl_wal_position nowhere = {0};

static void frames_come_back_in_order(void **state) {
    struct log_fixture *log = *state;
    struct seeded seeded = seeded_begin("wal frames");
    log_create(log);
    assert_int_equal(fl_wal_id(log->writer), LOG_ID);
    for (int i = 0; i < 100; i++)
        log_append(log, 1 + seeded_below(&seeded, 20), seeded_below(&seeded, 300), nowhere);
    assert_int_equal(fl_wal_written(log->writer), fl_wal_offset(log->writer));
    log_check(log, false);
    /* Larger than what is zeroed ahead at a time, and than a chunk. */
    log_append(log, 3, 300000, nowhere);
    log_append(log, 1, 0, nowhere);
    log_append(log, 1, FL_VALUE_MAX, nowhere);
    log_append(log, 1, 1, nowhere);
    log_check(log, false);
}

static void an_empty_log_has_no_frames(void **state) {
    struct log_fixture *log = *state;
    log_create(log);
    struct fl_wal_reader reader;
    size_t frames;
    assert_int_equal(log_read(log, log->path, &frames, &reader), FLOWDB_OK);
    assert_int_equal(frames, 0);
    assert_true(reader.chunk != NULL && !reader.torn && !reader.sealed);
    assert_int_equal(reader.previous, LOG_ID - 1);
    assert_int_equal(reader.offset, FL_WAL_FILE_HEADER);
    fl_wal_reader_close(&reader);
    fl_wal_reader_close(&reader); /* safe twice */
}

static void a_log_begins_as_its_page_says(void **state) {
    struct log_fixture *log = *state;
    log_create(log);
    log_append(log, 2, 5, (struct fl_wal_position){.log = 9, .offset = 4096});
    size_t size;
    uint8_t *bytes = log_bytes(log, &size);
    assert_memory_equal(bytes, "FLOWWAL\x01", 8);
    assert_memory_equal(bytes + 8, "\x0C\0\0\0\0\0\0\0\x0B\0\0\0\0\0\0\0", 16);
    assert_true(fl_get_u64(bytes + 24) == fl_checksum(bytes, 24, LOG_ID, 0));
    const uint8_t *frame = bytes + 32;
    size_t payload = 2 * (24 + 8 + 5);
    assert_true(fl_get_u64(frame) == fl_checksum(frame + 8, 64, LOG_ID, 32));
    assert_true(fl_get_u64(frame + 8) == fl_checksum(frame + 72, payload, 0, 0));
    assert_int_equal(fl_get_u32(frame + 16), payload);
    assert_memory_equal(frame + 20, "\x48\0\x01\0", 4);
    assert_true(fl_get_u64(frame + 24) == LOG_ID && fl_get_u64(frame + 32) == 32);
    assert_true(fl_get_u64(frame + 40) == 1);
    assert_memory_equal(frame + 48, "\x02\0\0\0\0\0\0\0", 8);
    assert_true(fl_get_u64(frame + 56) == 9 && fl_get_u64(frame + 64) == 4096);
    assert_int_equal(size, 32 + 72 + payload);
    free(bytes);
}

static void zeros_behind_the_frames_are_no_tear(void **state) {
    struct log_fixture *log = *state;
    log_create(log);
    log_append(log, 1, 10, nowhere);
    uint64_t size = 0;
    struct fl_file *file;
    assert_int_equal(fl_fs_open(log->env.fs, log->path, FL_OPEN_READ, &file), FLOWDB_OK);
    assert_int_equal(fl_file_size(file, &size), FLOWDB_OK);
    fl_file_close(file);
    assert_true(size > fl_wal_offset(log->writer)); /* written ahead */
    log_check(log, false);
}

static void a_seal_names_the_next_log_and_ends_this_one(void **state) {
    struct log_fixture *log = *state;
    log_create(log);
    log_append(log, 3, 10, nowhere);
    assert_int_equal(fl_wal_seal(log->writer, 77, &nowhere), FLOWDB_OK);
    struct fl_wal_reader reader;
    size_t frames;
    assert_int_equal(log_read(log, log->path, &frames, &reader), FLOWDB_OK);
    assert_int_equal(frames, 1);
    assert_true(reader.sealed && reader.next_log == 77 && !reader.torn);
    assert_int_equal(reader.offset, fl_wal_offset(log->writer));
    struct fl_wal_frame frame;
    assert_int_equal(fl_wal_reader_next(&reader, &frame), FLOWDB_DONE);
    fl_wal_reader_close(&reader);
}

static void what_follows_a_seal_is_not_read(void **state) {
    struct log_fixture *log = *state;
    log_create(log);
    log_append(log, 1, 10, nowhere);
    assert_int_equal(fl_wal_seal(log->writer, 77, &nowhere), FLOWDB_OK);
    log_append(log, 1, 10, nowhere); /* the engine never does */
    struct fl_wal_reader reader;
    size_t frames;
    assert_int_equal(log_read(log, log->path, &frames, &reader), FLOWDB_OK);
    assert_int_equal(frames, 1);
    assert_true(reader.sealed);
    struct fl_wal_frame frame;
    assert_int_equal(fl_wal_reader_next(&reader, &frame), FLOWDB_DONE);
    assert_false(reader.torn);
    fl_wal_reader_close(&reader);
}

/* ---------------------------------------------------------------------------------- buffer -- */

static size_t frames_on_disk(struct log_fixture *log) {
    size_t frames;
    assert_int_equal(log_read(log, log->path, &frames, NULL), FLOWDB_OK);
    return frames;
}

static void append_buffered(struct log_fixture *log, uint32_t entries, size_t value_size) {
    struct log_frame frame = log_make_frame(log, entries, value_size);
    assert_int_equal(log_append_frame(log, &frame, nowhere, true), FLOWDB_OK);
}

static void buffered_frames_wait_for_a_drain(void **state) {
    struct log_fixture *log = *state;
    log_create(log);
    for (int i = 0; i < 10; i++)
        append_buffered(log, 2, 20);
    assert_int_equal(fl_wal_written(log->writer), FL_WAL_FILE_HEADER);
    assert_int_equal(frames_on_disk(log), 0);
    assert_int_equal(fl_wal_drain(log->writer), FLOWDB_OK);
    assert_int_equal(fl_wal_written(log->writer), fl_wal_offset(log->writer));
    log_check(log, false);
    assert_int_equal(fl_wal_drain(log->writer), FLOWDB_OK); /* nothing to do */
    append_buffered(log, 1, 1);
    assert_int_equal(frames_on_disk(log), 10);
    assert_int_equal(fl_wal_seal(log->writer, 13, &nowhere), FLOWDB_OK); /* drains */
    assert_int_equal(frames_on_disk(log), 11);
}

static void the_buffer_drains_when_it_is_full(void **state) {
    struct log_fixture *log = *state;
    log_create(log);
    for (int i = 0; i < 40; i++) {
        append_buffered(log, 1, 10000);
        assert_true(fl_wal_offset(log->writer) - fl_wal_written(log->writer) <= 256 << 10);
    }
    assert_true(frames_on_disk(log) >= 15);
    /* Small frames all over memory: as many as fit, whatever their number. */
    for (int i = 0; i < 1300; i++)
        append_buffered(log, 1, 1);
    assert_true(frames_on_disk(log) >= 40);
    assert_int_equal(fl_wal_drain(log->writer), FLOWDB_OK);
    log_check(log, false);
}

static void a_frame_larger_than_the_buffer_goes_behind_what_waits(void **state) {
    struct log_fixture *log = *state;
    log_create(log);
    append_buffered(log, 1, 10);
    append_buffered(log, 1, 300000);
    assert_int_equal(frames_on_disk(log), 2);
    append_buffered(log, 1, 10);
    assert_int_equal(frames_on_disk(log), 2);
    log_append(log, 1, 10, nowhere); /* unbuffered: drains as well */
    log_check(log, false);
}

static void frames_that_lie_together_in_memory_are_drained_as_one_part(void **state) {
    struct log_fixture *log = *state;
    log_create(log);
    enum { FRAMES = 2000, SIZE = 72 + 24 + 8 };
    uint8_t *together = malloc((size_t)FRAMES * SIZE);
    for (size_t i = 0; i < FRAMES; i++) {
        struct log_frame frame = log_make_frame(log, 1, 0);
        assert_int_equal(frame.size, SIZE);
        memcpy(together + i * SIZE, frame.bytes, SIZE);
        uint8_t *own = frame.bytes;
        frame.bytes = together + i * SIZE;
        assert_int_equal(log_append_frame(log, &frame, nowhere, true), FLOWDB_OK);
        log->frames[i].bytes = own;
    }
    /* Far more than there is room for parts, and none of them had to be drained. */
    assert_int_equal(fl_wal_written(log->writer), FL_WAL_FILE_HEADER);
    assert_int_equal(fl_wal_drain(log->writer), FLOWDB_OK);
    log_check(log, false);
    free(together);
}

/* -------------------------------------------------------------------- what is not accepted -- */

static void write_at(struct log_fixture *log, uint64_t offset, const void *bytes, size_t size) {
    struct fl_file *file;
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    assert_int_equal(fl_fs_open(log->env.fs, log->path, FL_OPEN_WRITE, &file), FLOWDB_OK);
    assert_int_equal(fl_file_write_at(file, offset, &part, 1), FLOWDB_OK);
    fl_file_close(file);
}

static void a_newer_version_is_unsupported(void **state) {
    struct log_fixture *log = *state;
    log_create(log);
    log_append(log, 1, 10, nowhere);
    uint8_t header[FL_WAL_FILE_HEADER];
    size_t size;
    uint8_t *bytes = log_bytes(log, &size);
    memcpy(header, bytes, sizeof header);
    free(bytes);
    header[7] = FL_WAL_VERSION + 1;
    fl_put_u64(header + 24, fl_checksum(header, 24, LOG_ID, 0));
    write_at(log, 0, header, sizeof header);
    size_t frames;
    assert_int_equal(log_read(log, log->path, &frames, NULL), FLOWDB_UNSUPPORTED);
    assert_non_null(strstr(flowdb_last_error(), log->path));
}

static void a_log_under_another_number_is_not_that_log(void **state) {
    struct log_fixture *log = *state;
    log_create(log);
    log_append(log, 1, 10, nowhere);
    struct fl_wal_reader reader;
    assert_int_equal(fl_wal_reader_open(&log->env, &log->pool, log->path, LOG_ID + 1, &reader),
                     FLOWDB_OK);
    assert_null(reader.chunk);
    struct fl_wal_frame frame;
    assert_int_equal(fl_wal_reader_next(&reader, &frame), FLOWDB_DONE);
    assert_false(fl_wal_reader_declares(&reader, 0, &nowhere));
    fl_wal_reader_close(&reader);
}

static void a_frame_of_another_log_or_place_is_not_read(void **state) {
    struct log_fixture *log = *state;
    log_create(log);
    log_append(log, 1, 10, nowhere);
    struct log_frame first = log->frames[0];
    /* A second copy of the first frame, where the second would lie. */
    write_at(log, fl_wal_offset(log->writer), first.bytes, first.size);
    log_check(log, true);
    /* The frame that another log had at that place. */
    char path[SCRATCH_PATH];
    snprintf(path, sizeof path, "%s", scratch_in(log->folder, "other.log"));
    struct fl_wal_writer *mine = log->writer, *other;
    assert_int_equal(fl_wal_create(&log->env, path, LOG_ID + 1, 0, 0, &other), FLOWDB_OK);
    log->writer = other;
    log_append(log, 1, 10, nowhere);
    log_append(log, 1, 10, nowhere);
    log->writer = mine;
    write_at(log, log->frames[2].offset, log->frames[2].bytes, log->frames[2].size);
    fl_wal_close(other);
    free(log->frames[1].bytes);
    free(log->frames[2].bytes);
    log->frame_count = 1;
    log_check(log, true);
}

/* Puts a frame whose checksums are right at the log's end. */
static void forge(struct log_fixture *log, uint8_t *frame, size_t header_size,
                  size_t payload_size) {
    uint64_t offset = fl_wal_offset(log->writer);
    fl_put_u64(frame + FL_FRAME_PAYLOAD_SUM, fl_wal_payload_sum(frame + header_size, payload_size));
    fl_put_u32(frame + FL_FRAME_PAYLOAD_SIZE, (uint32_t)payload_size);
    fl_put_u16(frame + FL_FRAME_HEADER_SIZE, (uint16_t)header_size);
    fl_put_u64(frame + FL_FRAME_LOG, LOG_ID);
    fl_put_u64(frame + FL_FRAME_OFFSET, offset);
    fl_put_u64(frame + FL_FRAME_SUM, fl_wal_header_sum(frame, header_size, LOG_ID, offset));
    write_at(log, offset, frame, header_size + payload_size);
}

static void a_longer_header_is_read_over(void **state) {
    struct log_fixture *log = *state;
    log_create(log);
    log_append(log, 1, 10, nowhere);
    struct log_frame frame = log_make_frame(log, 2, 7);
    size_t payload = frame.size - FL_WAL_FRAME_HEADER, header = FL_WAL_FRAME_HEADER + 24;
    uint8_t *longer = calloc(1, header + payload);
    longer[FL_FRAME_TYPE] = FL_FRAME_BATCH;
    fl_put_u64(longer + FL_FRAME_FIRST_SEQ, frame.first_seq);
    fl_put_u32(longer + FL_FRAME_COUNT, frame.count);
    memset(longer + FL_WAL_FRAME_HEADER, 0xAB, 24);
    memcpy(longer + header, frame.bytes + FL_WAL_FRAME_HEADER, payload);
    forge(log, longer, header, payload);
    log->frames[log->frame_count++] = frame;
    struct fl_wal_reader reader;
    size_t frames;
    assert_int_equal(log_read(log, log->path, &frames, &reader), FLOWDB_OK);
    assert_int_equal(frames, 2);
    assert_int_equal(reader.offset, fl_wal_offset(log->writer) + header + payload);
    fl_wal_reader_close(&reader);
    free(longer);
}

static void assert_no_sense(struct log_fixture *log) {
    size_t frames;
    assert_int_equal(log_read(log, log->path, &frames, NULL), FLOWDB_CORRUPTION);
    assert_int_equal(frames, 1);
    assert_non_null(strstr(flowdb_last_error(), log->path));
}

static void a_frame_that_verifies_and_makes_no_sense_is_corruption(void **state) {
    struct log_fixture *log = *state;
    log_create(log);
    log_append(log, 1, 10, nowhere);
    uint8_t frame[FL_WAL_FRAME_HEADER + 64] = {0};
    uint8_t *entry = frame + FL_WAL_FRAME_HEADER;
    uint8_t *end = fl_entry_put(entry, FL_OP_PUT, flowdb_str("k"), 1, 2, flowdb_str("v"));
    size_t size = (size_t)(end - entry);
    for (unsigned type = 0; type < 256; type++) {
        frame[FL_FRAME_TYPE] = (uint8_t)type;
        fl_put_u32(frame + FL_FRAME_COUNT, type == FL_FRAME_BATCH ? 2 : 1);
        forge(log, frame, FL_WAL_FRAME_HEADER, type == FL_FRAME_SEAL ? 7 : size);
        assert_no_sense(log);
    }
    frame[FL_FRAME_TYPE] = FL_FRAME_BATCH;
    fl_put_u32(frame + FL_FRAME_COUNT, 0);
    forge(log, frame, FL_WAL_FRAME_HEADER, 0);
    assert_no_sense(log);
    fl_put_u32(frame + FL_FRAME_COUNT, 1);
    forge(log, frame, FL_WAL_FRAME_HEADER, size + 1);
    assert_no_sense(log);
    entry[0] = 9;
    forge(log, frame, FL_WAL_FRAME_HEADER, size);
    assert_no_sense(log);
    fl_entry_put(entry, FL_OP_DELETE_RANGE, flowdb_str("b"), 0, 0, flowdb_str("a"));
    forge(log, frame, FL_WAL_FRAME_HEADER, size);
    assert_no_sense(log);
}

static void a_missing_log_is_not_found(void **state) {
    struct log_fixture *log = *state;
    size_t frames;
    assert_int_equal(log_read(log, log->path, &frames, NULL), FLOWDB_NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        LOG_TEST(frames_come_back_in_order),
        LOG_TEST(an_empty_log_has_no_frames),
        LOG_TEST(a_log_begins_as_its_page_says),
        LOG_TEST(zeros_behind_the_frames_are_no_tear),
        LOG_TEST(a_seal_names_the_next_log_and_ends_this_one),
        LOG_TEST(what_follows_a_seal_is_not_read),
        LOG_TEST(buffered_frames_wait_for_a_drain),
        LOG_TEST(the_buffer_drains_when_it_is_full),
        LOG_TEST(a_frame_larger_than_the_buffer_goes_behind_what_waits),
        LOG_TEST(frames_that_lie_together_in_memory_are_drained_as_one_part),
        LOG_TEST(a_newer_version_is_unsupported),
        LOG_TEST(a_log_under_another_number_is_not_that_log),
        LOG_TEST(a_frame_of_another_log_or_place_is_not_read),
        LOG_TEST(a_longer_header_is_read_over),
        LOG_TEST(a_frame_that_verifies_and_makes_no_sense_is_corruption),
        LOG_TEST(a_missing_log_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
