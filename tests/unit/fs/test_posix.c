/* The real file system behind the interface: what is done, and what is said when it cannot be. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/fs.h"
#include "support/scratch.h"
#include "support/seeded.h"

static char folder[SCRATCH_PATH];

static int set_up(void **state) {
    (void)state;
    scratch_create(folder);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(folder);
    return 0;
}

static const char *in(const char *name) {
    return scratch_in(folder, name);
}

/* The call failed so, and says which path it is about. */
static void assert_failed(flowdb_status got, flowdb_status expected, const char *path) {
    if (got != expected)
        fail_msg("%s instead of %s: %s", flowdb_status_name(got), flowdb_status_name(expected),
                 flowdb_last_error());
    if (strstr(flowdb_last_error(), path) == NULL)
        fail_msg("'%s' does not name %s", flowdb_last_error(), path);
}

static void assert_ok(flowdb_status status) {
    if (status != FLOWDB_OK)
        fail_msg("%s: %s", flowdb_status_name(status), flowdb_last_error());
}

static struct fl_file *open_file(const char *path, enum fl_open_mode mode) {
    struct fl_file *file = NULL;
    assert_ok(fl_fs_open(fl_fs_posix(), path, mode, &file));
    assert_non_null(file);
    return file;
}

static void write_bytes(struct fl_file *file, uint64_t offset, const char *text) {
    struct iovec part = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
    assert_ok(fl_file_write_at(file, offset, &part, 1));
}

static size_t open_descriptors(void) {
    size_t count = 0;
    DIR *stream = opendir("/proc/self/fd");
    while (stream != NULL && readdir(stream) != NULL)
        count++;
    if (stream != NULL)
        closedir(stream);
    return count;
}

/* ----------------------------------------------------------------------------------- files -- */

static void a_file_gives_back_what_was_written_where_it_was_written(void **state) {
    (void)state;
    const char *path = in("file");
    struct fl_file *file = open_file(path, FL_OPEN_CREATE);
    write_bytes(file, 3, "defg");
    write_bytes(file, 0, "abc");
    write_bytes(file, 5, "F");
    uint64_t size = 0;
    assert_ok(fl_file_size(file, &size));
    assert_int_equal(size, 7);
    assert_ok(fl_file_sync(file));
    fl_file_close(file);
    file = open_file(path, FL_OPEN_READ);
    char bytes[8] = "";
    size_t got = 0;
    assert_ok(fl_file_read_at(file, 0, bytes, 7, &got));
    assert_int_equal(got, 7);
    assert_string_equal(bytes, "abcdeFg");
    fl_file_close(file);
}

static void a_read_is_short_only_where_the_file_ends(void **state) {
    (void)state;
    struct fl_file *file = open_file(in("file"), FL_OPEN_CREATE);
    write_bytes(file, 0, "0123456789");
    char bytes[20];
    static const struct {
        uint64_t offset;
        size_t size, got;
    } reads[] = {{0, 10, 10}, {0, 11, 10},  {9, 1, 1}, {9, 5, 1},
                 {10, 5, 0},  {1000, 5, 0}, {4, 0, 0}};
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
        size_t got = 99;
        memset(bytes, '-', sizeof bytes);
        assert_ok(fl_file_read_at(file, reads[i].offset, bytes, reads[i].size, &got));
        assert_int_equal(got, reads[i].got);
        for (size_t at = 0; at < sizeof bytes; at++)
            assert_int_equal(bytes[at], at < got ? (char)('0' + reads[i].offset + at) : '-');
    }
    fl_file_close(file);
}

static void check_parts(struct seeded *seeded, size_t count) {
    struct iovec *parts = calloc(count, sizeof *parts);
    uint8_t *all = malloc(count * 40), *back = malloc(count * 40 + 1);
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        size_t size = seeded_chance(seeded, 20) ? 0 : 1 + seeded_below(seeded, 39);
        for (size_t at = 0; at < size; at++)
            all[total + at] = (uint8_t)seeded_next(seeded);
        parts[i] = (struct iovec){.iov_base = all + total, .iov_len = size};
        total += size;
    }
    const char *path = in("parts");
    struct fl_file *file = open_file(path, FL_OPEN_CREATE);
    assert_ok(fl_file_write_at(file, 5, parts, count));
    size_t got = 0;
    assert_ok(fl_file_read_at(file, 5, back, total + 1, &got));
    assert_int_equal(got, total);
    assert_memory_equal(back, all, total);
    fl_file_close(file);
    assert_ok(fl_fs_remove(fl_fs_posix(), path));
    free(parts);
    free(all);
    free(back);
}

