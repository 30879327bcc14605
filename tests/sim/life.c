#include "life.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/engine.h"

#define DATA "/db"
#define CHECKPOINTS DATA "/checkpoints"

/* ----------------------------------------------------------------------------- coming and going -- */

static void wire(struct life *life) {
    failing_alloc_init(&life->failing);
    life->failing.maps_heap = true;
    fault_fs_init(&life->fault);
    life->fault.real = &life->sim.fs;
    life->env = (struct fl_env){
        .alloc = &life->failing.alloc, .clock = &life->clock.clock, .fs = &life->fault.fs};
}

void life_init(struct life *life, const flowdb_config *config) {
    *life = (struct life){.config = *config, .purged_us = INT64_MIN};
    sim_fs_init(&life->sim);
    fake_clock_init(&life->clock, ORACLE_NOW);
    wire(life);
    oracle_init(&life->oracle);
}

void life_follow(struct life *life, const struct life *from, struct sim_fs *sim, size_t low,
                 size_t high) {
    *life = (struct life){.config = from->config,
                          .sim = *sim,
                          .medium = from->medium,
                          .values = from->values + 1000,
                          .acknowledged = high,
                          .flying = high,
                          .durable = low,
                          .drained = low,
                          .checkpoints = from->checkpoints + 100,
                          .checkpoint = from->checkpoint,
                          .checkpoint_state = from->checkpoint_state,
                          .purged_us = from->purged_us};
    *sim = (struct sim_fs){0};
    fake_clock_init(&life->clock, atomic_load(&from->clock.wall_us));
    wire(life);
    oracle_copy(&from->oracle, high, &life->oracle);
}

void life_kill(struct life *life) {
    if (life->db == NULL)
        return;
    life->sim.after = NULL;
    fault_fs_disarm(&life->fault);
    life->failing.fail_at = 0;
    /* A close that has nothing to flush, nor may. */
    atomic_store(&life->db->stopped_writes, true);
    (void)flowdb_close(life->db);
    life->db = NULL;
}

void life_deinit(struct life *life) {
    life_kill(life);
    fault_fs_deinit(&life->fault);
    sim_fs_deinit(&life->sim);
    oracle_deinit(&life->oracle);
}

flowdb_config life_choose_config(struct seeded *random) {
    static const uint32_t block_sizes[] = {128, 1024, 8192};
    flowdb_config config = flowdb_config_default();
    config.data_dir = DATA;
    config.auto_background = false;
    config.memtable_size_mb = 1;
    config.wal_segment_size_mb = 1;
    config.block_cache_capacity_mb = seeded_below(random, 2);
    config.disk_reserve_mb = 0;
    config.max_frozen_memtables = 1 + seeded_below(random, 3);
    config.block_size = block_sizes[seeded_below(random, 3)];
    config.zstd_level = 1;
    config.bloom_bits_per_key = seeded_chance(random, 20) ? 0 : 10;
    config.compaction_threshold = 2 + seeded_below(random, 2);
    config.wal_sync = (flowdb_wal_sync)seeded_below(random, 3);
    config.default_ttl_secs = seeded_chance(random, 25) ? 7200 : 0;
    return config;
}

static int64_t now_us(const struct life *life) {
    return atomic_load(&life->clock.monotonic_us);
}

static void reset_due(struct life *life) {
    life->sync_due_us = now_us(life) + (int64_t)life->config.wal_sync_interval_ms * 1000;
}

flowdb_status life_open(struct life *life) {
    flowdb_status status = fl_engine_open(&life->config, &life->env, &life->db);
    reset_due(life);
    if (status != FLOWDB_OK) {
        life->db = NULL;
        return status;
    }
    life->opened_wall_us = fl_engine_now(life->db);
    life->opened_monotonic_us = now_us(life);
    return FLOWDB_OK;
}

/* A clock that jumps by more than a day must not cost data: then only what a steady one says may
   go. */
