/*
 * The place in an answer where the next page goes on, as the client carries it: the last record's key
 * and ts, under a hash of the question. Nothing is kept for it here, so it never expires.
 */
#ifndef FL_API_CURSOR_H
#define FL_API_CURSOR_H

#include <flowdb/flowdb.h>

#include "http/request.h"

struct fl_cursor {
    flowdb_slice key;
    int64_t ts;
};

/* Writes the cursor behind `place`, of letters, digits, '-' and '_', for the request's path, filters
   and order. */
void fl_cursor_write(const struct fl_http_request *request, const struct fl_cursor *place,
                     struct fl_output *output);
/*
 * The request's cursor, if it has one; otherwise *given is false. The key lies in `bytes`, which is
 * the caller's. False, with a 400, where it was not given out for this path, filters and order.
 */
bool fl_cursor_read(struct fl_http_request *request, struct fl_output *bytes,
                    struct fl_cursor *place, bool *given);

#endif
