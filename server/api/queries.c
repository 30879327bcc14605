/* GET /admin/queries: the reads that go on, and the last slow ones. POST /admin/queries/cancel ends
   one. */
#include <inttypes.h>
#include <stdio.h>

#include "api/listing.h"
#include "api/members.h"
#include "api/precision.h"

/* There may be as many as connections. */
#define LISTED_MAX 1000

struct list {
    struct fl_json_writer *writer;
    enum fl_precision precision;
    uint64_t count;
};

static void write_read(void *context, const struct fl_running_view *view) {
    struct list *list = context;
    struct fl_json_writer *writer = list->writer;
    if (list->count++ >= LISTED_MAX)
        return;
    fl_json_begin_object(writer);
    fl_list_uint(writer, "id", view->id);
    fl_list_text(writer, "path", view->path);
    fl_list_text(writer, "filters", view->filters);
    fl_list_text(writer, "state", fl_running_end_name(view->end));
    fl_list_int(writer, "started_at", fl_time_write(list->precision, view->started_us));
    fl_list_uint(writer, "duration_ms", view->age_ms);
    fl_list_uint(writer, "rows", view->rows);
    fl_json_end_object(writer);
}

static void finish_list(struct fl_http_request *request) {
    struct fl_running *running = fl_api_of(request)->running;
    struct fl_json_writer writer = {.output = &request->reply.body};
    struct list list = {&writer, fl_precision_of(&request->params), 0};
    request->reply.status = 200;
    fl_json_begin_object(&writer);
    fl_list_begin(&writer, "running");
    fl_running_list(running, write_read, &list);
    fl_list_end(&writer);
    fl_list_uint(&writer, "count", list.count);
    list.count = 0;
    fl_list_begin(&writer, "slow");
    fl_running_list_slow(running, write_read, &list);
    fl_list_end(&writer);
    fl_list_uint(&writer, "slow_from_ms", FL_RUNNING_SLOW_MS);
    fl_json_end_object(&writer);
}

const struct fl_http_handler fl_api_queries = {.finish = finish_list};

/* ------------------------------------------------------------------------------------ cancel -- */

static bool begin_cancel(struct fl_http_request *request) {
    static const struct fl_member wanted[] = {{.name = "id"}, {.name = NULL}};
    return fl_members_begin(request, wanted);
}

static void finish_cancel(struct fl_http_request *request) {
    const struct fl_member *members = fl_members_take(request);
    char message[64];
    if (members == NULL)
        return;
    int64_t id = members[0].number;
    if (id < 1 || !fl_running_cancel(fl_api_of(request)->running, (uint64_t)id)) {
        fl_http_reply_fail(&request->reply, 404, "no query %" PRId64 " is running", id);
        return;
    }
    snprintf(message, sizeof message, "query %" PRId64 " is being cancelled", id);
    fl_http_reply_ok(&request->reply, message);
}

const struct fl_http_handler fl_api_cancel = {.begin = begin_cancel,
                                              .body = fl_members_body,
                                              .finish = finish_cancel,
                                              .release = fl_members_release};
