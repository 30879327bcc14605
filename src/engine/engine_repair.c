/*
 * flowdb_repair: from what a survey found to a directory that opens.
 *
 * Nothing is changed in place. New tables are written from what is whole, the originals of what is
 * not get a second name under lost/, and then one new manifest takes over: a crash before that
 * leaves the old state, one after it the new. Only then do the originals lose their old names.
 */
#include <inttypes.h>
#include <stdio.h>

#include "engine/recovery.h"
#include "engine/repair.h"
#include "fs/files.h"
#include "wal/wal_reader.h"

/* A file that has a second name under lost/. */
struct kept {
    char name[FL_SURVEY_NAME];      /* in the data directory */
    char lost[FL_SURVEY_NAME + 16]; /* the same */
};

struct repair {
    flowdb *db;
    struct fl_survey *survey;
    char *lost_dir;
    char *path; /* room for any, so that taking back needs no memory */
    size_t path_size;
    struct fl_buffer metas; /* struct fl_table_meta: what the new manifest will list */
    struct fl_buffer made;  /* u64: ids of tables that did not exist before */
    struct fl_buffer kept;  /* struct kept */
    bool lost_made;         /* there is a lost/ */
    bool switched;          /* the new manifest may have taken over */
};

static flowdb_status list_table(struct repair *repair, uint64_t id, uint64_t file_size) {
    struct fl_table_meta meta = {.id = id, .file_size = file_size};
    return fl_buffer_append(&repair->metas, &meta, sizeof meta);
}

/* ------------------------------------------------------------------------------------- tables -- */

static flowdb_status add_row(void *context, const struct fl_row *row) {
    return fl_table_builder_add(context, row);
}

static flowdb_status add_tombstones(void *context, const struct fl_range_tombstone *tombstones,
                                    size_t count) {
    flowdb_status status = FLOWDB_OK;
    for (size_t i = 0; i < count && status == FLOWDB_OK; i++)
        status = fl_table_builder_add_range_tombstone(context, &tombstones[i]);
    return status;
}

/* Writes what is whole of the table at `from` to the one at `to`. */
static flowdb_status write_whole_parts(struct repair *repair, const char *from,
                                       const struct fl_survey_table *table, const char *to,
                                       uint64_t to_id, uint64_t *file_size) {
    flowdb *db = repair->db;
    struct fl_table_options options = fl_engine_table_options(db, FL_CODEC_LZ4);
    struct fl_table_builder *builder = NULL;
    struct fl_table_properties properties = {0};
    flowdb_status status = fl_table_builder_create(&db->env, to, to_id, &options, &builder);
    if (status != FLOWDB_OK)
        return status;
    struct fl_examined examined;
    struct fl_examiner examiner = {
        .context = builder, .row = add_row, .tombstones = add_tombstones};
    status = fl_table_examine(&db->env, from, table->id, &examiner, &examined);
    if (status == FLOWDB_OK && examined.row_count < table->examined.row_count)
        status = fl_fail(FLOWDB_IO_ERROR, "%s does not read the same each time", from);
    if (status == FLOWDB_OK)
        status = fl_table_builder_finish(builder, &properties);
    fl_table_builder_destroy(builder);
    if (status == FLOWDB_OK)
        status = fl_fs_sync_dir(db->env.fs, db->sst_dir);
    *file_size = properties.file_size;
    if (status != FLOWDB_OK)
        fl_fs_discard(db->env.fs, to, status);
    return status;
}

static void tell_rewritten(struct repair *repair, const struct fl_survey_table *table,
                           const char *name, uint64_t id) {
    char fresh[FL_SURVEY_NAME];
    fl_survey_tell(repair->survey, name, 0, "%" PRIu64 " rows in whole blocks are now in %s",
                   table->examined.row_count, fl_survey_name(FL_FILE_TABLE, id, fresh));
    if (table->examined.tombstones_lost)
        fl_survey_tell(repair->survey, name, 0,
                       "its range deletes are lost: what only they hid shows again");
}

