/*
 * A TOML file as a sequence of values. The only place that knows the library behind it, toml++, which
 * is C++ and does not show through.
 */
#ifndef FL_CONFIG_TOML_H
#define FL_CONFIG_TOML_H

#include <stdbool.h>
#include <stddef.h>

#include "config/value.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One value: `path` is its key with its tables', such as "engine.block_size". All of it is valid
   during the call. False ends the reading. */
typedef bool fl_toml_on_value(void *context, const char *path, const struct fl_value *value,
                              unsigned line);

enum fl_toml_status {
    FL_TOML_OK,
    FL_TOML_MALFORMED, /* `error` has the line and what is wrong there */
    FL_TOML_STOPPED,   /* by the callback */
    FL_TOML_NO_MEMORY
};

/* Calls back for each value, in the order of the keys. Tables are not values; an array is one. */
enum fl_toml_status fl_toml_read(const char *text, size_t size, fl_toml_on_value *on_value,
                                 void *context, char *error, size_t error_size);

#ifdef __cplusplus
}
#endif

#endif