static void note_purge_time(struct life *life) {
    int64_t engine_us = fl_engine_now(life->db);
    int64_t steady_us = life->opened_wall_us + now_us(life) - life->opened_monotonic_us;
    int64_t purge_us = engine_us - steady_us <= 24 * ORACLE_HOUR ? engine_us : steady_us;
    if (purge_us > life->purged_us)
        life->purged_us = purge_us;
}

/* ---------------------------------------------------------------------------------- choosing -- */

static uint32_t choose_value(struct life *life, struct seeded *random) {
    enum oracle_size size = ORACLE_SMALL;
    if (life->large && seeded_chance(random, 40))
        size = ORACLE_LARGE;
    else if (life->medium && seeded_chance(random, 30))
        size = ORACLE_MEDIUM;
    return oracle_value(++life->values, size);
}

static int64_t choose_expiry(struct life *life, struct seeded *random) {
    int64_t wall_us = atomic_load(&life->clock.wall_us);
    switch (seeded_below(random, 8)) {
    case 0:
        return wall_us + (int64_t)seeded_below(random, 3000) * 1000;
    case 1:
        return wall_us + (int64_t)seeded_below(random, 48) * ORACLE_HOUR;
    case 2:
        return wall_us - 1;
    default:
        return FLOWDB_NEVER;
    }
}

static void choose_entry(struct life *life, struct seeded *random, bool puts_only,
                         struct oracle_entry *entry) {
    uint32_t dice = puts_only ? 0 : seeded_below(random, 100);
    *entry = (struct oracle_entry){.key = seeded_below(random, ORACLE_KEYS),
                                   .time = seeded_below(random, ORACLE_TIMES)};
    if (dice < 65) {
        entry->kind = ORACLE_PUT;
        entry->value = choose_value(life, random);
        entry->expire_at = choose_expiry(life, random);
    } else if (dice < 85) {
        entry->kind = ORACLE_DELETE;
    } else {
        entry->kind = ORACLE_DELETE_RANGE;
        entry->key_end = entry->key + 1 + seeded_below(random, 3);
        if (entry->key_end >= ORACLE_KEYS)
            entry->key_end = ORACLE_UNBOUNDED;
        if (seeded_chance(random, 10))
            entry->key = ORACLE_UNBOUNDED;
    }
}

static void choose_clock(struct seeded *random, struct life_call *call) {
    switch (seeded_below(random, 6)) {
    case 0:
        call->wall_us = call->monotonic_us = ORACLE_HOUR;
        break;
    case 1:
        call->wall_us = -(int64_t)seeded_below(random, 5) * ORACLE_HOUR;
        break;
    case 2: /* somebody sets the clock */
        call->wall_us = (seeded_chance(random, 50) ? 30 : -30) * ORACLE_HOUR;
        break;
    default:
        call->wall_us = call->monotonic_us = (int64_t)seeded_below(random, 1500) * 1000;
        break;
    }
}

void life_choose_call(struct life *life, struct seeded *random, struct life_call *call) {
    static const uint32_t weights[LIFE_CALLS] = {
        [LIFE_WRITE] = 20,       [LIFE_BATCH] = 20,   [LIFE_OWNED_BATCH] = 8, [LIFE_DELETE] = 6,
        [LIFE_DELETE_RANGE] = 4, [LIFE_PATCH] = 6,    [LIFE_SYNC] = 5,        [LIFE_FREEZE] = 8,
        [LIFE_FLUSH] = 5,        [LIFE_COMPACT] = 4,  [LIFE_COMPACT_ALL] = 3, [LIFE_GC] = 3,
        [LIFE_STEP] = 6,         [LIFE_STEP_DUE] = 5, [LIFE_CHECKPOINT] = 2,  [LIFE_REOPEN] = 3,
        [LIFE_CLOCK] = 8};
    uint32_t total = 0, kind = 0;
    for (size_t i = 0; i < LIFE_CALLS; i++)
        total += weights[i];
    uint32_t dice = seeded_below(random, total);
    while (dice >= weights[kind])
        dice -= weights[kind++];
    life_choose_call_of(life, random, (enum life_call_kind)kind, call);
}

