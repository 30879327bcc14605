/* The writing calls: each brings its entries into log form outside any lock, then commits. */
#include <inttypes.h>

#include "base/hash.h"
#include "engine/batch.h"

#define HASHES_ON_STACK 256

/* ts + default_ttl_secs for a record that would never expire; an overflow is an error. */
static flowdb_status resolve_expiry(const flowdb *db, size_t index, int64_t ts,
                                    int64_t *expire_at) {
    if (*expire_at != FLOWDB_NEVER || db->config.default_ttl_secs == 0)
        return FLOWDB_OK;
    int64_t ttl_us = (int64_t)db->config.default_ttl_secs * 1000000;
    if (__builtin_add_overflow(ts, ttl_us, expire_at))
        return fl_fail(FLOWDB_INVALID_ARGUMENT,
                       "record %zu: ts %" PRId64 " + default_ttl_secs %" PRIu64
                       " is beyond the range of a timestamp",
                       index, ts, db->config.default_ttl_secs);
    return FLOWDB_OK;
}

static flowdb_status check_db(const flowdb *db) {
    return db != NULL ? FLOWDB_OK : fl_fail(FLOWDB_INVALID_ARGUMENT, "db is NULL");
}

/* ---------------------------------------------------------------------------- flowdb_write -- */

static flowdb_status measure(const flowdb *db, const flowdb_record *records, size_t count,
                             size_t *size) {
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        flowdb_status status = fl_check_key(records[i].key);
        if (status == FLOWDB_OK)
            status = fl_check_value(records[i].value);
        if (status != FLOWDB_OK)
            return fl_fail_within(status, "record %zu", i);
        int64_t expire_at = records[i].expire_at;
        status = resolve_expiry(db, i, records[i].ts, &expire_at);
        if (status != FLOWDB_OK)
            return status;
        total += fl_entry_size_of(records[i].key.size, records[i].value.size);
        if (total > FL_BATCH_MAX)
            return fl_fail(FLOWDB_INVALID_ARGUMENT,
                           "record %zu: the records would encode to more than %zu bytes", i,
                           FL_BATCH_MAX);
    }
    *size = total;
    return FLOWDB_OK;
}

static void encode(const flowdb *db, const flowdb_record *records, size_t count, uint8_t *at,
                   uint64_t *hashes) {
    for (size_t i = 0; i < count; i++) {
        int64_t expire_at = records[i].expire_at;
        (void)resolve_expiry(db, i, records[i].ts, &expire_at);
        hashes[i] = fl_hash_key(records[i].key);
        at =
            fl_entry_put(at, FL_OP_PUT, records[i].key, records[i].ts, expire_at, records[i].value);
    }
}

static flowdb_status commit_records(flowdb *db, const flowdb_record *records, size_t count,
                                    size_t size, uint64_t *hashes) {
    struct fl_timing timing = fl_stats_begin(&db->stats, db->env.clock, FL_CALL_WRITE);
    struct fl_span span;
    flowdb_status status = fl_chunk_pool_span(&db->pool, FL_WAL_FRAME_HEADER + size, &span);
    if (status != FLOWDB_OK)
        return status;
    uint8_t *payload = span.data + FL_WAL_FRAME_HEADER;
    encode(db, records, count, payload, hashes);
    struct fl_commit commit = {.chunk = span.chunk,
                               .frame = span.data,
                               .payload_size = size,
                               .payload_sum = fl_wal_payload_sum(payload, size),
                               .charge = span.size,
                               .hashes = hashes,
                               .count = (uint32_t)count,
                               .puts = (uint32_t)count};
    status = fl_engine_commit(db, &commit);
    fl_chunk_unref(span.chunk);
    fl_stats_end(&db->stats, db->env.clock, FL_CALL_WRITE, &timing);
    return status;
}

