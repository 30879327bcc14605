/*
 * Keys, and what they allow. Only digests are kept, and a key is compared with every one of them in
 * constant time, so that neither a core dump nor the time of an answer gives one away.
 */
#ifndef FL_HTTP_AUTH_H
#define FL_HTTP_AUTH_H

#include <flowdb/flowdb.h>

#include "text/output.h"

/* A right has the bits of those that it includes. */
enum fl_http_right { FL_HTTP_NOTHING = 0, FL_HTTP_READING = 1, FL_HTTP_EVERYTHING = 3 };

struct fl_http_auth;

/* Without keys: everybody may do everything. NULL where memory is out. */
struct fl_http_auth *fl_http_auth_create(void);
void fl_http_auth_destroy(struct fl_http_auth *auth); /* NULL is fine */

/* Puts keys in the place of the ones before; requests may be checked meanwhile. False, with nothing
   changed, where memory is out. */
bool fl_http_auth_set(struct fl_http_auth *auth, char *const *keys, size_t count,
                      char *const *reading_keys, size_t reading_count);

/* Is any key needed? */
bool fl_http_auth_needed(struct fl_http_auth *auth);
enum fl_http_right fl_http_auth_right(struct fl_http_auth *auth, flowdb_slice key);

/*
 * The key in the value of an Authorization header: that of `Bearer`, or the password of `Basic`, which
 * is appended to `decoded`. *basic tells the latter: a browser sends it unasked. {NULL, 0} where
 * there is none.
 */
flowdb_slice fl_http_auth_key(flowdb_slice authorization, struct fl_output *decoded, bool *basic);

#endif
