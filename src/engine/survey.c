/* The survey but for the logs: CURRENT, manifest, tables. */
#include "engine/survey.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "fs/files.h"

/* ------------------------------------------------------------------------------------- telling -- */

static void tell(struct fl_survey *survey, bool problem, const char *file, uint64_t offset,
                 const char *format, va_list arguments) {
    char what[768];
    vsnprintf(what, sizeof what, format, arguments);
    if (problem && survey->problems++ == 0)
        snprintf(survey->first, sizeof survey->first, "%.60s at offset %" PRIu64 ": %.600s", file,
                 offset, what);
    if (survey->report != NULL)
        survey->report(survey->context, file, offset, what);
}

void fl_survey_report(struct fl_survey *survey, const char *file, uint64_t offset,
                      const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    tell(survey, true, file, offset, format, arguments);
    va_end(arguments);
}

void fl_survey_tell(struct fl_survey *survey, const char *file, uint64_t offset, const char *format,
                    ...) {
    va_list arguments;
    va_start(arguments, format);
    tell(survey, false, file, offset, format, arguments);
    va_end(arguments);
}

const char *fl_survey_name(enum fl_file_kind kind, uint64_t id, char out[FL_SURVEY_NAME]) {
    if (kind == FL_FILE_MANIFEST)
        snprintf(out, FL_SURVEY_NAME, "MANIFEST-%06" PRIu64, id);
    else
        snprintf(out, FL_SURVEY_NAME, "%s/%06" PRIu64 ".%s", kind == FL_FILE_WAL ? "wal" : "sst",
                 id, kind == FL_FILE_WAL ? "log" : "sst");
    return out;
}

/* --------------------------------------------------------------------------------------- files -- */

static flowdb_status list_dir(struct fl_survey *survey, const char *dir, enum fl_file_kind kind,
                              struct fl_id_list *list) {
    bool there = false;
    flowdb_status status = fl_fs_exists(survey->db->env.fs, dir, &there);
    if (status == FLOWDB_OK && there)
        status = fl_engine_list_ids(survey->db, dir, kind, list);
    if (list->count > 0)
        survey->max_id = FL_MAX(survey->max_id, list->ids[list->count - 1]);
    return status;
}

static flowdb_status list_files(struct fl_survey *survey) {
    flowdb *db = survey->db;
    flowdb_status status = list_dir(survey, db->wal_dir, FL_FILE_WAL, &survey->wal_files);
    if (status == FLOWDB_OK)
        status = list_dir(survey, db->sst_dir, FL_FILE_TABLE, &survey->table_files);
    if (status == FLOWDB_OK)
        status = list_dir(survey, db->config.data_dir, FL_FILE_MANIFEST, &survey->manifest_files);
    return status;
}

/* ------------------------------------------------------------------------------------ manifest -- */

/* The manifest that is being read. */
struct manifest_reading {
    struct fl_survey *survey;
    uint64_t id;
};

static void manifest_damage(void *context, uint64_t offset, const char *what) {
    struct manifest_reading *reading = context;
    char name[FL_SURVEY_NAME];
    fl_survey_report(reading->survey, fl_survey_name(FL_FILE_MANIFEST, reading->id, name), offset,
                     "%s", what);
}

static flowdb_status read_manifest(struct fl_survey *survey, uint64_t id) {
    struct manifest_reading reading = {.survey = survey, .id = id};
    fl_salvaged_manifest_deinit(&survey->manifest);
    flowdb_status status = fl_manifest_salvage(&survey->db->env, survey->db->config.data_dir, id,
                                               manifest_damage, &reading, &survey->manifest);
    bool usable = status == FLOWDB_OK && survey->manifest.edits > 0;
    survey->manifest_id = usable ? id : 0;
    survey->manifest_damaged = status == FLOWDB_OK && survey->manifest.damages > 0;
    return status;
}

/* Without CURRENT: the newest that can be used. */
static flowdb_status newest_manifest(struct fl_survey *survey) {
    flowdb_status status = FLOWDB_OK;
    for (size_t i = survey->manifest_files.count; i-- > 0;) {
        status = read_manifest(survey, survey->manifest_files.ids[i]);
        if (status != FLOWDB_OK || survey->manifest_id != 0)
            break;
    }
    char name[FL_SURVEY_NAME];
    if (status == FLOWDB_OK && survey->manifest_id != 0)
        fl_survey_tell(survey, fl_survey_name(FL_FILE_MANIFEST, survey->manifest_id, name), 0,
                       "the newest manifest that can be read: taken for the one in use");
    return status;
}

