#include "http/gzip.h"

#include <stdlib.h>
#include <zlib.h>

enum {
    GZIP_WINDOW = 15 + 16, /* zlib's way to ask for gzip's header and trailer */
    MEMORY_LEVEL = 8,
    LEVEL = 4, /* two thirds of the default's time for a few percent of size */
    PIECE = 32 << 10
};

struct fl_gunzip {
    z_stream stream;
    uint64_t limit, total;
    bool in_member; /* a member has begun and not ended */
    bool any;       /* a member has ended */
    bool failed;
    unsigned char piece[PIECE];
};

struct fl_gunzip *fl_gunzip_create(uint64_t limit) {
    struct fl_gunzip *gunzip = calloc(1, sizeof *gunzip);
    if (gunzip == NULL || inflateInit2(&gunzip->stream, GZIP_WINDOW) != Z_OK) {
        free(gunzip);
        return NULL;
    }
    gunzip->limit = limit;
    return gunzip;
}

void fl_gunzip_destroy(struct fl_gunzip *gunzip) {
    if (gunzip == NULL)
        return;
    inflateEnd(&gunzip->stream);
    free(gunzip);
}

/* Hands on what was inflated into the piece. */
static enum fl_gunzip_status give(struct fl_gunzip *gunzip,
                                  bool (*take)(void *context, const void *bytes, size_t size),
                                  void *context) {
    size_t size = PIECE - gunzip->stream.avail_out;
    gunzip->total += size;
    if (gunzip->total > gunzip->limit)
        return FL_GUNZIP_TOO_LONG;
    return size == 0 || take(context, gunzip->piece, size) ? FL_GUNZIP_OK : FL_GUNZIP_STOPPED;
}

/* A member has ended; another may follow (RFC 1952, 2.2). */
static void end_member(struct fl_gunzip *gunzip) {
    gunzip->any = true;
    gunzip->in_member = false;
    inflateReset(&gunzip->stream);
}

enum fl_gunzip_status fl_gunzip_feed(struct fl_gunzip *gunzip, const void *bytes, size_t size,
                                     bool (*take)(void *context, const void *bytes, size_t size),
                                     void *context) {
    z_stream *stream = &gunzip->stream;
    stream->next_in = (unsigned char *)(uintptr_t)bytes;
    stream->avail_in = (unsigned)size; /* pieces of a body are small */
    enum fl_gunzip_status status = gunzip->failed ? FL_GUNZIP_MALFORMED : FL_GUNZIP_OK;
    bool full = false; /* there may be more to come out than fitted */
    while (status == FL_GUNZIP_OK && (stream->avail_in > 0 || full)) {
        stream->next_out = gunzip->piece;
        stream->avail_out = PIECE;
        gunzip->in_member = gunzip->in_member || stream->avail_in > 0;
        int result = inflate(stream, Z_NO_FLUSH);
        full = stream->avail_out == 0;
        if (result == Z_BUF_ERROR && !full)
            break;
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
            status = FL_GUNZIP_MALFORMED;
        else
            status = give(gunzip, take, context);
        if (result == Z_STREAM_END) {
            end_member(gunzip);
            full = false;
        }
    }
    gunzip->failed = status != FL_GUNZIP_OK;
    return status;
}

bool fl_gunzip_complete(const struct fl_gunzip *gunzip) {
    return gunzip->any && !gunzip->in_member && !gunzip->failed;
}

/* ------------------------------------------------------------------------------------ answers -- */

struct fl_gzip {
    z_stream stream;
};

struct fl_gzip *fl_gzip_create(void) {
    struct fl_gzip *gzip = calloc(1, sizeof *gzip);
    if (gzip == NULL || deflateInit2(&gzip->stream, LEVEL, Z_DEFLATED, GZIP_WINDOW, MEMORY_LEVEL,
                                     Z_DEFAULT_STRATEGY) != Z_OK) {
        free(gzip);
        return NULL;
    }
    return gzip;
}

void fl_gzip_destroy(struct fl_gzip *gzip) {
    if (gzip == NULL)
        return;
    deflateEnd(&gzip->stream);
    free(gzip);
}

bool fl_gzip_append(struct fl_gzip *gzip, const void *bytes, size_t size, bool last,
                    struct fl_output *out) {
    z_stream *stream = &gzip->stream;
    const unsigned char *at = bytes;
    do {
        size_t step = size < PIECE ? size : PIECE;
        stream->next_in = (unsigned char *)(uintptr_t)at;
        stream->avail_in = (unsigned)step;
        at += step;
        size -= step;
        int flush = last && size == 0 ? Z_FINISH : Z_NO_FLUSH;
        do {
            char *room = fl_output_reserve(out, PIECE);
            if (room == NULL)
                return false;
            stream->next_out = (unsigned char *)room;
            stream->avail_out = PIECE;
            deflate(stream, flush); /* cannot fail: its state is good and there is room */
            out->size += PIECE - stream->avail_out;
        } while (stream->avail_out == 0);
    } while (size > 0);
    return true;
}
