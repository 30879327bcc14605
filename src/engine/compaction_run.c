/*
 * One compaction: a streaming merge of some tables into new ones.
 *
 * What is dropped: older versions (the merge passes over them), rows under a newer range tombstone,
 * and, where nothing older can hide beneath in a table that takes no part, deletes, expired rows and
 * range tombstones. Where something may hide, they stay and go on masking it; an expired row stays
 * as a delete, without its value. Memtables never hold anything older than a table, and snapshots
 * keep the tables that they read: neither matters here.
 */
#include "base/hash.h"
#include "engine/compaction.h"
#include "merge/merge.h"

#define OUTPUT_MAX ((uint64_t)512 << 20) /* bytes of file at which the next output begins */

struct run {
    flowdb *db;
    struct fl_version *version;
    struct fl_table *const *inputs;
    size_t input_count;
    int64_t purge_us; /* what expired before may go */
    struct fl_merge merge;
    struct fl_table_builder *builder; /* the output that is being written; NULL between two */
    char *path;
    uint64_t id;
    struct fl_table **outputs;
    size_t output_count;
};

static bool is_input(const struct run *run, const struct fl_table *table) {
    for (size_t i = 0; i < run->input_count; i++) {
        if (run->inputs[i] == table)
            return true;
    }
    return false;
}

/* ---------------------------------------------------------------------------- what may be dropped -- */

/* May a table that takes no part hold an older version of the row? */
static bool hides_something(const struct run *run, const struct fl_row *row) {
    uint64_t hash = 0;
    for (size_t i = 0; i < run->version->table_count; i++) {
        struct fl_table *table = run->version->tables[i];
        const struct fl_table_properties *properties = fl_table_properties(table);
        if (properties->min_seq >= row->seq || properties->row_count == 0 ||
            row->ts < properties->min_ts || row->ts > properties->max_ts || is_input(run, table))
            continue;
        if (hash == 0)
            hash = fl_hash_key(row->key);
        if (fl_table_may_contain(table, row->key, hash))
            return true;
    }
    return false;
}

/* May a table that takes no part hold rows that the tombstone hides? */
static bool covers_something(const struct run *run, const struct fl_range_tombstone *tombstone) {
    for (size_t i = 0; i < run->version->table_count; i++) {
        const struct fl_table *table = run->version->tables[i];
        const struct fl_table_properties *properties = fl_table_properties(table);
        if (properties->min_seq >= tombstone->seq || properties->row_count == 0 ||
            is_input(run, table))
            continue;
        bool below = tombstone->end.size > 0 &&
                     fl_slice_compare(tombstone->end, fl_table_min_key(table)) <= 0;
        bool above = fl_slice_compare(tombstone->start, fl_table_max_key(table)) > 0;
        if (!below && !above)
            return true;
    }
    return false;
}

/* What becomes of the newest version of a (key, ts); false: nothing. May change the row. */
static bool keeps(const struct run *run, struct fl_row *row) {
    if (run->version->skyline != NULL && fl_skyline_seq(run->version->skyline, row->key) > row->seq)
        return false;
    bool expired = row->op == FL_OP_PUT && row->expire_at <= run->purge_us;
    if (row->op == FL_OP_PUT && !expired)
        return true;
    if (!hides_something(run, row))
        return false;
    row->op = FL_OP_DELETE;
    row->value = (flowdb_slice){0};
    row->expire_at = FLOWDB_NEVER;
    return true;
}

/* ------------------------------------------------------------------------------------- outputs -- */

static flowdb_status begin_output(struct run *run) {
    flowdb *db = run->db;
    struct fl_table_options options = {.block_size = db->config.block_size,
                                       .codec = FL_CODEC_ZSTD,
                                       .zstd_level = db->config.zstd_level,
                                       .bloom_bits_per_key = db->config.bloom_bits_per_key};
    run->id = fl_engine_new_id(db);
    run->path = fl_engine_table_path(db, run->id);
    if (run->path == NULL)
        return FLOWDB_NO_MEMORY;
    flowdb_status status =
        fl_table_builder_create(&db->env, run->path, run->id, &options, &run->builder);
    if (status != FLOWDB_OK) {
        fl_release(db->env.alloc, run->path);
        run->path = NULL;
    }
    return status;
}

