/* Sending a reply: whole or in parts, compressed or not, with the headers that it needs. */
#ifndef FL_HTTP_ANSWER_H
#define FL_HTTP_ANSWER_H

#include <microhttpd.h>

#include "http/reply.h"

/* What the request says of how it wants to be answered. */
struct fl_http_answer {
    bool head;      /* without the body */
    bool preflight; /* to an OPTIONS */
    bool takes_gzip;
    const char *cors; /* the origin that may read the answer; NULL: no other site */
    uint64_t sent;    /* bytes of the body that were given to be sent, as they go out */
};

/* Takes the reply's body and source; `answer` must stay until the request has ended. MHD_NO, on which the connection is cut, where memory does not
   suffice. */
enum MHD_Result fl_http_answer_send(struct fl_http_answer *answer,
                                    struct MHD_Connection *connection, struct fl_http_reply *reply);

#endif
