/*
 * Kills a writing process at random moments, and sometimes its recovery too; then all that was
 * acknowledged must be there, no batch may be torn, and each thread's batches must be a beginning
 * of what it wrote. (See workload.h for how that is known.)
 *
 *   FLOWDB_KILLS  rounds (100)
 *   FLOWDB_SEED   the seed (random). Threads and the moment of death do not repeat exactly.
 */
#include <errno.h>
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

enum {
    BATCHES_PER_ROUND = 4000, /* of one thread; then the child closes the database */
    ROUNDS_PER_FOLDER = 8,    /* at most */
    ROUND_SECONDS = 120       /* a round that takes longer hangs */
};

/* What a writer tells the parent, after the call that it speaks of has returned. */
struct acknowledgement {
    enum news { OPENED, COMMITTED, DURABLE, CLOSED } what;
    uint32_t thread;
    uint64_t number; /* this batch of the thread, and those before it */
};

/* Written by the process that checks, read by the parent. */
struct verdict {
    uint64_t last[WORKLOAD_THREADS];
    bool good;
};

struct test {
    uint64_t seed;
    struct crash_random random;
    char folder[CRASH_PATH_BYTES];
    uint64_t folder_seed;
    unsigned folder_rounds;
    flowdb_wal_sync mode;
    uint64_t start[WORKLOAD_THREADS];        /* what is in the folder for certain */
    uint64_t acknowledged[WORKLOAD_THREADS]; /* in this round */
    uint64_t must[WORKLOAD_THREADS];         /* may not be lost */
    struct verdict *verdict;                 /* shared memory */
    struct {
        unsigned kills, before_open, after_close, recoveries_killed, checks_killed, read_only;
        uint64_t acknowledged, surviving_unacknowledged, lost_from_buffer;
    } count;
};

static flowdb_config choose_config(struct test *test) {
    static const uint32_t block_sizes[] = {256, 4096, 8192, 65536};
    struct crash_random *random = &test->random;
    flowdb_config config = flowdb_config_default();
    config.data_dir = test->folder;
    config.memtable_size_mb = 1;
    config.wal_segment_size_mb = crash_random_chance(random, 30) ? 1 : 64;
    config.max_frozen_memtables = 1 + crash_random_below(random, 3);
    config.block_size = block_sizes[crash_random_below(random, 4)];
    config.auto_background = crash_random_chance(random, 75);
    config.wal_sync = test->mode;
    config.wal_sync_interval_ms = crash_random_log(random, 1, 1000);
    config.flush_interval_ms = crash_random_log(random, 1, 200);
    return config;
}

/* ------------------------------------------------------------------- the process that dies */

struct writer_process {
    flowdb *db;
    uint64_t seed;
    int pipe;
    uint64_t start[WORKLOAD_THREADS];
    _Atomic uint64_t acknowledged[WORKLOAD_THREADS];
};

struct writer {
    struct writer_process *process;
    unsigned thread;
};

static void die(const char *what) {
    fprintf(stderr, "%s: %s\n", what, flowdb_last_error());
    _exit(3);
}

static void tell(int pipe, enum news what, unsigned thread, uint64_t number) {
    struct acknowledgement message;
    memset(&message, 0, sizeof message);
    message.what = what;
    message.thread = thread;
    message.number = number;
    /* Smaller than PIPE_BUF: the messages of several threads do not mix. */
    if (write(pipe, &message, sizeof message) != (ssize_t)sizeof message)
        _exit(3);
}

static void *write_batches(void *argument) {
    struct writer *writer = argument;
    struct writer_process *process = writer->process;
    struct workload_marker known = {{0}};
    for (uint64_t i = 1; i <= BATCHES_PER_ROUND; i++) {
        uint64_t number = process->start[writer->thread] + i;
        for (unsigned other = 0; other < WORKLOAD_THREADS; other++)
            known.acknowledged[other] = atomic_load(&process->acknowledged[other]);
        if (workload_write(process->db, process->seed, writer->thread, number, &known) != FLOWDB_OK)
            die("write");
        atomic_store(&process->acknowledged[writer->thread], number);
        tell(process->pipe, COMMITTED, writer->thread, number);
        uint64_t dice = crash_mix(process->seed ^ number * 7 ^ writer->thread) % 400;
        if (dice == 2 && flowdb_compact_all(process->db) != FLOWDB_OK)
            die("compact_all");
        if (dice > 1)
            continue;
        if ((dice == 0 ? flowdb_sync(process->db) : flowdb_flush(process->db)) != FLOWDB_OK)
            die("sync or flush");
        tell(process->pipe, DURABLE, writer->thread, number);
    }
    return NULL;
}

