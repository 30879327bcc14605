/*
 * Calls that a signal interrupts are made again, and only those. This program's own fdatasync and
 * its like come before the C library's: they fail as they are told and then pass the call on.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/fs.h"
#include "support/scratch.h"

enum { INTERRUPTIONS = 3 };

static unsigned interruptions; /* still to come */
static int error_then;         /* what the one call behind them fails with; 0: none does */
static unsigned calls;

static bool fails(void) {
    calls++;
    if (interruptions > 0) {
        interruptions--;
        errno = EINTR;
        return true;
    }
    errno = error_then;
    error_then = 0;
    return errno != 0;
}

/* ---- parameters are named as in libc's headers: clang-tidy compares them */

int fdatasync(int fildes) {
    return fails() ? -1 : (int)syscall(SYS_fdatasync, fildes);
}

int fsync(int fd) {
    return fails() ? -1 : (int)syscall(SYS_fsync, fd);
}

int ftruncate(int fd, off_t length) {
    return fails() ? -1 : (int)syscall(SYS_ftruncate, fd, length);
}

int fallocate(int fd, int mode, off_t offset, off_t len) {
    return fails() ? -1 : (int)syscall(SYS_fallocate, fd, mode, offset, len);
}

int flock(int fd, int operation) {
    return fails() ? -1 : (int)syscall(SYS_flock, fd, operation);
}

static char folder[SCRATCH_PATH];
static struct fl_file *file;

static int set_up(void **state) {
    (void)state;
    scratch_create(folder);
    scratch_write(scratch_in(folder, "file"), "abc", 3);
    return fl_fs_open(fl_fs_posix(), scratch_in(folder, "file"), FL_OPEN_WRITE, &file) == FLOWDB_OK
               ? 0
               : -1;
}

static int tear_down(void **state) {
    (void)state;
    fl_file_close(file);
    scratch_remove(folder);
    return 0;
}

static flowdb_status sync_file(void) {
    return fl_file_sync(file);
}

static flowdb_status sync_folder(void) {
    return fl_fs_sync_dir(fl_fs_posix(), folder);
}

static flowdb_status truncate_file(void) {
    return fl_file_truncate(file, 2);
}

static flowdb_status allocate_space(void) {
    return fl_file_allocate(file, 4096);
}

static flowdb_status lock(void) {
    struct fl_file *held;
    flowdb_status status = fl_fs_lock(fl_fs_posix(), scratch_in(folder, "LOCK"), &held);
    if (status == FLOWDB_OK)
        fl_file_close(held);
    return status;
}

static flowdb_status (*const verbs[])(void) = {sync_file, sync_folder, truncate_file,
                                               allocate_space, lock};

static flowdb_status interrupted(size_t verb, int error) {
    calls = 0;
    interruptions = INTERRUPTIONS;
    error_then = error;
    return verbs[verb]();
}

static void an_interrupted_call_is_made_until_it_has_been(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        flowdb_status status = interrupted(i, 0);
        if (status == FLOWDB_UNSUPPORTED && verbs[i] == allocate_space)
            continue; /* not a matter of this file system */
        if (status != FLOWDB_OK)
            fail_msg("verb %zu: %s", i, flowdb_last_error());
        assert_int_equal(calls, INTERRUPTIONS + 1);
    }
}

/* The kernel may have dropped what it could not write: a second sync would succeed over it. */
static void a_call_that_failed_is_not_made_again(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        assert_int_equal(interrupted(i, EIO), FLOWDB_IO_ERROR);
        assert_int_equal(calls, INTERRUPTIONS + 1);
        assert_non_null(strstr(flowdb_last_error(), folder));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_interrupted_call_is_made_until_it_has_been, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_call_that_failed_is_not_made_again, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
