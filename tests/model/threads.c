/*
 * Readers beside the writer. Records of their own, "model-beside" at a few timestamps, hold a number
 * that each batch raises in all of them. A reader must find the same number everywhere in one
 * snapshot, never a smaller one than it has seen, and none that was not acknowledged before it began
 * or begun when it ended.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "engine/engine.h"
#include "model.h"

enum { READERS = 2, PLACES = 4, ROUNDS_MAX = 60 };
static const char beside_key[] = "model-beside";

struct beside {
    flowdb *db;
    _Atomic uint64_t begun, acknowledged;
    _Atomic bool stop;
    _Atomic bool failed;
};

struct reader {
    struct beside *beside;
    pthread_t thread;
    char what[512];
};

static bool says(struct reader *reader, const char *what, uint64_t a, uint64_t b) {
    snprintf(reader->what, sizeof reader->what, "%s: %" PRIu64 ", %" PRIu64 " (%.300s)", what, a, b,
             flowdb_last_error());
    atomic_store(&reader->beside->failed, true);
    return false;
}

static uint64_t number_in(const flowdb_record *record) {
    uint64_t number = 0;
    if (record->value.size == sizeof number)
        memcpy(&number, record->value.data, sizeof number);
    return number;
}

static bool read_point(struct reader *reader, uint64_t *number) {
    flowdb_result result = {0};
    flowdb_status status = flowdb_get_latest(reader->beside->db, flowdb_str(beside_key), &result);
    if (status != FLOWDB_OK)
        return says(reader, "get_latest beside a writer", (uint64_t)status, 0);
    *number = number_in(&result.records[0]);
    bool last = result.records[0].ts == PLACES - 1;
    flowdb_result_free(&result);
    return last || says(reader, "get_latest beside a writer gave another ts", *number, 0);
}

static bool read_all(struct reader *reader, bool reverse, uint64_t *number) {
    flowdb_result result = {0};
    flowdb_range range = flowdb_range_keys(flowdb_str(beside_key), flowdb_str(beside_key));
    flowdb_read_options options = flowdb_read_options_default();
    options.reverse = reverse;
    flowdb_status status = flowdb_query(reader->beside->db, &range, &options, &result);
    if (status != FLOWDB_OK || result.count != PLACES)
        return says(reader, "query beside a writer", (uint64_t)status, result.count);
    *number = number_in(&result.records[0]);
    bool same = true;
    for (size_t i = 1; i < result.count; i++)
        same = same && number_in(&result.records[i]) == *number;
    flowdb_result_free(&result);
    return same || says(reader, "a torn batch", *number, 0);
}

static void *read_beside(void *context) {
    struct reader *reader = context;
    struct beside *beside = reader->beside;
    uint64_t seen = 0;
    for (unsigned i = 0; !atomic_load(&beside->stop) && !atomic_load(&beside->failed); i++) {
        uint64_t number = 0, lowest = atomic_load(&beside->acknowledged);
        if (!(i % 3 == 0 ? read_point(reader, &number) : read_all(reader, i % 3 == 1, &number)))
            break;
        if (number < lowest)
            says(reader, "a write was acknowledged but not seen", lowest, number);
        else if (number < seen)
            says(reader, "what was seen is gone", seen, number);
        else if (number > atomic_load(&beside->begun))
            says(reader, "what was not written was seen", atomic_load(&beside->begun), number);
        seen = number;
    }
    return NULL;
}

static void raise_number(struct model *model, struct beside *beside, uint64_t number) {
    flowdb_record records[PLACES];
    for (unsigned i = 0; i < PLACES; i++)
        records[i] = (flowdb_record){flowdb_str(beside_key), (int64_t)i, FLOWDB_NEVER - 1,
                                     flowdb_bytes(&number, sizeof number)};
    atomic_store(&beside->begun, number);
    model_expect_status(model, FLOWDB_OK, flowdb_write(model->db, records, PLACES),
                        "write beside readers");
    atomic_store(&beside->acknowledged, number);
}

/* None of what is done beside the readers reads or deletes ranges: their records are not in the
   reference. */
static void disturb(struct model *model) {
    static const struct {
        uint32_t weight;
        const char *name;
    } ways[] = {{60, "write_batch"}, {80, "write one"}, {90, "delete"},
                {94, "flush"},       {98, "compact"},   {100, "compact_all"}};
    uint32_t dice = random_below(&model->random, 100);
    const char *name = NULL;
    for (size_t i = 0; name == NULL; i++)
        if (dice < ways[i].weight)
            name = ways[i].name;
    if (strcmp(name, "write_batch") == 0)
        name = "write many";
    const struct operation *const tables[] = {write_operations, maintenance_operations};
    for (size_t table = 0; table < 2; table++)
        for (const struct operation *at = tables[table]; at->name != NULL; at++)
            if (strcmp(at->name, name) == 0)
                at->run(model);
}

static void run_beside(struct model *model) {
    struct beside beside = {.db = model->db};
    struct reader readers[READERS];
    uint64_t rounds = 1 + random_below(&model->random, ROUNDS_MAX);
    raise_number(model, &beside, 1);
    for (unsigned i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.beside = &beside};
        if (pthread_create(&readers[i].thread, NULL, read_beside, &readers[i]) != 0)
            exit(2);
    }
    for (uint64_t round = 2; round < 2 + rounds && !atomic_load(&beside.failed); round++) {
        raise_number(model, &beside, round);
        disturb(model);
    }
    atomic_store(&beside.stop, true);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(readers[i].thread, NULL);
    for (unsigned i = 0; i < READERS; i++)
        if (readers[i].what[0] != '\0')
            model_fail(model, readers[i].what);
    for (int64_t i = 0; i < PLACES; i++)
        model_expect_status(model, FLOWDB_OK, flowdb_delete(model->db, flowdb_str(beside_key), i),
                            "delete of what readers read");
}

const struct operation thread_operations[] = {{"readers beside the writer", 3, run_beside},
                                              {NULL, 0, NULL}};
