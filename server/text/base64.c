#include "text/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void fl_base64_encode(struct fl_output *output, const void *bytes, size_t size) {
    const uint8_t *in = bytes;
    size_t encoded = (size + 2) / 3 * 4;
    char *out = fl_output_reserve(output, encoded);
    if (out == NULL || size == 0)
        return;
    for (; size >= 3; size -= 3, in += 3) {
        uint32_t group = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        *out++ = alphabet[group >> 18];
        *out++ = alphabet[group >> 12 & 63];
        *out++ = alphabet[group >> 6 & 63];
        *out++ = alphabet[group & 63];
    }
    if (size > 0) {
        uint32_t group = (uint32_t)in[0] << 16 | (size == 2 ? (uint32_t)in[1] << 8 : 0);
        *out++ = alphabet[group >> 18];
        *out++ = alphabet[group >> 12 & 63];
        *out++ = size == 2 ? alphabet[group >> 6 & 63] : '=';
        *out++ = '=';
    }
    output->size += encoded;
}

/* The six bits that a character stands for, or -1. */
static int sextet(char character) {
    if (character >= 'A' && character <= 'Z')
        return character - 'A';
    if (character >= 'a' && character <= 'z')
        return character - 'a' + 26;
    if (character >= '0' && character <= '9')
        return character - '0' + 52;
    if (character == '+')
        return 62;
    return character == '/' ? 63 : -1;
}

/* Four characters, of which the last `padding` are '=', into the upper bits of three bytes. */
static bool decode_group(const char *text, size_t padding, uint32_t *group) {
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - padding ? sextet(text[i]) : 0;
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
    }
    *group = bits;
    return true;
}

bool fl_base64_decode(struct fl_output *output, const char *text, size_t size) {
    if (size % 4 != 0)
        return false;
    if (size == 0)
        return true;
    size_t padding = 0;
    while (padding < 2 && text[size - 1 - padding] == '=')
        padding++;
    uint8_t *out = (uint8_t *)fl_output_reserve(output, fl_base64_decoded_bound(size));
    if (out == NULL)
        return true;
    uint32_t group = 0;
    for (size_t at = 0; at < size; at += 4) {
        bool last = at + 4 == size;
        if (!decode_group(text + at, last ? padding : 0, &group))
            return false;
        *out++ = (uint8_t)(group >> 16);
        *out++ = (uint8_t)(group >> 8);
        *out++ = (uint8_t)group;
    }
    if ((padding > 0 && (group & 0xff) != 0) || (padding > 1 && (group & 0xffff) != 0))
        return false;
    output->size += fl_base64_decoded_bound(size) - padding;
    return true;
}
