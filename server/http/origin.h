/*
 * What a browser may be made to send: whether a request comes from a page of this server's own, and
 * under a name that is this server's.
 *
 * A page of another site can make a browser write here (cross-site requests), and a site whose name
 * is made to lead here can read as well (DNS rebinding). Both show in headers that no page can forge.
 */
#ifndef FL_HTTP_ORIGIN_H
#define FL_HTTP_ORIGIN_H

#include <flowdb/flowdb.h>

/* Set up once. The texts are borrowed. */
struct fl_http_origins {
    char *const *hosts; /* names that lead here, besides the machine's own */
    size_t host_count;
    char *const *allowed; /* origins of other sites that may send anything; "*": all */
    size_t allowed_count;
    bool tls;
    char machine[256]; /* its own name */
};

/* What a request says of where it comes from. Absent headers are {NULL, 0}. */
struct fl_http_provenance {
    flowdb_slice host, origin, fetch_site;
    bool browser; /* it has a header that only browsers send */
};

/* May the request be answered under the name that it came by? Only browsers are asked. */
bool fl_http_origins_know_host(const struct fl_http_origins *origins,
                               const struct fl_http_provenance *provenance);
/* May it change something, as far as its origin goes? */
bool fl_http_origins_trust(const struct fl_http_origins *origins,
                           const struct fl_http_provenance *provenance);
/* Is its origin one of the other sites that are allowed? */
bool fl_http_origins_allow(const struct fl_http_origins *origins, flowdb_slice origin);

#endif
