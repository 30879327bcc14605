/*
 * What may be dropped: deletes, expired rows and range tombstones may where no table that takes no
 * part can hold something older beneath them. Asked of the tables' properties and filters, so the
 * answer may be yes where the truth is no, and never the other way round.
 */
#include "base/hash.h"
#include "engine/compaction.h"

static bool takes_part(const struct fl_compaction *compaction, const struct fl_table *table) {
    for (size_t i = 0; i < compaction->input_count; i++) {
        if (compaction->inputs[i] == table)
            return true;
    }
    return false;
}

bool fl_compaction_row_hides(const struct fl_version *version,
                             const struct fl_compaction *compaction, const struct fl_row *row) {
    uint64_t hash = 0;
    for (size_t i = 0; i < version->table_count; i++) {
        struct fl_table *table = version->tables[i];
        const struct fl_table_properties *properties = fl_table_properties(table);
        if (properties->min_seq >= row->seq || properties->row_count == 0 ||
            row->ts < properties->min_ts || row->ts > properties->max_ts ||
            takes_part(compaction, table))
            continue;
        if (hash == 0)
            hash = fl_hash_key(row->key);
        if (fl_table_may_contain(table, row->key, hash))
            return true;
    }
    return false;
}

bool fl_compaction_range_hides(const struct fl_version *version,
                               const struct fl_compaction *compaction,
                               const struct fl_range_tombstone *tombstone) {
    for (size_t i = 0; i < version->table_count; i++) {
        const struct fl_table *table = version->tables[i];
        const struct fl_table_properties *properties = fl_table_properties(table);
        if (properties->min_seq >= tombstone->seq || properties->row_count == 0 ||
            takes_part(compaction, table))
            continue;
        bool below = tombstone->end.size > 0 &&
                     fl_slice_compare(tombstone->end, fl_table_min_key(table)) <= 0;
        bool above = fl_slice_compare(tombstone->start, fl_table_max_key(table)) > 0;
        if (!below && !above)
            return true;
    }
    return false;
}

/* May the rows of the one table hide something in the other? */
static bool rows_hide(const struct fl_table *table, const struct fl_table *other) {
    const struct fl_table_properties *mine = fl_table_properties(table);
    const struct fl_table_properties *properties = fl_table_properties(other);
    if (mine->row_count == 0 || properties->row_count == 0 ||
        properties->min_seq >= mine->max_seq || properties->max_ts < mine->min_ts ||
        properties->min_ts > mine->max_ts)
        return false;
    return fl_slice_compare(fl_table_max_key(other), fl_table_min_key(table)) >= 0 &&
           fl_slice_compare(fl_table_min_key(other), fl_table_max_key(table)) <= 0;
}

bool fl_compaction_table_hides(const struct fl_version *version, struct fl_table *table) {
    const struct fl_compaction alone = {.inputs = &table, .input_count = 1};
    size_t count;
    const struct fl_range_tombstone *ranges = fl_table_range_tombstones(table, &count);
    for (size_t i = 0; i < count; i++) {
        if (fl_compaction_range_hides(version, &alone, &ranges[i]))
            return true;
    }
    for (size_t i = 0; i < version->table_count; i++) {
        if (version->tables[i] != table && rows_hide(table, version->tables[i]))
            return true;
    }
    return false;
}
