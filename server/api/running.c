#include "api/running.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "api/ticker.h"

#define LOOK_EVERY_MS 1000

struct fl_running_read {
    struct fl_running *running;
    struct fl_running_read *next, *previous; /* under the registry's lock */
    int socket;
    int64_t part_began_ms; /* the reader's thread only */
    int64_t made_ms;       /* spent on parts that have ended; the reader's thread only */
    _Atomic bool in_part;
    _Atomic int64_t taken_ms; /* when the last part ended: from then on the reader is waited for */
    _Atomic uint64_t rows;
    _Atomic int verdict; /* an fl_running_end: why it is to stop */
    int64_t began_ms;
    struct fl_running_view view; /* what never changes of it */
};

struct fl_running {
    int64_t timeout_ms;
    const struct fl_logger *logger;
    struct fl_ticker *ticker;
    pthread_mutex_t lock; /* of all below; nothing is called with it held but shutdown(2) */
    uint64_t last_id;
    struct fl_running_read *first, *last; /* in order of their ids */
    struct fl_running_view slow[FL_RUNNING_SLOW];
    uint64_t slow_count; /* ever */
};

const char *fl_running_end_name(enum fl_running_end end) {
    static const char *const names[] = {"running", "completed", "abandoned", "cancelled",
                                        "timed out"};
    return names[end];
}

