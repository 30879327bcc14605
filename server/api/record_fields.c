#include "api/record_fields.h"

#include <stdio.h>

#include "text/base64.h"
#include "text/number.h"

#define US_PER_SEC 1000000

static const char *const names[FL_RECORD_FIELDS] = {
    [FL_RECORD_KEY] = "key",
    [FL_RECORD_KEY_BASE64] = "key_base64",
    [FL_RECORD_VALUE] = "value",
    [FL_RECORD_VALUE_BASE64] = "value_base64",
    [FL_RECORD_TS] = "ts",
    [FL_RECORD_TTL_SECS] = "ttl_secs",
    [FL_RECORD_EXPIRE_AT] = "expire_at",
};

void fl_record_fields_deinit(struct fl_record_fields *fields) {
    for (unsigned i = 0; i < FL_RECORD_TEXTS; i++)
        fl_output_deinit(&fields->texts[i]);
}

void fl_record_fields_reset(struct fl_record_fields *fields) {
    fields->given = 0;
    for (unsigned i = 0; i < FL_RECORD_TEXTS; i++)
        fl_output_clear(&fields->texts[i]);
}

enum fl_record_field fl_record_field_find(flowdb_slice name) {
    unsigned field = 0;
    while (field < FL_RECORD_FIELDS &&
           (strlen(names[field]) != name.size || memcmp(names[field], name.data, name.size) != 0))
        field++;
    return (enum fl_record_field)field;
}

/* A 400 about the field. */
static bool refuse(const struct fl_record_place *place, const char *field,
                   struct fl_http_reply *reply, const char *what) {
    if (place->in_list)
        return fl_http_reply_fail(reply, 400, "records[%zu].%s %s", place->index, field, what);
    return fl_http_reply_fail(reply, 400, "%s %s", field, what);
}

static bool set_number(struct fl_record_fields *fields, enum fl_record_field field,
                       const struct fl_json_event *value, const struct fl_record_place *place,
                       struct fl_http_reply *reply) {
    enum fl_number_status status = FL_NUMBER_MALFORMED;
    if (value->type == FL_JSON_NUMBER)
        status = fl_number_parse(value->text.data, value->text.size,
                                 &fields->numbers[field - FL_RECORD_TEXTS]);
    if (status == FL_NUMBER_OUT_OF_RANGE)
        return refuse(place, names[field], reply, "does not fit 64 bits");
    return status == FL_NUMBER_OK || refuse(place, names[field], reply, "must be an integer");
}

/* The decoded text into the field's buffer, whose bound is checked before it grows. */
static bool set_text(struct fl_record_fields *fields, enum fl_record_field field, flowdb_slice text,
                     const struct fl_record_place *place, const struct fl_limits *limits,
                     struct fl_http_reply *reply) {
    struct fl_output *out = &fields->texts[field];
    bool is_key = field == FL_RECORD_KEY || field == FL_RECORD_KEY_BASE64;
    bool is_base64 = field == FL_RECORD_KEY_BASE64 || field == FL_RECORD_VALUE_BASE64;
    size_t limit = is_key ? limits->max_key_bytes : limits->max_value_bytes;
    size_t bound = fl_base64_decoded_bound(text.size);
    size_t least = !is_base64 ? text.size : bound > 2 ? bound - 2 : 0; /* padding may be two */
    fl_output_clear(out);
    if (least <= limit && !is_base64)
        fl_output_append(out, text.data, text.size);
    else if (least <= limit && !fl_base64_decode(out, text.data, text.size))
        return refuse(place, names[field], reply, "is not base64");
    if (least > limit || out->size > limit) {
        char what[48];
        snprintf(what, sizeof what, "has more than %zu bytes", limit);
        return refuse(place, names[field], reply, what);
    }
    return !out->failed || fl_http_reply_fail(reply, 500, "out of memory");
}

