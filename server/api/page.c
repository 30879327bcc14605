/* GET /admin: the dashboard's own files, from server/page/. They hold no secret and need no key. */
#include "api/api.h"
#include "http/embedded.h"

/* cmake/embed.cmake makes it. */
extern const struct fl_http_embedded fl_page_files[];
extern const size_t fl_page_files_count;

/* Nothing from elsewhere, nothing inline, nowhere to send a form, and in nobody's frame. */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'";

static void finish(struct fl_http_request *request) {
    const char *path = request->route->path;
    const char *name =
        strcmp(path, FL_API_PAGE) == 0 ? "index.html" : path + strlen(FL_API_PAGE_FILES);
    const struct fl_http_embedded *file =
        fl_http_embedded_find(fl_page_files, fl_page_files_count, name);
    if (file == NULL) {
        fl_http_reply_fail(&request->reply, 404, "there is no such file");
        return;
    }
    /* With a 304 too: a browser takes its headers for those of the file that it has. */
    request->reply.policy = policy;
    fl_http_embedded_answer(file, request);
}

const struct fl_http_handler fl_api_page = {.finish = finish};

/* As many type it. The page's addresses are relative to the one without a slash, and so is this, for a
   proxy that gives the server a path of its own. */
static void finish_slash(struct fl_http_request *request) {
    fl_http_reply_ok(&request->reply, "the page is at /admin");
    request->reply.status = 308;
    request->reply.location = "../admin";
}

const struct fl_http_handler fl_api_page_slash = {.finish = finish_slash};
