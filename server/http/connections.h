/*
 * The connections that are open, so that all can be ended before libmicrohttpd is stopped: while it
 * stops it crashes on a request that it refuses itself (0.9.75, build_header_response without a
 * response), so there must be no connection left that could send one.
 */
#ifndef FL_HTTP_CONNECTIONS_H
#define FL_HTTP_CONNECTIONS_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>

struct fl_http_connections {
    pthread_mutex_t lock;
    pthread_cond_t emptied;
    struct fl_http_connection *first; /* under `lock`, as the list behind it */
};

bool fl_http_connections_init(struct fl_http_connections *connections);
void fl_http_connections_deinit(struct fl_http_connections *connections);

/* An MHD_NotifyConnectionCallback; its context is a struct fl_http_connections. */
void fl_http_connections_notify(void *context, struct MHD_Connection *connection,
                                void **socket_context, enum MHD_ConnectionNotificationCode what);

/* Ends every connection and waits until all are gone, two seconds at most. */
void fl_http_connections_end(struct fl_http_connections *connections);

#endif
