/*
 * What an earlier process left behind, read back: manifest, tables, logs.
 *
 * The logs form a chain: the manifest names the first, each one's seal names the next. The chain
 * ends at a log without a seal, at its last whole frame. A log that should be there and is not is
 * damage, and so is a hole in what any later frame declares to have been on the disk; a hole that
 * nothing speaks of is where the crash cut, and all behind it goes.
 */
#include "engine/recovery.h"

#include <inttypes.h>

#include "base/entry.h"
#include "base/hash.h"
#include "wal/wal_reader.h"

void fl_recovery_deinit(flowdb *db, struct fl_recovery *recovery) {
    for (size_t i = 0; i < recovery->table_count; i++)
        fl_table_unref(recovery->tables[i]);
    fl_release(db->env.alloc, recovery->tables);
    for (size_t i = 0; i < recovery->memtable_count; i++)
        fl_memtable_unref(recovery->memtables[i]);
    fl_release(db->env.alloc, recovery->memtables);
    fl_release(db->env.alloc, recovery->wal_files.ids);
    fl_release(db->env.alloc, recovery->table_files.ids);
    fl_release(db->env.alloc, recovery->manifest_files.ids);
    fl_manifest_state_deinit(&recovery->state);
}

/* ------------------------------------------------------------------------ files and tables -- */

static void note_ids(struct fl_recovery *recovery, const struct fl_id_list *list) {
    if (list->count > 0)
        recovery->max_id = FL_MAX(recovery->max_id, list->ids[list->count - 1]);
}

static flowdb_status list_files(flowdb *db, struct fl_recovery *recovery) {
    flowdb_status status = fl_engine_list_ids(db, db->wal_dir, FL_FILE_WAL, &recovery->wal_files);
    if (status == FLOWDB_OK)
        status = fl_engine_list_ids(db, db->sst_dir, FL_FILE_TABLE, &recovery->table_files);
    if (status == FLOWDB_OK)
        status = fl_engine_list_ids(db, db->config.data_dir, FL_FILE_MANIFEST,
                                    &recovery->manifest_files);
    note_ids(recovery, &recovery->wal_files);
    note_ids(recovery, &recovery->table_files);
    note_ids(recovery, &recovery->manifest_files);
    return status;
}

flowdb_status fl_recovery_add_table(flowdb *db, struct fl_recovery *recovery,
                                    struct fl_table *table) {
    size_t size = (recovery->table_count + 1) * sizeof(struct fl_table *);
    struct fl_table **tables = fl_reallocate(db->env.alloc, recovery->tables, size);
    if (tables == NULL)
        return fl_fail_memory("the list of tables", size);
    tables[recovery->table_count++] = table;
    recovery->tables = tables;
    recovery->max_seq = FL_MAX(recovery->max_seq, fl_table_properties(table)->max_seq);
    return FLOWDB_OK;
}

static flowdb_status open_table(flowdb *db, struct fl_recovery *recovery,
                                const struct fl_table_meta *meta) {
    char *path = fl_engine_table_path(db, meta->id);
    if (path == NULL)
        return FLOWDB_NO_MEMORY;
    struct fl_table *table;
    flowdb_status status = fl_engine_open_table(db, path, meta->id, meta->file_size, &table);
    if (status == FLOWDB_NOT_FOUND)
        status = fl_fail(FLOWDB_CORRUPTION, "%s is missing, which the manifest lists", path);
    fl_release(db->env.alloc, path);
    if (status != FLOWDB_OK)
        return status;
    status = fl_recovery_add_table(db, recovery, table);
    if (status != FLOWDB_OK)
        fl_table_unref(table);
    return status;
}

static flowdb_status open_tables(flowdb *db, struct fl_recovery *recovery) {
    flowdb_status status = FLOWDB_OK;
    for (size_t i = 0; i < recovery->state.table_count && status == FLOWDB_OK; i++)
        status = open_table(db, recovery, &recovery->state.tables[i]);
    return status;
}

/* ------------------------------------------------------------------------------------ logs -- */

static flowdb_status open_log(flowdb *db, uint64_t id, struct fl_wal_reader *reader) {
    char *path = fl_engine_wal_path(db, id);
    if (path == NULL)
        return FLOWDB_NO_MEMORY;
    flowdb_status status = fl_wal_reader_open(&db->env, &db->pool, path, id, reader);
    fl_release(db->env.alloc, path);
    return status;
}

