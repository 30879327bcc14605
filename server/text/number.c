#include "text/number.h"

#include <string.h>

enum fl_number_status fl_number_parse(const char *text, size_t size, int64_t *number) {
    bool negative = size > 0 && text[0] == '-';
    size_t at = negative ? 1 : 0;
    if (at == size)
        return FL_NUMBER_MALFORMED;
    int64_t value = 0;
    bool overflow = false;
    for (; at < size; at++) {
        if (text[at] < '0' || text[at] > '9')
            return FL_NUMBER_MALFORMED;
        int digit = text[at] - '0';
        overflow = overflow || __builtin_mul_overflow(value, (int64_t)10, &value) ||
                   __builtin_add_overflow(value, negative ? -digit : digit, &value);
    }
    if (overflow)
        return FL_NUMBER_OUT_OF_RANGE;
    *number = value;
    return FL_NUMBER_OK;
}

/* Two digits at a time: a division costs more than a look-up. */
static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

char *fl_number_write(char *at, int64_t number) {
    char digits[FL_NUMBER_SIZE];
    size_t start = sizeof digits;
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    while (rest >= 100) {
        start -= 2;
        memcpy(digits + start, pairs + 2 * (rest % 100), 2);
        rest /= 100;
    }
    if (rest >= 10) {
        start -= 2;
        memcpy(digits + start, pairs + 2 * rest, 2);
    } else {
        digits[--start] = (char)('0' + rest);
    }
    if (number < 0)
        *at++ = '-';
    memcpy(at, digits + start, sizeof digits - start);
    return at + sizeof digits - start;
}

void fl_number_append(struct fl_output *output, int64_t number) {
    char *at = fl_output_reserve(output, FL_NUMBER_SIZE);
    if (at != NULL)
        output->size += (size_t)(fl_number_write(at, number) - at);
}