flowdb_status flowdb_write(flowdb *db, const flowdb_record *records, size_t count) {
    flowdb_status status = check_db(db);
    if (status == FLOWDB_OK && records == NULL && count > 0)
        status = fl_fail(FLOWDB_INVALID_ARGUMENT, "records is NULL with a count of %zu", count);
    size_t size = 0;
    if (status == FLOWDB_OK)
        status = measure(db, records, count, &size);
    if (status == FLOWDB_OK)
        status = fl_engine_check_writable(db);
    if (status != FLOWDB_OK || count == 0)
        return status;
    uint64_t few[HASHES_ON_STACK], *hashes = few;
    if (count > HASHES_ON_STACK) {
        hashes = fl_allocate(db->env.alloc, count * sizeof *hashes);
        if (hashes == NULL)
            return fl_fail_memory("a write", count * sizeof *hashes);
    }
    status = commit_records(db, records, count, size, hashes);
    if (hashes != few)
        fl_release(db->env.alloc, hashes);
    return status;
}

/* --------------------------------------------------------------------------------- batches -- */

/* Applies default_ttl_secs to entries that lie in memory of our own. */
static flowdb_status resolve_batch(const flowdb *db, uint8_t *entries, uint32_t count) {
    if (db->config.default_ttl_secs == 0)
        return FLOWDB_OK;
    uint8_t *entry = entries;
    for (uint32_t i = 0; i < count; i++) {
        int64_t expire_at = fl_entry_expire_at(entry);
        if (fl_entry_op(entry) == FL_OP_PUT) {
            flowdb_status status = resolve_expiry(db, i, fl_entry_ts(entry), &expire_at);
            if (status != FLOWDB_OK)
                return status;
            fl_put_u64(entry + FL_ENTRY_EXPIRE_AT, (uint64_t)expire_at);
        }
        entry += fl_entry_size(entry);
    }
    return FLOWDB_OK;
}

static flowdb_status commit_batch(flowdb *db, struct fl_chunk *chunk, uint8_t *frame, size_t charge,
                                  const flowdb_batch *batch, bool tries) {
    struct fl_timing timing = fl_stats_begin(&db->stats, db->env.clock, FL_CALL_WRITE);
    size_t payload_size = batch->size - FL_WAL_FRAME_HEADER;
    uint8_t *payload = frame + FL_WAL_FRAME_HEADER;
    flowdb_status status = resolve_batch(db, payload, batch->count);
    if (status != FLOWDB_OK)
        return status;
    struct fl_commit commit = {.chunk = chunk,
                               .frame = frame,
                               .payload_size = payload_size,
                               .payload_sum = fl_wal_payload_sum(payload, payload_size),
                               .charge = charge,
                               .hashes = batch->hashes,
                               .count = batch->count,
                               .puts = batch->puts,
                               .tries = tries};
    status = fl_engine_commit(db, &commit);
    if (status == FLOWDB_WOULD_WAIT)
        fl_stats_forget(&db->stats, FL_CALL_WRITE, &timing);
    else
        fl_stats_end(&db->stats, db->env.clock, FL_CALL_WRITE, &timing);
    return status;
}

static flowdb_status check_batch_write(flowdb *db, const flowdb_batch *batch) {
    flowdb_status status = check_db(db);
    if (status == FLOWDB_OK && batch == NULL)
        status = fl_fail(FLOWDB_INVALID_ARGUMENT, "batch is NULL");
    return status == FLOWDB_OK ? fl_engine_check_writable(db) : status;
}

static flowdb_status commit_copied(flowdb *db, const flowdb_batch *batch, bool tries) {
    struct fl_span span;
    flowdb_status status = fl_chunk_pool_span(&db->pool, batch->size, &span);
    if (status != FLOWDB_OK)
        return status;
    memcpy(span.data + FL_WAL_FRAME_HEADER, batch->data + FL_WAL_FRAME_HEADER,
           batch->size - FL_WAL_FRAME_HEADER);
    status = commit_batch(db, span.chunk, span.data, span.size, batch, tries);
    fl_chunk_unref(span.chunk);
    return status;
}

flowdb_status flowdb_write_batch(flowdb *db, const flowdb_batch *batch) {
    flowdb_status status = check_batch_write(db, batch);
    return status == FLOWDB_OK && batch->count > 0 ? commit_copied(db, batch, false) : status;
}