flowdb_status fl_recovery_apply(flowdb *db, struct fl_memtable *memtable, struct fl_chunk *chunk,
                                const struct fl_wal_frame *frame) {
    uint64_t *hashes = fl_allocate(db->env.alloc, frame->count * sizeof *hashes);
    if (hashes == NULL)
        return fl_fail_memory("replaying a log", frame->count * sizeof *hashes);
    const uint8_t *entry = frame->entries;
    for (uint32_t i = 0; i < frame->count; i++) {
        hashes[i] = fl_hash_key(fl_entry_key(entry));
        entry += fl_entry_size(entry);
    }
    struct fl_memtable_batch batch = {.chunk = chunk,
                                      .entries = frame->entries,
                                      .size = frame->size,
                                      .charge = frame->size,
                                      .hashes = hashes,
                                      .count = frame->count,
                                      .first_seq = frame->first_seq};
    flowdb_status status = fl_memtable_prepare(memtable, &batch);
    if (status == FLOWDB_OK)
        fl_memtable_publish(memtable);
    fl_release(db->env.alloc, hashes);
    return status;
}

static flowdb_status replay_frames(flowdb *db, struct fl_recovery *recovery,
                                   struct fl_wal_reader *reader, struct fl_memtable *memtable) {
    struct fl_wal_frame frame;
    flowdb_status status;
    while ((status = fl_wal_reader_next(reader, &frame)) == FLOWDB_OK) {
        if (frame.first_seq <= recovery->log_seq)
            return fl_fail(FLOWDB_CORRUPTION,
                           "%s: sequence number %" PRIu64 " before offset %zu, expected above "
                           "%" PRIu64,
                           reader->path, frame.first_seq, reader->offset, recovery->log_seq);
        status = fl_recovery_apply(db, memtable, reader->chunk, &frame);
        if (status != FLOWDB_OK)
            return status;
        recovery->log_seq = frame.first_seq + frame.count - 1;
        recovery->records += frame.count;
    }
    return status == FLOWDB_DONE ? FLOWDB_OK : status;
}

static flowdb_status add_memtable(flowdb *db, struct fl_recovery *recovery,
                                  struct fl_memtable **memtable) {
    size_t size = (recovery->memtable_count + 1) * sizeof(struct fl_memtable *);
    struct fl_memtable **memtables = fl_reallocate(db->env.alloc, recovery->memtables, size);
    if (memtables == NULL)
        return fl_fail_memory("the list of memtables", size);
    recovery->memtables = memtables;
    flowdb_status status = fl_memtable_create(db->env.alloc, &db->pool, 0, memtable);
    if (status == FLOWDB_OK)
        memtables[recovery->memtable_count++] = *memtable;
    return status;
}

/* Reads one log of the chain into a memtable of its own. */
static flowdb_status replay_log(flowdb *db, struct fl_recovery *recovery, uint64_t id,
                                uint64_t previous, struct fl_wal_reader *reader) {
    flowdb_status status = open_log(db, id, reader);
    if (status == FLOWDB_NOT_FOUND)
        return fl_fail(FLOWDB_CORRUPTION, "%s/%06" PRIu64 ".log is missing, which %s names",
                       db->wal_dir, id, previous != 0 ? "the log before it" : "the manifest");
    if (status != FLOWDB_OK)
        return status;
    struct fl_memtable *memtable;
    if (reader->chunk == NULL || (previous != 0 && reader->previous != previous))
        status = fl_fail(FLOWDB_CORRUPTION, "%s: damaged at offset 0", reader->path);
    else
        status = add_memtable(db, recovery, &memtable);
    if (status == FLOWDB_OK)
        status = replay_frames(db, recovery, reader, memtable);
    if (status != FLOWDB_OK)
        fl_wal_reader_close(reader);
    return status;
}

/* A log behind the end of the chain: it must not say that what is missing at the end was on the disk.
   What it holds cannot follow on what is missing, and is dropped. */
static flowdb_status check_later_log(flowdb *db, struct fl_recovery *recovery, uint64_t id,
                                     const struct fl_wal_position *end) {
    struct fl_wal_reader reader;
    flowdb_status status = open_log(db, id, &reader);
    if (status != FLOWDB_OK)
        return status;
    if (fl_wal_reader_declares(&reader, FL_WAL_FILE_HEADER, end)) {
        fl_wal_reader_close(&reader);
        return fl_fail(FLOWDB_CORRUPTION,
                       "%s/%06" PRIu64 ".log: damaged at offset %" PRIu64
                       ", in what was already on the disk",
                       db->wal_dir, end->log, end->offset);
    }
    struct fl_wal_frame frame;
    if (fl_wal_reader_next(&reader, &frame) == FLOWDB_OK || reader.torn) {
        fl_engine_log(db, FLOWDB_LOG_WARN, "%s: dropped, log %06" PRIu64 " ends before it",
                      reader.path, end->log);
        recovery->dropped_logs++;
    }
    fl_wal_reader_close(&reader);
    return FLOWDB_OK;
}

