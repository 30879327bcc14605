/*
 * Threads for requests that take long: a compaction must not keep the connections waiting that share
 * its connection's thread. One per request, a few at a time.
 */
#ifndef FL_HTTP_WORKERS_H
#define FL_HTTP_WORKERS_H

#include <pthread.h>
#include <stdbool.h>

#define FL_HTTP_WORKERS_MAX 4

struct fl_http_workers {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    unsigned running; /* under `lock` */
};

bool fl_http_workers_init(struct fl_http_workers *workers);
void fl_http_workers_deinit(struct fl_http_workers *workers);

/* A thread's worth of work is taken, to be begun or given back; false where all are busy. */
bool fl_http_workers_claim(struct fl_http_workers *workers);
/* Calls `work` in a thread of its own; false, and what was claimed is given back, where there is none
   to be had. */
bool fl_http_workers_begin(struct fl_http_workers *workers, void (*work)(void *context),
                           void *context);
/* Returns once all work has ended. */
void fl_http_workers_wait(struct fl_http_workers *workers);

#endif
