/*
 * Bytes that grow at the end: a response's body, a decoded parameter, a record's value.
 *
 * A failed allocation is remembered, and every later append is ignored, so that a writer checks
 * once, at its end.
 */
#ifndef FL_TEXT_OUTPUT_H
#define FL_TEXT_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct fl_output {
    char *data; /* malloc'ed: may be handed on to whoever calls free */
    size_t size;
    size_t capacity;
    bool failed; /* memory ran out: what is there is incomplete */
};

void fl_output_deinit(struct fl_output *output); /* leaves it zeroed, ready for use */
/* Empties it; the memory is kept. */
void fl_output_clear(struct fl_output *output);
/* `size` free bytes at the end, to be filled and then counted in by the caller; or NULL. */
char *fl_output_reserve(struct fl_output *output, size_t size);
void fl_output_append(struct fl_output *output, const void *bytes, size_t size);
void fl_output_append_str(struct fl_output *output, const char *text);
/* As snprintf. */
void fl_output_format(struct fl_output *output, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
