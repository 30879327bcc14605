#include "http/auth.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>

#include "text/base64.h"
#include "text/secret.h"

enum { DIGEST_SIZE = 32 };

struct key {
    unsigned char digest[DIGEST_SIZE];
    enum fl_http_right right;
};

struct fl_http_auth {
    pthread_rwlock_t lock;
    /* guarded by lock */
    struct key *keys;
    size_t count;
};

struct fl_http_auth *fl_http_auth_create(void) {
    struct fl_http_auth *auth = calloc(1, sizeof *auth);
    if (auth != NULL && pthread_rwlock_init(&auth->lock, NULL) != 0) {
        free(auth);
        return NULL;
    }
    return auth;
}

void fl_http_auth_destroy(struct fl_http_auth *auth) {
    if (auth == NULL)
        return;
    pthread_rwlock_destroy(&auth->lock);
    free(auth->keys);
    free(auth);
}

static bool digest_key(const void *key, size_t size, unsigned char digest[DIGEST_SIZE]) {
    return EVP_Digest(key, size, digest, NULL, EVP_sha256(), NULL) == 1;
}

static bool digest_keys(char *const *keys, size_t count, enum fl_http_right right,
                        struct key *into) {
    bool fine = true;
    for (size_t i = 0; i < count && fine; i++) {
        into[i].right = right;
        fine = digest_key(keys[i], strlen(keys[i]), into[i].digest);
    }
    return fine;
}

bool fl_http_auth_set(struct fl_http_auth *auth, char *const *keys, size_t count,
                      char *const *reading_keys, size_t reading_count) {
    size_t all = count + reading_count;
    struct key *made = all > 0 ? calloc(all, sizeof *made) : NULL;
    if ((all > 0 && made == NULL) || !digest_keys(keys, count, FL_HTTP_EVERYTHING, made) ||
        (reading_count > 0 &&
         !digest_keys(reading_keys, reading_count, FL_HTTP_READING, made + count))) {
        free(made);
        return false;
    }
    pthread_rwlock_wrlock(&auth->lock);
    struct key *old = auth->keys;
    auth->keys = made;
    auth->count = all;
    pthread_rwlock_unlock(&auth->lock);
    free(old);
    return true;
}

bool fl_http_auth_needed(struct fl_http_auth *auth) {
    pthread_rwlock_rdlock(&auth->lock);
    bool needed = auth->count > 0;
    pthread_rwlock_unlock(&auth->lock);
    return needed;
}

enum fl_http_right fl_http_auth_right(struct fl_http_auth *auth, flowdb_slice key) {
    unsigned char digest[DIGEST_SIZE];
    unsigned right = FL_HTTP_NOTHING;
    if (key.size == 0 || !digest_key(key.data, key.size, digest))
        return FL_HTTP_NOTHING;
    pthread_rwlock_rdlock(&auth->lock);
    /* All of them, whichever it is. */
    for (size_t i = 0; i < auth->count; i++)
        right |= fl_secret_same(digest, auth->keys[i].digest, DIGEST_SIZE) & auth->keys[i].right;
    pthread_rwlock_unlock(&auth->lock);
    return (enum fl_http_right)right;
}

/* What follows the scheme's name and its spaces. */
static bool has_scheme(flowdb_slice value, const char *scheme, flowdb_slice *rest) {
    const char *text = value.data;
    size_t size = strlen(scheme), at = size;
    if (value.size <= size || strncasecmp(text, scheme, size) != 0 || text[size] != ' ')
        return false;
    while (at < value.size && text[at] == ' ')
        at++;
    *rest = flowdb_bytes(text + at, value.size - at);
    return true;
}

flowdb_slice fl_http_auth_key(flowdb_slice authorization, struct fl_output *decoded, bool *basic) {
    const flowdb_slice none = {0};
    flowdb_slice rest;
    *basic = false;
    if (has_scheme(authorization, "Bearer", &rest))
        return rest;
    size_t before = decoded->size;
    if (!has_scheme(authorization, "Basic", &rest) ||
        !fl_base64_decode(decoded, rest.data, rest.size) || decoded->failed)
        return none;
    *basic = true;
    size_t size = decoded->size - before;
    const char *pair = size > 0 ? decoded->data + before : "";
    const char *colon = memchr(pair, ':', size);
    if (colon == NULL)
        return none;
    return flowdb_bytes(colon + 1, size - (size_t)(colon + 1 - pair));
}
