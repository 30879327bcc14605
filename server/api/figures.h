/* The server's own figures, beside the engine's: what /stats, /metrics and the self metrics show. */
#ifndef FL_API_FIGURES_H
#define FL_API_FIGURES_H

#include "api/api.h"

struct fl_figures {
    uint64_t udp_packets_received;   /* all, those too that the kernel dropped */
    uint64_t udp_packets_dropped;    /* not stored, for whatever reason */
    uint64_t http_requests_total;    /* whose headers were read; the one that asks among them */
    uint64_t http_requests_rejected; /* answered with a status from 400 on */
    uint64_t http_requests_active;
    uint64_t http_connections; /* open */
    uint64_t http_bytes_in, http_bytes_out;
    uint64_t resident_bytes; /* the process's memory; 0: cannot be told */
    double cpu_seconds;      /* of all its threads */
    struct fl_udp_counts udp;
};

void fl_figures_read(const struct fl_api *api, const struct fl_http_meters *meters,
                     struct fl_figures *figures);

/* Some figures by name, each a number that is of use over time. */
struct fl_figure {
    const char *name;
    double value;
};
enum { FL_FIGURES_NAMED = 9 };
void fl_figures_name(const struct fl_figures *figures, struct fl_figure named[FL_FIGURES_NAMED]);

#endif
