/* Range tombstones as columns: starts as keys, ends, sequence numbers, time ranges. */
#include <stdlib.h>

#include "table/meta.h"

struct fl_tombstone_entry {
    size_t start; /* in bytes; the end follows it */
    uint32_t start_size, end_size;
    uint64_t seq;
    int64_t ts_start, ts_end;
    const uint8_t *base; /* of bytes, while they are sorted */
};

void fl_tombstones_init(struct fl_tombstones *tombstones, const struct fl_alloc *alloc) {
    tombstones->count = 0;
    fl_buffer_init(&tombstones->entries, alloc);
    fl_buffer_init(&tombstones->bytes, alloc);
}

void fl_tombstones_deinit(struct fl_tombstones *tombstones) {
    fl_buffer_deinit(&tombstones->entries);
    fl_buffer_deinit(&tombstones->bytes);
}

flowdb_status fl_tombstones_add(struct fl_tombstones *tombstones,
                                const struct fl_range_tombstone *tombstone) {
    if (tombstone->start.size > FL_KEY_MAX || tombstone->end.size > FL_KEY_MAX)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "a bound of a range tombstone is too long");
    if (tombstones->count == FL_TOMBSTONES_MAX)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "too many range tombstones for a table");
    const struct fl_tombstone_entry entry = {.start = tombstones->bytes.size,
                                             .start_size = (uint32_t)tombstone->start.size,
                                             .end_size = (uint32_t)tombstone->end.size,
                                             .seq = tombstone->seq,
                                             .ts_start = tombstone->ts_start,
                                             .ts_end = tombstone->ts_end};
    flowdb_status status =
        fl_buffer_append(&tombstones->bytes, tombstone->start.data, tombstone->start.size);
    if (status == FLOWDB_OK)
        status = fl_buffer_append(&tombstones->bytes, tombstone->end.data, tombstone->end.size);
    if (status == FLOWDB_OK)
        status = fl_buffer_append(&tombstones->entries, &entry, sizeof entry);
    if (status == FLOWDB_OK)
        tombstones->count++;
    else
        tombstones->bytes.size = entry.start;
    return status;
}

static flowdb_slice start_of(const struct fl_tombstone_entry *entry) {
    return flowdb_bytes(entry->base + entry->start, entry->start_size);
}

static int compare_entries(const void *a, const void *b) {
    const struct fl_tombstone_entry *left = a, *right = b;
    int order = fl_slice_compare(start_of(left), start_of(right));
    if (order != 0)
        return order;
    return left->seq < right->seq ? 1 : left->seq > right->seq ? -1 : 0;
}

static struct fl_tombstone_entry *sorted(struct fl_tombstones *tombstones) {
    struct fl_tombstone_entry *entries = (void *)tombstones->entries.data;
    const uint8_t *base = tombstones->bytes.data;
    if (base == NULL) /* none has a bound */
        base = (const uint8_t *)"";
    for (uint32_t i = 0; i < tombstones->count; i++)
        entries[i].base = base;
    qsort(entries, tombstones->count, sizeof *entries, compare_entries);
    return entries;
}

/* What the columns are made from. */
struct scratch {
    uint64_t *numbers;
    uint32_t *ends;
    struct fl_buffer starts;
};

static flowdb_status add_keys(struct fl_payload *payload, const struct fl_tombstone_entry *entries,
                              uint32_t count, struct scratch *scratch) {
    for (uint32_t i = 0; i < count; i++) {
        flowdb_slice start = start_of(&entries[i]);
        flowdb_status status = fl_buffer_append(&scratch->starts, start.data, start.size);
        if (status != FLOWDB_OK)
            return status;
        if (scratch->starts.size > FL_FRAME_OTHER_MAX)
            return fl_fail(FLOWDB_INVALID_ARGUMENT, "the range tombstones would be too large");
        scratch->ends[i] = (uint32_t)scratch->starts.size;
    }
    size_t prefix = fl_slice_common_prefix(start_of(&entries[0]), start_of(&entries[count - 1]));
    return fl_payload_keys(payload, scratch->starts.data, scratch->ends, count, prefix, false,
                           scratch->numbers);
}

