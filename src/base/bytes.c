#include "base/bytes.h"

#include "base/coding.h"

size_t fl_slice_common_prefix(flowdb_slice a, flowdb_slice b) {
    size_t shorter = FL_MIN(a.size, b.size);
    const uint8_t *left = a.data, *right = b.data;
    size_t i = 0;
    for (; i + 8 <= shorter; i += 8) {
        uint64_t difference = fl_get_u64(left + i) ^ fl_get_u64(right + i);
        if (difference != 0)
            return i + (size_t)__builtin_ctzll(difference) / 8;
    }
    while (i < shorter && left[i] == right[i])
        i++;
    return i;
}

void fl_buffer_init(struct fl_buffer *buffer, const struct fl_alloc *alloc) {
    *buffer = (struct fl_buffer){.alloc = alloc};
}

void fl_buffer_deinit(struct fl_buffer *buffer) {
    if (buffer->data != NULL)
        fl_release(buffer->alloc, buffer->data);
    *buffer = (struct fl_buffer){.alloc = buffer->alloc};
}

flowdb_status fl_buffer_reserve(struct fl_buffer *buffer, size_t more) {
    if (buffer->capacity - buffer->size >= more)
        return FLOWDB_OK;
    size_t needed;
    if (__builtin_add_overflow(buffer->size, more, &needed))
        return fl_fail_memory("a buffer", SIZE_MAX);
    size_t capacity = FL_MAX(FL_MAX(needed, buffer->capacity * 2), (size_t)64);
    uint8_t *data = fl_reallocate(buffer->alloc, buffer->data, capacity);
    if (data == NULL)
        return fl_fail_memory("a buffer", capacity);
    buffer->data = data;
    buffer->capacity = capacity;
    return FLOWDB_OK;
}

flowdb_status fl_buffer_append(struct fl_buffer *buffer, const void *bytes, size_t size) {
    flowdb_status status = fl_buffer_reserve(buffer, size);
    if (status != FLOWDB_OK)
        return status;
    if (size > 0)
        memcpy(buffer->data + buffer->size, bytes, size);
    buffer->size += size;
    return FLOWDB_OK;
}

flowdb_status fl_buffer_append_varint(struct fl_buffer *buffer, uint64_t value) {
    uint8_t bytes[FL_VARINT_MAX];
    return fl_buffer_append(buffer, bytes, (size_t)(fl_put_varint(bytes, value) - bytes));
}

size_t fl_prefix_successor(flowdb_slice prefix, uint8_t *out) {
    const uint8_t *bytes = prefix.data;
    size_t size = prefix.size;
    while (size > 0 && bytes[size - 1] == 0xFF)
        size--;
    if (size == 0)
        return 0;
    memcpy(out, bytes, size);
    out[size - 1]++;
    return size;
}
