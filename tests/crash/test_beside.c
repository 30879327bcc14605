/*
 * What goes on beside a running writer: checkpoints, and handles of other processes that only read.
 * Both must show all that was acknowledged before they were asked for, and each batch whole.
 *
 *   FLOWDB_BESIDE_ROUNDS  checkpoints, kills and hundreds of read-only opens, for each mode (6)
 *   FLOWDB_SEED           the seed (random)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <flowdb/flowdb.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crash.h"
#include "workload.h"

enum { WATCHDOG_SECONDS = 240, OPENS_PER_ROUND = 40 };

static const char *const modes[] = {"ALWAYS", "INTERVAL", "BUFFERED"};

/* In shared memory: what the writer has done. */
struct progress {
    _Atomic uint64_t written[WORKLOAD_THREADS]; /* acknowledged */
    _Atomic uint64_t durable[WORKLOAD_THREADS]; /* and synced, flushed or closed */
    _Atomic uint64_t checkpoints;               /* that were made */
    _Atomic bool stop, failed;
};

struct test {
    uint64_t seed;
    struct crash_random random;
    char folder[CRASH_PATH_BYTES];
    struct progress *progress;
};

static int setup(void **state) {
    alarm(WATCHDOG_SECONDS);
    struct test *test = calloc(1, sizeof *test);
    if (test == NULL)
        return -1;
    test->seed = crash_seed();
    test->random.state = test->seed;
    print_message("FLOWDB_SEED=%" PRIu64 "\n", test->seed);
    crash_folder_create(test->folder);
    test->progress = mmap(NULL, sizeof *test->progress, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *state = test;
    return test->progress != MAP_FAILED ? 0 : -1;
}

static int teardown(void **state) {
    struct test *test = *state;
    crash_folder_remove(test->folder);
    munmap(test->progress, sizeof *test->progress);
    free(test);
    return 0;
}

static uint64_t rounds(void) {
    return crash_number_from_environment("FLOWDB_BESIDE_ROUNDS", 6);
}

static flowdb_config config_for(const char *data_dir, flowdb_wal_sync mode) {
    flowdb_config config = flowdb_config_default();
    config.data_dir = data_dir;
    config.memtable_size_mb = 1;
    config.wal_segment_size_mb = 1;
    config.block_size = 1024;
    config.wal_sync = mode;
    config.wal_sync_interval_ms = 20;
    config.flush_interval_ms = 5;
    config.disk_reserve_mb = 0;
    return config;
}

/* A folder and progress for one round. */
static void begin(struct test *test, const char *name, char path[CRASH_PATH_BYTES + 32]) {
    snprintf(path, CRASH_PATH_BYTES + 32, "%s/%s", test->folder, name);
    memset(test->progress, 0, sizeof *test->progress);
}

static void copy_progress(const _Atomic uint64_t from[WORKLOAD_THREADS],
                          uint64_t to[WORKLOAD_THREADS]) {
    for (unsigned i = 0; i < WORKLOAD_THREADS; i++)
        to[i] = atomic_load(&from[i]);
}

/* Opens it, compares it record by record, and expects at least these batches. */
static void check_holds(const struct test *test, const char *data_dir, flowdb_wal_sync mode,
                        bool read_only, const uint64_t at_least[WORKLOAD_THREADS]) {
    flowdb_config config = config_for(data_dir, mode);
    uint64_t last[WORKLOAD_THREADS];
    flowdb *db;
    config.read_only = read_only;
    config.create_if_missing = false;
    if (flowdb_open(&config, &db) != FLOWDB_OK)
        fail_msg("%s, mode %s: %s", data_dir, modes[mode], flowdb_last_error());
    if (!workload_check(db, test->seed, last))
        fail_msg("%s, mode %s: not what was written", data_dir, modes[mode]);
    for (unsigned i = 0; i < WORKLOAD_THREADS; i++) {
        if (last[i] < at_least[i])
            fail_msg("%s, mode %s, thread %u: %" PRIu64 " batches where %" PRIu64
                     " were acknowledged",
                     data_dir, modes[mode], i, last[i], at_least[i]);
    }
    assert_int_equal(flowdb_close(db), FLOWDB_OK);
}

static void print_problem(void *context, const char *file, uint64_t offset, const char *what) {
    (void)context;
    fprintf(stderr, "%s at offset %" PRIu64 ": %s\n", file, offset, what);
}

static void check_verifies(const char *data_dir) {
    if (flowdb_verify(data_dir, print_problem, NULL) != FLOWDB_OK)
        fail_msg("%s: %s", data_dir, flowdb_last_error());
}

/* ----------------------------------------------------------- words of the process that writes -- */

static void say(int pipe) {
    if (write(pipe, "!", 1) != 1)
        _exit(3);
}

/* Forks; in the child, *pipe_end is where it says its words, in the parent where they come out. */
static pid_t fork_with_pipe(int *pipe_end) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = crash_fork();
    *pipe_end = ends[child == 0];
    close(ends[child != 0]);
    return child;
}

