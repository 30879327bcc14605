/*
 * The connections that are open: how many there may be, and how slow.
 *
 * A thread of its own looks at each once a second and ends those that are too slow (pace.h): which of
 * them wait for a client, and for what, their requests tell by fl_http_connection_enter. Where there
 * are too many, altogether or of one address, the oldest goes that has never had a complete request,
 * else the oldest that waits for one, else the newest: what is being answered stays.
 *
 * Ended is a connection by shutting its socket down; libmicrohttpd then closes it. All can be ended
 * before libmicrohttpd is stopped: while it stops it crashes on a request that it refuses itself
 * (0.9.75, build_header_response without a response), so there must be no connection left that could
 * send one.
 */
#ifndef FL_HTTP_CONNECTIONS_H
#define FL_HTTP_CONNECTIONS_H

#include <microhttpd.h>
#include <pthread.h>

#include "http/meters.h"
#include "http/pace.h"

struct fl_http_connections {
    /* constant once it is started */
    struct fl_http_pace_limits pace;
    unsigned most, most_per_address; /* the latter may be 0: any number */
    struct fl_http_meters *meters;
    pthread_t watcher;
    pthread_mutex_t lock;
    pthread_cond_t emptied, stopping_changed;
    /* under `lock` */
    struct fl_http_connection *first, *last; /* the oldest and the newest */
    struct fl_http_connection *next_looked_at;
    unsigned count; /* without those that were ended and are not closed yet */
    bool stopping;
};

/* Fills in all but the constants, which are there already, and begins to watch. */
bool fl_http_connections_start(struct fl_http_connections *connections);
void fl_http_connections_stop(struct fl_http_connections *connections);

/* An MHD_NotifyConnectionCallback; its context is a struct fl_http_connections. */
void fl_http_connections_notify(void *context, struct MHD_Connection *connection,
                                void **socket_context, enum MHD_ConnectionNotificationCode what);

/* On the connection's own thread: its request is in this phase from now on; FL_HTTP_AWAITED: it has
   ended. */
void fl_http_connection_enter(struct MHD_Connection *connection, enum fl_http_phase phase);
/* So much of the request's body has come. */
void fl_http_connection_progress(struct MHD_Connection *connection, uint64_t body);

/* Ends every connection and waits until all are gone, two seconds at most. */
void fl_http_connections_end(struct fl_http_connections *connections);

#endif
