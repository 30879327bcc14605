#include "http/listener.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "http/connections.h"
#include "http/exchange.h"

struct fl_http_listener {
    struct fl_http_exchanges exchanges;
    struct fl_http_connections connections;
    struct MHD_Daemon *daemon;
    int listen_fd; /* the daemon's, which closes it; -1 before it has one */
};

/* What libmicrohttpd has to say is nearly always about what a client sent: of use in a search for
   a fault only. */
static void log_library(void *context, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static void log_library(void *context, const char *format, va_list arguments) {
    const struct fl_http_listener *listener = context;
    char message[512];
    vsnprintf(message, sizeof message, format, arguments);
    message[strcspn(message, "\r\n")] = '\0';
    fl_logger_write(listener->exchanges.service.logger, FLOWDB_LOG_DEBUG, message, NULL);
}

/* One per core, and two at the least: a second one answers while the first is in a write. */
static unsigned thread_count(const struct fl_limits *limits) {
    if (limits->http_threads > 0)
        return limits->http_threads;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 2 ? (unsigned)cores : 2;
}

/*
 * libmicrohttpd keeps a limit per thread, and lets nobody in once it is reached. connections.c keeps
 * one for all, and lets go of others; what it let go of is still open for a moment.
 */
static unsigned library_connections_max(const struct fl_limits *limits) {
    enum { CLOSING = 16 };
    return thread_count(limits) * (limits->max_connections + CLOSING);
}

/* Its own timer is for what nobody watches: a client that takes nothing of its answer. What a client
   sends or does not is watched with a finer eye (pace.h), which is to come first. */
static unsigned library_timeout_secs(const struct fl_limits *limits) {
    enum { LATER = 5 };
    return limits->idle_timeout_secs + LATER;
}

/* GnuTLS's own choice, but for what RFC 8996 forbids. */
static char tls_versions[] = "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1";

static struct MHD_Daemon *start_daemon(struct fl_http_listener *listener, int listen_fd,
                                       const struct fl_http_tls *tls) {
    bool secure = tls->certificate != NULL;
    const struct fl_limits *limits = &listener->exchanges.service.limits;
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_LISTEN_SOCKET, listen_fd, NULL},
        {MHD_OPTION_THREAD_POOL_SIZE, thread_count(limits), NULL},
        {MHD_OPTION_CONNECTION_LIMIT, library_connections_max(limits), NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, library_timeout_secs(limits), NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, FL_HTTP_CONNECTION_MEMORY, NULL},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)fl_http_connections_notify,
         &listener->connections},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)fl_http_exchange_check_target, NULL},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)fl_http_exchange_keep_escapes, NULL},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)fl_http_exchange_completed, &listener->exchanges},
        {secure ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, 0, tls->certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, tls->key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, tls_versions},
        {MHD_OPTION_END, 0, NULL},
    };
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    return MHD_start_daemon(secure ? flags | MHD_USE_TLS : flags, 0, NULL, NULL,
                            fl_http_exchange_advance, &listener->exchanges,
                            MHD_OPTION_EXTERNAL_LOGGER, log_library, listener, MHD_OPTION_ARRAY,
                            options, MHD_OPTION_END);
}

static bool start_watching(struct fl_http_connections *connections,
                           const struct fl_http_service *service) {
    const struct fl_limits *limits = &service->limits;
    connections->pace =
        (struct fl_http_pace_limits){.idle_us = (int64_t)limits->idle_timeout_secs * 1000000,
                                     .patience_us = (int64_t)limits->header_timeout_secs * 1000000,
                                     .body_bytes_per_sec = limits->min_body_bytes_per_sec};
    connections->most = limits->max_connections;
    connections->most_per_address = limits->max_connections_per_ip;
    connections->meters = service->meters;
    return fl_http_connections_start(connections);
}

bool fl_http_listener_start(struct fl_http_address *address, const struct fl_http_service *service,
                            const struct fl_http_tls *tls, struct fl_http_listener **listener,
                            char *reason, size_t reason_size) {
    struct fl_http_listener *made = calloc(1, sizeof *made);
    int listen_fd = -1;
    bool fine = made != NULL && fl_http_exchanges_init(&made->exchanges, service);
    if (fine && !start_watching(&made->connections, service)) {
        fl_http_exchanges_deinit(&made->exchanges);
        fine = false;
    }
    if (!fine) {
        free(made);
        snprintf(reason, reason_size, "out of memory");
        return false;
    }
    made->listen_fd = -1;
    made->exchanges.held_max = thread_count(&service->limits) * service->limits.max_body_bytes;
    made->exchanges.idle_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct fl_http_address bound = *address;
    if (made->exchanges.idle_event >= 0)
        listen_fd = fl_http_address_listen(&bound);
    if (listen_fd < 0) {
        snprintf(reason, reason_size, "%s", strerror(errno));
        goto fail;
    }
    made->daemon = start_daemon(made, listen_fd, tls);
    if (made->daemon == NULL) {
        snprintf(reason, reason_size, "libmicrohttpd does not start%s",
                 tls->certificate != NULL ? ": is the certificate good, and the key its own?" : "");
        close(listen_fd);
        goto fail;
    }
    made->listen_fd = listen_fd;
    *address = bound;
    *listener = made;
    return true;
fail:
    fl_http_listener_stop(made);
    return false;
}

/* MHD_quiesce_daemon is not for this: it and a worker both take the listener out of the worker's
   epoll, and the second to do so aborts the process. Shut down, the socket refuses clients at once;
   the workers see that until they are stopped, which is when the last request has ended. */
int fl_http_listener_drain(struct fl_http_listener *listener) {
    if (!atomic_exchange(&listener->exchanges.draining, true))
        shutdown(listener->listen_fd, SHUT_RDWR);
    /* A request that ended before `draining` was set told nobody. */
    if (atomic_load(&listener->exchanges.active) == 0)
        eventfd_write(listener->exchanges.idle_event, 1);
    return listener->exchanges.idle_event;
}

void fl_http_listener_stop(struct fl_http_listener *listener) {
    if (listener == NULL)
        return;
    if (listener->daemon != NULL) {
        fl_http_exchanges_end(&listener->exchanges);
        fl_http_connections_end(&listener->connections);
        MHD_stop_daemon(listener->daemon);
    }
    fl_http_connections_stop(&listener->connections);
    fl_http_exchanges_deinit(&listener->exchanges);
    if (listener->exchanges.idle_event >= 0)
        close(listener->exchanges.idle_event);
    free(listener);
}
