#include "api/api.h"

static void finish(struct fl_http_request *request) {
    request->reply.status = 200;
    fl_output_append_str(&request->reply.body, "{\"status\":\"ok\"}");
}

const struct fl_http_handler fl_api_health = {.finish = finish};