static flowdb_status rewrite_table(struct repair *repair, const struct fl_survey_table *table) {
    flowdb *db = repair->db;
    char name[FL_SURVEY_NAME];
    uint64_t id = fl_engine_new_id(db), file_size = 0;
    char *from = fl_engine_table_path(db, table->id), *to = fl_engine_table_path(db, id);
    flowdb_status status = from != NULL && to != NULL ? FLOWDB_OK : FLOWDB_NO_MEMORY;
    if (status == FLOWDB_OK)
        status = fl_buffer_append(&repair->made, &id, sizeof id);
    if (status == FLOWDB_OK)
        status = write_whole_parts(repair, from, table, to, id, &file_size);
    if (status == FLOWDB_OK)
        status = list_table(repair, id, file_size);
    if (status == FLOWDB_OK)
        tell_rewritten(repair, table, fl_survey_name(FL_FILE_TABLE, table->id, name), id);
    fl_release(db->env.alloc, from);
    fl_release(db->env.alloc, to);
    return status;
}

static flowdb_status salvage_tables(struct repair *repair) {
    size_t count;
    const struct fl_survey_table *tables = fl_survey_tables(repair->survey, &count);
    flowdb_status status = FLOWDB_OK;
    for (size_t i = 0; i < count && status == FLOWDB_OK; i++) {
        if (tables[i].state == FL_SURVEY_WHOLE)
            status = list_table(repair, tables[i].id, tables[i].file_size);
        else if (tables[i].state == FL_SURVEY_DAMAGED)
            status = rewrite_table(repair, &tables[i]);
    }
    return status;
}

/* --------------------------------------------------------------------------------------- logs -- */

static flowdb_status replay(struct repair *repair, const struct fl_survey_log *log,
                            struct fl_memtable *memtable) {
    flowdb *db = repair->db;
    struct fl_wal_reader reader;
    struct fl_wal_frame frame;
    char *path = fl_engine_wal_path(db, log->id);
    if (path == NULL)
        return FLOWDB_NO_MEMORY;
    flowdb_status status = fl_wal_reader_open(&db->env, &db->pool, path, log->id, &reader);
    fl_release(db->env.alloc, path);
    if (status != FLOWDB_OK)
        return status;
    while (status == FLOWDB_OK && reader.offset < log->end) {
        status = fl_wal_reader_next(&reader, &frame);
        if (status == FLOWDB_OK && frame.first_seq > repair->survey->covered)
            status = fl_recovery_apply(db, memtable, reader.chunk, &frame);
    }
    fl_wal_reader_close(&reader);
    return status == FLOWDB_DONE ? fl_fail(FLOWDB_IO_ERROR, "a log changed while it was read")
                                 : status;
}

static flowdb_status salvage_log(struct repair *repair, const struct fl_survey_log *log) {
    flowdb *db = repair->db;
    struct fl_memtable *memtable;
    struct fl_table *table = NULL;
    flowdb_status status = fl_memtable_create(db->env.alloc, &db->pool, 0, &memtable);
    if (status != FLOWDB_OK)
        return status;
    status = replay(repair, log, memtable);
    if (status == FLOWDB_OK)
        status = fl_engine_build_table(db, memtable, &table);
    fl_memtable_unref(memtable);
    if (status != FLOWDB_OK || table == NULL)
        return status;
    uint64_t id = fl_table_id(table);
    status = fl_buffer_append(&repair->made, &id, sizeof id);
    if (status != FLOWDB_OK)
        fl_table_mark_obsolete(table);
    else
        status = list_table(repair, id, fl_table_properties(table)->file_size);
    fl_table_unref(table);
    return status;
}

static flowdb_status salvage_logs(struct repair *repair) {
    size_t count;
    const struct fl_survey_log *logs = fl_survey_logs(repair->survey, &count);
    flowdb_status status = FLOWDB_OK;
    for (size_t i = 0; i < count && status == FLOWDB_OK; i++)
        status = salvage_log(repair, &logs[i]);
    return status;
}

