/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef FL_TEXT_UTF8_H
#define FL_TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a text that arrives in pieces stands. Zeroed at the start. */
struct fl_utf8 {
    uint8_t wanted;      /* continuation bytes to come; 0 = between characters */
    uint8_t least, most; /* what the next one may be */
};

/* One byte further; false where it cannot come next. */
static inline bool fl_utf8_step(struct fl_utf8 *utf8, uint8_t byte) {
    if (utf8->wanted > 0) {
        if (byte < utf8->least || byte > utf8->most)
            return false;
        utf8->wanted--;
        utf8->least = 0x80;
        utf8->most = 0xbf;
        return true;
    }
    if (byte < 0x80)
        return true;
    if (byte < 0xc2 || byte > 0xf4)
        return false;
    utf8->wanted = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    utf8->least = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
    utf8->most = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
    return true;
}

bool fl_utf8_valid(const void *bytes, size_t size);

#endif
