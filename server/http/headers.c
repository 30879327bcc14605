#include "http/headers.h"

#include <ctype.h>
#include <strings.h>

#include "text/number.h"

static bool equals(const char *value, size_t size, const char *word) {
    return strlen(word) == size && strncasecmp(value, word, size) == 0;
}

static bool begins(const char *value, size_t size, const char *word) {
    return size >= strlen(word) && strncasecmp(value, word, strlen(word)) == 0;
}

/*
 * libmicrohttpd takes a name as it stands, with a space before its colon too, and glues a folded
 * line onto the name: "Content-Length :" and "Content-LengthN" are both a length that it missed.
 * (lines.h sees what it misses behind a NUL: there is none in what it gives.)
 */
static bool is_odd(const char *name, size_t name_size, const char *value, size_t value_size) {
    static const char others[] = "!#$%&'*+-.^_`|~"; /* RFC 9110: of what names are made */
    for (size_t i = 0; i < name_size; i++)
        if (!isalnum((unsigned char)name[i]) && (name[i] == '\0' || !strchr(others, name[i])))
            return true;
    for (size_t i = 0; i < value_size; i++)
        if (value[i] == '\r' || value[i] == '\n')
            return true;
    return name_size == 0 ||
           (begins(name, name_size, "Content-Length") && name_size > strlen("Content-Length")) ||
           (begins(name, name_size, "Transfer-Encoding") &&
            name_size > strlen("Transfer-Encoding"));
}

static enum fl_http_coding coding_of(const char *value, size_t size) {
    if (equals(value, size, "identity"))
        return FL_HTTP_IDENTITY;
    return equals(value, size, "gzip") || equals(value, size, "x-gzip") ? FL_HTTP_GZIP
                                                                        : FL_HTTP_OTHER_CODING;
}

static bool is_space(char byte) {
    return byte == ' ' || byte == '\t';
}

/* Is the rest of an element, behind its name, a weight of 0? */
static bool is_refused(const char *rest, size_t size) {
    while (size > 0 && (is_space(*rest) || *rest == ';')) {
        rest++;
        size--;
    }
    if (!begins(rest, size, "q="))
        return false;
    for (size_t i = 2; i < size; i++)
        if (rest[i] != '0' && rest[i] != '.' && !is_space(rest[i]))
            return false;
    return true;
}

/* Does a list of codings have gzip, and with a weight above 0 (RFC 9110, 12.5.3)? */
static bool lists_gzip(const char *value, size_t size) {
    while (size > 0) {
        const char *comma = memchr(value, ',', size);
        size_t element = comma != NULL ? (size_t)(comma - value) : size, at = 0;
        while (at < element && is_space(value[at]))
            at++;
        size_t end = at;
        while (end < element && value[end] != ';' && !is_space(value[end]))
            end++;
        if (equals(value + at, end - at, "gzip") && !is_refused(value + end, element - end))
            return true;
        size_t step = comma != NULL ? element + 1 : element;
        value += step;
        size -= step;
    }
    return false;
}

/* Who asks, and from where. Of a header that is there twice the last counts: each is checked. */
static void read_credential(struct fl_http_credentials *credentials, flowdb_slice name,
                            flowdb_slice value) {
    struct fl_http_provenance *provenance = &credentials->provenance;
    const struct {
        const char *name;
        flowdb_slice *into;
        bool browser;
    } wanted[] = {{"Authorization", &credentials->authorization, false},
                  {"X-API-Key", &credentials->api_key, false},
                  {"Host", &provenance->host, false},
                  {"Origin", &provenance->origin, true},
                  {"Sec-Fetch-Site", &provenance->fetch_site, true},
                  {"Referer", NULL, true}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (!equals(name.data, name.size, wanted[i].name))
            continue;
        if (wanted[i].into != NULL)
            *wanted[i].into = value;
        provenance->browser = provenance->browser || wanted[i].browser;
    }
    if (equals(name.data, name.size, "User-Agent") && begins(value.data, value.size, "Mozilla/"))
        provenance->browser = true;
}

static enum MHD_Result read_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   size_t name_size, const char *value, size_t value_size) {
    struct fl_http_headers *headers = context;
    (void)kind;
    read_credential(&headers->credentials, flowdb_bytes(name, name_size),
                    flowdb_bytes(value, value_size));
    if (is_odd(name, name_size, value, value_size)) {
        headers->malformed = true;
    } else if (equals(name, name_size, "Content-Length")) {
        int64_t length = 0;
        headers->lengths++;
        /* What is no number libmicrohttpd has refused already. */
        headers->length = fl_number_parse(value, value_size, &length) == FL_NUMBER_OK
                              ? (uint64_t)length
                              : UINT64_MAX;
    } else if (equals(name, name_size, "Transfer-Encoding")) {
        headers->encodings++;
        headers->chunked = equals(value, value_size, "chunked");
    } else if (equals(name, name_size, "Content-Encoding")) {
        headers->coding = coding_of(value, value_size);
    } else if (equals(name, name_size, "Accept-Encoding")) {
        headers->takes_gzip = lists_gzip(value, value_size);
    } else if (equals(name, name_size, "Accept")) {
        headers->accept = flowdb_bytes(value, value_size);
    } else if (equals(name, name_size, "If-None-Match")) {
        headers->if_none_match = flowdb_bytes(value, value_size);
    } else if (equals(name, name_size, "Expect")) {
        headers->expects_continue = equals(value, value_size, "100-continue");
    } else if (equals(name, name_size, "Host")) {
        headers->hosts++;
    }
    return MHD_YES;
}

/* Where a request's end can be read in two ways, a proxy may have read it in the other. */
bool fl_http_headers_check(const struct fl_http_headers *headers, const char *version,
                           const struct fl_limits *limits, struct fl_http_reply *reply) {
    if (headers->malformed)
        return fl_http_reply_fail(reply, 400, "the request line or a header is malformed");
    if (headers->too_many_params)
        return fl_http_reply_fail(reply, 414, "the target has too many parameters");
    if (headers->lengths + headers->encodings > 1)
        return fl_http_reply_fail(
            reply, 400, "one Content-Length or one Transfer-Encoding is allowed, not several");
    if (headers->encodings > 0 && !headers->chunked)
        return fl_http_reply_fail(reply, 400, "chunked is the only Transfer-Encoding");
    if (headers->hosts > 1 || (headers->hosts == 0 && strcmp(version, "HTTP/1.1") == 0))
        return fl_http_reply_fail(reply, 400, "one Host header is wanted");
    if (headers->length > limits->max_body_bytes)
        return fl_http_reply_fail(reply, 413, "the body has more than %llu bytes",
                                  (unsigned long long)limits->max_body_bytes);
    return true;
}

void fl_http_headers_read(struct MHD_Connection *connection, struct fl_http_headers *headers) {
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, read_header, headers);
}
