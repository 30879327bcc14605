/* The command line. */
#ifndef FL_SERVER_OPTIONS_H
#define FL_SERVER_OPTIONS_H

#include <flowdb/flowdb.h>

#include "http/address.h"

struct fl_options {
    const char *data_dir;
    const char *http_addr; /* as it was written */
    struct fl_http_address http_address;
    flowdb_log_level log_level;
    flowdb_wal_sync wal_sync;
};

enum fl_options_verdict {
    FL_OPTIONS_RUN,
    FL_OPTIONS_DONE, /* --help or --version was printed to stdout */
    FL_OPTIONS_BAD   /* one line on stderr says what to change */
};

/* What the strings in `options` point to belongs to `argv`. */
enum fl_options_verdict fl_options_parse(int argc, char **argv, struct fl_options *options);

#endif
