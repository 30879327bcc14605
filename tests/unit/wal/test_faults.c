/* Logs whose writes, syncs and allocations fail: what was accepted stays, what was not leaves no
   trace. */
#include "log_fixture.h"

#include <stdlib.h>
#include <string.h>

static const struct fl_wal_position nowhere = {0};

static const flowdb_status statuses[] = {FLOWDB_NO_SPACE, FLOWDB_IO_ERROR};

/* ---------------------------------------------------------------------------------- append -- */

static flowdb_status try_append(struct log_fixture *log, uint32_t entries, size_t value_size,
                                bool buffered) {
    struct log_frame frame = log_make_frame(log, entries, value_size);
    flowdb_status status = log_append_frame(log, &frame, nowhere, buffered);
    if (status != FLOWDB_OK) {
        /* The frame's memory is its owner's again: nobody may write it out any more. */
        memset(frame.bytes, 0xEE, frame.size);
        free(frame.bytes);
    }
    return status;
}

/* The same few appends each time; returns how many failed. */
static unsigned append_some(struct log_fixture *log, flowdb_status expected) {
    static const size_t sizes[] = {1, 3000, 10, 300000, 0, 500};
    unsigned failed = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        flowdb_status status = try_append(log, 2, sizes[i], false);
        failed += status != FLOWDB_OK;
        if (status != FLOWDB_OK)
            assert_int_equal(status, expected);
    }
    return failed;
}

/* The Nth write fails once, in every way. The zeros ahead of the frames may fail without harm. */
static void a_failed_write_leaves_the_log_as_it_was(void **state) {
    struct log_fixture *log = *state;
    log->fault.ops = FAULT_MASK(FAULT_WRITE);
    unsigned failed = 0;
    for (int way = 0; way < FAULT_WAYS; way++) {
        for (size_t s = 0; s < 2; s++) {
            bool struck = true;
            for (uint64_t nth = 1; struck; nth++) {
                log_create(log);
                fault_fs_arm(&log->fault, nth, false, (enum fault_way)way, statuses[s]);
                failed += append_some(log, statuses[s]);
                struck = log->fault.failures > 0;
                fault_fs_disarm(&log->fault);
                assert_false(fl_wal_broken(log->writer));
                log_check(log, false);
                append_some(log, FLOWDB_OK);
                log_check(log, false);
                log_start_over(log);
            }
        }
    }
    assert_true(failed >= 6 * FAULT_WAYS);
}

static void while_the_disk_is_full_every_write_fails_and_then_they_go_on(void **state) {
    struct log_fixture *log = *state;
    log->fault.ops = FAULT_MASK(FAULT_WRITE);
    for (int way = 0; way < FAULT_WAYS; way++) {
        log_create(log);
        append_some(log, FLOWDB_OK);
        fault_fs_arm(&log->fault, 1, true, (enum fault_way)way, FLOWDB_NO_SPACE);
        for (int i = 0; i < 20; i++)
            assert_int_equal(try_append(log, 1, 100, false), FLOWDB_NO_SPACE);
        assert_int_equal(fl_wal_seal(log->writer, 13, &nowhere), FLOWDB_NO_SPACE);
        fault_fs_disarm(&log->fault);
        log_check(log, false);
        append_some(log, FLOWDB_OK);
        log_check(log, false);
        log_start_over(log);
    }
}

/* What a failed write left cannot be cut off: nobody may append behind it. */
static void a_log_that_cannot_be_cut_back_takes_nothing_more(void **state) {
    struct log_fixture *log = *state;
    for (int way = 0; way < FAULT_WAYS; way++) {
        log->fault.ops = FAULT_MASK_ALL;
        log_create(log);
        append_some(log, FLOWDB_OK);
        size_t before = log->frame_count;
        log->fault.ops = FAULT_MASK(FAULT_WRITE) | FAULT_MASK(FAULT_TRUNCATE);
        fault_fs_arm(&log->fault, 1, true, (enum fault_way)way, FLOWDB_IO_ERROR);
        struct log_frame lost = log_make_frame(log, 2, 50);
        assert_int_equal(log_append_frame(log, &lost, nowhere, false), FLOWDB_IO_ERROR);
        fault_fs_disarm(&log->fault);
        assert_true(fl_wal_broken(log->writer));
        uint64_t writes = log->fault.counts[FAULT_WRITE];
        assert_int_equal(try_append(log, 1, 1, false), FLOWDB_READ_ONLY);
        assert_int_equal(try_append(log, 1, 1, false), FLOWDB_READ_ONLY);
        assert_int_equal(fl_wal_seal(log->writer, 13, &nowhere), FLOWDB_READ_ONLY);
        assert_int_equal(log->fault.counts[FAULT_WRITE], writes);
        /* The log ends where it did, or with the whole of what failed: nobody was told either. */
        log->frames[log->frame_count++] = lost;
        size_t frames;
        assert_int_equal(log_read(log, log->path, &frames, NULL), FLOWDB_OK);
        assert_true(frames == before || (frames == before + 1 && way == FAULT_AFTER));
        log_start_over(log);
    }
}

