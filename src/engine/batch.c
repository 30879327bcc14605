#include "engine/batch.h"

#include "base/hash.h"

#define FIRST_CAPACITY ((size_t)4096)

flowdb_status fl_check_key(flowdb_slice key) {
    if (key.size == 0 || key.size > FL_KEY_MAX)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "key has %zu bytes, outside 1..%zu", key.size,
                       FL_KEY_MAX);
    if (key.data == NULL)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "key is NULL with a size of %zu", key.size);
    return FLOWDB_OK;
}

flowdb_status fl_check_value(flowdb_slice value) {
    if (value.size > FL_VALUE_MAX)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "value has %zu bytes, outside 0..%zu", value.size,
                       FL_VALUE_MAX);
    if (value.data == NULL && value.size > 0)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "value is NULL with a size of %zu", value.size);
    return FLOWDB_OK;
}

flowdb_status fl_check_range(flowdb_slice start, flowdb_slice end) {
    if (start.size > FL_KEY_MAX || end.size > FL_KEY_MAX)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "%s has %zu bytes, outside 0..%zu",
                       start.size > FL_KEY_MAX ? "start" : "end", FL_MAX(start.size, end.size),
                       FL_KEY_MAX);
    if ((start.data == NULL && start.size > 0) || (end.data == NULL && end.size > 0))
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "%s is NULL with a size above 0",
                       start.data == NULL && start.size > 0 ? "start" : "end");
    if (end.size > 0 && start.size > 0 && fl_slice_compare(start, end) >= 0)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "start is not below end: the range is empty");
    return FLOWDB_OK;
}

flowdb_batch *fl_batch_create(const struct fl_alloc *alloc) {
    flowdb_batch *batch = fl_allocate_zeroed(alloc, 1, sizeof *batch);
    if (batch == NULL)
        fl_fail_memory("a batch", sizeof *batch);
    else
        batch->alloc = alloc;
    return batch;
}

flowdb_batch *flowdb_batch_create(void) {
    return fl_batch_create(fl_alloc_system());
}

void flowdb_batch_destroy(flowdb_batch *batch) {
    if (batch == NULL)
        return;
    fl_release(batch->alloc, batch->data);
    fl_release(batch->alloc, batch->hashes);
    fl_release(batch->alloc, batch);
}

void flowdb_batch_clear(flowdb_batch *batch) {
    if (batch == NULL)
        return;
    batch->size = batch->data != NULL ? FL_WAL_FRAME_HEADER : 0;
    batch->count = batch->puts = 0;
}

size_t flowdb_batch_count(const flowdb_batch *batch) {
    return batch != NULL ? batch->count : 0;
}

static flowdb_status reserve_bytes(flowdb_batch *batch, size_t more) {
    size_t used = FL_MAX(batch->size, FL_WAL_FRAME_HEADER);
    if (batch->data != NULL && more <= batch->capacity - used)
        return FLOWDB_OK;
    if (more > FL_BATCH_MAX || used - FL_WAL_FRAME_HEADER > FL_BATCH_MAX - more)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "the batch would encode to %zu bytes, above %zu",
                       used - FL_WAL_FRAME_HEADER + more, FL_BATCH_MAX);
    size_t largest = FL_BATCH_MAX + FL_WAL_FRAME_HEADER;
    size_t capacity = FL_MAX(FL_MAX(used + more, batch->capacity * 2), FIRST_CAPACITY);
    capacity = FL_MIN(capacity, largest);
    uint8_t *data = fl_reallocate(batch->alloc, batch->data, capacity);
    if (data == NULL)
        return fl_fail_memory("a batch", capacity);
    batch->data = data;
    batch->capacity = capacity;
    batch->size = used;
    return FLOWDB_OK;
}

static flowdb_status reserve_hash(flowdb_batch *batch) {
    if (batch->count < batch->hash_capacity)
        return FLOWDB_OK;
    uint32_t capacity = FL_MAX(batch->hash_capacity * 2, UINT32_C(128));
    uint64_t *hashes = fl_reallocate(batch->alloc, batch->hashes, capacity * sizeof *hashes);
    if (hashes == NULL)
        return fl_fail_memory("a batch", capacity * sizeof *hashes);
    batch->hashes = hashes;
    batch->hash_capacity = capacity;
    return FLOWDB_OK;
}

static flowdb_status add(flowdb_batch *batch, enum fl_op op, flowdb_slice key, int64_t ts,
                         int64_t expire_at, flowdb_slice value) {
    size_t size = fl_entry_size_of(key.size, value.size);
    flowdb_status status = reserve_bytes(batch, size);
    if (status == FLOWDB_OK)
        status = reserve_hash(batch);
    if (status != FLOWDB_OK)
        return status;
    fl_entry_put(batch->data + batch->size, op, key, ts, expire_at, value);
    batch->size += size;
    batch->hashes[batch->count++] = fl_hash_key(key);
    batch->puts += op == FL_OP_PUT;
    return FLOWDB_OK;
}

static flowdb_status check_batch(const flowdb_batch *batch) {
    return batch != NULL ? FLOWDB_OK : fl_fail(FLOWDB_INVALID_ARGUMENT, "batch is NULL");
}

flowdb_status flowdb_batch_put(flowdb_batch *batch, flowdb_slice key, int64_t ts, int64_t expire_at,
                               flowdb_slice value) {
    flowdb_status status = check_batch(batch);
    if (status == FLOWDB_OK)
        status = fl_check_key(key);
    if (status == FLOWDB_OK)
        status = fl_check_value(value);
    return status == FLOWDB_OK ? add(batch, FL_OP_PUT, key, ts, expire_at, value) : status;
}

flowdb_status flowdb_batch_delete(flowdb_batch *batch, flowdb_slice key, int64_t ts) {
    flowdb_status status = check_batch(batch);
    if (status == FLOWDB_OK)
        status = fl_check_key(key);
    return status == FLOWDB_OK ? add(batch, FL_OP_DELETE, key, ts, FLOWDB_NEVER, (flowdb_slice){0})
                               : status;
}

flowdb_status flowdb_batch_delete_range(flowdb_batch *batch, flowdb_slice start, flowdb_slice end) {
    flowdb_status status = check_batch(batch);
    if (status == FLOWDB_OK)
        status = fl_check_range(start, end);
    return status == FLOWDB_OK ? add(batch, FL_OP_DELETE_RANGE, start, 0, 0, end) : status;
}
