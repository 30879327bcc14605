/* A filter of any size holds every key that was added to it, and any bytes can be asked. */
#include <stdlib.h>

#include "base/hash.h"
#include "table/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile bool sink;

/* The input's pieces of up to 16 bytes as keys. */
static uint64_t key_hash(const uint8_t *data, size_t size, size_t at) {
    return fl_hash_key(flowdb_bytes(data + at, size - at < 16 ? size - at : 16));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    uint32_t bits = data[0] % 65;
    uint64_t keys = data[1];
    size_t bytes = fl_filter_size(keys, bits);
    if (bytes % FL_FILTER_BLOCK != 0)
        abort();
    if (bytes == 0)
        return 0;
    uint8_t *filter = calloc(1, bytes);
    if (filter == NULL)
        abort();
    for (size_t at = 2; at < size; at += 16)
        fl_filter_add(filter, bytes, key_hash(data, size, at));
    for (size_t at = 2; at < size; at += 16)
        if (!fl_filter_may_contain(filter, bytes, key_hash(data, size, at)))
            abort();
    /* Bytes that no key made. */
    for (size_t at = 0; at < bytes; at++)
        filter[at] = data[at % size];
    for (size_t at = 2; at < size; at += 16)
        sink = fl_filter_may_contain(filter, bytes, key_hash(data, size, at));
    free(filter);
    return 0;
}
