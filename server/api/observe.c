/* GET /ready, /stats and /metrics: for load balancers, programs and Prometheus. */

#include "api/figures.h"
#include "api/metrics.h"

/* ------------------------------------------------------------------------------------ /ready -- */

/* The engine's own sentences name files, and /ready is answered to anyone. */
static const char *reason_of(flowdb_health_state state) {
    switch (state) {
    case FLOWDB_HEALTH_MEMORY_FULL:
        return "memory is full and nothing can be flushed: writes are refused";
    case FLOWDB_HEALTH_DISK_FULL:
        return "the disk is full: records cannot be written";
    case FLOWDB_HEALTH_STOPPED:
        return "read-only: writes stopped after an I/O failure; look at the disk, then restart";
    case FLOWDB_HEALTH_OPENED_READ_ONLY:
        return "read-only: the database was opened so";
    case FLOWDB_HEALTH_GOOD:
    case FLOWDB_HEALTH_DEGRADED:
        break;
    }
    return "not ready";
}

static void finish_ready(struct fl_http_request *request) {
    flowdb_health health = {.struct_size = sizeof health};
    flowdb_status status = flowdb_get_health(fl_api_db(request), &health);
    if (status != FLOWDB_OK) {
        fl_api_fail(request, status);
        return;
    }
    if (!health.writes_accepted) {
        fl_http_reply_fail(&request->reply, 503, "%s", reason_of(health.state));
        return;
    }
    struct fl_json_writer writer = {.output = &request->reply.body};
    request->reply.status = 200;
    fl_json_begin_object(&writer);
    fl_json_member(&writer, "status");
    fl_json_string(&writer, flowdb_str("ready"));
    fl_json_member(&writer, "health");
    fl_json_string(&writer, flowdb_str(flowdb_health_state_name(health.state)));
    if (health.state == FLOWDB_HEALTH_DEGRADED) {
        fl_json_member(&writer, "reason");
        fl_json_string(&writer, flowdb_str("something in the background goes on failing; "
                                           "/admin/events says what"));
    }
    fl_json_end_object(&writer);
}

const struct fl_http_handler fl_api_ready = {.finish = finish_ready};

/* ------------------------------------------------------------------------------------ /stats -- */

static void write_field(struct fl_json_writer *writer, const flowdb_stats_field *field,
                        const flowdb_stats *stats) {
    const char *at = (const char *)stats + field->offset;
    fl_json_member(writer, field->name);
    if (field->is_double) {
        double real;
        memcpy(&real, at, sizeof real);
        fl_json_double(writer, real);
    } else {
        uint64_t number;
        memcpy(&number, at, sizeof number);
        fl_json_uint(writer, number);
    }
}

static void finish_stats(struct fl_http_request *request) {
    struct fl_figures figures;
    struct fl_figure named[FL_FIGURES_NAMED];
    flowdb_stats stats = {.struct_size = sizeof stats};
    flowdb_status status = flowdb_get_stats(fl_api_db(request), &stats);
    if (status != FLOWDB_OK) {
        fl_api_fail(request, status);
        return;
    }
    struct fl_json_writer writer = {.output = &request->reply.body};
    const flowdb_stats_field *field;
    request->reply.status = 200;
    fl_json_begin_object(&writer);
    for (size_t i = 0; (field = flowdb_stats_field_at(i)) != NULL; i++)
        write_field(&writer, field, &stats);
    fl_figures_read(fl_api_of(request), request->service->meters, &figures);
    fl_figures_name(&figures, named);
    for (size_t i = 0; i < FL_FIGURES_NAMED; i++) {
        fl_json_member(&writer, named[i].name);
        fl_json_double(&writer, named[i].value);
    }
    fl_json_end_object(&writer);
}

const struct fl_http_handler fl_api_stats = {.finish = finish_stats};

/* ---------------------------------------------------------------------------------- /metrics -- */

static void finish_metrics(struct fl_http_request *request) {
    struct fl_http_reply *reply = &request->reply;
    char *text;
    flowdb_status status = flowdb_metrics_text(fl_api_db(request), &text);
    if (status != FLOWDB_OK) {
        fl_api_fail(request, status);
        return;
    }
    reply->status = 200;
    reply->type = "text/plain; version=0.0.4; charset=utf-8";
    fl_output_append_str(&reply->body, text);
    flowdb_free(text);
    fl_metrics_append(request->service, &reply->body);
}

const struct fl_http_handler fl_api_metrics = {.finish = finish_metrics};
