/* flowdb_verify. */
#include <stdio.h>

#include "engine/repair.h"
#include "fs/files.h"

/* Nobody may have the directory open. Where there is no LOCK nobody has, and none is created. On
   media that cannot be written nobody writes. */
static flowdb_status take_lock(flowdb *db, bool change) {
    bool there = false;
    char *path = fl_path_in(db->env.alloc, db->config.data_dir, "LOCK");
    flowdb_status status = path != NULL ? fl_fs_exists(db->env.fs, path, &there) : FLOWDB_NO_MEMORY;
    if (status == FLOWDB_OK && (there || change))
        status = fl_fs_lock(db->env.fs, path, &db->lock_file);
    if (status == FLOWDB_READ_ONLY && !change)
        status = FLOWDB_OK;
    fl_release(db->env.alloc, path);
    return status;
}

static flowdb_status check_dir(const char *data_dir, const struct fl_env *env) {
    if (data_dir == NULL || *data_dir == '\0')
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "data_dir is empty");
    bool there = false;
    flowdb_status status = fl_fs_exists(env->fs, data_dir, &there);
    return status == FLOWDB_OK && !there
               ? fl_fail(FLOWDB_NOT_FOUND, "there is no database in %s", data_dir)
               : status;
}

flowdb_status fl_engine_hold_closed(const char *data_dir, const struct fl_env *env, bool change,
                                    flowdb **db) {
    *db = NULL;
    flowdb_status status = check_dir(data_dir, env);
    if (status != FLOWDB_OK)
        return status;
    flowdb_config config = flowdb_config_default();
    config.data_dir = data_dir;
    config.memtable_size_mb = 1; /* decides the pieces in which memory is taken */
    config.block_cache_capacity_mb = 0;
    status = fl_engine_create(&config, env, db);
    return status == FLOWDB_OK ? take_lock(*db, change) : status;
}

flowdb_status fl_engine_verify(const char *data_dir, const struct fl_env *env, fl_report report,
                               void *context) {
    flowdb *db;
    flowdb_status status = fl_engine_hold_closed(data_dir, env, false, &db);
    if (status == FLOWDB_OK) {
        struct fl_survey survey;
        status = fl_survey_make(&survey, db, report, context);
        if (status == FLOWDB_OK && survey.problems > 0)
            status = fl_fail(FLOWDB_CORRUPTION, "%s: %llu problems; the first: %s", data_dir,
                             (unsigned long long)survey.problems, survey.first);
        fl_survey_deinit(&survey);
    }
    fl_engine_destroy(db);
    return status;
}

flowdb_status flowdb_verify(const char *data_dir, fl_report report, void *ctx) {
    const struct fl_env env = {
        .alloc = fl_alloc_system(), .clock = fl_clock_system(), .fs = fl_fs_posix()};
    return fl_engine_verify(data_dir, &env, report, ctx);
}
