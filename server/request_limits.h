/*
 * What one request may ask for. Each is checked before memory is set aside for it, and the answer
 * names the limit that was passed.
 */
#ifndef FL_SERVER_REQUEST_LIMITS_H
#define FL_SERVER_REQUEST_LIMITS_H

#include <stddef.h>
#include <stdint.h>

struct fl_limits {
    uint64_t max_body_bytes;         /* of a request, as it arrives */
    size_t max_batch_records;        /* of one write */
    size_t max_key_bytes;            /* decoded */
    size_t max_value_bytes;          /* decoded */
    unsigned http_threads;           /* 0: one per core, two at the least */
    unsigned max_connections;        /* over all HTTP threads */
    unsigned max_connections_per_ip; /* 0: as many as there may be at all */
    unsigned idle_timeout_secs;      /* a connection on which nothing moves for so long is closed */
    unsigned header_timeout_secs;    /* from a request's first byte to the end of its headers */
    uint64_t min_body_bytes_per_sec; /* 0: any rate */
    unsigned drain_secs;             /* how long requests in flight may take at shutdown */
};

#define FL_LIMITS_DEFAULT                                                               \
    (struct fl_limits) {                                                                \
        .max_body_bytes = 16U << 20, .max_batch_records = 10000, .max_key_bytes = 4096, \
        .max_value_bytes = 65536, .max_connections = 1024, .idle_timeout_secs = 60,     \
        .header_timeout_secs = 5, .min_body_bytes_per_sec = 1024, .drain_secs = 10      \
    }

#endif
