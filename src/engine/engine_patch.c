/* Changing a record in place: read and write under one lock. */
#include "base/hash.h"
#include "engine/batch.h"
#include "engine/read.h"
#include "engine/result.h"

static flowdb_status check_patch(flowdb *db, flowdb_slice key, const flowdb_patch *patch) {
    if (db == NULL || patch == NULL)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "%s is NULL", db == NULL ? "db" : "patch");
    flowdb_status status = fl_check_key(key);
    if (status == FLOWDB_OK && patch->value != NULL)
        status = fl_check_value(*patch->value);
    return status == FLOWDB_OK ? fl_engine_check_writable(db) : status;
}

/* Brings the patched row into log form; the caller gives the span back. */
static flowdb_status encode_patched(flowdb *db, const struct fl_row *row, struct fl_span *span,
                                    const uint64_t *hash, struct fl_commit *commit) {
    size_t size = fl_entry_size_of(row->key.size, row->value.size);
    flowdb_status status = fl_chunk_pool_span(&db->pool, FL_WAL_FRAME_HEADER + size, span);
    if (status != FLOWDB_OK)
        return status;
    uint8_t *payload = span->data + FL_WAL_FRAME_HEADER;
    fl_entry_put(payload, FL_OP_PUT, row->key, row->ts, row->expire_at, row->value);
    *commit = (struct fl_commit){.chunk = span->chunk,
                                 .frame = span->data,
                                 .payload_size = size,
                                 .payload_sum = fl_wal_payload_sum(payload, size),
                                 .charge = span->size,
                                 .hashes = hash,
                                 .count = 1,
                                 .puts = true};
    return FLOWDB_OK;
}

flowdb_status flowdb_patch_record(flowdb *db, flowdb_slice key, int64_t ts,
                                  const flowdb_patch *patch, flowdb_result *updated) {
    flowdb_status status = check_patch(db, key, patch);
    /* Room for the record is made for a small one: a log may pass its size by one entry. */
    if (status == FLOWDB_OK)
        status = fl_engine_begin_commit(db, 0, true);
    if (status != FLOWDB_OK)
        return status;

    uint64_t hash = fl_hash_key(key);
    struct fl_version *version = fl_engine_pin(db);
    struct fl_found found = {0};
    struct fl_span span = {0};
    struct fl_commit commit;
    flowdb_result result = {0};
    bool locked = true, changes = patch->value != NULL || patch->expire_at != NULL;
    /* All that was committed, whether it is visible yet or not. */
    status = fl_engine_find(db, version, db->next_seq - 1, key, ts, &found);
    if (status == FLOWDB_OK) {
        if (patch->value != NULL)
            found.row.value = *patch->value;
        if (patch->expire_at != NULL)
            found.row.expire_at = *patch->expire_at;
        /* The answer first: nothing may fail once the write is done. */
        if (updated != NULL)
            status = fl_result_one(db->env.alloc, &found.row, &result);
    }
    if (status == FLOWDB_OK && changes)
        status = encode_patched(db, &found.row, &span, &hash, &commit);
    if (status == FLOWDB_OK && changes) {
        locked = false;
        status = fl_engine_end_commit(db, &commit);
    }
    if (locked)
        pthread_mutex_unlock(&db->commit_lock);
    fl_found_release(&found);
    fl_chunk_unref(span.chunk);
    fl_version_unref(version);
    if (status == FLOWDB_OK && updated != NULL)
        *updated = result;
    else
        flowdb_result_free(&result);
    return status;
}
