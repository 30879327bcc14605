#include "http/embedded.h"

#include "http/request.h"

static const char *type_of(const char *name) {
    static const struct {
        const char *ending, *type;
    } types[] = {{".html", "text/html; charset=utf-8"},
                 {".css", "text/css; charset=utf-8"},
                 {".js", "text/javascript; charset=utf-8"},
                 {".json", "application/json"},
                 {".svg", "image/svg+xml"}};
    const char *ending = strrchr(name, '.');
    for (size_t i = 0; i < sizeof types / sizeof types[0] && ending != NULL; i++)
        if (strcmp(ending, types[i].ending) == 0)
            return types[i].type;
    return "application/octet-stream";
}

const struct fl_http_embedded *fl_http_embedded_find(const struct fl_http_embedded *files,
                                                     size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(files[i].name, name) == 0)
            return &files[i];
    return NULL;
}

/* What is between the quotes: weak and strong tags are compared alike (RFC 9110, 13.1.2). */
static flowdb_slice opaque_of(const char *etag) {
    const char *open = strchr(etag, '"');
    return flowdb_bytes(open, strlen(open));
}

/* Is the file's tag, or "*", in the list of an If-None-Match? */
static bool lists(flowdb_slice list, const char *etag) {
    const char *at = list.data;
    flowdb_slice wanted = opaque_of(etag);
    if (list.size == 1 && at[0] == '*')
        return true;
    for (size_t left = list.size; left >= wanted.size; left--, at++)
        if (memcmp(at, wanted.data, wanted.size) == 0)
            return true;
    return false;
}

void fl_http_embedded_answer(const struct fl_http_embedded *file, struct fl_http_request *request) {
    struct fl_http_reply *reply = &request->reply;
    reply->etag = file->etag;
    reply->cache = "no-cache";
    if (lists(request->if_none_match, file->etag)) {
        reply->status = 304;
        return;
    }
    reply->status = 200;
    reply->type = type_of(file->name);
    fl_output_append(&reply->body, file->bytes, file->size);
}
