/* XXH3-64 of libxxhash, inlined, under the names that the engine uses. */
#ifndef FL_BASE_HASH_H
#define FL_BASE_HASH_H

#include <flowdb/flowdb.h>

/* Inlined for a key of fixed size, its branches for other sizes make gcc see reads behind the key's
   end that cannot happen. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Warray-bounds"
#define XXH_INLINE_ALL
#include <xxhash.h>
#pragma GCC diagnostic pop

/* For hash tables and filters. Filters are stored on disk: this function is part of the format. */
static inline uint64_t fl_hash_key(flowdb_slice key) {
    return XXH3_64bits(key.data, key.size);
}

/*
 * A checksum of bytes that belong to `owner` (a file's id) at `place` (an offset in it): the same
 * bytes anywhere else do not verify. Never 0, so that a run of zeros is never a valid frame.
 */
static inline uint64_t fl_checksum(const void *data, size_t size, uint64_t owner, uint64_t place) {
    uint64_t seed = owner * UINT64_C(0x9E3779B97F4A7C15) ^ (place + UINT64_C(0xD1B54A32D192ED03));
    uint64_t sum = XXH3_64bits_withSeed(data, size, seed);
    return sum != 0 ? sum : 1;
}

#endif