/* ---------------------------------------------------------------------------------- buffer -- */

static void while_a_drain_fails_nothing_more_is_taken(void **state) {
    struct log_fixture *log = *state;
    log->fault.ops = FAULT_MASK(FAULT_WRITE);
    for (int way = 0; way < FAULT_WAYS; way++) {
        log_create(log);
        for (int i = 0; i < 5; i++)
            assert_int_equal(try_append(log, 1, 100, true), FLOWDB_OK);
        fault_fs_arm(&log->fault, 1, true, (enum fault_way)way, FLOWDB_NO_SPACE);
        assert_int_equal(fl_wal_drain(log->writer), FLOWDB_NO_SPACE);
        assert_int_equal(fl_wal_written(log->writer), FL_WAL_FILE_HEADER);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(try_append(log, 1, 100, true), FLOWDB_NO_SPACE);
            assert_int_equal(fl_wal_drain(log->writer), FLOWDB_NO_SPACE);
            assert_int_equal(fl_wal_seal(log->writer, 13, &nowhere), FLOWDB_NO_SPACE);
        }
        fault_fs_disarm(&log->fault);
        size_t frames;
        assert_int_equal(log_read(log, log->path, &frames, NULL), FLOWDB_OK);
        assert_int_equal(frames, 0);
        /* Everything that was taken is still there. */
        assert_int_equal(try_append(log, 1, 100, true), FLOWDB_OK);
        assert_int_equal(fl_wal_drain(log->writer), FLOWDB_OK);
        log_check(log, false);
        log_start_over(log);
    }
}

/* The buffer is full and cannot be drained: the frame that came then is not taken. */
static void a_full_buffer_that_cannot_drain_refuses_the_frame(void **state) {
    struct log_fixture *log = *state;
    log->fault.ops = FAULT_MASK(FAULT_WRITE);
    log_create(log);
    fault_fs_arm(&log->fault, 1, true, FAULT_HALFWAY, FLOWDB_IO_ERROR);
    flowdb_status status = FLOWDB_OK;
    while (status == FLOWDB_OK)
        status = try_append(log, 1, 20000, true);
    assert_int_equal(status, FLOWDB_IO_ERROR);
    assert_true(log->frame_count >= 10 && log->frame_count <= 13);
    assert_int_equal(try_append(log, 1, 300000, true), FLOWDB_IO_ERROR); /* beyond the buffer */
    assert_int_equal(try_append(log, 1, 10, false), FLOWDB_IO_ERROR);
    fault_fs_disarm(&log->fault);
    assert_int_equal(try_append(log, 1, 20000, true), FLOWDB_OK);
    assert_int_equal(try_append(log, 1, 300000, true), FLOWDB_OK);
    assert_int_equal(fl_wal_drain(log->writer), FLOWDB_OK);
    log_check(log, false);
}

/* ------------------------------------------------------------------------------------ sync -- */

/* After a failed fdatasync the kernel may have dropped the pages and say that all is well. */
static void a_sync_that_failed_is_never_asked_for_again(void **state) {
    struct log_fixture *log = *state;
    log_create(log);
    assert_int_equal(try_append(log, 1, 10, false), FLOWDB_OK);
    assert_int_equal(fl_wal_sync(log->writer), FLOWDB_OK);
    log->fault.ops = FAULT_MASK(FAULT_SYNC);
    fault_fs_arm(&log->fault, 1, false, FAULT_BEFORE, FLOWDB_IO_ERROR);
    assert_int_equal(fl_wal_sync(log->writer), FLOWDB_IO_ERROR);
    uint64_t syncs = log->fault.counts[FAULT_SYNC];
    for (int i = 0; i < 3; i++)
        assert_int_equal(fl_wal_sync(log->writer), FLOWDB_IO_ERROR);
    assert_int_equal(log->fault.counts[FAULT_SYNC], syncs);
    assert_non_null(strstr(flowdb_last_error(), "log 12"));
}

