/* Comparison of the engine's answers with the reference, and the report of a difference. */
#include "model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

static void print_version(const struct model *model, unsigned key, unsigned time,
                          const struct reference_version *version) {
    char text[WORLD_TEXT_BYTES];
    static const char *const looks[] = {"empty", "decimal", "integer",  "odd number",
                                        "short", "medium",  "repeated", "large"};
    fprintf(stderr, "key %u \"%s\" (%zu bytes) ts %" PRId64, key,
            world_text(world_key(&model->world, key), text), model->world.keys[key].size,
            model->world.times[time]);
    if (version != NULL)
        fprintf(stderr,
                " expire_at %" PRId64 " value %zu bytes (%s), written by operation %" PRIu64,
                version->expire_at, world_value_size(version->value), looks[version->value & 7],
                version->operation);
    fprintf(stderr, "\n");
}

static void print_record(const flowdb_record *record) {
    char text[WORLD_TEXT_BYTES];
    fprintf(stderr, "key \"%s\" (%zu bytes) ts %" PRId64 " expire_at %" PRId64,
            world_text(record->key, text), record->key.size, record->ts, record->expire_at);
    fprintf(stderr, " value \"%s\" (%zu bytes)\n", world_text(record->value, text),
            record->value.size);
}

static void print_got(const flowdb_record *record) {
    fprintf(stderr, "got:      ");
    print_record(record);
}

/* Everything that was done to one (key, ts), in order. */
static void print_trace(const struct model *model, unsigned key, unsigned time) {
    const struct reference_cell *cell = &model->reference.cells[key][time];
    const struct reference_covers *covers = &model->reference.covers[key];
    size_t version = 0, cover = covers->count;
    while (cover > 0 && cell->count > 0 && covers->covers[cover - 1].seq > cell->versions[0].seq)
        cover--;
    fprintf(stderr, "trace of this record (oldest first):\n");
    while (version < cell->count || cover < covers->count) {
        bool next_is_cover =
            version == cell->count ||
            (cover < covers->count && covers->covers[cover].seq < cell->versions[version].seq);
        if (next_is_cover) {
            fprintf(stderr, "  operation %" PRIu64 " seq %" PRIu64 ": delete_range\n",
                    covers->covers[cover].operation, covers->covers[cover].seq);
            cover++;
            continue;
        }
        const struct reference_version *at = &cell->versions[version++];
        fprintf(stderr, "  operation %" PRIu64 " seq %" PRIu64 ": ", at->operation, at->seq);
        if (at->deleted)
            fprintf(stderr, "delete\n");
        else
            print_version(model, key, time, at);
    }
}

static void print_config(const struct model *model) {
    const flowdb_config *config = &model->config;
    fprintf(stderr,
            "configuration: memtable %u MB, segment %u MB, frozen %u, block %u, bloom %u, wal mode "
            "%d every %u ms, background %d, ttl %" PRIu64 " s\n",
            config->memtable_size_mb, config->wal_segment_size_mb, config->max_frozen_memtables,
            config->block_size, config->bloom_bits_per_key, (int)config->wal_sync,
            config->wal_sync_interval_ms, config->auto_background, config->default_ttl_secs);
    fprintf(stderr, "this life: %" PRIu64 " operations in %s; last events:\n",
            model->life_operations, model->directory);
    size_t shown = model->event_count < MODEL_EVENTS ? model->event_count : MODEL_EVENTS;
    for (size_t i = model->event_count - shown; i < model->event_count; i++)
        fprintf(stderr, "  operation %" PRIu64 ": %s\n", model->events[i % MODEL_EVENTS].operation,
                model->events[i % MODEL_EVENTS].what);
    for (unsigned i = 0; i < MODEL_SNAPSHOTS; i++)
        if (model->snapshots[i].iterator != NULL)
            fprintf(stderr, "  open iterator %u: since operation %" PRIu64 ", seq %" PRIu64 "%s\n",
                    i, model->snapshots[i].opened_at, model->snapshots[i].cursor.view.seq,
                    model->snapshots[i].cursor.reverse ? ", reverse" : "");
    if (model->last_log[0] != '\0')
        fprintf(stderr, "the engine's last warning: %s\n", model->last_log);
}

