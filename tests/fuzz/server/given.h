/* What the targets that see the server share: texts taken apart as libmicrohttpd does it, and judged. */
#ifndef FUZZ_SERVER_GIVEN_H
#define FUZZ_SERVER_GIVEN_H

#include "fuzz/common/bytes.h"
#include "http/request.h"
#include "text/output.h"

/* What comes before the next newline, which is passed. */
flowdb_slice given_line(struct bytes *bytes);
/* What comes before the first `separator`, and behind it; all of it, and {NULL, 0}, where there is none. */
flowdb_slice given_before(flowdb_slice text, char separator, flowdb_slice *rest);

/* What answers a request such as "GET /query?prefix=a", and its query string; NULL where nothing does.
   `reply` then says why. */
const struct fl_http_route *given_route(flowdb_slice line, flowdb_slice *query,
                                        struct fl_http_reply *reply);
/* The parameters of a query string, up to the first that is refused. */
bool given_query(struct fl_http_params *params, uint32_t allowed, flowdb_slice query,
                 const struct fl_limits *limits, struct fl_http_reply *reply);
/* Appends the bytes so that a query string may hold them. */
void given_escape(struct fl_output *output, flowdb_slice bytes);

bool given_is_json(flowdb_slice text);
/* A refusal has a status of its kind, and a body that says why. */
void given_check_refusal(const struct fl_http_reply *reply);

static inline bool given_same(flowdb_slice one, flowdb_slice other) {
    return one.size == other.size && (one.size == 0 || memcmp(one.data, other.data, one.size) == 0);
}

#endif
