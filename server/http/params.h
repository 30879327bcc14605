/*
 * The parameters of a query string. Which there are, and what kind of value each takes, is one
 * table; which of them a path takes beside those that all take is a mask in the route table.
 *
 * Names and values are percent-decoded strictly: '+' is a space, "%00" is a NUL byte that the value
 * keeps, and a '%' without two hex digits is refused.
 */
#ifndef FL_HTTP_PARAMS_H
#define FL_HTTP_PARAMS_H

#include <flowdb/flowdb.h>

#include "http/reply.h"
#include "request_limits.h"

enum fl_http_param {
    FL_PARAM_KEY,
    FL_PARAM_KEY_START,
    FL_PARAM_KEY_END,
    FL_PARAM_PREFIX,
    FL_PARAM_TS,
    FL_PARAM_TS_START,
    FL_PARAM_TS_END,
    FL_PARAM_LIMIT,
    FL_PARAM_ORDER,
    FL_PARAM_CURSOR,
    FL_PARAM_ENCODING,
    FL_PARAM_FORMAT,
    FL_PARAM_PRECISION,
    FL_PARAM_NAME,
    FL_PARAM_COUNT
};

#define FL_PARAM_BIT(param) (1U << (param))

/* Any path takes these, so that a client can send them with all that it asks. */
#define FL_PARAMS_OF_ALL FL_PARAM_BIT(FL_PARAM_PRECISION)

struct fl_http_params {
    uint32_t given; /* a bit for each parameter that the request has */
    struct {
        size_t offset, size; /* of the decoded value in `decoded` */
        int64_t number;      /* of an integer, or the index of a choice */
    } values[FL_PARAM_COUNT];
    struct fl_output decoded;
};

const char *fl_http_param_name(enum fl_http_param param);

void fl_http_params_deinit(struct fl_http_params *params);

/*
 * Takes one parameter, still encoded. `raw_value` is {NULL, 0} where there is no '='. False where
 * it is not in `allowed`, is there already, or its value is none of its kind: the reply says so.
 */
bool fl_http_params_add(struct fl_http_params *params, uint32_t allowed, flowdb_slice raw_name,
                        flowdb_slice raw_value, const struct fl_limits *limits,
                        struct fl_http_reply *reply);

static inline bool fl_http_params_has(const struct fl_http_params *params,
                                      enum fl_http_param param) {
    return (params->given & FL_PARAM_BIT(param)) != 0;
}

/* False, and a 400 that names the first missing one, unless all of `wanted` were given. */
bool fl_http_params_require(const struct fl_http_params *params, uint32_t wanted,
                            struct fl_http_reply *reply);

/* The decoded bytes; {NULL, 0} where the parameter was not given. Valid as long as `params`. */
flowdb_slice fl_http_params_bytes(const struct fl_http_params *params, enum fl_http_param param);
/* The number, or `otherwise` where the parameter was not given. */
int64_t fl_http_params_number(const struct fl_http_params *params, enum fl_http_param param,
                              int64_t otherwise);

#endif
