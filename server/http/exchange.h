/* One request and its answer, on libmicrohttpd: its callbacks end here. */
#ifndef FL_HTTP_EXCHANGE_H
#define FL_HTTP_EXCHANGE_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "http/request.h"
#include "http/workers.h"

/*
 * Per connection, mapped when it is made and touched only as far as it is used: headers up to
 * about half of it, then pieces of the body and of the answer.
 */
#define FL_HTTP_CONNECTION_MEMORY ((size_t)64 << 10)

/* What the callbacks below get as their context. */
struct fl_http_exchanges {
    struct fl_http_service service;
    struct fl_http_workers slow;    /* what takes long by its nature */
    struct fl_http_workers waiting; /* writes that have to wait */
    atomic_uint active;             /* requests between their headers and the end of their answer */
    atomic_bool draining;           /* answers end their connection */
    int idle_event;    /* an eventfd: written when `active` falls to 0 while draining */
    uint64_t held_max; /* how much of their bodies requests may hold together; constant */
    _Atomic uint64_t held;
};

/* What is not about requests under way is left as it is, the service's copy is made. */
bool fl_http_exchanges_init(struct fl_http_exchanges *exchanges,
                            const struct fl_http_service *service);
void fl_http_exchanges_deinit(struct fl_http_exchanges *exchanges);
/* Nothing is given to other threads any more; returns once these are done. */
void fl_http_exchanges_end(struct fl_http_exchanges *exchanges);

/* An MHD_AccessHandlerCallback. */
enum MHD_Result fl_http_exchange_advance(void *context, struct MHD_Connection *connection,
                                         const char *path, const char *method, const char *version,
                                         const char *body, size_t *body_size, void **state);
/* An MHD_RequestCompletedCallback. */
void fl_http_exchange_completed(void *context, struct MHD_Connection *connection, void **state,
                                enum MHD_RequestTerminationCode how);
/* A URI log callback: sees the request's target before it is taken apart, and spares libmicrohttpd more
   parameters than it has memory for. */
void *fl_http_exchange_check_target(void *context, const char *target,
                                    struct MHD_Connection *connection);
/* An unescape callback that leaves the text alone: params.c decodes, with its length in hand. */
size_t fl_http_exchange_keep_escapes(void *context, struct MHD_Connection *connection, char *text);

#endif
