#include "table/memo.h"

#include "base/bytes.h"

/* A quarter more entries than keys: few buckets overflow. */
static uint32_t buckets_for(uint64_t keys) {
    uint64_t buckets = (keys + keys / 4) / FL_MEMO_WAYS + 1;
    return (uint32_t)FL_MIN(buckets, (uint64_t)UINT32_MAX);
}

size_t fl_memo_size(uint64_t keys) {
    return sizeof(struct fl_memo) + (size_t)buckets_for(keys) * FL_MEMO_WAYS * sizeof(uint64_t);
}

void fl_memo_init(struct fl_memo *memo, uint64_t keys) {
    memo->buckets = buckets_for(keys);
}

void fl_memo_note(struct fl_memo *memo, uint64_t hash, struct fl_memo_place place) {
    _Atomic uint64_t *bucket = fl_memo_bucket(memo, hash);
    int at = (int)(hash >> 32) & (FL_MEMO_WAYS - 1); /* goes where there is nothing better */
    for (int i = 0; i < FL_MEMO_WAYS; i++) {
        uint64_t entry = atomic_load_explicit(&bucket[i], memory_order_relaxed);
        if (entry == 0 || entry >> 44 == hash >> 44) {
            at = i;
            break;
        }
    }
    atomic_store_explicit(&bucket[at], hash >> 44 << 44 | place.block << 16 | place.key,
                          memory_order_relaxed);
}
