#include "table/numbers.h"

void fl_numbers_clear(struct fl_numbers *numbers) {
    *numbers = (struct fl_numbers){.values = numbers->values, .odd = numbers->odd};
}

static bool fits_under(uint64_t magnitude, unsigned power) {
    return magnitude <= FL_DECIMAL_MAX / fl_decimal_power(power);
}

static uint64_t magnitude_of(uint64_t number) {
    return (int64_t)number < 0 ? 0 - number : number;
}

/* Numbers of several scales have one as multiples of the finest; only the trimmed form tells from
   such a number how many digits it was written with. */
static bool fit_scale(const struct fl_numbers *numbers, const struct fl_decimal *decimal,
                      struct fl_number *number) {
    if (!numbers->trimmed || !decimal->trimmed)
        return false;
    number->fixed = false;
    if (decimal->scale > numbers->scale) {
        number->grows = (uint8_t)(decimal->scale - numbers->scale);
        number->scale = decimal->scale;
        return fits_under(numbers->largest, number->grows);
    }
    unsigned finer = (unsigned)(numbers->scale - decimal->scale);
    if (!fits_under(magnitude_of(number->value), finer))
        return false;
    number->value *= fl_decimal_power(finer);
    return true;
}

static bool fit(const struct fl_numbers *numbers, const struct fl_decimal *decimal,
                struct fl_number *number) {
    number->value = (uint64_t)decimal->mantissa;
    number->scale = decimal->scale;
    number->fixed = !numbers->any || numbers->fixed;
    number->trimmed = (!numbers->any || numbers->trimmed) && decimal->trimmed;
    if (!numbers->any)
        return true;
    if (decimal->scale == numbers->scale && (number->fixed || number->trimmed))
        return true;
    number->scale = numbers->scale;
    return fit_scale(numbers, decimal, number);
}

void fl_numbers_offer(const struct fl_numbers *numbers, const struct fl_row *row, uint64_t before,
                      struct fl_number *number) {
    struct fl_decimal decimal;
    *number = (struct fl_number){.known = row->op == FL_OP_PUT};
    if (number->known && fl_decimal_parse(row->value, &decimal) && fit(numbers, &decimal, number))
        return;
    *number = (struct fl_number){.value = before, .odd = number->known};
}

void fl_numbers_take(struct fl_numbers *numbers, uint32_t at, const struct fl_number *number,
                     size_t value_size) {
    if (number->known) {
        uint64_t power = fl_decimal_power(number->grows);
        for (uint32_t row = 0; power > 1 && row < at; row++)
            numbers->values[row] *= power;
        uint64_t magnitude = magnitude_of(number->value);
        numbers->largest = FL_MAX(numbers->largest * power, magnitude);
        numbers->any = true;
        numbers->scale = number->scale;
        numbers->fixed = number->fixed;
        numbers->trimmed = number->trimmed;
    } else if (number->odd) {
        numbers->odd[numbers->odd_count++] = (uint16_t)at;
        numbers->odd_bytes += value_size;
    }
    numbers->values[at] = number->value;
}
