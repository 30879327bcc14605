#include "http/answer.h"

#include <stdio.h>
#include <stdlib.h>

#include "http/gzip.h"

/* How much of an answer is produced at a time. */
#define PART_SIZE ((size_t)64 << 10)
/* After a part with a huge record the memory is given back rather than kept for the next. */
#define PART_KEPT (4 * PART_SIZE)
/* Shorter answers are not worth compressing. */
#define GZIP_FROM ((size_t)1 << 10)
/* Nothing but the dashboard is a page. */
#define NO_CONTENT "default-src 'none'; frame-ancestors 'none'"

/* An answer that is produced while the client reads it. */
struct stream {
    struct fl_http_source *source;
    uint64_t *counter; /* of what goes out */
    struct fl_output part;
    struct fl_output packed; /* what the part compresses to, where it does */
    struct fl_gzip *gzip;    /* NULL: the parts go out as they are */
    size_t sent;             /* of what goes out */
    bool last;               /* the part is the last one */
};

static struct fl_output *outgoing(struct stream *stream) {
    return stream->gzip != NULL ? &stream->packed : &stream->part;
}

static void renew(struct fl_output *output) {
    if (output->capacity > PART_KEPT)
        fl_output_deinit(output);
    fl_output_clear(output);
}

/* Compresses the part, where the answer is compressed. */
static void pack(struct stream *stream, bool *broken) {
    if (stream->gzip != NULL && !fl_gzip_append(stream->gzip, stream->part.data, stream->part.size,
                                                stream->last, &stream->packed))
        *broken = true;
}

/* True with something to send; false at the answer's end or where it broke. Of a part that compresses
   well nothing may come out yet: then the next one follows. */
static bool stream_refill(struct stream *stream, bool *broken) {
    while (stream->sent == outgoing(stream)->size && !*broken) {
        renew(&stream->part);
        renew(&stream->packed);
        stream->sent = 0;
        if (stream->last)
            return false;
        enum fl_http_fill filled = stream->source->fill(stream->source, &stream->part, PART_SIZE);
        *broken = filled == FL_HTTP_BROKEN || stream->part.failed;
        stream->last = filled == FL_HTTP_DONE;
        if (!*broken)
            pack(stream, broken);
    }
    return !*broken;
}

static ssize_t stream_read(void *context, uint64_t position, char *buffer, size_t capacity) {
    struct stream *stream = context;
    bool broken = false;
    (void)position;
    if (!stream_refill(stream, &broken))
        return broken ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
    const struct fl_output *output = outgoing(stream);
    size_t left = output->size - stream->sent;
    size_t size = left < capacity ? left : capacity;
    memcpy(buffer, output->data + stream->sent, size);
    stream->sent += size;
    *stream->counter += size;
    return (ssize_t)size;
}

static void stream_free(void *context) {
    struct stream *stream = context;
    stream->source->destroy(stream->source);
    fl_output_deinit(&stream->part);
    fl_output_deinit(&stream->packed);
    fl_gzip_destroy(stream->gzip);
    free(stream);
}

/*
 * Takes the reply's source and body. To a HEAD libmicrohttpd would send the end of a chunked body,
 * which the client would take for its next answer: such an answer is framed by its connection's
 * end.
 */
static struct MHD_Response *make_stream(struct fl_http_reply *reply, struct fl_http_answer *answer,
                                        bool gzip) {
    struct stream *stream = calloc(1, sizeof *stream);
    bool broken = false;
    if (stream == NULL)
        return NULL;
    stream->source = reply->source;
    stream->counter = &answer->sent;
    stream->part = reply->body;
    reply->source = NULL;
    reply->body = (struct fl_output){0};
    if (gzip)
        stream->gzip = fl_gzip_create();
    if (gzip && stream->gzip != NULL)
        pack(stream, &broken);
    if (broken || (gzip && stream->gzip == NULL)) {
        stream_free(stream);
        return NULL;
    }
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, PART_SIZE, stream_read, stream, stream_free);
    if (response == NULL)
        stream_free(stream);
    else if (answer->head)
        MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    return response;
}

