/*
 * Which datagrams are let in: whole, good frames that are no longer than they may be and, where a key is
 * set, come with the right code, are of this time and were not taken before. One thread.
 */
#ifndef FL_UDP_GATE_H
#define FL_UDP_GATE_H

#include "ingest/frame.h"
#include "udp/replay.h"

/* Why a datagram was not stored; the faults of a frame come first. */
enum fl_udp_drop {
    FL_UDP_UNSIGNED = FL_FRAME_FAULTS, /* version 1 where a key is set */
    FL_UDP_BAD_MAC,
    FL_UDP_STALE,  /* sent too long ago, too far ahead, or before the server started */
    FL_UDP_REPLAY, /* taken before */
    FL_UDP_OVERSIZE,
    FL_UDP_ENGINE, /* the database refused it */
    FL_UDP_KERNEL, /* no room in the socket's buffer */
    FL_UDP_DROPS
};

const char *fl_udp_drop_name(unsigned drop);

struct fl_udp_gate {
    const char *key;        /* "": none is needed */
    size_t max_packet_size; /* longer ones are dropped */
    const struct fl_limits *limits;
    int64_t started_us; /* what was sent before is not taken */
    struct fl_replay replay;
};

void fl_udp_gate_deinit(struct fl_udp_gate *gate); /* zero-initialised is fine */
/* FL_FRAME_FINE, and it is remembered, or why not. Where there is a key the code's bytes are zeros
   afterwards. */
unsigned fl_udp_gate_check(struct fl_udp_gate *gate, uint8_t *datagram, size_t size,
                           int64_t now_us);

#endif
