/* Point reads. */
#include "base/hash.h"
#include "engine/batch.h"
#include "engine/read.h"
#include "engine/result.h"

void fl_found_move(struct fl_found *to, const struct fl_found *from) {
    *to = *from;
    uintptr_t into = (uintptr_t)from->row.value.data - (uintptr_t)from->pin.text.bytes;
    if (into < sizeof from->pin.text.bytes)
        to->row.value.data = to->pin.text.bytes + into;
}

/* The newest version in memory: the memtables are ordered by age, so the first one that has any
   has the newest. */
static bool find_in_memory(const struct fl_version *version, flowdb_slice key, uint64_t hash,
                           int64_t ts, uint64_t seq, struct fl_row *row) {
    if (fl_memtable_get(version->active, key, hash, ts, seq, row))
        return true;
    for (size_t i = version->frozen_count; i-- > 0;) {
        if (fl_memtable_get(version->frozen[i], key, hash, ts, seq, row))
            return true;
    }
    return false;
}

static const struct fl_table_read read_well = {.verify_checksums = true, .fill_cache = true};

/* The table's version, if it has a newer one than what was found. */
static __attribute__((noinline)) flowdb_status find_newer(struct fl_table *table, flowdb_slice key,
                                                          uint64_t hash, int64_t ts,
                                                          struct fl_found *found) {
    struct fl_found other = {0};
    bool here = false;
    flowdb_status status =
        fl_table_get(table, key, hash, ts, &read_well, &here, &other.row, &other.pin);
    if (status != FLOWDB_OK || !here)
        return status;
    if (other.row.seq < found->row.seq) {
        fl_found_release(&other);
        return FLOWDB_OK;
    }
    fl_found_release(found);
    fl_found_move(found, &other);
    return FLOWDB_OK;
}

/* The newest version in the tables, whichever that is in: their order by largest sequence number
   only tells when none that is left can be newer. */
static flowdb_status find_in_tables(const struct fl_version *version, flowdb_slice key,
                                    uint64_t hash, int64_t ts, struct fl_found *found,
                                    bool *there) {
    flowdb_status status = FLOWDB_OK;
    for (size_t i = 0; i < version->table_count && status == FLOWDB_OK; i++) {
        struct fl_table *table = version->tables[i];
        if (!*there)
            status =
                fl_table_get(table, key, hash, ts, &read_well, there, &found->row, &found->pin);
        else if (fl_table_properties(table)->max_seq < found->row.seq)
            break;
        else
            status = find_newer(table, key, hash, ts, found);
    }
    return status;
}

flowdb_status fl_engine_covering_seq(const struct fl_version *version, flowdb_slice key,
                                     uint64_t seq, uint64_t *covering) {
    uint64_t largest = fl_skyline_seq(version->skyline, key);
    for (size_t i = 0; i <= version->frozen_count; i++) {
        struct fl_memtable *memtable =
            i < version->frozen_count ? version->frozen[i] : version->active;
        if (!fl_memtable_has_ranges(memtable))
            continue;
        struct fl_memtable_ranges ranges;
        flowdb_status status = fl_memtable_ranges(memtable, seq, &ranges);
        if (status != FLOWDB_OK)
            return status;
        largest = FL_MAX(largest, fl_memtable_ranges_seq(&ranges, key));
        fl_memtable_ranges_release(&ranges);
    }
    *covering = largest;
    return FLOWDB_OK;
}

bool fl_engine_is_live(flowdb *db, const struct fl_row *newest, uint64_t covering) {
    return newest->op == FL_OP_PUT && newest->seq > covering &&
           (newest->expire_at == FLOWDB_NEVER || newest->expire_at > fl_engine_now(db));
}

flowdb_status fl_engine_find(flowdb *db, const struct fl_version *version, uint64_t seq,
                             flowdb_slice key, int64_t ts, struct fl_found *found) {
    uint64_t hash = fl_hash_key(key), covering = 0;
    /* Clearing or copying all of *found would take longer than looking into an empty memtable. */
    found->pin.block = NULL;
    bool there = find_in_memory(version, key, hash, ts, seq, &found->row);
    flowdb_status status = FLOWDB_OK;
    if (!there)
        status = find_in_tables(version, key, hash, ts, found, &there);
    if (status == FLOWDB_OK && there)
        status = fl_engine_covering_seq(version, key, seq, &covering);
    if (status == FLOWDB_OK && there && fl_engine_is_live(db, &found->row, covering))
        return FLOWDB_OK;
    fl_found_release(found);
    return status == FLOWDB_OK ? fl_not_found("no record of this key at this time") : status;
}

flowdb_status fl_engine_check_read(const flowdb *db, flowdb_slice key, const flowdb_result *out) {
    if (db == NULL || out == NULL)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "%s is NULL", db == NULL ? "db" : "out");
    return fl_check_key(key);
}

flowdb_status flowdb_get(flowdb *db, flowdb_slice key, int64_t ts, flowdb_result *out) {
    flowdb_status status = fl_engine_check_read(db, key, out);
    if (status != FLOWDB_OK)
        return status;
    struct fl_timing timing = fl_stats_begin(&db->stats, db->env.clock, FL_CALL_GET);
    /* The version first, then the snapshot: see fl_scan_init. */
    struct fl_version *version = fl_current_enter(&db->current);
    uint64_t seq = atomic_load_explicit(&db->visible_seq, memory_order_acquire);
    struct fl_found found;
    status = fl_engine_find(db, version, seq, key, ts, &found);
    if (status == FLOWDB_OK) {
        status = fl_result_one(db->env.alloc, &found.row, out);
        fl_found_release(&found);
        fl_stats_read(&db->stats, &timing, status == FLOWDB_OK);
    }
    fl_current_leave(&db->current, version);
    fl_stats_end(&db->stats, db->env.clock, FL_CALL_GET, &timing);
    return status;
}
