#include "http/exchange.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "text/number.h"

/* How much of an answer is produced at a time. */
#define PART_SIZE ((size_t)64 << 10)
/* After a part with a huge record the memory is given back rather than kept for the next. */
#define PART_KEPT (4 * PART_SIZE)
/*
 * A refused request's body is read to its end and thrown away while it is no longer than this, so
 * that the client is there to read the answer; a longer one is cut off.
 */
#define DISCARD_MAX ((uint64_t)1 << 20)

struct exchange {
    struct fl_http_request request;
    uint64_t body_received;
    bool head;      /* the method is HEAD */
    bool begun;     /* the handler's `begin` ran */
    bool refused;   /* the reply is decided; the rest of the body is discarded */
    bool preflight; /* the answer to an OPTIONS */
    char *cors;     /* the origin that may read the answer; owned, NULL: no other site */
};

/* ------------------------------------------------------------------------------- the headers -- */

/* What the headers say about the request's shape. */
struct framing {
    unsigned lengths, encodings, hosts; /* how often each header stands there */
    bool chunked;
    bool expects_continue;
    bool coded;     /* a Content-Encoding other than identity */
    bool malformed; /* a header that this server and a proxy before it may read differently */
    uint64_t length;
    struct fl_http_credentials credentials;
};

static bool equals(const char *value, size_t size, const char *word) {
    return strlen(word) == size && strncasecmp(value, word, size) == 0;
}

static bool begins(const char *value, size_t size, const char *word) {
    return size >= strlen(word) && strncasecmp(value, word, strlen(word)) == 0;
}

/*
 * libmicrohttpd takes a name as it stands, with a space before its colon too, and glues a folded
 * line onto the name: "Content-Length :" and "Content-LengthN" are both a length that it missed.
 */
static bool is_odd(const char *name, size_t name_size, const char *value, size_t value_size) {
    static const char others[] = "!#$%&'*+-.^_`|~"; /* RFC 9110: of what names are made */
    for (size_t i = 0; i < name_size; i++)
        if (!isalnum((unsigned char)name[i]) && (name[i] == '\0' || !strchr(others, name[i])))
            return true;
    for (size_t i = 0; i < value_size; i++)
        if (value[i] == '\0' || value[i] == '\r' || value[i] == '\n')
            return true;
    return name_size == 0 ||
           (begins(name, name_size, "Content-Length") && name_size > strlen("Content-Length")) ||
           (begins(name, name_size, "Transfer-Encoding") &&
            name_size > strlen("Transfer-Encoding"));
}

/* Who asks, and from where. Of a header that is there twice the last counts: each is checked. */
static void read_credential(struct fl_http_credentials *credentials, flowdb_slice name,
                            flowdb_slice value) {
    struct fl_http_provenance *provenance = &credentials->provenance;
    const struct {
        const char *name;
        flowdb_slice *into;
        bool browser;
    } headers[] = {{"Authorization", &credentials->authorization, false},
                   {"X-API-Key", &credentials->api_key, false},
                   {"Host", &provenance->host, false},
                   {"Origin", &provenance->origin, true},
                   {"Sec-Fetch-Site", &provenance->fetch_site, true},
                   {"Referer", NULL, true}};
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        if (!equals(name.data, name.size, headers[i].name))
            continue;
        if (headers[i].into != NULL)
            *headers[i].into = value;
        provenance->browser = provenance->browser || headers[i].browser;
    }
    if (equals(name.data, name.size, "User-Agent") && begins(value.data, value.size, "Mozilla/"))
        provenance->browser = true;
}

static enum MHD_Result read_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   size_t name_size, const char *value, size_t value_size) {
    struct framing *framing = context;
    (void)kind;
    read_credential(&framing->credentials, flowdb_bytes(name, name_size),
                    flowdb_bytes(value, value_size));
    if (is_odd(name, name_size, value, value_size)) {
        framing->malformed = true;
    } else if (equals(name, name_size, "Content-Length")) {
        int64_t length = 0;
        framing->lengths++;
        /* What is no number libmicrohttpd has refused already. */
        framing->length = fl_number_parse(value, value_size, &length) == FL_NUMBER_OK
                              ? (uint64_t)length
                              : UINT64_MAX;
    } else if (equals(name, name_size, "Transfer-Encoding")) {
        framing->encodings++;
        framing->chunked = equals(value, value_size, "chunked");
    } else if (equals(name, name_size, "Content-Encoding")) {
        framing->coded = framing->coded || !equals(value, value_size, "identity");
    } else if (equals(name, name_size, "Expect")) {
        framing->expects_continue = equals(value, value_size, "100-continue");
    } else if (equals(name, name_size, "Host")) {
        framing->hosts++;
    }
    return MHD_YES;
}

