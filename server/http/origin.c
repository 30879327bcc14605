#include "http/origin.h"

#include <arpa/inet.h>
#include <strings.h>

static bool equals(flowdb_slice slice, const char *text) {
    return slice.size == strlen(text) && strncasecmp(slice.data, text, slice.size) == 0;
}

/* The host of a Host header without its port, or an address without its brackets; empty where it is
   neither. */
static flowdb_slice name_of(flowdb_slice host) {
    const char *text = host.data;
    const char *end = host.size > 0 ? memchr(text, text[0] == '[' ? ']' : ':', host.size) : NULL;
    if (host.size == 0 || text[0] != '[')
        return flowdb_bytes(text, end != NULL ? (size_t)(end - text) : host.size);
    size_t behind = end != NULL ? host.size - (size_t)(end + 1 - text) : 0;
    if (end == NULL || (behind > 0 && end[1] != ':'))
        return flowdb_bytes("", 0);
    return flowdb_bytes(text + 1, (size_t)(end - text) - 1);
}

/* An address cannot be made to lead elsewhere. */
static bool is_address(flowdb_slice name) {
    char text[64];
    unsigned char address[16];
    if (name.size == 0 || name.size >= sizeof text)
        return false;
    memcpy(text, name.data, name.size);
    text[name.size] = '\0';
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

static bool is_localhost(flowdb_slice name) {
    static const char suffix[] = ".localhost";
    size_t size = strlen(suffix);
    return equals(name, "localhost") ||
           (name.size > size &&
            equals(flowdb_bytes((const char *)name.data + name.size - size, size), suffix));
}

bool fl_http_origins_know_host(const struct fl_http_origins *origins,
                               const struct fl_http_provenance *provenance) {
    if (!provenance->browser)
        return true;
    flowdb_slice name = name_of(provenance->host);
    if (is_localhost(name) || is_address(name) ||
        (origins->machine[0] != '\0' && equals(name, origins->machine)))
        return true;
    for (size_t i = 0; i < origins->host_count; i++)
        if (equals(name, origins->hosts[i]))
            return true;
    return false;
}

bool fl_http_origins_allow(const struct fl_http_origins *origins, flowdb_slice origin) {
    for (size_t i = 0; i < origins->allowed_count && origin.size > 0; i++)
        if (strcmp(origins->allowed[i], "*") == 0 || equals(origin, origins->allowed[i]))
            return true;
    return false;
}

/* Does the page come from this server? Where something in front of it speaks TLS the page's scheme is
   https and this server's is not. */
static bool is_own(const struct fl_http_origins *origins,
                   const struct fl_http_provenance *provenance) {
    static const char *const schemes[] = {"https://", "http://"};
    flowdb_slice origin = provenance->origin;
    for (size_t i = 0; i < (origins->tls ? 1 : 2); i++) {
        size_t size = strlen(schemes[i]);
        if (origin.size > size && strncasecmp(origin.data, schemes[i], size) == 0 &&
            origin.size - size == provenance->host.size &&
            strncasecmp((const char *)origin.data + size, provenance->host.data,
                        provenance->host.size) == 0)
            return true;
    }
    return false;
}

bool fl_http_origins_trust(const struct fl_http_origins *origins,
                           const struct fl_http_provenance *provenance) {
    if (fl_http_origins_allow(origins, provenance->origin))
        return true;
    if (equals(provenance->fetch_site, "cross-site"))
        return false;
    return provenance->origin.size == 0 || is_own(origins, provenance);
}
