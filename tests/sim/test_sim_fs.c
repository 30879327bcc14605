/* The simulated file system itself: what a crash may take, and what it may not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "sim_fs.h"

enum { STATES = 300 };

static void ok(flowdb_status status) {
    if (status != FLOWDB_OK)
        fail_msg("%s", flowdb_last_error());
}

static struct fl_file *create(struct sim_fs *sim, const char *path) {
    struct fl_file *file = NULL;
    ok(fl_fs_open(&sim->fs, path, FL_OPEN_CREATE, &file));
    return file;
}

static flowdb_status try_write(struct fl_file *file, uint64_t offset, const void *bytes,
                               size_t size) {
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    return fl_file_write_at(file, offset, &part, 1);
}

static void write_byte(struct fl_file *file, uint64_t offset, uint8_t byte, size_t size) {
    uint8_t bytes[16384];
    memset(bytes, byte, size);
    ok(try_write(file, offset, bytes, size));
}

/* The whole file; SIZE_MAX where there is none. */
static size_t read_file(struct sim_fs *sim, const char *path, uint8_t bytes[32768]) {
    struct fl_file *file;
    size_t got;
    if (fl_fs_open(&sim->fs, path, FL_OPEN_READ, &file) != FLOWDB_OK)
        return SIZE_MAX;
    ok(fl_file_read_at(file, 0, bytes, 32768, &got));
    fl_file_close(file);
    return got;
}

/* The byte that fills the file; 0 where it is absent, empty or not filled with one. */
static uint8_t filled_with(struct sim_fs *sim, const char *path) {
    uint8_t bytes[32768];
    size_t size = read_file(sim, path, bytes);
    if (size == SIZE_MAX || size == 0 || memcmp(bytes, bytes + 1, size - 1) != 0)
        return 0;
    return bytes[0];
}

static int set_up(void **state) {
    static struct sim_fs sim;
    sim_fs_init(&sim);
    ok(fl_fs_create_dir(&sim.fs, "/d"));
    ok(fl_fs_sync_dir(&sim.fs, "/"));
    *state = &sim;
    return 0;
}

static int tear_down(void **state) {
    struct sim_fs *sim = *state;
    bool leaked = sim->open_files != 0;
    sim_fs_deinit(sim);
    return leaked ? -1 : 0;
}

/* One of many crashes; the caller deinits. */
static void crash(const struct sim_fs *sim, unsigned number, struct sim_fs *into) {
    struct seeded random = {number};
    sim_fs_crash(sim, (enum sim_loss)(number % SIM_LOSSES), &random, into);
}

static void what_was_synced_survives_every_crash(void **state) {
    struct sim_fs *sim = *state, left;
    struct fl_file *file = create(sim, "/d/a");
    write_byte(file, 0, 'a', 10000);
    ok(fl_file_sync(file));
    ok(fl_fs_sync_dir(&sim->fs, "/d"));
    fl_file_close(file);
    for (unsigned i = 0; i < STATES; i++) {
        crash(sim, i, &left);
        assert_int_equal(filled_with(&left, "/d/a"), 'a');
        sim_fs_deinit(&left);
    }
}

static void a_name_may_be_lost_until_its_directory_is_synced(void **state) {
    struct sim_fs *sim = *state, left;
    struct fl_file *file = create(sim, "/d/a");
    write_byte(file, 0, 'a', 100);
    ok(fl_file_sync(file));
    fl_file_close(file);
    unsigned there = 0;
    for (unsigned i = 0; i < STATES; i++) {
        crash(sim, i, &left);
        uint8_t byte = filled_with(&left, "/d/a");
        assert_true(byte == 0 || byte == 'a');
        there += byte != 0;
        assert_true(i % SIM_LOSSES != SIM_DROP || byte == 0);
        assert_true(i % SIM_LOSSES != SIM_KILL || byte == 'a');
        sim_fs_deinit(&left);
    }
    assert_in_range(there, STATES / 4, STATES * 3 / 4);
}

static void a_removed_name_may_come_back_until_its_directory_is_synced(void **state) {
    struct sim_fs *sim = *state, left;
    struct fl_file *file = create(sim, "/d/a");
    fl_file_close(file);
    ok(fl_fs_sync_dir(&sim->fs, "/d"));
    ok(fl_fs_remove(&sim->fs, "/d/a"));
    unsigned back = 0;
    for (unsigned i = 0; i < STATES; i++) {
        bool there;
        crash(sim, i, &left);
        ok(fl_fs_exists(&left.fs, "/d/a", &there));
        back += there;
        sim_fs_deinit(&left);
    }
    assert_in_range(back, STATES / 4, STATES * 3 / 4);
    ok(fl_fs_sync_dir(&sim->fs, "/d"));
    for (unsigned i = 0; i < STATES; i++) {
        bool there;
        crash(sim, i, &left);
        ok(fl_fs_exists(&left.fs, "/d/a", &there));
        assert_false(there);
        sim_fs_deinit(&left);
    }
}

