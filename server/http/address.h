/* Where to listen: `HOST:PORT`, with an IPv6 host in brackets. */
#ifndef FL_HTTP_ADDRESS_H
#define FL_HTTP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct fl_http_address {
    struct sockaddr_storage socket_address;
    socklen_t size;
};

/* Room for "[IPv6 address%scope]:65535". */
#define FL_HTTP_ADDRESS_TEXT 96

/*
 * False where the text is no address of this machine; `reason` then says why, and is static. A name
 * is looked up, port 0 stands for any free one.
 */
bool fl_http_address_parse(const char *text, struct fl_http_address *address, const char **reason);
/* Only this machine can reach it. */
bool fl_http_address_is_loopback(const struct fl_http_address *address);
/*
 * A socket that listens there: the descriptor, and `address` with the port that was chosen; or -1
 * with errno.
 */
int fl_http_address_listen(struct fl_http_address *address);
void fl_http_address_format(const struct fl_http_address *address, char text[FL_HTTP_ADDRESS_TEXT]);

#endif
