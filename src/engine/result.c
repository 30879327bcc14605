#include "engine/result.h"

#include "base/bytes.h"

#define BLOCK_FIRST ((size_t)16 << 10)
#define BLOCK_LARGEST ((size_t)4 << 20)

/* Bytes of records. The last one to be freed is the result's owner. */
struct fl_result_block {
    const struct fl_alloc *alloc;
    struct fl_result_block *older;
    flowdb_record *records; /* an array of its own, in the owner only; else NULL */
    size_t size, used;
    uint8_t bytes[];
};

void flowdb_result_free(flowdb_result *result) {
    if (result == NULL)
        return;
    for (struct fl_result_block *block = result->owner, *older; block != NULL; block = older) {
        older = block->older;
        fl_release(block->alloc, block->records);
        fl_release(block->alloc, block);
    }
    *result = (flowdb_result){0};
}

static flowdb_slice copy_slice(uint8_t *at, flowdb_slice slice) {
    if (slice.size > 0)
        memcpy(at, slice.data, slice.size);
    return flowdb_bytes(at, slice.size);
}

/* The record of a row whose bytes are copied to `at`. */
static flowdb_record copy_row(uint8_t *at, const struct fl_row *row) {
    return (flowdb_record){.key = copy_slice(at, row->key),
                           .ts = row->ts,
                           .expire_at = row->expire_at,
                           .value = copy_slice(at + row->key.size, row->value)};
}

flowdb_status fl_result_one(const struct fl_alloc *alloc, const struct fl_row *row,
                            flowdb_result *result) {
    size_t size = sizeof(flowdb_record) + row->key.size + row->value.size;
    struct fl_result_block *block = fl_allocate(alloc, sizeof *block + size);
    if (block == NULL)
        return fl_fail_memory("a result", sizeof *block + size);
    block->alloc = alloc;
    block->older = NULL;
    block->records = NULL;
    flowdb_record *record = (flowdb_record *)(void *)block->bytes;
    *record = copy_row(block->bytes + sizeof *record, row);
    *result = (flowdb_result){.records = record, .count = 1, .owner = block};
    return FLOWDB_OK;
}

void fl_result_builder_init(struct fl_result_builder *builder, const struct fl_alloc *alloc) {
    *builder = (struct fl_result_builder){.alloc = alloc};
}

void fl_result_builder_deinit(struct fl_result_builder *builder) {
    flowdb_result result = {.owner = builder->blocks};
    flowdb_result_free(&result);
    fl_release(builder->alloc, builder->records);
    fl_result_builder_init(builder, builder->alloc);
}

static flowdb_status add_block(struct fl_result_builder *builder, size_t needed) {
    size_t size = BLOCK_FIRST;
    if (builder->blocks != NULL)
        size = FL_MIN(builder->blocks->size * 2, BLOCK_LARGEST);
    size = FL_MAX(size, needed);
    struct fl_result_block *block = fl_allocate(builder->alloc, sizeof *block + size);
    if (block == NULL)
        return fl_fail_memory("a result", sizeof *block + size);
    block->alloc = builder->alloc;
    block->older = builder->blocks;
    block->records = NULL;
    block->size = size;
    block->used = 0;
    builder->blocks = block;
    return FLOWDB_OK;
}

static flowdb_status reserve_record(struct fl_result_builder *builder) {
    if (builder->count < builder->capacity)
        return FLOWDB_OK;
    size_t capacity = FL_MAX(builder->capacity * 2, (size_t)64);
    flowdb_record *records =
        fl_reallocate(builder->alloc, builder->records, capacity * sizeof *records);
    if (records == NULL)
        return fl_fail_memory("a result", capacity * sizeof *records);
    builder->records = records;
    builder->capacity = capacity;
    return FLOWDB_OK;
}

flowdb_status fl_result_builder_add(struct fl_result_builder *builder, const struct fl_row *row) {
    size_t size = row->key.size + row->value.size;
    flowdb_status status = reserve_record(builder);
    if (status == FLOWDB_OK &&
        (builder->blocks == NULL || builder->blocks->size - builder->blocks->used < size))
        status = add_block(builder, size);
    if (status != FLOWDB_OK)
        return status;
    struct fl_result_block *block = builder->blocks;
    builder->records[builder->count++] = copy_row(block->bytes + block->used, row);
    block->used += size;
    return FLOWDB_OK;
}

flowdb_status fl_result_builder_finish(struct fl_result_builder *builder, flowdb_result *result) {
    if (builder->count == 0) {
        fl_result_builder_deinit(builder);
        *result = (flowdb_result){0};
        return FLOWDB_OK;
    }
    builder->blocks->records = builder->records;
    *result = (flowdb_result){
        .records = builder->records, .count = builder->count, .owner = builder->blocks};
    fl_result_builder_init(builder, builder->alloc);
    return FLOWDB_OK;
}
