/* A file that is part of the binary, and answering with it. Tables of them come from cmake/embed.cmake. */
#ifndef FL_HTTP_EMBEDDED_H
#define FL_HTTP_EMBEDDED_H

#include <stddef.h>

struct fl_http_request;

struct fl_http_embedded {
    const char *name; /* without a folder; its end tells the type */
    const unsigned char *bytes;
    size_t size;
    const char *etag; /* of the content. Weak, for it is the same for every coding */
};

/* The file of this name, or NULL. */
const struct fl_http_embedded *fl_http_embedded_find(const struct fl_http_embedded *files,
                                                     size_t count, const char *name);

/*
 * Answers with the file: 200, or 304 to a client that has it. It may be kept and must be asked for again each
 * time, so that no page is made of two versions' files.
 */
void fl_http_embedded_answer(const struct fl_http_embedded *file, struct fl_http_request *request);

#endif
