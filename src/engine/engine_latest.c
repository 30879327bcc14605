/*
 * The latest record of a key.
 *
 * Each memtable and table is asked for its row with the greatest ts; the greatest of these decides,
 * the newest version where several have it. Tables are asked in order of their largest ts, so that
 * those that cannot have anything later are not asked at all. Where the row that decides is dead, the
 * next is looked for below it; where many are, a scan does it.
 */
#include "base/hash.h"
#include "engine/batch.h"
#include "engine/read.h"
#include "engine/result.h"
#include "engine/scan.h"

#define DEAD_MAX 8 /* rows that are found dead one by one */

static const struct fl_table_read read_well = {.verify_checksums = true, .fill_cache = true};

/* What is looked for, and the best so far. */
struct search {
    const struct fl_version *version;
    flowdb_slice key;
    uint64_t hash, seq;
    uint64_t covering; /* range tombstones hide what has a smaller sequence number */
    int64_t ts;        /* nothing above it */
    struct fl_found best;
    bool there;
};

static bool is_better(const struct search *search, int64_t ts, uint64_t seq) {
    const struct fl_row *best = &search->best.row;
    return !search->there || ts > best->ts || (ts == best->ts && seq > best->seq);
}

static void offer(struct search *search, struct fl_found *other) {
    if (!is_better(search, other->row.ts, other->row.seq)) {
        fl_found_release(other);
        return;
    }
    fl_found_release(&search->best);
    fl_found_move(&search->best, other);
    search->there = true;
}

static void look_in_memory(struct search *search) {
    const struct fl_version *version = search->version;
    for (size_t i = version->frozen_count + 1; i-- > 0;) {
        const struct fl_memtable *memtable =
            i < version->frozen_count ? version->frozen[i] : version->active;
        struct fl_found other = {0};
        if (fl_memtable_latest(memtable, search->key, search->hash, search->ts, search->seq,
                               &other.row))
            offer(search, &other);
    }
}

static flowdb_status look_in_table(struct search *search, struct fl_table *table) {
    const struct fl_table_properties *properties = fl_table_properties(table);
    /* All its rows of the key are hidden, or what has a newer version elsewhere. */
    if (properties->max_seq <= search->covering ||
        !is_better(search, FL_MIN(properties->max_ts, search->ts), properties->max_seq))
        return FLOWDB_OK;
    struct fl_found other = {0};
    bool here = false;
    flowdb_status status = fl_table_latest(table, search->key, search->hash, search->ts, &read_well,
                                           &here, &other.row, &other.pin);
    if (status == FLOWDB_OK && here)
        offer(search, &other);
    return status;
}

static flowdb_status look_in_tables(struct search *search) {
    const struct fl_version *version = search->version;
    flowdb_status status = FLOWDB_OK;
    for (size_t i = 0; i < version->table_count && status == FLOWDB_OK; i++) {
        struct fl_table *table = version->by_time[i];
        if (search->there && fl_table_properties(table)->max_ts < search->best.row.ts)
            break;
        status = look_in_table(search, table);
    }
    return status;
}

/* The best row that is live; *dead tells that too many were not. */
static flowdb_status find_live(flowdb *db, struct search *search, bool *dead) {
    flowdb_status status =
        fl_engine_covering_seq(search->version, search->key, search->seq, &search->covering);
    *dead = false;
    for (int i = 0; status == FLOWDB_OK; i++) {
        *dead = i == DEAD_MAX;
        if (*dead)
            break;
        search->there = false;
        look_in_memory(search);
        status = look_in_tables(search);
        if (status != FLOWDB_OK || !search->there ||
            fl_engine_is_live(db, &search->best.row, search->covering))
            return status;
        int64_t ts = search->best.row.ts;
        fl_found_release(&search->best);
        search->there = false;
        if (ts == INT64_MIN)
            return status;
        search->ts = ts - 1;
    }
    return status;
}

/* All rows of the key from the greatest ts down, on a snapshot of its own. */
static flowdb_status scan_down(flowdb *db, flowdb_slice key, flowdb_result *out) {
    const struct fl_bounds bounds = {.key_low = key,
                                     .key_high = key,
                                     .key_high_kind = FL_BOUND_INCLUSIVE,
                                     .ts_low = INT64_MIN,
                                     .ts_high = INT64_MAX,
                                     .reverse = true};
    struct fl_scan scan;
    flowdb_status status = fl_scan_init(&scan, db, &bounds, &read_well);
    if (status != FLOWDB_OK)
        return status;
    const struct fl_row *row = NULL;
    status = fl_scan_seek(&scan, (flowdb_slice){0}, 0, &row);
    if (status == FLOWDB_OK && row == NULL)
        status = fl_not_found("no record of this key");
    if (status == FLOWDB_OK)
        status = fl_result_one(db->env.alloc, row, out);
    fl_scan_deinit(&scan);
    return status;
}

flowdb_status flowdb_get_latest(flowdb *db, flowdb_slice key, flowdb_result *out) {
    flowdb_status status = fl_engine_check_read(db, key, out);
    if (status != FLOWDB_OK)
        return status;
    struct fl_timing timing = fl_stats_begin(&db->stats, db->env.clock, FL_CALL_GET);
    /* The version first, then the snapshot: see fl_scan_init. */
    struct fl_version *version = fl_current_enter(&db->current);
    struct search search = {.version = version, .key = key, .hash = fl_hash_key(key)};
    search.seq = atomic_load_explicit(&db->visible_seq, memory_order_acquire);
    search.ts = INT64_MAX;
    bool dead;
    status = find_live(db, &search, &dead);
    if (status == FLOWDB_OK && search.there)
        status = fl_result_one(db->env.alloc, &search.best.row, out);
    else if (status == FLOWDB_OK && !dead)
        status = fl_not_found("no record of this key");
    fl_found_release(&search.best);
    fl_current_leave(&db->current, version);
    if (status == FLOWDB_OK && dead)
        status = scan_down(db, key, out);
    fl_stats_read(&db->stats, &timing, status == FLOWDB_OK);
    fl_stats_end(&db->stats, db->env.clock, FL_CALL_GET, &timing);
    return status;
}
