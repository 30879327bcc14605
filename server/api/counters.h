/*
 * What came in, counted by protocol, and the last inputs that were refused. One for the
 * server; every call is for any thread.
 *
 * What the engine does is counted by flowdb_get_stats, and why datagrams were dropped by the receiver
 * (udp/receiver.h); requests by path and status are counted by http/meters.h.
 */
#ifndef FL_API_COUNTERS_H
#define FL_API_COUNTERS_H

#include <flowdb/flowdb.h>
#include <stdatomic.h>

enum fl_protocol {
    FL_PROTOCOL_JSON,   /* /write and PATCH */
    FL_PROTOCOL_BINARY, /* /write/binary */
    FL_PROTOCOL_UDP,
    FL_PROTOCOLS
};

/* "http_json", "http_binary", "udp": a metric's label. */
const char *fl_protocol_name(enum fl_protocol protocol);

enum {
    FL_REJECTIONS = 64, /* that are remembered */
    FL_REJECTION_REASON = 160
};

/* An input that was refused. */
struct fl_rejection {
    int64_t at_us; /* since the Unix epoch */
    enum fl_protocol protocol;
    /* UTF-8 without control characters. May quote a name that the client made up, no header's value. */
    char reason[FL_REJECTION_REASON];
};

/* What one write brought. */
struct fl_written {
    uint64_t records;
    uint64_t bytes;   /* of the body or datagram, as it arrived after decompression */
    uint64_t expired; /* records whose expiry was past when they were written */
};

struct fl_protocol_counts {
    uint64_t records, bytes, expired, writes;
    uint64_t rejected; /* requests or datagrams that were refused for what they held */
};

struct fl_counters;

struct fl_counters *fl_counters_create(void);           /* NULL where memory is out */
void fl_counters_destroy(struct fl_counters *counters); /* NULL is fine */

void fl_counters_add_written(struct fl_counters *counters, enum fl_protocol protocol,
                             const struct fl_written *written);
/* `count` inputs were refused for `reason`, in UTF-8; one of them is remembered. */
void fl_counters_add_rejected(struct fl_counters *counters, enum fl_protocol protocol,
                              const char *reason, uint64_t count);
/* A write whose timestamps look like another unit's. */
void fl_counters_add_unit_warning(struct fl_counters *counters);

void fl_counters_protocol(const struct fl_counters *counters, enum fl_protocol protocol,
                          struct fl_protocol_counts *counts);
uint64_t fl_counters_unit_warnings(const struct fl_counters *counters);
/* Copies the last refused inputs, the newest first, into `rejections`; how many there are. */
size_t fl_counters_rejections(struct fl_counters *counters,
                              struct fl_rejection rejections[FL_REJECTIONS]);

#endif