void life_choose_call_of(struct life *life, struct seeded *random, enum life_call_kind kind,
                         struct life_call *call) {
    *call = (struct life_call){.kind = kind, .count = 1};
    if (kind == LIFE_WRITE || kind == LIFE_BATCH || kind == LIFE_OWNED_BATCH)
        call->count = 1 + seeded_below(random, life->large ? 2 : ORACLE_ENTRIES);
    for (size_t i = 0; i < call->count; i++)
        choose_entry(life, random, kind != LIFE_BATCH && kind != LIFE_OWNED_BATCH,
                     &call->entries[i]);
    if (kind == LIFE_DELETE)
        call->entries[0].kind = ORACLE_DELETE;
    while (kind == LIFE_DELETE_RANGE && call->entries[0].kind != ORACLE_DELETE_RANGE)
        choose_entry(life, random, false, &call->entries[0]);
    call->patches_value = seeded_chance(random, 70);
    call->patches_expiry = !call->patches_value || seeded_chance(random, 30);
    call->job = seeded_below(random, FL_JOBS);
    if (kind == LIFE_CLOCK)
        choose_clock(random, call);
}

/* ----------------------------------------------------------------------------------- calls -- */

static flowdb_slice bound_of(unsigned key) {
    return key == ORACLE_UNBOUNDED ? (flowdb_slice){0} : oracle_key(key);
}

static flowdb_status run_write(struct life *life, const struct life_call *call) {
    flowdb_record records[ORACLE_ENTRIES];
    for (size_t i = 0; i < call->count; i++) {
        const struct oracle_entry *entry = &call->entries[i];
        records[i] = (flowdb_record){oracle_key(entry->key), oracle_time(entry->time),
                                     entry->expire_at, oracle_bytes(entry->value)};
    }
    return flowdb_write(life->db, records, call->count);
}

static flowdb_status run_batch(struct life *life, const struct life_call *call) {
    flowdb_status status = FLOWDB_OK;
    flowdb_batch *batch = flowdb_batch_create();
    for (size_t i = 0; i < call->count && status == FLOWDB_OK; i++) {
        const struct oracle_entry *entry = &call->entries[i];
        flowdb_slice key = bound_of(entry->key);
        if (entry->kind == ORACLE_PUT)
            status = flowdb_batch_put(batch, key, oracle_time(entry->time), entry->expire_at,
                                      oracle_bytes(entry->value));
        else if (entry->kind == ORACLE_DELETE)
            status = flowdb_batch_delete(batch, key, oracle_time(entry->time));
        else
            status = flowdb_batch_delete_range(batch, key, bound_of(entry->key_end));
    }
    if (status == FLOWDB_OK && call->kind == LIFE_OWNED_BATCH)
        return flowdb_write_batch_owned(life->db, batch);
    if (status == FLOWDB_OK)
        status = flowdb_write_batch(life->db, batch);
    flowdb_batch_destroy(batch);
    return status;
}

static flowdb_status run_patch(struct life *life, const struct life_call *call) {
    const struct oracle_entry *entry = &call->entries[0];
    flowdb_slice value = oracle_bytes(entry->value);
    flowdb_patch patch = {.value = call->patches_value ? &value : NULL,
                          .expire_at = call->patches_expiry ? &entry->expire_at : NULL};
    return flowdb_patch_record(life->db, oracle_key(entry->key), oracle_time(entry->time), &patch,
                               NULL);
}

static bool is_there(struct life *life, const struct oracle_entry *entry) {
    flowdb_result result = {0};
    flowdb_status status =
        flowdb_get(life->db, oracle_key(entry->key), oracle_time(entry->time), &result);
    flowdb_result_free(&result);
    return status == FLOWDB_OK;
}