static flowdb_status find_manifest(struct fl_survey *survey) {
    uint64_t id = 0;
    char name[FL_SURVEY_NAME];
    flowdb_status status = fl_manifest_current(&survey->db->env, survey->db->config.data_dir, &id);
    if (status == FLOWDB_OK && fl_id_list_has(&survey->manifest_files, id)) {
        status = read_manifest(survey, id);
    } else if (status == FLOWDB_OK || status == FLOWDB_CORRUPTION || status == FLOWDB_NOT_FOUND) {
        if (status == FLOWDB_OK)
            fl_survey_report(survey, fl_survey_name(FL_FILE_MANIFEST, id, name), 0,
                             "the manifest is missing, which CURRENT names");
        else
            fl_survey_report(survey, "CURRENT", 0,
                             status == FLOWDB_NOT_FOUND
                                 ? "CURRENT is missing beside what it should lead to"
                                 : "CURRENT is damaged: it names no manifest");
        survey->current_damaged = true;
        status = newest_manifest(survey);
    }
    if (status == FLOWDB_OK && survey->manifest_id != 0)
        survey->max_id = FL_MAX(survey->max_id, survey->manifest.state.next_id - 1);
    survey->doubtful = survey->manifest_id == 0 || survey->manifest_damaged;
    return status;
}

static void pass_over(void *context, uint64_t offset, const char *what) {
    (void)context;
    (void)offset;
    (void)what;
}

/* Does any manifest that can be read list a table? */
static flowdb_status manifests_list_tables(struct fl_survey *survey, bool *listed) {
    flowdb_status status = FLOWDB_OK;
    for (size_t i = 0; i < survey->manifest_files.count && status == FLOWDB_OK && !*listed; i++) {
        struct fl_salvaged_manifest manifest = {0};
        status = fl_manifest_salvage(&survey->db->env, survey->db->config.data_dir,
                                     survey->manifest_files.ids[i], pass_over, NULL, &manifest);
        *listed = status == FLOWDB_OK && manifest.state.table_count > 0;
        fl_salvaged_manifest_deinit(&manifest);
    }
    return status;
}

/* Without CURRENT there is no database, unless something is there that could be somebody's data. A
   manifest that lists no table may be what a crash left of an open that was creating a database. */
static flowdb_status check_there(struct fl_survey *survey) {
    bool current = false, data = false;
    char *path = fl_path_in(survey->db->env.alloc, survey->db->config.data_dir, "CURRENT");
    flowdb_status status =
        path != NULL ? fl_fs_exists(survey->db->env.fs, path, &current) : FLOWDB_NO_MEMORY;
    fl_release(survey->db->env.alloc, path);
    if (status != FLOWDB_OK || current || survey->table_files.count > 0)
        return status;
    status = manifests_list_tables(survey, &data);
    if (status == FLOWDB_OK && !data)
        status = fl_survey_logs_hold_data(survey, &data);
    if (status == FLOWDB_OK && !data)
        status =
            fl_fail(FLOWDB_NOT_FOUND, "there is no database in %s", survey->db->config.data_dir);
    return status;
}

/* -------------------------------------------------------------------------------------- tables -- */

struct table_reading {
    struct fl_survey *survey;
    char name[FL_SURVEY_NAME];
};

static void table_damage(void *context, uint64_t offset, const char *what) {
    struct table_reading *reading = context;
    fl_survey_report(reading->survey, reading->name, offset, "%s", what);
}

static flowdb_status file_size(struct fl_survey *survey, const char *path, uint64_t *size) {
    struct fl_file *file;
    flowdb_status status = fl_fs_open(survey->db->env.fs, path, FL_OPEN_READ, &file);
    if (status != FLOWDB_OK)
        return status;
    status = fl_file_size(file, size);
    fl_file_close(file);
    return status;
}

