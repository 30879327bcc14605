/*
 * A body that is one small JSON object, such as {"name":"monday"}: a handler's `body` and `release`
 * around members that are all wanted, and no others.
 */
#ifndef FL_API_MEMBERS_H
#define FL_API_MEMBERS_H

#include "api/api.h"

enum { FL_MEMBER_TEXT = 128, FL_MEMBERS = 2 };

struct fl_member {
    const char *name; /* NULL ends the list */
    bool is_text;     /* else an integer */
    /* what the body has */
    bool given;
    int64_t number;
    char text[FL_MEMBER_TEXT];
};

/* A handler's `begin`: `wanted` is copied. */
bool fl_members_begin(struct fl_http_request *request, const struct fl_member *wanted);
bool fl_members_body(struct fl_http_request *request, const void *bytes, size_t size);
void fl_members_release(struct fl_http_request *request);
/* At the start of `finish`: the members in the order in which they were wanted, or NULL, and the reply
   says what is wrong. */
const struct fl_member *fl_members_take(struct fl_http_request *request);

#endif
