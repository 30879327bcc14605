/*
 * A read whose answer is written as the client takes it: records, in the form that the request asks
 * for, up to its limit and from its cursor on. Between two parts of the answer nothing is held but the
 * iterators and what did not fit the last part.
 */
#ifndef FL_API_READING_H
#define FL_API_READING_H

#include "api/api.h"
#include "api/cursor.h"
#include "api/record_writer.h"

struct fl_reading;

/* The next record, whose slices are valid until the next call; or FLOWDB_DONE, or an error. */
typedef flowdb_status fl_reading_step(struct fl_reading *reading, flowdb_record *record);

struct fl_reading {
    struct fl_http_source source; /* first: the reply owns the reading by it */
    struct fl_http_request *request;
    struct fl_running_read *running;
    struct fl_record_writer writer;
    uint64_t limit;              /* UINT64_MAX: none */
    struct fl_output next;       /* the cursor behind the last record, once the limit is reached */
    enum fl_running_end stopped; /* why the answer broke, where the engine did not fail */
    flowdb_status failed;

    /* set by who makes it */
    fl_reading_step *step;
    flowdb_iterator *iterator;
    flowdb_iterator *finder; /* a second one, or NULL */
    int64_t ts_end;
    void *own; /* the step's, and what frees it; or NULL */
    void (*release_own)(void *own);
};

/*
 * Makes one for the request, with `step` to be set; or NULL, and the reply says why. It is the reply's
 * from then on.
 */
struct fl_reading *fl_reading_create(struct fl_http_request *request);
/* The iterators are opened with these: a call of theirs that takes long ends where the read is to stop. */
flowdb_read_options fl_reading_options(struct fl_reading *reading);
/*
 * Writes the first part, before the status is sent: an engine that fails at once is answered with an
 * error, and a short answer goes out whole. `opened` is what became of the iterators.
 */
void fl_reading_start(struct fl_reading *reading, flowdb_status opened);

/* Puts the iterator behind the key that the last page ended with: each key is in the pages once, whatever
   was written to it since. */
flowdb_status fl_reading_skip_key(struct fl_reading *reading, const struct fl_cursor *place);

/* 200 with one record. */
void fl_reply_record(struct fl_http_request *request, const flowdb_record *record);

/* The time filters of the request. False, with a 400, where they are out of range. */
bool fl_reading_times(struct fl_http_request *request, int64_t *ts_start, int64_t *ts_end);

/* What read routes take. */
#define FL_READING_FORM \
    (FL_PARAM_BIT(FL_PARAM_ENCODING) | FL_PARAM_BIT(FL_PARAM_FORMAT) | FL_PARAM_BIT(FL_PARAM_LIMIT))

#endif
