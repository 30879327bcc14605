/* What the phases do. */
#include <stdio.h>

#include "run.h"

flowdb_status run_open(struct run *run) {
    flowdb_config config = flowdb_config_default();
    config.data_dir = run->data_dir;
    /* So small that a run of seconds meets frozen memtables, flushes and compactions. */
    config.memtable_size_mb = 8;
    config.wal_segment_size_mb = 8;
    return flowdb_open(&config, &run->db);
}

/* ---------------------------------------------------------------------------------- writes -- */

/* The batch as it is being made, and what is to be acknowledged with it. */
struct pending {
    flowdb_batch *batch;
    unsigned count;
    uint64_t slots[RUN_BATCH];
    uint32_t generations[RUN_BATCH];
};

static bool add(struct worker *worker, struct pending *pending, uint64_t slot) {
    struct slots *slots = &worker->run->slots;
    char key_bytes[SLOTS_KEY_BYTES];
    uint8_t value[SLOTS_VALUE_BYTES];
    uint32_t generation = slots_begin(slots, slot);
    flowdb_slice key = slots_key((uint32_t)(slot / slots->points), key_bytes);
    int64_t ts = slots_ts((uint32_t)(slot % slots->points));
    flowdb_status status;
    if (slots_is_gone(slots, slot, generation))
        status = flowdb_batch_delete(pending->batch, key, ts);
    else
        status = flowdb_batch_put(pending->batch, key, ts, FLOWDB_NEVER,
                                  flowdb_bytes(value, slots_value(slots, slot, generation, value)));
    if (status != FLOWDB_OK)
        run_failed(worker, "flowdb_batch_put", status);
    pending->slots[pending->count] = slot;
    pending->generations[pending->count++] = generation;
    return status == FLOWDB_OK;
}

static bool commit(struct worker *worker, struct pending *pending) {
    uint64_t started = tool_now_ns();
    flowdb_status status = flowdb_write_batch(worker->run->db, pending->batch);
    if (status != FLOWDB_OK) {
        run_failed(worker, "flowdb_write_batch", status);
        return false;
    }
    run_count(worker, started, pending->count);
    for (unsigned i = 0; i < pending->count; i++)
        slots_acknowledge(&worker->run->slots, pending->slots[i], pending->generations[i]);
    flowdb_batch_clear(pending->batch);
    pending->count = 0;
    return true;
}

static bool begin(struct worker *worker, struct pending *pending) {
    *pending = (struct pending){.batch = flowdb_batch_create()};
    if (pending->batch == NULL)
        run_failed(worker, "flowdb_batch_create", FLOWDB_NO_MEMORY);
    return pending->batch != NULL;
}

/* Fills a part of the points in order of time, each thread every so-manyth batch. */
static void write_new(struct worker *worker) {
    const struct phase *phase = worker->phase;
    const struct slots *slots = &worker->run->slots;
    uint64_t first = (uint64_t)slots->points * phase->from_256 / 256 * slots->series,
             end = (uint64_t)slots->points * phase->to_256 / 256 * slots->series;
    struct pending pending;
    if (!begin(worker, &pending))
        return;
    for (uint64_t at = first + (uint64_t)worker->index * RUN_BATCH; at < end && run_goes_on(worker);
         at += (uint64_t)phase->threads * RUN_BATCH) {
        for (uint64_t i = at; i < at + RUN_BATCH && i < end; i++)
            if (!add(worker, &pending, i % slots->series * slots->points + i / slots->series))
                goto out;
        if (!commit(worker, &pending))
            break;
    }
out:
    flowdb_batch_destroy(pending.batch);
}

/* ----------------------------------------------------------------------------------- reads -- */

static bool check_result(struct worker *worker, struct slots_check *check, const char *call,
                         const flowdb_result *result, bool whole) {
    char message[SLOTS_MESSAGE_BYTES];
    for (size_t i = 0; i < result->count; i++)
        if (!slots_check_record(check, &result->records[i], message)) {
            run_mismatch(worker, call, message);
            return false;
        }
    if (whole && !slots_check_end(check, message)) {
        run_mismatch(worker, call, message);
        return false;
    }
    return true;
}

static bool get(struct worker *worker) {
    const struct slots *slots = &worker->run->slots;
    uint32_t series = (uint32_t)tool_below(&worker->random, slots->series),
             point = (uint32_t)tool_below(&worker->random, slots->points);
    struct slots_check check = {
        .slots = slots, .area = {series, series, point, point}, .noted = worker->noted};
    char key[SLOTS_KEY_BYTES];
    flowdb_slice name = slots_key(series, key);
    flowdb_result result = {0};
    slots_note(slots, &check.area, worker->noted);
    uint64_t started = tool_now_ns();
    flowdb_status status = flowdb_get(worker->run->db, name, slots_ts(point), &result);
    if (status != FLOWDB_OK && status != FLOWDB_NOT_FOUND) {
        run_failed(worker, "flowdb_get", status);
        return false;
    }
    run_count(worker, started, 1);
    bool right = check_result(worker, &check, "flowdb_get", &result, true);
    flowdb_result_free(&result);
    return right;
}

