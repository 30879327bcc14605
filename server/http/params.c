#include "http/params.h"

#include <stdio.h>

#include "text/number.h"

enum kind {
    KIND_KEY,   /* bytes, within the limit of a key */
    KIND_INT,   /* any int64 */
    KIND_COUNT, /* from 1 */
    KIND_TEXT,  /* bytes that mean something to the handler alone */
    KIND_CHOICE /* one of the words */
};

static const struct {
    const char *name;
    enum kind kind;
    const char *const *choices; /* ends with NULL */
} specs[FL_PARAM_COUNT] = {
    [FL_PARAM_KEY] = {"key", KIND_KEY, NULL},
    [FL_PARAM_KEY_START] = {"key_start", KIND_KEY, NULL},
    [FL_PARAM_KEY_END] = {"key_end", KIND_KEY, NULL},
    [FL_PARAM_PREFIX] = {"prefix", KIND_KEY, NULL},
    [FL_PARAM_TS] = {"ts", KIND_INT, NULL},
    [FL_PARAM_TS_START] = {"ts_start", KIND_INT, NULL},
    [FL_PARAM_TS_END] = {"ts_end", KIND_INT, NULL},
    [FL_PARAM_LIMIT] = {"limit", KIND_COUNT, NULL},
    [FL_PARAM_ORDER] = {"order", KIND_CHOICE, (const char *const[]){"asc", "desc", NULL}},
    [FL_PARAM_NAME] = {"name", KIND_TEXT, NULL},
    [FL_PARAM_CURSOR] = {"cursor", KIND_TEXT, NULL},
    [FL_PARAM_ENCODING] = {"encoding", KIND_CHOICE, (const char *const[]){"base64", "text", NULL}},
    [FL_PARAM_FORMAT] = {"format", KIND_CHOICE,
                         (const char *const[]){"json", "ndjson", "csv", NULL}},
    [FL_PARAM_PRECISION] = {"precision", KIND_CHOICE,
                            (const char *const[]){"s", "ms", "us", "ns", NULL}},
};

const char *fl_http_param_name(enum fl_http_param param) {
    return specs[param].name;
}

void fl_http_params_deinit(struct fl_http_params *params) {
    fl_output_deinit(&params->decoded);
    params->given = 0;
}

