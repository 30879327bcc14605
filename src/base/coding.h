/*
 * Integers as bytes: little-endian of fixed width, and LEB128 varints (seven bits a byte, low bits
 * first; https://en.wikipedia.org/wiki/LEB128). Readers take an end and never pass it.
 */
#ifndef FL_BASE_CODING_H
#define FL_BASE_CODING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "FlowDB's files are little-endian and are read in place; this target is not"
#endif

#define FL_VARINT_MAX 10 /* bytes of the longest varint */

static inline void fl_put_u16(void *at, uint16_t value) {
    memcpy(at, &value, sizeof value);
}
static inline void fl_put_u32(void *at, uint32_t value) {
    memcpy(at, &value, sizeof value);
}
static inline void fl_put_u64(void *at, uint64_t value) {
    memcpy(at, &value, sizeof value);
}
static inline uint16_t fl_get_u16(const void *at) {
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}
static inline uint32_t fl_get_u32(const void *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}
static inline uint64_t fl_get_u64(const void *at) {
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* The first eight bytes of a key as a number that orders as memcmp does; short keys are padded
   with zeros, so equal heads say nothing yet. */
static inline uint64_t fl_get_head(const void *bytes, size_t size) {
    uint64_t head = 0;
    if (size >= sizeof head) {
        memcpy(&head, bytes, sizeof head);
    } else if (size > 0) {
        memcpy(&head, bytes, size);
    }
    return __builtin_bswap64(head);
}

/* Signed numbers with small magnitudes as small unsigned ones. */
static inline uint64_t fl_zigzag(int64_t value) {
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}
static inline int64_t fl_unzigzag(uint64_t value) {
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* Writes at most FL_VARINT_MAX bytes; returns the first byte behind them. */
static inline uint8_t *fl_put_varint(uint8_t *at, uint64_t value) {
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

/* Returns the first byte behind the varint, or NULL where it is cut off by `end` or over 64 bits. */
static inline const uint8_t *fl_get_varint(const uint8_t *at, const uint8_t *end, uint64_t *value) {
    uint64_t result = 0;
    for (unsigned shift = 0; at < end && shift < 64; shift += 7) {
        uint8_t byte = *at++;
        if (shift == 63 && byte > 1)
            return NULL;
        result |= (uint64_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0) {
            *value = result;
            return at;
        }
    }
    return NULL;
}

#endif
