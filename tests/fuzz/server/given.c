#include "fuzz/server/given.h"

#include "api/api.h"
#include "json/json_reader.h"

flowdb_slice given_line(struct bytes *bytes) {
    const uint8_t *end = memchr(bytes->at, '\n', bytes_left(bytes));
    flowdb_slice line =
        flowdb_bytes(bytes->at, end != NULL ? (size_t)(end - bytes->at) : bytes_left(bytes));
    bytes->at += line.size + (end != NULL);
    return line;
}

flowdb_slice given_before(flowdb_slice text, char separator, flowdb_slice *rest) {
    const char *at = text.data;
    const char *end = text.size > 0 ? memchr(at, separator, text.size) : NULL;
    *rest = (flowdb_slice){0};
    if (end == NULL)
        return text;
    size_t size = (size_t)(end - at);
    *rest = flowdb_bytes(end + 1, text.size - size - 1);
    return flowdb_bytes(at, size);
}

const struct fl_http_route *given_route(flowdb_slice line, flowdb_slice *query,
                                        struct fl_http_reply *reply) {
    const struct fl_http_service service = {.routes = fl_api_routes,
                                            .route_count = fl_api_route_count};
    char method[16] = "", path[64] = "";
    flowdb_slice rest, word = given_before(line, ' ', &rest);
    memcpy(method, word.data, word.size < sizeof method ? word.size : sizeof method - 1);
    word = given_before(rest, '?', query);
    if (word.size > 0)
        memcpy(path, word.data, word.size < sizeof path ? word.size : sizeof path - 1);
    const struct fl_http_head head = {method, path, "HTTP/1.1"};
    return fl_http_route_find(&service, &head, reply);
}

bool given_query(struct fl_http_params *params, uint32_t allowed, flowdb_slice query,
                 const struct fl_limits *limits, struct fl_http_reply *reply) {
    while (query.size > 0) {
        flowdb_slice rest, value, name = given_before(query, '&', &rest);
        name = given_before(name, '=', &value);
        if ((name.size > 0 || value.size > 0) &&
            !fl_http_params_add(params, allowed, name, value, limits, reply))
            return false;
        query = rest;
    }
    return true;
}

void given_escape(struct fl_output *output, flowdb_slice bytes) {
    for (size_t i = 0; i < bytes.size; i++)
        fl_output_format(output, "%%%02X", ((const uint8_t *)bytes.data)[i]);
}

static bool take_event(void *context, const struct fl_json_event *event) {
    (void)context;
    (void)event;
    return true;
}

bool given_is_json(flowdb_slice text) {
    struct fl_json_reader *reader = fl_json_reader_create((size_t)1 << 20, take_event, NULL);
    expect(reader != NULL);
    bool good = fl_json_reader_feed(reader, text.data, text.size) == FL_JSON_OK &&
                fl_json_reader_finish(reader) == FL_JSON_OK;
    fl_json_reader_destroy(reader);
    return good;
}

void given_check_refusal(const struct fl_http_reply *reply) {
    expect(reply->status >= 400 && reply->status < 600 && reply->source == NULL);
    expect(given_is_json(flowdb_bytes(reply->body.data, reply->body.size)));
    expect(reply->reason[0] != '\0');
}
