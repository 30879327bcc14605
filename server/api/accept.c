#include "api/record_writer.h"

#include <strings.h>

/* In the order of the formats. */
static const char *const types[] = {"application/json", "application/x-ndjson", "text/csv"};

static bool is_space(char character) {
    return character == ' ' || character == '\t';
}

static flowdb_slice trim(const char *text, size_t size) {
    while (size > 0 && is_space(text[0]))
        text++, size--;
    while (size > 0 && is_space(text[size - 1]))
        size--;
    return flowdb_bytes(text, size);
}

/* Up to the next `separator`, which is skipped; without white space around it. */
static flowdb_slice take_part(flowdb_slice *rest, char separator) {
    const char *text = rest->data;
    const char *end = memchr(text, separator, rest->size);
    size_t size = end != NULL ? (size_t)(end - text) : rest->size;
    size_t skipped = size + (end != NULL ? 1 : 0);
    *rest = flowdb_bytes(text + skipped, rest->size - skipped);
    return trim(text, size);
}

/* A weight such as "q=0.75" in thousandths; 1000 for any other parameter. */
static unsigned weight_of(flowdb_slice parameter) {
    const char *text = parameter.data;
    unsigned weight = 0, place = 1000;
    if (parameter.size < 3 || (text[0] != 'q' && text[0] != 'Q') || text[1] != '=')
        return 1000;
    for (size_t i = 2; i < parameter.size && place > 0; i++) {
        if (text[i] >= '0' && text[i] <= '9') {
            weight += (unsigned)(text[i] - '0') * place;
            place /= 10;
        }
    }
    return weight < 1000 ? weight : 1000;
}

enum fl_record_format fl_record_format_accepted(flowdb_slice accept) {
    enum fl_record_format best = FL_FORMAT_JSON;
    unsigned best_weight = 0;
    while (accept.size > 0) {
        flowdb_slice part = take_part(&accept, ',');
        if (part.size == 0)
            continue;
        flowdb_slice type = take_part(&part, ';');
        unsigned weight = 1000;
        while (part.size > 0) {
            unsigned said = weight_of(take_part(&part, ';'));
            weight = said < weight ? said : weight;
        }
        for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
            if (weight > best_weight && strlen(types[i]) == type.size &&
                strncasecmp(types[i], type.data, type.size) == 0) {
                best = (enum fl_record_format)i;
                best_weight = weight;
            }
        }
    }
    return best;
}
