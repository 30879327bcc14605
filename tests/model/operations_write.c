/* Operations that write. */
#include "model.h"

#include <inttypes.h>

/* One entry of a batch, as it goes into the reference once the engine has taken it. */
struct entry {
    enum { ENTRY_PUT, ENTRY_DELETE, ENTRY_DELETE_RANGE } kind;
    unsigned key, time;
    uint64_t value;
    int64_t expire_at;
    flowdb_slice start, end;
    uint8_t bytes[2][MODEL_SLICE_BYTES];
};

static void choose_put(struct model *model, struct entry *entry) {
    entry->kind = ENTRY_PUT;
    entry->key = model_choose_key(model);
    entry->time = model_choose_time(model);
    entry->value = world_value_choose(&model->random);
    entry->expire_at = world_expiry_choose(&model->random, model->now);
}

static void choose_delete(struct model *model, struct entry *entry) {
    entry->kind = ENTRY_DELETE;
    entry->key = model_choose_key(model);
    entry->time = model_choose_time(model);
}

/* Mostly a few neighbouring keys: otherwise nothing would live long. */
static void choose_delete_range(struct model *model, struct entry *entry) {
    struct random *random = &model->random;
    entry->kind = ENTRY_DELETE_RANGE;
    if (random_chance(random, 15)) {
        entry->start = model_choose_slice(model, entry->bytes[0]);
        entry->end = model_choose_slice(model, entry->bytes[1]);
        return;
    }
    unsigned first = model_choose_key(model), last = first + 1 + random_below(random, 3);
    bool open_start = first == 0, open_end = last >= WORLD_KEYS;
    entry->start = open_start ? flowdb_bytes(NULL, 0) : world_key(&model->world, first);
    entry->end = open_end ? flowdb_bytes(NULL, 0) : world_key(&model->world, last);
}

static bool delete_range_is_valid(const struct entry *entry) {
    return entry->start.size == 0 || entry->end.size == 0 ||
           world_compare(entry->start, entry->end) < 0;
}

/* FLOWDB_INVALID_ARGUMENT where default_ttl_secs takes a record beyond the end of time. */
static flowdb_status expected_commit(const struct model *model, const struct entry *entries,
                                     size_t count) {
    for (size_t i = 0; i < count; i++) {
        int64_t expire_at = entries[i].expire_at;
        if (entries[i].kind == ENTRY_PUT &&
            !model_resolve_expiry(model, model->world.times[entries[i].time], &expire_at))
            return FLOWDB_INVALID_ARGUMENT;
    }
    return FLOWDB_OK;
}

static void trace_entry(const struct model *model, const struct entry *entry) {
    char text[2][WORLD_TEXT_BYTES];
    switch (entry->kind) {
    case ENTRY_PUT:
        model_trace(model, "put key %u time %u expire_at %" PRId64 " value %zu bytes", entry->key,
                    entry->time, entry->expire_at, world_value_size(entry->value));
        break;
    case ENTRY_DELETE:
        model_trace(model, "delete key %u time %u", entry->key, entry->time);
        break;
    case ENTRY_DELETE_RANGE:
        model_trace(model, "delete_range \"%s\" to \"%s\"", world_text(entry->start, text[0]),
                    world_text(entry->end, text[1]));
        break;
    }
}

static void apply(struct model *model, const struct entry *entry) {
    int64_t expire_at = entry->expire_at;
    trace_entry(model, entry);
    switch (entry->kind) {
    case ENTRY_PUT:
        model_resolve_expiry(model, model->world.times[entry->time], &expire_at);
        reference_put(&model->reference, entry->key, entry->time, expire_at, entry->value,
                      model->operation);
        model->life_cost_bytes += world_value_size(entry->value);
        break;
    case ENTRY_DELETE:
        reference_delete(&model->reference, entry->key, entry->time, model->operation);
        break;
    case ENTRY_DELETE_RANGE:
        reference_delete_range(&model->reference, entry->start, entry->end, model->operation);
        break;
    }
    model->life_cost_bytes += 64 + model->world.keys[entry->key].size;
}

