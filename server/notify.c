#include "notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* The main thread sends, and signals wait for it: a manager that does not read may not stop it. */
static const struct timeval patience = {.tv_sec = 1};

static bool refuse(struct fl_notify *notify, const char **reason, const char *why) {
    fl_notify_deinit(notify);
    *reason = why;
    return false;
}

bool fl_notify_init(struct fl_notify *notify, const char *where, const char **reason) {
    *notify = (struct fl_notify){.fd = -1, .address = {.sun_family = AF_UNIX}};
    if (where == NULL || where[0] == '\0')
        return true;
    size_t size = strlen(where);
    if (where[0] != '/' && where[0] != '@')
        return refuse(notify, reason, "it is neither a path nor begins with an @");
    if (size >= sizeof notify->address.sun_path)
        return refuse(notify, reason, "it is too long for a socket's address");
    memcpy(notify->address.sun_path, where, size);
    if (where[0] == '@')
        notify->address.sun_path[0] = '\0';
    notify->address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notify->fd < 0 ||
        setsockopt(notify->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0)
        return refuse(notify, reason, strerror(errno));
    return true;
}

void fl_notify_deinit(struct fl_notify *notify) {
    if (notify->fd >= 0)
        close(notify->fd);
    notify->fd = -1;
}

bool fl_notify_send(const struct fl_notify *notify, const char *format, ...) {
    char lines[512];
    ssize_t sent;
    va_list arguments;
    if (notify->fd < 0)
        return true;
    va_start(arguments, format);
    vsnprintf(lines, sizeof lines, format, arguments);
    va_end(arguments);
    do
        sent = sendto(notify->fd, lines, strlen(lines), MSG_NOSIGNAL,
                      (const struct sockaddr *)&notify->address, notify->address_size);
    while (sent < 0 && errno == EINTR);
    return sent >= 0;
}
