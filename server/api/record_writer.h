/*
 * Records as an answer carries them: as one JSON object, a JSON object to a line, or CSV.
 *
 *     {"records":[{"key":"a","ts":1,"expire_at":9223372036854775807,"value":"AAE="}],"count":1}
 *
 * A key that is not UTF-8 is a "key_base64"; a value is base64, or text ("encoding=text"), and then a
 * "value_base64" where it is not UTF-8. CSV has no place for other names: there a key or text that is
 * not UTF-8, or begins with "base64:" by itself, stands as "base64:" and its base64.
 */
#ifndef FL_API_RECORD_WRITER_H
#define FL_API_RECORD_WRITER_H

#include "api/precision.h"
#include "json/json_writer.h"
#include "text/output.h"

/* In the order of the parameter's choices. */
enum fl_record_format { FL_FORMAT_JSON, FL_FORMAT_NDJSON, FL_FORMAT_CSV };

/* What an Accept header prefers of them; JSON where it names none. */
enum fl_record_format fl_record_format_accepted(flowdb_slice accept);

/* Zeroed but for the first group, which is set once. */
struct fl_record_writer {
    enum fl_record_format format;
    enum fl_precision precision;
    bool text;      /* values are text where they can be */
    bool keys_only; /* {"keys":[{"key":"a"}],"count":1} */
    /* With keys_only: adds members behind each key of what is then {"series":[...],"count":1}. */
    void (*more)(const struct fl_record_writer *writer, struct fl_json_writer *json);
    void *more_context;

    uint64_t count;
    struct fl_output key;  /* the last record's */
    struct fl_output head; /* what a record of that key begins with: series come in runs */
};

/* By the request's parameters and what it accepts. */
void fl_record_writer_init(struct fl_record_writer *writer, const struct fl_http_params *params,
                           flowdb_slice accept);
void fl_record_writer_deinit(struct fl_record_writer *writer);

/* Content-Type. */
const char *fl_record_writer_type(const struct fl_record_writer *writer);

void fl_record_writer_begin(struct fl_record_writer *writer, struct fl_output *output);
void fl_record_writer_add(struct fl_record_writer *writer, const flowdb_record *record,
                          struct fl_output *output);
/* `next`: the cursor of what follows, or an empty text. */
void fl_record_writer_end(const struct fl_record_writer *writer, flowdb_slice next,
                          struct fl_output *output);

#endif
