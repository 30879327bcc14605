/*
 * One handle at a time holds a directory, in this process or in any.
 *
 *   FLOWDB_RACES  how many times four processes rush for one directory (200)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <flowdb/flowdb.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crash.h"

/* What a child did, as its exit code; status of the open otherwise. */
enum { CHILD_FAILED = 100 };

static flowdb_config config_for(const char *folder) {
    flowdb_config config = flowdb_config_default();
    config.data_dir = folder;
    config.memtable_size_mb = 1;
    return config;
}

static flowdb *open_database(const char *folder) {
    flowdb_config config = config_for(folder);
    flowdb *db = NULL;
    if (flowdb_open(&config, &db) != FLOWDB_OK)
        fail_msg("open: %s", flowdb_last_error());
    return db;
}

static flowdb_status try_to_open(const char *folder) {
    flowdb_config config = config_for(folder);
    flowdb *db = NULL;
    flowdb_status status = flowdb_open(&config, &db);
    if (status == FLOWDB_OK)
        flowdb_close(db);
    else if (db != NULL)
        return (flowdb_status)CHILD_FAILED; /* an output was touched */
    return status;
}

static flowdb_status put(flowdb *db, const char *key, int64_t ts, const char *value) {
    flowdb_record record = {flowdb_str(key), ts, FLOWDB_NEVER, flowdb_str(value)};
    return flowdb_write(db, &record, 1);
}

static void assert_value(flowdb *db, const char *key, int64_t ts, const char *value) {
    flowdb_result result = {0};
    assert_int_equal(flowdb_get(db, flowdb_str(key), ts, &result), FLOWDB_OK);
    assert_int_equal(result.records[0].value.size, strlen(value));
    assert_memory_equal(result.records[0].value.data, value, strlen(value));
    flowdb_result_free(&result);
}

enum { WATCHDOG_SECONDS = 120 }; /* SIGALRM ends the program, and with it its children */

static int setup(void **state) {
    alarm(WATCHDOG_SECONDS);
    char *folder = malloc(CRASH_PATH_BYTES);
    if (folder == NULL)
        return -1;
    crash_folder_create(folder);
    *state = folder;
    return 0;
}

static int teardown(void **state) {
    crash_folder_remove(*state);
    free(*state);
    return 0;
}

/* A child that waits for a word, then does something, and whose exit code tells how it went. It is
   made before the parent opens anything: an open database is not to be used across fork. */
struct child {
    pid_t pid;
    int go, ready;
};

static struct child child_start(int (*run)(const char *folder, int ready, int go),
                                const char *folder) {
    int go[2], ready[2];
    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(ready), 0);
    struct child child = {crash_fork(), go[1], ready[0]};
    if (child.pid == 0) {
        close(go[1]);
        close(ready[0]);
        _exit(run(folder, ready[1], go[0]));
    }
    close(go[0]);
    close(ready[1]);
    return child;
}

/* True: the word came. */
static bool wait_for_word(int pipe) {
    char word;
    ssize_t got;
    do {
        got = read(pipe, &word, 1);
    } while (got < 0 && errno == EINTR);
    return got == 1;
}

static void say(int pipe) {
    if (write(pipe, "!", 1) != 1)
        _exit(CHILD_FAILED);
}

static int child_end(struct child *child) {
    int status = 0;
    close(child->go);
    close(child->ready);
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : CHILD_FAILED;
}

static int run_try_to_open(const char *folder, int ready, int go) {
    (void)ready;
    return wait_for_word(go) ? (int)try_to_open(folder) : CHILD_FAILED;
}

/* Opens, says so, and holds the database until it is told to go, or killed. */
static int run_hold(const char *folder, int ready, int go) {
    flowdb_config config = config_for(folder);
    flowdb *db;
    if (flowdb_open(&config, &db) != FLOWDB_OK || put(db, "held", 1, "by a child") != FLOWDB_OK)
        return CHILD_FAILED;
    say(ready);
    wait_for_word(go);
    if (put(db, "held", 2, "still") != FLOWDB_OK)
        return CHILD_FAILED;
    return (int)flowdb_close(db);
}

static void a_second_open_in_the_same_process_is_locked_and_the_first_goes_on(void **state) {
    flowdb *db = open_database(*state);
    assert_int_equal(put(db, "a", 1, "before"), FLOWDB_OK);
    assert_int_equal(try_to_open(*state), FLOWDB_LOCKED);
    assert_non_null(strstr(flowdb_last_error(), *state));
    assert_int_equal(put(db, "a", 2, "after"), FLOWDB_OK);
    assert_int_equal(flowdb_flush(db), FLOWDB_OK);
    /* The failed open must not have taken the lock with it either. */
    assert_int_equal(try_to_open(*state), FLOWDB_LOCKED);
    assert_int_equal(flowdb_close(db), FLOWDB_OK);
    db = open_database(*state);
    assert_value(db, "a", 1, "before");
    assert_value(db, "a", 2, "after");
    assert_int_equal(flowdb_close(db), FLOWDB_OK);
}

