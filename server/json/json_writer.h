/*
 * JSON, written straight into an output as it is named: no tree. The writer knows where commas go;
 * that brackets match is the caller's duty.
 */
#ifndef FL_JSON_JSON_WRITER_H
#define FL_JSON_JSON_WRITER_H

#include <flowdb/flowdb.h>

#include "text/output.h"

struct fl_json_writer {
    struct fl_output *output;
    bool comma; /* the next member or element follows another */
};

void fl_json_begin_object(struct fl_json_writer *writer);
void fl_json_end_object(struct fl_json_writer *writer);
void fl_json_begin_array(struct fl_json_writer *writer);
void fl_json_end_array(struct fl_json_writer *writer);
/* `name` is written as it is: it must need no escape. */
void fl_json_member(struct fl_json_writer *writer, const char *name);
/*
 * `text` must be UTF-8. Control characters, '"', '\', and what could end a script in a page ('<',
 * U+2028, U+2029) are escaped.
 */
void fl_json_string(struct fl_json_writer *writer, flowdb_slice text);
void fl_json_base64(struct fl_json_writer *writer, flowdb_slice bytes);
void fl_json_int(struct fl_json_writer *writer, int64_t number);
void fl_json_uint(struct fl_json_writer *writer, uint64_t number);
/* The shortest of 15, 16 or 17 digits that reads back the same; null for what JSON has no number for. */
void fl_json_double(struct fl_json_writer *writer, double number);
void fl_json_bool(struct fl_json_writer *writer, bool value);

#endif
