/* GET /admin/config: the settings that are in force, and where each comes from. */
#include "api/api.h"
#include "api/listing.h"

static void write_value(struct fl_json_writer *writer, const struct fl_value *value) {
    switch (value->type) {
    case FL_VALUE_INTEGER:
        fl_list_int(writer, "value", value->integer);
        break;
    case FL_VALUE_BOOLEAN:
        fl_list_bool(writer, "value", value->boolean);
        break;
    case FL_VALUE_LIST:
        fl_list_begin(writer, "value");
        for (size_t i = 0; i < value->count; i++)
            fl_list_item(writer, value->items != NULL ? value->items[i] : value->text);
        fl_list_end(writer);
        break;
    default:
        fl_list_text(writer, "value", value->text);
    }
}

static void write_setting(void *context, const struct fl_live_setting *setting) {
    struct fl_json_writer *writer = context;
    fl_json_begin_object(writer);
    fl_list_text(writer, "name", setting->name);
    write_value(writer, &setting->value);
    fl_list_text(writer, "origin", setting->origin);
    fl_list_bool(writer, "secret", setting->secret);
    fl_list_bool(writer, "reloaded_by_sighup", setting->reloaded);
    fl_json_end_object(writer);
}

static void finish_config(struct fl_http_request *request) {
    struct fl_json_writer writer = {.output = &request->reply.body};
    request->reply.status = 200;
    fl_json_begin_object(&writer);
    fl_list_begin(&writer, "settings");
    fl_live_config_visit(fl_api_of(request)->live, write_setting, &writer);
    fl_list_end(&writer);
    fl_list_uint(&writer, "count", fl_config_count());
    fl_json_end_object(&writer);
}

const struct fl_http_handler fl_api_config = {.finish = finish_config};
