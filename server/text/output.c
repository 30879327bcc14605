#include "text/output.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 256

void fl_output_deinit(struct fl_output *output) {
    free(output->data);
    *output = (struct fl_output){0};
}

void fl_output_clear(struct fl_output *output) {
    output->size = 0;
    output->failed = false;
}

char *fl_output_reserve(struct fl_output *output, size_t size) {
    if (output->failed)
        return NULL;
    if (size <= output->capacity - output->size && output->data != NULL)
        return output->data + output->size;
    if (size > SIZE_MAX / 2 - output->size) {
        output->failed = true;
        return NULL;
    }
    size_t capacity = output->capacity > 0 ? output->capacity : FIRST_CAPACITY;
    while (capacity < output->size + size)
        capacity *= 2;
    char *data = realloc(output->data, capacity);
    if (data == NULL) {
        output->failed = true;
        return NULL;
    }
    output->data = data;
    output->capacity = capacity;
    return data + output->size;
}

void fl_output_append(struct fl_output *output, const void *bytes, size_t size) {
    char *end = fl_output_reserve(output, size);
    if (end == NULL || size == 0)
        return;
    memcpy(end, bytes, size);
    output->size += size;
}

void fl_output_append_str(struct fl_output *output, const char *text) {
    fl_output_append(output, text, strlen(text));
}

void fl_output_format(struct fl_output *output, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *at = fl_output_reserve(output, (size_t)size + 1);
    if (at == NULL)
        return;
    va_start(arguments, format);
    vsnprintf(at, (size_t)size + 1, format, arguments);
    va_end(arguments);
    output->size += (size_t)size;
}
