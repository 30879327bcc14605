/* GET /admin/events: how the engine is, and what it did in the background, the newest first. */
#include "api/api.h"
#include "api/listing.h"
#include "api/precision.h"

static const struct fl_list_field figures[] = {
    FL_LIST_FIELD(flowdb_event, duration_us), FL_LIST_FIELD(flowdb_event, inputs),
    FL_LIST_FIELD(flowdb_event, outputs),     FL_LIST_FIELD(flowdb_event, bytes_in),
    FL_LIST_FIELD(flowdb_event, bytes_out),   FL_LIST_FIELD(flowdb_event, records_in),
    FL_LIST_FIELD(flowdb_event, records_out)};

static void write_event(struct fl_json_writer *writer, const flowdb_event *event,
                        enum fl_precision precision) {
    fl_json_begin_object(writer);
    fl_list_uint(writer, "id", event->id);
    fl_list_text(writer, "kind", flowdb_event_kind_name(event->kind));
    fl_list_text(writer, "status", flowdb_status_name(event->status));
    fl_list_int(writer, "started_at", fl_time_write(precision, event->started_at));
    fl_list_fields(writer, event, figures, sizeof figures / sizeof *figures);
    fl_list_text(writer, "message", event->message);
    fl_json_end_object(writer);
}

static void finish_events(struct fl_http_request *request) {
    flowdb_events events = {0};
    flowdb_health health = {.struct_size = sizeof health};
    flowdb_status status = flowdb_get_health(fl_api_db(request), &health);
    if (status == FLOWDB_OK)
        status = flowdb_list_events(fl_api_db(request), &events);
    if (status != FLOWDB_OK) {
        fl_api_fail(request, status);
        return;
    }
    struct fl_json_writer writer = {.output = &request->reply.body};
    request->reply.status = 200;
    fl_json_begin_object(&writer);
    fl_list_text(&writer, "health", flowdb_health_state_name(health.state));
    fl_list_text(&writer, "health_reason", health.message);
    fl_list_begin(&writer, "events");
    for (size_t i = events.count; i > 0; i--)
        write_event(&writer, events.events[i - 1], fl_precision_of(&request->params));
    fl_list_end(&writer);
    fl_list_uint(&writer, "count", events.count);
    fl_json_end_object(&writer);
    flowdb_events_free(&events);
}

const struct fl_http_handler fl_api_events = {.finish = finish_events};
