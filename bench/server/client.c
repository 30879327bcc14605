#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

_Noreturn void fail(const char *what) {
    fprintf(stderr, "flowdb-load: %s: %s\n", what, strerror(errno));
    exit(1);
}

uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void client_open(struct client *client, uint16_t port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    client->at = client->size = 0;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 ||
        connect(client->fd, (const struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void client_close(struct client *client) {
    close(client->fd);
}

static void send_all(int fd, struct iovec *parts, int count) {
    while (count > 0) {
        ssize_t sent = writev(fd, parts, count);
        if (sent < 0)
            fail("send");
        for (size_t left = (size_t)sent; count > 0;) {
            size_t step = left < parts->iov_len ? left : parts->iov_len;
            parts->iov_base = (char *)parts->iov_base + step;
            parts->iov_len -= step;
            left -= step;
            if (parts->iov_len > 0)
                break;
            parts++;
            count--;
        }
    }
}

/* More of the answer behind what is in the buffer; what was used of it goes. */
static void fill(struct client *client) {
    memmove(client->buffer, client->buffer + client->at, client->size - client->at);
    client->size -= client->at;
    client->at = 0;
    ssize_t size =
        recv(client->fd, client->buffer + client->size, sizeof client->buffer - client->size, 0);
    if (size <= 0)
        fail("the server hung up");
    client->size += (size_t)size;
}

/* The next line, which ends with a NUL in the place of its "\r\n". */
static char *take_line(struct client *client) {
    for (;;) {
        char *line = client->buffer + client->at;
        char *end = memmem(line, client->size - client->at, "\r\n", 2);
        if (end != NULL) {
            *end = '\0';
            client->at = (size_t)(end + 2 - client->buffer);
            return line;
        }
        fill(client);
    }
}

/* Status and headers; the body's length, or -1 where it comes in chunks. */
static long take_head(struct client *client) {
    static const char length_name[] = "Content-Length:";
    long length = -1;
    char *line = take_line(client);
    if (strncmp(line, "HTTP/1.1 200", 12) != 0) {
        fprintf(stderr, "flowdb-load: the server says %s\n", line);
        exit(1);
    }
    while (*(line = take_line(client)) != '\0')
        if (strncasecmp(line, length_name, strlen(length_name)) == 0)
            length = strtol(line + strlen(length_name), NULL, 10);
    return length;
}

/* `size` bytes of the body, whose lines are counted. */
static void take_bytes(struct client *client, size_t size, uint64_t *lines) {
    while (size > 0) {
        if (client->at == client->size)
            fill(client);
        const char *from = client->buffer + client->at;
        size_t step = client->size - client->at < size ? client->size - client->at : size;
        const char *end = from + step;
        for (const char *at = from; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
            ++*lines;
        client->at += step;
        size -= step;
    }
}

void client_post(struct client *client, const char *path, const char *body, size_t size) {
    char head[256];
    uint64_t lines = 0;
    int head_size =
        snprintf(head, sizeof head,
                 "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n", path, size);
    struct iovec parts[] = {{head, (size_t)head_size}, {(void *)(uintptr_t)body, size}};
    send_all(client->fd, parts, size > 0 ? 2 : 1);
    long length = take_head(client);
    if (length > 0)
        take_bytes(client, (size_t)length, &lines);
}

void client_get(struct client *client, const char *path, uint64_t *bytes, uint64_t *lines) {
    char head[256];
    int head_size = snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    struct iovec part = {head, (size_t)head_size};
    send_all(client->fd, &part, 1);
    long length = take_head(client);
    if (length >= 0) {
        take_bytes(client, (size_t)length, lines);
        *bytes += (uint64_t)length;
        return;
    }
    for (;;) {
        size_t size = strtoul(take_line(client), NULL, 16);
        take_bytes(client, size, lines);
        *bytes += size;
        take_line(client);
        if (size == 0)
            return;
    }
}
