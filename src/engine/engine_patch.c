/*
 * Changing a record in place.
 *
 * The record is read, and the new one made, under no lock, for a read may go to the disk. Under
 * commit_lock it is then only checked that nothing has been committed to the record since; if so, all
 * begins anew, and after a few times is done under the lock.
 */
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

/* One try. */
struct attempt {
    flowdb_slice key;
    int64_t ts;
    uint64_t hash;
    const flowdb_patch *patch;
    bool tries;                 /* as in struct fl_commit */
    bool changes;               /* an empty patch only reads */
    struct fl_version *version; /* with all that was committed up to `seq`, visible yet or not */
    uint64_t seq;
    struct fl_found found;
    struct fl_span span;
    struct fl_commit commit;
    flowdb_result result; /* where the caller wants it */
};

static void attempt_deinit(struct attempt *attempt) {
    fl_found_release(&attempt->found);
    fl_chunk_unref(attempt->span.chunk);
    fl_version_unref(attempt->version);
    flowdb_result_free(&attempt->result);
}

/* Brings the patched row into log form. */
static flowdb_status encode_patched(flowdb *db, struct attempt *attempt) {
    const struct fl_row *row = &attempt->found.row;
    size_t size = fl_entry_size_of(row->key.size, row->value.size);
    struct fl_span *span = &attempt->span;
    flowdb_status status = fl_chunk_pool_span(&db->pool, FL_WAL_FRAME_HEADER + size, span);
    if (status != FLOWDB_OK)
        return status;
    uint8_t *payload = span->data + FL_WAL_FRAME_HEADER;
    fl_entry_put(payload, FL_OP_PUT, row->key, row->ts, row->expire_at, row->value);
    attempt->commit = (struct fl_commit){.chunk = span->chunk,
                                         .frame = span->data,
                                         .payload_size = size,
                                         .payload_sum = fl_wal_payload_sum(payload, size),
                                         .charge = span->size,
                                         .hashes = &attempt->hash,
                                         .count = 1,
                                         .puts = 1,
                                         .tries = attempt->tries};
    return FLOWDB_OK;
}

/* The caller holds commit_lock. */
static void pin_all(flowdb *db, struct attempt *attempt) {
    attempt->seq = db->next_seq - 1;
    attempt->version = fl_engine_pin(db);
}

/* Reads the record and makes the new one. The answer too: nothing may fail once the write is done. */
static flowdb_status make_patched(flowdb *db, struct attempt *attempt, bool answers) {
    struct fl_found *found = &attempt->found;
    flowdb_status status =
        fl_engine_find(db, attempt->version, attempt->seq, attempt->key, attempt->ts, found);
    if (status != FLOWDB_OK)
        return status;
    if (attempt->patch->value != NULL)
        found->row.value = *attempt->patch->value;
    if (attempt->patch->expire_at != NULL)
        found->row.expire_at = *attempt->patch->expire_at;
    if (answers)
        status = fl_result_one(db->env.alloc, &found->row, &attempt->result);
    if (status == FLOWDB_OK && attempt->changes)
        status = encode_patched(db, attempt);
    return status;
}

/* Does the memtable hold anything that was committed to the record after `seq`? */
static flowdb_status look_in(struct fl_memtable *memtable, const struct attempt *attempt,
                             bool *changed) {
    struct fl_row row;
    if (fl_memtable_get(memtable, attempt->key, attempt->hash, attempt->ts, UINT64_MAX, &row) &&
        row.seq > attempt->seq)
        *changed = true;
    struct fl_memtable_ranges ranges;
    flowdb_status status = fl_memtable_ranges(memtable, UINT64_MAX, &ranges);
    if (status != FLOWDB_OK)
        return status;
    if (fl_memtable_ranges_seq(&ranges, attempt->key) > attempt->seq)
        *changed = true;
    fl_memtable_ranges_release(&ranges);
    return FLOWDB_OK;
}

/* Was anything committed to the record since it was read? It would be in the memtable that was active
   then, or in a later one; where that one is in a table already, the answer is that it may have. The
   caller holds commit_lock, so that memtables stay what they are. */
static flowdb_status look_for_changes(flowdb *db, const struct attempt *attempt, bool *changed) {
    struct fl_version *now = fl_engine_pin(db);
    flowdb_status status = FLOWDB_OK;
    *changed = false;
    struct fl_memtable *memtable = now->active;
    for (size_t left = now->frozen_count; status == FLOWDB_OK && !*changed; left--) {
        status = look_in(memtable, attempt, changed);
        if (memtable == attempt->version->active)
            break;
        if (left == 0) {
            *changed = true;
            break;
        }
        memtable = now->frozen[left - 1];
    }
    fl_version_unref(now);
    return status;
}