/* The greatest live ts is the first record of the whole series in reverse. */
static bool get_latest(struct worker *worker) {
    const struct slots *slots = &worker->run->slots;
    uint32_t series = (uint32_t)tool_below(&worker->random, slots->series);
    struct slots_check check = {.slots = slots,
                                .area = {series, series, 0, slots->points - 1},
                                .noted = worker->noted,
                                .reverse = true};
    char key[SLOTS_KEY_BYTES];
    flowdb_slice name = slots_key(series, key);
    flowdb_result result = {0};
    slots_note(slots, &check.area, worker->noted);
    uint64_t started = tool_now_ns();
    flowdb_status status = flowdb_get_latest(worker->run->db, name, &result);
    if (status != FLOWDB_OK && status != FLOWDB_NOT_FOUND) {
        run_failed(worker, "flowdb_get_latest", status);
        return false;
    }
    run_count(worker, started, 1);
    bool right =
        check_result(worker, &check, "flowdb_get_latest", &result, status == FLOWDB_NOT_FOUND);
    flowdb_result_free(&result);
    return right;
}

static bool read_one(struct worker *worker) {
    return tool_below(&worker->random, 8) == 0 ? get_latest(worker) : get(worker);
}

static void read_points(struct worker *worker) {
    while (run_goes_on(worker) && read_one(worker))
        ;
}

static void mix(struct worker *worker) {
    struct slots *slots = &worker->run->slots;
    unsigned threads = worker->phase->threads;
    struct pending pending;
    if (!begin(worker, &pending))
        return;
    while (run_goes_on(worker)) {
        if (tool_below(&worker->random, 100) < worker->phase->read_percent) {
            if (!read_one(worker))
                break;
            continue;
        }
        /* Slots of this thread alone, all over. Twice the same one is fine: the later wins. */
        for (unsigned i = 0; i < 10; i++) {
            uint64_t slot = tool_below(&worker->random, slots->count / threads) * threads;
            if (!add(worker, &pending, slot + worker->index))
                goto out;
        }
        if (!commit(worker, &pending))
            break;
    }
out:
    flowdb_batch_destroy(pending.batch);
}

/* --------------------------------------------------------------------------------- queries -- */

/* A part of `whole` that is `length` long, or all of it. */
static void choose(struct worker *worker, uint32_t whole, uint32_t length, uint32_t *first,
                   uint32_t *last) {
    if (length == 0 || length > whole)
        length = whole;
    *first = (uint32_t)tool_below(&worker->random, whole - length + 1);
    *last = *first + length - 1;
}

static flowdb_status scan(struct worker *worker, const flowdb_range *range,
                          const flowdb_read_options *options, struct slots_check *check,
                          uint64_t *records) {
    char message[SLOTS_MESSAGE_BYTES];
    flowdb_iterator *it;
    flowdb_record record;
    flowdb_status status = flowdb_scan(worker->run->db, range, options, &it);
    if (status != FLOWDB_OK)
        return status;
    for (; (status = flowdb_iterator_next(it, &record)) == FLOWDB_OK; ++*records)
        if (!slots_check_record(check, &record, message)) {
            run_mismatch(worker, "flowdb_scan", message);
            break;
        }
    if (status == FLOWDB_DONE) {
        status = FLOWDB_OK;
        if ((options->limit == 0 || *records < options->limit) && !slots_check_end(check, message))
            run_mismatch(worker, "flowdb_scan", message);
    }
    flowdb_iterator_destroy(it);
    return status;
}

/* One read of an area, by flowdb_query or by an iterator, either way round, limited or not. */
static bool read_area(struct worker *worker, const struct slots_area *area) {
    const struct slots *slots = &worker->run->slots;
    struct slots_check check = {.slots = slots,
                                .area = *area,
                                .noted = worker->noted,
                                .reverse = tool_below(&worker->random, 4) == 0};
    char first[SLOTS_KEY_BYTES], last[SLOTS_KEY_BYTES];
    flowdb_range range = flowdb_range_keys_time(
        slots_key(area->series_first, first), slots_key(area->series_last, last),
        slots_ts(area->point_first), slots_ts(area->point_last));
    flowdb_read_options options = flowdb_read_options_default();
    options.reverse = check.reverse;
    if (tool_below(&worker->random, 8) == 0)
        options.limit = 1 + tool_below(&worker->random, 20);
    uint64_t records = 0, wrong = worker->errors;
    flowdb_result result = {0};
    flowdb_status status;
    slots_note(slots, area, worker->noted);
    uint64_t started = tool_now_ns();
    if (tool_below(&worker->random, 2) == 0) {
        status = scan(worker, &range, &options, &check, &records);
    } else {
        status = flowdb_query(worker->run->db, &range, &options, &result);
        records = result.count;
    }
    if (status != FLOWDB_OK) {
        run_failed(worker, "reading a range", status);
        return false;
    }
    run_count(worker, started, records);
    if (result.owner != NULL)
        check_result(worker, &check, "flowdb_query", &result,
                     options.limit == 0 || records < options.limit);
    flowdb_result_free(&result);
    return worker->errors == wrong;
}