/* The state behind the write, if it comes about. False where it patches what is not there. */
static bool expect_write(struct life *life, const struct life_call *call) {
    int64_t ttl_us = (int64_t)life->config.default_ttl_secs * 1000000;
    struct oracle_entry entry = call->entries[0];
    if (call->kind != LIFE_PATCH) {
        oracle_push(&life->oracle, life->acknowledged, call->entries, call->count, ttl_us);
        return true;
    }
    const struct oracle_cell *cell =
        &life->oracle.states[life->acknowledged].cells[entry.key * ORACLE_TIMES + entry.time];
    bool there = cell->value != 0 && cell->expire_at > fl_engine_now(life->db);
    if (cell->vague || (there && cell->expire_at <= life->purged_us))
        there = is_there(life, &entry);
    if (!call->patches_value)
        entry.value = cell->value;
    if (!call->patches_expiry)
        entry.expire_at = cell->expire_at;
    /* It says when the record expires: no default applies. */
    bool vague = cell->vague && !(call->patches_value && call->patches_expiry);
    oracle_push(&life->oracle, life->acknowledged, &entry, there ? 1 : 0, 0);
    struct oracle_state *next = &life->oracle.states[life->oracle.count - 1];
    next->cells[entry.key * ORACLE_TIMES + entry.time].vague = vague;
    return there;
}

static void note_durable(struct life *life) {
    life->durable = life->drained = life->acknowledged;
}

static flowdb_status run_writing(struct life *life, const struct life_call *call) {
    switch (call->kind) {
    case LIFE_WRITE:
        return run_write(life, call);
    case LIFE_PATCH:
        return run_patch(life, call);
    case LIFE_DELETE:
        return flowdb_delete(life->db, oracle_key(call->entries[0].key),
                             oracle_time(call->entries[0].time));
    case LIFE_DELETE_RANGE:
        return flowdb_delete_range(life->db, bound_of(call->entries[0].key),
                                   bound_of(call->entries[0].key_end));
    default:
        return run_batch(life, call);
    }
}

static flowdb_status run_writing_call(struct life *life, const struct life_call *call) {
    /* What was in doubt when writes stopped stays so. */
    if (atomic_load(&life->db->stopped_writes))
        return run_writing(life, call);
    bool there = expect_write(life, call);
    life->flying = life->acknowledged + 1;
    uint64_t failures = life->fault.failures;
    flowdb_status status = run_writing(life, call);
    if (!there && status == FLOWDB_OK)
        return fl_fail(FLOWDB_CORRUPTION, "what is not there was patched");
    if (status != FLOWDB_OK) {
        /* No trace, unless nobody can tell any more. */
        if (!atomic_load(&life->db->stopped_writes))
            life->flying = life->acknowledged;
        return !there && status == FLOWDB_NOT_FOUND ? FLOWDB_OK : status;
    }
    life->acknowledged = life->flying;
    if (life->config.wal_sync != FLOWDB_SYNC_BUFFERED)
        life->drained = life->acknowledged;
    bool due = now_us(life) >= life->sync_due_us;
    /* Where the buffer could not be drained the write is good, but not safe. */
    bool synced = due && life->fault.failures == failures;
    if (life->config.wal_sync == FLOWDB_SYNC_ALWAYS || synced)
        note_durable(life);
    if (due)
        reset_due(life);
    return status;
}

static flowdb_status run_freeze(struct life *life) {
    flowdb *db = life->db;
    flowdb_status status = fl_engine_begin_commit(db, 0, false);
    if (status != FLOWDB_OK)
        return status;
    struct fl_version *version = fl_engine_pin(db);
    if (!fl_memtable_empty(version->active) && db->log_count <= db->config.max_frozen_memtables)
        status = fl_engine_freeze(db);
    fl_version_unref(version);
    pthread_mutex_unlock(&db->commit_lock);
    return status;
}

static flowdb_status run_step(struct life *life, const struct life_call *call) {
    enum fl_engine_job job = (enum fl_engine_job)call->job;
    flowdb_status status = call->kind == LIFE_STEP ? fl_engine_step(life->db, job)
                                                   : fl_engine_step_due(life->db, &job);
    bool good = status == FLOWDB_OK || status == FLOWDB_DONE;
    if (good && job == FL_JOB_SYNC)
        note_durable(life);
    return good ? FLOWDB_OK : status;
}