static flowdb_status add_output(struct run *run, struct fl_table *table) {
    size_t size = (run->output_count + 1) * sizeof(*run->outputs);
    struct fl_table **outputs = fl_reallocate(run->db->env.alloc, run->outputs, size);
    if (outputs == NULL)
        return fl_fail_memory("a list of tables", size);
    run->outputs = outputs;
    outputs[run->output_count++] = table;
    return FLOWDB_OK;
}

/* Finishes the output under way and opens it. */
static flowdb_status end_output(struct run *run) {
    flowdb *db = run->db;
    struct fl_table_properties properties;
    struct fl_table *table = NULL;
    flowdb_status status = fl_table_builder_finish(run->builder, &properties);
    fl_table_builder_destroy(run->builder);
    run->builder = NULL;
    if (status == FLOWDB_OK)
        status = fl_engine_open_table(db, run->path, run->id, properties.file_size, &table);
    if (status != FLOWDB_OK) {
        fl_engine_discard_file(db, run->path, status);
    } else {
        status = add_output(run, table);
        if (status != FLOWDB_OK) {
            fl_table_mark_obsolete(table);
            fl_table_unref(table);
        }
    }
    fl_release(db->env.alloc, run->path);
    run->path = NULL;
    return status;
}

static void abandon(struct run *run, flowdb_status status) {
    if (run->builder != NULL) {
        fl_table_builder_destroy(run->builder);
        run->builder = NULL;
        fl_engine_discard_file(run->db, run->path, status);
        fl_release(run->db->env.alloc, run->path);
        run->path = NULL;
    }
    for (size_t i = 0; i < run->output_count && !atomic_load(&run->db->stopped_writes); i++)
        fl_table_mark_obsolete(run->outputs[i]);
}

/* --------------------------------------------------------------------------------------- merge -- */

static flowdb_status open_merge(struct run *run) {
    static const struct fl_bounds everything = {.ts_low = INT64_MIN, .ts_high = INT64_MAX};
    static const struct fl_table_read read = {.verify_checksums = true, .fill_cache = false};
    const struct fl_alloc *alloc = run->db->env.alloc;
    struct fl_source **sources = fl_allocate(alloc, run->input_count * sizeof(*sources));
    if (sources == NULL)
        return fl_fail_memory("a compaction", run->input_count * sizeof(*sources));
    flowdb_status status = FLOWDB_OK;
    size_t count = 0;
    while (count < run->input_count && status == FLOWDB_OK) {
        status = fl_table_source(run->inputs[count], &everything, &read, &sources[count]);
        count += status == FLOWDB_OK;
    }
    if (status == FLOWDB_OK)
        return fl_merge_init(&run->merge, alloc, sources, count, false);
    for (size_t i = 0; i < count; i++)
        fl_source_close(sources[i]);
    fl_release(alloc, sources);
    return status;
}

/* Makes sure that there is an output with room. */
static flowdb_status ready_output(struct run *run) {
    flowdb_status status = FLOWDB_OK;
    if (run->builder != NULL && fl_table_builder_size(run->builder) >= OUTPUT_MAX)
        status = end_output(run);
    if (status == FLOWDB_OK && run->builder == NULL)
        status = begin_output(run);
    return status;
}

static flowdb_status add_row(struct run *run, const struct fl_row *row) {
    flowdb_status status = ready_output(run);
    return status == FLOWDB_OK ? fl_table_builder_add(run->builder, row) : status;
}

/* Is every row of the block one that is kept as it is, and no other source's among them? */
static bool stays_whole(const struct run *run, const struct fl_table_block *block) {
    return !block->deletes && block->min_expire_at > run->purge_us &&
           fl_skyline_seq_within(run->version->skyline, block->first_key, block->last_key) <=
               block->min_seq &&
           fl_merge_leads(&run->merge, block->last_key, block->last_ts);
}

