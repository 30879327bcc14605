#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "api/api.h"
#include "http/listener.h"
#include "logger.h"

struct server {
    const struct fl_options *options;
    struct fl_logger logger;
    struct fl_limits limits;
    struct fl_api api;
    struct fl_http_listener *listener;
    int signals; /* a signalfd of SIGTERM and SIGINT */
};

static void log_line(const struct server *server, flowdb_log_level level, const char *message,
                     const char *name, const char *value) {
    fl_logger_write(&server->logger, level, message,
                    (const struct fl_log_pair[]){{name, value}, {NULL, NULL}});
}

static void log_engine(void *logger, flowdb_log_level level, const char *message) {
    fl_logger_write(logger, level, message,
                    (const struct fl_log_pair[]){{"from", "engine"}, {NULL, NULL}});
}

/*
 * Signals are read from a descriptor: no handler runs anywhere. Done before the first thread is
 * made, so that all inherit the mask.
 */
static bool take_signals(struct server *server) {
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is the write's failure, not the end */
    if (pthread_sigmask(SIG_BLOCK, &wanted, NULL) == 0)
        server->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (server->signals < 0)
        log_line(server, FLOWDB_LOG_ERROR, "signals cannot be received", "reason", strerror(errno));
    return server->signals >= 0;
}

/*
 * Standard streams that were closed are opened on nothing: otherwise a file of the database could
 * get descriptor 2, and log lines would be written into it.
 */
static void claim_standard_streams(void) {
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* As many descriptors as the system grants: each connection takes one, and so does each table. */
static void raise_file_limit(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static bool open_engine(struct server *server) {
    flowdb_config config = flowdb_config_default();
    config.data_dir = server->options->data_dir;
    config.wal_sync = server->options->wal_sync;
    config.log = log_engine;
    config.log_context = &server->logger;
    flowdb_status status = flowdb_open(&config, &server->api.db);
    if (status != FLOWDB_OK)
        fl_logger_write(&server->logger, FLOWDB_LOG_ERROR, "the database cannot be opened",
                        (const struct fl_log_pair[]){{"data_dir", config.data_dir},
                                                     {"status", flowdb_status_name(status)},
                                                     {"reason", flowdb_last_error()},
                                                     {NULL, NULL}});
    return status == FLOWDB_OK;
}

static bool start_listening(struct server *server) {
    struct fl_http_service service = {fl_api_routes, fl_api_route_count, server->limits,
                                      &server->logger, &server->api};
    struct fl_http_address address = server->options->http_address;
    char text[FL_HTTP_ADDRESS_TEXT];
    char reason[160];
    if (!fl_http_address_is_loopback(&address))
        log_line(server, FLOWDB_LOG_WARN,
                 "requests are not authenticated: whoever reaches this address can read and "
                 "change everything; --http-addr 127.0.0.1:8080 keeps it to this machine",
                 "http_addr", server->options->http_addr);
    if (!fl_http_listener_start(&address, &service, &server->listener, reason, sizeof reason)) {
        fl_logger_write(
            &server->logger, FLOWDB_LOG_ERROR, "cannot listen; choose another --http-addr",
            (const struct fl_log_pair[]){
                {"http_addr", server->options->http_addr}, {"reason", reason}, {NULL, NULL}});
        return false;
    }
    fl_http_address_format(&address, text);
    fl_logger_write(&server->logger, FLOWDB_LOG_INFO, "listening",
                    (const struct fl_log_pair[]){{"http_addr", text},
                                                 {"data_dir", server->options->data_dir},
                                                 {"version", flowdb_version()},
                                                 {NULL, NULL}});
    return true;
}

/* Milliseconds on a clock that nobody sets. */
static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * Waits until one of the descriptors is readable, or `deadline_ms` passes; -1 is no deadline.
 * Descriptors below 0 never are.
 */
static void wait_readable(int first, int second, int64_t deadline_ms) {
    struct pollfd wanted[] = {{.fd = first, .events = POLLIN}, {.fd = second, .events = POLLIN}};
    int ready;
    do {
        int64_t left = deadline_ms < 0 ? -1 : deadline_ms - now_ms();
        ready = poll(wanted, 2, deadline_ms >= 0 && left < 0 ? 0 : (int)left);
    } while (ready < 0 && errno == EINTR);
}

static const char *read_signal(const struct server *server) {
    struct signalfd_siginfo info = {0};
    if (read(server->signals, &info, sizeof info) != sizeof info)
        return "";
    return info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT";
}

/* Requests in flight get the time to end; a second signal takes it from them. */
static void drain(const struct server *server) {
    int64_t deadline = now_ms() + (int64_t)server->limits.drain_secs * 1000;
    int idle = fl_http_listener_drain(server->listener);
    wait_readable(idle, server->signals, deadline);
}

static bool close_engine(struct server *server) {
    flowdb_status status = flowdb_close(server->api.db);
    if (status == FLOWDB_OK)
        return true;
    fl_api_log_failure(&server->logger, status);
    return false;
}

int fl_server_run(const struct fl_options *options) {
    struct server server = {.options = options,
                            .logger = {STDERR_FILENO, options->log_level},
                            .limits = FL_LIMITS_DEFAULT,
                            .signals = -1};
    claim_standard_streams();
    raise_file_limit();
    bool ok = take_signals(&server) && open_engine(&server);
    if (ok && start_listening(&server)) {
        wait_readable(server.signals, -1, -1);
        log_line(&server, FLOWDB_LOG_INFO, "stopping", "signal", read_signal(&server));
        drain(&server);
        fl_http_listener_stop(server.listener);
    } else {
        ok = false;
    }
    if (server.api.db != NULL)
        ok = close_engine(&server) && ok;
    if (server.signals >= 0)
        close(server.signals);
    if (ok)
        fl_logger_write(&server.logger, FLOWDB_LOG_INFO, "stopped", NULL);
    return ok ? 0 : 1;
}