/* Where a request's end can be read in two ways, a proxy may have read it in the other. */
static bool check_framing(const struct framing *framing, const char *version,
                          const struct fl_limits *limits, struct fl_http_reply *reply) {
    if (framing->malformed)
        return fl_http_reply_fail(reply, 400, "the request line or a header is malformed");
    if (framing->lengths + framing->encodings > 1)
        return fl_http_reply_fail(
            reply, 400, "one Content-Length or one Transfer-Encoding is allowed, not several");
    if (framing->encodings > 0 && !framing->chunked)
        return fl_http_reply_fail(reply, 400, "chunked is the only Transfer-Encoding");
    if (framing->hosts > 1 || (framing->hosts == 0 && strcmp(version, "HTTP/1.1") == 0))
        return fl_http_reply_fail(reply, 400, "one Host header is wanted");
    if (framing->length > limits->max_body_bytes)
        return fl_http_reply_fail(reply, 413, "the body has more than %llu bytes",
                                  (unsigned long long)limits->max_body_bytes);
    return true;
}

struct params_scan {
    struct exchange *exchange;
    bool ok;
};

static enum MHD_Result read_param(void *context, enum MHD_ValueKind kind, const char *name,
                                  size_t name_size, const char *value, size_t value_size) {
    struct params_scan *scan = context;
    struct fl_http_request *request = &scan->exchange->request;
    (void)kind;
    if (name_size == 0 && value_size == 0)
        return MHD_YES;
    scan->ok =
        fl_http_params_add(&request->params, request->route->params, flowdb_bytes(name, name_size),
                           flowdb_bytes(value, value == NULL ? 0 : value_size),
                           &request->service->limits, &request->reply);
    return scan->ok ? MHD_YES : MHD_NO;
}

static bool read_params(struct exchange *exchange, struct MHD_Connection *connection) {
    struct params_scan scan = {exchange, true};
    MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, read_param, &scan);
    return scan.ok &&
           fl_http_params_require(&exchange->request.params, exchange->request.route->required,
                                  &exchange->request.reply);
}

/* What the answer says to the page of another site that is allowed to read it; NULL: nothing. */
static char *cors_of(const struct fl_http_origins *origins,
                     const struct fl_http_provenance *provenance) {
    if (!fl_http_origins_allow(origins, provenance->origin))
        return NULL;
    return strndup(provenance->origin.data, provenance->origin.size);
}

/* What a browser asks before it sends what a form could not. Always false: there is no handler. */
static bool answer_preflight(struct exchange *exchange) {
    struct fl_http_reply *reply = &exchange->request.reply;
    reply->status = 204;
    exchange->preflight = true;
    return false;
}

/* False where the request is refused before its body; the reply says why. */
static bool accept_headers(struct exchange *exchange, struct MHD_Connection *connection,
                           const struct fl_http_head *head, const struct framing *framing) {
    struct fl_http_request *request = &exchange->request;
    if (!check_framing(framing, head->version, &request->service->limits, &request->reply)) {
        request->reply.close = true;
        return false;
    }
    request->route = fl_http_route_find(request->service, head, &request->reply);
    exchange->cors = cors_of(&request->service->access.origins, &framing->credentials.provenance);
    if (exchange->cors != NULL && strcmp(head->method, "OPTIONS") == 0)
        return answer_preflight(exchange);
    if (!fl_http_access_check(&request->service->access, &framing->credentials,
                              request->route != NULL ? request->route->need : FL_HTTP_NEEDS_KEY,
                              !fl_http_method_is_safe(head->method), &request->reply))
        return false;
    if (request->route == NULL || !read_params(exchange, connection))
        return false;
    if (framing->coded)
        return fl_http_reply_fail(&request->reply, 415, "identity is the only Content-Encoding");
    exchange->begun = true;
    return request->route->handler->begin == NULL || request->route->handler->begin(request);
}

/* ------------------------------------------------------------------------------- the answer -- */

/* An answer that is produced while the client reads it. */
struct stream {
    struct fl_http_source *source;
    struct fl_output part;
    size_t sent; /* of the part */
    bool last;   /* the part is the last one */
};

