/*
 * What a body must hold before yajl sees it, checked as it streams past:
 *
 *   - It is UTF-8. yajl's own check lets overlong forms and surrogates through.
 *   - Escaped surrogates come in pairs. yajl turns a lone one into '?' without a word.
 *   - No token is longer than a bound. yajl reads a token again from its start with each piece that
 *     continues it, so that a long one sent in small pieces would cost its length squared.
 */
#ifndef FL_JSON_JSON_GUARD_H
#define FL_JSON_JSON_GUARD_H

#include "text/utf8.h"

struct fl_json_guard {
    size_t max_token; /* bytes as written, set by the owner; the rest starts zeroed */
    uint64_t offset;  /* bytes passed */
    size_t token;     /* length of the token so far */
    struct fl_utf8 utf8;
    bool in_string;
    uint8_t escape;    /* 0 none; 1 after a backslash; 2..5 that many minus one hex digits wanted */
    bool want_low;     /* a high surrogate was escaped: a low one has to follow */
    uint32_t code;     /* of the escape being read */
    const char *error; /* why the text was refused, at `offset` */
};

/* False where the text cannot be accepted; guard->error and guard->offset then say why and where. */
bool fl_json_guard_feed(struct fl_json_guard *guard, const void *bytes, size_t size);
/* The same at the text's end. */
bool fl_json_guard_finish(struct fl_json_guard *guard);

#endif
