#include "text/number.h"

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

void fl_number_append(struct fl_output *output, int64_t number) {
    char digits[20];
    size_t at = sizeof digits;
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        digits[--at] = '-';
    fl_output_append(output, digits + at, sizeof digits - at);
}