/* --------------------------------------------------------------------------------------- lost/ -- */

/* The first name under lost/ that is free: that of the file, or with a number behind. */
static flowdb_status free_name(struct repair *repair, struct kept *kept) {
    const char *slash = strrchr(kept->name, '/');
    const char *base = slash != NULL ? slash + 1 : kept->name;
    bool taken = true;
    flowdb_status status = FLOWDB_OK;
    for (unsigned n = 0; taken && status == FLOWDB_OK; n++) {
        if (n == 0)
            snprintf(kept->lost, sizeof kept->lost, "lost/%s", base);
        else
            snprintf(kept->lost, sizeof kept->lost, "lost/%s.%u", base, n);
        char *path = fl_path_in(repair->db->env.alloc, repair->db->config.data_dir, kept->lost);
        status = path != NULL ? fl_fs_exists(repair->db->env.fs, path, &taken) : FLOWDB_NO_MEMORY;
        fl_release(repair->db->env.alloc, path);
    }
    return status;
}

static flowdb_status keep(struct repair *repair, const char *name) {
    const struct fl_env *env = &repair->db->env;
    struct kept kept = {{0}, {0}};
    snprintf(kept.name, sizeof kept.name, "%s", name);
    flowdb_status status = fl_fs_create_dir(env->fs, repair->lost_dir);
    repair->lost_made = repair->lost_made || status == FLOWDB_OK;
    if (status == FLOWDB_OK)
        status = free_name(repair, &kept);
    if (status != FLOWDB_OK)
        return status;
    char *from = fl_path_in(env->alloc, repair->db->config.data_dir, kept.name);
    char *to = fl_path_in(env->alloc, repair->db->config.data_dir, kept.lost);
    status = from != NULL && to != NULL ? fl_buffer_append(&repair->kept, &kept, sizeof kept)
                                        : FLOWDB_NO_MEMORY;
    if (status == FLOWDB_OK)
        status = fl_fs_link_or_copy(env, from, to);
    fl_release(env->alloc, from);
    fl_release(env->alloc, to);
    if (status == FLOWDB_OK)
        fl_survey_tell(repair->survey, name, 0, "the original is kept as %s", kept.lost);
    return status;
}

static flowdb_status keep_numbered(struct repair *repair, enum fl_file_kind kind, uint64_t id) {
    char name[FL_SURVEY_NAME];
    return keep(repair, fl_survey_name(kind, id, name));
}

static flowdb_status keep_tables(struct repair *repair) {
    size_t count;
    const struct fl_survey_table *tables = fl_survey_tables(repair->survey, &count);
    flowdb_status status = FLOWDB_OK;
    for (size_t i = 0; i < count && status == FLOWDB_OK; i++) {
        if (tables[i].state == FL_SURVEY_DAMAGED)
            status = keep_numbered(repair, FL_FILE_TABLE, tables[i].id);
    }
    return status;
}

/* Is all that the log holds in the new tables? Then it is of no more use. */
static bool is_replayed(const struct repair *repair, uint64_t id) {
    size_t count;
    const struct fl_survey_log *logs = fl_survey_logs(repair->survey, &count);
    for (size_t i = 0; i < count; i++) {
        if (logs[i].id == id)
            return logs[i].whole;
    }
    return false;
}

static flowdb_status keep_logs(struct repair *repair) {
    struct fl_survey *survey = repair->survey;
    /* Those before the first that counts are leftovers, if that is known. */
    uint64_t first = survey->doubtful ? 1 : survey->manifest.state.log;
    flowdb_status status = FLOWDB_OK;
    for (size_t i = 0; i < survey->wal_files.count && status == FLOWDB_OK && first != 0; i++) {
        uint64_t id = survey->wal_files.ids[i];
        bool holds = false;
        if (id >= first && !is_replayed(repair, id))
            status = fl_survey_log_holds(survey, id, &holds);
        if (status == FLOWDB_OK && holds)
            status = keep_numbered(repair, FL_FILE_WAL, id);
    }
    return status;
}