/* Takes words until these have come, or the child has ended: whether they came. */
static bool hear(int pipe, uint64_t count) {
    char word;
    while (count > 0) {
        ssize_t got = read(pipe, &word, 1);
        if (got == 0)
            return false;
        if (got == 1)
            count--;
        else
            assert_int_equal(errno, EINTR);
    }
    return true;
}

/* Takes them until the moment has come, or the child has ended. */
static void hear_until(int pipe, int64_t until_us) {
    struct pollfd ready = {.fd = pipe, .events = POLLIN};
    for (;;) {
        int64_t left_us = until_us - crash_now_us();
        struct timespec left = {left_us / 1000000, left_us % 1000000 * 1000};
        if (left_us <= 0 || ppoll(&ready, 1, &left, NULL) <= 0 || !hear(pipe, 1))
            return;
    }
}

/* ------------------------------------------------------------------------------ who writes -- */

struct writer {
    flowdb *db;
    struct progress *progress;
    uint64_t seed;
    unsigned thread;
};

static bool write_next(struct writer *writer) {
    struct workload_marker known = {{0}};
    uint64_t number = atomic_load(&writer->progress->written[writer->thread]) + 1;
    copy_progress(writer->progress->written, known.acknowledged);
    if (workload_write(writer->db, writer->seed, writer->thread, number, &known) != FLOWDB_OK) {
        fprintf(stderr, "write: %s\n", flowdb_last_error());
        atomic_store(&writer->progress->failed, true);
        return false;
    }
    atomic_store(&writer->progress->written[writer->thread], number);
    return true;
}

static void *write_until_stopped(void *argument) {
    struct writer *writer = argument;
    while (!atomic_load(&writer->progress->stop) && write_next(writer)) {
    }
    return NULL;
}

struct writers {
    struct writer each[WORKLOAD_THREADS];
    pthread_t threads[WORKLOAD_THREADS];
};

static void start_writers(struct writers *writers, const struct test *test, flowdb *db) {
    for (unsigned i = 0; i < WORKLOAD_THREADS; i++) {
        writers->each[i] = (struct writer){db, test->progress, test->seed, i};
        if (pthread_create(&writers->threads[i], NULL, write_until_stopped, &writers->each[i]) != 0)
            abort();
    }
}

static void stop_writers(struct writers *writers, struct progress *progress) {
    atomic_store(&progress->stop, true);
    for (unsigned i = 0; i < WORKLOAD_THREADS; i++)
        pthread_join(writers->threads[i], NULL);
}

/* ----------------------------------------------------------------------------- checkpoints -- */

static void checkpoint_path(const char *data_dir, uint64_t number, char *path, size_t size) {
    snprintf(path, size, "%s/checkpoints/c%" PRIu64, data_dir, number);
}