static flowdb_status add_ends(struct fl_payload *payload, const struct fl_tombstone_entry *entries,
                              uint32_t count, uint64_t *sizes) {
    for (uint32_t i = 0; i < count; i++) {
        const struct fl_tombstone_entry *entry = &entries[i];
        flowdb_status status = fl_buffer_append(
            &payload->raw, entry->base + entry->start + entry->start_size, entry->end_size);
        if (status != FLOWDB_OK)
            return status;
        sizes[i] = entry->end_size;
    }
    fl_payload_column(payload, FL_COLUMN_ENDS, 0);
    return fl_payload_ints(payload, FL_COLUMN_END_SIZES, sizes, count);
}

static flowdb_status add_numbers(struct fl_payload *payload,
                                 const struct fl_tombstone_entry *entries, uint32_t count,
                                 uint64_t *numbers) {
    for (uint32_t i = 0; i < count; i++)
        numbers[i] = entries[i].seq;
    flowdb_status status = fl_payload_ints(payload, FL_COLUMN_SEQ, numbers, count);
    if (status != FLOWDB_OK)
        return status;
    for (uint32_t i = 0; i < count; i++)
        numbers[i] = (uint64_t)entries[i].ts_start;
    status = fl_payload_ints(payload, FL_COLUMN_TS, numbers, count);
    if (status != FLOWDB_OK)
        return status;
    for (uint32_t i = 0; i < count; i++)
        numbers[i] = (uint64_t)entries[i].ts_end - (uint64_t)entries[i].ts_start;
    return fl_payload_ints(payload, FL_COLUMN_TS_SPAN, numbers, count);
}

flowdb_status fl_tombstones_encode(struct fl_tombstones *tombstones, struct fl_packer *packer,
                                   struct fl_buffer *out, size_t *frame_size) {
    const struct fl_alloc *alloc = tombstones->entries.alloc;
    uint32_t count = tombstones->count;
    size_t size = count * (sizeof(uint64_t) + sizeof(uint32_t));
    struct scratch scratch = {.numbers = fl_allocate(alloc, size)};
    if (scratch.numbers == NULL)
        return fl_fail_memory("range tombstones", size);
    scratch.ends = (uint32_t *)(scratch.numbers + count);
    fl_buffer_init(&scratch.starts, alloc);
    struct fl_payload payload;
    fl_payload_init(&payload, alloc);
    fl_payload_begin(&payload, count, count);
    const struct fl_tombstone_entry *entries = sorted(tombstones);
    flowdb_status status = add_keys(&payload, entries, count, &scratch);
    if (status == FLOWDB_OK)
        status = add_ends(&payload, entries, count, scratch.numbers);
    if (status == FLOWDB_OK)
        status = add_numbers(&payload, entries, count, scratch.numbers);
    if (status == FLOWDB_OK)
        status = fl_payload_finish(&payload, packer, FL_FRAME_TOMBSTONES, out, frame_size);
    fl_payload_deinit(&payload);
    fl_buffer_deinit(&scratch.starts);
    fl_release(alloc, scratch.numbers);
    return status;
}

/* ----------------------------------------------------------------------------------- reading -- */

static bool decode_numbers(const struct fl_columns *columns, const uint8_t *raw, uint64_t *numbers,
                           struct fl_range_tombstone *made) {
    uint32_t count = columns->rows;
    if (!fl_columns_read(columns, raw, FL_COLUMN_SEQ, numbers, count))
        return false;
    for (uint32_t i = 0; i < count; i++)
        made[i].seq = numbers[i];
    if (!fl_columns_read(columns, raw, FL_COLUMN_TS, numbers, count))
        return false;
    for (uint32_t i = 0; i < count; i++)
        made[i].ts_start = (int64_t)numbers[i];
    if (!fl_columns_read(columns, raw, FL_COLUMN_TS_SPAN, numbers, count))
        return false;
    for (uint32_t i = 0; i < count; i++)
        made[i].ts_end = (int64_t)((uint64_t)made[i].ts_start + numbers[i]);
    return true;
}

