/* The process from start to end: the engine, the listener, the signals. */
#ifndef FL_SERVER_SERVER_H
#define FL_SERVER_SERVER_H

#include "options.h"

/* Serves until SIGTERM or SIGINT. The exit code: 0, or 1 after a failure, which was logged. */
int fl_server_run(const struct fl_options *options, const struct fl_config *config);

#endif
