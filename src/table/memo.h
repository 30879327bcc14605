/*
 * Where keys were found: a hash table from a key's hash to the block that it was found in and its
 * place there, so that it need not be searched for again.
 *
 * A hint, no index: it holds what has been asked for, forgets one entry for another where a bucket is
 * full, and tells keys apart by a few bits of their hashes only, so that the key that lies there must
 * be compared. A table never changes, so an entry never becomes wrong. Readers add to it without a
 * lock: an entry is one word.
 */
#ifndef FL_TABLE_MEMO_H
#define FL_TABLE_MEMO_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"

#define FL_MEMO_WAYS 8 /* entries of a bucket: a cache line */
#define FL_MEMO_BLOCKS_MAX (UINT64_C(1) << 28)

/* An entry: 20 bits of hash, 28 of the block's number, 16 of the key's place in it. 0: none. */
struct fl_memo {
    uint32_t buckets;
    uint32_t unused[15]; /* buckets begin on a line where the memory does */
    _Atomic uint64_t entries[];
};

struct fl_memo_place {
    uint64_t block;
    uint32_t key;
};

/* Bytes of a memo for so many keys. */
size_t fl_memo_size(uint64_t keys);
/* In zeroed memory of that size. */
void fl_memo_init(struct fl_memo *memo, uint64_t keys);

static inline _Atomic uint64_t *fl_memo_bucket(struct fl_memo *memo, uint64_t hash) {
    return &memo->entries[((hash & UINT32_MAX) * memo->buckets >> 32) * FL_MEMO_WAYS];
}

/* A place where the key may lie; false where none is known: then *place says nothing. */
static inline bool fl_memo_find(struct fl_memo *memo, uint64_t hash, struct fl_memo_place *place) {
    const _Atomic uint64_t *bucket = fl_memo_bucket(memo, hash);
    uint64_t found = 0;
    /* Where in its bucket an entry lies, nobody can predict: all are looked at, without a branch.
       Empty ones come behind the others, so that they hide none whose bits of hash are 0 as well. */
    for (int i = FL_MEMO_WAYS; i-- > 0;) {
        uint64_t entry = atomic_load_explicit(&bucket[i], memory_order_relaxed);
        found = (entry ^ hash) >> 44 == 0 ? entry : found;
    }
    *place = (struct fl_memo_place){.block = found >> 16 & (FL_MEMO_BLOCKS_MAX - 1),
                                    .key = (uint32_t)(found & UINT16_MAX)};
    return found != 0;
}

/* Notes where the key was found. block < FL_MEMO_BLOCKS_MAX; key <= UINT16_MAX. */
void fl_memo_note(struct fl_memo *memo, uint64_t hash, struct fl_memo_place place);

#endif