static flowdb_status run_checkpoint(struct life *life) {
    char path[64];
    unsigned number = ++life->checkpoints;
    snprintf(path, sizeof path, CHECKPOINTS "/%u", number);
    flowdb_status status = flowdb_checkpoint(life->db, path);
    if (status == FLOWDB_OK) {
        life->checkpoint = number;
        life->checkpoint_state = life->oracle.states[life->acknowledged];
    }
    return status;
}

static flowdb_status run_reopen(struct life *life) {
    flowdb *db = life->db;
    life->db = NULL;
    flowdb_status status = flowdb_close(db);
    if (status == FLOWDB_OK)
        note_durable(life);
    flowdb_status opened = life_open(life);
    return opened != FLOWDB_OK ? opened : status;
}

static flowdb_status run_clock(struct life *life, const struct life_call *call) {
    atomic_fetch_add(&life->clock.wall_us, call->wall_us);
    atomic_fetch_add(&life->clock.monotonic_us, call->monotonic_us);
    return FLOWDB_OK;
}

static flowdb_status run_maintenance(struct life *life, const struct life_call *call) {
    flowdb_status status = FLOWDB_OK;
    switch (call->kind) {
    case LIFE_SYNC:
        status = flowdb_sync(life->db);
        break;
    case LIFE_FLUSH:
        status = flowdb_flush(life->db);
        break;
    case LIFE_COMPACT_ALL:
        status = flowdb_compact_all(life->db);
        break;
    case LIFE_FREEZE:
        return run_freeze(life);
    case LIFE_COMPACT:
        return flowdb_compact(life->db, NULL);
    case LIFE_GC:
        return flowdb_gc(life->db, NULL);
    case LIFE_STEP:
    case LIFE_STEP_DUE:
        return run_step(life, call);
    case LIFE_CHECKPOINT:
        return run_checkpoint(life);
    case LIFE_REOPEN:
        return run_reopen(life);
    default:
        return run_clock(life, call);
    }
    if (status == FLOWDB_OK)
        note_durable(life);
    return status;
}

const char *life_call_name(enum life_call_kind kind) {
    static const char *const names[LIFE_CALLS] = {"write",   "write_batch",  "write_batch_owned",
                                                  "delete",  "delete_range", "patch_record",
                                                  "sync",    "freeze",       "flush",
                                                  "compact", "compact_all",  "gc",
                                                  "step",    "step_due",     "checkpoint",
                                                  "reopen",  "clock"};
    return names[kind];
}

flowdb_status life_run(struct life *life, const struct life_call *call) {
    char *line = life->trace[life->traced++ % 32];
    snprintf(line, sizeof life->trace[0], "%zu: %s", life->acknowledged,
             life_call_name(call->kind));
    note_purge_time(life);
    flowdb_status status =
        call->kind < LIFE_WRITES ? run_writing_call(life, call) : run_maintenance(life, call);
    size_t length = strlen(line);
    snprintf(line + length, sizeof life->trace[0] - length, " (job %u): %s, operation %" PRIu64,
             call->job, flowdb_status_name(status), life->sim.operations);
    return status;
}

/* ---------------------------------------------------------------------------------- judging -- */

static bool complain(const char *what) {
    fprintf(stderr, "%s: %s\n", what, flowdb_last_error());
    return false;
}