/* Makes one, knowing what had been acknowledged. */
static void make_and_check(struct test *test, flowdb *db, const char *data_dir,
                           flowdb_wal_sync mode, uint64_t number) {
    char path[CRASH_PATH_BYTES + 80];
    uint64_t acknowledged[WORKLOAD_THREADS];
    checkpoint_path(data_dir, number, path, sizeof path);
    copy_progress(test->progress->written, acknowledged);
    if (flowdb_checkpoint(db, path) != FLOWDB_OK)
        fail_msg("checkpoint: %s", flowdb_last_error());
    check_verifies(path);
    check_holds(test, path, mode, true, acknowledged);
    check_holds(test, path, mode, false, acknowledged);
    check_verifies(path);
}

static void a_checkpoint_made_while_threads_write_holds_all_that_was_acknowledged(void **state) {
    struct test *test = *state;
    for (int mode = FLOWDB_SYNC_ALWAYS; mode <= FLOWDB_SYNC_BUFFERED; mode++) {
        char data_dir[CRASH_PATH_BYTES + 32];
        struct writers writers;
        flowdb *db;
        begin(test, modes[mode], data_dir);
        flowdb_config config = config_for(data_dir, (flowdb_wal_sync)mode);
        assert_int_equal(flowdb_open(&config, &db), FLOWDB_OK);
        start_writers(&writers, test, db);
        for (uint64_t i = 0; i < rounds(); i++) {
            uint64_t until = atomic_load(&test->progress->written[0]) + 50;
            while (atomic_load(&test->progress->written[0]) < until &&
                   !atomic_load(&test->progress->failed))
                sched_yield();
            if (i % 3 == 2)
                assert_int_equal(flowdb_compact_all(db), FLOWDB_OK);
            make_and_check(test, db, data_dir, (flowdb_wal_sync)mode, i);
        }
        stop_writers(&writers, test->progress);
        assert_false(atomic_load(&test->progress->failed));
        assert_int_equal(flowdb_close(db), FLOWDB_OK);
        check_verifies(data_dir);
    }
}

/* The process that is killed while it writes and makes checkpoints; a word for each of these. */
static void checkpoint_until_killed(struct test *test, const char *data_dir, flowdb_wal_sync mode,
                                    int words) {
    struct writers writers;
    flowdb *db;
    flowdb_config config = config_for(data_dir, mode);
    if (flowdb_open(&config, &db) != FLOWDB_OK)
        _exit(3);
    start_writers(&writers, test, db);
    for (uint64_t i = 0;; i++) {
        char path[CRASH_PATH_BYTES + 80];
        checkpoint_path(data_dir, i, path, sizeof path);
        if (flowdb_checkpoint(db, path) != FLOWDB_OK) {
            fprintf(stderr, "checkpoint: %s\n", flowdb_last_error());
            _exit(3);
        }
        atomic_store(&test->progress->checkpoints, i + 1);
        say(words);
    }
}

static void kill_once(struct test *test, flowdb_wal_sync mode, unsigned round) {
    static const uint64_t nothing[WORKLOAD_THREADS];
    char name[32], data_dir[CRASH_PATH_BYTES + 32], path[CRASH_PATH_BYTES + 80];
    snprintf(name, sizeof name, "killed%u%s", round, modes[mode]);
    begin(test, name, data_dir);
    int words, status;
    pid_t child = fork_with_pipe(&words);
    if (child == 0)
        checkpoint_until_killed(test, data_dir, mode, words);
    assert_true(hear(words, 1 + crash_random_below(&test->random, 4)));
    hear_until(words, crash_now_us() + crash_random_below(&test->random, 20000));
    kill(child, SIGKILL);
    close(words);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status)); /* and did not end because a call had failed */
    uint64_t made = atomic_load(&test->progress->checkpoints);
    for (uint64_t i = 0; i <= made; i++) {
        checkpoint_path(data_dir, i, path, sizeof path);
        if (i == made && access(path, F_OK) != 0)
            break; /* the one that was being made */
        check_verifies(path);
        check_holds(test, path, mode, false, nothing);
    }
    check_verifies(data_dir);
    check_holds(test, data_dir, mode, false, nothing);
    check_verifies(data_dir);
}