/* True with something to send in the part; false at the answer's end or where it broke. */
static bool stream_refill(struct stream *stream, bool *broken) {
    if (stream->sent < stream->part.size)
        return true;
    if (stream->part.capacity > PART_KEPT)
        fl_output_deinit(&stream->part);
    fl_output_clear(&stream->part);
    stream->sent = 0;
    if (stream->last)
        return false;
    enum fl_http_fill filled = stream->source->fill(stream->source, &stream->part, PART_SIZE);
    *broken = filled == FL_HTTP_BROKEN || stream->part.failed;
    stream->last = filled == FL_HTTP_DONE;
    return !*broken && stream->part.size > 0;
}

static ssize_t stream_read(void *context, uint64_t position, char *buffer, size_t capacity) {
    struct stream *stream = context;
    bool broken = false;
    (void)position;
    if (!stream_refill(stream, &broken))
        return broken ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
    size_t left = stream->part.size - stream->sent;
    size_t size = left < capacity ? left : capacity;
    memcpy(buffer, stream->part.data + stream->sent, size);
    stream->sent += size;
    return (ssize_t)size;
}

static void stream_free(void *context) {
    struct stream *stream = context;
    stream->source->destroy(stream->source);
    fl_output_deinit(&stream->part);
    free(stream);
}

/*
 * Takes the reply's source and body. To a HEAD libmicrohttpd would send the end of a chunked body,
 * which the client would take for its next answer: such an answer is framed by its connection's
 * end.
 */
static struct MHD_Response *make_stream(struct fl_http_reply *reply, bool head) {
    struct stream *stream = malloc(sizeof *stream);
    if (stream == NULL)
        return NULL;
    *stream = (struct stream){.source = reply->source, .part = reply->body};
    reply->source = NULL;
    reply->body = (struct fl_output){0};
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, PART_SIZE, stream_read, stream, stream_free);
    if (response == NULL)
        stream_free(stream);
    else if (head)
        MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    return response;
}

/* Takes the reply's body. */
static struct MHD_Response *make_whole(struct fl_http_reply *reply) {
    struct MHD_Response *response =
        MHD_create_response_from_buffer(reply->body.size, reply->body.data, MHD_RESPMEM_MUST_FREE);
    if (response != NULL)
        reply->body = (struct fl_output){0};
    return response;
}

static bool add_cors_headers(struct MHD_Response *response, const struct exchange *exchange) {
    const struct {
        const char *name, *value;
        bool wanted;
    } headers[] = {
        {"Access-Control-Allow-Origin", exchange->cors, true},
        {"Vary", "Origin", true},
        {"Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE",
         exchange->preflight},
        {"Access-Control-Allow-Headers", "Authorization, Content-Type, X-API-Key",
         exchange->preflight},
        {"Access-Control-Max-Age", "600", exchange->preflight},
    };
    bool added = true;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0] && exchange->cors != NULL; i++)
        if (headers[i].wanted)
            added = added &&
                    MHD_add_response_header(response, headers[i].name, headers[i].value) == MHD_YES;
    return added;
}