/* Takes the reply's body. */
static struct MHD_Response *make_whole(struct fl_http_reply *reply, struct fl_http_answer *answer,
                                       bool gzip) {
    if (gzip) {
        struct fl_output packed = {0};
        struct fl_gzip *coder = fl_gzip_create();
        bool done = coder != NULL &&
                    fl_gzip_append(coder, reply->body.data, reply->body.size, true, &packed);
        fl_gzip_destroy(coder);
        if (!done) {
            fl_output_deinit(&packed);
            return NULL;
        }
        fl_output_deinit(&reply->body);
        reply->body = packed;
    }
    answer->sent = answer->head ? 0 : reply->body.size;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(reply->body.size, reply->body.data, MHD_RESPMEM_MUST_FREE);
    if (response != NULL)
        reply->body = (struct fl_output){0};
    return response;
}

static bool add_cors_headers(struct MHD_Response *response, const struct fl_http_answer *answer) {
    const struct {
        const char *name, *value;
        bool wanted;
    } headers[] = {
        {"Access-Control-Allow-Origin", answer->cors, true},
        {"Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE", answer->preflight},
        {"Access-Control-Allow-Headers", "Authorization, Content-Type, X-API-Key",
         answer->preflight},
        {"Access-Control-Max-Age", "600", answer->preflight},
    };
    bool added = true;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0] && answer->cors != NULL; i++)
        if (headers[i].wanted)
            added = added &&
                    MHD_add_response_header(response, headers[i].name, headers[i].value) == MHD_YES;
    return added;
}

static bool add_headers(struct MHD_Response *response, const struct fl_http_answer *answer,
                        const struct fl_http_reply *reply, bool gzip) {
    char retry_after[16];
    snprintf(retry_after, sizeof retry_after, "%u", reply->retry_after_secs);
    const struct {
        const char *name, *value;
        bool wanted;
    } headers[] = {
        {"Content-Type", reply->type != NULL ? reply->type : "application/json",
         !answer->preflight && reply->status != 304},
        {"Content-Encoding", "gzip", gzip},
        {"Vary",
         answer->cors != NULL ? "Accept, Accept-Encoding, Origin" : "Accept, Accept-Encoding",
         true},
        {"X-Content-Type-Options", "nosniff", true},
        {"Content-Security-Policy", reply->policy != NULL ? reply->policy : NO_CONTENT, true},
        {"Cache-Control", reply->cache != NULL ? reply->cache : "no-store", true},
        {"ETag", reply->etag, reply->etag != NULL},
        {"Location", reply->location, reply->location != NULL},
        {"WWW-Authenticate", "Bearer", reply->challenge},
        {"Retry-After", retry_after, reply->retry_after_secs > 0},
        {"Allow", reply->allow, reply->allow[0] != '\0'},
        {"Connection", "close", reply->close},
    };
    bool added = add_cors_headers(response, answer);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        if (headers[i].wanted)
            added = added &&
                    MHD_add_response_header(response, headers[i].name, headers[i].value) == MHD_YES;
    return added;
}

enum MHD_Result fl_http_answer_send(struct fl_http_answer *answer,
                                    struct MHD_Connection *connection,
                                    struct fl_http_reply *reply) {
    if (reply->body.failed)
        fl_http_reply_fail(reply, 500, "out of memory");
    if (reply->body.failed)
        return MHD_NO;
    bool stream = reply->source != NULL;
    bool gzip = answer->takes_gzip && (stream || reply->body.size >= GZIP_FROM);
    unsigned status = reply->status;
    struct MHD_Response *response =
        stream ? make_stream(reply, answer, gzip) : make_whole(reply, answer, gzip);
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result sent = add_headers(response, answer, reply, gzip)
                               ? MHD_queue_response(connection, status, response)
                               : MHD_NO;
    MHD_destroy_response(response);
    return sent;
}