/* ---------------------------------------------------------------------------------- create -- */

static void a_log_that_cannot_be_created_leaks_nothing(void **state) {
    struct log_fixture *log = *state;
    for (int way = 0; way < FAULT_WAYS; way++) {
        flowdb_status status = FLOWDB_IO_ERROR;
        for (uint64_t nth = 1; status != FLOWDB_OK; nth++) {
            fault_fs_arm(&log->fault, nth, false, (enum fault_way)way, FLOWDB_IO_ERROR);
            status = fl_wal_create(&log->env, log->path, LOG_ID, 0, 4096, &log->writer);
            bool harmless = log->fault.failures > 0 && log->fault.failed_op == FAULT_ALLOCATE;
            bool struck = log->fault.failures > 0;
            fault_fs_disarm(&log->fault);
            assert_int_equal(status == FLOWDB_OK, !struck || harmless);
            if (harmless)
                status = FLOWDB_IO_ERROR;
            assert_int_equal(log->writer != NULL, !struck || harmless);
            log_start_over(log);
            assert_int_equal(log->failing.live, 0);
            assert_int_equal(log->fault.open_files, 0);
            assert_true(nth < 20);
        }
    }
    log->failing.fail_at = log->failing.calls + 1;
    assert_int_equal(fl_wal_create(&log->env, log->path, LOG_ID, 0, 4096, &log->writer),
                     FLOWDB_NO_MEMORY);
    assert_null(log->writer);
}

static void a_log_is_not_created_over_a_file(void **state) {
    struct log_fixture *log = *state;
    scratch_write(log->path, "precious", 8);
    assert_int_equal(fl_wal_create(&log->env, log->path, LOG_ID, 0, 4096, &log->writer),
                     FLOWDB_IO_ERROR);
    size_t size;
    uint8_t *bytes = scratch_read(log->path, &size);
    assert_memory_equal(bytes, "precious", 8);
    free(bytes);
}

/* ------------------------------------------------------------------------------------ read -- */

static void a_log_that_cannot_be_read_is_an_error_and_no_end(void **state) {
    struct log_fixture *log = *state;
    log_create(log);
    append_some(log, FLOWDB_OK);
    flowdb_status status = FLOWDB_IO_ERROR;
    size_t frames;
    for (uint64_t nth = 1; status != FLOWDB_OK; nth++) {
        fault_fs_arm(&log->fault, nth, false, FAULT_BEFORE, FLOWDB_IO_ERROR);
        status = log_read(log, log->path, &frames, NULL);
        assert_int_equal(status == FLOWDB_OK, log->fault.failures == 0);
        assert_int_equal(frames, status == FLOWDB_OK ? log->frame_count : 0);
        fault_fs_disarm(&log->fault);
    }
    status = FLOWDB_NO_MEMORY;
    for (uint64_t nth = 1; status != FLOWDB_OK; nth++) {
        log->failing.calls = 0;
        log->failing.fail_at = nth;
        status = log_read(log, log->path, &frames, NULL);
        assert_true(status == FLOWDB_OK || status == FLOWDB_NO_MEMORY);
        log->failing.fail_at = 0;
        assert_true(nth < 20);
    }
    assert_int_equal(frames, log->frame_count);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        LOG_TEST(a_failed_write_leaves_the_log_as_it_was),
        LOG_TEST(while_the_disk_is_full_every_write_fails_and_then_they_go_on),
        LOG_TEST(a_log_that_cannot_be_cut_back_takes_nothing_more),
        LOG_TEST(while_a_drain_fails_nothing_more_is_taken),
        LOG_TEST(a_full_buffer_that_cannot_drain_refuses_the_frame),
        LOG_TEST(a_sync_that_failed_is_never_asked_for_again),
        LOG_TEST(a_log_that_cannot_be_created_leaks_nothing),
        LOG_TEST(a_log_is_not_created_over_a_file),
        LOG_TEST(a_log_that_cannot_be_read_is_an_error_and_no_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