/* `listed` NULL: a table of which the manifest does not know. */
static flowdb_status survey_table(struct fl_survey *survey, uint64_t id,
                                  const struct fl_table_meta *listed) {
    struct table_reading reading = {.survey = survey};
    struct fl_examiner examiner = {.context = &reading, .damage = table_damage};
    struct fl_survey_table table = {.id = id};
    fl_survey_name(FL_FILE_TABLE, id, reading.name);
    char *path = fl_engine_table_path(survey->db, id);
    if (path == NULL)
        return FLOWDB_NO_MEMORY;
    flowdb_status status = file_size(survey, path, &table.file_size);
    if (status == FLOWDB_OK)
        status = fl_table_examine(&survey->db->env, path, id, &examiner, &table.examined);
    fl_release(survey->db->env.alloc, path);
    if (status == FLOWDB_NOT_FOUND) {
        fl_survey_report(survey, reading.name, 0, "the table is missing, which the manifest lists");
        table.state = FL_SURVEY_MISSING;
        survey->doubtful = true;
        status = FLOWDB_OK;
    } else if (status == FLOWDB_OK) {
        if (table.examined.damages > 0)
            table.state = FL_SURVEY_DAMAGED;
        else if (listed != NULL && listed->file_size != table.file_size)
            fl_survey_report(survey, reading.name, table.file_size,
                             "the file is whole, but has %" PRIu64 " bytes where the manifest "
                             "lists %" PRIu64,
                             table.file_size, listed->file_size);
        survey->max_seq = FL_MAX(survey->max_seq, table.examined.max_seq);
    }
    return status == FLOWDB_OK ? fl_buffer_append(&survey->tables, &table, sizeof table) : status;
}

static bool is_listed(const struct fl_survey *survey, uint64_t id) {
    const struct fl_manifest_state *state = &survey->manifest.state;
    for (size_t i = 0; i < state->table_count; i++) {
        if (state->tables[i].id == id)
            return true;
    }
    return false;
}

static bool was_removed(const struct fl_survey *survey, uint64_t id) {
    const uint64_t *ids = (const uint64_t *)(const void *)survey->manifest.removed.data;
    for (size_t i = 0; i < survey->manifest.removed.size / sizeof *ids; i++) {
        if (ids[i] == id)
            return true;
    }
    return false;
}

/* Tables that are listed nowhere count where what listed them may be lost. */
static flowdb_status survey_unlisted(struct fl_survey *survey) {
    flowdb_status status = FLOWDB_OK;
    for (size_t i = 0; i < survey->table_files.count && status == FLOWDB_OK; i++) {
        uint64_t id = survey->table_files.ids[i];
        if (is_listed(survey, id) || was_removed(survey, id))
            continue;
        char name[FL_SURVEY_NAME];
        fl_survey_report(
            survey, fl_survey_name(FL_FILE_TABLE, id, name), 0,
            "the table is not listed, but what listed it may be lost; if it was merged "
            "into others before, what was deleted since may come back with it");
        status = survey_table(survey, id, NULL);
    }
    return status;
}

static flowdb_status first_missing_log(struct fl_survey *survey) {
    uint64_t log = survey->manifest.state.log;
    if (survey->manifest_id != 0 && log != 0 && !fl_id_list_has(&survey->wal_files, log))
        survey->doubtful = true;
    return FLOWDB_OK;
}

static flowdb_status survey_tables(struct fl_survey *survey) {
    const struct fl_manifest_state *state = &survey->manifest.state;
    flowdb_status status = FLOWDB_OK;
    survey->max_seq = survey->manifest_id != 0 ? state->last_seq : 0;
    for (size_t i = 0; survey->manifest_id != 0 && i < state->table_count && status == FLOWDB_OK;
         i++)
        status = survey_table(survey, state->tables[i].id, &state->tables[i]);
    if (status == FLOWDB_OK)
        status = first_missing_log(survey);
    return status == FLOWDB_OK && survey->doubtful ? survey_unlisted(survey) : status;
}

/* -------------------------------------------------------------------------------------- whole -- */

flowdb_status fl_survey_make(struct fl_survey *survey, flowdb *db, fl_report report,
                             void *context) {
    *survey = (struct fl_survey){.db = db, .report = report, .context = context};
    fl_buffer_init(&survey->tables, db->env.alloc);
    fl_buffer_init(&survey->logs, db->env.alloc);
    flowdb_status status = list_files(survey);
    if (status == FLOWDB_OK)
        status = check_there(survey);
    if (status == FLOWDB_OK)
        status = find_manifest(survey);
    if (status == FLOWDB_OK)
        status = survey_tables(survey);
    return status == FLOWDB_OK ? fl_survey_walk_logs(survey) : status;
}

void fl_survey_deinit(struct fl_survey *survey) {
    const struct fl_alloc *alloc = survey->db->env.alloc;
    fl_release(alloc, survey->wal_files.ids);
    fl_release(alloc, survey->table_files.ids);
    fl_release(alloc, survey->manifest_files.ids);
    fl_salvaged_manifest_deinit(&survey->manifest);
    fl_buffer_deinit(&survey->tables);
    fl_buffer_deinit(&survey->logs);
}
