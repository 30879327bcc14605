/*
 * The configuration that is in force: what the server was started with, and in place of a few settings
 * what was read again since. Every call is for any thread.
 */
#ifndef FL_CONFIG_LIVE_H
#define FL_CONFIG_LIVE_H

#include "config/config.h"

struct fl_live_config;

/* `started_with` must stay. NULL where memory is out. */
struct fl_live_config *fl_live_config_create(const struct fl_config *started_with);
void fl_live_config_destroy(struct fl_live_config *live); /* NULL is fine */

/* The settings that take effect when they are read again do so; `config` is taken, and left empty. */
void fl_live_config_renew(struct fl_live_config *live, struct fl_config *config);

/* A setting as fl_config_get and fl_config_origin give it; valid during the call. */
struct fl_live_setting {
    const char *name, *origin;
    struct fl_value value;
    bool secret;
    bool reloaded; /* SIGHUP reads it again */
};

/* Calls `visit` with every setting, in the table's order; it must not call back. */
void fl_live_config_visit(struct fl_live_config *live,
                          void (*visit)(void *context, const struct fl_live_setting *setting),
                          void *context);
/* Does the text have one of the secrets in it that are or were in force? */
bool fl_live_config_reveals(struct fl_live_config *live, const char *text);

#endif
