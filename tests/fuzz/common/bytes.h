/* The fuzzer's bytes as a source of choices: zeros once they are used up. */
#ifndef FUZZ_COMMON_BYTES_H
#define FUZZ_COMMON_BYTES_H

#include <flowdb/flowdb.h>
#include <stdlib.h>

struct bytes {
    const uint8_t *at, *end;
};

static inline size_t bytes_left(const struct bytes *bytes) {
    return (size_t)(bytes->end - bytes->at);
}

/* A number of so many bytes, big-endian. */
static inline uint64_t bytes_take(struct bytes *bytes, size_t size) {
    uint64_t value = 0;
    for (; size > 0 && bytes->at < bytes->end; size--)
        value = value << 8 | *bytes->at++;
    return value;
}

/* One byte's choice of so many. */
static inline unsigned bytes_below(struct bytes *bytes, unsigned bound) {
    return (unsigned)bytes_take(bytes, 1) % bound;
}

/* So many bytes, or as many as there are; borrowed. */
static inline flowdb_slice bytes_slice(struct bytes *bytes, size_t size) {
    size_t left = bytes_left(bytes);
    flowdb_slice slice = flowdb_bytes(bytes->at, size < left ? size : left);
    bytes->at += slice.size;
    return slice;
}

/* What must hold whatever the bytes are. */
static inline void expect(bool condition) {
    if (!condition)
        abort();
}

#endif
