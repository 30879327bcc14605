#include "api/api.h"

/* FL_PROTOCOLS where the route takes no records. */
static enum fl_protocol protocol_of(const struct fl_http_route *route) {
    if (route->handler == &fl_api_write || route->handler == &fl_api_patch_record)
        return FL_PROTOCOL_JSON;
    return route->handler == &fl_api_write_binary ? FL_PROTOCOL_BINARY : FL_PROTOCOLS;
}

/* Refused for what it holds, not for who sent it. */
static bool is_bad_input(unsigned status) {
    return status == 400 || status == 413 || status == 415;
}

void fl_api_count_answer(const struct fl_http_request *request) {
    const struct fl_http_route *route = request->route;
    if (route == NULL || !is_bad_input(request->reply.status))
        return;
    enum fl_protocol protocol = protocol_of(route);
    if (protocol != FL_PROTOCOLS)
        fl_counters_add_rejected(fl_api_of(request)->counters, protocol, request->reply.reason, 1);
}