static void writer_main(struct test *test, const flowdb_config *config, int pipe) {
    struct writer_process process = {.seed = test->folder_seed, .pipe = pipe};
    struct writer writers[WORKLOAD_THREADS];
    pthread_t threads[WORKLOAD_THREADS];
    if (flowdb_open(config, &process.db) != FLOWDB_OK)
        die("open");
    tell(pipe, OPENED, 0, 0);
    for (unsigned i = 0; i < WORKLOAD_THREADS; i++) {
        process.start[i] = test->start[i];
        atomic_init(&process.acknowledged[i], test->start[i]);
        writers[i] = (struct writer){&process, i};
    }
    for (unsigned i = 0; i < WORKLOAD_THREADS; i++)
        if (pthread_create(&threads[i], NULL, write_batches, &writers[i]) != 0)
            _exit(3);
    for (unsigned i = 0; i < WORKLOAD_THREADS; i++)
        pthread_join(threads[i], NULL);
    if (flowdb_close(process.db) != FLOWDB_OK)
        die("close");
    tell(pipe, CLOSED, 0, 0);
    _exit(0);
}

/* ---------------------------------------------------------------------- the parent's part */

static void fail(const struct test *test, const char *what) {
    static const char *const modes[] = {"ALWAYS", "INTERVAL", "BUFFERED"};
    fprintf(stderr,
            "FAILED: %s\nseed %" PRIu64 ", kill %u, round %u of folder %s (left as it is), folder "
            "seed %" PRIu64 ", mode %s\n",
            what, test->seed, test->count.kills, test->folder_rounds, test->folder,
            test->folder_seed, modes[test->mode]);
    for (unsigned i = 0; i < WORKLOAD_THREADS; i++)
        fprintf(stderr,
                "thread %u: began after %" PRIu64 ", acknowledged %" PRIu64 ", must have %" PRIu64
                ", recovered %" PRIu64 "\n",
                i, test->start[i], test->acknowledged[i], test->must[i], test->verdict->last[i]);
    exit(1);
}

static void note(struct test *test, const struct acknowledgement *message, bool *opened,
                 bool *closed) {
    switch (message->what) {
    case OPENED:
        *opened = true;
        break;
    case COMMITTED:
        test->count.acknowledged++;
        test->acknowledged[message->thread] = message->number;
        if (test->mode != FLOWDB_SYNC_BUFFERED)
            test->must[message->thread] = message->number;
        break;
    case DURABLE:
        test->must[message->thread] = message->number;
        break;
    case CLOSED:
        *closed = true;
        memcpy(test->must, test->acknowledged, sizeof test->must);
        break;
    }
}

/* Reads acknowledgements until the count or the moment comes, or the writer has ended. */
static void listen(struct test *test, int pipe, uint32_t count, int64_t until_us, bool *opened,
                   bool *closed) {
    while (count > 0) {
        struct acknowledgement message;
        struct pollfd poll = {.fd = pipe, .events = POLLIN};
        int64_t left_us = until_us - crash_now_us();
        if (left_us <= 0 && until_us != INT64_MAX)
            return;
        struct timespec timeout = {left_us / 1000000, left_us % 1000000 * 1000};
        if (until_us != INT64_MAX && ppoll(&poll, 1, &timeout, NULL) <= 0)
            return;
        if (read(pipe, &message, sizeof message) != (ssize_t)sizeof message)
            return;
        note(test, &message, opened, closed);
        count--;
    }
}

