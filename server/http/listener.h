/* The HTTP server's threads: from listening to the last answer. */
#ifndef FL_HTTP_LISTENER_H
#define FL_HTTP_LISTENER_H

#include "http/address.h"
#include "http/request.h"

struct fl_http_listener;

/* A certificate with its chain, and its key, as PEM texts; both NULL: no TLS. */
struct fl_http_tls {
    char *certificate, *key;
};

/*
 * Listens at `address`, which receives the port that was chosen, and answers from then on. False
 * with a sentence in `reason` (of `reason_size` bytes). `service` is copied; what it points to, and
 * `tls`, must stay.
 */
bool fl_http_listener_start(struct fl_http_address *address, const struct fl_http_service *service,
                            const struct fl_http_tls *tls, struct fl_http_listener **listener,
                            char *reason, size_t reason_size);

/*
 * Takes no new connection from now on, and lets requests in flight end. Returns a descriptor that
 * becomes readable once none is left; it stays the listener's.
 */
int fl_http_listener_drain(struct fl_http_listener *listener);

/* Closes every connection and frees the listener. NULL is fine. */
void fl_http_listener_stop(struct fl_http_listener *listener);

#endif