static int64_t clock_ms(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t now_ms(void) {
    return clock_ms(CLOCK_MONOTONIC);
}

/* -------------------------------------------------------------------------------- one read -- */

struct fl_running_read *fl_running_begin(struct fl_running *running, const char *path,
                                         const char *filters, int socket) {
    struct fl_running_read *read = calloc(1, sizeof *read);
    if (read == NULL)
        return NULL;
    read->running = running;
    read->socket = socket;
    read->began_ms = now_ms();
    read->view.path = path;
    read->view.started_us = clock_ms(CLOCK_REALTIME) * 1000;
    snprintf(read->view.filters, sizeof read->view.filters, "%s", filters);
    read->part_began_ms = read->began_ms;
    atomic_store(&read->in_part, true);
    pthread_mutex_lock(&running->lock);
    read->view.id = ++running->last_id;
    read->previous = running->last;
    *(running->last != NULL ? &running->last->next : &running->first) = read;
    running->last = read;
    pthread_mutex_unlock(&running->lock);
    return read;
}

void fl_running_begin_part(struct fl_running_read *read) {
    read->part_began_ms = now_ms();
    atomic_store(&read->in_part, true);
}

void fl_running_end_part(struct fl_running_read *read, uint64_t rows) {
    int64_t now = now_ms();
    read->made_ms += now - read->part_began_ms;
    atomic_store(&read->rows, rows);
    atomic_store(&read->taken_ms, now);
    atomic_store(&read->in_part, false);
}

/* The first verdict stands. */
static void judge(struct fl_running_read *read, enum fl_running_end verdict) {
    int undecided = FL_RUNNING_GOES_ON;
    atomic_compare_exchange_strong(&read->verdict, &undecided, (int)verdict);
}

enum fl_running_end fl_running_check(struct fl_running_read *read) {
    if (read->made_ms + now_ms() - read->part_began_ms >= read->running->timeout_ms)
        judge(read, FL_RUNNING_TIMED_OUT);
    return (enum fl_running_end)atomic_load(&read->verdict);
}

static struct fl_running_view view_of(const struct fl_running_read *read) {
    struct fl_running_view view = read->view;
    view.rows = atomic_load(&read->rows);
    view.age_ms = (uint64_t)(now_ms() - read->began_ms);
    view.end = (enum fl_running_end)atomic_load(&read->verdict);
    return view;
}

static void log_end(const struct fl_logger *logger, const struct fl_running_view *view) {
    char rows[24], age[24];
    snprintf(rows, sizeof rows, "%llu", (unsigned long long)view->rows);
    snprintf(age, sizeof age, "%llu", (unsigned long long)view->age_ms);
    fl_logger_write(logger, FLOWDB_LOG_WARN, "a read was ended before its end",
                    (const struct fl_log_pair[]){{"how", fl_running_end_name(view->end)},
                                                 {"path", view->path},
                                                 {"filters", view->filters},
                                                 {"rows", rows},
                                                 {"ms", age},
                                                 {NULL, NULL}});
}

void fl_running_finish(struct fl_running_read *read, enum fl_running_end end) {
    if (read == NULL)
        return;
    struct fl_running *running = read->running;
    /* Whoever looks after reads takes one that has a verdict and is in the list for one to be stopped. */
    pthread_mutex_lock(&running->lock);
    judge(read, end);
    struct fl_running_view view = view_of(read);
    *(read->previous != NULL ? &read->previous->next : &running->first) = read->next;
    *(read->next != NULL ? &read->next->previous : &running->last) = read->previous;
    if (view.age_ms >= FL_RUNNING_SLOW_MS)
        running->slow[running->slow_count++ % FL_RUNNING_SLOW] = view;
    pthread_mutex_unlock(&running->lock);
    if (view.end == FL_RUNNING_CANCELLED || view.end == FL_RUNNING_TIMED_OUT)
        log_end(running->logger, &view);
    free(read);
}

/* ---------------------------------------------------------------------------- the registry -- */

/*
 * Called with the lock held. The read is in the list, so its connection has not been closed yet and
 * the descriptor is its own: an answer's source is destroyed before its connection's socket.
 */
static void stop(struct fl_running_read *read, enum fl_running_end verdict) {
    judge(read, verdict);
    if (!atomic_load(&read->in_part))
        shutdown(read->socket, SHUT_RDWR);
}

static void look_after(void *context) {
    struct fl_running *running = context;
    pthread_mutex_lock(&running->lock);
    int64_t now = now_ms();
    for (struct fl_running_read *read = running->first; read != NULL; read = read->next)
        if (!atomic_load(&read->in_part) &&
            (atomic_load(&read->verdict) != FL_RUNNING_GOES_ON ||
             now - atomic_load(&read->taken_ms) >= running->timeout_ms))
            stop(read, FL_RUNNING_TIMED_OUT);
    pthread_mutex_unlock(&running->lock);
}

struct fl_running *fl_running_create(uint64_t timeout_secs, const struct fl_logger *logger) {
    struct fl_running *running = calloc(1, sizeof *running);
    if (running == NULL)
        return NULL;
    running->timeout_ms = (int64_t)timeout_secs * 1000;
    running->logger = logger;
    pthread_mutex_init(&running->lock, NULL);
    running->ticker = fl_ticker_start("flowdb-readers", LOOK_EVERY_MS, look_after, running);
    if (running->ticker != NULL)
        return running;
    pthread_mutex_destroy(&running->lock);
    free(running);
    return NULL;
}

void fl_running_destroy(struct fl_running *running) {
    if (running == NULL)
        return;
    fl_ticker_stop(running->ticker);
    pthread_mutex_destroy(&running->lock);
    free(running);
}

void fl_running_list(struct fl_running *running,
                     void (*visit)(void *context, const struct fl_running_view *view),
                     void *context) {
    pthread_mutex_lock(&running->lock);
    for (const struct fl_running_read *read = running->first; read != NULL; read = read->next) {
        struct fl_running_view view = view_of(read);
        visit(context, &view);
    }
    pthread_mutex_unlock(&running->lock);
}

void fl_running_list_slow(struct fl_running *running,
                          void (*visit)(void *context, const struct fl_running_view *view),
                          void *context) {
    pthread_mutex_lock(&running->lock);
    uint64_t ever = running->slow_count;
    for (uint64_t i = 0; i < ever && i < FL_RUNNING_SLOW; i++)
        visit(context, &running->slow[(ever - 1 - i) % FL_RUNNING_SLOW]);
    pthread_mutex_unlock(&running->lock);
}

bool fl_running_cancel(struct fl_running *running, uint64_t id) {
    pthread_mutex_lock(&running->lock);
    struct fl_running_read *read = running->first;
    while (read != NULL && read->view.id != id)
        read = read->next;
    if (read != NULL)
        stop(read, FL_RUNNING_CANCELLED);
    pthread_mutex_unlock(&running->lock);
    return read != NULL;
}
