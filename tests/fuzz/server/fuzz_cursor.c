/*
 * Cursors: what was written for a question and a place is read as that place, and by no other question;
 * what was changed by one character is refused, and what was not written is taken only where it is what
 * would have been. The first line is a request such as "GET /query?prefix=a", two bytes say what is changed,
 * and the rest is a place, or a cursor as it is.
 */
#include "api/api.h"
#include "api/cursor.h"
#include "fuzz/server/given.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct fl_http_service service = {.limits = {.max_key_bytes = 64}};

/* The request, with the cursor in the place of its own. False where it is not taken. */
static bool read_cursor(const struct fl_http_request *from, flowdb_slice text,
                        struct fl_output *bytes, struct fl_cursor *place) {
    struct fl_http_request request = {.service = &service, .route = from->route};
    struct fl_output raw = {0};
    bool given = false;
    request.params = from->params;
    request.params.decoded = (struct fl_output){0};
    fl_output_append(&request.params.decoded, from->params.decoded.data, from->params.decoded.size);
    request.params.given &= ~FL_PARAM_BIT(FL_PARAM_CURSOR);
    given_escape(&raw, text);
    expect(fl_http_params_add(&request.params, FL_PARAM_BIT(FL_PARAM_CURSOR), flowdb_str("cursor"),
                              flowdb_bytes(raw.data, raw.size), &service.limits, &request.reply));
    bool taken = fl_cursor_read(&request, bytes, place, &given);
    expect(given && taken == (request.reply.status == 0));
    if (!taken)
        given_check_refusal(&request.reply);
    fl_http_params_deinit(&request.params);
    fl_http_reply_deinit(&request.reply);
    fl_output_deinit(&raw);
    return taken;
}

static bool is_taken(const struct fl_http_request *request, flowdb_slice text) {
    struct fl_output bytes = {0}, again = {0};
    struct fl_cursor place;
    bool taken = read_cursor(request, text, &bytes, &place);
    if (taken) { /* there is one spelling of each */
        fl_cursor_write(request, &place, &again);
        expect(given_same(text, flowdb_bytes(again.data, again.size)));
    }
    fl_output_deinit(&bytes);
    fl_output_deinit(&again);
    return taken;
}

static void check_written(struct fl_http_request *request, const struct fl_cursor *place,
                          unsigned change) {
    struct fl_output text = {0}, bytes = {0};
    struct fl_cursor found;
    fl_cursor_write(request, place, &text);
    expect(read_cursor(request, flowdb_bytes(text.data, text.size), &bytes, &found));
    expect(found.ts == place->ts && given_same(found.key, place->key));
    request->params.values[FL_PARAM_ORDER].number ^= 1;
    request->params.given |= FL_PARAM_BIT(FL_PARAM_ORDER);
    expect(!is_taken(request, flowdb_bytes(text.data, text.size)));
    request->params.values[FL_PARAM_ORDER].number ^= 1;
    text.data[change % text.size] ^= (char)(1U << change % 8);
    expect(!is_taken(request, flowdb_bytes(text.data, text.size)));
    fl_output_deinit(&text);
    fl_output_deinit(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes bytes = {.at = data, .end = data + size};
    struct fl_http_request request = {.service = &service};
    flowdb_slice query, line = given_line(&bytes);
    unsigned change = (unsigned)bytes_take(&bytes, 2);
    request.route = given_route(line, &query, &request.reply);
    if (request.route != NULL) {
        struct fl_cursor place;
        given_query(&request.params, request.route->params, query, &service.limits, &request.reply);
        is_taken(&request, flowdb_bytes(bytes.at, bytes_left(&bytes)));
        place.ts = (int64_t)bytes_take(&bytes, 8);
        place.key = bytes_slice(&bytes, size);
        if (place.key.size > 0)
            check_written(&request, &place, change);
    }
    fl_http_params_deinit(&request.params);
    fl_http_reply_deinit(&request.reply);
    return 0;
}
