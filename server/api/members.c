#include "api/members.h"

#include <stdlib.h>

#include "json/json_reader.h"
#include "text/number.h"

struct members {
    struct fl_json_reader *reader;
    struct fl_http_reply *reply;
    struct fl_member list[FL_MEMBERS + 1];
    struct fl_member *current; /* whose value comes next */
    bool object;               /* the body has begun to be one */
};

static struct fl_member *find(struct members *members, flowdb_slice name) {
    for (struct fl_member *at = members->list; at->name != NULL; at++)
        if (strlen(at->name) == name.size && memcmp(at->name, name.data, name.size) == 0)
            return at;
    return NULL;
}

static bool take_name(struct members *members, flowdb_slice name) {
    members->current = find(members, name);
    if (members->current == NULL)
        return fl_http_reply_fail(members->reply, 400, "unknown member: %.*s",
                                  (int)(name.size < 64 ? name.size : 64), (const char *)name.data);
    return !members->current->given ||
           fl_http_reply_fail(members->reply, 400, "%s is given twice", members->current->name);
}

static bool take_text(struct members *members, flowdb_slice text) {
    struct fl_member *member = members->current;
    if (text.size >= FL_MEMBER_TEXT || memchr(text.data, '\0', text.size) != NULL)
        return fl_http_reply_fail(members->reply, 400,
                                  "%s must have at most %d characters, and no NUL", member->name,
                                  FL_MEMBER_TEXT - 1);
    memcpy(member->text, text.data, text.size);
    member->text[text.size] = '\0';
    return member->given = true;
}

static bool take_event(void *context, const struct fl_json_event *event) {
    struct members *members = context;
    if (event->depth == 0) {
        members->object = event->type == FL_JSON_BEGIN_OBJECT || event->type == FL_JSON_END_OBJECT;
        return members->object ||
               fl_http_reply_fail(members->reply, 400, "the body must be a JSON object");
    }
    if (event->type == FL_JSON_MEMBER)
        return take_name(members, event->text);
    struct fl_member *member = members->current;
    if (member->is_text && event->type == FL_JSON_STRING)
        return take_text(members, event->text);
    if (!member->is_text && event->type == FL_JSON_NUMBER &&
        fl_number_parse(event->text.data, event->text.size, &member->number) == FL_NUMBER_OK)
        return member->given = true;
    return fl_http_reply_fail(members->reply, 400, "%s must be %s", member->name,
                              member->is_text ? "a string" : "an integer");
}

bool fl_members_begin(struct fl_http_request *request, const struct fl_member *wanted) {
    struct members *members = calloc(1, sizeof *members);
    request->state = members;
    if (members != NULL) {
        for (size_t i = 0; wanted[i].name != NULL; i++)
            members->list[i] = wanted[i];
        members->reply = &request->reply;
        members->reader = fl_json_reader_create(1024, take_event, members);
    }
    return (members != NULL && members->reader != NULL) ||
           fl_http_reply_fail(&request->reply, 500, "out of memory");
}

static bool check(struct members *members, enum fl_json_status status) {
    switch (status) {
    case FL_JSON_OK:
        return true;
    case FL_JSON_STOPPED:
        return false;
    case FL_JSON_MALFORMED:
        return fl_http_reply_fail(members->reply, 400, "the body is not valid JSON: %s",
                                  fl_json_reader_error(members->reader));
    case FL_JSON_NO_MEMORY:
        break;
    }
    return fl_http_reply_fail(members->reply, 500, "out of memory");
}

bool fl_members_body(struct fl_http_request *request, const void *bytes, size_t size) {
    struct members *members = request->state;
    return check(members, fl_json_reader_feed(members->reader, bytes, size));
}

const struct fl_member *fl_members_take(struct fl_http_request *request) {
    struct members *members = request->state;
    if (!check(members, fl_json_reader_finish(members->reader)))
        return NULL;
    for (const struct fl_member *at = members->list; at->name != NULL; at++) {
        if (!at->given) {
            fl_http_reply_fail(members->reply, 400, "%s is missing", at->name);
            return NULL;
        }
    }
    return members->list;
}

void fl_members_release(struct fl_http_request *request) {
    struct members *members = request->state;
    if (members == NULL)
        return;
    fl_json_reader_destroy(members->reader);
    free(members);
}
