#include "config/toml.h"

#include <climits>
#include <new>
#include <sstream>
#include <string>
#include <vector>

#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

namespace {

struct reading {
    fl_toml_on_value *on_value;
    void *context;
    std::string path;
};

const char *describe(toml::node_type type) {
    switch (type) {
    case toml::node_type::floating_point:
        return "a number with a fraction";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
        return "a date or time";
    default:
        return "a list of other things than texts";
    }
}

/* A text with a NUL in it would be cut there: no setting has one. */
bool is_plain(const std::string &text) {
    return text.find('\0') == std::string::npos;
}

bool give_list(const reading &reading, const toml::array &array, unsigned line) {
    std::vector<const char *> items;
    fl_value value = {};
    value.type = FL_VALUE_LIST;
    for (const toml::node &node : array) {
        const toml::value<std::string> *text = node.as_string();
        if (text == nullptr || !is_plain(text->get())) {
            value.type = FL_VALUE_OTHER;
            value.text = describe(toml::node_type::array);
            break;
        }
        items.push_back(text->get().c_str());
    }
    value.items = items.data();
    value.count = items.size();
    return reading.on_value(reading.context, reading.path.c_str(), &value, line);
}

bool give(const reading &reading, const toml::node &node) {
    const unsigned line = node.source().begin.line;
    fl_value value = {};
    if (const toml::array *array = node.as_array())
        return give_list(reading, *array, line);
    if (const toml::value<std::string> *text = node.as_string(); text && is_plain(text->get())) {
        value.type = FL_VALUE_TEXT;
        value.text = text->get().c_str();
    } else if (const toml::value<int64_t> *integer = node.as_integer()) {
        value.type = FL_VALUE_INTEGER;
        value.integer = integer->get();
    } else if (const toml::value<bool> *boolean = node.as_boolean()) {
        value.type = FL_VALUE_BOOLEAN;
        value.boolean = boolean->get();
    } else {
        value.type = FL_VALUE_OTHER;
        value.text = node.is_string() ? "a text with a NUL in it" : describe(node.type());
    }
    return reading.on_value(reading.context, reading.path.c_str(), &value, line);
}

/* Tables are nested as deep as the library's parser allows, 256. */
bool walk(reading &reading, const toml::table &table) {
    const size_t outer = reading.path.size();
    for (const auto &[key, node] : table) {
        if (outer > 0)
            reading.path += '.';
        reading.path += key.str();
        const toml::table *inner = node.as_table();
        if (!(inner != nullptr ? walk(reading, *inner) : give(reading, node)))
            return false;
        reading.path.resize(outer);
    }
    return true;
}

void say(const toml::parse_error &failure, char *error, size_t error_size) {
    std::ostringstream text;
    text << "line " << failure.source().begin.line << ": " << failure.description();
    const std::string said = text.str();
    const size_t size = said.size() < error_size - 1 ? said.size() : error_size - 1;
    said.copy(error, size);
    error[size] = '\0';
}

} // namespace

fl_toml_status fl_toml_read(const char *text, size_t size, fl_toml_on_value *on_value,
                            void *context, char *error, size_t error_size) {
    try {
        const toml::table table = toml::parse(std::string_view(text, size));
        reading reading = {on_value, context, {}};
        return walk(reading, table) ? FL_TOML_OK : FL_TOML_STOPPED;
    } catch (const toml::parse_error &failure) {
        say(failure, error, error_size);
        return FL_TOML_MALFORMED;
    } catch (const std::bad_alloc &) {
        return FL_TOML_NO_MEMORY;
    }
}
