#include "udp/receiver.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    PACKETS = 64,            /* received at a time */
    SOCKET_BUFFER = 8 << 20, /* asked for; the system may grant less */
    CONTROL_ROOM = 64,
    WARN_EVERY_SECS = 60
};

struct counters {
    _Atomic uint64_t packets, bytes, records, batches;
    _Atomic uint64_t dropped[FL_UDP_DROPS];
};

struct fl_udp_receiver {
    struct fl_udp_config config;
    int fd, stop_event;
    pthread_t thread;
    bool running;
    struct counters counts;
    /* the thread's own */
    struct fl_udp_gate gate;
    flowdb_batch *batch;
    int64_t received_us; /* when what is in the buffers came: asked for once for all of them */
    size_t batched_packets;
    struct fl_written batched; /* what of it is counted once it is committed */
    uint32_t kernel_drops;     /* as the socket last told */
    int64_t warned_us;
    uint8_t *memory; /* the buffers below */
    struct mmsghdr messages[PACKETS];
    struct iovec parts[PACKETS];
    uint8_t controls[PACKETS][CONTROL_ROOM];
};

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void add(_Atomic uint64_t *counter, uint64_t more) {
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

static void drop(struct fl_udp_receiver *receiver, unsigned why, uint64_t packets) {
    add(&receiver->counts.dropped[why], packets);
    if (why != FL_UDP_KERNEL)
        fl_counters_add_rejected(receiver->config.counters, FL_PROTOCOL_UDP, fl_udp_drop_name(why),
                                 packets);
}

/* ---------------------------------------------------------------------------------- packets -- */

static void take_packet(struct fl_udp_receiver *receiver, const struct mmsghdr *message) {
    uint8_t *frame = message->msg_hdr.msg_iov->iov_base;
    size_t size = message->msg_len;
    unsigned why = FL_UDP_OVERSIZE;
    if ((message->msg_hdr.msg_flags & MSG_TRUNC) == 0)
        why = fl_udp_gate_check(&receiver->gate, frame, size, receiver->received_us);
    if (why == FL_FRAME_FINE &&
        fl_frame_add(frame, size, receiver->config.limits, receiver->received_us, receiver->batch,
                     &receiver->batched.expired) != FLOWDB_OK)
        why = FL_UDP_ENGINE;
    if (why == FL_FRAME_FINE) {
        receiver->batched_packets++;
        receiver->batched.bytes += size;
    } else {
        drop(receiver, why, 1);
    }
}

/* One line a minute at most, however many packets are lost. */
static void warn(struct fl_udp_receiver *receiver, const char *message, const char *reason) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t at = (int64_t)now.tv_sec * 1000000;
    if (receiver->warned_us != 0 && at - receiver->warned_us < (int64_t)WARN_EVERY_SECS * 1000000)
        return;
    receiver->warned_us = at;
    fl_logger_write(receiver->config.logger, FLOWDB_LOG_WARN, message,
                    (const struct fl_log_pair[]){{"reason", reason}, {NULL, NULL}});
}

static void commit(struct fl_udp_receiver *receiver) {
    size_t records = flowdb_batch_count(receiver->batch);
    if (records > 0) {
        flowdb_status status = flowdb_write_batch(receiver->config.db, receiver->batch);
        if (status == FLOWDB_OK) {
            add(&receiver->counts.records, records);
            add(&receiver->counts.batches, 1);
            receiver->batched.records = records;
            fl_counters_add_written(receiver->config.counters, FL_PROTOCOL_UDP, &receiver->batched);
        } else {
            drop(receiver, FL_UDP_ENGINE, receiver->batched_packets);
            warn(receiver, "datagrams are dropped: the database refuses them", flowdb_last_error());
        }
    }
    flowdb_batch_clear(receiver->batch);
    receiver->batched_packets = 0;
    receiver->batched = (struct fl_written){0};
}

/* The socket counts what it has dropped since it was made, in 32 bits. */
static void read_kernel_drops(struct fl_udp_receiver *receiver, struct msghdr *header) {
    for (struct cmsghdr *at = CMSG_FIRSTHDR(header); at != NULL; at = CMSG_NXTHDR(header, at)) {
        if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SO_RXQ_OVFL)
            continue;
        uint32_t drops;
        memcpy(&drops, CMSG_DATA(at), sizeof drops);
        if (drops != receiver->kernel_drops) {
            drop(receiver, FL_UDP_KERNEL, drops - receiver->kernel_drops);
            warn(receiver,
                 "datagrams are dropped by the kernel: they come faster than they are taken",
                 "net.core.rmem_max can give the socket a larger buffer");
        }
        receiver->kernel_drops = drops;
    }
}

