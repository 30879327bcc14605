#include "http/workers.h"

#include <errno.h>
#include <time.h>

#define IDLE_SECS 10

bool fl_http_workers_init(struct fl_http_workers *workers, const char *name, unsigned threads_max,
                          size_t waiting_max) {
    pthread_condattr_t monotonic;
    *workers = (struct fl_http_workers){
        .name = name, .threads_max = threads_max, .waiting_max = waiting_max};
    if (pthread_mutex_init(&workers->lock, NULL) != 0)
        return false;
    /* These fail where memory is out, which on Linux none of them needs. */
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&workers->given, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_cond_init(&workers->ended, NULL);
    return true;
}

void fl_http_workers_deinit(struct fl_http_workers *workers) {
    pthread_cond_destroy(&workers->ended);
    pthread_cond_destroy(&workers->given);
    pthread_mutex_destroy(&workers->lock);
}

/* The caller holds the lock. NULL: there has been nothing for long, or there will be nothing. */
static struct fl_http_job *await_job(struct fl_http_workers *workers) {
    struct timespec until;
    int error = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_SECS;
    while (workers->first == NULL && !workers->ending && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&workers->given, &workers->lock, &until);
    workers->idle--;
    struct fl_http_job *job = workers->first;
    if (job != NULL) {
        workers->first = job->next;
        workers->waiting--;
    }
    return job;
}

static void *work(void *argument) {
    struct fl_http_workers *workers = argument;
    struct fl_http_job *job;
    pthread_mutex_lock(&workers->lock);
    while ((job = await_job(workers)) != NULL) {
        pthread_mutex_unlock(&workers->lock);
        job->run(job);
        pthread_mutex_lock(&workers->lock);
        workers->idle++;
    }
    workers->threads--;
    pthread_cond_broadcast(&workers->ended);
    pthread_mutex_unlock(&workers->lock);
    return NULL;
}

/* The caller holds the lock. */
static void add_thread(struct fl_http_workers *workers) {
    pthread_attr_t detached;
    pthread_t thread;
    if (pthread_attr_init(&detached) != 0)
        return;
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &detached, work, workers) == 0) {
        pthread_setname_np(thread, workers->name);
        workers->threads++;
        workers->idle++;
    }
    pthread_attr_destroy(&detached);
}

bool fl_http_workers_give(struct fl_http_workers *workers, struct fl_http_job *job) {
    pthread_mutex_lock(&workers->lock);
    /* Each job that waits already will have one of those that are idle. */
    if (!workers->ending && workers->idle <= workers->waiting &&
        workers->threads < workers->threads_max)
        add_thread(workers);
    bool taken = !workers->ending && workers->threads > 0 &&
                 workers->waiting < workers->idle + workers->waiting_max;
    if (taken) {
        job->next = NULL;
        *(workers->first != NULL ? &workers->last->next : &workers->first) = job;
        workers->last = job;
        workers->waiting++;
        pthread_cond_signal(&workers->given);
    }
    pthread_mutex_unlock(&workers->lock);
    return taken;
}

void fl_http_workers_end(struct fl_http_workers *workers) {
    pthread_mutex_lock(&workers->lock);
    workers->ending = true;
    pthread_cond_broadcast(&workers->given);
    while (workers->threads > 0)
        pthread_cond_wait(&workers->ended, &workers->lock);
    pthread_mutex_unlock(&workers->lock);
}
