/*
 * Log lines on stderr, as `name=value` pairs:
 *
 *     time=2026-01-31T12:00:00.123456Z level=info msg="listening" http_addr="127.0.0.1:8080"
 *
 * Values are quoted, and quotes, backslashes and control bytes in them are escaped: nothing that a
 * client sends can end a line or forge a pair. A line is one write(2), so lines of several threads
 * do not mix.
 */
#ifndef FL_SERVER_LOGGER_H
#define FL_SERVER_LOGGER_H

#include <flowdb/flowdb.h>
#include <stdatomic.h>

struct fl_logger {
    int fd;
    _Atomic int level; /* a flowdb_log_level: lines of lesser weight are dropped; may change */
};

/* One name and value beside the message; a name of NULL ends a list of them. */
struct fl_log_pair {
    const char *name;
    const char *value;
};

void fl_logger_write(const struct fl_logger *logger, flowdb_log_level level, const char *message,
                     const struct fl_log_pair *pairs);

#endif
