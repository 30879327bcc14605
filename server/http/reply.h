/*
 * What a request is answered with. A handler fills it; http/exchange.c sends it.
 *
 * The body is whole, or its first part with a source that produces the rest while the client reads
 * it, so that a long answer needs no more memory than a short one.
 */
#ifndef FL_HTTP_REPLY_H
#define FL_HTTP_REPLY_H

#include <flowdb/flowdb.h>

#include "text/output.h"

enum fl_http_fill {
    FL_HTTP_MORE,  /* something was appended, more will follow */
    FL_HTTP_DONE,  /* the last part was appended, if any was left */
    FL_HTTP_BROKEN /* the answer cannot be completed: the connection is cut, so that the client
                      does not take what it has for the whole */
};

struct fl_http_source {
    /* Appends until `output` holds about `target` bytes. */
    enum fl_http_fill (*fill)(struct fl_http_source *source, struct fl_output *output,
                              size_t target);
    void (*destroy)(struct fl_http_source *source);
};

enum { FL_HTTP_REASON = 192 };

struct fl_http_reply {
    unsigned status;             /* 0 = not decided yet */
    bool close;                  /* the connection ends with this answer */
    bool challenge;              /* a 401: names how to authenticate */
    char allow[48];              /* the methods that a 405 names */
    unsigned retry_after_secs;   /* when to try again; 0: not said */
    char reason[FL_HTTP_REASON]; /* what a failure says, as text; may be cut short */
    const char *type;            /* Content-Type; NULL: application/json */
    const char *policy;          /* Content-Security-Policy; NULL: nothing may be loaded */
    const char *cache;           /* Cache-Control; NULL: no-store */
    const char *etag;            /* NULL: none */
    const char *location; /* where else it is, relative to what was asked for; NULL: nowhere */
    struct fl_output body;
    struct fl_http_source *source; /* owned; NULL = the body is whole */
};

void fl_http_reply_deinit(struct fl_http_reply *reply);

/* 200 {"ok":true,"message":…} */
void fl_http_reply_ok(struct fl_http_reply *reply, const char *message);

/*
 * `status` {"ok":false,"message":…}, in place of whatever the reply held. Always false, so that a
 * check can end with it.
 */
bool fl_http_reply_fail(struct fl_http_reply *reply, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
