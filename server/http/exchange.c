#include "http/exchange.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "http/answer.h"
#include "http/connections.h"
#include "http/gzip.h"
#include "http/headers.h"
#include "http/lines.h"

/*
 * A refused request's body is read to its end and thrown away while it is no longer than this, so
 * that the client is there to read the answer; a longer one is cut off.
 */
#define DISCARD_MAX ((uint64_t)1 << 20)

#define SLOW_MAX 4
/*
 * Writes that wait, wait for the same: for a sync, which they share, or for room. With more threads a
 * sync has more of them. What has no thread waits for one in its connection, of which there are so many.
 */
#define WAITING_THREADS_MAX 32

struct exchange {
    struct fl_http_request request;
    struct fl_http_exchanges *all;
    uint64_t held; /* its share of all->held */
    struct MHD_Connection *connection;
    struct fl_http_job job;
    atomic_bool worked; /* another thread has filled the reply */
    uint64_t body_received;
    int64_t started_us;       /* on the clock of meters.h */
    unsigned method;          /* FL_HTTP_…, 0 for any other */
    bool begun;               /* the handler's `begin` ran */
    bool refused;             /* the reply is decided; the rest of the body is discarded */
    struct fl_gunzip *gunzip; /* of a compressed body; else NULL */
    struct fl_http_answer answer;
    char *cors; /* what answer.cors points to; owned */
};

/* ----------------------------------------------------------------------------- before the body -- */

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
    scan->ok = fl_http_params_add(&request->params, request->route->params | FL_PARAMS_OF_ALL,
                                  flowdb_bytes(name, name_size),
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
    fl_http_reply_deinit(reply); /* no route has OPTIONS, and that was refused */
    reply->status = 204;
    exchange->answer.preflight = true;
    return false;
}

/* False where the request is refused before its body; the reply says why. */
static bool accept_headers(struct exchange *exchange, struct MHD_Connection *connection,
                           const struct fl_http_head *head, const struct fl_http_headers *headers) {
    struct fl_http_request *request = &exchange->request;
    if (!fl_http_headers_check(headers, head->version, &request->service->limits,
                               &request->reply)) {
        request->reply.close = true;
        return false;
    }
    request->route = fl_http_route_find(request->service, head, &request->reply);
    exchange->answer.cors = exchange->cors =
        cors_of(&request->service->access.origins, &headers->credentials.provenance);
    if (exchange->cors != NULL && strcmp(head->method, "OPTIONS") == 0)
        return answer_preflight(exchange);
    if (!fl_http_access_check(&request->service->access, &headers->credentials,
                              request->route != NULL ? request->route->need : FL_HTTP_NEEDS_KEY,
                              !fl_http_method_is_safe(head->method), &request->reply))
        return false;
    if (request->route == NULL || !read_params(exchange, connection))
        return false;
    if (headers->coding == FL_HTTP_OTHER_CODING)
        return fl_http_reply_fail(&request->reply, 415,
                                  "gzip and identity are the only Content-Encodings");
    if (headers->coding == FL_HTTP_GZIP) {
        exchange->gunzip = fl_gunzip_create(request->service->limits.max_body_bytes);
        if (exchange->gunzip == NULL)
            return fl_http_reply_fail(&request->reply, 500, "out of memory");
    }
    request->accept = headers->accept;
    request->if_none_match = headers->if_none_match;
    exchange->begun = true;
    return request->route->handler->begin == NULL || request->route->handler->begin(request);
}

/* ------------------------------------------------------------------------------ the exchange -- */

static enum MHD_Result send_reply(struct fl_http_exchanges *exchanges, struct exchange *exchange,
                                  struct MHD_Connection *connection) {
    struct fl_http_reply *reply = &exchange->request.reply;
    fl_http_connection_enter(connection, FL_HTTP_ANSWERED);
    if (atomic_load(&exchanges->draining))
        reply->close = true;
    exchanges->service.answered(&exchange->request);
    return fl_http_answer_send(&exchange->answer, connection, reply);
}

/*
 * What is known of a target before it is taken apart stands in the state's place until there is an
 * exchange: bits, and its size above them. It is odd, which no exchange's address is.
 */
enum { TARGET_IS_STATE = 1, TARGET_HAS_SPACE = 2, TARGET_HAS_TOO_MANY = 4, TARGET_BITS = 3 };