static void a_kill_while_one_is_made_leaves_whole_ones_and_the_database(void **state) {
    struct test *test = *state;
    for (int mode = FLOWDB_SYNC_ALWAYS; mode <= FLOWDB_SYNC_BUFFERED; mode++)
        for (unsigned round = 0; round < rounds(); round++)
            kill_once(test, (flowdb_wal_sync)mode, round);
}

/* -------------------------------------------------------------------------------- readers -- */

static void note_durable(struct writer *writers) {
    for (unsigned i = 0; i < WORKLOAD_THREADS; i++)
        atomic_store(&writers[i].progress->durable[i],
                     atomic_load(&writers[i].progress->written[i]));
}

static void expect_ok(flowdb_status status, struct progress *progress) {
    if (status == FLOWDB_OK)
        return;
    fprintf(stderr, "the writer: %s\n", flowdb_last_error());
    atomic_store(&progress->failed, true);
    _exit(3);
}

/* Writes, and does all that makes files come and go; a word once something is durable. */
static void churn(struct test *test, const char *data_dir, flowdb_wal_sync mode, int words) {
    struct writer writers[WORKLOAD_THREADS];
    struct progress *progress = test->progress;
    flowdb_config config = config_for(data_dir, mode);
    flowdb *db;
    bool said = false;
    config.compaction_threshold = 2;
    expect_ok(flowdb_open(&config, &db), progress);
    for (unsigned i = 0; i < WORKLOAD_THREADS; i++)
        writers[i] = (struct writer){db, progress, test->seed, i};
    while (!atomic_load(&progress->stop)) {
        for (unsigned i = 0; i < WORKLOAD_THREADS; i++) {
            writers[i].db = db;
            if (!write_next(&writers[i]))
                _exit(3);
        }
        uint32_t dice = crash_random_below(&test->random, 100);
        if (dice < 10)
            expect_ok(flowdb_flush(db), progress);
        else if (dice < 13)
            expect_ok(flowdb_compact_all(db), progress);
        else if (dice < 18)
            expect_ok(flowdb_sync(db), progress);
        else if (dice < 20)
            expect_ok(flowdb_gc(db, NULL), progress);
        if (dice < 3) {
            expect_ok(flowdb_close(db), progress);
            config.auto_background = !config.auto_background;
            expect_ok(flowdb_open(&config, &db), progress);
        }
        if (dice >= 18)
            continue;
        note_durable(writers);
        if (!said)
            say(words);
        said = true;
    }
    expect_ok(flowdb_close(db), progress);
    _exit(0);
}

static void a_read_only_handle_beside_a_writer_shows_all_that_was_acknowledged(void **state) {
    struct test *test = *state;
    for (int mode = FLOWDB_SYNC_ALWAYS; mode <= FLOWDB_SYNC_BUFFERED; mode++) {
        char data_dir[CRASH_PATH_BYTES + 32];
        begin(test, modes[mode], data_dir);
        int words, status;
        pid_t child = fork_with_pipe(&words);
        if (child == 0)
            churn(test, data_dir, (flowdb_wal_sync)mode, words);
        assert_true(hear(words, 1));
        close(words);
        for (uint64_t i = 0; i < rounds() * OPENS_PER_ROUND; i++) {
            uint64_t floor[WORKLOAD_THREADS];
            copy_progress(mode == FLOWDB_SYNC_BUFFERED ? test->progress->durable
                                                       : test->progress->written,
                          floor);
            check_holds(test, data_dir, (flowdb_wal_sync)mode, true, floor);
        }
        print_message("%s: %" PRIu64 " opens while %" PRIu64 " batches were written\n", modes[mode],
                      rounds() * OPENS_PER_ROUND, 4 * atomic_load(&test->progress->written[0]));
        atomic_store(&test->progress->stop, true);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        check_verifies(data_dir);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_checkpoint_made_while_threads_write_holds_all_that_was_acknowledged),
        TEST(a_kill_while_one_is_made_leaves_whole_ones_and_the_database),
        TEST(a_read_only_handle_beside_a_writer_shows_all_that_was_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