static void finish(struct model *model, const struct entry *entries, size_t count,
                   flowdb_status expected, flowdb_status got, const char *what) {
    model_expect_status(model, expected, got, what);
    if (got == FLOWDB_OK)
        for (size_t i = 0; i < count; i++)
            apply(model, &entries[i]);
    model_values_clear(model);
}

static void write_records(struct model *model, size_t count) {
    struct entry entries[MODEL_BATCH];
    flowdb_record records[MODEL_BATCH] = {0};
    for (size_t i = 0; i < count; i++) {
        choose_put(model, &entries[i]);
        records[i] = (flowdb_record){world_key(&model->world, entries[i].key),
                                     model->world.times[entries[i].time], entries[i].expire_at,
                                     model_value(model, entries[i].value)};
    }
    finish(model, entries, count, expected_commit(model, entries, count),
           flowdb_write(model->db, records, count), "write");
}

static void run_write_one(struct model *model) {
    write_records(model, 1);
}

static void run_write_many(struct model *model) {
    write_records(model, random_below(&model->random, MODEL_BATCH + 1));
}

static void add_entry(struct model *model, flowdb_batch *batch, struct entry *entry) {
    flowdb_slice key = world_key(&model->world, entry->key);
    int64_t ts = model->world.times[entry->time];
    flowdb_status status = FLOWDB_OK;
    switch (entry->kind) {
    case ENTRY_PUT:
        status =
            flowdb_batch_put(batch, key, ts, entry->expire_at, model_value(model, entry->value));
        break;
    case ENTRY_DELETE:
        status = flowdb_batch_delete(batch, key, ts);
        break;
    case ENTRY_DELETE_RANGE:
        status = flowdb_batch_delete_range(batch, entry->start, entry->end);
        break;
    }
    model_expect_status(model, FLOWDB_OK, status, "adding to a batch");
}

/* Fills `entries` and the batch; returns how many. */
static size_t fill_batch(struct model *model, flowdb_batch *batch, struct entry *entries) {
    size_t count = 0, wanted = random_below(&model->random, MODEL_BATCH + 1);
    while (count < wanted) {
        struct entry *entry = &entries[count];
        uint32_t dice = random_below(&model->random, 100);
        memset(entry, 0, sizeof *entry);
        if (dice < 80)
            choose_put(model, entry);
        else if (dice < 98)
            choose_delete(model, entry);
        else
            choose_delete_range(model, entry);
        if (entry->kind == ENTRY_DELETE_RANGE && !delete_range_is_valid(entry)) {
            model_expect_status(model, FLOWDB_INVALID_ARGUMENT,
                                flowdb_batch_delete_range(batch, entry->start, entry->end),
                                "adding an empty delete_range to a batch");
            wanted--;
            continue;
        }
        add_entry(model, batch, entry);
        count++;
        /* What was just written, once more: the later entry must win. */
        if (entry->kind == ENTRY_PUT && count < wanted && random_chance(&model->random, 10)) {
            entries[count] = *entry;
            entries[count].value = world_value_choose(&model->random);
            add_entry(model, batch, &entries[count]);
            count++;
        }
    }
    if (flowdb_batch_count(batch) != count)
        model_fail(model, "flowdb_batch_count");
    return count;
}

static flowdb_batch *create_batch(struct model *model) {
    flowdb_batch *batch = flowdb_batch_create();
    if (batch == NULL)
        model_fail(model, "flowdb_batch_create");
    return batch;
}

static void run_batch(struct model *model) {
    struct entry entries[MODEL_BATCH];
    flowdb_batch *batch = create_batch(model);
    if (random_chance(&model->random, 20)) { /* a batch that was used before */
        fill_batch(model, batch, entries);
        flowdb_batch_clear(batch);
        model_values_clear(model);
    }
    size_t count = fill_batch(model, batch, entries);
    flowdb_status expected = expected_commit(model, entries, count);
    finish(model, entries, count, expected, flowdb_write_batch(model->db, batch), "write_batch");
    if (random_chance(&model->random, 10)) /* it is still there, and may be written again */
        finish(model, entries, count, expected, flowdb_write_batch(model->db, batch),
               "write_batch, a second time");
    flowdb_batch_destroy(batch);
}