static void reap(struct test *test, pid_t child, bool may_end_itself) {
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            fail(test, "waitpid");
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return;
    if (!may_end_itself || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail(test, "a child did not end as it should");
}

static void kill_writer(struct test *test) {
    int pipes[2];
    bool opened = false, closed = false;
    flowdb_config config = choose_config(test);
    /* Half of the deaths come after a time, from within open on; half after a number of batches. */
    bool by_time = crash_random_chance(&test->random, 50);
    uint32_t count = by_time ? UINT32_MAX : crash_random_log(&test->random, 1, 6000);
    int64_t delay_us = crash_random_log(&test->random, 2000, by_time ? 600000 : 1000000);
    if (!by_time)
        delay_us += 1000000;
    if (pipe(pipes) != 0)
        fail(test, "pipe");
    pid_t child = crash_fork();
    if (child == 0) {
        close(pipes[0]);
        writer_main(test, &config, pipes[1]);
    }
    close(pipes[1]);
    listen(test, pipes[0], count, crash_now_us() + delay_us, &opened, &closed);
    kill(child, SIGKILL);
    /* What it had said before it died counts as well; the end of the pipe is its death. */
    listen(test, pipes[0], UINT32_MAX, INT64_MAX, &opened, &closed);
    close(pipes[0]);
    reap(test, child, true);
    test->count.kills++;
    test->count.before_open += !opened;
    test->count.after_close += closed;
}

/* Opens, which recovers, and is killed somewhere in it. */
static void kill_recovery(struct test *test) {
    flowdb_config config = choose_config(test);
    int64_t until_us = crash_now_us() + crash_random_log(&test->random, 50, 60000);
    int pipes[2];
    if (pipe(pipes) != 0)
        fail(test, "pipe");
    pid_t child = crash_fork();
    if (child == 0) {
        flowdb *db;
        close(pipes[0]);
        if (flowdb_open(&config, &db) != FLOWDB_OK || flowdb_close(db) != FLOWDB_OK)
            die("recovery");
        _exit(0);
    }
    close(pipes[1]);
    bool unused;
    listen(test, pipes[0], 1, until_us, &unused, &unused);
    close(pipes[0]);
    kill(child, SIGKILL);
    reap(test, child, true);
    test->count.recoveries_killed++;
}

static void check_main(struct test *test, const flowdb_config *config, bool close_after) {
    flowdb *db;
    if (flowdb_open(config, &db) != FLOWDB_OK)
        die(config->read_only ? "open for reading only" : "open");
    test->verdict->good = workload_check(db, test->folder_seed, test->verdict->last);
    if (!close_after)
        raise(SIGKILL);
    if (flowdb_close(db) != FLOWDB_OK)
        die("close");
    _exit(0);
}

/* Checks in a process of its own, which then closes the database or dies as well. */
static void check(struct test *test, bool read_only) {
    flowdb_config config = choose_config(test);
    bool close_after = crash_random_chance(&test->random, 50);
    config.read_only = read_only;
    memset(test->verdict, 0, sizeof *test->verdict);
    pid_t child = crash_fork();
    if (child == 0)
        check_main(test, &config, close_after);
    reap(test, child, close_after);
    test->count.checks_killed += !close_after;
    test->count.read_only += read_only;
    if (!test->verdict->good)
        fail(test, read_only ? "what a read-only handle sees is wrong" : "the database is wrong");
    for (unsigned i = 0; i < WORKLOAD_THREADS; i++)
        if (test->verdict->last[i] < test->must[i])
            fail(test, "acknowledged batches are lost");
}

static void round_of(struct test *test) {
    static const flowdb_wal_sync modes[] = {FLOWDB_SYNC_ALWAYS, FLOWDB_SYNC_INTERVAL,
                                            FLOWDB_SYNC_INTERVAL, FLOWDB_SYNC_BUFFERED};
    test->mode = modes[crash_random_below(&test->random, 4)];
    memcpy(test->must, test->start, sizeof test->must);
    memcpy(test->acknowledged, test->start, sizeof test->acknowledged);
    alarm(ROUND_SECONDS); /* its signal ends this process, and with it the children */
    kill_writer(test);
    while (crash_random_chance(&test->random, 25))
        kill_recovery(test);
    /* A read-only open recovers into memory and changes no file: the next finds the same state. */
    if (test->folder_rounds > 0 && crash_random_chance(&test->random, 25)) {
        check(test, true);
        memcpy(test->must, test->verdict->last, sizeof test->must);
    }
    check(test, false);
    for (unsigned i = 0; i < WORKLOAD_THREADS; i++) {
        uint64_t last = test->verdict->last[i], acknowledged = test->acknowledged[i];
        if (last > acknowledged)
            test->count.surviving_unacknowledged += last - acknowledged;
        else
            test->count.lost_from_buffer += acknowledged - last;
    }
    memcpy(test->start, test->verdict->last, sizeof test->start);
    alarm(0);
}

static void begin_folder(struct test *test) {
    crash_folder_create(test->folder);
    test->folder_seed = crash_random_next(&test->random);
    test->folder_rounds = 0;
    memset(test->start, 0, sizeof test->start);
}

int main(void) {
    struct test test = {.seed = crash_seed()};
    uint64_t rounds = crash_number_from_environment("FLOWDB_KILLS", 100);
    test.random.state = crash_mix(test.seed);
    test.verdict =
        mmap(NULL, sizeof *test.verdict, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (test.verdict == MAP_FAILED)
        return 2;
    printf("kill: seed %" PRIu64 ", %" PRIu64 " kills\n", test.seed, rounds);
    begin_folder(&test);
    while (test.count.kills < rounds) {
        round_of(&test);
        if (++test.folder_rounds == ROUNDS_PER_FOLDER || crash_random_chance(&test.random, 5)) {
            crash_folder_remove(test.folder);
            begin_folder(&test);
        }
    }
    crash_folder_remove(test.folder);
    printf("%u writers killed (%u before open had returned, %u after close), %u recoveries and %u "
           "checks killed, %u read-only checks\n",
           test.count.kills, test.count.before_open, test.count.after_close,
           test.count.recoveries_killed, test.count.checks_killed, test.count.read_only);
    printf("%" PRIu64 " batches acknowledged, %" PRIu64 " survived unacknowledged, %" PRIu64
           " lost from BUFFERED logs\n",
           test.count.acknowledged, test.count.surviving_unacknowledged,
           test.count.lost_from_buffer);
    munmap(test.verdict, sizeof *test.verdict);
    return 0;
}