static flowdb_status keep_manifests(struct repair *repair) {
    const struct fl_survey *survey = repair->survey;
    bool current = false;
    char *path = fl_path_in(repair->db->env.alloc, repair->db->config.data_dir, "CURRENT");
    flowdb_status status =
        path != NULL ? fl_fs_exists(repair->db->env.fs, path, &current) : FLOWDB_NO_MEMORY;
    fl_release(repair->db->env.alloc, path);
    if (status == FLOWDB_OK && current && survey->current_damaged)
        status = keep(repair, "CURRENT");
    for (size_t i = 0; i < survey->manifest_files.count && status == FLOWDB_OK && survey->doubtful;
         i++)
        status = keep_numbered(repair, FL_FILE_MANIFEST, survey->manifest_files.ids[i]);
    return status;
}

static flowdb_status keep_originals(struct repair *repair) {
    flowdb_status status = keep_tables(repair);
    if (status == FLOWDB_OK)
        status = keep_logs(repair);
    if (status == FLOWDB_OK)
        status = keep_manifests(repair);
    if (status == FLOWDB_OK && repair->kept.size > 0)
        status = fl_fs_sync_dir(repair->db->env.fs, repair->lost_dir);
    return status == FLOWDB_OK ? fl_fs_sync_dir(repair->db->env.fs, repair->db->config.data_dir)
                               : status;
}

/* -------------------------------------------------------------------------------------- switch -- */

static flowdb_status switch_over(struct repair *repair) {
    flowdb *db = repair->db;
    const struct fl_survey *survey = repair->survey;
    uint64_t id = fl_engine_new_id(db);
    struct fl_manifest_state state = {
        .alloc = db->env.alloc,
        .next_id = id + 1,
        .last_seq = survey->max_seq,
        .latest_time_us =
            survey->manifest_id != 0 ? survey->manifest.state.latest_time_us : INT64_MIN,
        .tables = (struct fl_table_meta *)(void *)repair->metas.data,
        .table_count = repair->metas.size / sizeof(struct fl_table_meta)};
    struct fl_manifest *manifest;
    flowdb_status status =
        fl_manifest_create(&db->env, db->config.data_dir, id, &state, &repair->switched, &manifest);
    if (status != FLOWDB_OK)
        return status;
    repair->switched = true;
    fl_manifest_close(manifest);
    return FLOWDB_OK;
}

/* What cannot be removed is listed nowhere: opening the directory removes it. */
static void remove_named(struct repair *repair, const char *name) {
    snprintf(repair->path, repair->path_size, "%s/%s", repair->db->config.data_dir, name);
    (void)fl_fs_remove(repair->db->env.fs, repair->path);
}

static void remove_originals(struct repair *repair) {
    const struct fl_survey *survey = repair->survey;
    const struct fl_env *env = &repair->db->env;
    char name[FL_SURVEY_NAME];
    size_t count;
    const struct fl_survey_table *tables = fl_survey_tables(survey, &count);
    for (size_t i = 0; i < count; i++) {
        if (tables[i].state == FL_SURVEY_DAMAGED)
            remove_named(repair, fl_survey_name(FL_FILE_TABLE, tables[i].id, name));
    }
    for (size_t i = 0; i < survey->wal_files.count; i++)
        remove_named(repair, fl_survey_name(FL_FILE_WAL, survey->wal_files.ids[i], name));
    for (size_t i = 0; i < survey->manifest_files.count; i++)
        remove_named(repair, fl_survey_name(FL_FILE_MANIFEST, survey->manifest_files.ids[i], name));
    (void)fl_fs_sync_dir(env->fs, repair->db->sst_dir);
    (void)fl_fs_sync_dir(env->fs, repair->db->wal_dir);
    (void)fl_fs_sync_dir(env->fs, repair->db->config.data_dir);
}

