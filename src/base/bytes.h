/* Slices compared and searched, and a buffer that grows. */
#ifndef FL_BASE_BYTES_H
#define FL_BASE_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"

#define FL_MIN(a, b) ((a) < (b) ? (a) : (b))
#define FL_MAX(a, b) ((a) > (b) ? (a) : (b))

/* As memcmp orders bytes; a prefix comes before what it is a prefix of. */
static inline int fl_slice_compare(flowdb_slice a, flowdb_slice b) {
    size_t shorter = FL_MIN(a.size, b.size);
    int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;
    if (order != 0)
        return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

/*
 * Assigns a slice by one store, for whoever copies it soon after: a load of 16 bytes that were written
 * as two halves has to wait until both have left the store buffer, which takes longer than all else
 * that a scan does for a row.
 */
static inline void fl_slice_store(flowdb_slice *to, flowdb_slice from) {
    typedef uint64_t pair __attribute__((vector_size(16), aligned(8), may_alias));
    _Static_assert(sizeof(pair) == sizeof *to, "a slice is two words");
    *(pair *)(void *)to = (pair){(uint64_t)(uintptr_t)from.data, from.size};
}

static inline bool fl_slice_equal(flowdb_slice a, flowdb_slice b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* The same for keys, most of which are of a size that needs no call. */
static inline bool fl_key_equal(flowdb_slice a, flowdb_slice b) {
    if (a.size != b.size || a.size < 8 || a.size > 16)
        return fl_slice_equal(a, b);
    uint64_t heads[2], tails[2];
    memcpy(&heads[0], a.data, 8);
    memcpy(&heads[1], b.data, 8);
    memcpy(&tails[0], (const char *)a.data + a.size - 8, 8);
    memcpy(&tails[1], (const char *)b.data + b.size - 8, 8);
    return ((heads[0] ^ heads[1]) | (tails[0] ^ tails[1])) == 0;
}

static inline bool fl_slice_starts_with(flowdb_slice slice, flowdb_slice prefix) {
    return slice.size >= prefix.size &&
           (prefix.size == 0 || memcmp(slice.data, prefix.data, prefix.size) == 0);
}

/* How many bytes a and b have in common at their start. */
size_t fl_slice_common_prefix(flowdb_slice a, flowdb_slice b);

/* Bytes that grow at the end. Zero-initialised but for `alloc`. */
struct fl_buffer {
    const struct fl_alloc *alloc;
    uint8_t *data;
    size_t size;
    size_t capacity;
};

void fl_buffer_init(struct fl_buffer *buffer, const struct fl_alloc *alloc);
void fl_buffer_deinit(struct fl_buffer *buffer);
/* Makes room for `more` bytes behind the size; FLOWDB_NO_MEMORY leaves the buffer as it was. */
flowdb_status fl_buffer_reserve(struct fl_buffer *buffer, size_t more);
flowdb_status fl_buffer_append(struct fl_buffer *buffer, const void *bytes, size_t size);
flowdb_status fl_buffer_append_varint(struct fl_buffer *buffer, uint64_t value);

/*
 * The smallest byte string above every one that starts with `prefix`: trailing 0xFF bytes dropped,
 * the last one incremented. Writes into `out` (prefix.size bytes) and returns its size; 0 where
 * there is no such string (an empty prefix, or only 0xFF).
 */
size_t fl_prefix_successor(flowdb_slice prefix, uint8_t *out);

#endif
