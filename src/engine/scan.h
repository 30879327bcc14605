/*
 * Reading a range: the merge of all memtables and tables of a version, with everything taken out
 * that is deleted, hidden by a range tombstone, or expired.
 */
#ifndef FL_ENGINE_SCAN_H
#define FL_ENGINE_SCAN_H

#include "engine/engine.h"
#include "merge/merge.h"

/* One thread. Holds a version from init to deinit. */
struct fl_scan {
    flowdb *db;
    struct fl_version *version;
    uint64_t seq;            /* the snapshot */
    int64_t now_us;          /* expiry is judged at this time */
    struct fl_bounds bounds; /* slices owned: in `keys` */
    uint8_t *keys;
    struct fl_merge merge;
    struct fl_memtable_ranges *ranges; /* of the memtables that have any */
    size_t range_count;
    bool hides; /* are there range tombstones, here or in the version? */
    /* The largest sequence number of a range tombstone that covers the key last looked at. */
    uint64_t hidden_seq;
    struct fl_buffer hidden_key;
    bool hidden_known;
    bool (*interrupt)(void *context); /* as in flowdb_read_options; NULL: none */
    void *interrupt_context;
    uint32_t passed; /* rows that were not live */
};

/* Pins a version. The bounds' slices are copied. The scan must be sought before the first row. */
flowdb_status fl_scan_init(struct fl_scan *scan, flowdb *db, const struct fl_bounds *bounds,
                           const struct fl_table_read *read);
void fl_scan_deinit(struct fl_scan *scan); /* safe on a zeroed one */

/* Moves to the first live row at or after (key, ts) in the direction of the bounds; an empty key is
   the start. *row is NULL at the end; it is valid until the next call. */
flowdb_status fl_scan_seek(struct fl_scan *scan, flowdb_slice key, int64_t ts,
                           const struct fl_row **row);
/* From the merge's current row on, the first that is live. */
flowdb_status fl_scan_settle(struct fl_scan *scan, const struct fl_row **row);
/* Moves to the next live row. There must be a current one. */
static inline flowdb_status fl_scan_next(struct fl_scan *scan, const struct fl_row **row) {
    flowdb_status status = fl_merge_next(&scan->merge);
    if (status != FLOWDB_OK)
        return status;
    /* Inline, because most rows are live and calls cost more than to see that. */
    const struct fl_row *next = fl_merge_row(&scan->merge);
    if (next == NULL || next->op != FL_OP_PUT || next->expire_at <= scan->now_us || scan->hides)
        return fl_scan_settle(scan, row);
    *row = next;
    return FLOWDB_OK;
}

/* As fl_source_take, of rows that are live; the current one, which is live, must not be used after. */
static inline size_t fl_scan_take(struct fl_scan *scan, size_t most, struct fl_stretch *stretch) {
    return scan->hides ? 0 : fl_merge_take(&scan->merge, most, stretch);
}

/* ---- range.c ---- */

/* The bounds of a public range. `successor` (FL_KEY_MAX bytes) holds a prefix's upper bound. */
flowdb_status fl_range_bounds(const flowdb_range *range, bool reverse, uint8_t *successor,
                              struct fl_bounds *bounds);

#endif