static void a_second_open_in_another_process_is_locked_and_the_first_goes_on(void **state) {
    struct child children[3];
    for (unsigned i = 0; i < 3; i++)
        children[i] = child_start(run_try_to_open, *state);
    flowdb *db = open_database(*state);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(put(db, "a", i, "before"), FLOWDB_OK);
        say(children[i].go);
        assert_int_equal(child_end(&children[i]), FLOWDB_LOCKED);
        assert_int_equal(put(db, "b", i, "after"), FLOWDB_OK);
        if (i == 1)
            assert_int_equal(flowdb_flush(db), FLOWDB_OK);
    }
    assert_int_equal(flowdb_close(db), FLOWDB_OK);
    db = open_database(*state);
    for (unsigned i = 0; i < 3; i++) {
        assert_value(db, "a", i, "before");
        assert_value(db, "b", i, "after");
    }
    assert_int_equal(flowdb_close(db), FLOWDB_OK);
}

static void another_process_may_open_once_the_first_has_closed(void **state) {
    struct child child = child_start(run_hold, *state);
    assert_true(wait_for_word(child.ready));
    assert_int_equal(try_to_open(*state), FLOWDB_LOCKED);
    say(child.go);
    assert_int_equal(child_end(&child), FLOWDB_OK);
    flowdb *db = open_database(*state);
    assert_value(db, "held", 1, "by a child");
    assert_value(db, "held", 2, "still");
    assert_int_equal(flowdb_close(db), FLOWDB_OK);
}

static void the_lock_of_a_killed_process_is_gone(void **state) {
    for (unsigned i = 0; i < 5; i++) {
        struct child child = child_start(run_hold, *state);
        assert_true(wait_for_word(child.ready));
        kill(child.pid, SIGKILL);
        child_end(&child);
        flowdb *db = open_database(*state);
        assert_value(db, "held", 1, "by a child");
        assert_int_equal(flowdb_close(db), FLOWDB_OK);
    }
}

static void another_name_of_the_directory_is_the_same_directory(void **state) {
    char link[CRASH_PATH_BYTES + 8], longer[CRASH_PATH_BYTES + 8];
    snprintf(link, sizeof link, "%s.link", (const char *)*state);
    snprintf(longer, sizeof longer, "%s/../%s/", (const char *)*state,
             strrchr((const char *)*state, '/') + 1);
    assert_int_equal(symlink(*state, link), 0);
    flowdb *db = open_database(*state);
    flowdb_status by_link = try_to_open(link), by_path = try_to_open(longer);
    unlink(link);
    assert_int_equal(by_link, FLOWDB_LOCKED);
    assert_int_equal(by_path, FLOWDB_LOCKED);
    assert_int_equal(flowdb_close(db), FLOWDB_OK);
}

static void a_read_only_handle_neither_takes_the_lock_nor_needs_it(void **state) {
    flowdb_config reading = config_for(*state);
    flowdb *db = open_database(*state), *reader = NULL;
    reading.read_only = true;
    assert_int_equal(put(db, "a", 1, "seen"), FLOWDB_OK);
    assert_int_equal(flowdb_open(&reading, &reader), FLOWDB_OK);
    assert_int_equal(put(db, "a", 2, "written beside it"), FLOWDB_OK);
    assert_value(reader, "a", 1, "seen");
    assert_int_equal(flowdb_close(db), FLOWDB_OK);
    db = open_database(*state); /* while the reader is still there */
    assert_value(db, "a", 2, "written beside it");
    assert_int_equal(flowdb_close(db), FLOWDB_OK);
    assert_value(reader, "a", 1, "seen");
    assert_int_equal(flowdb_close(reader), FLOWDB_OK);
}

/* ------------------------------------------------------------------------------- races */

enum { RACERS = 4 };

/* In shared memory. */
struct race {
    _Atomic unsigned holders, arrived, round;
    _Atomic uint64_t opened, locked, failed;
};

