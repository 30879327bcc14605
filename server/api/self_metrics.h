/*
 * The server's own figures as series in its own database: every so often one record for each, all with
 * one time, under keys that begin with "flowdb.", so that they can be read like any others.
 *
 * Where they cannot be written, as on a full disk, they are left out until they can be again.
 */
#ifndef FL_API_SELF_METRICS_H
#define FL_API_SELF_METRICS_H

#include "api/api.h"

struct fl_self_metrics;

/* All of these must stay. NULL where memory or threads are out. */
struct fl_self_metrics *fl_self_metrics_start(const struct fl_api *api,
                                              const struct fl_http_meters *meters,
                                              const struct fl_logger *logger);
/* Returns once a write that is under way has ended. NULL is fine. */
void fl_self_metrics_stop(struct fl_self_metrics *metrics);

#endif
