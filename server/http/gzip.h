/* The gzip coding, as bytes pass by. The only place that sees zlib. */
#ifndef FL_HTTP_GZIP_H
#define FL_HTTP_GZIP_H

#include <stdint.h>

#include "text/output.h"

/* ---- a request's body ---- */

struct fl_gunzip;

enum fl_gunzip_status {
    FL_GUNZIP_OK,
    FL_GUNZIP_MALFORMED,
    FL_GUNZIP_TOO_LONG, /* more than `limit` bytes come out of it */
    FL_GUNZIP_STOPPED,  /* by the callback */
};

/* `limit` bounds what comes out, whatever the input promises. NULL where memory is out. */
struct fl_gunzip *fl_gunzip_create(uint64_t limit);
void fl_gunzip_destroy(struct fl_gunzip *gunzip); /* NULL is fine */
/* Calls `take` with what the bytes hold, some KiB at a time. */
enum fl_gunzip_status fl_gunzip_feed(struct fl_gunzip *gunzip, const void *bytes, size_t size,
                                     bool (*take)(void *context, const void *bytes, size_t size),
                                     void *context);
/* At the body's end: was it whole? */
bool fl_gunzip_complete(const struct fl_gunzip *gunzip);

/* ---- an answer ---- */

struct fl_gzip;

struct fl_gzip *fl_gzip_create(void); /* NULL where memory is out */
void fl_gzip_destroy(struct fl_gzip *gzip);
/* Appends what the bytes compress to, as far as it is known yet; all of it where they are the last.
   False where memory is out. */
bool fl_gzip_append(struct fl_gzip *gzip, const void *bytes, size_t size, bool last,
                    struct fl_output *out);

#endif
