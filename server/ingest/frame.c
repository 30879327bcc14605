#include "ingest/frame.h"

#include <endian.h>

static uint16_t get_u16(const uint8_t *bytes) {
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t get_u32(const uint8_t *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return be32toh(value);
}

static int64_t get_i64(const uint8_t *bytes) {
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return (int64_t)be64toh(value);
}

const char *fl_frame_fault_name(enum fl_frame_fault fault) {
    static const char *const names[FL_FRAME_FAULTS] = {[FL_FRAME_FINE] = "none",
                                                       [FL_FRAME_BAD_MAGIC] = "bad_magic",
                                                       [FL_FRAME_BAD_VERSION] = "bad_version",
                                                       [FL_FRAME_TRUNCATED] = "truncated",
                                                       [FL_FRAME_TRAILING] = "trailing",
                                                       [FL_FRAME_LIMIT] = "limit"};
    return names[fault];
}

enum fl_frame_fault fl_frame_read_head(const uint8_t *bytes, size_t size,
                                       struct fl_frame_head *head) {
    if (size > 0 && bytes[0] != FL_FRAME_MAGIC)
        return FL_FRAME_BAD_MAGIC;
    if (size > 1 && bytes[1] != 1 && bytes[1] != 2)
        return FL_FRAME_BAD_VERSION;
    if (size < 2)
        return FL_FRAME_TRUNCATED;
    head->version = bytes[1];
    head->size = head->version == 1 ? FL_FRAME_V1_HEADER : FL_FRAME_V2_HEADER;
    if (size < head->size)
        return FL_FRAME_TRUNCATED;
    head->count = get_u16(bytes + 2);
    head->sent_at = head->version == 2 ? get_i64(bytes + FL_FRAME_SENT_AT) : 0;
    return FL_FRAME_FINE;
}

/* ts + ttl; false where that is beyond an int64. */
static bool expiry(int64_t ts, uint32_t ttl, int64_t *expire_at) {
    *expire_at = FLOWDB_NEVER;
    return ttl == 0 || !__builtin_add_overflow(ts, (int64_t)ttl * 1000000, expire_at);
}

enum fl_frame_fault fl_frame_read_record(const uint8_t *bytes, size_t size,
                                         const struct fl_limits *limits, flowdb_record *record,
                                         size_t *used, const char **why) {
    enum { FIXED = 8 + 4 + 2 }; /* between key and value */
    if (size < 2)
        return FL_FRAME_TRUNCATED;
    size_t key_size = get_u16(bytes);
    if (size < 2 + key_size + FIXED)
        return FL_FRAME_TRUNCATED;
    const uint8_t *fixed = bytes + 2 + key_size;
    size_t value_size = get_u16(fixed + 12);
    *used = 2 + key_size + FIXED + value_size;
    if (size < *used)
        return FL_FRAME_TRUNCATED;
    record->key = flowdb_bytes(bytes + 2, key_size);
    record->ts = get_i64(fixed);
    record->value = flowdb_bytes(fixed + FIXED, value_size);
    *why = key_size == 0                          ? "the key is empty"
           : key_size > limits->max_key_bytes     ? "the key is longer than max_key_bytes"
           : value_size > limits->max_value_bytes ? "the value is longer than max_value_bytes"
           : !expiry(record->ts, get_u32(fixed + 8), &record->expire_at)
               ? "ts + ttl is beyond the range of a timestamp"
               : NULL;
    return *why == NULL ? FL_FRAME_FINE : FL_FRAME_LIMIT;
}

enum fl_frame_fault fl_frame_check(const uint8_t *bytes, size_t size,
                                   const struct fl_limits *limits, struct fl_frame_head *head) {
    enum fl_frame_fault fault = fl_frame_read_head(bytes, size, head);
    size_t at = fault == FL_FRAME_FINE ? head->size : 0;
    for (size_t i = 0; fault == FL_FRAME_FINE && i < head->count; i++) {
        flowdb_record record;
        size_t used;
        const char *why;
        fault = fl_frame_read_record(bytes + at, size - at, limits, &record, &used, &why);
        at += fault == FL_FRAME_FINE ? used : 0;
    }
    return fault == FL_FRAME_FINE && at < size ? FL_FRAME_TRAILING : fault;
}

flowdb_status fl_frame_add(const uint8_t *bytes, size_t size, const struct fl_limits *limits,
                           int64_t now_us, flowdb_batch *batch, uint64_t *expired) {
    struct fl_frame_head head;
    flowdb_status status = FLOWDB_OK;
    if (fl_frame_read_head(bytes, size, &head) != FL_FRAME_FINE)
        return FLOWDB_INVALID_ARGUMENT;
    size_t at = head.size;
    for (size_t i = 0; i < head.count && status == FLOWDB_OK; i++) {
        flowdb_record record;
        size_t used;
        const char *why;
        if (fl_frame_read_record(bytes + at, size - at, limits, &record, &used, &why) !=
            FL_FRAME_FINE)
            return FLOWDB_INVALID_ARGUMENT;
        status = flowdb_batch_put(batch, record.key, record.ts, record.expire_at, record.value);
        *expired += record.expire_at <= now_us;
        at += used;
    }
    return status;
}
