#include "damaged.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"

/* ------------------------------------------------------------------------------------- making -- */

static struct write *note(struct damaged *damaged, enum write_op op, const char *key, int64_t ts) {
    assert_true(damaged->count < WRITES_MAX);
    struct write *write = &damaged->writes[damaged->count++];
    *write = (struct write){.ts = ts, .place = damaged->place};
    write->op = op;
    snprintf(write->key, sizeof write->key, "%s", key);
    return write;
}

static void put(struct damaged *damaged, const char *key, int64_t ts, const char *value) {
    struct write *write = note(damaged, WRITE_PUT, key, ts);
    snprintf(write->value, sizeof write->value, "%s", value);
    engine_put(damaged->engine, key, ts, value);
}

static void put_many(struct damaged *damaged, char letter, unsigned count, const char *value) {
    for (unsigned i = 0; i < count; i++) {
        char key[8], text[24];
        snprintf(key, sizeof key, "%c%02u", letter, i % 100);
        for (int64_t ts = 1; ts <= 3; ts++) {
            uint64_t mixed =
                (i * 3 + (uint64_t)ts) * UINT64_C(0x9E3779B97F4A7C15) ^ (uint64_t)letter;
            snprintf(text, sizeof text, "%s%016" PRIx64, value, mixed * mixed);
            put(damaged, key, ts, text);
        }
    }
}

static void delete (struct damaged *damaged, const char *key, int64_t ts) {
    note(damaged, WRITE_DELETE, key, ts);
    engine_delete(damaged->engine, key, ts);
}

static void delete_range(struct damaged *damaged, const char *start, const char *end) {
    struct write *write = note(damaged, WRITE_DELETE_RANGE, start, 0);
    snprintf(write->end, sizeof write->end, "%s", end);
    engine_delete_range(damaged->engine, start, end);
}

static void freeze(struct engine *engine) {
    pthread_mutex_lock(&engine->db->commit_lock);
    flowdb_status status = fl_engine_freeze(engine->db);
    pthread_mutex_unlock(&engine->db->commit_lock);
    engine_assert_ok(status);
}

static void fill_tables(struct damaged *damaged) {
    struct engine *engine = damaged->engine;
    damaged->place = IN_OLD_TABLE;
    put_many(damaged, 'a', 60, "x");
    engine_flush(engine);
    delete (damaged, "a25", 1);
    put(damaged, "a26", 1, "y");
    delete_range(damaged, "a27", "a28");
    engine_flush(engine);
    engine_assert_ok(flowdb_compact_all(engine->db));
    damaged->place = IN_NEW_TABLE;
    for (char key[] = "a00"; key[2] < '5'; key[2]++)
        delete (damaged, key, 1);
    for (char key[] = "a10"; key[2] < '5'; key[2]++)
        put(damaged, key, 1, "newer");
    delete_range(damaged, "a20", "a23");
    put_many(damaged, 'b', 40, "b");
    engine_flush(engine);
}

static void fill_logs(struct damaged *damaged) {
    struct engine *engine = damaged->engine;
    damaged->place = IN_OLD_LOG;
    put(damaged, "a11", 1, "newest");
    delete (damaged, "a12", 2);
    delete (damaged, "b01", 1);
    put_many(damaged, 'l', 10, "l");
    engine_sync(engine);
    put(damaged, "l90", 1, "last of the log");
    freeze(engine);
    engine_sync(engine);
    damaged->place = IN_NEW_LOG;
    delete_range(damaged, "l00", "l01");
    put(damaged, "b02", 1, "newest");
    delete (damaged, "a13", 1);
    put_many(damaged, 'm', 10, "m");
    engine_sync(engine);
    put(damaged, "m90", 1, "last of all");
    engine_sync(engine);
    put(damaged, "m91", 1, "and one more");
}

/* Logs without the zeros ahead of them, which are written to and read often. */
static void cut_zeros(const char *path) {
    size_t size;
    uint8_t *bytes = scratch_read(path, &size);
    while (size > 0 && bytes[size - 1] == 0)
        size--;
    scratch_write(path, bytes, size + 24);
    free(bytes);
}

static void note_file(struct damaged *damaged, size_t at, const char *folder, const char *part,
                      bool first) {
    struct damaged_file *file = &damaged->files[at];
    char low[SCRATCH_PATH], high[SCRATCH_PATH];
    const char *dir =
        *folder == '\0' ? damaged->engine->copy : scratch_in(damaged->engine->copy, folder);
    assert_true(scratch_find(dir, part, low, high) >= 1);
    snprintf(file->path, sizeof file->path, "%s", first ? low : high);
    if (strcmp(folder, "wal") == 0)
        cut_zeros(file->path);
    file->name = file->path + strlen(damaged->engine->copy) + 1;
    file->bytes = scratch_read(file->path, &file->size);
    if (at < PLACES)
        file->holds[at] = true;
}