static void begin_failure(struct model *model, const char *what) {
    fflush(stdout);
    fprintf(stderr, "\nMISMATCH in %s: seed %" PRIu64 ", operation %" PRIu64 " of %" PRIu64 "\n",
            what, model->seed, model->operation, model->operations);
}

static void end_failure(struct model *model) __attribute__((noreturn));
static void end_failure(struct model *model) {
    print_config(model);
    fflush(stdout);
    fflush(stderr);
    _exit(MODEL_EXIT_FAILED); /* the engine's threads may still run */
}

void model_fail(struct model *model, const char *what) {
    begin_failure(model, what);
    fprintf(stderr, "last error: %s\n", flowdb_last_error());
    end_failure(model);
}

void model_expect_status(struct model *model, flowdb_status expected, flowdb_status got,
                         const char *what) {
    if (expected == got)
        return;
    begin_failure(model, what);
    fprintf(stderr, "expected: %s\ngot:      %s (%s)\n", flowdb_status_name(expected),
            flowdb_status_name(got), got == FLOWDB_OK ? "" : flowdb_last_error());
    end_failure(model);
}

static bool record_is(struct model *model, unsigned key, unsigned time,
                      const struct reference_version *version, const flowdb_record *record) {
    size_t size = world_value_size(version->value);
    if (record->ts != model->world.times[time] || record->expire_at != version->expire_at ||
        world_compare(record->key, world_key(&model->world, key)) != 0 ||
        record->value.size != size)
        return false;
    world_value_write(version->value, model->expected_value);
    return size == 0 || memcmp(record->value.data, model->expected_value, size) == 0;
}

/* Finds the record's place in the world. */
static bool locate(const struct model *model, const flowdb_record *record, unsigned *key,
                   unsigned *time) {
    for (*key = 0; *key < WORLD_KEYS; ++*key)
        if (world_compare(world_key(&model->world, *key), record->key) == 0)
            for (*time = 0; *time < WORLD_TIMES; ++*time)
                if (model->world.times[*time] == record->ts)
                    return true;
    return false;
}

/* Either record may be the wrong one, so both are traced: one missed, or one that is too much. */
static void fail_record(struct model *model, unsigned key, unsigned time,
                        const struct reference_version *version, flowdb_status status,
                        const flowdb_record *record, const char *what) {
    unsigned got_key, got_time;
    begin_failure(model, what);
    fprintf(stderr, version == NULL ? "expected nothing for: " : "expected: ");
    print_version(model, key, time, version);
    if (record == NULL)
        fprintf(stderr, "got:      %s (%s)\n", flowdb_status_name(status), flowdb_last_error());
    else
        print_got(record);
    print_trace(model, key, time);
    if (record != NULL && !locate(model, record, &got_key, &got_time))
        fprintf(stderr, "what was got was never written\n");
    else if (record != NULL && (got_key != key || got_time != time)) {
        fprintf(stderr, "what was got instead: ");
        print_trace(model, got_key, got_time);
    }
    end_failure(model);
}

void model_expect_record(struct model *model, unsigned key, unsigned time,
                         const struct reference_version *version, const flowdb_record *record,
                         const char *what) {
    if (!record_is(model, key, time, version, record))
        fail_record(model, key, time, version, FLOWDB_OK, record, what);
}

void model_expect_result(struct model *model, unsigned key, unsigned time,
                         const struct reference_version *version, flowdb_status status,
                         const flowdb_result *result, const char *what) {
    if (version == NULL && status == FLOWDB_NOT_FOUND)
        return;
    if (status != FLOWDB_OK)
        fail_record(model, key, time, version, status, NULL, what);
    if (result->count != 1)
        model_fail(model, "the count of a single result");
    if (version == NULL || !record_is(model, key, time, version, &result->records[0]))
        fail_record(model, key, time, version, status, &result->records[0], what);
}

/* The engine returned a record where the model's iterator had ended. */
static void fail_surplus(struct model *model, const flowdb_record *record, const char *what) {
    unsigned key, time;
    if (locate(model, record, &key, &time))
        fail_record(model, key, time, NULL, FLOWDB_OK, record, what);
    begin_failure(model, what);
    fprintf(stderr, "expected: the end\ngot, which was never written: ");
    print_record(record);
    end_failure(model);
}

