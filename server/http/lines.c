#include "http/lines.h"

struct walk {
    const char *at;  /* where the next line begins, if the last one was whole; else NULL */
    const char *end; /* of the head, behind its empty line */
};

/* Behind a line that ends here, if it does. */
static const char *behind_line(const char *at, const char *end) {
    return end - at >= 2 && at[0] == '\0' && at[1] == '\0' ? at + 2 : NULL;
}

static enum MHD_Result pass_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   size_t name_size, const char *value, size_t value_size) {
    struct walk *walk = context;
    (void)kind;
    bool whole = name == walk->at && value != NULL;
    if (whole) {
        const char *behind_colon = name + name_size + 1;
        whole = behind_colon + strspn(behind_colon, " \t") == value;
    }
    walk->at = whole ? behind_line(value + value_size, walk->end) : NULL;
    return walk->at != NULL ? MHD_YES : MHD_NO;
}

bool fl_http_lines_are_whole(struct MHD_Connection *connection, const struct fl_http_head *head,
                             size_t target_size) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    const char *behind_method = head->method + strlen(head->method) + 1;
    if (info == NULL || behind_method + strspn(behind_method, " ") != head->path ||
        head->path + target_size + 1 != head->version)
        return false;
    struct walk walk = {.end = head->method + info->header_size};
    walk.at = behind_line(head->version + strlen(head->version), walk.end);
    if (walk.at != NULL)
        MHD_get_connection_values_n(connection, MHD_HEADER_KIND, pass_header, &walk);
    return walk.at != NULL && behind_line(walk.at, walk.end) == walk.end;
}
