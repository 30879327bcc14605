#include "base/coding.h"
#include "base/hash.h"
#include "fuzz/common/seal.h"
#include "table/frame.h"
#include "table/meta.h"

/* Seals frames one behind the other from `from` up to `to`, by the sizes that they state. */
static void seal_frames(uint8_t *file, uint64_t from, uint64_t to, uint64_t id) {
    while (to - from >= FL_FRAME_HEADER) {
        uint64_t whole =
            FL_FRAME_HEADER + fl_get_u16(file + from + 18) + (uint64_t)fl_get_u32(file + from + 8);
        if (whole > to - from)
            return;
        fl_frame_seal(file + from, (size_t)whole, id, from);
        from += whole;
    }
}

void seal_table(uint8_t *file, size_t size, uint64_t id) {
    if (size < FL_FOOTER_SIZE)
        return;
    uint8_t *footer = file + size - FL_FOOTER_SIZE;
    seal_frames(file, 0, size - FL_FOOTER_SIZE, id);
    fl_put_u64(footer + 8, id);
    fl_put_u64(footer + 16, size);
    fl_put_u32(footer + 108, (uint32_t)FL_FOOTER_SIZE);
    fl_put_u64(footer, fl_checksum(footer + 8, FL_FOOTER_SIZE - 8, id, size - FL_FOOTER_SIZE));
}
