/*
 * A life of every kind of call, again and again, while the Nth operation of its file system fails,
 * or the Nth allocation: once, or from then on until the call has returned.
 *
 * A call that failed has left no trace, and all work when the fault is gone, unless writes were
 * stopped: then nobody can tell what became of that one write, and all works when the database has
 * been opened again. Power cuts at the end, and wherever writes were stopped, lose nothing that was
 * safe.
 *
 *   FLOWDB_FAULT_STEP  every so manieth N is tried, from a random one on (7)
 *   FLOWDB_SEED        the seed
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "life.h"

enum { POWER_CUTS = 3, FULL_CALLS = 6 };

static const enum life_call_kind script[] = {
    LIFE_BATCH,   LIFE_WRITE,        LIFE_FLUSH, LIFE_DELETE,  LIFE_PATCH,       LIFE_OWNED_BATCH,
    LIFE_FREEZE,  LIFE_DELETE_RANGE, LIFE_BATCH, LIFE_STEP,    LIFE_SYNC,        LIFE_WRITE,
    LIFE_COMPACT, LIFE_CHECKPOINT,   LIFE_WRITE, LIFE_FREEZE,  LIFE_WRITE,       LIFE_GC,
    LIFE_REOPEN,  LIFE_BATCH,        LIFE_PATCH, LIFE_FREEZE,  LIFE_STEP_DUE,    LIFE_DELETE,
    LIFE_CLOCK,   LIFE_WRITE,        LIFE_FLUSH, LIFE_COMPACT, LIFE_COMPACT_ALL, LIFE_WRITE};
enum { SCRIPT = sizeof script / sizeof script[0] };

/* How it fails. */
struct fault_case {
    const char *name;
    enum fault_way way;
    flowdb_status status;
    bool persistent, memory;
    bool fills; /* from the Nth operation on there is no space, for some calls */
};

static const struct fault_case cases[] = {
    {"nothing is done", FAULT_BEFORE, FLOWDB_IO_ERROR, false, false, false},
    {"it is done, the answer is lost", FAULT_AFTER, FLOWDB_IO_ERROR, false, false, false},
    {"half a write, or pages lost", FAULT_HALFWAY, FLOWDB_IO_ERROR, false, false, false},
    {"half a write for want of space", FAULT_HALFWAY, FLOWDB_NO_SPACE, false, false, false},
    {"nothing works", FAULT_BEFORE, FLOWDB_IO_ERROR, true, false, false},
    {"nothing works, pages are lost", FAULT_HALFWAY, FLOWDB_IO_ERROR, true, false, false},
    {"the disk is full", FAULT_HALFWAY, FLOWDB_NO_SPACE, true, false, false},
    {"the disk fills up", FAULT_BEFORE, FLOWDB_NO_SPACE, true, false, true},
    {"an allocation", FAULT_BEFORE, FLOWDB_NO_MEMORY, false, true, false},
    {"all allocations", FAULT_BEFORE, FLOWDB_NO_MEMORY, true, true, false},
};
enum { CASES = sizeof cases / sizeof cases[0] };

struct run {
    struct life life;
    const struct fault_case *fault;
    uint64_t seed, nth;
    struct seeded random; /* of the losses */
    unsigned calls;       /* since it struck */
    bool over;            /* the fault struck, and its call has returned, or its calls */
};

static void fail_run(const struct run *run, const char *what) {
    fprintf(stderr,
            "FAILED: %s (%s)\nFLOWDB_SEED=0x%" PRIx64 ", wal_sync %d, %s, call %" PRIu64
            "%s%s %s\n",
            what, flowdb_last_error(), run->seed, (int)run->life.config.wal_sync, run->fault->name,
            run->nth, run->life.fault.failures > 0 ? ": " : "",
            run->life.fault.failures > 0 ? fault_op_name(run->life.fault.failed_op) : "",
            run->life.fault.failed_path);
    fprintf(stderr, "durable %zu, drained %zu, acknowledged %zu, flying %zu\n", run->life.durable,
            run->life.drained, run->life.acknowledged, run->life.flying);
    life_print(&run->life, stderr);
    fail_msg("%s", what);
}

