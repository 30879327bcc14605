/* Directories, configurations, opening and closing; and the operations that do it. */
#include "model.h"

#include <inttypes.h>

#include "engine/engine.h"

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
    model_clock_open(model);
    model_trace(model,
                "open: memtable %u MB, segment %u MB, frozen %u, block %u, wal mode %d, background "
                "%d, threshold %u, ttl %" PRIu64 " s",
                model->config.memtable_size_mb, model->config.wal_segment_size_mb,
                model->config.max_frozen_memtables, model->config.block_size,
                (int)model->config.wal_sync, model->config.auto_background,
                model->config.compaction_threshold, model->config.default_ttl_secs);
    model_expect_status(model, FLOWDB_OK, fl_engine_open(&model->config, &model->env, &model->db),
                        "open");
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

void model_begin_life(struct model *model) {
    snprintf(model->directory, sizeof model->directory, "%.400s/life", model->base);
    fault_fs_init(&model->files);
    model->files.skip_syncs = true;
    model->env = (struct fl_env){fl_alloc_system(), &model->clock.clock, &model->files.fs};
    model_clock_begin(model);
    world_init(&model->world, &model->random);
    reference_init(&model->reference, &model->world);
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
    scratch_remove(model->directory);
    fault_fs_deinit(&model->files);
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

/* What jobs there are is done when the calls ask for it. */
static void run_step(struct model *model) {
    unsigned job = random_below(&model->random, FL_JOBS);
    if (model->config.auto_background)
        return;
    flowdb_status status = fl_engine_step(model->db, (enum fl_engine_job)job);
    model_trace(model, "job %u", job);
    model_expect_status(model, FLOWDB_OK, status == FLOWDB_DONE ? FLOWDB_OK : status, "step");
}

static void run_step_due(struct model *model) {
    enum fl_engine_job job;
    if (model->config.auto_background)
        return;
    flowdb_status status = fl_engine_step_due(model->db, &job);
    model_expect_status(model, FLOWDB_OK, status == FLOWDB_DONE ? FLOWDB_OK : status, "step_due");
}

void model_check_other(struct model *model, const char *directory, bool read_only) {
    flowdb *main_db = model->db;
    flowdb_config config = model->config;
    config.data_dir = directory;
    config.read_only = read_only;
    model_expect_status(model, FLOWDB_OK, fl_engine_open(&config, &model->env, &model->db),
                        "opening another");
    model_check_all(model);
    model_expect_status(model, FLOWDB_OK, flowdb_close(model->db), "closing another");
    model->db = main_db;
}

/* Beside the writer; the log must have left the process for it. */
static void run_read_only(struct model *model) {
    if (!model_clock_is_straight(model))
        return;
    model_expect_status(model, FLOWDB_OK, flowdb_sync(model->db), "sync");
    model_check_other(model, model->directory, true);
    model->life_cost++;
}

static void run_checkpoint(struct model *model) {
    char directory[SCRATCH_PATH];
    snprintf(directory, sizeof directory, "%.400s/checkpoint", model->base);
    model_expect_status(model, FLOWDB_OK, flowdb_checkpoint(model->db, directory), "checkpoint");
    model_event(model, "checkpoint");
    model_expect_status(model, FLOWDB_OK, flowdb_verify(directory, print_problem, NULL),
                        "verify of a checkpoint");
    if (model_clock_is_straight(model))
        model_check_other(model, directory, random_chance(&model->random, 50));
    scratch_remove(directory);
    model->life_cost++;
}

const struct operation maintenance_operations[] = {{"flush", 20, run_flush},
                                                   {"sync", 20, run_sync},
                                                   {"compact", 20, run_compact},
                                                   {"compact_all", 6, run_compact_all},
                                                   {"gc", 10, run_gc},
                                                   {"reopen", 10, model_reopen},
                                                   {"step", 20, run_step},
                                                   {"step_due", 20, run_step_due},
                                                   {"read-only open", 4, run_read_only},
                                                   {"checkpoint", 4, run_checkpoint},
                                                   {"check everything", 10, model_check_all},
                                                   {NULL, 0, NULL}};
