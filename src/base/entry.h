/*
 * One write as bytes: what a batch collects, a log frame carries and a memtable points into.
 *
 *   op u8 | 0 u8 | key size u16 | value size u32 | ts i64 | expire_at i64 | key | value
 *
 * A range delete has its start as the key and its end as the value; the times are 0. Entries lie
 * one behind the other without padding. docs/formats/wal.md is the page for readers.
 */
#ifndef FL_BASE_ENTRY_H
#define FL_BASE_ENTRY_H

#include "base/bytes.h"
#include "base/coding.h"
#include "base/row.h"

#define FL_ENTRY_HEADER ((size_t)24)
#define FL_ENTRY_EXPIRE_AT ((size_t)16) /* where expire_at lies in an entry */

static inline size_t fl_entry_size_of(size_t key_size, size_t value_size) {
    return FL_ENTRY_HEADER + key_size + value_size;
}

static inline enum fl_op fl_entry_op(const uint8_t *entry) {
    return (enum fl_op)entry[0];
}
static inline flowdb_slice fl_entry_key(const uint8_t *entry) {
    return flowdb_bytes(entry + FL_ENTRY_HEADER, fl_get_u16(entry + 2));
}
static inline flowdb_slice fl_entry_value(const uint8_t *entry) {
    return flowdb_bytes(entry + FL_ENTRY_HEADER + fl_get_u16(entry + 2), fl_get_u32(entry + 4));
}
static inline int64_t fl_entry_ts(const uint8_t *entry) {
    return (int64_t)fl_get_u64(entry + 8);
}
static inline int64_t fl_entry_expire_at(const uint8_t *entry) {
    return (int64_t)fl_get_u64(entry + FL_ENTRY_EXPIRE_AT);
}
static inline size_t fl_entry_size(const uint8_t *entry) {
    return fl_entry_size_of(fl_get_u16(entry + 2), fl_get_u32(entry + 4));
}

/* Writes an entry whose sizes were checked; returns the first byte behind it. */
static inline uint8_t *fl_entry_put(uint8_t *at, enum fl_op op, flowdb_slice key, int64_t ts,
                                    int64_t expire_at, flowdb_slice value) {
    at[0] = (uint8_t)op;
    at[1] = 0;
    fl_put_u16(at + 2, (uint16_t)key.size);
    fl_put_u32(at + 4, (uint32_t)value.size);
    fl_put_u64(at + 8, (uint64_t)ts);
    fl_put_u64(at + FL_ENTRY_EXPIRE_AT, (uint64_t)expire_at);
    at += FL_ENTRY_HEADER;
    if (key.size > 0)
        memcpy(at, key.data, key.size);
    at += key.size;
    if (value.size > 0)
        memcpy(at, value.data, value.size);
    return at + value.size;
}

/* An empty bound is none; otherwise the start is below the end. */
static inline bool fl_entry_range_valid(const uint8_t *entry) {
    flowdb_slice start = fl_entry_key(entry), end = fl_entry_value(entry);
    return end.size <= FL_KEY_MAX &&
           (start.size == 0 || end.size == 0 || fl_slice_compare(start, end) < 0);
}

/* Is there a well-formed entry in the `left` bytes at `entry`? For bytes that come from a disk. */
static inline bool fl_entry_valid(const uint8_t *entry, size_t left) {
    if (left < FL_ENTRY_HEADER || entry[1] != 0 || fl_entry_size(entry) > left)
        return false;
    size_t key_size = fl_get_u16(entry + 2), value_size = fl_get_u32(entry + 4);
    switch (entry[0]) {
    case FL_OP_PUT:
        return key_size > 0 && value_size <= FL_VALUE_MAX;
    case FL_OP_DELETE:
        return key_size > 0 && value_size == 0;
    case FL_OP_DELETE_RANGE:
        return fl_entry_range_valid(entry);
    default:
        return false;
    }
}

#endif