static void lose_pages(void *context, struct fl_file *real) {
    struct run *run = context;
    sim_file_lose(real, &run->random);
}

/* ------------------------------------------------------------------------------------ faults -- */

static void fill_up(void *context) {
    struct run *run = context;
    struct sim_fs *sim = &run->life.sim;
    if (sim->operations == run->nth)
        sim->capacity = sim_fs_used(sim);
}

static void arm(struct run *run) {
    struct life *life = &run->life;
    if (run->fault->fills) {
        life->sim.after = fill_up;
        life->sim.after_context = run;
        return;
    }
    life->fault.sync_halfway = lose_pages;
    life->fault.sync_halfway_context = run;
    if (run->fault->memory) {
        atomic_store(&life->failing.calls, 0);
        life->failing.persistent = run->fault->persistent;
        life->failing.fail_at = run->nth;
    } else {
        fault_fs_arm(&life->fault, run->nth, run->fault->persistent, run->fault->way,
                     run->fault->status);
    }
}

static bool has_struck(const struct run *run) {
    if (run->fault->fills)
        return run->life.sim.capacity != UINT64_MAX;
    if (run->fault->memory)
        return atomic_load(&run->life.failing.calls) >= run->nth;
    return run->life.fault.failures > 0;
}

static void disarm(struct run *run) {
    fault_fs_disarm(&run->life.fault);
    run->life.failing.fail_at = 0;
    run->life.sim.after = NULL;
    run->life.sim.capacity = UINT64_MAX;
}

/* ------------------------------------------------------------------------------------ checks -- */

/* What a power cut would leave now. */
static void cut_power(struct run *run) {
    for (unsigned i = 0; i < POWER_CUTS; i++) {
        struct life after;
        struct sim_fs left;
        struct oracle_match found;
        enum sim_loss loss = (enum sim_loss)seeded_below(&run->random, SIM_LOSSES);
        size_t low = loss == SIM_KILL ? run->life.drained : run->life.durable;
        sim_fs_crash(&run->life.sim, loss, &run->random, &left);
        left.capacity = UINT64_MAX;
        life_follow(&after, &run->life, &left, low, run->life.flying);
        if (life_open(&after) != FLOWDB_OK)
            fail_run(run, "after a crash it does not open");
        if (!life_check(&after, low, run->life.flying, &run->random, &found))
            fail_run(run, "after a crash it is wrong");
        life_deinit(&after);
    }
}

/* The database is closed, in whatever way; the next process finds what this one left. */
static void open_again(struct run *run, size_t low) {
    struct life *life = &run->life;
    struct oracle_match found;
    if (life->db == NULL && life_open(life) != FLOWDB_OK)
        fail_run(run, "it does not open when the fault is gone");
    if (!life_check(life, low, life->flying, &run->random, &found))
        fail_run(run, "it is wrong when it was opened again");
    life_settle(life, &found);
}

/* What must be there for the next process, when this one closes or dies. */
static size_t left_behind(const struct life *life) {
    return life->config.wal_sync == FLOWDB_SYNC_BUFFERED ? life->drained : life->acknowledged;
}

static void after_stop(struct run *run) {
    struct life *life = &run->life;
    struct oracle_match found;
    if (run->fault->memory || run->fault->fills)
        fail_run(run, "want of memory or space stopped writes");
    if (!life_check(life, life->acknowledged, life->flying, &run->random, &found))
        fail_run(run, "writes were stopped, and it is wrong");
    cut_power(run);
    flowdb *db = life->db;
    life->db = NULL;
    if (flowdb_close(db) != FLOWDB_READ_ONLY)
        fail_run(run, "a close did not tell that writes were stopped");
    open_again(run, left_behind(life));
}

