/* GET /openapi.json: docs/openapi.json. It wants a key: only the dashboard's own files do without. */
#include "api/api.h"
#include "http/embedded.h"

/* cmake/embed.cmake makes it, of one file. */
extern const struct fl_http_embedded fl_description_files[];

static void finish(struct fl_http_request *request) {
    fl_http_embedded_answer(&fl_description_files[0], request);
}

const struct fl_http_handler fl_api_description = {.finish = finish};