bool fl_record_fields_set(struct fl_record_fields *fields, enum fl_record_field field,
                          const struct fl_json_event *value, const struct fl_record_place *place,
                          const struct fl_limits *limits, struct fl_http_reply *reply) {
    unsigned bit = 1U << field;
    fields->given &= ~bit;
    if (value->type == FL_JSON_NULL)
        return true;
    if (field >= FL_RECORD_TEXTS) {
        if (!set_number(fields, field, value, place, reply))
            return false;
    } else {
        bool takes_number = field == FL_RECORD_VALUE;
        if (value->type != FL_JSON_STRING && !(takes_number && value->type == FL_JSON_NUMBER))
            return refuse(place, names[field], reply,
                          takes_number ? "must be a string or a number" : "must be a string");
        if (!set_text(fields, field, value->text, place, limits, reply))
            return false;
    }
    fields->given |= bit;
    return true;
}

static int64_t number(const struct fl_record_fields *fields, enum fl_record_field field,
                      int64_t otherwise) {
    return fl_record_fields_has(fields, field) ? fields->numbers[field - FL_RECORD_TEXTS]
                                               : otherwise;
}

/* The base64 field where it was given, else the plain one, else nothing. */
static flowdb_slice text(const struct fl_record_fields *fields, enum fl_record_field plain,
                         enum fl_record_field base64) {
    if (!fl_record_fields_has(fields, base64) && !fl_record_fields_has(fields, plain))
        return flowdb_bytes(NULL, 0);
    enum fl_record_field field = fl_record_fields_has(fields, base64) ? base64 : plain;
    return flowdb_bytes(fields->texts[field].data, fields->texts[field].size);
}

static bool resolve_expiry(const struct fl_record_fields *fields,
                           const struct fl_record_place *place, enum fl_precision precision,
                           int64_t ts, int64_t *expire_at, struct fl_http_reply *reply) {
    int64_t ttl = number(fields, FL_RECORD_TTL_SECS, 0);
    int64_t end = number(fields, FL_RECORD_EXPIRE_AT, FLOWDB_NEVER);
    if (!fl_time_read_expiry(precision, end, &end))
        return refuse(place, "expire_at", reply, "is beyond the range of microseconds");
    if (ttl < 0)
        return refuse(place, "ttl_secs", reply, "must not be negative");
    if (ttl > 0 && fl_record_fields_has(fields, FL_RECORD_EXPIRE_AT))
        return refuse(place, "ttl_secs", reply, "and expire_at exclude each other");
    if (ttl > 0 && (__builtin_mul_overflow(ttl, (int64_t)US_PER_SEC, &end) ||
                    __builtin_add_overflow(ts, end, &end) || end == FLOWDB_NEVER))
        return refuse(place, "ttl_secs", reply, "ends beyond what 64 bits hold");
    *expire_at = end;
    return true;
}

bool fl_record_fields_finish(const struct fl_record_fields *fields,
                             const struct fl_record_place *place, enum fl_precision precision,
                             flowdb_record *record, struct fl_http_reply *reply) {
    flowdb_record made = {.key = text(fields, FL_RECORD_KEY, FL_RECORD_KEY_BASE64),
                          .ts = number(fields, FL_RECORD_TS, 0),
                          .value = text(fields, FL_RECORD_VALUE, FL_RECORD_VALUE_BASE64)};
    if (!fl_record_fields_has(fields, FL_RECORD_KEY) &&
        !fl_record_fields_has(fields, FL_RECORD_KEY_BASE64))
        return refuse(place, "key", reply, "is missing");
    if (made.key.size == 0)
        return refuse(place, "key", reply, "must not be empty");
    if (!fl_record_fields_has(fields, FL_RECORD_TS))
        return refuse(place, "ts", reply, "is missing");
    if (!fl_time_read(precision, made.ts, &made.ts))
        return refuse(place, "ts", reply, "is beyond the range of microseconds");
    if (!resolve_expiry(fields, place, precision, made.ts, &made.expire_at, reply))
        return false;
    *record = made;
    return true;
}
