#include "fuzz/server/stand_in.h"

#include <pthread.h>
#include <stdio.h>

struct MHD_Connection {
    const struct stand_in_request *request;
    struct stand_in_answer *answer;
    union MHD_ConnectionInfo info;
    void *socket_context;
    pthread_mutex_t lock;
    pthread_cond_t resumed;
    bool suspended; /* under `lock` */
};

struct MHD_Response {
    size_t size;
    char *buffer; /* owned; NULL: there is a callback */
    MHD_ContentReaderCallback read;
    MHD_ContentReaderFreeCallback release;
    void *context;
    size_t part;
    struct stand_in_pairs headers;
    char text[4096];
    size_t text_size;
};

/* ----------------------------------------------------------------------------------- requests -- */

static void add_pair(struct stand_in_pairs *pairs, flowdb_slice name, flowdb_slice value) {
    if (pairs->count < STAND_IN_PAIRS)
        pairs->pairs[pairs->count++] = (struct stand_in_pair){name, value};
}

static flowdb_slice keep(struct stand_in_request *request, flowdb_slice bytes) {
    char *at = request->text + request->text_size;
    if (bytes.data == NULL || STAND_IN_TEXT - request->text_size <= bytes.size)
        return (flowdb_slice){0};
    if (bytes.size > 0)
        memcpy(at, bytes.data, bytes.size);
    at[bytes.size] = '\0';
    request->text_size += bytes.size + 1;
    return flowdb_bytes(at, bytes.size);
}

/* What an end of a line leaves. */
static void keep_line_end(struct stand_in_request *request) {
    keep(request, (flowdb_slice){.data = "", .size = 0});
}

static const char *keep_word(struct stand_in_request *request, flowdb_slice word) {
    word = flowdb_bytes(word.data, word.size < STAND_IN_WORD ? word.size : STAND_IN_WORD - 1);
    return keep(request, word.data != NULL ? word : flowdb_str("")).data;
}

/* METHOD TARGET VERSION, of which the target may have spaces. The arguments stay in `target`. */
static void parse_first_line(flowdb_slice line, struct stand_in_request *request) {
    flowdb_slice rest;
    flowdb_slice method = given_before(line, ' ', &rest);
    const char *space = rest.size > 0 ? memrchr(rest.data, ' ', rest.size) : NULL;
    flowdb_slice target = rest, version = flowdb_str("HTTP/1.1");
    if (space != NULL) {
        target.size = (size_t)(space - (const char *)rest.data);
        version = flowdb_bytes(space + 1, rest.size - target.size - 1);
    }
    request->method = keep_word(request, method);
    request->path = keep_word(request, target);
    request->version = keep_word(request, version);
    keep_line_end(request);
    memcpy(request->target, request->path, strlen(request->path));
    char *query = strchr(request->path, '?');
    if (query != NULL)
        *query = '\0';
}

static void parse_arguments(struct stand_in_request *request) {
    const char *mark = strchr(request->target, '?');
    flowdb_slice rest, query = flowdb_str(mark != NULL ? mark + 1 : "");
    while (query.size > 0) {
        flowdb_slice value, name = given_before(query, '&', &rest);
        name = given_before(name, '=', &value);
        add_pair(&request->arguments, keep(request, name), keep(request, value));
        query = rest;
    }
}

/* Without the empty line, that comes behind the last. */
static void keep_header(struct stand_in_request *request, flowdb_slice name, flowdb_slice value) {
    name = keep(request, name);
    add_pair(&request->headers, name, keep(request, value));
    keep_line_end(request);
}

static void parse_header(flowdb_slice line, struct stand_in_request *request) {
    flowdb_slice value, name = given_before(line, ':', &value);
    const char *at = value.data;
    while (value.size > 0 && (*at == ' ' || *at == '\t')) {
        at++;
        value.size--;
    }
    keep_header(request, name, at != NULL ? flowdb_bytes(at, value.size) : flowdb_str(""));
}

static void end_head(struct stand_in_request *request) {
    keep_line_end(request);
    keep_line_end(request);
    request->head_size = request->text_size;
    request->arguments.count = 0;
    parse_arguments(request);
}

bool stand_in_add_header(struct stand_in_request *request, const char *name, const char *value) {
    enum { ROOM = 1024 }; /* more than it takes, and than the arguments do */
    if (request->headers.count == STAND_IN_PAIRS || request->text_size > STAND_IN_TEXT - ROOM)
        return false;
    request->text_size = request->head_size - 2;
    keep_header(request, flowdb_str(name), flowdb_str(value));
    end_head(request);
    return true;
}

