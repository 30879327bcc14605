/* Threads for requests that wait: how many there are, who waits for one, and that none is forgotten. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "http/workers.h"

enum { JOBS = 8 };

struct world {
    struct fl_http_workers workers;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    unsigned begun, released; /* how many have begun, and how many may end */
    unsigned order[JOBS];     /* in which they began */
    char thread[16];          /* the name of the last one's */
};

struct job {
    struct fl_http_job job;
    struct world *world;
    unsigned number;
};

static void run(struct fl_http_job *given) {
    struct job *job = (struct job *)((char *)given - offsetof(struct job, job));
    struct world *world = job->world;
    pthread_mutex_lock(&world->lock);
    pthread_getname_np(pthread_self(), world->thread, sizeof world->thread);
    world->order[world->begun++] = job->number;
    unsigned place = world->begun;
    pthread_cond_broadcast(&world->changed);
    while (world->released < place)
        pthread_cond_wait(&world->changed, &world->lock);
    pthread_mutex_unlock(&world->lock);
}

static void set_up(struct world *world, struct job jobs[JOBS], unsigned threads, size_t waiting) {
    memset(world, 0, sizeof *world);
    assert_true(fl_http_workers_init(&world->workers, "a-name", threads, waiting));
    pthread_mutex_init(&world->lock, NULL);
    pthread_cond_init(&world->changed, NULL);
    for (unsigned i = 0; i < JOBS; i++)
        jobs[i] = (struct job){.job.run = run, .world = world, .number = i};
}

static void await_begun(struct world *world, unsigned begun) {
    pthread_mutex_lock(&world->lock);
    while (world->begun < begun)
        pthread_cond_wait(&world->changed, &world->lock);
    pthread_mutex_unlock(&world->lock);
}

/* So many may end altogether. */
static void release(struct world *world, unsigned released) {
    pthread_mutex_lock(&world->lock);
    world->released = released;
    pthread_cond_broadcast(&world->changed);
    pthread_mutex_unlock(&world->lock);
}

static void tear_down(struct world *world) {
    fl_http_workers_end(&world->workers);
    fl_http_workers_deinit(&world->workers);
    pthread_cond_destroy(&world->changed);
    pthread_mutex_destroy(&world->lock);
}

static void as_many_run_as_there_are_threads(void **state) {
    (void)state;
    struct world world;
    struct job jobs[JOBS];
    set_up(&world, jobs, 3, 0);
    for (unsigned i = 0; i < 3; i++)
        assert_true(fl_http_workers_give(&world.workers, &jobs[i].job));
    assert_false(fl_http_workers_give(&world.workers, &jobs[3].job));
    await_begun(&world, 3);
    assert_string_equal(world.thread, "a-name");
    assert_false(fl_http_workers_give(&world.workers, &jobs[3].job));
    release(&world, 3);
    /* A thread that is done takes the next. */
    while (!fl_http_workers_give(&world.workers, &jobs[3].job))
        continue;
    await_begun(&world, 4);
    release(&world, 4);
    tear_down(&world);
    assert_int_equal(world.begun, 4);
}

static void others_wait_for_them_in_order(void **state) {
    (void)state;
    struct world world;
    struct job jobs[JOBS];
    set_up(&world, jobs, 1, 4);
    assert_true(fl_http_workers_give(&world.workers, &jobs[0].job));
    await_begun(&world, 1);
    for (unsigned i = 1; i < 5; i++)
        assert_true(fl_http_workers_give(&world.workers, &jobs[i].job));
    assert_false(fl_http_workers_give(&world.workers, &jobs[5].job));
    release(&world, 2);
    await_begun(&world, 3);
    assert_true(fl_http_workers_give(&world.workers, &jobs[5].job));
    release(&world, JOBS);
    tear_down(&world);
    assert_int_equal(world.begun, 6);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(world.order[i], i);
}

static void *end(void *workers) {
    fl_http_workers_end(workers);
    return NULL;
}

static void an_end_waits_for_all_and_takes_no_more(void **state) {
    (void)state;
    struct world world;
    struct job jobs[JOBS];
    pthread_t ending;
    bool ended = false;
    set_up(&world, jobs, 1, 4);
    for (unsigned i = 0; i < 3; i++)
        assert_true(fl_http_workers_give(&world.workers, &jobs[i].job));
    await_begun(&world, 1);
    assert_int_equal(pthread_create(&ending, NULL, end, &world.workers), 0);
    while (!ended) {
        pthread_mutex_lock(&world.workers.lock);
        ended = world.workers.ending;
        pthread_mutex_unlock(&world.workers.lock);
    }
    assert_false(fl_http_workers_give(&world.workers, &jobs[3].job));
    release(&world, JOBS);
    pthread_join(ending, NULL);
    assert_int_equal(world.begun, 3);
    tear_down(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_run_as_there_are_threads),
        cmocka_unit_test(others_wait_for_them_in_order),
        cmocka_unit_test(an_end_waits_for_all_and_takes_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
