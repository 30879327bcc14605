/*
 * In libmicrohttpd's place: a request as text is taken apart as the library would do it, handed to the
 * callbacks of http/exchange.h in its order, and what they answer is gathered. Nothing is sent anywhere.
 */
#ifndef FUZZ_SERVER_STAND_IN_H
#define FUZZ_SERVER_STAND_IN_H

#include <microhttpd.h>

#include "fuzz/server/given.h"
#include "http/exchange.h"

enum { STAND_IN_PAIRS = 64, STAND_IN_WORD = 256, STAND_IN_TEXT = 8192 };

struct stand_in_pair {
    flowdb_slice name, value;
};

struct stand_in_pairs {
    struct stand_in_pair pairs[STAND_IN_PAIRS];
    size_t count;
};

/* A request: lines, an empty line, the body, which is borrowed. */
struct stand_in_request {
    const char *method, *path, *version; /* with a NUL behind each, as the library has it */
    char target[STAND_IN_WORD];          /* as it came, with its arguments */
    struct stand_in_pairs headers, arguments;
    char text[STAND_IN_TEXT]; /* where all lie: the lines of the head one behind the other */
    size_t text_size, head_size;
    flowdb_slice body;
    size_t piece; /* how much of the body comes at a time */
};

/* What became of it. */
struct stand_in_answer {
    unsigned status;               /* 0: the connection was cut */
    bool broken;                   /* cut in the middle of the body */
    struct stand_in_pairs headers; /* point into `text` */
    char text[4096];
    size_t text_size;
    struct fl_output body; /* as it goes out */
};

void stand_in_parse(struct bytes *bytes, struct stand_in_request *request);
/* Behind those that it has; false where there is no room. */
bool stand_in_add_header(struct stand_in_request *request, const char *name, const char *value);
/* The headers alone, as a connection of which fl_http_headers_read can read them. */
struct MHD_Connection *stand_in_connection(const struct stand_in_request *request);
void stand_in_disconnect(struct MHD_Connection *connection);

void stand_in_exchange(struct fl_http_exchanges *exchanges, const struct stand_in_request *request,
                       struct stand_in_answer *answer);
void stand_in_answer_deinit(struct stand_in_answer *answer);
/* The value of an answer's header; {NULL, 0} where it is not there. */
flowdb_slice stand_in_header(const struct stand_in_answer *answer, const char *name);

#endif