void stand_in_parse(struct bytes *bytes, struct stand_in_request *request) {
    *request = (struct stand_in_request){.piece = 1 + bytes_below(bytes, 64)};
    parse_first_line(given_line(bytes), request);
    for (flowdb_slice line; (line = given_line(bytes)).size > 0;)
        parse_header(line, request);
    end_head(request);
    request->body = bytes_slice(bytes, bytes_left(bytes));
}

struct MHD_Connection *stand_in_connection(const struct stand_in_request *request) {
    struct MHD_Connection *connection = calloc(1, sizeof *connection);
    expect(connection != NULL);
    connection->request = request;
    pthread_mutex_init(&connection->lock, NULL);
    pthread_cond_init(&connection->resumed, NULL);
    return connection;
}

void stand_in_disconnect(struct MHD_Connection *connection) {
    pthread_mutex_destroy(&connection->lock);
    pthread_cond_destroy(&connection->resumed);
    free(connection);
}

static void wait_until_resumed(struct MHD_Connection *connection) {
    pthread_mutex_lock(&connection->lock);
    while (connection->suspended)
        pthread_cond_wait(&connection->resumed, &connection->lock);
    pthread_mutex_unlock(&connection->lock);
}

static void give_body(struct fl_http_exchanges *exchanges, struct MHD_Connection *connection,
                      void **state) {
    const struct stand_in_request *request = connection->request;
    const char *body = request->body.data;
    for (size_t at = 0; at < request->body.size && connection->answer->status == 0;) {
        size_t left = request->body.size - at, size = request->piece < left ? request->piece : left;
        char *piece = malloc(size); /* so that a step beyond it shows */
        expect(piece != NULL);
        memcpy(piece, body + at, size);
        at += size;
        enum MHD_Result result =
            fl_http_exchange_advance(exchanges, connection, request->path, request->method,
                                     request->version, piece, &size, state);
        free(piece);
        if (result == MHD_NO)
            return;
        expect(size == 0);
    }
    for (unsigned i = 0; i < 2 && connection->answer->status == 0; i++) {
        size_t none = 0;
        if (fl_http_exchange_advance(exchanges, connection, request->path, request->method,
                                     request->version, NULL, &none, state) == MHD_NO)
            return;
        wait_until_resumed(connection);
    }
}

void stand_in_exchange(struct fl_http_exchanges *exchanges, const struct stand_in_request *request,
                       struct stand_in_answer *answer) {
    struct MHD_Connection *connection = stand_in_connection(request);
    size_t none = 0;
    *answer = (struct stand_in_answer){0};
    connection->answer = answer;
    void *state = fl_http_exchange_check_target(NULL, request->target, connection);
    if (fl_http_exchange_advance(exchanges, connection, request->path, request->method,
                                 request->version, NULL, &none, &state) == MHD_YES &&
        answer->status == 0)
        give_body(exchanges, connection, &state);
    fl_http_exchange_completed(exchanges, connection, &state, MHD_REQUEST_TERMINATED_COMPLETED_OK);
    expect(state == NULL);
    stand_in_disconnect(connection);
}

/* ------------------------------------------------------------------------------------ answers -- */

void stand_in_answer_deinit(struct stand_in_answer *answer) {
    fl_output_deinit(&answer->body);
}

flowdb_slice stand_in_header(const struct stand_in_answer *answer, const char *name) {
    for (size_t i = 0; i < answer->headers.count; i++)
        if (given_same(answer->headers.pairs[i].name, flowdb_str(name)))
            return answer->headers.pairs[i].value;
    return (flowdb_slice){0};
}

static void read_all(struct MHD_Response *response, struct stand_in_answer *answer) {
    for (uint64_t at = 0;;) {
        char *part = malloc(response->part);
        expect(part != NULL);
        ssize_t size = response->read(response->context, at, part, response->part);
        if (size > 0)
            fl_output_append(&answer->body, part, (size_t)size);
        free(part);
        answer->broken = size == MHD_CONTENT_READER_END_WITH_ERROR;
        if (size < 0)
            return;
        expect(size > 0 && (size_t)size <= response->part);
        at += (uint64_t)size;
    }
}

/* -------------------------------------------------------------- what libmicrohttpd would export -- */

