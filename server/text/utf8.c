#include "text/utf8.h"

#include <string.h>

bool fl_utf8_valid(const void *bytes, size_t size) {
    const uint8_t *at = bytes;
    const uint8_t *end = size > 0 ? at + size : at; /* there may be no bytes to point to */
    struct fl_utf8 utf8 = {0};
    while (at < end) {
        uint64_t word;
        if (utf8.wanted == 0 && end - at >= (ptrdiff_t)sizeof word) {
            memcpy(&word, at, sizeof word);
            if ((word & 0x8080808080808080U) == 0) {
                at += sizeof word;
                continue;
            }
        }
        if (!fl_utf8_step(&utf8, *at++))
            return false;
    }
    return utf8.wanted == 0;
}
