#include "http/connections.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#define END_SECS_MAX 2
#define LOOK_EVERY_SECS 1
/* How many are looked at while others wait for the lock: two calls of the kernel each. */
#define LOOKS_AT_ONCE 64

enum { ADDRESS_SIZE = 16 };

/* In an atomic word: the turn above, the phase below. */
enum { PHASE_BITS = 2 };
#define PHASE_MASK ((UINT64_C(1) << PHASE_BITS) - 1)

struct fl_http_connection {
    int fd; /* open as long as this is in the list */
    unsigned char address[ADDRESS_SIZE];
    /* written by the connection's thread */
    _Atomic uint64_t state;
    _Atomic uint64_t body;
    /* under the list's lock */
    struct fl_http_connection *next, *previous;
    struct fl_http_pace pace;
    bool ended; /* shut down, and soon closed */
};

static uint64_t turn_of(const struct fl_http_connection *connection) {
    return atomic_load(&connection->state) >> PHASE_BITS;
}

static enum fl_http_phase phase_of(const struct fl_http_connection *connection) {
    return (enum fl_http_phase)(atomic_load(&connection->state) & PHASE_MASK);
}

/* ------------------------------------------------------------------------------- how many -- */

/* With the lock held, so that the descriptor is still the connection's own. */
static void end(struct fl_http_connections *connections, struct fl_http_connection *connection,
                enum fl_http_cut why) {
    connection->ended = true;
    connections->count--;
    shutdown(connection->fd, SHUT_RDWR);
    fl_http_meters_cut(connections->meters, why);
}

/* Who counts as one: an IPv4 address, or an IPv6 network, of whose addresses a host has as many as it
   likes. */
static void read_address(struct MHD_Connection *connection, unsigned char address[ADDRESS_SIZE]) {
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    memset(address, 0, ADDRESS_SIZE);
    if (info == NULL || info->client_addr == NULL)
        return;
    if (info->client_addr->sa_family == AF_INET) {
        struct sockaddr_in four;
        memcpy(&four, info->client_addr, sizeof four);
        memcpy(address, mapped, sizeof mapped);
        memcpy(address + sizeof mapped, &four.sin_addr, 4);
    } else if (info->client_addr->sa_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy(&six, info->client_addr, sizeof six);
        bool is_four = memcmp(&six.sin6_addr, mapped, sizeof mapped) == 0;
        memcpy(address, &six.sin6_addr, is_four ? ADDRESS_SIZE : ADDRESS_SIZE / 2);
    }
}

static bool has_address(const struct fl_http_connection *connection, const unsigned char *address) {
    return address == NULL || memcmp(connection->address, address, ADDRESS_SIZE) == 0;
}

/* The one that has to go, of this address (NULL: of any), where `newest` came too many. */
static struct fl_http_connection *choose_victim(struct fl_http_connections *connections,
                                                struct fl_http_connection *newest,
                                                const unsigned char *address) {
    struct fl_http_connection *waiting = NULL;
    for (struct fl_http_connection *at = connections->first; at != newest; at = at->next) {
        if (at->ended || !has_address(at, address) || phase_of(at) == FL_HTTP_ANSWERED)
            continue;
        if (turn_of(at) == 0)
            return at;
        waiting = waiting != NULL ? waiting : at;
    }
    return waiting != NULL ? waiting : newest;
}

static unsigned count_of(const struct fl_http_connections *connections,
                         const unsigned char *address) {
    unsigned count = 0;
    for (const struct fl_http_connection *at = connections->first; at != NULL; at = at->next)
        count += !at->ended && has_address(at, address);
    return count;
}

static void keep_to_limits(struct fl_http_connections *connections,
                           struct fl_http_connection *newest) {
    if (connections->most_per_address > 0 &&
        count_of(connections, newest->address) > connections->most_per_address)
        end(connections, choose_victim(connections, newest, newest->address),
            FL_HTTP_CUT_TOO_MANY_OF_ADDRESS);
    if (connections->count > connections->most)
        end(connections, choose_victim(connections, newest, NULL), FL_HTTP_CUT_TOO_MANY);
}

/* ------------------------------------------------------------------------------------ the list -- */

static void add(struct fl_http_connections *connections, struct MHD_Connection *connection, int fd,
                void **socket_context) {
    struct fl_http_connection *added = calloc(1, sizeof *added);
    *socket_context = added;
    if (added == NULL) { /* one that nobody could watch */
        shutdown(fd, SHUT_RDWR);
        return;
    }
    added->fd = fd;
    added->pace.looked_us = fl_http_meters_now_us();
    read_address(connection, added->address);
    pthread_mutex_lock(&connections->lock);
    added->previous = connections->last;
    *(added->previous != NULL ? &added->previous->next : &connections->first) = added;
    connections->last = added;
    connections->count++;
    keep_to_limits(connections, added);
    pthread_mutex_unlock(&connections->lock);
}

static void take_out(struct fl_http_connections *connections, struct fl_http_connection *gone) {
    pthread_mutex_lock(&connections->lock);
    *(gone->previous != NULL ? &gone->previous->next : &connections->first) = gone->next;
    *(gone->next != NULL ? &gone->next->previous : &connections->last) = gone->previous;
    if (connections->next_looked_at == gone)
        connections->next_looked_at = gone->next;
    connections->count -= !gone->ended;
    if (connections->first == NULL)
        pthread_cond_broadcast(&connections->emptied);
    pthread_mutex_unlock(&connections->lock);
    free(gone);
}

void fl_http_connections_notify(void *context, struct MHD_Connection *connection,
                                void **socket_context, enum MHD_ConnectionNotificationCode what) {
    struct fl_http_connections *connections = context;
    fl_http_meters_connection(connections->meters, what == MHD_CONNECTION_NOTIFY_STARTED);
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*socket_context != NULL)
            take_out(connections, *socket_context);
        *socket_context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info != NULL)
        add(connections, connection, info->connect_fd, socket_context);
}

