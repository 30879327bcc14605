#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "api/self_metrics.h"
#include "http/listener.h"
#include "logger.h"
#include "notify.h"
#include "udp/receiver.h"

struct server {
    const struct fl_options *options; /* to read the configuration again */
    const struct fl_config *config;
    struct fl_logger logger;
    struct fl_limits limits;
    struct fl_api api;
    struct fl_http_auth *auth;
    struct fl_http_meters *meters;
    struct fl_http_tls tls;
    struct fl_http_listener *listener;
    struct fl_http_address http_address;  /* that it listens on */
    struct fl_udp_receiver *receiver;     /* NULL: UDP is off */
    struct fl_self_metrics *self_metrics; /* NULL: none are written */
    struct fl_notify notify;
    int signals; /* a signalfd of SIGTERM, SIGINT and SIGHUP */
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

/* systemd is told how it goes, where it asked. What does not reach it is logged once it matters: a
   unit that is never ready is ended by it. */
static void prepare_notify(struct server *server) {
    const char *reason = NULL;
    if (!fl_notify_init(&server->notify, getenv("NOTIFY_SOCKET"), &reason))
        log_line(server, FLOWDB_LOG_WARN, "NOTIFY_SOCKET cannot be used", "reason", reason);
    fl_notify_send(&server->notify, "STATUS=Opening the database");
}

static void notify_ready(const struct server *server, const char *http, const char *udp) {
    if (!fl_notify_send(&server->notify, "READY=1\nSTATUS=HTTP on %s, UDP %s%s", http,
                        udp[0] != '\0' ? "on " : "off", udp))
        log_line(server, FLOWDB_LOG_WARN, "the service manager could not be told", "reason",
                 strerror(errno));
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
    sigaddset(&wanted, SIGHUP);
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

/*
 * As many descriptors as the system grants: each connection takes one, and so does each table. A
 * quarter is left to the database, or clients could take them all.
 */
static void divide_files(struct server *server) {
    char granted[24];
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0 ||
        files.rlim_max - files.rlim_max / 4 >= server->limits.max_connections)
        return;
    server->limits.max_connections = (unsigned)(files.rlim_max - files.rlim_max / 4);
    snprintf(granted, sizeof granted, "%u", server->limits.max_connections);
    log_line(server, FLOWDB_LOG_WARN,
             "the system grants fewer descriptors than max_connections wants: there are as many "
             "connections at most as is said here",
             "max_connections", granted);
}

static bool open_engine(struct server *server) {
    flowdb_config config = server->config->engine;
    config.data_dir = server->config->data_dir;
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

static bool set_keys(struct server *server, const struct fl_config *config) {
    return fl_http_auth_set(server->auth, config->api_keys.items, config->api_keys.count,
                            config->read_api_keys.items, config->read_api_keys.count);
}

static bool prepare_access(struct server *server) {
    server->auth = fl_http_auth_create();
    server->meters = fl_http_meters_create(fl_api_route_count);
    if (server->auth != NULL && server->meters != NULL && set_keys(server, server->config))
        return true;
    log_line(server, FLOWDB_LOG_ERROR, "the server cannot be set up", "reason", "out of memory");
    return false;
}

static struct fl_http_access access_of(const struct server *server) {
    const struct fl_config *config = server->config;
    struct fl_http_access access = {.auth = server->auth,
                                    .public_metrics = config->public_metrics,
                                    .origins = {.hosts = config->allowed_hosts.items,
                                                .host_count = config->allowed_hosts.count,
                                                .allowed = config->cors_origins.items,
                                                .allowed_count = config->cors_origins.count,
                                                .tls = server->tls.certificate != NULL}};
    char *machine = access.origins.machine;
    if (gethostname(machine, sizeof access.origins.machine - 1) != 0)
        machine[0] = '\0';
    return access;
}

/* A small text file as a string; NULL, and logged, where that fails. */
static char *read_text_file(const struct server *server, const char *path) {
    enum { TEXT_MAX = 1 << 20 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = fd >= 0 ? calloc(1, TEXT_MAX) : NULL;
    ssize_t size = text != NULL ? read(fd, text, TEXT_MAX - 1) : -1;
    if (size < 0) {
        fl_logger_write(&server->logger, FLOWDB_LOG_ERROR,
                        "a file of the configuration cannot be read",
                        (const struct fl_log_pair[]){
                            {"path", path}, {"reason", strerror(errno)}, {NULL, NULL}});
        free(text);
        text = NULL;
    }
    if (fd >= 0)
        close(fd);
    return text;
}

static bool load_tls(struct server *server) {
    const struct fl_config *config = server->config;
    if (config->tls_cert_file[0] == '\0')
        return true;
    server->tls.certificate = read_text_file(server, config->tls_cert_file);
    server->tls.key = read_text_file(server, config->tls_key_file);
    return server->tls.certificate != NULL && server->tls.key != NULL;
}

static void warn_of_openness(const struct server *server, const struct fl_http_address *address,
                             const char *protocol, const char *setting) {
    if (fl_http_address_is_loopback(address))
        return;
    fl_logger_write(
        &server->logger, FLOWDB_LOG_WARN,
        "nobody is asked for a key: whoever reaches this address can change everything; "
        "set one, or listen on 127.0.0.1 alone",
        (const struct fl_log_pair[]){{"protocol", protocol}, {"setting", setting}, {NULL, NULL}});
}

/* As often as the keys are set: a reload may take the last one away. */
static void warn_where_no_key_is_asked_for(const struct server *server) {
    if (!fl_http_auth_needed(server->auth))
        warn_of_openness(server, &server->http_address, "HTTP", "api_keys");
}

static bool complain_of_address(const struct server *server, const char *name, const char *text,
                                const char *reason) {
    char message[64];
    snprintf(message, sizeof message, "cannot listen; choose another %s", name);
    fl_logger_write(
        &server->logger, FLOWDB_LOG_ERROR, message,
        (const struct fl_log_pair[]){{"address", text}, {"reason", reason}, {NULL, NULL}});
    return false;
}

/* They were addresses when the configuration was checked: only a name may have gone since. */
static bool start_http(struct server *server, char text[FL_HTTP_ADDRESS_TEXT]) {
    const char *http_addr = server->config->http_addr;
    struct fl_http_service service = {.routes = fl_api_routes,
                                      .route_count = fl_api_route_count,
                                      .limits = server->limits,
                                      .access = access_of(server),
                                      .logger = &server->logger,
                                      .meters = server->meters,
                                      .app = &server->api,
                                      .answered = fl_api_count_answer};
    char sentence[160];
    const char *reason = sentence;
    if (!fl_http_address_parse(http_addr, &server->http_address, &reason) ||
        !fl_http_listener_start(&server->http_address, &service, &server->tls, &server->listener,
                                sentence, sizeof sentence))
        return complain_of_address(server, "--http-addr", http_addr, reason);
    warn_where_no_key_is_asked_for(server);
    fl_http_address_format(&server->http_address, text);
    return true;
}

static bool start_udp(struct server *server, char text[FL_HTTP_ADDRESS_TEXT]) {
    const struct fl_config *config = server->config;
    struct fl_udp_config udp = {.db = server->api.db,
                                .limits = &server->limits,
                                .logger = &server->logger,
                                .counters = server->api.counters,
                                .key = config->udp_api_key,
                                .max_packet_size = (size_t)config->max_udp_packet_size};
    struct fl_http_address address;
    char sentence[160];
    const char *reason = sentence;
    text[0] = '\0';
    if (config->udp_addr[0] == '\0')
        return true;
    if (!fl_http_address_parse(config->udp_addr, &address, &reason) ||
        !fl_udp_receiver_start(&address, &udp, &server->receiver, sentence, sizeof sentence))
        return complain_of_address(server, "--udp-addr", config->udp_addr, reason);
    server->api.receiver = server->receiver;
    if (config->udp_api_key[0] == '\0')
        warn_of_openness(server, &address, "UDP", "udp_api_key");
    fl_http_address_format(&address, text);
    return true;
}

static bool start_self_metrics(struct server *server) {
    if (server->config->self_metrics_interval_secs == 0)
        return true;
    server->self_metrics = fl_self_metrics_start(&server->api, server->meters, &server->logger);
    if (server->self_metrics == NULL)
        log_line(server, FLOWDB_LOG_ERROR, "the server cannot be set up", "reason",
                 "out of memory");
    return server->self_metrics != NULL;
}

static bool start_listening(struct server *server) {
    char http[FL_HTTP_ADDRESS_TEXT], udp[FL_HTTP_ADDRESS_TEXT];
    if (!start_udp(server, udp) || !start_self_metrics(server) || !start_http(server, http))
        return false;
    fl_logger_write(&server->logger, FLOWDB_LOG_INFO, "listening",
                    (const struct fl_log_pair[]){{"http_addr", http},
                                                 {"udp_addr", udp},
                                                 {"data_dir", server->config->data_dir},
                                                 {"version", flowdb_version()},
                                                 {NULL, NULL}});
    notify_ready(server, http, udp);
    return true;
}

/* On a clock that nobody sets. */
static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t now_ms(void) {
    return now_us() / 1000;
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

/* The signal that came; 0 where none did. */
static int read_signal(const struct server *server) {
    struct signalfd_siginfo info = {0};
    if (read(server->signals, &info, sizeof info) != sizeof info)
        return 0;
    return (int)info.ssi_signo;
}

/* SIGHUP: what may change while the server runs is read again. Where something is wrong with the
   configuration all stays as it is. */
static void reload(struct server *server) {
    struct fl_config config;
    char error[FL_CONFIG_ERROR];
    fl_notify_send(&server->notify, "RELOADING=1\nMONOTONIC_USEC=%" PRIi64, now_us());
    if (fl_options_reload(server->options, &config, error)) {
        atomic_store(&server->logger.level, (int)config.log_level);
        if (set_keys(server, &config))
            fl_live_config_renew(server->api.live, &config);
        else
            log_line(server, FLOWDB_LOG_ERROR, "the keys stay as they were", "reason",
                     "out of memory");
        fl_logger_write(&server->logger, FLOWDB_LOG_INFO, "configuration read again", NULL);
        warn_where_no_key_is_asked_for(server);
    } else {
        log_line(server, FLOWDB_LOG_ERROR, "the configuration stays as it was", "reason", error);
    }
    fl_config_deinit(&config);
    fl_notify_send(&server->notify, "READY=1");
}

/* Returns with the signal that ends the server. */
static const char *serve(struct server *server) {
    for (;;) {
        wait_readable(server->signals, -1, -1);
        switch (read_signal(server)) {
        case SIGHUP:
            reload(server);
            break;
        case SIGTERM:
            return "SIGTERM";
        case SIGINT:
            return "SIGINT";
        default:
            break;
        }
    }
}

/* Requests in flight get the time to end; a second signal takes it from them. */
static void drain(const struct server *server) {
    int64_t deadline = now_ms() + (int64_t)server->limits.drain_secs * 1000;
    int idle = fl_http_listener_drain(server->listener);
    wait_readable(idle, server->signals, deadline);
}

static bool prepare_api(struct server *server) {
    server->api.config = server->config;
    server->api.live = fl_live_config_create(server->config);
    server->api.counters = fl_counters_create();
    server->api.default_ttl_us = (int64_t)server->config->engine.default_ttl_secs * 1000000;
    server->api.running = fl_running_create(server->config->request_timeout_secs, &server->logger);
    if (server->api.counters != NULL)
        server->api.rates = fl_rates_create(server->api.counters);
    if (server->api.live != NULL && server->api.rates != NULL && server->api.running != NULL)
        return true;
    log_line(server, FLOWDB_LOG_ERROR, "the server cannot be set up", "reason", "out of memory");
    return false;
}

static bool close_engine(struct server *server) {
    flowdb_status status = flowdb_close(server->api.db);
    if (status == FLOWDB_OK)
        return true;
    fl_api_log_failure(&server->logger, status);
    return false;
}

static struct fl_limits limits_of(const struct fl_config *config) {
    struct fl_limits limits = FL_LIMITS_DEFAULT;
    limits.max_body_bytes = config->max_body_bytes;
    limits.max_batch_records = (size_t)config->max_batch_records;
    limits.max_key_bytes = (size_t)config->max_key_bytes;
    limits.max_value_bytes = (size_t)config->max_value_bytes;
    limits.max_connections = (unsigned)config->max_connections;
    limits.max_connections_per_ip = (unsigned)config->max_connections_per_ip;
    limits.idle_timeout_secs = (unsigned)config->idle_timeout_secs;
    limits.header_timeout_secs = (unsigned)config->header_timeout_secs;
    limits.min_body_bytes_per_sec = config->min_body_bytes_per_sec;
    limits.http_threads = (unsigned)config->http_threads;
    return limits;
}

static void warn_of_variable(void *context, const char *name) {
    log_line(context, FLOWDB_LOG_WARN, "this variable of the environment sets nothing", "name",
             name);
}

int fl_server_run(const struct fl_options *options, const struct fl_config *config) {
    struct server server = {.options = options,
                            .config = config,
                            .logger = {STDERR_FILENO, (int)config->log_level},
                            .limits = limits_of(config),
                            .signals = -1};
    claim_standard_streams();
    divide_files(&server);
    fl_options_unknown_variables(warn_of_variable, &server);
    prepare_notify(&server);
    bool ok = take_signals(&server) && prepare_access(&server) && load_tls(&server) &&
              prepare_api(&server) && open_engine(&server);
    if (ok && start_listening(&server)) {
        log_line(&server, FLOWDB_LOG_INFO, "stopping", "signal", serve(&server));
        fl_notify_send(&server.notify, "STOPPING=1\nSTATUS=Finishing requests");
        drain(&server);
        fl_http_listener_stop(server.listener);
    } else {
        ok = false;
    }
    fl_self_metrics_stop(server.self_metrics);
    fl_udp_receiver_stop(server.receiver);
    fl_notify_send(&server.notify, "STATUS=Closing the database");
    if (server.api.db != NULL)
        ok = close_engine(&server) && ok;
    if (server.signals >= 0)
        close(server.signals);
    fl_running_destroy(server.api.running);
    fl_rates_destroy(server.api.rates);
    fl_counters_destroy(server.api.counters);
    fl_live_config_destroy(server.api.live);
    fl_http_auth_destroy(server.auth);
    fl_http_meters_destroy(server.meters);
    free(server.tls.certificate);
    free(server.tls.key);
    fl_notify_deinit(&server.notify);
    if (ok)
        fl_logger_write(&server.logger, FLOWDB_LOG_INFO, "stopped", NULL);
    return ok ? 0 : 1;
}
