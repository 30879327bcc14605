#include "http/access.h"

/* What the request's keys allow, the best of them; *explicit_key: one came in a header that neither a
   form nor a browser by itself can send. */
static enum fl_http_right right_of(const struct fl_http_access *access,
                                   const struct fl_http_credentials *credentials,
                                   bool *explicit_key) {
    struct fl_output decoded = {0};
    bool basic;
    flowdb_slice key = fl_http_auth_key(credentials->authorization, &decoded, &basic);
    enum fl_http_right first = fl_http_auth_right(access->auth, key);
    enum fl_http_right second = fl_http_auth_right(access->auth, credentials->api_key);
    if (decoded.size > 0)
        explicit_bzero(decoded.data, decoded.size);
    fl_output_deinit(&decoded);
    *explicit_key = (first != FL_HTTP_NOTHING && !basic) || second != FL_HTTP_NOTHING;
    return first > second ? first : second;
}

static bool check_key(const struct fl_http_access *access, enum fl_http_right right,
                      enum fl_http_need need, bool changes, struct fl_http_reply *reply) {
    bool open =
        need == FL_HTTP_NEEDS_NOTHING || (need == FL_HTTP_NEEDS_FIGURES && access->public_metrics);
    if ((open && !changes) || !fl_http_auth_needed(access->auth))
        return true;
    if (right == FL_HTTP_NOTHING) {
        reply->challenge = true;
        return fl_http_reply_fail(reply, 401,
                                  "a key is needed: Authorization: Bearer KEY, or X-API-Key: KEY");
    }
    return right == FL_HTTP_EVERYTHING || !changes ||
           fl_http_reply_fail(reply, 403, "this key may only read");
}

bool fl_http_access_check(const struct fl_http_access *access,
                          const struct fl_http_credentials *credentials, enum fl_http_need need,
                          bool changes, struct fl_http_reply *reply) {
    bool explicit_key;
    enum fl_http_right right = right_of(access, credentials, &explicit_key);
    if (!check_key(access, right, need, changes, reply))
        return false;
    if (explicit_key)
        return true;
    if (!fl_http_origins_know_host(&access->origins, &credentials->provenance))
        return fl_http_reply_fail(
            reply, 403, "this server is not known by the name in Host; allowed_hosts can list it");
    return !changes || fl_http_origins_trust(&access->origins, &credentials->provenance) ||
           fl_http_reply_fail(reply, 403,
                              "a page of another site sent this; cors_origins can allow it");
}
