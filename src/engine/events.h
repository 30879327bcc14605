/*
 * What the engine did by itself, or was asked to do beside reading and writing: the last events in
 * a ring, and totals of each kind since the database was opened. Nothing here allocates or fails.
 *
 *     struct fl_event event;
 *     fl_engine_event_begin(db, FLOWDB_EVENT_COMPACTION, &event);
 *     ... the work, which adds to event.inputs, .bytes_in and so on ...
 *     fl_engine_event_end(db, &event, status);
 */
#ifndef FL_ENGINE_EVENTS_H
#define FL_ENGINE_EVENTS_H

#include "table/table.h"

#define FL_EVENTS_KEPT 128
#define FL_EVENT_MESSAGE 256 /* bytes, the NUL included; longer ones are cut */
#define FL_EVENT_KINDS (FLOWDB_EVENT_WRITES_RESUMED + 1)

/* A piece of work that goes on. Belongs to whoever does it, until it has ended. */
struct fl_event {
    flowdb_event_kind kind;
    int64_t started_at; /* on the wall clock */
    int64_t started_us; /* on the monotonic clock */
    uint64_t inputs, outputs;
    uint64_t bytes_in, bytes_out;
    uint64_t records_in, records_out;
    uint64_t records_expired; /* of those that went in and did not come out */
};

/* One that has ended. */
struct fl_past_event {
    uint64_t id; /* from 1, in the order in which they ended */
    flowdb_status status;
    uint64_t duration_us;
    struct fl_event event;
    char message[FL_EVENT_MESSAGE];
};

/* Of the events of one kind. */
struct fl_event_totals {
    uint64_t running;
    uint64_t ended; /* well; of those that take no time: all */
    uint64_t failed;
    /* The rest adds up those that ended well. */
    uint64_t duration_us;
    uint64_t inputs, outputs;
    uint64_t bytes_in, bytes_out;
    uint64_t records_in, records_out;
    uint64_t records_expired;
};

/* Guarded by the database's event_lock, which is innermost: it may be taken under any other. */
struct fl_events {
    uint64_t count; /* how many have ended; the last FL_EVENTS_KEPT are in the ring */
    struct fl_past_event ring[FL_EVENTS_KEPT]; /* the one numbered id is at (id - 1) % size */
    struct fl_event_totals totals[FL_EVENT_KINDS];
};

/* Zeroes the numbers and takes the time. */
void fl_engine_event_begin(flowdb *db, flowdb_event_kind kind, struct fl_event *event);
/* A table that was read, or written. */
void fl_event_add_input(struct fl_event *event, const struct fl_table *table);
void fl_event_add_output(struct fl_event *event, const struct fl_table *table);
/*
 * Once for each begin, however it went. Where it failed the thread's last error is kept as the
 * message, and stays the last error; FLOWDB_DONE says that the work was given up because the
 * database is closing, which counts neither as ended nor as failed.
 */
void fl_engine_event_end(flowdb *db, const struct fl_event *event, flowdb_status status);
/* Work that was begun turned out to be none: nothing is kept of it. */
void fl_engine_event_forget(flowdb *db, const struct fl_event *event);
/* Something that takes no time: a retry that is due, an end of writes. */
__attribute__((format(printf, 4, 5))) void fl_engine_event_note(flowdb *db, flowdb_event_kind kind,
                                                                flowdb_status status,
                                                                const char *format, ...);
void fl_engine_event_totals(flowdb *db, flowdb_event_kind kind, struct fl_event_totals *totals);

#endif
