/* What a request's headers say, as far as this server asks. */
#ifndef FL_HTTP_HEADERS_H
#define FL_HTTP_HEADERS_H

#include <microhttpd.h>

#include "http/access.h"
#include "http/reply.h"
#include "request_limits.h"

enum fl_http_coding { FL_HTTP_IDENTITY, FL_HTTP_GZIP, FL_HTTP_OTHER_CODING };

/* Slices are valid as long as the request. */
struct fl_http_headers {
    unsigned lengths, encodings, hosts; /* how often each header stands there */
    bool chunked;
    bool expects_continue;
    bool malformed;       /* a header that this server and a proxy before it may read differently */
    bool too_many_params; /* the target's, of which none was read */
    uint64_t length;
    enum fl_http_coding coding; /* of the body */
    bool takes_gzip;            /* as the answer's coding */
    flowdb_slice accept, if_none_match;
    struct fl_http_credentials credentials;
};

/* Adds what the connection's request has. */
void fl_http_headers_read(struct MHD_Connection *connection, struct fl_http_headers *headers);
/* False where the request's end can be read in two ways, or its body is too long: the reply says why. */
bool fl_http_headers_check(const struct fl_http_headers *headers, const char *version,
                           const struct fl_limits *limits, struct fl_http_reply *reply);

#endif
