#include "api/ticker.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#define NS_PER_MS 1000000

struct fl_ticker {
    int64_t interval_ns;
    void (*tick)(void *context);
    void *context;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* waited for on the monotonic clock */
    bool stopping;          /* under `lock` */
};

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The caller holds the lock. False: the ticker is being stopped. */
static bool wait_until(struct fl_ticker *ticker, int64_t due_ns) {
    struct timespec until = {due_ns / 1000000000, due_ns % 1000000000};
    int error = 0;
    while (!ticker->stopping && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&ticker->changed, &ticker->lock, &until);
    return !ticker->stopping;
}

static void *run(void *argument) {
    struct fl_ticker *ticker = argument;
    int64_t due_ns = now_ns() + ticker->interval_ns;
    pthread_mutex_lock(&ticker->lock);
    while (wait_until(ticker, due_ns)) {
        pthread_mutex_unlock(&ticker->lock);
        ticker->tick(ticker->context);
        int64_t late_ns = now_ns() - due_ns;
        due_ns += (late_ns / ticker->interval_ns + 1) * ticker->interval_ns;
        pthread_mutex_lock(&ticker->lock);
    }
    pthread_mutex_unlock(&ticker->lock);
    return NULL;
}

struct fl_ticker *fl_ticker_start(const char *name, uint64_t interval_ms,
                                  void (*tick)(void *context), void *context) {
    struct fl_ticker *ticker = calloc(1, sizeof *ticker);
    pthread_condattr_t monotonic;
    if (ticker == NULL)
        return NULL;
    ticker->interval_ns = (int64_t)interval_ms * NS_PER_MS;
    ticker->tick = tick;
    ticker->context = context;
    pthread_mutex_init(&ticker->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&ticker->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&ticker->thread, NULL, run, ticker) == 0) {
        pthread_setname_np(ticker->thread, name);
        return ticker;
    }
    pthread_cond_destroy(&ticker->changed);
    pthread_mutex_destroy(&ticker->lock);
    free(ticker);
    return NULL;
}

void fl_ticker_stop(struct fl_ticker *ticker) {
    if (ticker == NULL)
        return;
    pthread_mutex_lock(&ticker->lock);
    ticker->stopping = true;
    pthread_cond_signal(&ticker->changed);
    pthread_mutex_unlock(&ticker->lock);
    pthread_join(ticker->thread, NULL);
    pthread_cond_destroy(&ticker->changed);
    pthread_mutex_destroy(&ticker->lock);
    free(ticker);
}
