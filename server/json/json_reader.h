/*
 * Reads JSON that arrives in pieces and reports it as events: no tree is built, and memory is
 * bounded by the longest token. The grammar is yajl's; json_guard.h says what is checked before it.
 */
#ifndef FL_JSON_JSON_READER_H
#define FL_JSON_JSON_READER_H

#include <flowdb/flowdb.h>

enum fl_json_type {
    FL_JSON_NULL,
    FL_JSON_BOOL,
    FL_JSON_NUMBER, /* text: as it was written */
    FL_JSON_STRING, /* text: decoded, may hold NULs */
    FL_JSON_BEGIN_OBJECT,
    FL_JSON_MEMBER, /* text: the name, decoded; its value is the next event */
    FL_JSON_END_OBJECT,
    FL_JSON_BEGIN_ARRAY,
    FL_JSON_END_ARRAY
};

struct fl_json_event {
    enum fl_json_type type;
    flowdb_slice text; /* valid during the call */
    unsigned depth;    /* brackets around it: a bracket has the same as the one that closes it */
};

/* False ends the reading: the reader then reports FL_JSON_STOPPED. */
typedef bool fl_json_on_event(void *context, const struct fl_json_event *event);

enum fl_json_status {
    FL_JSON_OK,
    FL_JSON_MALFORMED, /* fl_json_reader_error says why */
    FL_JSON_STOPPED,   /* by the event callback */
    FL_JSON_NO_MEMORY
};

struct fl_json_reader;

/* `max_token` bounds a string or number, in bytes as written, to within 64. NULL when memory is out. */
struct fl_json_reader *fl_json_reader_create(size_t max_token, fl_json_on_event *on_event,
                                             void *context);
void fl_json_reader_destroy(struct fl_json_reader *reader); /* NULL is fine */

/* After anything but FL_JSON_OK the reader takes no more. */
enum fl_json_status fl_json_reader_feed(struct fl_json_reader *reader, const void *bytes,
                                        size_t size);
/* At the end of the text. */
enum fl_json_status fl_json_reader_finish(struct fl_json_reader *reader);

/* A sentence part such as "a string is too long, near byte 17"; valid as long as the reader. */
const char *fl_json_reader_error(const struct fl_json_reader *reader);

#endif