/* After the call in which the fault struck, whatever it returned. */
static void look_after(struct run *run, flowdb_status status) {
    struct life *life = &run->life;
    bool expected =
        status == FLOWDB_OK || status == run->fault->status || status == FLOWDB_READ_ONLY;
    if (!expected)
        fail_run(run, "a call failed in another way than its fault");
    if (life->db == NULL || life->reopened) {
        open_again(run, run->fault->memory ? life->acknowledged : left_behind(life));
        return;
    }
    if (atomic_load(&life->db->stopped_writes)) {
        after_stop(run);
        return;
    }
    if (status == FLOWDB_READ_ONLY)
        fail_run(run, "a call found writes stopped that are not");
    if (!life_check_now(life, &run->random))
        fail_run(run, "a call that failed left a trace");
    cut_power(run);
}

/* ------------------------------------------------------------------------------------- a run -- */

static void run_call(struct run *run, struct seeded *random, enum life_call_kind kind) {
    struct life_call call;
    life_choose_call_of(&run->life, random, kind, &call);
    if (kind == LIFE_STEP)
        call.job = FL_JOB_FLUSH;
    if (kind == LIFE_CLOCK) /* a sync is due */
        call.wall_us = call.monotonic_us = 5000000;
    run->life.reopened = kind == LIFE_REOPEN;
    flowdb_status status = life_run(&run->life, &call);
    if (!run->over && has_struck(run)) {
        run->over = !run->fault->fills || ++run->calls == FULL_CALLS || run->life.reopened;
        if (run->over)
            disarm(run);
        look_after(run, status);
    } else if (status != FLOWDB_OK) {
        fail_run(run, "a call failed without a fault");
    }
}

static bool run_script(struct run *run) {
    struct life *life = &run->life;
    struct seeded random = {run->seed};
    flowdb_config config = life_choose_config(&random);
    config.wal_sync = run->life.config.wal_sync;
    life_init(life, &config);
    run->random.state = run->seed ^ run->nth;
    run->over = false;
    run->calls = 0;
    arm(run);
    if (life_open(life) != FLOWDB_OK) {
        bool struck = has_struck(run);
        disarm(run);
        run->over = true;
        if (!struck)
            fail_run(run, "it does not open");
        open_again(run, 0);
    }
    for (size_t i = 0; i < SCRIPT; i++)
        run_call(run, &random, script[i]);
    disarm(run);
    if (!life_check_now(life, &run->random))
        fail_run(run, "at the end it is wrong");
    cut_power(run);
    if (life->checkpoint != 0 && !life_check_checkpoint(life, &life->sim))
        fail_run(run, "the checkpoint is wrong");
    life_kill(life);
    if (life->failing.live != 0 || life->sim.open_files != 0 || life->fault.open_files != 0)
        fail_run(run, "memory or files leaked");
    life_deinit(life);
    return run->over || run->calls > 0;
}

static void try_cases(bool memory) {
    const char *given = getenv("FLOWDB_FAULT_STEP");
    uint64_t step = given != NULL ? strtoull(given, NULL, 10) : 7, runs = 0;
    struct seeded seeded = seeded_begin(memory ? "failing allocations" : "failing operations");
    uint64_t seed = seeded.state;
    for (size_t c = 0; c < CASES; c++) {
        for (int mode = FLOWDB_SYNC_ALWAYS; mode <= FLOWDB_SYNC_BUFFERED; mode++) {
            if (cases[c].memory != memory)
                continue;
            struct run run = {.fault = &cases[c], .seed = seed};
            run.nth = 1 + seeded_below(&seeded, (uint32_t)step);
            do {
                run.life.config.wal_sync = (flowdb_wal_sync)mode;
                runs++;
            } while (run_script(&run) && (run.nth += step) > 0);
            assert_true(run.nth > 150 || cases[c].fills);
        }
    }
    printf("%" PRIu64 " runs\n", runs);
}

static void every_call_survives_a_fault_at_any_operation(void **state) {
    (void)state;
    try_cases(false);
}

static void every_call_survives_a_failing_allocation(void **state) {
    (void)state;
    try_cases(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_survives_a_fault_at_any_operation),
        cmocka_unit_test(every_call_survives_a_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
