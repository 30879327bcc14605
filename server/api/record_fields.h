/*
 * A record as JSON has it, its members taken in whatever order they come. Unknown members are
 * ignored, null is the same as absent, and of one given twice the last counts.
 */
#ifndef FL_API_RECORD_FIELDS_H
#define FL_API_RECORD_FIELDS_H

#include "api/precision.h"
#include "http/reply.h"
#include "json/json_reader.h"
#include "request_limits.h"

enum fl_record_field {
    FL_RECORD_KEY,
    FL_RECORD_KEY_BASE64,
    FL_RECORD_VALUE,
    FL_RECORD_VALUE_BASE64,
    FL_RECORD_TEXTS, /* those before are texts, those after are numbers */
    FL_RECORD_TS = FL_RECORD_TEXTS,
    FL_RECORD_TTL_SECS,
    FL_RECORD_EXPIRE_AT,
    FL_RECORD_FIELDS /* how many there are; stands for a member that is none of them */
};

struct fl_record_fields {
    unsigned given; /* a bit for each field */
    int64_t numbers[FL_RECORD_FIELDS - FL_RECORD_TEXTS];
    struct fl_output texts[FL_RECORD_TEXTS]; /* decoded; the memory is kept for the next record */
};

/* Where in the body the record stands, for messages: "records[3].key …" or "key …". */
struct fl_record_place {
    bool in_list;
    size_t index;
};

void fl_record_fields_deinit(struct fl_record_fields *fields);
/* Forgets what was given, for the next record. */
void fl_record_fields_reset(struct fl_record_fields *fields);

enum fl_record_field fl_record_field_find(flowdb_slice name);

/* Takes a field's value; false, and a 400, where it is none. */
bool fl_record_fields_set(struct fl_record_fields *fields, enum fl_record_field field,
                          const struct fl_json_event *value, const struct fl_record_place *place,
                          const struct fl_limits *limits, struct fl_http_reply *reply);

static inline bool fl_record_fields_has(const struct fl_record_fields *fields,
                                        enum fl_record_field field) {
    return (fields->given & 1U << field) != 0;
}

/*
 * The record that the fields make, with slices into them and its times, which are in `precision`, in
 * microseconds: expire_at is resolved from ttl_secs, and is FLOWDB_NEVER without either. False, and a 400, where one is missing or they contradict.
 */
bool fl_record_fields_finish(const struct fl_record_fields *fields,
                             const struct fl_record_place *place, enum fl_precision precision,
                             flowdb_record *record, struct fl_http_reply *reply);

#endif