/* How many were there; 0 where none was. */
static int receive(struct fl_udp_receiver *receiver) {
    size_t room = receiver->config.max_packet_size + 1;
    for (size_t i = 0; i < PACKETS; i++) {
        receiver->parts[i] = (struct iovec){receiver->memory + i * room, room};
        receiver->messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &receiver->parts[i],
                                                             .msg_iovlen = 1,
                                                             .msg_control = receiver->controls[i],
                                                             .msg_controllen = CONTROL_ROOM}};
    }
    int count = recvmmsg(receiver->fd, receiver->messages, PACKETS, MSG_DONTWAIT, NULL);
    if (count <= 0)
        return 0;
    uint64_t bytes = 0;
    receiver->received_us = now_us();
    add(&receiver->counts.packets, (uint64_t)count);
    for (int i = 0; i < count; i++) {
        bytes += receiver->messages[i].msg_len;
        take_packet(receiver, &receiver->messages[i]);
    }
    add(&receiver->counts.bytes, bytes);
    read_kernel_drops(receiver, &receiver->messages[count - 1].msg_hdr);
    commit(receiver);
    return count;
}

static void *receive_on(void *argument) {
    struct fl_udp_receiver *receiver = argument;
    struct pollfd wanted[] = {{.fd = receiver->fd, .events = POLLIN},
                              {.fd = receiver->stop_event, .events = POLLIN}};
    while (wanted[1].revents == 0) {
        if (poll(wanted, 2, -1) < 0 && errno != EINTR)
            break;
        if (wanted[0].revents != 0)
            receive(receiver);
    }
    while (receive(receiver) > 0)
        continue;
    return NULL;
}

/* ---------------------------------------------------------------------------------- lifetime -- */

static int open_socket(struct fl_http_address *address) {
    int on = 1, size = SOCKET_BUFFER;
    int fd = socket(address->socket_address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&address->socket_address, address->size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address->socket_address, &address->size) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

bool fl_udp_receiver_start(struct fl_http_address *address, const struct fl_udp_config *config,
                           struct fl_udp_receiver **receiver, char *reason, size_t reason_size) {
    struct fl_udp_receiver *made = calloc(1, sizeof *made);
    if (made == NULL) {
        snprintf(reason, reason_size, "out of memory");
        return false;
    }
    made->config = *config;
    made->gate = (struct fl_udp_gate){.key = config->key,
                                      .max_packet_size = config->max_packet_size,
                                      .limits = config->limits,
                                      .started_us = now_us()};
    made->gate.replay.turned_at_us = made->gate.started_us;
    made->stop_event = eventfd(0, EFD_CLOEXEC);
    made->fd = open_socket(address);
    made->batch = flowdb_batch_create();
    made->memory = malloc(PACKETS * (config->max_packet_size + 1));
    if (made->stop_event < 0 || made->fd < 0)
        snprintf(reason, reason_size, "%s", strerror(errno));
    else if (made->batch == NULL || made->memory == NULL ||
             pthread_create(&made->thread, NULL, receive_on, made) != 0)
        snprintf(reason, reason_size, "out of memory");
    else
        made->running = true;
    if (!made->running) {
        fl_udp_receiver_stop(made);
        return false;
    }
    pthread_setname_np(made->thread, "flowdb-udp");
    *receiver = made;
    return true;
}

void fl_udp_receiver_stop(struct fl_udp_receiver *receiver) {
    if (receiver == NULL)
        return;
    if (receiver->running) {
        eventfd_write(receiver->stop_event, 1);
        pthread_join(receiver->thread, NULL);
    }
    if (receiver->fd >= 0)
        close(receiver->fd);
    if (receiver->stop_event >= 0)
        close(receiver->stop_event);
    flowdb_batch_destroy(receiver->batch);
    fl_udp_gate_deinit(&receiver->gate);
    free(receiver->memory);
    free(receiver);
}

void fl_udp_receiver_counts(const struct fl_udp_receiver *receiver, struct fl_udp_counts *counts) {
    const struct counters *from = &receiver->counts;
    *counts = (struct fl_udp_counts){.packets = atomic_load(&from->packets),
                                     .bytes = atomic_load(&from->bytes),
                                     .records = atomic_load(&from->records),
                                     .batches = atomic_load(&from->batches)};
    for (size_t i = 0; i < FL_UDP_DROPS; i++)
        counts->dropped[i] = atomic_load(&from->dropped[i]);
}
