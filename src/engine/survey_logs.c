/*
 * The survey of the logs: which of them count, where each is damaged, and how much can be kept.
 *
 * What is kept is a beginning of what was written: behind something that is missing nothing counts,
 * or a later write would be there without an earlier one. Sequence numbers tell: each write has the
 * next one, so a log that goes on where the one before it, or the tables, left off lacks nothing
 * in between, whatever became of the bytes.
 */
#include <inttypes.h>

#include "engine/survey.h"
#include "wal/wal_reader.h"

struct chain {
    struct fl_survey *survey;
    uint64_t covered; /* up to here the tables have it */
    uint64_t last_seq;
    bool any;   /* a frame was kept */
    bool gap;   /* something may be missing in front of what comes next */
    bool ended; /* a log ended as a crash leaves it: no seal, and nothing says that one was there */
    bool lenient; /* nobody knows with what the logs began */
    bool cut;     /* something is missing: nothing from here on is kept */
};

static flowdb_status open_log(struct fl_survey *survey, uint64_t id, struct fl_wal_reader *reader) {
    char *path = fl_engine_wal_path(survey->db, id);
    if (path == NULL)
        return FLOWDB_NO_MEMORY;
    flowdb_status status =
        fl_wal_reader_open(&survey->db->env, &survey->db->pool, path, id, reader);
    fl_release(survey->db->env.alloc, path);
    return status;
}

flowdb_status fl_survey_log_holds(struct fl_survey *survey, uint64_t id, bool *data) {
    struct fl_wal_reader reader;
    struct fl_wal_frame frame;
    flowdb_status status = open_log(survey, id, &reader);
    if (status != FLOWDB_OK)
        return status;
    *data = reader.chunk == NULL
                ? reader.size >
                      FL_WAL_FILE_HEADER /* what a crash may leave of one just made has no more */
                : fl_wal_reader_next(&reader, &frame) != FLOWDB_DONE || reader.torn;
    fl_wal_reader_close(&reader);
    return FLOWDB_OK;
}

flowdb_status fl_survey_logs_hold_data(struct fl_survey *survey, bool *data) {
    flowdb_status status = FLOWDB_OK;
    *data = false;
    for (size_t i = 0; i < survey->wal_files.count && status == FLOWDB_OK && !*data; i++)
        status = fl_survey_log_holds(survey, survey->wal_files.ids[i], data);
    return status;
}

/* The log file behind `id` by number; 0: none. */
static uint64_t file_after(const struct fl_survey *survey, uint64_t id) {
    for (size_t i = 0; i < survey->wal_files.count; i++) {
        if (survey->wal_files.ids[i] > id)
            return survey->wal_files.ids[i];
    }
    return 0;
}

/* Without a manifest: a log that follows on no other was begun when all before it was in tables. */
static flowdb_status find_first(struct fl_survey *survey, uint64_t *first) {
    flowdb_status status = FLOWDB_OK;
    *first = file_after(survey, 0);
    for (size_t i = 0; i < survey->wal_files.count && status == FLOWDB_OK; i++) {
        struct fl_wal_reader reader;
        status = open_log(survey, survey->wal_files.ids[i], &reader);
        if (status != FLOWDB_OK)
            return status;
        if (reader.chunk != NULL && reader.previous == 0)
            *first = survey->wal_files.ids[i];
        fl_wal_reader_close(&reader);
    }
    return status;
}

/* ---------------------------------------------------------------------------------- one log -- */

/* Is the frame to be kept? Otherwise chain->cut says whether anything behind it is. */
static bool takes(struct chain *chain, const struct fl_wal_frame *frame, const char *name,
                  size_t offset) {
    uint64_t last = frame->first_seq + frame->count - 1;
    if (last <= chain->covered)
        return false;
    if (chain->gap && frame->first_seq > chain->last_seq + 1) {
        /* Where nothing else is wrong either, an open drops it too, as it should. */
        if (chain->ended && chain->survey->problems == 0) {
            chain->cut = true;
            return false;
        }
        if (!chain->lenient || chain->any) {
            fl_survey_report(chain->survey, name, offset,
                             "what follows here was written after something that is missing "
                             "(sequence numbers %" PRIu64 " to %" PRIu64 "), and cannot count",
                             chain->last_seq + 1, frame->first_seq - 1);
            chain->cut = true;
            return false;
        }
        fl_survey_report(
            chain->survey, name, offset,
            "the logs begin here; whether something is missing before it is not known");
    }
    chain->gap = false;
    chain->any = true;
    chain->last_seq = last;
    return true;
}

