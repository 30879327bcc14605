/*
 * A request on its way from headers to answer, and what a path does with it.
 *
 * exchange.c drives a handler in this order, on one thread:
 *
 *     begin    the headers are in and the parameters are checked. False: the reply says why
 *     body     each piece as it arrives. False: the reply says why, and the rest is discarded
 *     finish   the request is whole: fills the reply. Not called after a false
 *     try_finish, where it is not NULL, comes before that. True: the reply is filled, `finish` is not
 *              called; false: it would have to wait, and `finish`, which may, is called in another thread
 *     release  frees request->state, always, if begin was called
 *
 * `begin`, `body`, `try_finish` and `release` may be NULL; without `body` what arrives is discarded.
 */
#ifndef FL_HTTP_REQUEST_H
#define FL_HTTP_REQUEST_H

#include "http/access.h"
#include "http/meters.h"
#include "http/params.h"
#include "http/reply.h"
#include "request_limits.h"
#include "logger.h"

enum {
    FL_HTTP_GET = 1U << 0, /* a route for GET answers HEAD as well */
    FL_HTTP_HEAD = 1U << 1,
    FL_HTTP_POST = 1U << 2,
    FL_HTTP_PUT = 1U << 3,
    FL_HTTP_PATCH = 1U << 4,
    FL_HTTP_DELETE = 1U << 5,
    FL_HTTP_OPTIONS = 1U << 6 /* answered where other sites are allowed, see exchange.c */
};

struct fl_http_request;

struct fl_http_handler {
    bool (*begin)(struct fl_http_request *request);
    bool (*body)(struct fl_http_request *request, const void *bytes, size_t size);
    bool (*try_finish)(struct fl_http_request *request);
    void (*finish)(struct fl_http_request *request);
    void (*release)(struct fl_http_request *request);
    bool slow;          /* `finish` may take long, and is called in a thread of its own */
    uint64_t slow_from; /* from so many bytes of body on `try_finish` is not even tried; 0: never */
};

struct fl_http_route {
    const char *path; /* compared as it was sent, byte by byte */
    unsigned methods; /* FL_HTTP_…, or-ed */
    uint32_t params;  /* FL_PARAM_BIT(…), or-ed: any other, but for FL_PARAMS_OF_ALL, is a 400 */
    uint32_t required;
    const struct fl_http_handler *handler;
    enum fl_http_need need;
};

/* What all requests share. Set up before the first and constant from then on. */
struct fl_http_service {
    const struct fl_http_route *routes;
    size_t route_count;
    struct fl_limits limits;
    struct fl_http_access access;
    const struct fl_logger *logger;
    /* Told of every reply when it is decided, before it is sent; the route may be NULL. */
    void (*answered)(const struct fl_http_request *request);
    struct fl_http_meters *meters; /* made for `route_count` routes */
    void *app;                     /* the handlers' */
};

struct fl_http_request {
    const struct fl_http_service *service;
    const struct fl_http_route *route;
    struct fl_http_params params;
    /* Headers; valid as long as the request. */
    flowdb_slice accept, if_none_match;
    uint64_t body_size; /* bytes of the body so far, decompressed */
    int socket; /* the connection's, to end it from another thread; never to read or write */
    struct fl_http_reply reply;
    void *state; /* the handler's own */
};

/* A request's first line, as it was sent but for the query string. */
struct fl_http_head {
    const char *method;
    const char *path; /* or a whole URL, which a client may send as well */
    const char *version;
};

/* The method's bit, FL_HTTP_…, or 0 for one that no route has. */
unsigned fl_http_method_parse(const char *name);
/* The name of a bit; "other" for 0. Never what a client sent. */
const char *fl_http_method_name(unsigned method);

/* Does the method leave everything as it is? */
bool fl_http_method_is_safe(const char *method);

/* The route, or NULL and a reply with 404 or 405. */
const struct fl_http_route *fl_http_route_find(const struct fl_http_service *service,
                                               const struct fl_http_head *head,
                                               struct fl_http_reply *reply);

#endif
