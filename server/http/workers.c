#include "http/workers.h"

#include <stdlib.h>

struct work {
    struct fl_http_workers *workers;
    void (*work)(void *context);
    void *context;
};

bool fl_http_workers_init(struct fl_http_workers *workers) {
    workers->running = 0;
    if (pthread_mutex_init(&workers->lock, NULL) != 0)
        return false;
    if (pthread_cond_init(&workers->ended, NULL) == 0)
        return true;
    pthread_mutex_destroy(&workers->lock);
    return false;
}

void fl_http_workers_deinit(struct fl_http_workers *workers) {
    pthread_cond_destroy(&workers->ended);
    pthread_mutex_destroy(&workers->lock);
}

bool fl_http_workers_claim(struct fl_http_workers *workers) {
    pthread_mutex_lock(&workers->lock);
    bool claimed = workers->running < FL_HTTP_WORKERS_MAX;
    workers->running += claimed;
    pthread_mutex_unlock(&workers->lock);
    return claimed;
}

static void give_back(struct fl_http_workers *workers) {
    pthread_mutex_lock(&workers->lock);
    workers->running--;
    pthread_cond_broadcast(&workers->ended);
    pthread_mutex_unlock(&workers->lock);
}

static void *run(void *argument) {
    struct work work = *(struct work *)argument;
    free(argument);
    work.work(work.context);
    give_back(work.workers);
    return NULL;
}

bool fl_http_workers_begin(struct fl_http_workers *workers, void (*work)(void *context),
                           void *context) {
    struct work *made = malloc(sizeof *made);
    pthread_attr_t detached;
    pthread_t thread;
    bool begun = false;
    if (made != NULL && pthread_attr_init(&detached) == 0) {
        *made = (struct work){workers, work, context};
        pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
        begun = pthread_create(&thread, &detached, run, made) == 0;
        pthread_attr_destroy(&detached);
    }
    if (!begun) {
        free(made);
        give_back(workers);
    }
    return begun;
}

void fl_http_workers_wait(struct fl_http_workers *workers) {
    pthread_mutex_lock(&workers->lock);
    while (workers->running > 0)
        pthread_cond_wait(&workers->ended, &workers->lock);
    pthread_mutex_unlock(&workers->lock);
}