struct damaged *damaged_make(struct engine *engine) {
    struct damaged *damaged = calloc(1, sizeof *damaged);
    assert_non_null(damaged);
    damaged->engine = engine;
    engine->config.block_size = 256;
    engine->config.compaction_threshold = 64;
    engine_open(engine);
    fill_tables(damaged);
    fill_logs(damaged);
    engine_leave_crashed(engine);
    note_file(damaged, IN_OLD_TABLE, "sst", ".sst", true);
    note_file(damaged, IN_NEW_TABLE, "sst", ".sst", false);
    note_file(damaged, IN_OLD_LOG, "wal", ".log", true);
    note_file(damaged, IN_NEW_LOG, "wal", ".log", false);
    note_file(damaged, 4, "", "MANIFEST", false);
    note_file(damaged, 5, "", "CURRENT", false);
    damaged->largest_block = 60;
    return damaged;
}

void damaged_free(struct damaged *damaged) {
    for (size_t i = 0; i < FILES; i++)
        free(damaged->files[i].bytes);
    free(damaged);
}

void damaged_restore(struct damaged *damaged) {
    const char *copy = damaged->engine->copy;
    scratch_remove(copy);
    engine_assert_ok(fl_fs_create_dir(fl_fs_posix(), copy));
    engine_assert_ok(fl_fs_create_dir(fl_fs_posix(), scratch_in(copy, "wal")));
    engine_assert_ok(fl_fs_create_dir(fl_fs_posix(), scratch_in(copy, "sst")));
    for (size_t i = 0; i < FILES; i++)
        scratch_write(damaged->files[i].path, damaged->files[i].bytes, damaged->files[i].size);
}

/* ------------------------------------------------------------------------------------- reading -- */

static bool hides(const struct write *write, const char *key, int64_t ts) {
    if (write->op == WRITE_DELETE_RANGE)
        return strcmp(key, write->key) >= 0 && strcmp(key, write->end) < 0;
    return write->ts == ts && strcmp(write->key, key) == 0;
}

/* What shows of (key, ts) after the first `count` writes; NULL: nothing. */
static const struct write *shown(const struct damaged *damaged, size_t count, const char *key,
                                 int64_t ts) {
    for (size_t i = count; i-- > 0;) {
        if (hides(&damaged->writes[i], key, ts))
            return damaged->writes[i].op == WRITE_PUT ? &damaged->writes[i] : NULL;
    }
    return NULL;
}

static size_t live_count(const struct damaged *damaged, size_t count) {
    size_t live = 0;
    for (size_t i = 0; i < count; i++) {
        const struct write *write = &damaged->writes[i];
        live += write->op == WRITE_PUT && shown(damaged, count, write->key, write->ts) == write;
    }
    return live;
}

static void key_of(const flowdb_record *record, char key[8]) {
    assert_true(record->key.size < 8);
    memcpy(key, record->key.data, record->key.size);
    key[record->key.size] = '\0';
}

static bool same_value(const flowdb_record *record, const struct write *write) {
    return record->value.size == strlen(write->value) &&
           memcmp(record->value.data, write->value, record->value.size) == 0;
}

/* Is this what was there after `count` writes? */
static bool is_state(const struct damaged *damaged, const flowdb_result *result, size_t count) {
    for (size_t i = 0; i < result->count; i++) {
        char key[8];
        key_of(&result->records[i], key);
        const struct write *write = shown(damaged, count, key, result->records[i].ts);
        if (write == NULL || !same_value(&result->records[i], write))
            return false;
    }
    return result->count == live_count(damaged, count);
}

static flowdb_status read_all(struct engine *engine, flowdb_result *result) {
    flowdb_range all = flowdb_range_all();
    engine->config.read_only = true;
    flowdb_status status = engine_try_open(engine);
    engine->config.read_only = false;
    if (status != FLOWDB_OK)
        return status;
    status = flowdb_query(engine->db, &all, NULL, result);
    engine_close(engine);
    return status;
}

