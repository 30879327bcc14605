#include "http/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "text/number.h"

/* As many as the kernel lets wait (it cuts this to net.core.somaxconn): one that finds the queue full
   is dropped without a word, and its client tries again a whole second later. */
#define LISTEN_BACKLOG 65535
#define HOST_CAPACITY 256

static bool parse_port(const char *text) {
    int64_t port;
    return fl_number_parse(text, strlen(text), &port) == FL_NUMBER_OK && port >= 0 &&
           port <= 65535 && text[0] != '-';
}

/* Copies the host without its brackets. */
static bool split_host(const char *text, const char *colon, char host[HOST_CAPACITY],
                       const char **reason) {
    size_t size = (size_t)(colon - text);
    bool bracketed = size >= 2 && text[0] == '[' && colon[-1] == ']';
    if (bracketed) {
        text++;
        size -= 2;
    }
    if (size == 0 || size >= HOST_CAPACITY) {
        *reason = "the host is missing; 0.0.0.0 stands for every IPv4 address of the machine";
        return false;
    }
    if (!bracketed && memchr(text, ':', size) != NULL) {
        *reason = "an IPv6 address needs brackets, as in [::1]:8080";
        return false;
    }
    memcpy(host, text, size);
    host[size] = '\0';
    return true;
}

bool fl_http_address_parse(const char *text, struct fl_http_address *address, const char **reason) {
    const char *colon = strrchr(text, ':');
    char host[HOST_CAPACITY];
    if (colon == NULL || !parse_port(colon + 1)) {
        *reason = "HOST:PORT is wanted, with a port from 0 to 65535";
        return false;
    }
    if (!split_host(text, colon, host, reason))
        return false;
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int error = getaddrinfo(host, colon + 1, &hints, &found);
    if (error != 0) {
        *reason = gai_strerror(error);
        return false;
    }
    memset(address, 0, sizeof *address);
    memcpy(&address->socket_address, found->ai_addr, found->ai_addrlen);
    address->size = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

bool fl_http_address_is_loopback(const struct fl_http_address *address) {
    if (address->socket_address.ss_family == AF_INET) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, &address->socket_address, sizeof ipv4);
        return ntohl(ipv4.sin_addr.s_addr) >> 24 == 127;
    }
    struct sockaddr_in6 ipv6;
    memcpy(&ipv6, &address->socket_address, sizeof ipv6);
    return IN6_IS_ADDR_LOOPBACK(&ipv6.sin6_addr);
}

int fl_http_address_listen(struct fl_http_address *address) {
    int listener =
        socket(address->socket_address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0)
        return -1;
    int on = 1;
    struct fl_http_address bound = {.size = sizeof bound.socket_address};
    /* A restart must not wait for the connections of the process before it to time out. */
    if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(listener, (const struct sockaddr *)&address->socket_address, address->size) == 0 &&
        listen(listener, LISTEN_BACKLOG) == 0 &&
        getsockname(listener, (struct sockaddr *)&bound.socket_address, &bound.size) == 0) {
        *address = bound;
        return listener;
    }
    int error = errno;
    close(listener);
    errno = error;
    return -1;
}

void fl_http_address_format(const struct fl_http_address *address,
                            char text[FL_HTTP_ADDRESS_TEXT]) {
    char host[72];
    char port[8];
    bool ipv6 = address->socket_address.ss_family == AF_INET6;
    if (getnameinfo((const struct sockaddr *)&address->socket_address, address->size, host,
                    sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        host[0] = '\0';
        port[0] = '\0';
    }
    snprintf(text, FL_HTTP_ADDRESS_TEXT, ipv6 ? "[%s]:%s" : "%s:%s", host, port);
}
