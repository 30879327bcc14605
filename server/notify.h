/*
 * What systemd is told of a service with Type=notify: datagrams of `NAME=value` lines to the socket that
 * NOTIFY_SOCKET names, a path or, after an '@', an abstract name (sd_notify(3)).
 */
#ifndef FL_SERVER_NOTIFY_H
#define FL_SERVER_NOTIFY_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct fl_notify {
    int fd; /* -1: nobody wants to be told */
    struct sockaddr_un address;
    socklen_t address_size;
};

/* `where` is what NOTIFY_SOCKET holds, or NULL. False, with a `reason` that is static or strerror's,
   where it is there and cannot be used; then nobody is told. */
bool fl_notify_init(struct fl_notify *notify, const char *where, const char **reason);
void fl_notify_deinit(struct fl_notify *notify);

/* Sends one datagram. False, and errno, where it is not taken within a second. */
bool fl_notify_send(const struct fl_notify *notify, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
