/* Data blocks from any bytes: refused, or read without leaving them. The input is a whole frame,
   whose checksum is not looked at. */
#include <stdlib.h>

#include "base/hash.h"
#include "table/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint64_t sink;

static void walk(const struct fl_block *block) {
    uint64_t sum = 0;
    struct fl_row row;
    struct fl_decimal_text text;
    for (uint32_t key = 0; key < block->keys; key++) {
        flowdb_slice slice = fl_block_key(block, key);
        sum += fl_hash_key(slice) + fl_block_find_key(block, slice);
        for (uint32_t at = fl_block_run(block, key); at < fl_block_run(block, key + 1); at++) {
            fl_block_row(block, key, at, &row, &text);
            sum += fl_block_find_ts(block, key, row.ts) + row.seq + (uint64_t)row.expire_at;
            sum += row.value.size < 4096 ? fl_hash_key(row.value) : 0;
        }
    }
    sink = sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fl_unpacker unpacker;
    struct fl_frame frame;
    struct fl_block *block = NULL;
    fl_unpacker_init(&unpacker, fl_alloc_system());
    if (fl_frame_parse(data, size, FL_FRAME_DATA, 0, 0, false, &frame) == FLOWDB_OK &&
        fl_block_decode(fl_alloc_system(), &unpacker, &frame, &block) == FLOWDB_OK)
        walk(block);
    fl_block_unref(block);
    fl_unpacker_deinit(&unpacker);
    return 0;
}