static struct fl_http_connection *connection_of(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

void fl_http_connection_enter(struct MHD_Connection *connection, enum fl_http_phase phase) {
    struct fl_http_connection *entering = connection_of(connection);
    if (entering == NULL)
        return;
    uint64_t turn = turn_of(entering) + (phase == FL_HTTP_AWAITED);
    if (phase == FL_HTTP_BODY)
        atomic_store_explicit(&entering->body, 0, memory_order_relaxed);
    atomic_store_explicit(&entering->state, turn << PHASE_BITS | phase, memory_order_release);
}

void fl_http_connection_progress(struct MHD_Connection *connection, uint64_t body) {
    struct fl_http_connection *progressing = connection_of(connection);
    if (progressing != NULL)
        atomic_store_explicit(&progressing->body, body, memory_order_relaxed);
}

/* ------------------------------------------------------------------------------------ how slow -- */

/* What the kernel has received, and whether the server has yet to read some of it. */
static void see_socket(int fd, struct fl_http_sight *sight) {
    struct tcp_info info;
    socklen_t size = sizeof info;
    int unread = 0;
    memset(&info, 0, sizeof info);
    if (sight->phase == FL_HTTP_AWAITED && getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0)
        sight->received = info.tcpi_bytes_received;
    sight->unread = ioctl(fd, FIONREAD, &unread) == 0 && unread > 0;
}

static void look_at(struct fl_http_connections *connections,
                    struct fl_http_connection *connection) {
    static const enum fl_http_cut cuts[] = {[FL_HTTP_PACE_SLOW_HEADERS] = FL_HTTP_CUT_SLOW_HEADERS,
                                            [FL_HTTP_PACE_SLOW_BODY] = FL_HTTP_CUT_SLOW_BODY,
                                            [FL_HTTP_PACE_IDLE] = FL_HTTP_CUT_IDLE};
    uint64_t state = atomic_load_explicit(&connection->state, memory_order_acquire);
    struct fl_http_sight sight = {
        .now_us = fl_http_meters_now_us(),
        .turn = state >> PHASE_BITS,
        .phase = (enum fl_http_phase)(state & PHASE_MASK),
        .body = atomic_load_explicit(&connection->body, memory_order_relaxed)};
    if (connection->ended)
        return;
    if (sight.phase != FL_HTTP_ANSWERED)
        see_socket(connection->fd, &sight);
    enum fl_http_pace_verdict verdict =
        fl_http_pace_look(&connection->pace, &connections->pace, &sight);
    if (verdict != FL_HTTP_PACE_FINE)
        end(connections, connection, cuts[verdict]);
}

/* With the lock held, and let go of between whiles. */
static void look_at_all(struct fl_http_connections *connections) {
    connections->next_looked_at = connections->first;
    for (unsigned looks = 1; connections->next_looked_at != NULL; looks++) {
        struct fl_http_connection *connection = connections->next_looked_at;
        connections->next_looked_at = connection->next;
        look_at(connections, connection);
        if (looks % LOOKS_AT_ONCE == 0) {
            pthread_mutex_unlock(&connections->lock);
            pthread_mutex_lock(&connections->lock);
        }
    }
}

static struct timespec in_secs(time_t secs) {
    struct timespec then;
    clock_gettime(CLOCK_MONOTONIC, &then);
    then.tv_sec += secs;
    return then;
}

static void *watch(void *argument) {
    struct fl_http_connections *connections = argument;
    pthread_mutex_lock(&connections->lock);
    while (!connections->stopping) {
        struct timespec then = in_secs(LOOK_EVERY_SECS);
        pthread_cond_timedwait(&connections->stopping_changed, &connections->lock, &then);
        look_at_all(connections);
    }
    pthread_mutex_unlock(&connections->lock);
    return NULL;
}

/* ----------------------------------------------------------------------------------- lifetime -- */

static void destroy_locks(struct fl_http_connections *connections) {
    pthread_cond_destroy(&connections->stopping_changed);
    pthread_cond_destroy(&connections->emptied);
    pthread_mutex_destroy(&connections->lock);
}

bool fl_http_connections_start(struct fl_http_connections *connections) {
    pthread_condattr_t monotonic;
    connections->first = connections->last = connections->next_looked_at = NULL;
    connections->count = 0;
    connections->stopping = false;
    /* These fail where memory is out, which on Linux none of them needs. */
    pthread_mutex_init(&connections->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&connections->emptied, &monotonic);
    pthread_cond_init(&connections->stopping_changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&connections->watcher, NULL, watch, connections) != 0) {
        destroy_locks(connections);
        return false;
    }
    pthread_setname_np(connections->watcher, "flowdb-watcher");
    return true;
}

void fl_http_connections_stop(struct fl_http_connections *connections) {
    pthread_mutex_lock(&connections->lock);
    connections->stopping = true;
    pthread_cond_signal(&connections->stopping_changed);
    pthread_mutex_unlock(&connections->lock);
    pthread_join(connections->watcher, NULL);
    destroy_locks(connections);
}

void fl_http_connections_end(struct fl_http_connections *connections) {
    struct timespec deadline = in_secs(END_SECS_MAX);
    pthread_mutex_lock(&connections->lock);
    for (const struct fl_http_connection *at = connections->first; at != NULL; at = at->next)
        shutdown(at->fd, SHUT_RDWR);
    int timed_out = 0;
    while (connections->first != NULL && timed_out == 0)
        timed_out = pthread_cond_timedwait(&connections->emptied, &connections->lock, &deadline);
    pthread_mutex_unlock(&connections->lock);
}