bool damaged_reads_right(struct damaged *damaged, const char *what) {
    flowdb_result result = {0};
    flowdb_status status = read_all(damaged->engine, &result);
    if (status != FLOWDB_OK && status != FLOWDB_CORRUPTION)
        fail_msg("%s: %s: %s", what, flowdb_status_name(status), flowdb_last_error());
    bool all = status == FLOWDB_OK && is_state(damaged, &result, damaged->count);
    bool some = all || status != FLOWDB_OK;
    /* Only the end of the logs may go without a word. */
    for (size_t n = damaged->count; !some && n > 0; n--)
        some = damaged->writes[n - 1].place >= IN_OLD_LOG && is_state(damaged, &result, n - 1);
    if (!some)
        fail_msg("%s: %zu records that were never there together", what, result.count);
    flowdb_result_free(&result);
    return all;
}

/* ------------------------------------------------------------------------- verify and repair -- */

void tell(void *context, const char *file, uint64_t offset, const char *what) {
    struct told *told = context;
    assert_true(*what != '\0' && *file != '\0');
    if (told->lines++ == 0)
        snprintf(told->first, sizeof told->first, "%s at %" PRIu64 ": %s", file, offset, what);
    if (told->print)
        print_message("    %s at %" PRIu64 ": %s\n", file, offset, what);
}

flowdb_status verify_copy(struct engine *engine, struct told *told) {
    bool print = told->print;
    *told = (struct told){.print = print};
    return fl_engine_verify(engine->copy, &engine->env, tell, told);
}

flowdb_status repair_copy(struct engine *engine, struct told *told) {
    bool print = told->print;
    *told = (struct told){.print = print};
    return fl_engine_repair(engine->copy, &engine->env, tell, told);
}

/* ------------------------------------------------------------------------- what was salvaged -- */

/* May the write be gone? It, or a log before it, was in the file that was hurt. */
static bool may_be_lost(const struct write *write, const struct damaged_file *hurt) {
    if (hurt->holds[write->place])
        return true;
    return write->place == IN_NEW_LOG && hurt->holds[IN_OLD_LOG];
}

/* What shows must have been written, and nothing that is still there may hide it. */
static void check_shown(const struct damaged *damaged, const flowdb_record *record,
                        const struct damaged_file *hurt, const char *what) {
    char key[8];
    key_of(record, key);
    for (size_t i = damaged->count; i-- > 0;) {
        const struct write *write = &damaged->writes[i];
        if (!hides(write, key, record->ts))
            continue;
        if (write->op == WRITE_PUT && same_value(record, write))
            return;
        if (!may_be_lost(write, hurt))
            fail_msg("%s: %s@%" PRId64 " shows %.*s, which a later write in a good file hides",
                     what, key, record->ts, (int)record->value.size,
                     (const char *)record->value.data);
    }
    fail_msg("%s: %s@%" PRId64 " was never written so", what, key, record->ts);
}

static bool is_shown(const flowdb_result *result, const struct write *write) {
    for (size_t i = 0; i < result->count; i++) {
        char key[8];
        key_of(&result->records[i], key);
        if (strcmp(key, write->key) == 0 && result->records[i].ts == write->ts)
            return same_value(&result->records[i], write);
    }
    return false;
}

static void check_lost(const struct damaged *damaged, const flowdb_result *result,
                       const struct damaged_file *hurt, size_t lost_max, const char *what) {
    size_t lost = 0;
    for (size_t i = 0; i < damaged->count; i++) {
        const struct write *write = &damaged->writes[i];
        if (write->op != WRITE_PUT ||
            shown(damaged, damaged->count, write->key, write->ts) != write ||
            is_shown(result, write))
            continue;
        if (!may_be_lost(write, hurt))
            fail_msg("%s: %s@%" PRId64 " is lost, though its file was good", what, write->key,
                     write->ts);
        lost++;
    }
    if (lost > lost_max)
        fail_msg("%s: %zu records are lost", what, lost);
}

void damaged_assert_salvaged(struct damaged *damaged, const struct damaged_file *hurt,
                             size_t lost_max, const char *what) {
    struct told told = {0};
    flowdb_result result = {0};
    flowdb_status status = verify_copy(damaged->engine, &told);
    if (status != FLOWDB_OK)
        fail_msg("%s: after the repair: %s: %s", what, flowdb_status_name(status),
                 flowdb_last_error());
    status = read_all(damaged->engine, &result);
    if (status != FLOWDB_OK)
        fail_msg("%s: after the repair: %s", what, flowdb_last_error());
    for (size_t i = 0; i < result.count; i++)
        check_shown(damaged, &result.records[i], hurt, what);
    check_lost(damaged, &result, hurt, lost_max, what);
    flowdb_result_free(&result);
}
