#include "engine/scan.h"

#include "base/hash.h"

#define INTERRUPT_EVERY 4096

static flowdb_status copy_bounds(struct fl_scan *scan, const struct fl_bounds *bounds) {
    size_t low = bounds->key_low.size;
    size_t high = bounds->key_high_kind != FL_BOUND_NONE ? bounds->key_high.size : 0;
    scan->keys = fl_allocate(scan->db->env.alloc, low + high + 1);
    if (scan->keys == NULL)
        return fl_fail_memory("a scan", low + high + 1);
    scan->bounds = *bounds;
    if (low > 0)
        memcpy(scan->keys, bounds->key_low.data, low);
    if (high > 0)
        memcpy(scan->keys + low, bounds->key_high.data, high);
    scan->bounds.key_low = flowdb_bytes(scan->keys, low);
    scan->bounds.key_high = flowdb_bytes(scan->keys + low, high);
    return FLOWDB_OK;
}

/* Takes the range tombstones of the memtables; those of the tables are in the version. */
static flowdb_status take_ranges(struct fl_scan *scan) {
    const struct fl_version *version = scan->version;
    size_t most = version->frozen_count + 1;
    scan->ranges = fl_allocate(scan->db->env.alloc, most * sizeof *scan->ranges);
    if (scan->ranges == NULL)
        return fl_fail_memory("a scan", most * sizeof *scan->ranges);
    for (size_t i = 0; i < most; i++) {
        struct fl_memtable *memtable =
            i < version->frozen_count ? version->frozen[i] : version->active;
        struct fl_memtable_ranges ranges;
        flowdb_status status = fl_memtable_ranges(memtable, scan->seq, &ranges);
        if (status != FLOWDB_OK)
            return status;
        if (ranges.skyline != NULL || ranges.rest_count > 0)
            scan->ranges[scan->range_count++] = ranges;
    }
    return FLOWDB_OK;
}

static bool holds_one_key(const struct fl_bounds *bounds) {
    return bounds->key_high_kind == FL_BOUND_INCLUSIVE && bounds->key_low.size > 0 &&
           fl_slice_equal(bounds->key_low, bounds->key_high);
}

/* Can nothing in the table be inside the bounds? */
static bool is_outside(const struct fl_scan *scan, struct fl_table *table, bool one_key,
                       uint64_t hash) {
    const struct fl_table_properties *properties = fl_table_properties(table);
    const struct fl_bounds *bounds = &scan->bounds;
    return properties->row_count == 0 || properties->min_ts > bounds->ts_high ||
           properties->max_ts < bounds->ts_low ||
           fl_bounds_above(bounds, fl_table_min_key(table)) ||
           fl_bounds_below(bounds, fl_table_max_key(table)) ||
           (one_key && !fl_table_may_contain(table, bounds->key_low, hash));
}

static flowdb_status open_sources(struct fl_scan *scan, const struct fl_table_read *read,
                                  struct fl_source **sources, size_t *count) {
    const struct fl_version *version = scan->version;
    flowdb_status status = FLOWDB_OK;
    for (size_t i = 0; i <= version->frozen_count && status == FLOWDB_OK; i++) {
        struct fl_memtable *memtable =
            i < version->frozen_count ? version->frozen[i] : version->active;
        if (fl_memtable_series(memtable) == 0)
            continue;
        status = fl_memtable_source(memtable, &scan->bounds, scan->seq, &sources[*count]);
        *count += status == FLOWDB_OK;
    }
    bool one_key = holds_one_key(&scan->bounds);
    uint64_t hash = one_key ? fl_hash_key(scan->bounds.key_low) : 0;
    for (size_t i = 0; i < version->table_count && status == FLOWDB_OK; i++) {
        if (is_outside(scan, version->tables[i], one_key, hash))
            continue;
        status = fl_table_source(version->tables[i], &scan->bounds, read, &sources[*count]);
        *count += status == FLOWDB_OK;
    }
    return status;
}

static flowdb_status init_merge(struct fl_scan *scan, const struct fl_table_read *read) {
    const struct fl_alloc *alloc = scan->db->env.alloc;
    size_t most = scan->version->frozen_count + 1 + scan->version->table_count;
    struct fl_source **sources = fl_allocate(alloc, most * sizeof(*sources));
    if (sources == NULL)
        return fl_fail_memory("a scan", most * sizeof(*sources));
    size_t count = 0;
    flowdb_status status = FLOWDB_OK;
    if (scan->bounds.ts_low <= scan->bounds.ts_high)
        status = open_sources(scan, read, sources, &count);
    if (status == FLOWDB_OK)
        return fl_merge_init(&scan->merge, alloc, sources, count, scan->bounds.reverse);
    for (size_t i = 0; i < count; i++)
        fl_source_close(sources[i]);
    fl_release(alloc, sources);
    return status;
}

