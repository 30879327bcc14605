/* The policy applied to a version: its tables as numbers, and how much of each is garbage. */
#include "engine/compaction.h"

/* Tables below this many bytes of records count as alike: a sixteenth of a memtable. */
#define SMALL_PART 16

/* Of `bytes` the part that has expired, if expiry is spread evenly. */
static uint64_t expired_part(const struct fl_table_properties *properties, int64_t purge_us,
                             uint64_t bytes) {
    int64_t first = properties->min_expire_at, last = properties->max_expire_at;
    if (first > last || purge_us < first || last == FLOWDB_NEVER)
        return 0;
    if (purge_us >= last)
        return bytes;
    double passed = (double)purge_us - (double)first, span = (double)last - (double)first;
    return (uint64_t)((double)bytes * (passed / span));
}

/* Of `bytes` the part under range tombstones: of keys here and there, all of which are there. */
static uint64_t covered_part(const struct fl_version *version, const struct fl_table *table,
                             uint64_t bytes, struct fl_buffer *key) {
    uint64_t max_seq = fl_table_properties(table)->max_seq;
    if (version->skyline == NULL || version->skyline->max_seq <= max_seq)
        return 0;
    uint32_t samples = fl_table_key_samples(table), covered = 0, looked = 0;
    for (uint32_t i = 0; i < samples; i++) {
        if (fl_table_key_sample(table, i, key) != FLOWDB_OK)
            break;
        flowdb_slice sample = flowdb_bytes(key->data, key->size);
        covered += fl_skyline_seq(version->skyline, sample) > max_seq;
        looked++;
    }
    return looked > 0 ? bytes / looked * covered : 0;
}

/* A delete is garbage, and so is what it hides. */
static uint64_t deleted_part(const struct fl_table_properties *properties) {
    uint64_t row = properties->raw_bytes / properties->row_count;
    return 2 * properties->delete_count * row;
}

/* All but the garbage. */
static void describe(const struct fl_table *table, int64_t now_us,
                     struct fl_compaction_table *out) {
    const struct fl_table_properties *properties = fl_table_properties(table);
    *out = (struct fl_compaction_table){.id = fl_table_id(table),
                                        .min_key = fl_table_min_key(table),
                                        .max_key = fl_table_max_key(table),
                                        .min_ts = now_us,
                                        .max_ts = now_us,
                                        .min_seq = properties->min_seq,
                                        .max_seq = properties->max_seq,
                                        .bytes = properties->raw_bytes,
                                        .file_size = properties->file_size};
    if (properties->row_count == 0)
        return;
    out->min_ts = properties->min_ts;
    out->max_ts = properties->max_ts;
}

static void count_garbage(const struct fl_version *version, const struct fl_table *table,
                          int64_t purge_us, struct fl_buffer *key,
                          struct fl_compaction_table *out) {
    const struct fl_table_properties *properties = fl_table_properties(table);
    if (properties->row_count == 0)
        return;
    uint64_t garbage = expired_part(properties, purge_us, out->bytes) + deleted_part(properties) +
                       covered_part(version, table, out->bytes, key);
    out->garbage = FL_MIN(garbage, out->bytes);
}

/* The cuts between the times of the inputs. */
static void plan_cuts(const struct fl_compaction_policy *policy, struct fl_compaction *compaction) {
    int64_t min_ts = INT64_MAX, max_ts = INT64_MIN;
    for (size_t i = 0; i < compaction->input_count; i++) {
        const struct fl_table_properties *properties = fl_table_properties(compaction->inputs[i]);
        min_ts = FL_MIN(min_ts, properties->min_ts);
        max_ts = FL_MAX(max_ts, properties->max_ts);
    }
    compaction->cut_count = min_ts <= max_ts
                                ? fl_compaction_cuts(min_ts, max_ts, policy->now_us,
                                                     policy->bucket_us, compaction->cuts)
                                : 0;
}

static flowdb_status choose(flowdb *db, const struct fl_version *version,
                            const struct fl_compaction_policy *policy,
                            struct fl_compaction_table *tables, struct fl_table **inputs,
                            size_t *count) {
    struct fl_buffer key;
    size_t chosen[FL_COMPACTION_INPUTS_MAX];
    int64_t purge_us = fl_engine_purge_time(db);
    fl_buffer_init(&key, version->alloc);
    for (size_t i = 0; i < version->table_count; i++) {
        describe(version->tables[i], policy->now_us, &tables[i]);
        count_garbage(version, version->tables[i], purge_us, &key, &tables[i]);
    }
    fl_buffer_deinit(&key);
    flowdb_status status =
        fl_compaction_choose(version->alloc, policy, tables, version->table_count, chosen, count);
    for (size_t i = 0; status == FLOWDB_OK && i < *count; i++)
        inputs[i] = version->tables[chosen[i]];
    return status;
}

static struct fl_compaction_policy policy_of(flowdb *db, uint64_t budget) {
    return (struct fl_compaction_policy){
        .now_us = fl_engine_now(db),
        .bucket_us = (int64_t)db->config.time_bucket_secs * 1000000,
        .threshold = db->config.compaction_threshold,
        .small_bytes = ((uint64_t)db->config.memtable_size_mb << 20) / SMALL_PART,
        .output_bytes = FL_COMPACTION_OUTPUT,
        .budget = budget};
}

flowdb_status fl_compaction_backlog(flowdb *db, const struct fl_version *version, size_t *tables) {
    *tables = 0;
    if (version->table_count == 0)
        return FLOWDB_OK;
    struct fl_compaction_policy policy = policy_of(db, UINT64_MAX);
    size_t size = version->table_count * sizeof(struct fl_compaction_table);
    struct fl_compaction_table *all = fl_allocate(version->alloc, size);
    if (all == NULL)
        return fl_fail_memory("counting what to compact", size);
    for (size_t i = 0; i < version->table_count; i++)
        describe(version->tables[i], policy.now_us, &all[i]);
    flowdb_status status =
        fl_compaction_count_waiting(version->alloc, &policy, all, version->table_count, tables);
    fl_release(version->alloc, all);
    return status;
}

flowdb_status fl_compaction_pick(flowdb *db, const struct fl_version *version,
                                 struct fl_table **inputs, struct fl_compaction *compaction) {
    struct fl_compaction_policy policy = policy_of(db, fl_engine_compaction_budget(db));
    *compaction = (struct fl_compaction){.inputs = inputs};
    if (version->table_count == 0)
        return FLOWDB_OK;
    size_t size = version->table_count * sizeof(struct fl_compaction_table);
    struct fl_compaction_table *tables = fl_allocate(version->alloc, size);
    if (tables == NULL)
        return fl_fail_memory("choosing what to compact", size);
    flowdb_status status = choose(db, version, &policy, tables, inputs, &compaction->input_count);
    fl_release(version->alloc, tables);
    if (status == FLOWDB_OK && compaction->input_count > 0)
        plan_cuts(&policy, compaction);
    return status;
}
