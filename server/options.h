/* The command line, and what else configures the server. */
#ifndef FL_SERVER_OPTIONS_H
#define FL_SERVER_OPTIONS_H

#include "config/config.h"

/* What the process was started with: enough to read the configuration again. */
struct fl_options {
    int argc;
    char **argv;
};

enum fl_options_verdict {
    FL_OPTIONS_RUN,
    FL_OPTIONS_DONE, /* --help, --version, --check-config or --print-config: all is printed */
    FL_OPTIONS_BAD   /* one line on stderr says what to change */
};

/* Fills in `config`, to be deinitialised in any case. */
enum fl_options_verdict fl_options_parse(const struct fl_options *options,
                                         struct fl_config *config);

/* The same for a process that runs: nothing is printed, `error` says what is wrong. */
bool fl_options_reload(const struct fl_options *options, struct fl_config *config,
                       char error[FL_CONFIG_ERROR]);

/* Calls `unknown` with each variable FLOWDB_… of the environment that configures nothing. */
void fl_options_unknown_variables(void (*unknown)(void *context, const char *name), void *context);

#endif
