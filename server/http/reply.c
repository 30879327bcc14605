#include "http/reply.h"

#include <stdarg.h>
#include <stdio.h>

#include "json/json_writer.h"
#include "text/utf8.h"

#define MESSAGE_CAPACITY 640

static void drop_body(struct fl_http_reply *reply) {
    if (reply->source != NULL)
        reply->source->destroy(reply->source);
    reply->source = NULL;
    fl_output_deinit(&reply->body);
}

void fl_http_reply_deinit(struct fl_http_reply *reply) {
    drop_body(reply);
    *reply = (struct fl_http_reply){0};
}

static void write_verdict(struct fl_http_reply *reply, bool ok, const char *message) {
    struct fl_json_writer writer = {.output = &reply->body};
    fl_json_begin_object(&writer);
    fl_json_member(&writer, "ok");
    fl_json_bool(&writer, ok);
    fl_json_member(&writer, "message");
    fl_json_string(&writer, flowdb_str(message));
    fl_json_end_object(&writer);
}

void fl_http_reply_ok(struct fl_http_reply *reply, const char *message) {
    reply->status = 200;
    write_verdict(reply, true, message);
}

/* A message may quote what a client sent, cut in the middle of a character or no text at all. */
static void make_utf8(char *message) {
    if (fl_utf8_valid(message, strlen(message)))
        return;
    for (char *at = message; *at != '\0'; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
}

bool fl_http_reply_fail(struct fl_http_reply *reply, unsigned status, const char *format, ...) {
    char message[MESSAGE_CAPACITY];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    make_utf8(message);
    drop_body(reply);
    snprintf(reply->reason, sizeof reply->reason, "%.*s", FL_HTTP_REASON - 1, message);
    reply->type = reply->policy = reply->cache = reply->etag = reply->location = NULL;
    reply->allow[0] = '\0'; /* what a path takes is not told to those who may not ask */
    reply->status = status;
    write_verdict(reply, false, message);
    return false;
}
