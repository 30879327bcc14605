/*
 * Writing is what every read of a number costs. A scan's numbers are written many at a time: as long as
 * they have up to eight digits, which most measurements have, their digits are found side by side in
 * vectors and two stores put them around the point.
 */
#include "table/decimal.h"

#include "base/coding.h"

static const uint64_t powers[] = {1,
                                  10,
                                  100,
                                  1000,
                                  10000,
                                  100000,
                                  1000000,
                                  10000000,
                                  100000000,
                                  1000000000,
                                  10000000000,
                                  100000000000,
                                  1000000000000,
                                  10000000000000,
                                  100000000000000,
                                  1000000000000000,
                                  10000000000000000,
                                  100000000000000000,
                                  1000000000000000000};

uint64_t fl_decimal_power(unsigned power) {
    return powers[power];
}

bool fl_decimal_parse(flowdb_slice text, struct fl_decimal *decimal) {
    if (text.size == 0 || text.size > FL_DECIMAL_DIGITS + 2)
        return false;
    const uint8_t *at = text.data, *end = at + text.size, *point = NULL;
    bool negative = *at == '-';
    const uint8_t *digits = at += negative;
    uint64_t number = 0; /* 20 digits may wrap; they are refused below */
    for (; at < end; at++) {
        unsigned digit = (unsigned)*at - '0';
        if (digit <= 9)
            number = number * 10 + digit;
        else if (*at == '.' && point == NULL)
            point = at;
        else
            return false;
    }
    size_t before = (size_t)((point != NULL ? point : end) - digits);
    size_t behind = point != NULL ? (size_t)(end - point) - 1 : 0;
    if (before == 0 || (point != NULL && behind == 0) || before + behind > FL_DECIMAL_DIGITS ||
        (before > 1 && *digits == '0') || (negative && number == 0))
        return false;
    *decimal = (struct fl_decimal){.mantissa = negative ? -(int64_t)number : (int64_t)number,
                                   .scale = (uint8_t)behind,
                                   .trimmed = behind == 0 || end[-1] != '0'};
    return true;
}

/* ----------------------------------------------------------------------------- eight digits -- */

#define SMALL_DIGITS 8
#define SMALL_END UINT64_C(100000000)

/* Eight digits, each in a byte, the first one in the lowest, as halves of two digits. */
typedef uint16_t digit_pairs[SMALL_DIGITS / 2];

/*
 * Digits of `count` numbers below 10^8. Every step is a loop of the same few operations on neighbours
 * and without a branch, so that the compiler does them eight at a time. The factors are 2^45 / 10000,
 * 2^19 / 100 and 2^16 / 10, rounded up, which is exact for numbers so small.
 */
static void find_digits(const uint32_t *numbers, size_t count, digit_pairs *digits) {
    uint16_t fours[2 * FL_DECIMAL_TEXTS];
    for (size_t i = 0; i < count; i++) {
        uint32_t high = (uint32_t)(numbers[i] * UINT64_C(3518437209) >> 45);
        fours[2 * i] = (uint16_t)high;
        fours[2 * i + 1] = (uint16_t)(numbers[i] - high * 10000);
    }
    uint16_t twos[2][2 * FL_DECIMAL_TEXTS];
    for (size_t i = 0; i < 2 * count; i++) {
        uint16_t high = (uint16_t)((uint16_t)(fours[i] * 5243u >> 16) >> 3);
        twos[0][i] = high;
        twos[1][i] = (uint16_t)(fours[i] - high * 100u);
    }
    uint16_t *out = digits[0];
    for (size_t i = 0; i < 2 * count; i++) {
        uint16_t first = (uint16_t)(twos[0][i] * 6554u >> 16);
        uint16_t second = (uint16_t)(twos[1][i] * 6554u >> 16);
        out[2 * i] = (uint16_t)(first | (uint16_t)(twos[0][i] - first * 10u) << 8);
        out[2 * i + 1] = (uint16_t)(second | (uint16_t)(twos[1][i] - second * 10u) << 8);
    }
}