/* *changed, set in any case: another write came between, and nothing was done. */
static flowdb_status patch_beside_others(flowdb *db, struct attempt *attempt, bool answers,
                                         bool *changed) {
    *changed = false;
    flowdb_status status = FLOWDB_OK;
    if (attempt->tries)
        status = fl_engine_try_commit_lock(db);
    else
        pthread_mutex_lock(&db->commit_lock);
    if (status != FLOWDB_OK)
        return status;
    pin_all(db, attempt);
    pthread_mutex_unlock(&db->commit_lock);
    status = make_patched(db, attempt, answers);
    if (status != FLOWDB_OK || !attempt->changes)
        return status;
    size_t size = attempt->commit.payload_size;
    status = attempt->tries ? fl_engine_try_begin_commit(db, size, true)
                            : fl_engine_begin_commit(db, size, true);
    if (status != FLOWDB_OK)
        return status;
    status = look_for_changes(db, attempt, changed);
    if (status == FLOWDB_OK && !*changed)
        return fl_engine_end_commit(db, &attempt->commit);
    pthread_mutex_unlock(&db->commit_lock);
    return status;
}

/* Room for the record is made for a small one: a log may pass its size by one entry. */
static flowdb_status patch_alone(flowdb *db, struct attempt *attempt, bool answers) {
    flowdb_status status = fl_engine_begin_commit(db, 0, true);
    if (status != FLOWDB_OK)
        return status;
    pin_all(db, attempt);
    status = make_patched(db, attempt, answers);
    if (status == FLOWDB_OK && attempt->changes)
        return fl_engine_end_commit(db, &attempt->commit);
    pthread_mutex_unlock(&db->commit_lock);
    return status;
}

static flowdb_status patch_record(flowdb *db, const struct attempt *wanted,
                                  flowdb_result *updated) {
    enum { TRIES = 3 };
    flowdb_status status = FLOWDB_OK;
    bool changed = true;
    for (unsigned i = 0; changed; i++) {
        struct attempt attempt = *wanted;
        changed = i < TRIES;
        if (changed)
            status = patch_beside_others(db, &attempt, updated != NULL, &changed);
        else if (wanted->tries)
            status = fl_fail(FLOWDB_WOULD_WAIT, "others go on writing the record");
        else
            status = patch_alone(db, &attempt, updated != NULL);
        if (status == FLOWDB_OK && !changed && updated != NULL) {
            *updated = attempt.result;
            attempt.result = (flowdb_result){0};
        }
        attempt_deinit(&attempt);
        changed = changed && status == FLOWDB_OK;
    }
    return status;
}

static flowdb_status check_and_patch(flowdb *db, flowdb_slice key, int64_t ts,
                                     const flowdb_patch *patch, bool tries,
                                     flowdb_result *updated) {
    flowdb_status status = check_patch(db, key, patch);
    if (status != FLOWDB_OK)
        return status;
    struct attempt wanted = {.key = key,
                             .ts = ts,
                             .hash = fl_hash_key(key),
                             .patch = patch,
                             .tries = tries,
                             .changes = patch->value != NULL || patch->expire_at != NULL};
    if (tries && wanted.changes)
        status = fl_engine_check_waits(db, patch->value != NULL ? patch->value->size : 0);
    if (status != FLOWDB_OK)
        return status;
    struct fl_timing timing = fl_stats_begin(&db->stats, db->env.clock, FL_CALL_WRITE);
    status = patch_record(db, &wanted, updated);
    if (status == FLOWDB_WOULD_WAIT)
        fl_stats_forget(&db->stats, FL_CALL_WRITE, &timing);
    else
        fl_stats_end(&db->stats, db->env.clock, FL_CALL_WRITE, &timing);
    return status;
}

flowdb_status flowdb_patch_record(flowdb *db, flowdb_slice key, int64_t ts,
                                  const flowdb_patch *patch, flowdb_result *updated) {
    return check_and_patch(db, key, ts, patch, false, updated);
}

flowdb_status flowdb_try_patch_record(flowdb *db, flowdb_slice key, int64_t ts,
                                      const flowdb_patch *patch, flowdb_result *updated) {
    return check_and_patch(db, key, ts, patch, true, updated);
}