int MHD_get_connection_values_n(struct MHD_Connection *connection, enum MHD_ValueKind kind,
                                MHD_KeyValueIteratorN iterator, void *context) {
    const struct stand_in_pairs *pairs =
        kind == MHD_HEADER_KIND ? &connection->request->headers : &connection->request->arguments;
    size_t i = 0;
    for (; i < pairs->count; i++) {
        const struct stand_in_pair *pair = &pairs->pairs[i];
        const char *name = pair->name.data != NULL ? pair->name.data : "",
                   *value = pair->value.data;
        if (value == NULL && kind == MHD_HEADER_KIND)
            value = "";
        if (iterator(context, kind, name, pair->name.size, value, pair->value.size) != MHD_YES)
            break;
    }
    return (int)i;
}

const union MHD_ConnectionInfo *MHD_get_connection_info(struct MHD_Connection *connection,
                                                        enum MHD_ConnectionInfoType type, ...) {
    connection->info = (union MHD_ConnectionInfo){0};
    if (type == MHD_CONNECTION_INFO_SOCKET_CONTEXT)
        connection->info.socket_context = connection->socket_context;
    else if (type == MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)
        connection->info.header_size = connection->request->head_size;
    else
        connection->info.connect_fd = -1;
    return &connection->info;
}

void MHD_suspend_connection(struct MHD_Connection *connection) {
    pthread_mutex_lock(&connection->lock);
    connection->suspended = true;
    pthread_mutex_unlock(&connection->lock);
}

void MHD_resume_connection(struct MHD_Connection *connection) {
    pthread_mutex_lock(&connection->lock);
    connection->suspended = false;
    pthread_cond_signal(&connection->resumed);
    pthread_mutex_unlock(&connection->lock);
}

static struct MHD_Response *make_response(void) {
    struct MHD_Response *response = calloc(1, sizeof *response);
    expect(response != NULL);
    return response;
}

struct MHD_Response *MHD_create_response_from_buffer(size_t size, void *buffer,
                                                     enum MHD_ResponseMemoryMode mode) {
    struct MHD_Response *response = make_response();
    response->size = size;
    response->buffer = malloc(size + 1);
    expect(response->buffer != NULL);
    if (size > 0)
        memcpy(response->buffer, buffer, size);
    if (mode == MHD_RESPMEM_MUST_FREE)
        free(buffer);
    return response;
}

struct MHD_Response *MHD_create_response_from_callback(uint64_t size, size_t part,
                                                       MHD_ContentReaderCallback read,
                                                       void *context,
                                                       MHD_ContentReaderFreeCallback release) {
    struct MHD_Response *response = make_response();
    expect(size == MHD_SIZE_UNKNOWN && part > 0);
    response->read = read;
    response->context = context;
    response->release = release;
    response->part = part;
    return response;
}

enum MHD_Result MHD_set_response_options(struct MHD_Response *response,
                                         enum MHD_ResponseFlags flags, ...) {
    (void)response;
    (void)flags;
    return MHD_YES;
}

/* As the library: a value that could end its line is refused. */
enum MHD_Result MHD_add_response_header(struct MHD_Response *response, const char *name,
                                        const char *value) {
    size_t name_size = strlen(name), value_size = strlen(value);
    if (value_size == 0 || strpbrk(value, "\r\n\t") != NULL)
        return MHD_NO;
    expect(response->text_size + name_size + value_size <= sizeof response->text);
    char *at = response->text + response->text_size;
    memcpy(at, name, name_size);
    memcpy(at + name_size, value, value_size);
    response->text_size += name_size + value_size;
    add_pair(&response->headers, flowdb_bytes(at, name_size),
             flowdb_bytes(at + name_size, value_size));
    return MHD_YES;
}

enum MHD_Result MHD_queue_response(struct MHD_Connection *connection, unsigned status,
                                   struct MHD_Response *response) {
    struct stand_in_answer *answer = connection->answer;
    expect(answer->status == 0 && status != 0);
    answer->status = status;
    memcpy(answer->text, response->text, response->text_size);
    answer->headers = response->headers;
    for (size_t i = 0; i < answer->headers.count; i++) {
        struct stand_in_pair *pair = &answer->headers.pairs[i];
        pair->name.data = answer->text + ((const char *)pair->name.data - response->text);
        pair->value.data = answer->text + ((const char *)pair->value.data - response->text);
    }
    if (response->read != NULL)
        read_all(response, answer);
    else
        fl_output_append(&answer->body, response->buffer, response->size);
    return MHD_YES;
}

void MHD_destroy_response(struct MHD_Response *response) {
    if (response->release != NULL)
        response->release(response->context);
    free(response->buffer);
    free(response);
}