static void a_rename_happens_whole_or_not_at_all(void **state) {
    struct sim_fs *sim = *state, left;
    static const char *const names[] = {"/d/old", "/d/new"};
    for (unsigned i = 0; i < 2; i++) {
        struct fl_file *file = create(sim, names[i]);
        write_byte(file, 0, (uint8_t)('a' + i), 100);
        ok(fl_file_sync(file));
        fl_file_close(file);
    }
    ok(fl_fs_sync_dir(&sim->fs, "/d"));
    ok(fl_fs_rename(&sim->fs, "/d/new", "/d/old"));
    unsigned renamed = 0;
    for (unsigned i = 0; i < STATES; i++) {
        crash(sim, i, &left);
        uint8_t byte = filled_with(&left, "/d/old"), other = filled_with(&left, "/d/new");
        assert_true((byte == 'a' && other == 'b') || (byte == 'b' && other == 0));
        renamed += byte == 'b';
        sim_fs_deinit(&left);
    }
    assert_in_range(renamed, 1, STATES - 1);
}

/* What a file of four pages may be after a crash: seen are a later page without an earlier one, a
   page half written, a size without the bytes, and bytes that nobody wrote. */
static void unsynced_pages_reach_the_disk_in_any_order_and_torn(void **state) {
    struct sim_fs *sim = *state, left;
    struct fl_file *file = create(sim, "/d/a");
    ok(fl_fs_sync_dir(&sim->fs, "/d"));
    for (uint8_t i = 0; i < 4; i++)
        write_byte(file, i * UINT64_C(4096), (uint8_t)('a' + i), 4096);
    unsigned reordered = 0, torn = 0, empty = 0, noise = 0, whole = 0, shorter = 0;
    for (unsigned i = 0; i < 2 * STATES; i++) {
        uint8_t bytes[32768];
        crash(sim, i, &left);
        size_t size = read_file(&left, "/d/a", bytes);
        memset(bytes + size, 0, sizeof bytes - size);
        shorter += size < 16384;
        whole += size == 16384 && bytes[0] == 'a' && bytes[16383] == 'd';
        reordered += bytes[0] == 0 && bytes[12288] == 'd';
        torn += bytes[0] == 'a' && bytes[4095] != 'a';
        empty += size == 16384 && bytes[0] == 0 && bytes[12288] == 0;
        noise += bytes[0] != 0 && bytes[0] != 'a';
        sim_fs_deinit(&left);
    }
    fl_file_close(file);
    assert_true(reordered > 0 && torn > 0 && empty > 0 && noise > 0 && whole > 0 && shorter > 0);
}

/* A power cut after a kill may still take what the dead process had written. */
static void a_kill_loses_nothing_and_makes_nothing_safe(void **state) {
    struct sim_fs *sim = *state, killed, left;
    struct fl_file *file = create(sim, "/d/a");
    ok(fl_fs_sync_dir(&sim->fs, "/d"));
    write_byte(file, 0, 'a', 100);
    struct seeded random = {1};
    sim_fs_crash(sim, SIM_KILL, &random, &killed);
    assert_int_equal(filled_with(&killed, "/d/a"), 'a');
    assert_true(sim_fs_fingerprint(&killed) == sim_fs_fingerprint(sim));
    sim_fs_crash(&killed, SIM_DROP, &random, &left);
    assert_int_equal(filled_with(&left, "/d/a"), 0);
    sim_fs_deinit(&left);
    sim_fs_deinit(&killed);
    fl_file_close(file);
}

static void pages_lost_by_a_failed_sync_are_seen_until_the_crash(void **state) {
    struct sim_fs *sim = *state, left;
    struct seeded random = {5};
    struct fl_file *file = create(sim, "/d/a");
    ok(fl_fs_sync_dir(&sim->fs, "/d"));
    write_byte(file, 0, 'a', 16384);
    sim_file_lose(file, &random);
    assert_int_equal(filled_with(sim, "/d/a"), 'a');
    ok(fl_file_sync(file)); /* it says so */
    sim_fs_crash(sim, SIM_DROP, &random, &left);
    assert_int_equal(filled_with(&left, "/d/a"), 0);
    sim_fs_deinit(&left);
    /* One byte of each page makes it dirty again, all of it. */
    for (unsigned i = 0; i < 4; i++)
        write_byte(file, i * UINT64_C(4096), 'a', 1);
    ok(fl_file_sync(file));
    sim_fs_crash(sim, SIM_DROP, &random, &left);
    assert_int_equal(filled_with(&left, "/d/a"), 'a');
    sim_fs_deinit(&left);
    fl_file_close(file);
}