static bool check_points(struct life *life, const struct oracle_state *found,
                         struct seeded *random) {
    unsigned cell = seeded_below(random, ORACLE_CELLS), key = cell / ORACLE_TIMES;
    const struct oracle_cell *expected = &found->cells[cell], *latest = NULL;
    flowdb_result result = {0};
    flowdb_status status =
        flowdb_get(life->db, oracle_key(key), oracle_time(cell % ORACLE_TIMES), &result);
    if (status != (expected->value != 0 ? FLOWDB_OK : FLOWDB_NOT_FOUND))
        return complain("get does not agree with query");
    if (status == FLOWDB_OK &&
        !fl_slice_equal(result.records[0].value, oracle_bytes(expected->value)))
        return complain("get has another value than query");
    flowdb_result_free(&result);
    for (unsigned time = 0; time < ORACLE_TIMES; time++) {
        if (found->cells[key * ORACLE_TIMES + time].value != 0)
            latest = &found->cells[key * ORACLE_TIMES + time];
    }
    status = flowdb_get_latest(life->db, oracle_key(key), &result);
    if (status != (latest != NULL ? FLOWDB_OK : FLOWDB_NOT_FOUND))
        return complain("get_latest does not agree with query");
    if (latest != NULL && !fl_slice_equal(result.records[0].value, oracle_bytes(latest->value)))
        return complain("get_latest has another value than query");
    flowdb_result_free(&result);
    return true;
}

static bool read_all(struct life *life, struct oracle_state *state) {
    flowdb_result result = {0};
    flowdb_range all = flowdb_range_all();
    if (flowdb_query(life->db, &all, NULL, &result) != FLOWDB_OK)
        return complain("query");
    bool good = oracle_read(&result, state);
    flowdb_result_free(&result);
    return good;
}

bool life_check(struct life *life, size_t low, size_t high, struct seeded *random,
                struct oracle_match *match) {
    struct oracle_state state;
    if (!read_all(life, &state))
        return false;
    struct oracle_time time = {fl_engine_now(life->db), life->purged_us};
    if (oracle_find(&life->oracle, low, high, &state, &time, match))
        return check_points(life, &state, random);
    fprintf(stderr, "it is none of the states %zu to %zu, but ", low, high);
    if (oracle_find(&life->oracle, 0, life->oracle.count - 1, &state, &time, match))
        fprintf(stderr, "state %zu; it differs from state %zu so:\n", match->youngest, high);
    else
        fprintf(stderr, "no state that ever was; it differs from state %zu so:\n", high);
    oracle_explain(&life->oracle.states[high], &state, &time);
    return false;
}

bool life_check_now(struct life *life, struct seeded *random) {
    struct oracle_match match;
    return life_check(life, life->acknowledged, life->acknowledged, random, &match);
}

static bool checkpoint_holds(struct life *other, const struct oracle_state *expected) {
    struct oracle_state state;
    if (life_open(other) != FLOWDB_OK)
        return complain("the checkpoint does not open");
    if (!read_all(other, &state))
        return false;
    struct oracle_time time = {fl_engine_now(other->db), other->purged_us};
    if (oracle_matches(expected, &state, &time))
        return true;
    fprintf(stderr, "the checkpoint holds something else:\n");
    oracle_explain(expected, &state, &time);
    return false;
}

/* It is opened in a copy: the file system under test stays as it is. */
bool life_check_checkpoint(struct life *life, const struct sim_fs *sim) {
    struct sim_fs copy;
    struct life other;
    struct seeded random = {life->checkpoint};
    char path[64];
    snprintf(path, sizeof path, CHECKPOINTS "/%u", life->checkpoint);
    sim_fs_crash(sim, SIM_KILL, &random, &copy);
    life_follow(&other, life, &copy, 0, 0);
    other.config.data_dir = path;
    other.config.create_if_missing = false;
    bool good = checkpoint_holds(&other, &life->checkpoint_state);
    life_deinit(&other);
    return good;
}

void life_settle(struct life *life, const struct oracle_match *match) {
    oracle_settle(&life->oracle, match);
    life->acknowledged = life->flying = life->durable = life->drained = match->youngest;
}

void life_print(const struct life *life, FILE *out) {
    fprintf(out, "calls (the state before it: what, and how it ended):\n");
    for (size_t i = life->traced > 32 ? life->traced - 32 : 0; i < life->traced; i++)
        fprintf(out, "  %s\n", life->trace[i % 32]);
    fprintf(out, "operations of the file system:\n");
    sim_fs_print_log(&life->sim, out);
}
