/*
 * Who may make a request: by the key that came with it, and, where a browser sent it, by the page that
 * made the browser do so.
 */
#ifndef FL_HTTP_ACCESS_H
#define FL_HTTP_ACCESS_H

#include "http/auth.h"
#include "http/origin.h"
#include "http/reply.h"

/* Set up before the first request. */
struct fl_http_access {
    struct fl_http_auth *auth;
    struct fl_http_origins origins;
    bool public_metrics; /* paths that show figures need no key */
};

/* What is asked of a request before it is answered. */
enum fl_http_need {
    FL_HTTP_NEEDS_KEY,     /* a key, where there are any */
    FL_HTTP_NEEDS_FIGURES, /* the same, unless public_metrics */
    FL_HTTP_NEEDS_NOTHING
};

/* The headers that tell. Absent ones are {NULL, 0}. */
struct fl_http_credentials {
    flowdb_slice authorization, api_key;
    struct fl_http_provenance provenance;
};

/* False where the request is refused: the reply says why. `changes`: it is no GET and no HEAD. */
bool fl_http_access_check(const struct fl_http_access *access,
                          const struct fl_http_credentials *credentials, enum fl_http_need need,
                          bool changes, struct fl_http_reply *reply);

#endif