static int hex_digit(char character) {
    if (character >= '0' && character <= '9')
        return character - '0';
    char lower = (char)(character | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Appends the decoded bytes; false at a '%' that two hex digits do not follow. */
static bool percent_decode(struct fl_output *output, flowdb_slice raw) {
    const char *at = raw.data;
    char *start = fl_output_reserve(output, raw.size);
    char *out = start;
    if (start == NULL)
        return true;
    for (size_t left = raw.size; left > 0; left--, at++) {
        if (*at != '%') {
            *out++ = *at == '+' ? ' ' : *at;
            continue;
        }
        int high = left > 2 ? hex_digit(at[1]) : -1;
        int low = left > 2 ? hex_digit(at[2]) : -1;
        if (high < 0 || low < 0)
            return false;
        *out++ = (char)(high << 4 | low);
        at += 2;
        left -= 2;
    }
    output->size += (size_t)(out - start);
    return true;
}

static enum fl_http_param find(flowdb_slice name) {
    unsigned param = 0;
    while (param < FL_PARAM_COUNT && (strlen(specs[param].name) != name.size ||
                                      memcmp(specs[param].name, name.data, name.size) != 0))
        param++;
    return (enum fl_http_param)param;
}

static bool parse_integer(const char *name, flowdb_slice text, int64_t least, int64_t *number,
                          struct fl_http_reply *reply) {
    switch (fl_number_parse(text.data, text.size, number)) {
    case FL_NUMBER_MALFORMED:
        return fl_http_reply_fail(reply, 400, "%s must be an integer", name);
    case FL_NUMBER_OUT_OF_RANGE:
        return fl_http_reply_fail(reply, 400, "%s does not fit 64 bits", name);
    case FL_NUMBER_OK:
        break;
    }
    return *number >= least ||
           fl_http_reply_fail(reply, 400, "%s must be at least %lld", name, (long long)least);
}

static bool parse_choice(const char *name, const char *const *choices, flowdb_slice text,
                         int64_t *index, struct fl_http_reply *reply) {
    char list[64] = "";
    for (int64_t i = 0; choices[i] != NULL; i++) {
        size_t used = strlen(list);
        if (strlen(choices[i]) == text.size && memcmp(choices[i], text.data, text.size) == 0) {
            *index = i;
            return true;
        }
        snprintf(list + used, sizeof list - used, "%s%s",
                 i == 0                   ? ""
                 : choices[i + 1] == NULL ? " or "
                                          : ", ",
                 choices[i]);
    }
    return fl_http_reply_fail(reply, 400, "%s must be %s", name, list);
}

static bool parse_value(enum fl_http_param param, flowdb_slice text, int64_t *number,
                        const struct fl_limits *limits, struct fl_http_reply *reply) {
    const char *name = specs[param].name;
    switch (specs[param].kind) {
    case KIND_KEY:
        return text.size <= limits->max_key_bytes ||
               fl_http_reply_fail(reply, 400, "%s has %zu bytes, at most %zu are allowed", name,
                                  text.size, limits->max_key_bytes);
    case KIND_INT:
        return parse_integer(name, text, INT64_MIN, number, reply);
    case KIND_COUNT:
        return parse_integer(name, text, 1, number, reply);
    case KIND_TEXT:
        return true;
    case KIND_CHOICE:
        return parse_choice(name, specs[param].choices, text, number, reply);
    }
    return false;
}

/* Decodes behind what is there already and says where. */
static bool decode(struct fl_http_params *params, flowdb_slice raw, size_t *offset, size_t *size,
                   struct fl_http_reply *reply) {
    *offset = params->decoded.size;
    if (!percent_decode(&params->decoded, raw))
        return fl_http_reply_fail(reply, 400,
                                  "the query string has a '%%' that two hex digits do not follow");
    if (params->decoded.failed)
        return fl_http_reply_fail(reply, 500, "out of memory");
    *size = params->decoded.size - *offset;
    return true;
}

bool fl_http_params_add(struct fl_http_params *params, uint32_t allowed, flowdb_slice raw_name,
                        flowdb_slice raw_value, const struct fl_limits *limits,
                        struct fl_http_reply *reply) {
    size_t offset = 0;
    size_t size = 0;
    if (!decode(params, raw_name, &offset, &size, reply))
        return false;
    flowdb_slice name = flowdb_bytes(params->decoded.data + offset, size);
    enum fl_http_param param = find(name);
    if (param == FL_PARAM_COUNT || (allowed & FL_PARAM_BIT(param)) == 0)
        return fl_http_reply_fail(reply, 400, "unknown query parameter: %.*s",
                                  (int)(size < 64 ? size : 64), (const char *)name.data);
    params->decoded.size = offset;
    if (fl_http_params_has(params, param))
        return fl_http_reply_fail(reply, 400, "%s is given twice", specs[param].name);
    if (!decode(params, raw_value, &offset, &size, reply))
        return false;
    params->given |= FL_PARAM_BIT(param);
    params->values[param].offset = offset;
    params->values[param].size = size;
    return parse_value(param, flowdb_bytes(params->decoded.data + offset, size),
                       &params->values[param].number, limits, reply);
}

bool fl_http_params_require(const struct fl_http_params *params, uint32_t wanted,
                            struct fl_http_reply *reply) {
    for (unsigned param = 0; param < FL_PARAM_COUNT; param++)
        if ((wanted & FL_PARAM_BIT(param)) != 0 &&
            !fl_http_params_has(params, (enum fl_http_param)param))
            return fl_http_reply_fail(reply, 400, "%s is missing", specs[param].name);
    return true;
}

flowdb_slice fl_http_params_bytes(const struct fl_http_params *params, enum fl_http_param param) {
    if (!fl_http_params_has(params, param))
        return flowdb_bytes(NULL, 0);
    return flowdb_bytes(params->decoded.data + params->values[param].offset,
                        params->values[param].size);
}

int64_t fl_http_params_number(const struct fl_http_params *params, enum fl_http_param param,
                              int64_t otherwise) {
    return fl_http_params_has(params, param) ? params->values[param].number : otherwise;
}
