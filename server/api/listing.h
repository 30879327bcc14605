/* What answers that list things have in common. */
#ifndef FL_API_LISTING_H
#define FL_API_LISTING_H

#include "json/json_writer.h"

void fl_list_text(struct fl_json_writer *writer, const char *name, const char *text);
void fl_list_int(struct fl_json_writer *writer, const char *name, int64_t number);
void fl_list_uint(struct fl_json_writer *writer, const char *name, uint64_t number);
void fl_list_double(struct fl_json_writer *writer, const char *name, double number);
void fl_list_bool(struct fl_json_writer *writer, const char *name, bool value);
/* A key, or as `base64_name` where it is not UTF-8. */
void fl_list_key(struct fl_json_writer *writer, const char *name, const char *base64_name,
                 flowdb_slice key);

/* {"name":[, a text in it, and its end. */
void fl_list_begin(struct fl_json_writer *writer, const char *name);
void fl_list_item(struct fl_json_writer *writer, const char *text);
void fl_list_end(struct fl_json_writer *writer);

#endif