/* A number of eight digits, fewer than eight of them behind the point, ending at `end`. Touches
   FL_DECIMAL_SLACK bytes behind it. */
static inline flowdb_slice put_digits(uint64_t digits, bool negative, struct fl_decimal_form form,
                                      char *end) {
    unsigned scale = form.scale;
    uint64_t text = digits | UINT64_C(0x3030303030303030);
    /* The digit before the point stays, zero or not. */
    uint64_t kept = digits | UINT64_C(1) << 8 * (SMALL_DIGITS - 1 - scale);
    char *start = end - SMALL_DIGITS;
    if (scale > 0) {
        fl_put_u64(--start, text);
        fl_put_u64(end - scale - 1, '.' | text >> 8 * (SMALL_DIGITS - scale) << 8);
    } else {
        fl_put_u64(start, text);
    }
    if (form.trimmed && scale > 0) {
        unsigned zeros = (unsigned)__builtin_clzll(kept) / 8;
        end -= zeros + (zeros == scale);
    }
    start += (unsigned)__builtin_ctzll(kept) / 8;
    start[-1] = '-';
    start -= negative;
    return flowdb_bytes(start, (size_t)(end - start));
}

/* Are all numbers small? Then *small has their magnitudes. */
static bool are_small(const uint64_t *mantissas, size_t count, uint32_t *small) {
    uint64_t beyond = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t sign = 0 - (mantissas[i] >> 63), magnitude = (mantissas[i] ^ sign) - sign;
        small[i] = (uint32_t)magnitude;
        beyond |= magnitude | (magnitude + (UINT64_C(1) << 32) - SMALL_END);
    }
    return beyond >> 32 == 0;
}

static void put_small(const uint64_t *mantissas, const uint32_t *small, size_t count,
                      struct fl_decimal_form form, struct fl_decimal_texts *texts) {
    digit_pairs digits[FL_DECIMAL_TEXTS];
    find_digits(small, count, digits);
    char *end = texts->bytes;
    for (size_t i = 0; i < count; i++)
        texts->values[i] =
            put_digits(fl_get_u64(digits[i]), mantissas[i] >> 63, form, end += FL_DECIMAL_ROOM);
}

/* -------------------------------------------------------------------------------- any number -- */

static flowdb_slice put_any(uint64_t number, bool negative, struct fl_decimal_form form,
                            char *end) {
    char *at = end;
    unsigned scale = form.scale;
    for (; form.trimmed && scale > 0 && number % 10 == 0; scale--)
        number /= 10;
    for (unsigned left = scale; left > 0; left--, number /= 10)
        *--at = (char)('0' + number % 10);
    if (scale > 0)
        *--at = '.';
    do
        *--at = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    if (negative)
        *--at = '-';
    return flowdb_bytes(at, (size_t)(end - at));
}

static flowdb_slice put(int64_t mantissa, struct fl_decimal_form form, char *end) {
    bool negative = mantissa < 0;
    return put_any(negative ? 0 - (uint64_t)mantissa : (uint64_t)mantissa, negative, form, end);
}

flowdb_slice fl_decimal_format(int64_t mantissa, struct fl_decimal_form form,
                               struct fl_decimal_text *text) {
    return put(mantissa, form, text->bytes + sizeof text->bytes);
}

/* In order: what a text touches behind itself is overwritten by the next. */
void fl_decimal_format_all(const uint64_t *mantissas, size_t count, struct fl_decimal_form form,
                           struct fl_decimal_texts *texts) {
    uint32_t small[FL_DECIMAL_TEXTS];
    if (form.scale < SMALL_DIGITS && are_small(mantissas, count, small)) {
        put_small(mantissas, small, count, form, texts);
        return;
    }
    char *end = texts->bytes;
    for (size_t i = 0; i < count; i++)
        texts->values[i] = put((int64_t)mantissas[i], form, end += FL_DECIMAL_ROOM);
}
