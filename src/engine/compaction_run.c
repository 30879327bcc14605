/*
 * One compaction: a streaming merge of some tables into new ones.
 *
 * What is dropped: older versions (the merge passes over them), rows under a newer range tombstone,
 * and, where nothing older can hide beneath in a table that takes no part, deletes, expired rows and
 * range tombstones. Where something may hide, they stay and go on masking it; an expired row stays
 * as a delete, without its value. Memtables never hold anything older than a table, and snapshots
 * keep the tables that they read: neither matters here.
 */
#include "engine/compaction.h"
#include "merge/merge.h"

/* An output that is being written; builder NULL: none. */
struct output {
    struct fl_table_builder *builder;
    char *path;
    uint64_t id;
};

struct run {
    flowdb *db;
    struct fl_version *version;
    struct fl_table *const *inputs;
    size_t input_count;
    int64_t purge_us; /* what expired before may go */
    uint64_t expired; /* how many rows had */
    uint64_t output_bytes;
    struct fl_merge merge;
    const struct fl_compaction *compaction;
    struct output under_way[FL_COMPACTION_CUTS_MAX + 1]; /* by time: behind so many cuts */
    struct fl_table **outputs;
    size_t output_count;
};

/* What becomes of the newest version of a (key, ts); false: nothing. May change the row. */
static bool keeps(struct run *run, struct fl_row *row) {
    if (run->version->skyline != NULL && fl_skyline_seq(run->version->skyline, row->key) > row->seq)
        return false;
    bool expired = row->op == FL_OP_PUT && row->expire_at <= run->purge_us;
    if (row->op == FL_OP_PUT && !expired)
        return true;
    run->expired += expired;
    if (!fl_compaction_row_hides(run->version, run->compaction, row))
        return false;
    row->op = FL_OP_DELETE;
    row->value = (flowdb_slice){0};
    row->expire_at = FLOWDB_NEVER;
    return true;
}

/* ------------------------------------------------------------------------------------- outputs -- */