static void a_full_disk_takes_a_part_and_has_room_again(void **state) {
    struct sim_fs *sim = *state;
    sim->capacity = 10000;
    struct fl_file *file = create(sim, "/d/a"), *other = create(sim, "/d/b");
    uint64_t left, size;
    assert_int_equal(fl_file_allocate(file, 20000), FLOWDB_NO_SPACE);
    ok(fl_file_allocate(file, 4000));
    ok(fl_fs_free_space(&sim->fs, "/d", &left));
    assert_int_equal(left, 6000);
    uint8_t bytes[8000] = {1};
    assert_int_equal(try_write(other, 0, bytes, 8000), FLOWDB_NO_SPACE);
    ok(fl_file_size(other, &size));
    assert_int_equal(size, 6000);
    write_byte(file, 0, 'a', 4000); /* was allocated */
    fl_file_close(other);
    ok(fl_fs_remove(&sim->fs, "/d/b"));
    ok(try_write(file, 4000, bytes, 6000));
    fl_file_close(file);
    assert_int_equal(sim_fs_used(sim), 10000);
}

static void a_file_with_two_names_outlives_one_of_them(void **state) {
    struct sim_fs *sim = *state, left;
    struct fl_file *file = create(sim, "/d/a");
    write_byte(file, 0, 'a', 100);
    ok(fl_file_sync(file));
    fl_file_close(file);
    ok(fl_fs_link(&sim->fs, "/d/a", "/d/b"));
    ok(fl_fs_sync_dir(&sim->fs, "/d"));
    ok(fl_fs_remove(&sim->fs, "/d/a"));
    ok(fl_fs_sync_dir(&sim->fs, "/d"));
    crash(sim, SIM_DROP, &left);
    assert_int_equal(filled_with(&left, "/d/a"), 0);
    assert_int_equal(filled_with(&left, "/d/b"), 'a');
    sim_fs_deinit(&left);
}

static void a_lock_is_held_until_it_is_closed_or_its_process_dies(void **state) {
    struct sim_fs *sim = *state, left;
    struct fl_file *lock, *second = NULL;
    ok(fl_fs_lock(&sim->fs, "/d/LOCK", &lock));
    assert_int_equal(fl_fs_lock(&sim->fs, "/d/LOCK", &second), FLOWDB_LOCKED);
    crash(sim, SIM_KILL, &left);
    ok(fl_fs_lock(&left.fs, "/d/LOCK", &second));
    fl_file_close(second);
    sim_fs_deinit(&left);
    fl_file_close(lock);
    ok(fl_fs_lock(&sim->fs, "/d/LOCK", &lock));
    fl_file_close(lock);
}

static void the_same_seed_leaves_the_same(void **state) {
    struct sim_fs *sim = *state, left;
    struct fl_file *file = create(sim, "/d/a");
    for (uint8_t i = 0; i < 50; i++)
        write_byte(file, i * UINT64_C(300), i, 2000);
    fl_file_close(file);
    uint64_t first[STATES];
    unsigned same = 0;
    for (unsigned i = 0; i < 2 * STATES; i++) {
        crash(sim, i % STATES, &left);
        uint64_t sum = sim_fs_fingerprint(&left);
        if (i >= STATES)
            assert_true(sum == first[i - STATES]);
        else
            first[i] = sum;
        same += i > 0 && i < STATES && sum == first[0];
        sim_fs_deinit(&left);
    }
    assert_in_range(same, 0, STATES / 2);
}

int main(void) {
#define SIM_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SIM_TEST(what_was_synced_survives_every_crash),
        SIM_TEST(a_name_may_be_lost_until_its_directory_is_synced),
        SIM_TEST(a_removed_name_may_come_back_until_its_directory_is_synced),
        SIM_TEST(a_rename_happens_whole_or_not_at_all),
        SIM_TEST(unsynced_pages_reach_the_disk_in_any_order_and_torn),
        SIM_TEST(a_kill_loses_nothing_and_makes_nothing_safe),
        SIM_TEST(pages_lost_by_a_failed_sync_are_seen_until_the_crash),
        SIM_TEST(a_full_disk_takes_a_part_and_has_room_again),
        SIM_TEST(a_file_with_two_names_outlives_one_of_them),
        SIM_TEST(a_lock_is_held_until_it_is_closed_or_its_process_dies),
        SIM_TEST(the_same_seed_leaves_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
