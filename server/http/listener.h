/* The HTTP server's threads: from listening to the last answer. */
#ifndef FL_HTTP_LISTENER_H
#define FL_HTTP_LISTENER_H

#include "http/address.h"
#include "http/request.h"

struct fl_http_listener;

/*
 * Listens at `address`, which receives the port that was chosen, and answers from then on. False
 * with a sentence in `reason` (of `reason_size` bytes). `service` is copied; what it points to must
 * stay.
 */
bool fl_http_listener_start(struct fl_http_address *address, const struct fl_http_service *service,
                            struct fl_http_listener **listener, char *reason, size_t reason_size);

/*
 * Takes no new connection from now on, and lets requests in flight end. Returns a descriptor that
 * becomes readable once none is left; it stays the listener's.
 */
int fl_http_listener_drain(struct fl_http_listener *listener);

/* Closes every connection and frees the listener. NULL is fine. */
void fl_http_listener_stop(struct fl_http_listener *listener);

#endif
