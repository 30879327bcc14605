/*
 * The reads whose answers are being made or sent: to see them, to cancel one, and to end those that
 * take too long.
 *
 * A read's time is up when making its answer has taken `timeout_secs` altogether, or when its reader
 * has taken nothing of it for as long. A reader that goes on reading, however long the answer, is
 * never cut off. What has sent nothing yet is answered 503; what has sent a part is cut off, so that
 * nobody takes the part for the whole. A thread of the registry's own looks after readers that have
 * stopped, for nothing else runs on their behalf.
 */
#ifndef FL_API_RUNNING_H
#define FL_API_RUNNING_H

#include <flowdb/flowdb.h>

#include "logger.h"

enum {
    FL_RUNNING_TEXT = 256,    /* of the filters, cut where they are longer */
    FL_RUNNING_SLOW = 64,     /* slow reads that are remembered */
    FL_RUNNING_SLOW_MS = 1000 /* from which on a read is slow */
};

enum fl_running_end {
    FL_RUNNING_GOES_ON,
    FL_RUNNING_COMPLETED,
    FL_RUNNING_ABANDONED, /* the reader hung up, or the engine failed */
    FL_RUNNING_CANCELLED,
    FL_RUNNING_TIMED_OUT
};

/* "running", "completed", "abandoned", "cancelled", "timed out". */
const char *fl_running_end_name(enum fl_running_end end);

/* A read, as it is or was. */
struct fl_running_view {
    uint64_t id; /* from 1, never used again */
    const char *path;
    char filters[FL_RUNNING_TEXT]; /* `prefix="a" limit="10"`: UTF-8 without control characters */
    int64_t started_us;            /* since the Unix epoch */
    uint64_t age_ms;               /* how long it took, once it has ended */
    uint64_t rows;
    enum fl_running_end end;
};

struct fl_running;      /* the registry; every call is for any thread */
struct fl_running_read; /* one read of it; one thread at a time */

/* NULL where memory or threads are out. The logger must stay. */
struct fl_running *fl_running_create(uint64_t timeout_secs, const struct fl_logger *logger);
/* No read may be left. NULL is fine. */
void fl_running_destroy(struct fl_running *running);

/*
 * A read begins, and with it its first part. `path` must stay, `socket` until the end: it is shut down where the reader has to
 * be cut off. NULL where memory is out.
 */
struct fl_running_read *fl_running_begin(struct fl_running *running, const char *path,
                                         const char *filters, int socket);
/* Making a part of the answer begins, and has ended with so many rows altogether. The time between an
   end and the next beginning is the reader's. */
void fl_running_begin_part(struct fl_running_read *read);
void fl_running_end_part(struct fl_running_read *read, uint64_t rows);
/* From within a part, every some hundred rows: FL_RUNNING_GOES_ON, or why it must not. */
enum fl_running_end fl_running_check(struct fl_running_read *read);
/* Ends and frees it; `end` is FL_RUNNING_COMPLETED or _ABANDONED. NULL is fine. */
void fl_running_finish(struct fl_running_read *read, enum fl_running_end end);

/* Calls `visit` with every read that goes on, the oldest first; it must not call back. */
void fl_running_list(struct fl_running *running,
                     void (*visit)(void *context, const struct fl_running_view *view),
                     void *context);
/* The same with the last slow ones that have ended, the newest first. */
void fl_running_list_slow(struct fl_running *running,
                          void (*visit)(void *context, const struct fl_running_view *view),
                          void *context);
/* False where there is no such read any more. */
bool fl_running_cancel(struct fl_running *running, uint64_t id);

#endif