/* Takes back what a repair made that failed before the switch. */
static void take_back(struct repair *repair, flowdb_status status) {
    char sentence[512];
    snprintf(sentence, sizeof sentence, "%s", flowdb_last_error());
    const uint64_t *made = (const uint64_t *)(const void *)repair->made.data;
    for (size_t i = 0; i < repair->made.size / sizeof *made; i++) {
        char name[FL_SURVEY_NAME];
        remove_named(repair, fl_survey_name(FL_FILE_TABLE, made[i], name));
    }
    const struct kept *kept = (const struct kept *)(const void *)repair->kept.data;
    for (size_t i = 0; i < repair->kept.size / sizeof *kept; i++)
        remove_named(repair, kept[i].lost);
    if (repair->lost_made) /* it goes if it is empty: an earlier repair may have kept something */
        (void)fl_fs_remove_dir(repair->db->env.fs, repair->lost_dir);
    fl_fail(status, "%s", sentence);
}

static flowdb_status name_paths(struct repair *repair) {
    const struct fl_alloc *alloc = repair->db->env.alloc;
    const char *dir = repair->db->config.data_dir;
    repair->path_size = strlen(dir) + sizeof(struct kept);
    repair->path = fl_allocate(alloc, repair->path_size);
    if (repair->path == NULL)
        return fl_fail_memory("a path", repair->path_size);
    repair->lost_dir = fl_path_in(alloc, dir, "lost");
    return repair->lost_dir != NULL ? FLOWDB_OK : FLOWDB_NO_MEMORY;
}

static flowdb_status carry_out(struct repair *repair) {
    flowdb *db = repair->db;
    atomic_store(&db->next_id, repair->survey->max_id + 1);
    flowdb_status status = name_paths(repair);
    if (status == FLOWDB_OK)
        status = fl_fs_create_dirs(db->env.fs, db->sst_dir);
    if (status == FLOWDB_OK)
        status = fl_fs_create_dirs(db->env.fs, db->wal_dir);
    if (status == FLOWDB_OK)
        status = salvage_tables(repair);
    if (status == FLOWDB_OK)
        status = salvage_logs(repair);
    if (status == FLOWDB_OK)
        status = keep_originals(repair);
    if (status == FLOWDB_OK)
        status = switch_over(repair);
    if (status == FLOWDB_OK)
        remove_originals(repair);
    else if (!repair->switched && repair->path != NULL)
        take_back(repair, status);
    return status;
}

static flowdb_status repair_surveyed(flowdb *db, struct fl_survey *survey) {
    struct repair repair = {.db = db, .survey = survey};
    fl_buffer_init(&repair.metas, db->env.alloc);
    fl_buffer_init(&repair.made, db->env.alloc);
    fl_buffer_init(&repair.kept, db->env.alloc);
    flowdb_status status = carry_out(&repair);
    fl_release(db->env.alloc, repair.lost_dir);
    fl_release(db->env.alloc, repair.path);
    fl_buffer_deinit(&repair.metas);
    fl_buffer_deinit(&repair.made);
    fl_buffer_deinit(&repair.kept);
    return status;
}

flowdb_status fl_engine_repair(const char *data_dir, const struct fl_env *env, fl_report report,
                               void *context) {
    flowdb *db;
    flowdb_status status = fl_engine_hold_closed(data_dir, env, true, &db);
    if (status == FLOWDB_OK) {
        struct fl_survey survey;
        status = fl_survey_make(&survey, db, report, context);
        if (status == FLOWDB_OK && survey.problems > 0)
            status = repair_surveyed(db, &survey);
        fl_survey_deinit(&survey);
    }
    fl_engine_destroy(db);
    return status;
}

flowdb_status flowdb_repair(const char *data_dir, fl_report report, void *ctx) {
    const struct fl_env env = {
        .alloc = fl_alloc_system(), .clock = fl_clock_system(), .fs = fl_fs_posix()};
    return fl_engine_repair(data_dir, &env, report, ctx);
}