/* Copies the block that begins at the current row, if one does and it can be. */
static flowdb_status copy_block(struct run *run, bool *copied) {
    struct fl_source *source = fl_merge_winner(&run->merge);
    struct fl_table_block block;
    *copied = false;
    if (!fl_table_source_block(source, &block) || !stays_whole(run, &block))
        return FLOWDB_OK;
    flowdb_status status = ready_output(run);
    if (status == FLOWDB_OK)
        status = fl_table_builder_add_block(run->builder, source, copied);
    return status == FLOWDB_OK && *copied ? fl_merge_moved(&run->merge) : status;
}

/* Adds the current row, or drops it, and moves on. */
static flowdb_status merge_row(struct run *run) {
    struct fl_row row = *fl_merge_row(&run->merge);
    flowdb_status status = keeps(run, &row) ? add_row(run, &row) : FLOWDB_OK;
    return status == FLOWDB_OK ? fl_merge_next(&run->merge) : status;
}

static flowdb_status merge_rows(struct run *run) {
    flowdb_status status = fl_merge_seek(&run->merge, (flowdb_slice){0}, INT64_MIN);
    while (status == FLOWDB_OK && fl_merge_row(&run->merge) != NULL) {
        status = fl_engine_check_go_on(run->db);
        if (status != FLOWDB_OK)
            return status;
        bool copied;
        status = copy_block(run, &copied);
        if (status == FLOWDB_OK && !copied)
            status = merge_row(run);
    }
    return status;
}

/* Range tombstones that still cover something go into the last output: where they lie does not
   matter, a version looks at all of them. */
static flowdb_status carry_tombstones(struct run *run) {
    for (size_t i = 0; i < run->input_count; i++) {
        size_t count;
        const struct fl_range_tombstone *tombstones =
            fl_table_range_tombstones(run->inputs[i], &count);
        for (size_t k = 0; k < count; k++) {
            if (!covers_something(run, &tombstones[k]))
                continue;
            flowdb_status status = run->builder == NULL ? begin_output(run) : FLOWDB_OK;
            if (status == FLOWDB_OK)
                status = fl_table_builder_add_range_tombstone(run->builder, &tombstones[k]);
            if (status != FLOWDB_OK)
                return status;
        }
    }
    return FLOWDB_OK;
}

static flowdb_status write_outputs(struct run *run) {
    flowdb_status status = open_merge(run);
    if (status == FLOWDB_OK)
        status = merge_rows(run);
    if (status == FLOWDB_OK)
        status = carry_tombstones(run);
    if (status == FLOWDB_OK && run->builder != NULL)
        status = end_output(run);
    if (status == FLOWDB_OK && run->output_count > 0)
        status = fl_fs_sync_dir(run->db->env.fs, run->db->sst_dir);
    return status;
}

flowdb_status fl_compaction_run(flowdb *db, struct fl_table *const *inputs, size_t count) {
    struct run run = {.db = db, .inputs = inputs, .input_count = count};
    struct fl_event event;
    fl_engine_event_begin(db, FLOWDB_EVENT_COMPACTION, &event);
    run.version = fl_engine_pin(db);
    run.purge_us = fl_engine_purge_time(db);
    flowdb_status status = write_outputs(&run);
    fl_merge_deinit(&run.merge);
    if (status == FLOWDB_OK) {
        struct fl_table_change change = {.added = run.outputs,
                                         .added_count = run.output_count,
                                         .removed = inputs,
                                         .removed_count = count};
        status = fl_engine_change_tables(db, &change);
    }
    if (status != FLOWDB_OK)
        abandon(&run, status);
    for (size_t i = 0; i < count; i++)
        fl_event_add_input(&event, inputs[i]);
    for (size_t i = 0; i < run.output_count; i++)
        fl_event_add_output(&event, run.outputs[i]);
    fl_engine_event_end(db, &event, status);
    for (size_t i = 0; i < count && status == FLOWDB_OK; i++)
        fl_table_mark_obsolete(inputs[i]);
    for (size_t i = 0; i < run.output_count; i++)
        fl_table_unref(run.outputs[i]);
    fl_release(db->env.alloc, run.outputs);
    fl_version_unref(run.version);
    return status;
}
