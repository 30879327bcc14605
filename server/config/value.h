/* A value as a source of configuration gives it: a TOML file its own type, a flag or the environment a
   text. */
#ifndef FL_CONFIG_VALUE_H
#define FL_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fl_value_type {
    FL_VALUE_TEXT,
    FL_VALUE_INTEGER,
    FL_VALUE_BOOLEAN,
    FL_VALUE_LIST, /* of texts */
    FL_VALUE_WORD, /* a text that may stand for any of these: from a flag or the environment */
    FL_VALUE_OTHER /* a type that no setting has: a float, a date, a list of other things */
};

/* Borrowed. */
struct fl_value {
    enum fl_value_type type;
    const char *text; /* NUL-terminated; of FL_VALUE_OTHER what it is, such as "a date" */
    int64_t integer;
    bool boolean;
    const char *const *items;
    size_t count;
};

#endif
