/*
 * Records from a JSON body, one at a time as the body arrives: a list {"records":[{…},…]}, or one
 * record {…} by itself.
 */
#ifndef FL_API_RECORD_READER_H
#define FL_API_RECORD_READER_H

#include "api/record_fields.h"
#include "json/json_reader.h"

/* What a body must look like, and who receives what is in it. */
struct fl_record_sink {
    bool list;     /* {"records":[…]}; otherwise one record */
    void *context; /* of the calls below */
    /* Takes a record whose members have all been read; false, with a reply, refuses the body. */
    bool (*take)(void *context, const struct fl_record_fields *fields,
                 const struct fl_record_place *place, struct fl_http_reply *reply);
    /* A list begins. A second "records" replaces the first, so what was taken is to be dropped. */
    void (*restart)(void *context);
};

struct fl_record_reader;

/* NULL when memory is out. `limits` must stay. */
struct fl_record_reader *fl_record_reader_create(const struct fl_record_sink *sink,
                                                 const struct fl_limits *limits);
void fl_record_reader_destroy(struct fl_record_reader *reader); /* NULL is fine */

/* Both: false, with a reply, where the body is refused. */
bool fl_record_reader_feed(struct fl_record_reader *reader, const void *bytes, size_t size,
                           struct fl_http_reply *reply);
bool fl_record_reader_finish(struct fl_record_reader *reader, struct fl_http_reply *reply);

#endif