static flowdb_status begin_output(struct run *run, struct output *output) {
    flowdb *db = run->db;
    struct fl_table_options options = fl_engine_table_options(db, FL_CODEC_ZSTD);
    output->id = fl_engine_new_id(db);
    output->path = fl_engine_table_path(db, output->id);
    if (output->path == NULL)
        return FLOWDB_NO_MEMORY;
    flowdb_status status =
        fl_table_builder_create(&db->env, output->path, output->id, &options, &output->builder);
    if (status != FLOWDB_OK) {
        fl_release(db->env.alloc, output->path);
        output->path = NULL;
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

/* Finishes the output and opens it. */
static flowdb_status end_output(struct run *run, struct output *output) {
    flowdb *db = run->db;
    struct fl_table_properties properties;
    struct fl_table *table = NULL;
    flowdb_status status = fl_table_builder_finish(output->builder, &properties);
    fl_table_builder_destroy(output->builder);
    output->builder = NULL;
    if (status == FLOWDB_OK)
        status = fl_engine_open_table(db, output->path, output->id, properties.file_size, &table);
    if (status != FLOWDB_OK) {
        fl_engine_discard_file(db, output->path, status);
    } else {
        status = add_output(run, table);
        if (status != FLOWDB_OK) {
            fl_table_mark_obsolete(table);
            fl_table_unref(table);
        }
    }
    fl_release(db->env.alloc, output->path);
    output->path = NULL;
    return status;
}

static void abandon(struct run *run, flowdb_status status) {
    for (size_t i = 0; i <= run->compaction->cut_count; i++) {
        struct output *output = &run->under_way[i];
        if (output->builder == NULL)
            continue;
        fl_table_builder_destroy(output->builder);
        output->builder = NULL;
        fl_engine_discard_file(run->db, output->path, status);
        fl_release(run->db->env.alloc, output->path);
        output->path = NULL;
    }
    for (size_t i = 0; i < run->output_count && !atomic_load(&run->db->stopped_writes); i++)
        fl_table_mark_obsolete(run->outputs[i]);
}

/* The output for rows of that time. */
static struct output *output_for(struct run *run, int64_t ts) {
    const struct fl_compaction *compaction = run->compaction;
    size_t at = compaction->cut_count;
    while (at > 0 && ts < compaction->cuts[at - 1])
        at--;
    return &run->under_way[at];
}

/* Makes sure that the output is there and has room. It ends between two keys, unless the first of
   them has so many rows that it has to end within. */
static flowdb_status ready_output(struct run *run, struct output *output, flowdb_slice key) {
    flowdb_status status = FLOWDB_OK;
    uint64_t size = output->builder != NULL ? fl_table_builder_size(output->builder) : 0;
    if (size >= run->output_bytes &&
        (size >= run->output_bytes / 4 * 5 ||
         !fl_slice_equal(key, fl_table_builder_last_key(output->builder))))
        status = end_output(run, output);
    if (status == FLOWDB_OK && output->builder == NULL)
        status = begin_output(run, output);
    return status;
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

static flowdb_status add_row(struct run *run, const struct fl_row *row) {
    struct output *output = output_for(run, row->ts);
    flowdb_status status = ready_output(run, output, row->key);
    return status == FLOWDB_OK ? fl_table_builder_add(output->builder, row) : status;
}

/* Is every row of the block one that is kept as it is, and no other source's among them? */
static bool stays_whole(struct run *run, const struct fl_table_block *block) {
    return !block->deletes && block->min_expire_at > run->purge_us &&
           output_for(run, block->min_ts) == output_for(run, block->max_ts) &&
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
    struct output *output = output_for(run, block.min_ts);
    flowdb_status status = ready_output(run, output, block.first_key);
    if (status == FLOWDB_OK)
        status = fl_table_builder_add_block(output->builder, source, copied);
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
    struct output *output = &run->under_way[run->compaction->cut_count];
    for (size_t i = 0; i < run->input_count; i++) {
        size_t count;
        const struct fl_range_tombstone *tombstones =
            fl_table_range_tombstones(run->inputs[i], &count);
        for (size_t k = 0; k < count; k++) {
            if (!fl_compaction_range_hides(run->version, run->compaction, &tombstones[k]))
                continue;
            flowdb_status status = output->builder == NULL ? begin_output(run, output) : FLOWDB_OK;
            if (status == FLOWDB_OK)
                status = fl_table_builder_add_range_tombstone(output->builder, &tombstones[k]);
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
    for (size_t i = 0; status == FLOWDB_OK && i <= run->compaction->cut_count; i++) {
        if (run->under_way[i].builder != NULL)
            status = end_output(run, &run->under_way[i]);
    }
    if (status == FLOWDB_OK && run->output_count > 0)
        status = fl_engine_sync_dir(run->db, run->db->sst_dir);
    return status;
}

flowdb_status fl_compaction_run(flowdb *db, const struct fl_compaction *compaction) {
    struct fl_table *const *inputs = compaction->inputs;
    size_t count = compaction->input_count;
    struct run run = {.db = db,
                      .compaction = compaction,
                      .inputs = inputs,
                      .input_count = count,
                      .output_bytes = compaction->output_bytes > 0 ? compaction->output_bytes
                                                                   : FL_COMPACTION_OUTPUT};
    struct fl_event event;
    fl_engine_event_begin(db, FLOWDB_EVENT_COMPACTION, &event);
    run.purge_us = fl_engine_purge_time(db);
    flowdb_status status = fl_engine_pin_tables(db, &run.version);
    if (status == FLOWDB_OK)
        status = write_outputs(&run);
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
    event.records_expired = run.expired;
    fl_engine_event_end(db, &event, status);
    for (size_t i = 0; i < count && status == FLOWDB_OK; i++)
        fl_table_mark_obsolete(inputs[i]);
    for (size_t i = 0; i < run.output_count; i++)
        fl_table_unref(run.outputs[i]);
    fl_release(db->env.alloc, run.outputs);
    fl_version_unref(run.version);
    return status;
}
