/* Verifying and repairing closed directories. */
#ifndef FL_ENGINE_REPAIR_H
#define FL_ENGINE_REPAIR_H

#include "engine/survey.h"

/* A handle on a directory that nobody has open, and that nobody opens until it is destroyed. With
   `change` the lock must be had. *db is set to what is to be destroyed, failure or not. */
flowdb_status fl_engine_hold_closed(const char *data_dir, const struct fl_env *env, bool change,
                                    flowdb **db);

/* The public calls, on an environment of the caller's. */
flowdb_status fl_engine_verify(const char *data_dir, const struct fl_env *env, fl_report report,
                               void *context);
flowdb_status fl_engine_repair(const char *data_dir, const struct fl_env *env, fl_report report,
                               void *context);

#endif
