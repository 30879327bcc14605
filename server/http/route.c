#include "http/request.h"

#include <strings.h>

static const struct {
    const char *name;
    unsigned method;
} methods[] = {
    {"GET", FL_HTTP_GET},         {"HEAD", FL_HTTP_HEAD},   {"POST", FL_HTTP_POST},
    {"PUT", FL_HTTP_PUT},         {"PATCH", FL_HTTP_PATCH}, {"DELETE", FL_HTTP_DELETE},
    {"OPTIONS", FL_HTTP_OPTIONS},
};

unsigned fl_http_method_parse(const char *name) {
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(methods[i].name, name) == 0)
            return methods[i].method;
    return 0;
}

const char *fl_http_method_name(unsigned method) {
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (methods[i].method == method)
            return methods[i].name;
    return "other";
}

bool fl_http_method_is_safe(const char *method) {
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

static unsigned answered_methods(const struct fl_http_route *route) {
    return route->methods | ((route->methods & FL_HTTP_GET) != 0 ? FL_HTTP_HEAD : 0);
}

/* A 405 whose Allow header names every method that the path has. */
static void refuse_method(struct fl_http_reply *reply, unsigned allowed) {
    fl_http_reply_fail(reply, 405, "the path does not take this method");
    char *allow = reply->allow;
    size_t size = 0;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if ((allowed & methods[i].method) == 0)
            continue;
        size_t length = strlen(methods[i].name);
        memcpy(allow + size, ", ", 2);
        size += size > 0 ? 2 : 0;
        memcpy(allow + size, methods[i].name, length);
        size += length;
    }
    allow[size] = '\0';
}

/* Without the scheme and host that a target may begin with. */
static const char *path_of(const char *target) {
    if (strncasecmp(target, "http://", 7) != 0)
        return target;
    const char *path = strchr(target + 7, '/');
    return path != NULL ? path : "/";
}

const struct fl_http_route *fl_http_route_find(const struct fl_http_service *service,
                                               const struct fl_http_head *head,
                                               struct fl_http_reply *reply) {
    const char *path = path_of(head->path);
    unsigned wanted = fl_http_method_parse(head->method);
    unsigned allowed = 0;
    for (size_t i = 0; i < service->route_count; i++) {
        const struct fl_http_route *route = &service->routes[i];
        if (strcmp(route->path, path) != 0)
            continue;
        if ((answered_methods(route) & wanted) != 0)
            return route;
        allowed |= answered_methods(route);
    }
    if (allowed != 0)
        refuse_method(reply, allowed);
    else
        fl_http_reply_fail(reply, 404, "there is no such path");
    return NULL;
}
