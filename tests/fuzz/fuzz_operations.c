/*
 * The bytes as a sequence of operations on a small database in a simulated file system, held against
 * the oracle of tests/sim: writes of every kind, reads, iterators that stay open, maintenance, clocks,
 * configurations, and crashes between two operations or in the middle of one.
 */
#include "engine/engine.h"
#include "fuzz/operations/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPERATIONS_MAX = 80, VIEWS = 3 };

/* What is done besides the calls of a life. */
enum {
    DO_GET = LIFE_CALLS,
    DO_LATEST,
    DO_QUERY,
    DO_OPEN_VIEW,
    DO_STEP_VIEW,
    DO_FINISH_VIEW,
    DO_CRASH,
    DO_CRASH_IN_NEXT,
    DO_CHECK,
    DO_CHECKPOINT_CHECK,
    DO_CHOICES
};

/* A crash after so many operations of the file system, or none. */
struct crash {
    bool armed, taken;
    uint64_t left; /* operations until then */
    enum sim_loss loss;
    struct seeded random;
    /* as it was then */
    struct sim_fs sim;
    size_t low, high;
    unsigned checkpoint;
    struct oracle_state checkpoint_state;
};

struct run {
    struct bytes bytes;
    struct life *life, *other; /* the one after a crash takes the other's place */
    struct view views[VIEWS];
    struct crash crash;
};

static void close_views(struct run *run) {
    for (size_t i = 0; i < VIEWS; i++)
        view_close(&run->views[i]);
}

static void fail(const struct run *run, const char *what) {
    fprintf(stderr, "%s: %s\n", what, flowdb_last_error());
    life_print(run->life, stderr);
    abort();
}

static void check_all(struct run *run) {
    struct seeded random = {run->life->traced};
    if (!life_check_now(run->life, &random))
        fail(run, "it holds something else");
}

/* ----------------------------------------------------------------------------------- crashes -- */

static void take_crash(struct run *run) {
    const struct life *life = run->life;
    struct crash *crash = &run->crash;
    crash->armed = false;
    crash->taken = true;
    crash->low = crash->loss == SIM_KILL ? life->drained : life->durable;
    crash->high = life->flying;
    crash->checkpoint = life->checkpoint;
    crash->checkpoint_state = life->checkpoint_state;
    sim_fs_crash(&life->sim, crash->loss, &crash->random, &crash->sim);
}

static void after_operation(void *context) {
    struct run *run = context;
    if (run->crash.armed && run->crash.left-- == 0)
        take_crash(run);
}

static void choose_crash(struct run *run) {
    run->crash = (struct crash){.armed = true,
                                .loss = (enum sim_loss)bytes_below(&run->bytes, SIM_LOSSES),
                                .random = {bytes_take(&run->bytes, 1)}};
}

/* Another process finds what the crash has left: some state between what was safe and what was begun. */
static void recover(struct run *run) {
    struct crash *crash = &run->crash;
    struct life *next = run->other;
    struct oracle_match found;
    struct seeded random = {crash->random.state};
    close_views(run);
    life_follow(next, run->life, &crash->sim, crash->low, crash->high);
    next->checkpoint = crash->checkpoint;
    next->checkpoint_state = crash->checkpoint_state;
    crash->taken = false;
    life_kill(run->life);
    run->other = run->life;
    run->life = next;
    if (life_open(next) != FLOWDB_OK ||
        !life_check(next, crash->low, crash->high, &random, &found)) {
        life_print(run->other, stderr);
        fail(run, "what a crash left is wrong");
    }
    life_settle(next, &found);
    life_deinit(run->other);
    next->sim.after = after_operation;
    next->sim.after_context = run;
}

/* ------------------------------------------------------------------------------------- calls -- */

static uint32_t take_value(struct run *run) {
    unsigned choice = bytes_below(&run->bytes, 64);
    enum oracle_size size = choice < 30   ? ORACLE_DECIMAL
                            : choice < 58 ? ORACLE_SMALL
                            : choice < 63 ? ORACLE_MEDIUM
                                          : ORACLE_LARGE;
    return oracle_value(++run->life->values, size);
}

static int64_t take_expiry(struct run *run) {
    unsigned choice = bytes_below(&run->bytes, 128);
    int64_t wall_us = atomic_load(&run->life->clock.wall_us);
    if (choice < 64)
        return FLOWDB_NEVER;
    if (choice < 80)
        return wall_us + (int64_t)(choice - 65) * 200000;
    return wall_us + (int64_t)(choice - 80) * ORACLE_HOUR;
}

static void take_entry(struct run *run, bool puts_only, struct oracle_entry *entry) {
    unsigned cell = bytes_below(&run->bytes, ORACLE_CELLS);
    unsigned kind = puts_only ? 0 : bytes_below(&run->bytes, 8);
    *entry = (struct oracle_entry){.key = cell / ORACLE_TIMES, .time = cell % ORACLE_TIMES};
    if (kind < 5) {
        entry->kind = ORACLE_PUT;
        entry->value = take_value(run);
        entry->expire_at = take_expiry(run);
    } else if (kind < 7) {
        entry->kind = ORACLE_DELETE;
    } else {
        entry->kind = ORACLE_DELETE_RANGE;
    }
}

/* An end behind the start, or none. What covers a prefix is such a range too. */
static void take_ends(struct run *run, struct oracle_entry *entry) {
    unsigned choice = bytes_below(&run->bytes, 16);
    entry->key_end = entry->key + 1 + choice % 4;
    if (entry->key_end >= ORACLE_KEYS)
        entry->key_end = ORACLE_UNBOUNDED;
    if (choice >= 14)
        entry->key = ORACLE_UNBOUNDED;
}

