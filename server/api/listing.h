/* What answers that list things have in common. */
#ifndef FL_API_LISTING_H
#define FL_API_LISTING_H

#include <stddef.h>

#include "json/json_writer.h"

void fl_list_text(struct fl_json_writer *writer, const char *name, const char *text);
void fl_list_int(struct fl_json_writer *writer, const char *name, int64_t value);
void fl_list_uint(struct fl_json_writer *writer, const char *name, uint64_t value);
void fl_list_double(struct fl_json_writer *writer, const char *name, double value);
void fl_list_bool(struct fl_json_writer *writer, const char *name, bool value);
/* Members of a struct, under their own names; of any type but uint64_t they do not compile. */
struct fl_list_field {
    const char *name;
    size_t offset;
};
#define FL_LIST_FIELD(type, member) \
    { #member, _Generic(((type *)NULL)->member, uint64_t : offsetof(type, member)) }
void fl_list_fields(struct fl_json_writer *writer, const void *from,
                    const struct fl_list_field *fields, size_t count);
/* A key, or as `base64_name` where it is not UTF-8. */
void fl_list_key(struct fl_json_writer *writer, const char *name, const char *base64_name,
                 flowdb_slice key);

/* {"name":[, a text in it, and its end. */
void fl_list_begin(struct fl_json_writer *writer, const char *name);
void fl_list_item(struct fl_json_writer *writer, const char *text);
void fl_list_end(struct fl_json_writer *writer);

#endif