static bool is_target(const void *state) {
    return ((uintptr_t)state & TARGET_IS_STATE) != 0;
}

/* No path has a tenth of them. Each takes a record of the connection's memory, where the target lies, and
   some more that has been read; where there is none left libmicrohttpd gets stuck. */
static bool has_too_many_params(const char *query, size_t target_size) {
    enum { MOST = 256, RECORD = 64, READ_AHEAD = 6 << 10 };
    size_t count = 1;
    for (const char *at = query; (at = strchr(at, '&')) != NULL; at++)
        count++;
    return count > MOST || target_size + count * RECORD > FL_HTTP_CONNECTION_MEMORY - READ_AHEAD;
}

void *fl_http_exchange_check_target(void *context, const char *target,
                                    struct MHD_Connection *connection) {
    (void)context;
    (void)connection;
    uintptr_t state = (uintptr_t)strlen(target) << TARGET_BITS | TARGET_IS_STATE;
    if (strchr(target, ' ') != NULL)
        state |= TARGET_HAS_SPACE;
    char *query = strchr(target, '?');
    if (query != NULL && has_too_many_params(query, strlen(target))) {
        state |= TARGET_HAS_TOO_MANY;
        query[1] = '\0'; /* in the library's buffer: it is about to take them from there */
    }
    return (void *)state; /* NOLINT(performance-no-int-to-ptr) */
}

static bool is_malformed(struct MHD_Connection *connection, const struct fl_http_head *head,
                         uintptr_t target) {
    return (target & TARGET_HAS_SPACE) != 0 ||
           !fl_http_lines_are_whole(connection, head, target >> TARGET_BITS);
}

static enum MHD_Result begin_exchange(struct fl_http_exchanges *exchanges,
                                      struct MHD_Connection *connection,
                                      const struct fl_http_head *head, void **state) {
    struct fl_http_headers headers = {.malformed =
                                          is_malformed(connection, head, (uintptr_t)*state)};
    headers.too_many_params = ((uintptr_t)*state & TARGET_HAS_TOO_MANY) != 0;
    struct exchange *exchange = calloc(1, sizeof *exchange);
    *state = exchange;
    if (exchange == NULL)
        return MHD_NO;
    exchange->all = exchanges;
    exchange->connection = connection;
    atomic_fetch_add(&exchanges->active, 1);
    exchange->started_us = fl_http_meters_now_us();
    exchange->method = fl_http_method_parse(head->method);
    fl_http_meters_begin(exchanges->service.meters);
    exchange->answer.head = exchange->method == FL_HTTP_HEAD;
    exchange->request.service = &exchanges->service;
    exchange->request.socket =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    fl_http_headers_read(connection, &headers);
    exchange->answer.takes_gzip = headers.takes_gzip;
    fl_http_connection_enter(connection, FL_HTTP_BODY);
    if (accept_headers(exchange, connection, head, &headers))
        return MHD_YES;
    exchange->refused = true;
    /* With a body on its way that will not be read, the next request's start cannot be found. */
    bool has_body = headers.chunked || headers.length > 0;
    if (exchange->request.reply.close || headers.length > DISCARD_MAX ||
        (has_body && headers.expects_continue)) {
        exchange->request.reply.close = true;
        return send_reply(exchanges, exchange, connection);
    }
    return MHD_YES;
}

static void refuse_length(struct exchange *exchange) {
    struct fl_http_request *request = &exchange->request;
    fl_http_reply_fail(&request->reply, 413, "the body has more than %llu bytes",
                       (unsigned long long)request->service->limits.max_body_bytes);
    request->reply.close = true;
    exchange->refused = true;
}

/*
 * What handlers make of bodies takes about as much memory as these, and twice that while it grows. So
 * many bodies as there are threads may be under way whole; of further ones, which come in while
 * others are waited for, each has to be asked for again.
 */
static bool claim_memory(struct exchange *exchange, size_t size) {
    struct fl_http_exchanges *all = exchange->all;
    exchange->held += size;
    if (atomic_fetch_add(&all->held, size) + size <= all->held_max)
        return true;
    exchange->request.reply.retry_after_secs = 1;
    return fl_http_reply_fail(&exchange->request.reply, 503,
                              "too many large bodies are on their way at once");
}