bool model_is_at(const struct model *model, const flowdb_record *record, unsigned key,
                 unsigned time) {
    return record->ts == model->world.times[time] &&
           world_compare(record->key, world_key(&model->world, key)) == 0;
}

bool model_cursor_next(struct model *model, struct reference_cursor *cursor, bool next_key,
                       const flowdb_record *got, unsigned *key, unsigned *time,
                       const struct reference_version **version) {
    bool more = next_key ? reference_cursor_next_key(cursor, key, time, version)
                         : reference_cursor_next(cursor, key, time, version);
    while (more && reference_is_doubtful(*version, cursor->view) &&
           (got == NULL || !model_is_at(model, got, *key, *time))) {
        reference_cursor_uncount(cursor);
        more = reference_cursor_next(cursor, key, time, version);
    }
    return more;
}

bool model_expect_step(struct model *model, flowdb_iterator *iterator,
                       struct reference_cursor *cursor, bool next_key, const char *what) {
    unsigned key = 0, time = 0;
    const struct reference_version *version = NULL;
    flowdb_record record;
    flowdb_status status = next_key ? flowdb_iterator_next_key(iterator, &record)
                                    : flowdb_iterator_next(iterator, &record);
    bool more = model_cursor_next(model, cursor, next_key, status == FLOWDB_OK ? &record : NULL,
                                  &key, &time, &version);
    if (status == FLOWDB_OK && !more)
        fail_surplus(model, &record, what);
    if (status != FLOWDB_OK && more)
        fail_record(model, key, time, version, status, NULL, what);
    if (status != FLOWDB_OK && status != FLOWDB_DONE)
        model_expect_status(model, FLOWDB_DONE, status, what);
    if (more)
        model_expect_record(model, key, time, version, &record, what);
    return more;
}

void model_check_get(struct model *model, unsigned key, unsigned time, const char *what) {
    flowdb_result result = {0};
    flowdb_status status =
        flowdb_get(model->db, world_key(&model->world, key), model->world.times[time], &result);
    const struct reference_version *version =
        reference_find(&model->reference, key, time, model_view(model));
    if (version != NULL && status == FLOWDB_NOT_FOUND &&
        reference_is_doubtful(version, model_view(model)))
        return;
    model_expect_result(model, key, time, version, status, &result, what);
    flowdb_result_free(&result);
}

void model_check_latest(struct model *model, unsigned key, const char *what) {
    flowdb_result result = {0};
    flowdb_status status = flowdb_get_latest(model->db, world_key(&model->world, key), &result);
    const struct reference_version *version = NULL;
    unsigned time = WORLD_TIMES;
    while (time > 0 && version == NULL) {
        version = reference_find(&model->reference, key, --time, model_view(model));
        if (version != NULL && reference_is_doubtful(version, model_view(model)) &&
            (status != FLOWDB_OK || !model_is_at(model, &result.records[0], key, time)))
            version = NULL;
    }
    model_expect_result(model, key, time, version, status, &result, what);
    flowdb_result_free(&result);
}

static void check_scan(struct model *model, bool reverse) {
    flowdb_range range = flowdb_range_all();
    flowdb_read_options options = flowdb_read_options_default();
    struct reference_range everything = {.ts_start = INT64_MIN, .ts_end = INT64_MAX};
    struct reference_cursor cursor;
    flowdb_iterator *iterator;
    options.reverse = reverse;
    model_expect_status(model, FLOWDB_OK, flowdb_scan(model->db, &range, &options, &iterator),
                        "opening the scan of everything");
    reference_cursor_init(&cursor, &model->reference, model_view(model), &everything, reverse, 0);
    while (model_expect_step(model, iterator, &cursor, false, "the scan of everything"))
        ;
    flowdb_iterator_destroy(iterator);
}

void model_check_all(struct model *model) {
    check_scan(model, false);
    check_scan(model, true);
    for (unsigned key = 0; key < WORLD_KEYS; key++) {
        model_check_latest(model, key, "get_latest of every key");
        model_check_get(model, key, model_choose_time(model), "get of every key");
    }
}
