/*
 * How slow a client may be. Pure: what a connection has done is told to it, and what time it is.
 *
 * From a request's first byte its headers have `patience_us`. Then its body has to come at a rate: time
 * spends credit, bytes earn it, and no more than `patience_us` is ever saved up, so that a fast start
 * buys nobody an hour's silence. Between requests a connection may be silent for `idle_us`. Time in
 * which bytes wait to be read is not the client's.
 */
#ifndef FL_HTTP_PACE_H
#define FL_HTTP_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct fl_http_pace_limits {
    int64_t idle_us;
    int64_t patience_us;
    uint64_t body_bytes_per_sec; /* 0: any rate will do */
};

enum fl_http_phase {
    FL_HTTP_AWAITED, /* for a request, or the rest of its headers */
    FL_HTTP_BODY,
    FL_HTTP_ANSWERED /* the request is complete, or refused: the next move is the server's */
};

/* What can be seen of a connection at some moment. */
struct fl_http_sight {
    int64_t now_us; /* on a clock that never runs backwards */
    uint64_t turn;  /* the connection's requests that have ended */
    enum fl_http_phase phase;
    uint64_t received; /* all bytes ever, as the kernel counts them; looked at while awaited */
    uint64_t body;     /* of this request's body */
    bool unread;       /* some bytes wait for the server */
};

/* What is remembered from one look to the next. Of a new connection: all zero but `looked_us`. */
struct fl_http_pace {
    int64_t looked_us;
    uint64_t turn;
    enum fl_http_phase phase;
    uint64_t count;   /* bytes at the last look: `received` while awaited, else `body` */
    int64_t spent_us; /* on silence while awaited, or on headers once they have begun */
    bool begun;       /* some of the headers have been seen */
    int64_t credit_us;
};

enum fl_http_pace_verdict {
    FL_HTTP_PACE_FINE,
    FL_HTTP_PACE_SLOW_HEADERS,
    FL_HTTP_PACE_SLOW_BODY,
    FL_HTTP_PACE_IDLE
};

/* What to think of a connection, looked at once a second or so. */
enum fl_http_pace_verdict fl_http_pace_look(struct fl_http_pace *pace,
                                            const struct fl_http_pace_limits *limits,
                                            const struct fl_http_sight *sight);

#endif