static struct race *shared_race(void) {
    struct race *race =
        mmap(NULL, sizeof *race, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(race != MAP_FAILED);
    return race;
}

/* One attempt: who holds the database must be alone, and what it writes must stay. */
static void race_once(struct race *race, const char *folder, unsigned racer, uint64_t turn) {
    flowdb_config config = config_for(folder);
    flowdb *db = NULL;
    char key[32];
    flowdb_status status = flowdb_open(&config, &db);
    if (status == FLOWDB_LOCKED) {
        atomic_fetch_add(&race->locked, 1);
        return;
    }
    if (status != FLOWDB_OK) {
        fprintf(stderr, "racer %u: %s\n", racer, flowdb_last_error());
        atomic_fetch_add(&race->failed, 1);
        return;
    }
    uint64_t place = atomic_fetch_add(&race->opened, 1);
    snprintf(key, sizeof key, "racer%u", racer);
    if (atomic_fetch_add(&race->holders, 1) != 0 ||
        put(db, "turns", (int64_t)place, "") != FLOWDB_OK ||
        put(db, key, (int64_t)turn, "") != FLOWDB_OK)
        atomic_fetch_add(&race->failed, 1);
    atomic_fetch_sub(&race->holders, 1);
    if (flowdb_close(db) != FLOWDB_OK)
        atomic_fetch_add(&race->failed, 1);
}

/* All racers start a turn together. */
static void meet(struct race *race, unsigned turn) {
    if (atomic_fetch_add(&race->arrived, 1) + 1 == RACERS) {
        atomic_store(&race->arrived, 0);
        atomic_store(&race->round, turn + 1);
        return;
    }
    while (atomic_load(&race->round) <= turn && atomic_load(&race->failed) == 0)
        sched_yield();
}

static uint64_t races(void) {
    return crash_number_from_environment("FLOWDB_RACES", 200);
}

/* Until all turns are done or somebody failed. */
static void run_racer(struct race *race, const char *folder, unsigned racer) {
    for (unsigned turn = 0; turn < races() && atomic_load(&race->failed) == 0; turn++) {
        meet(race, turn);
        race_once(race, folder, racer, turn);
    }
}

static void check_race(struct race *race, const char *folder) {
    flowdb *db = open_database(folder);
    flowdb_range range = flowdb_range_prefix(flowdb_str("turns"));
    flowdb_result result = {0};
    assert_int_equal(atomic_load(&race->failed), 0);
    assert_int_equal(atomic_load(&race->opened) + atomic_load(&race->locked), races() * RACERS);
    assert_true(atomic_load(&race->opened) >= races()); /* each turn has a winner */
    assert_int_equal(flowdb_query(db, &range, NULL, &result), FLOWDB_OK);
    assert_int_equal(result.count, atomic_load(&race->opened));
    flowdb_result_free(&result);
    assert_int_equal(flowdb_close(db), FLOWDB_OK);
    print_message("%" PRIu64 " opens won, %" PRIu64 " were locked out\n",
                  atomic_load(&race->opened), atomic_load(&race->locked));
    munmap(race, sizeof *race);
}

static void of_processes_that_race_for_a_directory_one_at_a_time_holds_it(void **state) {
    struct race *race = shared_race();
    pid_t children[RACERS];
    for (unsigned i = 0; i < RACERS; i++) {
        children[i] = crash_fork();
        if (children[i] == 0) {
            run_racer(race, *state, i);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < RACERS; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    check_race(race, *state);
}

struct racer {
    struct race *race;
    const char *folder;
    unsigned number;
};

static void *race_thread(void *argument) {
    struct racer *racer = argument;
    run_racer(racer->race, racer->folder, racer->number);
    return NULL;
}

static void of_threads_that_race_for_a_directory_one_at_a_time_holds_it(void **state) {
    struct race *race = shared_race();
    struct racer racers[RACERS];
    pthread_t threads[RACERS];
    for (unsigned i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){race, *state, i};
        assert_int_equal(pthread_create(&threads[i], NULL, race_thread, &racers[i]), 0);
    }
    for (unsigned i = 0; i < RACERS; i++)
        pthread_join(threads[i], NULL);
    check_race(race, *state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_second_open_in_the_same_process_is_locked_and_the_first_goes_on),
        TEST(a_second_open_in_another_process_is_locked_and_the_first_goes_on),
        TEST(another_process_may_open_once_the_first_has_closed),
        TEST(the_lock_of_a_killed_process_is_gone),
        TEST(another_name_of_the_directory_is_the_same_directory),
        TEST(a_read_only_handle_neither_takes_the_lock_nor_needs_it),
        TEST(of_processes_that_race_for_a_directory_one_at_a_time_holds_it),
        TEST(of_threads_that_race_for_a_directory_one_at_a_time_holds_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
