#include "http/connections.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define END_SECS_MAX 2

struct fl_http_connection {
    struct fl_http_connection *next, *previous;
    int fd; /* open as long as this is in the list */
};

bool fl_http_connections_init(struct fl_http_connections *connections) {
    pthread_condattr_t monotonic;
    connections->first = NULL;
    if (pthread_mutex_init(&connections->lock, NULL) != 0)
        return false;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    bool made = pthread_cond_init(&connections->emptied, &monotonic) == 0;
    pthread_condattr_destroy(&monotonic);
    if (!made)
        pthread_mutex_destroy(&connections->lock);
    return made;
}

void fl_http_connections_deinit(struct fl_http_connections *connections) {
    pthread_cond_destroy(&connections->emptied);
    pthread_mutex_destroy(&connections->lock);
}

static void add(struct fl_http_connections *connections, int fd, void **socket_context) {
    struct fl_http_connection *added = malloc(sizeof *added);
    *socket_context = added;
    if (added == NULL)
        return;
    added->fd = fd;
    added->previous = NULL;
    pthread_mutex_lock(&connections->lock);
    added->next = connections->first;
    if (added->next != NULL)
        added->next->previous = added;
    connections->first = added;
    pthread_mutex_unlock(&connections->lock);
}

static void take_out(struct fl_http_connections *connections, struct fl_http_connection *gone) {
    pthread_mutex_lock(&connections->lock);
    if (gone->next != NULL)
        gone->next->previous = gone->previous;
    if (gone->previous != NULL)
        gone->previous->next = gone->next;
    else
        connections->first = gone->next;
    if (connections->first == NULL)
        pthread_cond_broadcast(&connections->emptied);
    pthread_mutex_unlock(&connections->lock);
    free(gone);
}

void fl_http_connections_notify(void *context, struct MHD_Connection *connection,
                                void **socket_context, enum MHD_ConnectionNotificationCode what) {
    struct fl_http_connections *connections = context;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*socket_context != NULL)
            take_out(connections, *socket_context);
        *socket_context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info != NULL)
        add(connections, info->connect_fd, socket_context);
}

void fl_http_connections_end(struct fl_http_connections *connections) {
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += END_SECS_MAX;
    pthread_mutex_lock(&connections->lock);
    for (const struct fl_http_connection *at = connections->first; at != NULL; at = at->next)
        shutdown(at->fd, SHUT_RDWR);
    int timed_out = 0;
    while (connections->first != NULL && timed_out == 0)
        timed_out = pthread_cond_timedwait(&connections->emptied, &connections->lock, &deadline);
    pthread_mutex_unlock(&connections->lock);
}
