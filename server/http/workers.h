/*
 * Threads for requests that wait or take long, which must not keep the connections waiting that share
 * their connection's thread. There are so many as are needed, up to a number; what comes then waits for
 * one of them, up to a number too. A thread that has had nothing to do for a while ends.
 */
#ifndef FL_HTTP_WORKERS_H
#define FL_HTTP_WORKERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* Belongs to who gives it, and must stay until it is run, which is once. */
struct fl_http_job {
    struct fl_http_job *next;
    void (*run)(struct fl_http_job *job); /* may free it */
};

struct fl_http_workers {
    /* constant once it is set up */
    const char *name; /* of the threads; a literal */
    unsigned threads_max;
    size_t waiting_max;
    pthread_mutex_t lock;
    pthread_cond_t given; /* waited for on the monotonic clock */
    pthread_cond_t ended;
    /* under `lock` */
    struct fl_http_job *first, *last;
    size_t waiting;
    unsigned threads;
    unsigned idle; /* threads without a job, those included that a waiting job will have */
    bool ending;
};

bool fl_http_workers_init(struct fl_http_workers *workers, const char *name, unsigned threads_max,
                          size_t waiting_max);
/* No thread may be left. */
void fl_http_workers_deinit(struct fl_http_workers *workers);

/* The job will be run by a thread. False: it will not, there are too many, or an end was asked for. */
bool fl_http_workers_give(struct fl_http_workers *workers, struct fl_http_job *job);
/* Takes no more, and returns once all that was given has been run and the threads have ended. */
void fl_http_workers_end(struct fl_http_workers *workers);

#endif