static void take_clock(struct run *run, struct life_call *call) {
    unsigned choice = bytes_below(&run->bytes, 64);
    int64_t hours = (int64_t)(choice % 8);
    if (choice < 32) {
        call->wall_us = call->monotonic_us = (int64_t)choice * 100000;
    } else if (choice < 48) {
        call->wall_us = call->monotonic_us = hours * hours * ORACLE_HOUR;
    } else { /* somebody sets it */
        call->wall_us = (choice < 56 ? 10 : -10) * hours * ORACLE_HOUR;
    }
}

static void take_call(struct run *run, struct life_call *call) {
    enum life_call_kind kind = call->kind;
    bool batch = kind == LIFE_BATCH || kind == LIFE_OWNED_BATCH;
    call->count = kind == LIFE_WRITE || batch ? 1 + bytes_below(&run->bytes, ORACLE_ENTRIES) : 1;
    for (size_t i = 0; i < call->count && kind < LIFE_WRITES; i++) {
        struct oracle_entry *entry = &call->entries[i];
        take_entry(run, !batch, entry);
        if (kind == LIFE_DELETE || kind == LIFE_DELETE_RANGE)
            entry->kind = kind == LIFE_DELETE ? ORACLE_DELETE : ORACLE_DELETE_RANGE;
        if (entry->kind == ORACLE_DELETE_RANGE)
            take_ends(run, entry);
    }
    if (kind == LIFE_PATCH) {
        unsigned what = bytes_below(&run->bytes, 3);
        call->patches_value = what != 1;
        call->patches_expiry = what != 0;
    }
    if (kind == LIFE_STEP)
        call->job = bytes_below(&run->bytes, FL_JOBS);
    if (kind == LIFE_CLOCK)
        take_clock(run, call);
}

/* The next process may be configured otherwise. */
static void take_config(struct run *run, flowdb_config *config) {
    static const uint32_t block_sizes[] = {128, 512, 8192, 65536};
    unsigned flags = (unsigned)bytes_take(&run->bytes, 1);
    config->wal_sync = (flowdb_wal_sync)(flags % 3);
    config->block_size = block_sizes[flags / 3 % 4];
    config->block_cache_capacity_mb = flags / 12 % 2;
    config->compaction_threshold = 2 + flags / 24 % 2;
    config->bloom_bits_per_key = flags / 48 % 2 != 0 ? 10 : 0;
    config->default_ttl_secs = flags / 96 != 0 ? 7200 : 0;
}

static void run_call(struct run *run, enum life_call_kind kind) {
    struct life_call call = {.kind = kind};
    take_call(run, &call);
    if (kind == LIFE_REOPEN) {
        close_views(run);
        take_config(run, &run->life->config);
    }
    if (life_run(run->life, &call) != FLOWDB_OK)
        fail(run, "a call failed");
    if (kind >= LIFE_WRITES)
        check_all(run);
}

/* ------------------------------------------------------------------------------------- a run -- */

static void run_view(struct run *run, unsigned choice) {
    struct view *view = &run->views[bytes_below(&run->bytes, VIEWS)];
    if (choice == DO_OPEN_VIEW) {
        view_close(view);
        view_open(view, run->life, &run->bytes);
    } else if (view->iterator != NULL && choice == DO_STEP_VIEW) {
        unsigned steps = 1 + bytes_below(&run->bytes, 8);
        while (steps-- > 0)
            view_step(view, &run->bytes);
    } else if (view->iterator != NULL) {
        view_finish(view);
        view_close(view);
    }
}

static void run_other(struct run *run, unsigned choice) {
    switch (choice) {
    case DO_GET:
        view_get(run->life, &run->bytes);
        break;
    case DO_LATEST:
        view_latest(run->life, &run->bytes);
        break;
    case DO_QUERY:
        view_query(run->life, &run->bytes);
        break;
    case DO_CRASH:
        choose_crash(run);
        take_crash(run);
        break;
    case DO_CRASH_IN_NEXT: /* or in one that comes later */
        choose_crash(run);
        run->crash.left = bytes_below(&run->bytes, 24);
        break;
    case DO_CHECK:
        check_all(run);
        break;
    case DO_CHECKPOINT_CHECK:
        if (run->life->checkpoint != 0 && !life_check_checkpoint(run->life, &run->life->sim))
            fail(run, "a checkpoint holds something else");
        break;
    default:
        run_view(run, choice);
    }
}

static void run_operations(struct run *run) {
    for (unsigned i = 0; i < OPERATIONS_MAX && bytes_left(&run->bytes) > 0; i++) {
        unsigned choice = bytes_below(&run->bytes, DO_CHOICES);
        if (choice < LIFE_CALLS)
            run_call(run, (enum life_call_kind)choice);
        else
            run_other(run, choice);
        if (run->crash.taken)
            recover(run);
    }
    run->crash.armed = false;
    for (size_t i = 0; i < VIEWS; i++)
        if (run->views[i].iterator != NULL)
            view_finish(&run->views[i]);
    check_all(run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct life lives[2];
    struct run run = {
        .bytes = {.at = data, .end = data + size}, .life = &lives[0], .other = &lives[1]};
    struct seeded random = {0};
    flowdb_config config = life_choose_config(&random);
    config.max_frozen_memtables = 2;
    take_config(&run, &config);
    life_init(run.life, &config);
    run.life->sim.after = after_operation;
    run.life->sim.after_context = &run;
    if (life_open(run.life) != FLOWDB_OK)
        fail(&run, "it does not open");
    run_operations(&run);
    close_views(&run);
    life_deinit(run.life);
    return 0;
}
