/* Operations that read, and iterators that stay open across other operations. */
#include "model.h"

/* -------------------------------------------------------------------------------- reads */

static void run_get(struct model *model) {
    unsigned key = model_choose_key(model), time = model_choose_time(model);
    model_trace(model, "key %u time %u", key, time);
    model_check_get(model, key, time, "get");
}

/* Keys that are near others but were never written. */
static void run_get_absent(struct model *model) {
    uint8_t bytes[MODEL_SLICE_BYTES];
    flowdb_slice slice = model_choose_slice(model, bytes);
    flowdb_result result = {0};
    int64_t ts = model->world.times[model_choose_time(model)];
    for (unsigned key = 0; key < WORLD_KEYS; key++)
        if (world_compare(world_key(&model->world, key), slice) == 0)
            return;
    flowdb_status expected = slice.size == 0 ? FLOWDB_INVALID_ARGUMENT : FLOWDB_NOT_FOUND;
    model_expect_status(model, expected, flowdb_get(model->db, slice, ts, &result),
                        "get of an absent key");
    model_expect_status(model, expected, flowdb_get_latest(model->db, slice, &result),
                        "get_latest of an absent key");
}

static void run_get_latest(struct model *model) {
    unsigned key = model_choose_key(model);
    model_trace(model, "key %u", key);
    model_check_latest(model, key, "get_latest");
}

static void run_query(struct model *model) {
    struct choice_range choice;
    struct reference_cursor cursor;
    flowdb_result result = {0};
    unsigned key, time;
    const struct reference_version *version;
    model_choose_range(model, &choice);
    flowdb_read_options options = model_choose_options(model);
    bool defaults = random_chance(&model->random, 20);
    if (defaults)
        options = flowdb_read_options_default();
    model_expect_status(model, FLOWDB_OK,
                        flowdb_query(model->db, &choice.range, defaults ? NULL : &options, &result),
                        "query");
    reference_cursor_init(&cursor, &model->reference, model_view(model), &choice.reference,
                          options.reverse, options.limit);
    size_t index = 0;
    while (model_cursor_next(model, &cursor, false,
                             index < result.count ? &result.records[index] : NULL, &key, &time,
                             &version)) {
        if (index == result.count)
            model_expect_result(model, key, time, version, FLOWDB_NOT_FOUND, NULL,
                                "query, which ended early");
        model_expect_record(model, key, time, version, &result.records[index++], "query");
    }
    if (index != result.count)
        model_fail(model, "query, which returned too many records");
    flowdb_result_free(&result);
}

static void seek(struct model *model, flowdb_iterator *iterator, struct reference_cursor *cursor) {
    uint8_t bytes[MODEL_SLICE_BYTES];
    flowdb_slice key = model_choose_slice(model, bytes);
    int64_t ts = model->world.times[model_choose_time(model)];
    if (key.size == 0)
        key = world_key(&model->world, model_choose_key(model));
    model_expect_status(model, FLOWDB_OK, flowdb_iterator_seek(iterator, key, ts), "seek");
    reference_cursor_seek(cursor, key, ts);
}

/* Some steps of any kind; goes on after the end now and then. */
static void walk(struct model *model, flowdb_iterator *iterator, struct reference_cursor *cursor,
                 size_t steps, const char *what) {
    struct random *random = &model->random;
    bool jumps = random_chance(random, 50);
    for (size_t i = 0; i < steps; i++) {
        uint32_t dice = jumps ? random_below(random, 20) : 20;
        if (dice == 0)
            seek(model, iterator, cursor);
        bool more = model_expect_step(model, iterator, cursor, dice < 4, what);
        if (!more && random_chance(random, 50))
            return;
    }
}

static void open_iterator(struct model *model, flowdb_iterator **iterator,
                          struct reference_cursor *cursor) {
    struct choice_range choice;
    model_choose_range(model, &choice);
    flowdb_read_options options = model_choose_options(model);
    model_expect_status(model, FLOWDB_OK, flowdb_scan(model->db, &choice.range, &options, iterator),
                        "scan");
    reference_cursor_init(cursor, &model->reference, model_view(model), &choice.reference,
                          options.reverse, options.limit);
    memset(&choice, 0xa5, sizeof choice); /* the range was borrowed for the call only */
}

static void run_scan(struct model *model) {
    flowdb_iterator *iterator;
    struct reference_cursor cursor;
    open_iterator(model, &iterator, &cursor);
    walk(model, iterator, &cursor, random_below(&model->random, 300), "scan");
    flowdb_iterator_destroy(iterator);
}

const struct operation read_operations[] = {{"get", 1600, run_get},
                                            {"get of absent keys", 200, run_get_absent},
                                            {"get_latest", 700, run_get_latest},
                                            {"query", 600, run_query},
                                            {"scan", 600, run_scan},
                                            {NULL, 0, NULL}};

/* ---------------------------------------------------------------------------- snapshots */

/* Views that are still read keep their versions in the reference. */
static void update_oldest(struct model *model) {
    uint64_t oldest = UINT64_MAX;
    for (unsigned i = 0; i < MODEL_SNAPSHOTS; i++)
        if (model->snapshots[i].iterator != NULL && model->snapshots[i].cursor.view.seq < oldest)
            oldest = model->snapshots[i].cursor.view.seq;
    model->reference.oldest_seq = oldest == UINT64_MAX ? model->reference.seq : oldest;
}

static void finish_snapshot(struct model *model, struct snapshot *snapshot) {
    while (model_expect_step(model, snapshot->iterator, &snapshot->cursor, false,
                             "the rest of a snapshot"))
        ;
    flowdb_iterator_destroy(snapshot->iterator);
    snapshot->iterator = NULL;
    update_oldest(model);
}

void snapshots_finish_all(struct model *model) {
    for (unsigned i = 0; i < MODEL_SNAPSHOTS; i++)
        if (model->snapshots[i].iterator != NULL)
            finish_snapshot(model, &model->snapshots[i]);
    update_oldest(model);
}

static struct snapshot *choose_snapshot(struct model *model) {
    return &model->snapshots[random_below(&model->random, MODEL_SNAPSHOTS)];
}

static void run_open(struct model *model) {
    struct snapshot *snapshot = choose_snapshot(model);
    if (snapshot->iterator != NULL)
        finish_snapshot(model, snapshot);
    open_iterator(model, &snapshot->iterator, &snapshot->cursor);
    snapshot->opened_at = model->operation;
    update_oldest(model);
}

static void run_walk(struct model *model) {
    struct snapshot *snapshot = choose_snapshot(model);
    if (snapshot->iterator != NULL)
        walk(model, snapshot->iterator, &snapshot->cursor, random_below(&model->random, 50),
             "a snapshot");
}

static void run_finish(struct model *model) {
    struct snapshot *snapshot = choose_snapshot(model);
    if (snapshot->iterator != NULL)
        finish_snapshot(model, snapshot);
}

const struct operation snapshot_operations[] = {{"open a snapshot", 120, run_open},
                                                {"walk a snapshot", 400, run_walk},
                                                {"finish a snapshot", 60, run_finish},
                                                {NULL, 0, NULL}};
