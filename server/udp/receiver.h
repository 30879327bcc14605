/*
 * Datagrams: received many at a time, checked one by one, committed together.
 *
 * A frame lands whole or not at all. What is not stored is counted with its reason, and so is what
 * the kernel dropped because nobody came for it in time: loss is never silent. No datagram is ever
 * answered.
 */
#ifndef FL_UDP_RECEIVER_H
#define FL_UDP_RECEIVER_H

#include "api/counters.h"
#include "http/address.h"
#include "logger.h"
#include "udp/gate.h"

struct fl_udp_counts {
    uint64_t packets,
        bytes;        /* received, whatever became of them; without those the kernel dropped */
    uint64_t records; /* stored */
    uint64_t batches; /* commits */
    uint64_t dropped[FL_UDP_DROPS];
};

struct fl_udp_config {
    flowdb *db;
    const struct fl_limits *limits;
    const struct fl_logger *logger;
    struct fl_counters *counters;
    const char *key;        /* "": none is needed */
    size_t max_packet_size; /* longer ones are dropped */
};

struct fl_udp_receiver;

/* Receives at `address`, which gets the port that was chosen, in a thread of its own. False with a
   sentence in `reason`. `config` is copied; what it points to must stay. */
bool fl_udp_receiver_start(struct fl_http_address *address, const struct fl_udp_config *config,
                           struct fl_udp_receiver **receiver, char *reason, size_t reason_size);
/* Takes what has arrived already, then ends. NULL is fine. */
void fl_udp_receiver_stop(struct fl_udp_receiver *receiver);
/* From any thread. */
void fl_udp_receiver_counts(const struct fl_udp_receiver *receiver, struct fl_udp_counts *counts);

#endif