static void query(struct worker *worker) {
    const struct phase *phase = worker->phase;
    const struct slots *slots = &worker->run->slots;
    struct slots_area area;
    do {
        choose(worker, slots->series, phase->series, &area.series_first, &area.series_last);
        choose(worker, slots->points, phase->points, &area.point_first, &area.point_last);
    } while (read_area(worker, &area) && run_goes_on(worker));
}

/* ----------------------------------------------------------------------------- maintenance -- */

static void flush(struct worker *worker) {
    uint64_t started = tool_now_ns();
    flowdb_status status = flowdb_flush(worker->run->db);
    if (status != FLOWDB_OK)
        run_failed(worker, "flowdb_flush", status);
    else
        run_count(worker, started, 0);
}

static void compact(struct worker *worker) {
    uint64_t started = tool_now_ns();
    flowdb_status status = flowdb_compact_all(worker->run->db);
    if (status != FLOWDB_OK)
        run_failed(worker, "flowdb_compact_all", status);
    else
        run_count(worker, started, 0);
}

/* Closes, opens, and reads every slot in both directions and by both ways. */
static void reopen(struct worker *worker) {
    struct run *run = worker->run;
    uint64_t started = tool_now_ns();
    flowdb_status status = flowdb_close(run->db);
    run->db = NULL;
    if (status == FLOWDB_OK)
        status = run_open(run);
    if (status != FLOWDB_OK) {
        run_failed(worker, "closing and opening", status);
        return;
    }
    run_count(worker, started, 0);
    struct slots_area all = {0, run->slots.series - 1, 0, run->slots.points - 1};
    for (unsigned i = 0; i < 4 && read_area(worker, &all); i++)
        ;
}

#define QUERIES(suffix)                                                                            \
    {.name = "query_narrow" suffix,                                                                \
     .unit = "queries",                                                                            \
     .threads = 1,                                                                                 \
     .weight = 4,                                                                                  \
     .work = query,                                                                                \
     .series = 1,                                                                                  \
     .points = 10},                                                                                \
        {.name = "query_wide" suffix,                                                              \
         .unit = "queries",                                                                        \
         .threads = 1,                                                                             \
         .weight = 4,                                                                              \
         .work = query,                                                                            \
         .series = 10},                                                                            \
    {                                                                                              \
        .name = "query_range" suffix, .unit = "queries", .threads = 1, .weight = 4, .work = query, \
        .series = 200, .points = 20                                                                \
    }
#define WRITES(name_, threads_, from, to)                                                      \
    {                                                                                          \
        .name = (name_), .unit = "batches", .threads = (threads_), .weight = 5, .loads = true, \
        .work = write_new, .from_256 = (from), .to_256 = (to)                                  \
    }
#define MIXED(percent)                                                                      \
    {                                                                                       \
        .name = "mixed_" #percent, .unit = "calls", .threads = 8, .weight = 8, .work = mix, \
        .read_percent = (percent)                                                           \
    }
#define READS(threads_)                                                                            \
    {                                                                                              \
        .name = "read_concurrent_" #threads_, .unit = "reads", .threads = (threads_), .weight = 4, \
        .work = read_points                                                                        \
    }

const struct phase run_phases[] = {
    WRITES("write_sequential", 1, 0, 128),
    WRITES("write_concurrent_1", 1, 128, 160),
    WRITES("write_concurrent_4", 4, 160, 192),
    WRITES("write_concurrent_8", 8, 192, 224),
    WRITES("write_concurrent_16", 16, 224, 256),
    {.name = "flush", .unit = "flushes", .threads = 1, .work = flush},
    QUERIES(""),
    READS(1),
    READS(4),
    READS(8),
    READS(16),
    MIXED(20),
    MIXED(50),
    MIXED(80),
    {.name = "compaction", .unit = "compactions", .threads = 1, .work = compact},
    QUERIES("_compacted"),
    {.name = "reopen", .unit = "reads", .threads = 1, .work = reopen},
};
const unsigned run_phase_count = sizeof run_phases / sizeof *run_phases;
