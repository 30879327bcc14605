#include "engine/events.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "engine/engine.h"

static const char *const kind_names[FL_EVENT_KINDS] = {
    [FLOWDB_EVENT_OPEN] = "open",
    [FLOWDB_EVENT_FLUSH] = "flush",
    [FLOWDB_EVENT_COMPACTION] = "compaction",
    [FLOWDB_EVENT_GC] = "gc",
    [FLOWDB_EVENT_CHECKPOINT] = "checkpoint",
    [FLOWDB_EVENT_RETRY] = "retry",
    [FLOWDB_EVENT_WRITES_STOPPED] = "writes_stopped",
    [FLOWDB_EVENT_WRITES_RESUMED] = "writes_resumed",
};

const char *flowdb_event_kind_name(flowdb_event_kind kind) {
    return (unsigned)kind < FL_EVENT_KINDS ? kind_names[kind] : "unknown";
}

/* ---------------------------------------------------------------------------------- recording -- */

void fl_engine_event_begin(flowdb *db, flowdb_event_kind kind, struct fl_event *event) {
    *event = (struct fl_event){.kind = kind,
                               .started_at = fl_clock_wall_us(db->env.clock),
                               .started_us = fl_clock_monotonic_us(db->env.clock)};
    pthread_mutex_lock(&db->event_lock);
    db->events.totals[kind].running++;
    pthread_mutex_unlock(&db->event_lock);
}

void fl_event_add_input(struct fl_event *event, const struct fl_table *table) {
    event->inputs++;
    event->bytes_in += fl_table_properties(table)->file_size;
    event->records_in += fl_table_properties(table)->row_count;
}

void fl_event_add_output(struct fl_event *event, const struct fl_table *table) {
    event->outputs++;
    event->bytes_out += fl_table_properties(table)->file_size;
    event->records_out += fl_table_properties(table)->row_count;
}

/* What an event that ended well has done. */
static void describe(const struct fl_event *event, char *into, size_t size) {
    switch (event->kind) {
    case FLOWDB_EVENT_OPEN:
        snprintf(into, size,
                 "%" PRIu64 " entries of %" PRIu64 " logs read back into %" PRIu64 " tables",
                 event->records_in, event->inputs, event->outputs);
        break;
    case FLOWDB_EVENT_FLUSH:
        snprintf(into, size, "%" PRIu64 " entries in memory became %" PRIu64 " records of a table",
                 event->records_in, event->records_out);
        break;
    case FLOWDB_EVENT_GC:
        snprintf(into, size, "%" PRIu64 " tables with %" PRIu64 " expired records dropped",
                 event->inputs, event->records_expired);
        break;
    case FLOWDB_EVENT_CHECKPOINT:
        snprintf(into, size, "%" PRIu64 " tables kept in %" PRIu64 " files", event->inputs,
                 event->outputs);
        break;
    default:
        snprintf(into, size,
                 "%" PRIu64 " tables with %" PRIu64 " records became %" PRIu64 " with %" PRIu64,
                 event->inputs, event->records_in, event->outputs, event->records_out);
    }
}

static void add_up(struct fl_event_totals *totals, const struct fl_event *event,
                   uint64_t duration_us) {
    totals->ended++;
    totals->duration_us += duration_us;
    totals->inputs += event->inputs;
    totals->outputs += event->outputs;
    totals->bytes_in += event->bytes_in;
    totals->bytes_out += event->bytes_out;
    totals->records_in += event->records_in;
    totals->records_out += event->records_out;
    totals->records_expired += event->records_expired;
}

/* Everything of *past but the id is filled in. */
static void keep(flowdb *db, struct fl_past_event *past, bool was_running) {
    struct fl_events *events = &db->events;
    struct fl_event_totals *totals = &events->totals[past->event.kind];
    pthread_mutex_lock(&db->event_lock);
    if (was_running)
        totals->running--;
    if (past->status == FLOWDB_OK || !was_running)
        add_up(totals, &past->event, past->duration_us);
    else if (past->status != FLOWDB_DONE)
        totals->failed++;
    past->id = events->count + 1;
    events->ring[events->count++ % FL_EVENTS_KEPT] = *past;
    pthread_mutex_unlock(&db->event_lock);
}