/* Notes how far the log can be kept. */
static flowdb_status read_frames(struct chain *chain, struct fl_wal_reader *reader,
                                 const char *name) {
    struct fl_survey_log log = {.id = reader->id};
    struct fl_wal_frame frame;
    flowdb_status status = FLOWDB_OK;
    bool damaged = false;
    while (!chain->cut && !damaged) {
        size_t offset = reader->offset;
        status = fl_wal_reader_next(reader, &frame);
        if (status != FLOWDB_OK)
            break;
        if (chain->any && frame.first_seq <= chain->last_seq) {
            fl_survey_report(chain->survey, name, offset,
                             "sequence number %" PRIu64 " where one above %" PRIu64 " is expected",
                             frame.first_seq, chain->last_seq);
            damaged = true;
        } else if (takes(chain, &frame, name, offset)) {
            log.end = reader->offset;
        }
    }
    if (status == FLOWDB_CORRUPTION)
        fl_survey_report(chain->survey, name, reader->offset,
                         "damaged here, in what was already on the disk: what follows in this log "
                         "cannot count");
    else if (status != FLOWDB_OK && status != FLOWDB_DONE)
        return status;
    log.whole = status == FLOWDB_DONE && !reader->torn;
    return log.end > 0 ? fl_buffer_append(&chain->survey->logs, &log, sizeof log) : FLOWDB_OK;
}

static void not_whole(struct fl_survey *survey, uint64_t id) {
    struct fl_survey_log *logs = (struct fl_survey_log *)(void *)survey->logs.data;
    for (size_t i = 0; i < survey->logs.size / sizeof *logs; i++) {
        if (logs[i].id == id)
            logs[i].whole = false;
    }
}

/* Does a later log say that what is missing at the end of this one was on the disk? */
static flowdb_status check_end(struct chain *chain, const struct fl_wal_reader *reader,
                               const char *name) {
    struct fl_survey *survey = chain->survey;
    struct fl_wal_position end = {.log = reader->id, .offset = reader->offset};
    for (size_t i = 0; i < survey->wal_files.count; i++) {
        struct fl_wal_reader later;
        if (survey->wal_files.ids[i] <= reader->id)
            continue;
        flowdb_status status = open_log(survey, survey->wal_files.ids[i], &later);
        if (status != FLOWDB_OK)
            return status;
        bool declared = fl_wal_reader_declares(&later, FL_WAL_FILE_HEADER, &end);
        fl_wal_reader_close(&later);
        if (declared) {
            fl_survey_report(survey, name, end.offset,
                             "damaged here, in what a later log knows to have been on the disk");
            not_whole(survey, reader->id);
            break;
        }
    }
    return FLOWDB_OK;
}

/* `named`: something leads to it, so that it must be there and whole. *next is the log that it names
   or that lies behind it; 0: none. */
static flowdb_status walk_log(struct chain *chain, uint64_t id, bool named, uint64_t previous,
                              uint64_t *next, bool *next_named) {
    struct fl_survey *survey = chain->survey;
    struct fl_wal_reader reader;
    char name[FL_SURVEY_NAME];
    fl_survey_name(FL_FILE_WAL, id, name);
    *next = file_after(survey, id);
    *next_named = false;
    uint64_t problems = survey->problems;
    flowdb_status status = open_log(survey, id, &reader);
    if (status == FLOWDB_NOT_FOUND) {
        fl_survey_report(survey, name, 0, "the log is missing, which %s names",
                         previous != 0 ? "the log before it" : "the manifest");
        chain->gap = true;
        return FLOWDB_OK;
    }
    if (status != FLOWDB_OK)
        return status;
    if (reader.chunk == NULL || (named && previous != 0 && reader.previous != previous)) {
        if (named)
            fl_survey_report(survey, name, 0,
                             reader.chunk == NULL ? "the log's header is damaged"
                                                  : "the log names another one before it");
        chain->gap = true;
    }
    if (reader.chunk != NULL) {
        status = read_frames(chain, &reader, name);
        if (status == FLOWDB_OK && reader.sealed) {
            *next = reader.next_log;
            *next_named = true;
        } else if (status == FLOWDB_OK) {
            chain->gap = true;
            status = check_end(chain, &reader, name);
            chain->ended = survey->problems == problems;
        }
    }
    fl_wal_reader_close(&reader);
    return status;
}

/* --------------------------------------------------------------------------------------- walk -- */

/* Did an edit get lost that put a log into a table? */
static bool lacks_flush(const struct fl_survey *survey) {
    size_t count;
    const struct fl_survey_table *tables = fl_survey_tables(survey, &count);
    for (size_t i = 0; i < count; i++) {
        if (tables[i].examined.max_seq > survey->manifest.state.last_seq)
            return true;
    }
    return false;
}

flowdb_status fl_survey_walk_logs(struct fl_survey *survey) {
    bool known = survey->manifest_id != 0;
    struct chain chain = {.survey = survey,
                          .covered = survey->max_seq,
                          .last_seq = survey->max_seq,
                          .gap = !known,
                          .lenient = !known || survey->manifest_damaged || survey->manifest.torn ||
                                     lacks_flush(survey)};
    uint64_t id = survey->manifest.state.log, previous = 0;
    flowdb_status status = known ? FLOWDB_OK : find_first(survey, &id);
    bool named = known;
    while (status == FLOWDB_OK && id != 0 && !chain.cut) {
        uint64_t next = 0;
        bool next_named = false;
        status = walk_log(&chain, id, named, previous, &next, &next_named);
        previous = next_named ? id : 0;
        named = next_named;
        id = next > id ? next : 0;
    }
    survey->covered = chain.covered;
    survey->max_seq = FL_MAX(survey->max_seq, chain.last_seq);
    return status;
}
