/*
 * What is there of a closed database, good or bad: every byte read, every problem reported, nothing
 * changed. Verify is a survey; repair makes one and acts on it.
 */
#ifndef FL_ENGINE_SURVEY_H
#define FL_ENGINE_SURVEY_H

#include "engine/engine.h"
#include "manifest/salvage.h"
#include "table/examine.h"

typedef void (*fl_report)(void *context, const char *file, uint64_t offset, const char *what);

enum fl_survey_state { FL_SURVEY_WHOLE, FL_SURVEY_DAMAGED, FL_SURVEY_MISSING };

/* A table that the database consists of, or may consist of. */
struct fl_survey_table {
    uint64_t id, file_size;
    enum fl_survey_state state;
    struct fl_examined examined;
};

/* A log, and how much of it is to be kept: whole frames up to `end`. */
struct fl_survey_log {
    uint64_t id;
    size_t end;
    bool whole; /* that is all of it */
};

struct fl_survey {
    flowdb *db;
    fl_report report; /* NULL: nobody is told */
    void *context;
    uint64_t problems;
    char first[768]; /* of the problems, as a sentence */

    struct fl_id_list wal_files, table_files, manifest_files;
    bool current_damaged, manifest_damaged;
    uint64_t manifest_id; /* 0: there is none to go by */
    struct fl_salvaged_manifest manifest;
    /* The manifest may lack something, so that tables which it does not list count as well. */
    bool doubtful;

    struct fl_buffer tables; /* struct fl_survey_table */
    struct fl_buffer logs;   /* struct fl_survey_log, in order */
    uint64_t max_id;         /* of all files, and what the manifest says */
    uint64_t max_seq;        /* of what is to be kept */
    uint64_t covered;        /* up to this sequence number tables have what logs hold */
};

/* FLOWDB_OK whatever is found. FLOWDB_NOT_FOUND where there is no database. Deinit in any case. */
flowdb_status fl_survey_make(struct fl_survey *survey, flowdb *db, fl_report report, void *context);
void fl_survey_deinit(struct fl_survey *survey);

/* Counts a problem and passes it on. `file` is relative to the data directory. */
__attribute__((format(printf, 4, 5))) void fl_survey_report(struct fl_survey *survey,
                                                            const char *file, uint64_t offset,
                                                            const char *format, ...);
/* Passes on something that is no problem. */
__attribute__((format(printf, 4, 5))) void fl_survey_tell(struct fl_survey *survey,
                                                          const char *file, uint64_t offset,
                                                          const char *format, ...);

#define FL_SURVEY_NAME 48
/* "sst/000009.sst" and so on. */
const char *fl_survey_name(enum fl_file_kind kind, uint64_t id, char out[FL_SURVEY_NAME]);

static inline struct fl_survey_table *fl_survey_tables(const struct fl_survey *survey,
                                                       size_t *count) {
    *count = survey->tables.size / sizeof(struct fl_survey_table);
    return (struct fl_survey_table *)(void *)survey->tables.data;
}
static inline const struct fl_survey_log *fl_survey_logs(const struct fl_survey *survey,
                                                         size_t *count) {
    *count = survey->logs.size / sizeof(struct fl_survey_log);
    return (const struct fl_survey_log *)(const void *)survey->logs.data;
}
static inline bool fl_id_list_has(const struct fl_id_list *list, uint64_t id) {
    for (size_t i = 0; i < list->count; i++) {
        if (list->ids[i] == id)
            return true;
    }
    return false;
}

/* ---- survey_logs.c ---- */

/* Walks the logs and notes what is to be kept of them. After the tables. */
flowdb_status fl_survey_walk_logs(struct fl_survey *survey);
/* Does the log, or any log, hold a write, or may it have held one? */
flowdb_status fl_survey_log_holds(struct fl_survey *survey, uint64_t id, bool *data);
flowdb_status fl_survey_logs_hold_data(struct fl_survey *survey, bool *data);

#endif
