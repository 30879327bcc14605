#include "table/filter.h"

#include "base/bytes.h"
#include "base/coding.h"

#define WORDS 8

/* Odd numbers that turn 32 bits of hash into eight positions of five bits. */
static const uint32_t salts[WORDS] = {0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d,
                                      0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31};

size_t fl_filter_size(uint64_t keys, uint32_t bits_per_key) {
    if (keys == 0 || bits_per_key == 0)
        return 0;
    if (keys >= FL_FILTER_MAX * 8 / bits_per_key)
        return FL_FILTER_MAX;
    uint64_t bytes = (keys * bits_per_key + 7) / 8;
    return (size_t)((bytes + FL_FILTER_BLOCK - 1) / FL_FILTER_BLOCK * FL_FILTER_BLOCK);
}

/* The upper half of the hash chooses the block, the lower one the bits in it. */
static size_t block_of(size_t size, uint64_t hash) {
    return (size_t)((hash >> 32) * (size / FL_FILTER_BLOCK) >> 32) * FL_FILTER_BLOCK;
}

static uint32_t bit_of(uint64_t hash, size_t word) {
    return UINT32_C(1) << ((uint32_t)hash * salts[word] >> 27);
}

void fl_filter_add(uint8_t *filter, size_t size, uint64_t hash) {
    uint8_t *block = filter + block_of(size, hash);
    for (size_t word = 0; word < WORDS; word++)
        fl_put_u32(block + 4 * word, fl_get_u32(block + 4 * word) | bit_of(hash, word));
}

bool fl_filter_may_contain(const uint8_t *filter, size_t size, uint64_t hash) {
    const uint8_t *block = filter + block_of(size, hash);
    uint32_t missing = 0;
    for (size_t word = 0; word < WORDS; word++)
        missing |= ~fl_get_u32(block + 4 * word) & bit_of(hash, word);
    return missing == 0;
}
