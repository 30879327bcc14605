/* flowdb_list_tables: the tables of the current version, described. */
#include "engine/observe.h"

/* What flowdb_list_tables hands out: one allocation, the pointers, descriptions and keys behind it. */
struct listing {
    const struct fl_alloc *alloc;
};

struct fl_window_id fl_engine_window(const flowdb *db, const struct fl_table *table,
                                     int64_t now_us) {
    const struct fl_table_properties *properties = fl_table_properties(table);
    int64_t max_ts = properties->row_count > 0 ? properties->max_ts : INT64_MAX;
    return fl_compaction_window(max_ts, now_us, (int64_t)db->config.time_bucket_secs * 1000000);
}

/* Where the window begins and ends; what lies outside of int64 is cut off. */
static void window_bounds(const flowdb *db, struct fl_window_id window, int64_t *start,
                          int64_t *end) {
    *start = INT64_MIN;
    *end = INT64_MAX;
    if (window.level == 0)
        return;
    int64_t length = (int64_t)db->config.time_bucket_secs * 1000000;
    for (uint32_t level = 1; level < window.level; level++)
        length *= 4; /* fl_compaction_window sees to it that this fits */
    if (__builtin_mul_overflow(window.number, length, start))
        *start = INT64_MIN;
    /* The window before it may begin below int64, but a window never ends there. */
    if (__builtin_mul_overflow(window.number + 1, length, end))
        *end = window.number < 0 ? INT64_MIN + length : INT64_MAX;
}

static flowdb_slice copy_key(flowdb_slice key, uint8_t **at) {
    if (key.size == 0)
        return (flowdb_slice){0};
    memcpy(*at, key.data, key.size);
    flowdb_slice copy = flowdb_bytes(*at, key.size);
    *at += key.size;
    return copy;
}

static void describe(const flowdb *db, const struct fl_table *table, int64_t now_us, uint8_t **keys,
                     flowdb_table *out) {
    const struct fl_table_properties *properties = fl_table_properties(table);
    struct fl_window_id window = fl_engine_window(db, table, now_us);
    *out = (flowdb_table){.id = fl_table_id(table),
                          .window_level = window.level,
                          .min_key = copy_key(fl_table_min_key(table), keys),
                          .max_key = copy_key(fl_table_max_key(table), keys),
                          .min_ts = properties->min_ts,
                          .max_ts = properties->max_ts,
                          .max_expire_at = properties->max_expire_at,
                          .min_sequence = properties->min_seq,
                          .max_sequence = properties->max_seq,
                          .file_bytes = properties->file_size,
                          .raw_bytes = properties->raw_bytes,
                          .records = properties->row_count,
                          .deletes = properties->delete_count,
                          .keys = properties->key_count,
                          .range_tombstones = properties->range_tombstone_count,
                          .blocks = properties->block_count};
    window_bounds(db, window, &out->window_start, &out->window_end);
}

static size_t listing_size(const struct fl_version *version) {
    size_t each = sizeof(flowdb_table *) + sizeof(flowdb_table);
    size_t size = sizeof(struct listing) + version->table_count * each;
    for (size_t i = 0; i < version->table_count; i++)
        size +=
            fl_table_min_key(version->tables[i]).size + fl_table_max_key(version->tables[i]).size;
    return size;
}

static flowdb_status list_version(flowdb *db, const struct fl_version *version,
                                  flowdb_tables *out) {
    size_t size = listing_size(version), count = version->table_count;
    struct listing *listing = fl_allocate(db->env.alloc, size);
    if (listing == NULL)
        return fl_fail_memory("a list of tables", size);
    listing->alloc = db->env.alloc;
    const flowdb_table **pointers = (const flowdb_table **)(void *)(listing + 1);
    flowdb_table *tables = (flowdb_table *)(void *)(pointers + count);
    uint8_t *keys = (uint8_t *)(tables + count);
    int64_t now_us = fl_engine_now(db);
    for (size_t i = 0; i < count; i++) {
        describe(db, version->tables[i], now_us, &keys, &tables[i]);
        pointers[i] = &tables[i];
    }
    *out = (flowdb_tables){.tables = pointers, .count = count, .owner = listing};
    return FLOWDB_OK;
}

flowdb_status flowdb_list_tables(flowdb *db, flowdb_tables *out) {
    if (db == NULL || out == NULL)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "%s is NULL", db == NULL ? "db" : "out");
    struct fl_version *version = fl_engine_pin(db);
    flowdb_status status = list_version(db, version, out);
    fl_version_unref(version);
    return status;
}

void flowdb_tables_free(flowdb_tables *tables) {
    if (tables == NULL)
        return;
    struct listing *listing = tables->owner;
    if (listing != NULL)
        fl_release(listing->alloc, listing);
    *tables = (flowdb_tables){0};
}