/* Bounds are written out behind the tombstones, at `bytes`. */
static bool decode_bounds(const struct fl_columns *columns, const uint8_t *raw, uint32_t *offsets,
                          struct fl_range_tombstone *made, uint8_t *bytes) {
    const struct fl_column_slot *prefix = &columns->slots[FL_COLUMN_KEY_PREFIX];
    const struct fl_column_slot *rest = &columns->slots[FL_COLUMN_KEYS];
    const struct fl_column_slot *ends = &columns->slots[FL_COLUMN_ENDS];
    uint32_t count = columns->rows;
    if (!fl_columns_offsets(columns, raw, FL_COLUMN_KEY_SIZES, count, rest->size, offsets))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = offsets[i + 1] - offsets[i];
        made[i].start = flowdb_bytes(bytes, prefix->size + size);
        memcpy(bytes, raw + prefix->offset, prefix->size);
        memcpy(bytes + prefix->size, raw + rest->offset + offsets[i], size);
        bytes += prefix->size + size;
    }
    if (!fl_columns_offsets(columns, raw, FL_COLUMN_END_SIZES, count, ends->size, offsets))
        return false;
    memcpy(bytes, raw + ends->offset, ends->size);
    for (uint32_t i = 0; i < count; i++)
        made[i].end = flowdb_bytes(bytes + offsets[i], offsets[i + 1] - offsets[i]);
    return true;
}

static flowdb_status decode_columns(const struct fl_alloc *alloc, const struct fl_columns *columns,
                                    const uint8_t *raw, struct fl_range_tombstone **tombstones,
                                    size_t *memory) {
    uint64_t count = columns->rows;
    uint64_t bytes = count * columns->slots[FL_COLUMN_KEY_PREFIX].size +
                     columns->slots[FL_COLUMN_KEYS].size + columns->slots[FL_COLUMN_ENDS].size;
    if (bytes > FL_FRAME_OTHER_MAX)
        return fl_fail(FLOWDB_CORRUPTION, "the range tombstones are too large");
    size_t size = count * sizeof(struct fl_range_tombstone) + bytes;
    struct fl_range_tombstone *made = fl_allocate(alloc, size);
    uint64_t *scratch = fl_allocate(alloc, (count + 1) * sizeof *scratch);
    flowdb_status status = FLOWDB_OK;
    if (made == NULL || scratch == NULL)
        status = fl_fail_memory("range tombstones", size);
    else if (!decode_numbers(columns, raw, scratch, made) ||
             !decode_bounds(columns, raw, (uint32_t *)scratch, made, (uint8_t *)(made + count)))
        status = fl_fail(FLOWDB_CORRUPTION, "the columns of range tombstones do not fit together");
    if (scratch != NULL)
        fl_release(alloc, scratch);
    if (status == FLOWDB_OK) {
        *tombstones = made;
        *memory = size;
    } else if (made != NULL)
        fl_release(alloc, made);
    return status;
}

flowdb_status fl_tombstones_decode(const struct fl_alloc *alloc, struct fl_unpacker *unpacker,
                                   const struct fl_frame *frame,
                                   struct fl_range_tombstone **tombstones, size_t *count,
                                   size_t *memory) {
    struct fl_columns columns;
    struct fl_buffer buffer;
    const uint8_t *raw;
    fl_buffer_init(&buffer, alloc);
    flowdb_status status = fl_columns_parse(frame, FL_TOMBSTONES_MAX, &columns);
    if (status == FLOWDB_OK &&
        (columns.keys != columns.rows || !columns.slots[FL_COLUMN_KEYS].present ||
         !columns.slots[FL_COLUMN_ENDS].present ||
         columns.slots[FL_COLUMN_KEYS].encoding != FL_KEYS_WHOLE))
        status = fl_fail(FLOWDB_CORRUPTION, "the range tombstones lack a column");
    if (status == FLOWDB_OK)
        status = fl_frame_raw(unpacker, frame, &buffer, &raw);
    if (status == FLOWDB_OK)
        status = decode_columns(alloc, &columns, raw, tombstones, memory);
    if (status == FLOWDB_OK)
        *count = columns.rows;
    fl_buffer_deinit(&buffer);
    return status;
}
