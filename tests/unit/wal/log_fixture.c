#include "log_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/entry.h"

int log_set_up(void **state) {
    struct log_fixture *log = calloc(1, sizeof *log);
    assert_non_null(log);
    scratch_create(log->folder);
    snprintf(log->path, sizeof log->path, "%s", scratch_in(log->folder, "000012.log"));
    failing_alloc_init(&log->failing);
    fault_fs_init(&log->fault);
    log->env = (struct fl_env){
        .alloc = &log->failing.alloc, .clock = fl_clock_system(), .fs = &log->fault.fs};
    fl_chunk_pool_init(&log->pool, &log->failing.alloc, 64 << 10, 2);
    log->next_seq = 1;
    *state = log;
    return 0;
}

int log_tear_down(void **state) {
    struct log_fixture *log = *state;
    log_start_over(log);
    fl_chunk_pool_deinit(&log->pool);
    scratch_remove(log->folder);
    bool leaked = log->failing.live != 0 || log->fault.open_files != 0;
    if (leaked)
        print_error("%lld allocations and %lld files leaked\n", (long long)log->failing.live,
                    (long long)log->fault.open_files);
    fault_fs_deinit(&log->fault);
    free(log);
    return leaked ? -1 : 0;
}

void log_create(struct log_fixture *log) {
    if (fl_wal_create(&log->env, log->path, LOG_ID, LOG_ID - 1, 1 << 20, &log->writer) != FLOWDB_OK)
        fail_msg("%s", flowdb_last_error());
}

void log_close(struct log_fixture *log) {
    fl_wal_close(log->writer);
    log->writer = NULL;
}

void log_start_over(struct log_fixture *log) {
    log_close(log);
    for (size_t i = 0; i < log->frame_count; i++)
        free(log->frames[i].bytes);
    log->frame_count = 0;
    log->next_seq = 1;
    if (scratch_exists(log->path))
        assert_int_equal(fl_fs_remove(fl_fs_posix(), log->path), FLOWDB_OK);
}

struct log_frame log_make_frame(struct log_fixture *log, uint32_t entries, size_t value_size) {
    struct log_frame frame = {.count = entries, .first_seq = log->next_seq};
    frame.size = FL_WAL_FRAME_HEADER + entries * fl_entry_size_of(8, value_size);
    frame.bytes = malloc(frame.size);
    uint8_t *value = malloc(value_size + 1);
    assert_true(frame.bytes != NULL && value != NULL);
    uint8_t *at = frame.bytes + FL_WAL_FRAME_HEADER;
    for (uint32_t i = 0; i < entries; i++) {
        uint64_t seq = frame.first_seq + i;
        for (size_t v = 0; v < value_size; v++)
            value[v] = (uint8_t)(seq * 31 + v);
        at = fl_entry_put(at, FL_OP_PUT, flowdb_bytes(&seq, 8), (int64_t)seq, FLOWDB_NEVER,
                          flowdb_bytes(value, value_size));
    }
    free(value);
    return frame;
}

flowdb_status log_append_frame(struct log_fixture *log, struct log_frame *frame,
                               struct fl_wal_position durable, bool buffered) {
    size_t payload = frame->size - FL_WAL_FRAME_HEADER;
    struct fl_wal_frame_info info = {
        .payload_size = payload,
        .payload_sum = fl_wal_payload_sum(frame->bytes + FL_WAL_FRAME_HEADER, payload),
        .first_seq = frame->first_seq,
        .count = frame->count,
        .durable = durable};
    frame->offset = fl_wal_offset(log->writer);
    flowdb_status status = fl_wal_append(log->writer, frame->bytes, &info, buffered);
    if (status == FLOWDB_OK) {
        assert_true(log->frame_count < LOG_FRAMES_MAX);
        log->frames[log->frame_count++] = *frame;
        log->next_seq += frame->count;
        assert_int_equal(fl_wal_offset(log->writer), frame->offset + frame->size);
    } else {
        assert_int_equal(fl_wal_offset(log->writer), frame->offset);
    }
    return status;
}

void log_append(struct log_fixture *log, uint32_t entries, size_t value_size,
                struct fl_wal_position durable) {
    struct log_frame frame = log_make_frame(log, entries, value_size);
    if (log_append_frame(log, &frame, durable, false) != FLOWDB_OK)
        fail_msg("%s", flowdb_last_error());
}

static void check_frame(const struct log_frame *frame, const struct fl_wal_frame *found) {
    assert_int_equal(found->size, frame->size - FL_WAL_FRAME_HEADER);
    assert_int_equal(found->count, frame->count);
    assert_true(found->first_seq == frame->first_seq);
    assert_memory_equal(found->entries, frame->bytes + FL_WAL_FRAME_HEADER, found->size);
}

flowdb_status log_read(struct log_fixture *log, const char *path, size_t *frames,
                       struct fl_wal_reader *reader) {
    struct fl_wal_reader own;
    struct fl_wal_frame frame;
    *frames = 0;
    flowdb_status status = fl_wal_reader_open(&log->env, &log->pool, path, LOG_ID, &own);
    if (status != FLOWDB_OK)
        return status;
    while ((status = fl_wal_reader_next(&own, &frame)) == FLOWDB_OK) {
        assert_true(*frames < log->frame_count);
        check_frame(&log->frames[(*frames)++], &frame);
    }
    if (status == FLOWDB_DONE)
        status = FLOWDB_OK;
    if (reader != NULL && status == FLOWDB_OK)
        *reader = own;
    else
        fl_wal_reader_close(&own);
    return status;
}

void log_check(struct log_fixture *log, bool torn) {
    struct fl_wal_reader reader;
    size_t frames;
    if (log_read(log, log->path, &frames, &reader) != FLOWDB_OK)
        fail_msg("%s", flowdb_last_error());
    assert_int_equal(frames, log->frame_count);
    assert_int_equal(reader.torn, torn);
    if (frames > 0)
        assert_int_equal(reader.offset,
                         log->frames[frames - 1].offset + log->frames[frames - 1].size);
    fl_wal_reader_close(&reader);
}

uint8_t *log_bytes(struct log_fixture *log, size_t *size) {
    size_t whole;
    uint8_t *bytes = scratch_read(log->path, &whole);
    *size = (size_t)fl_wal_written(log->writer);
    assert_true(*size <= whole);
    return bytes;
}

const char *log_damaged(struct log_fixture *log, const uint8_t *bytes, size_t size) {
    const char *path = scratch_in(log->folder, "damaged.log");
    scratch_write(path, bytes, size);
    return path;
}