/* With FLOWDB_WOULD_WAIT the batch is as it was, but for default_ttl_secs, which is resolved again. */
static flowdb_status commit_owned(flowdb *db, flowdb_batch *batch, bool tries) {
    /* The memory cannot change hands between allocators: tests make such batches. */
    if (batch->alloc != db->env.alloc)
        return commit_copied(db, batch, tries);
    struct fl_chunk *chunk;
    flowdb_status status = fl_chunk_pool_adopt(&db->pool, batch->data, batch->capacity, &chunk);
    if (status != FLOWDB_OK)
        return status;
    uint8_t *frame = batch->data;
    batch->data = NULL;
    status = commit_batch(db, chunk, frame, chunk->size, batch, tries);
    if (status == FLOWDB_WOULD_WAIT) {
        fl_chunk_disown(chunk);
        batch->data = frame;
        return status;
    }
    fl_chunk_unref(chunk);
    return status;
}

flowdb_status flowdb_write_batch_owned(flowdb *db, flowdb_batch *batch) {
    flowdb_status status = check_batch_write(db, batch);
    if (status == FLOWDB_OK && batch->count > 0)
        status = commit_owned(db, batch, false);
    flowdb_batch_destroy(batch);
    return status;
}

flowdb_status flowdb_try_write_batch_owned(flowdb *db, flowdb_batch *batch) {
    flowdb_status status = check_batch_write(db, batch);
    if (status == FLOWDB_OK && batch->count > 0)
        status = fl_engine_check_waits(db, batch->size);
    if (status == FLOWDB_OK && batch->count > 0)
        status = commit_owned(db, batch, true);
    if (status != FLOWDB_WOULD_WAIT)
        flowdb_batch_destroy(batch);
    return status;
}

/* ---------------------------------------------------------------------------------- single -- */

/* Commits one entry; keys and values up to the bounds. */
static flowdb_status commit_one(flowdb *db, enum fl_op op, flowdb_slice key, int64_t ts,
                                int64_t expire_at, flowdb_slice value) {
    struct fl_timing timing = fl_stats_begin(&db->stats, db->env.clock, FL_CALL_WRITE);
    size_t size = fl_entry_size_of(key.size, value.size);
    struct fl_span span;
    flowdb_status status = fl_chunk_pool_span(&db->pool, FL_WAL_FRAME_HEADER + size, &span);
    if (status != FLOWDB_OK)
        return status;
    uint8_t *payload = span.data + FL_WAL_FRAME_HEADER;
    fl_entry_put(payload, op, key, ts, expire_at, value);
    uint64_t hash = fl_hash_key(key);
    struct fl_commit commit = {.chunk = span.chunk,
                               .frame = span.data,
                               .payload_size = size,
                               .payload_sum = fl_wal_payload_sum(payload, size),
                               .charge = span.size,
                               .hashes = &hash,
                               .count = 1,
                               .puts = op == FL_OP_PUT};
    status = fl_engine_commit(db, &commit);
    fl_chunk_unref(span.chunk);
    fl_stats_end(&db->stats, db->env.clock, FL_CALL_WRITE, &timing);
    return status;
}

flowdb_status flowdb_delete(flowdb *db, flowdb_slice key, int64_t ts) {
    flowdb_status status = check_db(db);
    if (status == FLOWDB_OK)
        status = fl_check_key(key);
    if (status == FLOWDB_OK)
        status = fl_engine_check_writable(db);
    if (status != FLOWDB_OK)
        return status;
    return commit_one(db, FL_OP_DELETE, key, ts, FLOWDB_NEVER, (flowdb_slice){0});
}

flowdb_status flowdb_delete_range(flowdb *db, flowdb_slice start, flowdb_slice end) {
    flowdb_status status = check_db(db);
    if (status == FLOWDB_OK)
        status = fl_check_range(start, end);
    if (status == FLOWDB_OK)
        status = fl_engine_check_writable(db);
    if (status != FLOWDB_OK)
        return status;
    return commit_one(db, FL_OP_DELETE_RANGE, start, 0, 0, end);
}