flowdb_status fl_scan_init(struct fl_scan *scan, flowdb *db, const struct fl_bounds *bounds,
                           const struct fl_table_read *read) {
    *scan = (struct fl_scan){.db = db};
    fl_buffer_init(&scan->hidden_key, db->env.alloc);
    /* The version first: then whatever it holds is either visible in this snapshot or has a larger
       sequence number. */
    scan->version = fl_engine_pin(db);
    scan->seq = atomic_load_explicit(&db->visible_seq, memory_order_acquire);
    scan->now_us = fl_engine_now(db);
    flowdb_status status = copy_bounds(scan, bounds);
    if (status == FLOWDB_OK)
        status = take_ranges(scan);
    scan->hides = scan->range_count > 0 || scan->version->skyline != NULL;
    if (status == FLOWDB_OK)
        status = init_merge(scan, read);
    if (status != FLOWDB_OK)
        fl_scan_deinit(scan);
    return status;
}

void fl_scan_deinit(struct fl_scan *scan) {
    if (scan->db == NULL)
        return;
    const struct fl_alloc *alloc = scan->db->env.alloc;
    fl_merge_deinit(&scan->merge);
    for (size_t i = 0; i < scan->range_count; i++)
        fl_memtable_ranges_release(&scan->ranges[i]);
    fl_release(alloc, scan->ranges);
    fl_release(alloc, scan->keys);
    fl_buffer_deinit(&scan->hidden_key);
    fl_version_unref(scan->version);
    *scan = (struct fl_scan){0};
}

/* The range tombstones that cover the key, looked up once for each key. */
static flowdb_status hidden_seq(struct fl_scan *scan, flowdb_slice key, uint64_t *seq) {
    flowdb_slice known = flowdb_bytes(scan->hidden_key.data, scan->hidden_key.size);
    if (scan->hidden_known && fl_slice_equal(known, key)) {
        *seq = scan->hidden_seq;
        return FLOWDB_OK;
    }
    scan->hidden_known = false;
    scan->hidden_key.size = 0;
    flowdb_status status = fl_buffer_append(&scan->hidden_key, key.data, key.size);
    if (status != FLOWDB_OK)
        return status;
    uint64_t largest = fl_skyline_seq(scan->version->skyline, key);
    for (size_t i = 0; i < scan->range_count; i++)
        largest = FL_MAX(largest, fl_memtable_ranges_seq(&scan->ranges[i], key));
    scan->hidden_seq = largest;
    scan->hidden_known = true;
    *seq = largest;
    return FLOWDB_OK;
}

static flowdb_status is_live(struct fl_scan *scan, const struct fl_row *row, bool *live) {
    *live = row->op == FL_OP_PUT && row->expire_at > scan->now_us;
    if (!*live || !scan->hides)
        return FLOWDB_OK;
    uint64_t seq = 0;
    flowdb_status status = hidden_seq(scan, row->key, &seq);
    *live = seq < row->seq;
    return status;
}

/* Called for each row that is passed over. */
static flowdb_status check_interrupt(struct fl_scan *scan) {
    if (++scan->passed % INTERRUPT_EVERY == 0 && scan->interrupt != NULL &&
        scan->interrupt(scan->interrupt_context))
        return fl_fail(FLOWDB_INTERRUPTED, "the read was interrupted by its caller");
    return FLOWDB_OK;
}

/* The newest version decides: the merge has passed over the others. */
flowdb_status fl_scan_settle(struct fl_scan *scan, const struct fl_row **row) {
    const struct fl_row *candidate;
    while ((candidate = fl_merge_row(&scan->merge)) != NULL) {
        bool live;
        flowdb_status status = is_live(scan, candidate, &live);
        if (status == FLOWDB_OK && live)
            break;
        if (status == FLOWDB_OK)
            status = check_interrupt(scan);
        if (status == FLOWDB_OK)
            status = fl_merge_next(&scan->merge);
        if (status != FLOWDB_OK)
            return status;
    }
    *row = candidate;
    return FLOWDB_OK;
}

flowdb_status fl_scan_seek(struct fl_scan *scan, flowdb_slice key, int64_t ts,
                           const struct fl_row **row) {
    flowdb_status status = fl_merge_seek(&scan->merge, key, ts);
    return status == FLOWDB_OK ? fl_scan_settle(scan, row) : status;
}
