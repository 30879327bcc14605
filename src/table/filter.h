/*
 * A split-block Bloom filter: a key sets one bit in each of the eight 32-bit words of one 32-byte
 * block, so a probe costs one cache line. (Putze, Sanders, Singler: "Cache-, Hash- and
 * Space-Efficient Bloom Filters", 2007; the bit positions are those of the Parquet format's filter:
 * https://github.com/apache/parquet-format/blob/master/BloomFilter.md)
 */
#ifndef FL_TABLE_FILTER_H
#define FL_TABLE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FL_FILTER_BLOCK ((size_t)32)
#define FL_FILTER_MAX ((size_t)512 << 20) /* bytes; more keys than fit share fewer bits */

/* Bytes of a filter for so many keys; 0 where there is to be none. */
size_t fl_filter_size(uint64_t keys, uint32_t bits_per_key);
/* Adds a key's fl_hash_key to the `size` bytes, a multiple of FL_FILTER_BLOCK and zero at first. */
void fl_filter_add(uint8_t *filter, size_t size, uint64_t hash);
/* False is certain. */
bool fl_filter_may_contain(const uint8_t *filter, size_t size, uint64_t hash);

#endif
