/* Directories, configurations, opening and closing; and the operations that do it. */
#include "model.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

void model_event(struct model *model, const char *what) {
    model->events[model->event_count++ % MODEL_EVENTS] = (struct event){model->operation, what};
}

static void log_line(void *context, flowdb_log_level level, const char *message) {
    struct model *model = context;
    if (level <= FLOWDB_LOG_WARN) /* threads may mix their lines: it is only shown on failure */
        snprintf(model->last_log, sizeof model->last_log, "%s", message);
}

static void choose_config(struct model *model) {
    static const uint64_t ttls[] = {3600, 946080000, 9223372036854};
    static const uint32_t blooms[] = {0, 1, 10, 20}, caches[] = {0, 1, 128};
    static const uint32_t buckets[] = {1, 60, 3600, 86400, UINT32_MAX};
    struct random *random = &model->random;
    flowdb_config *config = &model->config;
    *config = flowdb_config_default();
    config->data_dir = model->directory;
    config->log = log_line;
    config->log_context = model;
    config->auto_background = random_chance(random, 60);
    config->memtable_size_mb = random_chance(random, 80) ? 1 : 4;
    config->max_frozen_memtables = 1 + random_below(random, 4);
    config->block_size = 128u << random_below(random, 10);
    config->zstd_level = 1 + (int32_t)random_below(random, 3);
    config->bloom_bits_per_key = blooms[random_below(random, 4)];
    config->wal_segment_size_mb = random_chance(random, 30) ? 1 : 64;
    /* ALWAYS is rare for its price. */
    config->wal_sync = random_chance(random, 10)   ? FLOWDB_SYNC_ALWAYS
                       : random_chance(random, 60) ? FLOWDB_SYNC_INTERVAL
                                                   : FLOWDB_SYNC_BUFFERED;
    config->wal_sync_interval_ms = 1 + random_below(random, 1000);
    config->flush_interval_ms = 1 + random_below(random, 200);
    config->compaction_threshold = 2 + random_below(random, 6);
    config->gc_interval_secs = 1 + random_below(random, 5);
    config->time_bucket_secs = buckets[random_below(random, 5)];
    config->block_cache_capacity_mb = caches[random_below(random, 3)];
    config->index_memory_budget_mb = caches[random_below(random, 3)];
    config->disk_reserve_mb = random_chance(random, 50) ? 64 : 0;
    if (random_chance(random, 25))
        config->default_ttl_secs = ttls[random_below(random, 3)];
}

static void open_database(struct model *model) {
    choose_config(model);
    model_expect_status(model, FLOWDB_OK, flowdb_open(&model->config, &model->db), "open");
    model_event(model, "open");
}

static void print_problem(void *context, const char *file, uint64_t offset, const char *what) {
    (void)context;
    fprintf(stderr, "model: %s at offset %llu: %s\n", file, (unsigned long long)offset, what);
}

/* What a close leaves verifies: index, filter and properties of each table are those of its rows. */
static void close_database(struct model *model) {
    model_expect_status(model, FLOWDB_OK, flowdb_close(model->db), "close");
    model->db = NULL;
    model_event(model, "close");
    model_expect_status(model, FLOWDB_OK, flowdb_verify(model->directory, print_problem, NULL),
                        "verify");
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw) {
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* Called between operations: the number of the next life follows from the seed alone. */
void model_begin_life(struct model *model) {
    const char *base = getenv("TMPDIR");
    snprintf(model->directory, sizeof model->directory, "%s/flowdb-model-XXXXXX",
             base != NULL ? base : "/tmp");
    if (mkdtemp(model->directory) == NULL) {
        fprintf(stderr, "model: cannot create %s: %s\n", model->directory, strerror(errno));
        exit(2);
    }
    world_init(&model->world, &model->random);
    reference_init(&model->reference, &model->world);
    model->now = (int64_t)time(NULL) * 1000000;
    model->life_operations = 0;
    model->life_cost = 0;
    model->life_cost_bytes = 0;
    model->life_cost_max = 4 + random_below(&model->random, 100);
    model->event_count = 0;
    model->last_log[0] = '\0';
    open_database(model);
}

void model_end_life(struct model *model) {
    snapshots_finish_all(model);
    model_check_all(model);
    close_database(model);
    reference_deinit(&model->reference);
    nftw(model->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void model_reopen(struct model *model) {
    bool refused = false;
    for (unsigned i = 0; i < MODEL_SNAPSHOTS && !refused; i++)
        refused = model->snapshots[i].iterator != NULL;
    if (refused)
        model_expect_status(model, FLOWDB_INVALID_ARGUMENT, flowdb_close(model->db),
                            "close with iterators alive");
    snapshots_finish_all(model);
    close_database(model);
    open_database(model);
    model_check_all(model);
    model->life_cost++;
}

static void run_flush(struct model *model) {
    model_expect_status(model, FLOWDB_OK, flowdb_flush(model->db), "flush");
    model_event(model, "flush");
    model->life_cost++;
}

/* Merging and removing files changes nothing that can be read. */
static void run_compact(struct model *model) {
    bool ran = false;
    model_expect_status(model, FLOWDB_OK,
                        flowdb_compact(model->db, random_chance(&model->random, 50) ? &ran : NULL),
                        "compact");
    model_event(model, ran ? "compact, which ran" : "compact");
}

static void run_compact_all(struct model *model) {
    model_expect_status(model, FLOWDB_OK, flowdb_compact_all(model->db), "compact_all");
    model_event(model, "compact_all");
}

static void run_gc(struct model *model) {
    uint64_t purged = 0;
    model_expect_status(model, FLOWDB_OK,
                        flowdb_gc(model->db, random_chance(&model->random, 50) ? &purged : NULL),
                        "gc");
    model_event(model, purged != 0 ? "gc, which purged" : "gc");
}

static void run_sync(struct model *model) {
    model_expect_status(model, FLOWDB_OK, flowdb_sync(model->db), "sync");
}

const struct operation maintenance_operations[] = {{"flush", 20, run_flush},
                                                   {"sync", 20, run_sync},
                                                   {"compact", 20, run_compact},
                                                   {"compact_all", 6, run_compact_all},
                                                   {"gc", 10, run_gc},
                                                   {"reopen", 10, model_reopen},
                                                   {"check everything", 10, model_check_all},
                                                   {NULL, 0, NULL}};
