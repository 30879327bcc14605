/* What takes more than one process to see: the lock, and failures that a process brings upon
   itself. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/fs.h"
#include "support/scratch.h"

static char folder[SCRATCH_PATH];

static int set_up(void **state) {
    (void)state;
    scratch_create(folder);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    chmod(folder, 0755);
    scratch_remove(folder);
    return 0;
}

/* Runs it in a child, which dies with its parent. True where it returned true. */
static bool in_child(bool (*run)(void *argument), void *argument) {
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(run(argument) ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Failed so, and names the path? Says on stderr what else it was. */
static bool failed(flowdb_status got, flowdb_status expected, const char *path) {
    bool right = got == expected && strstr(flowdb_last_error(), path) != NULL;
    if (!right)
        fprintf(stderr, "%s: %s\n", flowdb_status_name(got), flowdb_last_error());
    return right;
}

/* ------------------------------------------------------------------------------------ lock -- */

static bool lock_is_refused(void *path) {
    struct fl_file *lock = NULL;
    return failed(fl_fs_lock(fl_fs_posix(), path, &lock), FLOWDB_LOCKED, path) && lock == NULL;
}

static bool lock_is_given(void *path) {
    struct fl_file *lock = NULL;
    return fl_fs_lock(fl_fs_posix(), path, &lock) == FLOWDB_OK; /* dies holding it */
}

static void a_lock_keeps_out_everyone_until_it_is_closed(void **state) {
    (void)state;
    char path[SCRATCH_PATH];
    snprintf(path, sizeof path, "%s", scratch_in(folder, "LOCK"));
    struct fl_file *lock = NULL;
    assert_int_equal(fl_fs_lock(fl_fs_posix(), path, &lock), FLOWDB_OK);
    for (int i = 0; i < 3; i++) {
        assert_true(lock_is_refused(path));
        assert_true(in_child(lock_is_refused, path));
    }
    fl_file_close(lock);
    assert_true(in_child(lock_is_given, path));
    /* The child died holding it: it is free again. */
    assert_int_equal(fl_fs_lock(fl_fs_posix(), path, &lock), FLOWDB_OK);
    fl_file_close(lock);
    assert_true(scratch_exists(path));
}

static void a_lock_that_another_process_holds_is_free_when_it_is_killed(void **state) {
    (void)state;
    const char *path = scratch_in(folder, "LOCK");
    int held[2];
    assert_int_equal(pipe(held), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct fl_file *lock = NULL;
        char ok = fl_fs_lock(fl_fs_posix(), path, &lock) == FLOWDB_OK ? 'y' : 'n';
        if (write(held[1], &ok, 1) == 1)
            pause();
        _exit(1);
    }
    char ok = 0;
    assert_int_equal(read(held[0], &ok, 1), 1);
    assert_int_equal(ok, 'y');
    struct fl_file *lock = NULL;
    assert_int_equal(fl_fs_lock(fl_fs_posix(), path, &lock), FLOWDB_LOCKED);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(fl_fs_lock(fl_fs_posix(), path, &lock), FLOWDB_OK);
    fl_file_close(lock);
    close(held[0]);
    close(held[1]);
}

/* -------------------------------------------------------------------------------- failures -- */

/* As somebody who may read in the folder and not write. */
static bool writing_is_read_only(void *argument) {
    const char *file = argument;
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return false;
    struct fl_file *opened = NULL;
    struct fl_fs *fs = fl_fs_posix();
    const char *fresh = scratch_in(folder, "fresh");
    bool right = failed(fl_fs_open(fs, fresh, FL_OPEN_CREATE, &opened), FLOWDB_READ_ONLY, fresh);
    right = failed(fl_fs_open(fs, file, FL_OPEN_WRITE, &opened), FLOWDB_READ_ONLY, file) && right;
    right = failed(fl_fs_create_dir(fs, fresh), FLOWDB_READ_ONLY, fresh) && right;
    right = failed(fl_fs_remove(fs, file), FLOWDB_READ_ONLY, file) && right;
    right = failed(fl_fs_rename(fs, file, fresh), FLOWDB_READ_ONLY, file) && right;
    right = failed(fl_fs_lock(fs, fresh, &opened), FLOWDB_READ_ONLY, fresh) && right;
    right = opened == NULL && right;
    return fl_fs_open(fs, file, FL_OPEN_READ, &opened) == FLOWDB_OK && right;
}

static void a_folder_that_may_not_be_written_is_read_only(void **state) {
    (void)state;
    char file[SCRATCH_PATH];
    snprintf(file, sizeof file, "%s", scratch_in(folder, "file"));
    scratch_write(file, "x", 1);
    assert_int_equal(chmod(file, 0444), 0);
    assert_int_equal(chmod(folder, 0555), 0);
    assert_true(in_child(writing_is_read_only, file));
}

static bool opening_runs_out_of_descriptors(void *argument) {
    const char *file = argument;
    struct fl_fs *fs = fl_fs_posix();
    struct rlimit few = {.rlim_cur = 16, .rlim_max = 16};
    struct fl_file *files[32] = {NULL};
    if (setrlimit(RLIMIT_NOFILE, &few) != 0)
        return false;
    size_t count = 0;
    flowdb_status status = FLOWDB_OK;
    while (count < 32 && (status = fl_fs_open(fs, file, FL_OPEN_READ, &files[count])) == FLOWDB_OK)
        count++;
    bool right = count < 32 && failed(status, FLOWDB_IO_ERROR, file);
    right = failed(fl_fs_sync_dir(fs, folder), FLOWDB_NO_MEMORY, folder) && right;
    while (count > 0)
        fl_file_close(files[--count]);
    return fl_fs_sync_dir(fs, folder) == FLOWDB_OK && right;
}

static void without_descriptors_opening_is_an_io_error(void **state) {
    (void)state;
    char file[SCRATCH_PATH];
    snprintf(file, sizeof file, "%s", scratch_in(folder, "file"));
    scratch_write(file, "x", 1);
    assert_true(in_child(opening_runs_out_of_descriptors, file));
}

/* The kernel writes up to the limit: a short write, then the error. */
static bool a_limit_cuts_the_write(void *argument) {
    struct fl_file *file = NULL;
    struct rlimit small = {.rlim_cur = 10000, .rlim_max = 10000};
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &small) != 0 ||
        fl_fs_open(fl_fs_posix(), argument, FL_OPEN_CREATE, &file) != FLOWDB_OK)
        return false;
    static uint8_t bytes[8000];
    memset(bytes, 7, sizeof bytes);
    struct iovec parts[2] = {{bytes, sizeof bytes}, {bytes, sizeof bytes}};
    return failed(fl_file_write_at(file, 0, parts, 2), FLOWDB_NO_SPACE, argument);
}

static void a_write_beyond_the_limit_is_no_space_with_a_prefix_written(void **state) {
    (void)state;
    char path[SCRATCH_PATH];
    snprintf(path, sizeof path, "%s", scratch_in(folder, "file"));
    assert_true(in_child(a_limit_cuts_the_write, path));
    size_t size;
    uint8_t *bytes = scratch_read(path, &size);
    assert_int_equal(size, 10000);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(bytes[i], 7);
    free(bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_lock_keeps_out_everyone_until_it_is_closed),
        TEST(a_lock_that_another_process_holds_is_free_when_it_is_killed),
        TEST(a_folder_that_may_not_be_written_is_read_only),
        TEST(without_descriptors_opening_is_an_io_error),
        TEST(a_write_beyond_the_limit_is_no_space_with_a_prefix_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
