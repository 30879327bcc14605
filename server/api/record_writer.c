#include "api/api.h"
#include "text/utf8.h"

void fl_api_write_record(struct fl_json_writer *writer, const flowdb_record *record) {
    fl_json_begin_object(writer);
    if (fl_utf8_valid(record->key.data, record->key.size)) {
        fl_json_member(writer, "key");
        fl_json_string(writer, record->key);
    } else {
        fl_json_member(writer, "key_base64");
        fl_json_base64(writer, record->key);
    }
    fl_json_member(writer, "ts");
    fl_json_int(writer, record->ts);
    fl_json_member(writer, "expire_at");
    fl_json_int(writer, record->expire_at);
    fl_json_member(writer, "value");
    fl_json_base64(writer, record->value);
    fl_json_end_object(writer);
}