void fl_engine_event_end(flowdb *db, const struct fl_event *event, flowdb_status status) {
    int64_t elapsed = fl_clock_monotonic_us(db->env.clock) - event->started_us;
    struct fl_past_event past = {
        .status = status, .duration_us = (uint64_t)FL_MAX(elapsed, 0), .event = *event};
    if (status == FLOWDB_OK)
        describe(event, past.message, sizeof past.message);
    else
        snprintf(past.message, sizeof past.message, "%s",
                 status == FLOWDB_DONE ? "given up: the database is closing" : flowdb_last_error());
    if (event->kind == FLOWDB_EVENT_FLUSH && status == FLOWDB_OK)
        fl_histogram_record(&db->stats.flushes, past.duration_us * 1000, 1);
    keep(db, &past, true);
}

void fl_engine_event_forget(flowdb *db, const struct fl_event *event) {
    pthread_mutex_lock(&db->event_lock);
    db->events.totals[event->kind].running--;
    pthread_mutex_unlock(&db->event_lock);
}

void fl_engine_event_note(flowdb *db, flowdb_event_kind kind, flowdb_status status,
                          const char *format, ...) {
    struct fl_past_event past = {
        .status = status, .event = {.kind = kind, .started_at = fl_clock_wall_us(db->env.clock)}};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(past.message, sizeof past.message, format, arguments);
    va_end(arguments);
    keep(db, &past, false);
}

void fl_engine_event_totals(flowdb *db, flowdb_event_kind kind, struct fl_event_totals *totals) {
    pthread_mutex_lock(&db->event_lock);
    *totals = db->events.totals[kind];
    pthread_mutex_unlock(&db->event_lock);
}

/* ------------------------------------------------------------------------------------ listing -- */

/* What flowdb_list_events hands out: one allocation. */
struct listing {
    const struct fl_alloc *alloc;
    const flowdb_event *pointers[FL_EVENTS_KEPT];
    flowdb_event events[FL_EVENTS_KEPT];
    struct fl_past_event past[FL_EVENTS_KEPT]; /* holds the messages */
};

/* Oldest first. Returns how many. */
static size_t copy_ring(flowdb *db, struct fl_past_event *into) {
    const struct fl_events *events = &db->events;
    pthread_mutex_lock(&db->event_lock);
    size_t count = (size_t)FL_MIN(events->count, (uint64_t)FL_EVENTS_KEPT);
    for (size_t i = 0; i < count; i++)
        into[i] = events->ring[(events->count - count + i) % FL_EVENTS_KEPT];
    pthread_mutex_unlock(&db->event_lock);
    return count;
}

flowdb_status flowdb_list_events(flowdb *db, flowdb_events *out) {
    if (db == NULL || out == NULL)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "%s is NULL", db == NULL ? "db" : "out");
    struct listing *listing = fl_allocate(db->env.alloc, sizeof *listing);
    if (listing == NULL)
        return fl_fail_memory("a list of events", sizeof *listing);
    listing->alloc = db->env.alloc;
    size_t count = copy_ring(db, listing->past);
    for (size_t i = 0; i < count; i++) {
        const struct fl_past_event *past = &listing->past[i];
        const struct fl_event *event = &past->event;
        listing->events[i] = (flowdb_event){.id = past->id,
                                            .kind = event->kind,
                                            .status = past->status,
                                            .started_at = event->started_at,
                                            .duration_us = past->duration_us,
                                            .inputs = event->inputs,
                                            .outputs = event->outputs,
                                            .bytes_in = event->bytes_in,
                                            .bytes_out = event->bytes_out,
                                            .records_in = event->records_in,
                                            .records_out = event->records_out,
                                            .message = past->message};
        listing->pointers[i] = &listing->events[i];
    }
    *out = (flowdb_events){.events = listing->pointers, .count = count, .owner = listing};
    return FLOWDB_OK;
}

void flowdb_events_free(flowdb_events *events) {
    if (events == NULL)
        return;
    struct listing *listing = events->owner;
    if (listing != NULL)
        fl_release(listing->alloc, listing);
    *events = (flowdb_events){0};
}
