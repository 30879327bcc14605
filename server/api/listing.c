#include "api/listing.h"

#include "text/utf8.h"

/* The engine's sentences name files, and a file's name may be no text: then all of it that is not ASCII
   is '?'. */
void fl_list_item(struct fl_json_writer *writer, const char *text) {
    size_t size = strlen(text);
    if (fl_utf8_valid(text, size)) {
        fl_json_string(writer, flowdb_bytes(text, size));
        return;
    }
    struct fl_output ascii = {0};
    for (; *text != '\0'; text++)
        fl_output_append(&ascii, (unsigned char)*text < 0x80 ? text : "?", 1);
    fl_json_string(writer, flowdb_bytes(ascii.data, ascii.size));
    writer->output->failed = writer->output->failed || ascii.failed;
    fl_output_deinit(&ascii);
}

void fl_list_text(struct fl_json_writer *writer, const char *name, const char *text) {
    fl_json_member(writer, name);
    fl_list_item(writer, text);
}

#define FL_LIST_NUMBER(kind, type)                                                     \
    void fl_list_##kind(struct fl_json_writer *writer, const char *name, type value) { \
        fl_json_member(writer, name);                                                  \
        fl_json_##kind(writer, value);                                                 \
    }

FL_LIST_NUMBER(int, int64_t)
FL_LIST_NUMBER(uint, uint64_t)
FL_LIST_NUMBER(double, double)
FL_LIST_NUMBER(bool, bool)

void fl_list_fields(struct fl_json_writer *writer, const void *from,
                    const struct fl_list_field *fields, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t number;
        memcpy(&number, (const char *)from + fields[i].offset, sizeof number);
        fl_list_uint(writer, fields[i].name, number);
    }
}

void fl_list_key(struct fl_json_writer *writer, const char *name, const char *base64_name,
                 flowdb_slice key) {
    bool text = fl_utf8_valid(key.data, key.size);
    fl_json_member(writer, text ? name : base64_name);
    if (text)
        fl_json_string(writer, key);
    else
        fl_json_base64(writer, key);
}

void fl_list_begin(struct fl_json_writer *writer, const char *name) {
    fl_json_member(writer, name);
    fl_json_begin_array(writer);
}

void fl_list_end(struct fl_json_writer *writer) {
    fl_json_end_array(writer);
}