static bool add_headers(struct MHD_Response *response, const struct exchange *exchange) {
    const struct fl_http_reply *reply = &exchange->request.reply;
    const struct {
        const char *name, *value;
        bool wanted;
    } headers[] = {
        {"Content-Type", "application/json", !exchange->preflight},
        {"X-Content-Type-Options", "nosniff", true},
        {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'", true},
        {"Cache-Control", "no-store", true},
        {"WWW-Authenticate", "Bearer", reply->challenge},
        {"Allow", reply->allow, reply->allow[0] != '\0'},
        {"Connection", "close", reply->close},
    };
    bool added = add_cors_headers(response, exchange);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        if (headers[i].wanted)
            added = added &&
                    MHD_add_response_header(response, headers[i].name, headers[i].value) == MHD_YES;
    return added;
}

/* MHD_NO, on which the connection is cut, where memory does not suffice for an answer. */
static enum MHD_Result send_reply(struct fl_http_exchanges *exchanges, struct exchange *exchange,
                                  struct MHD_Connection *connection) {
    struct fl_http_reply *reply = &exchange->request.reply;
    if (reply->body.failed)
        fl_http_reply_fail(reply, 500, "out of memory");
    if (reply->body.failed)
        return MHD_NO;
    if (atomic_load(&exchanges->draining))
        reply->close = true;
    unsigned status = reply->status;
    struct MHD_Response *response =
        reply->source != NULL ? make_stream(reply, exchange->head) : make_whole(reply);
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result sent =
        add_headers(response, exchange) ? MHD_queue_response(connection, status, response) : MHD_NO;
    MHD_destroy_response(response);
    return sent;
}

/* ------------------------------------------------------------------------------ the exchange -- */

/* What a request line with a space in its target leaves behind; only its address counts. */
static char malformed_target;

void *fl_http_exchange_check_target(void *context, const char *target,
                                    struct MHD_Connection *connection) {
    (void)context;
    (void)connection;
    return strchr(target, ' ') != NULL ? &malformed_target : NULL;
}

static enum MHD_Result begin_exchange(struct fl_http_exchanges *exchanges,
                                      struct MHD_Connection *connection,
                                      const struct fl_http_head *head, void **state) {
    struct framing framing = {.malformed = *state == &malformed_target};
    struct exchange *exchange = calloc(1, sizeof *exchange);
    *state = exchange;
    if (exchange == NULL)
        return MHD_NO;
    atomic_fetch_add(&exchanges->active, 1);
    exchange->head = strcmp(head->method, "HEAD") == 0;
    exchange->request.service = &exchanges->service;
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, read_header, &framing);
    if (accept_headers(exchange, connection, head, &framing))
        return MHD_YES;
    exchange->refused = true;
    /* With a body on its way that will not be read, the next request's start cannot be found. */
    bool has_body = framing.chunked || framing.length > 0;
    if (exchange->request.reply.close || framing.length > DISCARD_MAX ||
        (has_body && framing.expects_continue)) {
        exchange->request.reply.close = true;
        return send_reply(exchanges, exchange, connection);
    }
    return MHD_YES;
}

/* A piece of the body. MHD_NO cuts the connection. */
static enum MHD_Result take_body(struct exchange *exchange, const char *body, size_t size) {
    struct fl_http_request *request = &exchange->request;
    uint64_t limit = request->service->limits.max_body_bytes;
    exchange->body_received += size;
    if (exchange->body_received > limit + DISCARD_MAX)
        return MHD_NO;
    if (exchange->body_received > limit && request->reply.status != 413) {
        /* Only a chunked body gets here; what it has said so far no longer matters. */
        fl_http_reply_fail(&request->reply, 413, "the body has more than %llu bytes",
                           (unsigned long long)limit);
        request->reply.close = true;
        exchange->refused = true;
    }
    if (!exchange->refused && request->route->handler->body != NULL)
        exchange->refused = !request->route->handler->body(request, body, size);
    return MHD_YES;
}

enum MHD_Result fl_http_exchange_advance(void *context, struct MHD_Connection *connection,
                                         const char *path, const char *method, const char *version,
                                         const char *body, size_t *body_size, void **state) {
    struct fl_http_exchanges *exchanges = context;
    struct exchange *exchange = *state;
    if (exchange == NULL || *state == &malformed_target) {
        struct fl_http_head head = {method, path, version};
        return begin_exchange(exchanges, connection, &head, state);
    }
    if (*body_size > 0) {
        size_t size = *body_size;
        *body_size = 0;
        return take_body(exchange, body, size);
    }
    if (!exchange->refused)
        exchange->request.route->handler->finish(&exchange->request);
    return send_reply(exchanges, exchange, connection);
}

void fl_http_exchange_completed(void *context, struct MHD_Connection *connection, void **state,
                                enum MHD_RequestTerminationCode how) {
    struct fl_http_exchanges *exchanges = context;
    struct exchange *exchange = *state;
    (void)connection;
    (void)how;
    if (exchange == NULL || *state == &malformed_target)
        return;
    *state = NULL;
    if (exchange->begun && exchange->request.route->handler->release != NULL)
        exchange->request.route->handler->release(&exchange->request);
    fl_http_params_deinit(&exchange->request.params);
    fl_http_reply_deinit(&exchange->request.reply);
    free(exchange->cors);
    free(exchange);
    if (atomic_fetch_sub(&exchanges->active, 1) == 1 && atomic_load(&exchanges->draining)) {
        uint64_t one = 1;
        /* The counter is full only when the reader has been told often enough. */
        (void)!write(exchanges->idle_event, &one, sizeof one);
    }
}

size_t fl_http_exchange_keep_escapes(void *context, struct MHD_Connection *connection, char *text) {
    (void)context;
    (void)connection;
    return strlen(text);
}
