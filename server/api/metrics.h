/* The server's own figures in Prometheus' text format 0.0.4. */
#ifndef FL_API_METRICS_H
#define FL_API_METRICS_H

#include "http/request.h"

/* Appends them behind the engine's. */
void fl_metrics_append(const struct fl_http_service *service, struct fl_output *output);

#endif
