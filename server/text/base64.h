/* Base64 with the standard alphabet and padding (RFC 4648, section 4). */
#ifndef FL_TEXT_BASE64_H
#define FL_TEXT_BASE64_H

#include "text/output.h"

void fl_base64_encode(struct fl_output *output, const void *bytes, size_t size);

/* How many bytes `size` characters decode to at the most. */
static inline size_t fl_base64_decoded_bound(size_t size) {
    return size / 4 * 3;
}

/*
 * Appends the decoded bytes. False where the text is not base64: a character outside the alphabet
 * (white space too), a length or padding that no encoder produces, or bits left over in the last
 * character, so that every byte string has exactly one accepted spelling. Out of memory is not
 * false: look at output->failed.
 */
bool fl_base64_decode(struct fl_output *output, const char *text, size_t size);

#endif