/* Frees what the handler has, in which nobody is interested any more. */
static void release(struct exchange *exchange) {
    struct fl_http_request *request = &exchange->request;
    if (exchange->begun && request->route->handler->release != NULL)
        request->route->handler->release(request);
    exchange->begun = false;
    atomic_fetch_sub(&exchange->all->held, exchange->held);
    exchange->held = 0;
}

static bool give_body(void *context, const void *bytes, size_t size) {
    struct exchange *exchange = context;
    struct fl_http_request *request = &exchange->request;
    request->body_size += size;
    return claim_memory(exchange, size) && request->route->handler->body(request, bytes, size);
}

/* Hands a piece on to the handler, through the coding that it is in. */
static void decode_body(struct exchange *exchange, const char *body, size_t size) {
    struct fl_http_request *request = &exchange->request;
    if (exchange->gunzip == NULL) {
        exchange->refused = !give_body(exchange, body, size);
        return;
    }
    switch (fl_gunzip_feed(exchange->gunzip, body, size, give_body, exchange)) {
    case FL_GUNZIP_OK:
        break;
    case FL_GUNZIP_TOO_LONG:
        refuse_length(exchange);
        break;
    case FL_GUNZIP_MALFORMED:
        fl_http_reply_fail(&request->reply, 400, "the body is not valid gzip");
        exchange->refused = true;
        break;
    case FL_GUNZIP_STOPPED:
        exchange->refused = true;
        break;
    }
}

/* A piece of the body. MHD_NO cuts the connection. */
static enum MHD_Result take_body(struct exchange *exchange, const char *body, size_t size) {
    struct fl_http_request *request = &exchange->request;
    uint64_t limit = request->service->limits.max_body_bytes;
    exchange->body_received += size;
    if (exchange->body_received > limit + DISCARD_MAX)
        return MHD_NO;
    /* Only a chunked body gets here; what it has said so far no longer matters. */
    if (exchange->body_received > limit && request->reply.status != 413)
        refuse_length(exchange);
    if (!exchange->refused && request->route->handler->body != NULL)
        decode_body(exchange, body, size);
    if (exchange->refused)
        release(exchange);
    return MHD_YES;
}

/* What of a coded body only its end tells. */
static bool is_whole(struct exchange *exchange) {
    struct fl_http_request *request = &exchange->request;
    bool has_body = exchange->body_received > 0 && request->route->handler->body != NULL;
    return exchange->gunzip == NULL || !has_body || fl_gunzip_complete(exchange->gunzip) ||
           fl_http_reply_fail(&request->reply, 400, "the body's gzip coding ends early");
}

/* In another thread. Once the connection goes on, its own may free the exchange. */
static void work(struct fl_http_job *job) {
    struct exchange *exchange = (struct exchange *)((char *)job - offsetof(struct exchange, job));
    struct MHD_Connection *connection = exchange->connection;
    exchange->request.route->handler->finish(&exchange->request);
    atomic_store(&exchange->worked, true);
    MHD_resume_connection(connection);
}

/* After it libmicrohttpd calls for the same exchange again. */
static void finish_elsewhere(struct exchange *exchange, struct fl_http_workers *workers) {
    struct fl_http_reply *reply = &exchange->request.reply;
    exchange->job.run = work;
    MHD_suspend_connection(exchange->connection);
    if (fl_http_workers_give(workers, &exchange->job))
        return;
    reply->retry_after_secs = 1;
    fl_http_reply_fail(reply, 503, "%u requests that take long are being worked on already",
                       workers->threads_max);
    atomic_store(&exchange->worked, true);
    MHD_resume_connection(exchange->connection);
}

/* True where the reply is there; false where it will be, once another thread is done. */
static bool finish(struct fl_http_exchanges *exchanges, struct exchange *exchange) {
    struct fl_http_request *request = &exchange->request;
    const struct fl_http_handler *handler = request->route->handler;
    if (!is_whole(exchange))
        return true;
    bool large = handler->slow_from > 0 && request->body_size >= handler->slow_from;
    if (handler->slow) {
        finish_elsewhere(exchange, &exchanges->slow);
    } else if (large || (handler->try_finish != NULL && !handler->try_finish(request))) {
        finish_elsewhere(exchange, &exchanges->waiting);
    } else {
        if (handler->try_finish == NULL)
            handler->finish(request);
        return true;
    }
    return false;
}

