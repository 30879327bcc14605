/* Reads that go on, and when one is ended: the registry's second is the test's to step. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/running.h"
#include "api/ticker.h"

/* --------------------------------------------------------------- in place of a thread and a log -- */

struct fl_ticker {
    void (*tick)(void *context);
    void *context;
};

static struct fl_ticker only;
static unsigned lines;

struct fl_ticker *fl_ticker_start(const char *name, uint64_t interval_ms,
                                  void (*tick)(void *context), void *context) {
    assert_string_equal(name, "flowdb-readers");
    assert_int_equal(interval_ms, 1000);
    only = (struct fl_ticker){tick, context};
    return &only;
}

void fl_ticker_stop(struct fl_ticker *ticker) {
    assert_ptr_equal(ticker, &only);
}

void fl_logger_write(const struct fl_logger *logger, flowdb_log_level level, const char *message,
                     const struct fl_log_pair *pairs) {
    (void)logger;
    (void)level;
    (void)message;
    (void)pairs;
    lines++;
}

static void a_second_passes(void) {
    only.tick(only.context);
}

/* ------------------------------------------------------------------------------------- a read -- */

struct world {
    struct fl_running *running;
    struct fl_running_read *read;
    int sockets[2]; /* the server's and the client's */
};

static void set_up(struct world *world, uint64_t timeout_secs) {
    lines = 0;
    world->running = fl_running_create(timeout_secs, NULL);
    assert_non_null(world->running);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, world->sockets), 0);
    world->read = fl_running_begin(world->running, "/query", "", world->sockets[0]);
    assert_non_null(world->read);
}

static void tear_down(struct world *world) {
    fl_running_destroy(world->running);
    close(world->sockets[0]);
    close(world->sockets[1]);
}

/* The client sees an end where the server shut its side down. */
static bool is_shut_down(const struct world *world) {
    char byte;
    return recv(world->sockets[1], &byte, 1, MSG_DONTWAIT) == 0;
}

static void one_that_goes_on_is_let_be(void **state) {
    (void)state;
    struct world world;
    set_up(&world, 3600);
    a_second_passes();
    fl_running_end_part(world.read, 1);
    a_second_passes();
    assert_false(is_shut_down(&world));
    assert_int_equal(fl_running_check(world.read), FL_RUNNING_GOES_ON);
    fl_running_finish(world.read, FL_RUNNING_COMPLETED);
    a_second_passes();
    assert_false(is_shut_down(&world));
    assert_int_equal(lines, 0);
    tear_down(&world);
}

static void a_reader_that_takes_nothing_is_cut_off(void **state) {
    (void)state;
    struct world world;
    set_up(&world, 0);
    a_second_passes();
    assert_false(is_shut_down(&world)); /* it is the server that is at work */
    fl_running_end_part(world.read, 1);
    a_second_passes();
    assert_true(is_shut_down(&world));
    fl_running_finish(world.read, FL_RUNNING_ABANDONED);
    assert_int_equal(lines, 1);
    tear_down(&world);
}

static void a_cancelled_one_is_cut_off_between_parts(void **state) {
    (void)state;
    struct world world;
    set_up(&world, 3600);
    assert_true(fl_running_cancel(world.running, 1));
    assert_false(is_shut_down(&world));
    assert_int_equal(fl_running_check(world.read), FL_RUNNING_CANCELLED);
    fl_running_end_part(world.read, 1);
    a_second_passes();
    assert_true(is_shut_down(&world));
    fl_running_finish(world.read, FL_RUNNING_COMPLETED);
    assert_false(fl_running_cancel(world.running, 1));
    tear_down(&world);
}

/* ------------------------------------------------------------------------------- how one ends -- */

struct finisher {
    struct world *world;
    pthread_t thread;
    _Atomic int tid;
    enum fl_running_end seen; /* the read's verdict while it is in the list and its end under way */
};

static void *finish(void *argument) {
    struct finisher *finisher = argument;
    atomic_store(&finisher->tid, gettid());
    fl_running_finish(finisher->world->read, FL_RUNNING_COMPLETED);
    return NULL;
}

/* Is the thread waiting for a lock? */
static bool sleeps(int tid) {
    char path[64], state = '?';
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = '?';
    fclose(file);
    return state == 'S';
}

/* Called with the registry's lock held, so the end gets no further than to it. */
static void end_meanwhile(void *context, const struct fl_running_view *view) {
    struct finisher *finisher = context;
    assert_int_equal(view->end, FL_RUNNING_GOES_ON);
    assert_int_equal(pthread_create(&finisher->thread, NULL, finish, finisher), 0);
    while (atomic_load(&finisher->tid) == 0 || !sleeps(atomic_load(&finisher->tid)))
        sched_yield();
    finisher->seen = fl_running_check(finisher->world->read);
}

/* Whoever looks after reads takes one in the list that has a verdict for one to be stopped, and shuts
   its connection down: the verdict must not come before the end of it. */
static void one_that_is_done_has_no_verdict_while_it_is_in_the_list(void **state) {
    (void)state;
    struct world world;
    set_up(&world, 3600);
    struct finisher finisher = {.world = &world};
    fl_running_end_part(world.read, 1);
    fl_running_list(world.running, end_meanwhile, &finisher);
    pthread_join(finisher.thread, NULL);
    assert_int_equal(finisher.seen, FL_RUNNING_GOES_ON);
    a_second_passes();
    assert_false(is_shut_down(&world));
    tear_down(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_goes_on_is_let_be),
        cmocka_unit_test(a_reader_that_takes_nothing_is_cut_off),
        cmocka_unit_test(a_cancelled_one_is_cut_off_between_parts),
        cmocka_unit_test(one_that_is_done_has_no_verdict_while_it_is_in_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
