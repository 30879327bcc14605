/*
 * Header lines, as a client or a browser sends them: what the server makes of them, and whom it lets in.
 * The first byte chooses what is asked, the second how the server is set up.
 */
#include <strings.h>

#include "api/record_writer.h"
#include "fuzz/server/stand_in.h"
#include "http/headers.h"
#include "text/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char writing[] = "k3y-w", reading[] = "k3y-r", host[] = "db.example",
            other_site[] = "https://page.example";
static char *const writing_keys[] = {writing}, *const reading_keys[] = {reading},
                   *const hosts[] = {host}, *const sites[] = {other_site};
static const struct fl_limits limits = {.max_body_bytes = 1000};

static bool holds(flowdb_slice text, const char *word) {
    return text.size > 0 && memmem(text.data, text.size, word, strlen(word)) != NULL;
}

static bool is_named(const struct stand_in_pair *pair, const char *name) {
    return pair->name.size == strlen(name) &&
           strncasecmp(pair->name.data, name, pair->name.size) == 0;
}

/* As text or in base64, somewhere in the headers. */
static bool brings(const struct stand_in_request *request, const char *key) {
    bool found = false;
    for (size_t i = 0; i < request->headers.count; i++) {
        const struct stand_in_pair *pair = &request->headers.pairs[i];
        struct fl_output decoded = {0};
        flowdb_slice rest;
        found = found || holds(pair->value, key);
        for (flowdb_slice word = pair->value; word.size > 0; word = rest) {
            word = given_before(word, ' ', &rest);
            fl_output_clear(&decoded);
            found = found || (fl_base64_decode(&decoded, word.data, word.size) &&
                              holds(flowdb_bytes(decoded.data, decoded.size), key));
        }
        fl_output_deinit(&decoded);
    }
    return found;
}

/* Does the last header of the name say so? */
static bool last_says(const struct stand_in_request *request, const char *name, const char *value) {
    bool says = false;
    for (size_t i = 0; i < request->headers.count; i++) {
        const struct stand_in_pair *pair = &request->headers.pairs[i];
        if (is_named(pair, name))
            says = pair->value.size == strlen(value) &&
                   strncasecmp(pair->value.data, value, pair->value.size) == 0;
    }
    return says;
}

static void check_refused(struct fl_http_reply *reply) {
    given_check_refusal(reply);
    expect(reply->status < 500 && (reply->status == 401) == reply->challenge);
    flowdb_slice body = flowdb_bytes(reply->body.data, reply->body.size);
    expect(!holds(body, writing) && !holds(body, reading));
}

static void check_access(const struct stand_in_request *request,
                         const struct fl_http_headers *headers, unsigned asked, unsigned setup) {
    bool keys = (setup & 1) != 0, changes = (asked & 4) != 0;
    enum fl_http_need need = (enum fl_http_need)(asked % 3);
    struct fl_http_reply reply = {0};
    struct fl_http_access access = {.auth = fl_http_auth_create(),
                                    .public_metrics = (setup & 2) != 0,
                                    .origins = {.hosts = hosts,
                                                .host_count = setup >> 2 & 1,
                                                .allowed = sites,
                                                .allowed_count = setup >> 3 & 1,
                                                .tls = (setup & 16) != 0,
                                                .machine = "machine"}};
    expect(access.auth != NULL &&
           fl_http_auth_set(access.auth, writing_keys, keys ? 1 : 0, reading_keys, keys ? 1 : 0));
    bool let_in = fl_http_access_check(&access, &headers->credentials, need, changes, &reply);
    bool open =
        need == FL_HTTP_NEEDS_NOTHING || (need == FL_HTTP_NEEDS_FIGURES && access.public_metrics);
    bool writer = brings(request, writing), reader = brings(request, reading);
    if (!let_in)
        check_refused(&reply);
    else if (keys && changes)
        expect(writer);
    else if (keys && !open)
        expect(writer || reader);
    /* A page of another site, where no key came along and none are allowed. */
    if (changes && access.origins.allowed_count == 0 && !(keys && writer) &&
        last_says(request, "Sec-Fetch-Site", "cross-site"))
        expect(!let_in);
    fl_http_auth_destroy(access.auth);
    fl_http_reply_deinit(&reply);
}

static void check_framing(const struct fl_http_headers *headers, const char *version) {
    struct fl_http_reply reply = {0};
    if (!fl_http_headers_check(headers, version, &limits, &reply)) {
        given_check_refusal(&reply);
        expect(reply.status == 400 || reply.status == 413);
    } else {
        expect(headers->lengths + headers->encodings <= 1 && !headers->malformed);
        expect(headers->length <= limits.max_body_bytes && headers->hosts <= 1);
    }
    fl_http_reply_deinit(&reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes bytes = {.at = data, .end = data + size};
    static struct stand_in_request request;
    struct fl_http_headers headers = {0};
    unsigned asked = (unsigned)bytes_take(&bytes, 1), setup = (unsigned)bytes_take(&bytes, 1);
    stand_in_parse(&bytes, &request);
    struct MHD_Connection *connection = stand_in_connection(&request);
    fl_http_headers_read(connection, &headers);
    expect((unsigned)fl_record_format_accepted(headers.accept) <= FL_FORMAT_CSV);
    check_framing(&headers, request.version);
    check_access(&request, &headers, asked, setup);
    stand_in_disconnect(connection);
    return 0;
}