static void any_number_of_parts_is_written_in_order(void **state) {
    (void)state;
    struct seeded seeded = seeded_begin("parts");
    static const size_t counts[] = {0, 1, 2, 63, 64, 65, 127, 128, 129, IOV_MAX, IOV_MAX + 1, 5000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        check_parts(&seeded, counts[i]);
}

static void a_truncated_file_ends_there(void **state) {
    (void)state;
    struct fl_file *file = open_file(in("file"), FL_OPEN_CREATE);
    write_bytes(file, 0, "0123456789");
    assert_ok(fl_file_truncate(file, 4));
    uint64_t size = 0;
    assert_ok(fl_file_size(file, &size));
    assert_int_equal(size, 4);
    char bytes[8] = "";
    size_t got = 0;
    assert_ok(fl_file_truncate(file, 6));
    assert_ok(fl_file_read_at(file, 0, bytes, 8, &got));
    assert_int_equal(got, 6);
    assert_memory_equal(bytes, "0123\0\0", 6);
    fl_file_close(file);
}

static void space_allocated_ahead_leaves_the_size_as_it_is(void **state) {
    (void)state;
    struct fl_file *file = open_file(in("file"), FL_OPEN_CREATE);
    write_bytes(file, 0, "0123");
    flowdb_status status = fl_file_allocate(file, 1 << 20);
    assert_true(status == FLOWDB_OK || status == FLOWDB_UNSUPPORTED);
    uint64_t size = 0;
    assert_ok(fl_file_size(file, &size));
    assert_int_equal(size, 4);
    fl_file_close(file);
}

static void opening_takes_the_mode_at_its_word(void **state) {
    (void)state;
    const char *path = in("file");
    struct fl_file *file = NULL;
    assert_failed(fl_fs_open(fl_fs_posix(), path, FL_OPEN_READ, &file), FLOWDB_NOT_FOUND, path);
    assert_failed(fl_fs_open(fl_fs_posix(), path, FL_OPEN_WRITE, &file), FLOWDB_NOT_FOUND, path);
    assert_null(file);
    fl_file_close(open_file(path, FL_OPEN_CREATE));
    assert_failed(fl_fs_open(fl_fs_posix(), path, FL_OPEN_CREATE, &file), FLOWDB_IO_ERROR, path);
    assert_null(file);
    file = open_file(path, FL_OPEN_WRITE);
    write_bytes(file, 0, "abc");
    fl_file_close(file);
    file = open_file(path, FL_OPEN_READ);
    struct iovec part = {.iov_base = (char[]){'x'}, .iov_len = 1};
    assert_failed(fl_file_write_at(file, 0, &part, 1), FLOWDB_IO_ERROR, path);
    assert_failed(fl_file_truncate(file, 0), FLOWDB_IO_ERROR, path);
    fl_file_close(file);
    fl_file_close(NULL);
    size_t size;
    uint8_t *bytes = scratch_read(path, &size);
    assert_int_equal(size, 3);
    assert_memory_equal(bytes, "abc", 3);
    free(bytes);
}

static void a_read_that_fails_is_an_error_and_no_short_read(void **state) {
    (void)state;
    struct fl_file *file = open_file(folder, FL_OPEN_READ); /* EISDIR when read */
    char bytes[4] = "....";
    size_t got = 42;
    assert_failed(fl_file_read_at(file, 0, bytes, 4, &got), FLOWDB_IO_ERROR, folder);
    assert_int_equal(got, 42);
    fl_file_close(file);
}

static void a_full_disk_is_no_space(void **state) {
    (void)state;
    struct fl_file *file = open_file("/dev/full", FL_OPEN_WRITE);
    struct iovec part = {.iov_base = (char[]){'x'}, .iov_len = 1};
    assert_failed(fl_file_write_at(file, 0, &part, 1), FLOWDB_NO_SPACE, "/dev/full");
    fl_file_close(file);
}

/* ----------------------------------------------------------------------------- directories -- */

static void creating_a_directory_twice_is_fine_but_not_over_a_file(void **state) {
    (void)state;
    const char *path = in("directory"), *file = in("file"), *deep = in("a/b");
    assert_ok(fl_fs_create_dir(fl_fs_posix(), path));
    assert_ok(fl_fs_create_dir(fl_fs_posix(), path));
    scratch_write(file, "", 0);
    assert_failed(fl_fs_create_dir(fl_fs_posix(), file), FLOWDB_IO_ERROR, file);
    assert_failed(fl_fs_create_dir(fl_fs_posix(), deep), FLOWDB_NOT_FOUND, deep);
    assert_ok(fl_fs_sync_dir(fl_fs_posix(), path));
    assert_failed(fl_fs_sync_dir(fl_fs_posix(), deep), FLOWDB_NOT_FOUND, deep);
    assert_failed(fl_fs_sync_dir(fl_fs_posix(), file), FLOWDB_IO_ERROR, file);
}

static void exists_tells_a_file_a_directory_and_nothing(void **state) {
    (void)state;
    const char *file = in("file");
    bool there = true;
    assert_ok(fl_fs_exists(fl_fs_posix(), file, &there));
    assert_false(there);
    scratch_write(file, "x", 1);
    assert_ok(fl_fs_exists(fl_fs_posix(), file, &there));
    assert_true(there);
    assert_ok(fl_fs_exists(fl_fs_posix(), in("file/below"), &there));
    assert_false(there);
    assert_ok(fl_fs_exists(fl_fs_posix(), folder, &there));
    assert_true(there);
    char *endless = malloc(9000);
    memset(endless, 'x', 8999);
    endless[8999] = '\0';
    there = true;
    assert_int_equal(fl_fs_exists(fl_fs_posix(), endless, &there), FLOWDB_IO_ERROR);
    assert_true(there);
    free(endless);
}

static void removing_what_is_not_there_is_not_found(void **state) {
    (void)state;
    const char *path = in("file");
    scratch_write(path, "x", 1);
    assert_ok(fl_fs_remove(fl_fs_posix(), path));
    assert_false(scratch_exists(path));
    assert_failed(fl_fs_remove(fl_fs_posix(), path), FLOWDB_NOT_FOUND, path);
}

static void a_renamed_file_replaces_the_other(void **state) {
    (void)state;
    const char *from = in("from"), *to = in("to");
    scratch_write(from, "new", 3);
    scratch_write(to, "older", 5);
    assert_ok(fl_fs_rename(fl_fs_posix(), from, to));
    assert_false(scratch_exists(from));
    size_t size;
    uint8_t *bytes = scratch_read(to, &size);
    assert_int_equal(size, 3);
    free(bytes);
    assert_failed(fl_fs_rename(fl_fs_posix(), from, to), FLOWDB_NOT_FOUND, from);
}

static void a_link_is_a_second_name(void **state) {
    (void)state;
    const char *from = in("from"), *to = in("to");
    scratch_write(from, "abc", 3);
    assert_ok(fl_fs_link(fl_fs_posix(), from, to));
    assert_ok(fl_fs_remove(fl_fs_posix(), from));
    size_t size;
    uint8_t *bytes = scratch_read(to, &size);
    assert_memory_equal(bytes, "abc", 3);
    free(bytes);
    assert_failed(fl_fs_link(fl_fs_posix(), from, to), FLOWDB_NOT_FOUND, from);
    scratch_write(from, "abc", 3);
    assert_failed(fl_fs_link(fl_fs_posix(), from, to), FLOWDB_IO_ERROR, from);
}

static void a_link_to_another_file_system_is_unsupported(void **state) {
    (void)state;
    struct stat here, there;
    if (stat(folder, &here) != 0 || stat("/dev/shm", &there) != 0 || here.st_dev == there.st_dev)
        skip();
    scratch_write(in("from"), "abc", 3);
    char path[64];
    snprintf(path, sizeof path, "/dev/shm/flowdb-unit-%d", (int)getpid());
    assert_failed(fl_fs_link(fl_fs_posix(), in("from"), path), FLOWDB_UNSUPPORTED, path);
    assert_false(scratch_exists(path));
}

struct names {
    unsigned seen; /* a bit for each of "0" to "9" */
    unsigned count, stop_at;
};

static flowdb_status note_name(void *context, const char *name) {
    struct names *names = context;
    names->count++;
    if (names->count == names->stop_at)
        return fl_fail(FLOWDB_CORRUPTION, "enough");
    assert_true(name[0] >= '0' && name[0] <= '9' && name[1] == '\0');
    names->seen |= 1u << (name[0] - '0');
    return FLOWDB_OK;
}

static void a_list_has_every_name_once_and_stops_when_told(void **state) {
    (void)state;
    for (char digit = '0'; digit <= '9'; digit++)
        scratch_write(in((char[]){digit, '\0'}), "", 0);
    struct names names = {0};
    assert_ok(fl_fs_list(fl_fs_posix(), folder, note_name, &names));
    assert_int_equal(names.count, 10);
    assert_int_equal(names.seen, 0x3FF);
    names = (struct names){.stop_at = 4};
    assert_int_equal(fl_fs_list(fl_fs_posix(), folder, note_name, &names), FLOWDB_CORRUPTION);
    assert_int_equal(names.count, 4);
    const char *missing = in("missing"), *file = in("0");
    assert_failed(fl_fs_list(fl_fs_posix(), missing, note_name, &names), FLOWDB_NOT_FOUND, missing);
    assert_failed(fl_fs_list(fl_fs_posix(), file, note_name, &names), FLOWDB_IO_ERROR, file);
}

static void free_space_is_that_of_the_file_system(void **state) {
    (void)state;
    uint64_t bytes = UINT64_MAX;
    assert_ok(fl_fs_free_space(fl_fs_posix(), folder, &bytes));
    assert_true(bytes > 0 && bytes < UINT64_C(1) << 60);
    const char *missing = in("missing");
    assert_failed(fl_fs_free_space(fl_fs_posix(), missing, &bytes), FLOWDB_NOT_FOUND, missing);
}

static void failing_calls_leave_no_descriptor_open(void **state) {
    (void)state;
    const char *file = in("file");
    scratch_write(file, "", 0);
    size_t before = open_descriptors();
    struct fl_file *opened = NULL;
    struct names names = {.stop_at = 1};
    (void)fl_fs_open(fl_fs_posix(), file, FL_OPEN_CREATE, &opened);
    (void)fl_fs_open(fl_fs_posix(), in("missing"), FL_OPEN_READ, &opened);
    (void)fl_fs_sync_dir(fl_fs_posix(), file);
    (void)fl_fs_lock(fl_fs_posix(), folder, &opened);
    (void)fl_fs_list(fl_fs_posix(), folder, note_name, &names);
    assert_null(opened);
    assert_ok(fl_fs_sync_dir(fl_fs_posix(), folder));
    assert_int_equal(open_descriptors(), before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_file_gives_back_what_was_written_where_it_was_written),
        TEST(a_read_is_short_only_where_the_file_ends),
        TEST(any_number_of_parts_is_written_in_order),
        TEST(a_truncated_file_ends_there),
        TEST(space_allocated_ahead_leaves_the_size_as_it_is),
        TEST(opening_takes_the_mode_at_its_word),
        TEST(a_read_that_fails_is_an_error_and_no_short_read),
        TEST(a_full_disk_is_no_space),
        TEST(creating_a_directory_twice_is_fine_but_not_over_a_file),
        TEST(exists_tells_a_file_a_directory_and_nothing),
        TEST(removing_what_is_not_there_is_not_found),
        TEST(a_renamed_file_replaces_the_other),
        TEST(a_link_is_a_second_name),
        TEST(a_link_to_another_file_system_is_unsupported),
        TEST(a_list_has_every_name_once_and_stops_when_told),
        TEST(free_space_is_that_of_the_file_system),
        TEST(failing_calls_leave_no_descriptor_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