static flowdb_status check_later_logs(flowdb *db, struct fl_recovery *recovery,
                                      const struct fl_wal_position *end) {
    flowdb_status status = FLOWDB_OK;
    for (size_t i = 0; i < recovery->wal_files.count && status == FLOWDB_OK; i++) {
        if (recovery->wal_files.ids[i] > end->log)
            status = check_later_log(db, recovery, recovery->wal_files.ids[i], end);
    }
    return status;
}

static flowdb_status replay_chain(flowdb *db, struct fl_recovery *recovery) {
    uint64_t id = recovery->state.log, previous = 0;
    recovery->log_seq = 0;
    while (id != 0) {
        struct fl_wal_reader reader;
        flowdb_status status = replay_log(db, recovery, id, previous, &reader);
        if (status != FLOWDB_OK)
            return status;
        struct fl_wal_position end = {.log = id, .offset = reader.offset};
        previous = id;
        id = reader.sealed ? reader.next_log : 0;
        if (reader.torn)
            fl_engine_log(db, FLOWDB_LOG_WARN,
                          "%s: cut at offset %zu, %zu bytes behind it were not whole", reader.path,
                          reader.offset, reader.size - reader.offset);
        recovery->torn_logs += reader.torn;
        fl_wal_reader_close(&reader);
        if (id == 0)
            status = check_later_logs(db, recovery, &end);
        if (status != FLOWDB_OK)
            return status;
    }
    recovery->max_seq = FL_MAX(recovery->max_seq, recovery->log_seq);
    return FLOWDB_OK;
}

/* ---------------------------------------------------------------------------- no manifest -- */

/* Without CURRENT there must be nothing that could be somebody's data. */
static flowdb_status check_empty(flowdb *db, const struct fl_recovery *recovery) {
    if (recovery->table_files.count > 0)
        return fl_fail(FLOWDB_CORRUPTION,
                       "%s/CURRENT is missing, but %s/%06" PRIu64 ".sst is there",
                       db->config.data_dir, db->sst_dir, recovery->table_files.ids[0]);
    for (size_t i = 0; i < recovery->wal_files.count; i++) {
        struct fl_wal_reader reader;
        struct fl_wal_frame frame;
        flowdb_status status = open_log(db, recovery->wal_files.ids[i], &reader);
        if (status != FLOWDB_OK)
            return status;
        status = fl_wal_reader_next(&reader, &frame);
        /* A header that is not whole is what a crash leaves of a log just made, not of a longer one. */
        bool nothing = status == FLOWDB_DONE && !reader.torn &&
                       (reader.chunk != NULL || reader.size <= FL_WAL_FILE_HEADER);
        fl_wal_reader_close(&reader);
        if (!nothing)
            return fl_fail(FLOWDB_CORRUPTION,
                           "%s/CURRENT is missing, but %s/%06" PRIu64 ".log holds data",
                           db->config.data_dir, db->wal_dir, recovery->wal_files.ids[i]);
    }
    return FLOWDB_OK;
}

flowdb_status fl_recovery_read(flowdb *db, struct fl_recovery *recovery) {
    *recovery = (struct fl_recovery){0};
    fl_manifest_state_init(&recovery->state, db->env.alloc);
    flowdb_status status = list_files(db, recovery);
    if (status != FLOWDB_OK)
        return status;
    status =
        fl_manifest_load(&db->env, db->config.data_dir, &recovery->state, &recovery->manifest_id);
    if (status == FLOWDB_NOT_FOUND) {
        recovery->is_new = true;
        return check_empty(db, recovery);
    }
    if (status == FLOWDB_OK)
        status = open_tables(db, recovery);
    recovery->max_seq = FL_MAX(recovery->max_seq, recovery->state.last_seq);
    if (status == FLOWDB_OK)
        status = replay_chain(db, recovery);
    recovery->max_id = FL_MAX(recovery->max_id, recovery->state.next_id - 1);
    return status;
}