static void run_batch_owned(struct model *model) {
    struct entry entries[MODEL_BATCH];
    flowdb_batch *batch = create_batch(model);
    size_t count = fill_batch(model, batch, entries);
    finish(model, entries, count, expected_commit(model, entries, count),
           flowdb_write_batch_owned(model->db, batch), "write_batch_owned");
}

static void run_delete(struct model *model) {
    struct entry entry = {0};
    choose_delete(model, &entry);
    finish(model, &entry, 1, FLOWDB_OK,
           flowdb_delete(model->db, world_key(&model->world, entry.key),
                         model->world.times[entry.time]),
           "delete");
}

static void run_delete_range(struct model *model) {
    struct entry entry = {0};
    choose_delete_range(model, &entry);
    finish(model, &entry, 1, delete_range_is_valid(&entry) ? FLOWDB_OK : FLOWDB_INVALID_ARGUMENT,
           flowdb_delete_range(model->db, entry.start, entry.end), "delete_range");
}

static void run_patch(struct model *model) {
    struct random *random = &model->random;
    unsigned key = model_choose_key(model), time = model_choose_time(model);
    uint64_t value = world_value_choose(random);
    int64_t expire_at = world_expiry_choose(random, model->now);
    bool with_value = random_chance(random, 60), with_expiry = random_chance(random, 50);
    bool with_result = random_chance(random, 70);
    flowdb_slice bytes = model_value(model, value);
    flowdb_patch patch = {with_value ? &bytes : NULL, with_expiry ? &expire_at : NULL};
    flowdb_result result = {0};
    const struct reference_version *old =
        reference_find(&model->reference, key, time, model_view(model));
    flowdb_status status =
        flowdb_patch_record(model->db, world_key(&model->world, key), model->world.times[time],
                            &patch, with_result ? &result : NULL);
    model_trace(model, "key %u time %u%s%s expire_at %" PRId64, key, time,
                with_value ? ", value" : "", with_expiry ? ", expiry" : "", expire_at);
    model_values_clear(model);
    if (old != NULL && status == FLOWDB_NOT_FOUND && reference_is_doubtful(old, model_view(model)))
        return;
    model_expect_status(model, old == NULL ? FLOWDB_NOT_FOUND : FLOWDB_OK, status, "patch");
    if (old == NULL)
        return;
    struct reference_version patched = *old;
    if (with_value)
        patched.value = value;
    if (with_expiry)
        patched.expire_at = expire_at;
    if (with_value || with_expiry)
        reference_put(&model->reference, key, time, patched.expire_at, patched.value,
                      model->operation);
    if (with_result)
        model_expect_result(model, key, time, &patched, status, &result, "what patch returned");
    flowdb_result_free(&result);
}

/* Refused, and without a trace: the checks that follow would show one. */
static void run_refused(struct model *model) {
    uint8_t byte = 'x';
    flowdb_record records[2] = {{world_key(&model->world, model_choose_key(model)),
                                 model->world.times[model_choose_time(model)], FLOWDB_NEVER,
                                 flowdb_bytes(&byte, 1)},
                                {flowdb_bytes(&byte, 0), 0, FLOWDB_NEVER, flowdb_bytes(&byte, 1)}};
    model_expect_status(model, FLOWDB_INVALID_ARGUMENT, flowdb_write(model->db, records, 2),
                        "write with an empty key");
    model_expect_status(model, FLOWDB_INVALID_ARGUMENT,
                        flowdb_delete(model->db, flowdb_bytes(NULL, 0), 0),
                        "delete with an empty key");
}

const struct operation write_operations[] = {{"write one", 1500, run_write_one},
                                             {"write many", 600, run_write_many},
                                             {"write_batch", 700, run_batch},
                                             {"write_batch_owned", 700, run_batch_owned},
                                             {"delete", 600, run_delete},
                                             {"delete_range", 120, run_delete_range},
                                             {"patch_record", 600, run_patch},
                                             {"refused writes", 60, run_refused},
                                             {NULL, 0, NULL}};