enum MHD_Result fl_http_exchange_advance(void *context, struct MHD_Connection *connection,
                                         const char *path, const char *method, const char *version,
                                         const char *body, size_t *body_size, void **state) {
    struct fl_http_exchanges *exchanges = context;
    struct exchange *exchange = *state;
    if (exchange == NULL || is_target(exchange)) {
        struct fl_http_head head = {method, path, version};
        return begin_exchange(exchanges, connection, &head, state);
    }
    if (*body_size > 0) {
        size_t size = *body_size;
        *body_size = 0;
        fl_http_connection_progress(connection, exchange->body_received + size);
        return take_body(exchange, body, size);
    }
    fl_http_connection_enter(connection, FL_HTTP_ANSWERED);
    if (!exchange->refused && !atomic_load(&exchange->worked) && !finish(exchanges, exchange))
        return MHD_YES;
    return send_reply(exchanges, exchange, connection);
}

/* The access log: nothing in it is what the client sent, but for the choice of path and method. */
static void log_access(const struct fl_http_service *service, const struct fl_http_metered *metered,
                       const char *path) {
    char status[24], duration[24], in[24], out[24];
    if (atomic_load_explicit(&service->logger->level, memory_order_relaxed) < FLOWDB_LOG_DEBUG)
        return;
    snprintf(status, sizeof status, "%u", metered->status);
    snprintf(duration, sizeof duration, "%" PRIu64, metered->duration_us);
    snprintf(in, sizeof in, "%" PRIu64, metered->bytes_in);
    snprintf(out, sizeof out, "%" PRIu64, metered->bytes_out);
    fl_logger_write(service->logger, FLOWDB_LOG_DEBUG, "request",
                    (const struct fl_log_pair[]){{"method", fl_http_method_name(metered->method)},
                                                 {"path", path},
                                                 {"status", status},
                                                 {"duration_us", duration},
                                                 {"bytes_in", in},
                                                 {"bytes_out", out},
                                                 {NULL, NULL}});
}

static void meter(const struct exchange *exchange) {
    const struct fl_http_request *request = &exchange->request;
    const struct fl_http_service *service = request->service;
    const struct fl_http_route *route = request->route;
    struct fl_http_metered metered = {
        .route = route != NULL ? (size_t)(route - service->routes) : service->route_count,
        .method = exchange->method,
        .status = request->reply.status,
        .bytes_in = exchange->body_received,
        .bytes_out = exchange->answer.sent,
        .duration_us = (uint64_t)(fl_http_meters_now_us() - exchange->started_us)};
    fl_http_meters_end(service->meters, &metered);
    log_access(service, &metered, route != NULL ? route->path : "unknown");
}

void fl_http_exchange_completed(void *context, struct MHD_Connection *connection, void **state,
                                enum MHD_RequestTerminationCode how) {
    struct fl_http_exchanges *exchanges = context;
    struct exchange *exchange = *state;
    (void)how;
    if (exchange == NULL || is_target(exchange))
        return;
    *state = NULL;
    fl_http_connection_enter(connection, FL_HTTP_AWAITED);
    meter(exchange);
    release(exchange);
    fl_http_params_deinit(&exchange->request.params);
    fl_http_reply_deinit(&exchange->request.reply);
    fl_gunzip_destroy(exchange->gunzip);
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

/* ----------------------------------------------------------------------------------- lifetime -- */

bool fl_http_exchanges_init(struct fl_http_exchanges *exchanges,
                            const struct fl_http_service *service) {
    exchanges->service = *service;
    if (!fl_http_workers_init(&exchanges->slow, "flowdb-slow", SLOW_MAX, 0))
        return false;
    if (fl_http_workers_init(&exchanges->waiting, "flowdb-waiting", WAITING_THREADS_MAX,
                             service->limits.max_connections))
        return true;
    fl_http_workers_deinit(&exchanges->slow);
    return false;
}

void fl_http_exchanges_deinit(struct fl_http_exchanges *exchanges) {
    fl_http_workers_deinit(&exchanges->waiting);
    fl_http_workers_deinit(&exchanges->slow);
}

void fl_http_exchanges_end(struct fl_http_exchanges *exchanges) {
    fl_http_workers_end(&exchanges->slow);
    fl_http_workers_end(&exchanges->waiting);
}
