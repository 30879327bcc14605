#include "explore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <malloc.h>

#include "base/hash.h"
#include "engine/repair.h"

enum { DEPTH_MAX = 3 };

/* The state that is being looked at. */
struct spot {
    struct explore *explore;
    struct life *main;
    uint64_t seed; /* of the life */
    uint64_t operation;
    unsigned number, states_per_operation;
};

/* What a crash left may hold any of these states. After a kill a later power cut may still take what
   the page cache holds: then it is any from `power_low` on. */
struct left {
    enum sim_loss loss;
    size_t low, high, power_low;
};

/* A crash while a database recovers, or runs, after another crash. */
struct again {
    struct life *life;
    struct seeded random;
    uint64_t at; /* operations from now on; it is taken when they are over */
    bool opening;
    bool taken, while_opening;
    struct left left; /* while opening only the loss */
    unsigned checkpoint;
    struct oracle_state checkpoint_state;
    struct sim_fs sim;
};

static uint64_t mix(uint64_t a, uint64_t b, uint64_t c) {
    uint64_t words[3] = {a, b, c};
    return fl_checksum(words, sizeof words, 0, 0);
}

static void fail_at(const struct spot *spot, const struct life *life, enum sim_loss loss,
                    const char *what) {
    fprintf(stderr,
            "\nFAILED: %s (%s)\nFLOWDB_CRASH_REPLAY=0x%" PRIx64 ":%" PRIu64
            ":%u  wal_sync %d, crash "
            "\"%s\"\n",
            what, flowdb_last_error(), spot->seed, spot->operation, spot->number,
            (int)spot->main->config.wal_sync, sim_loss_name(loss));
    fprintf(stderr, "before the crash: durable %zu, drained %zu, acknowledged %zu, flying %zu\n",
            spot->main->durable, spot->main->drained, spot->main->acknowledged, spot->main->flying);
    life_print(spot->main, stderr);
    if (life != spot->main) {
        fprintf(stderr, "after it:\n");
        life_print(life, stderr);
    }
    fail_msg("%s", what);
}

/* ------------------------------------------------------------------------------ another crash -- */

static struct left left_of(const struct life *life, enum sim_loss loss) {
    return (struct left){.loss = loss,
                         .low = loss == SIM_KILL ? life->drained : life->durable,
                         .high = life->flying,
                         .power_low = life->durable};
}

static void crash_again(void *context) {
    struct again *again = context;
    if (again->taken || again->at-- > 0)
        return;
    again->taken = true;
    again->while_opening = again->opening;
    again->checkpoint = again->life->checkpoint;
    again->checkpoint_state = again->life->checkpoint_state;
    again->left = left_of(again->life, (enum sim_loss)seeded_below(&again->random, SIM_LOSSES));
    sim_fs_crash(&again->life->sim, again->left.loss, &again->random, &again->sim);
}

/* Before anyone saw what was found. But the disk is what it was, and so is the page cache, unless it
   is lost now. */
static struct left left_of_recovery(const struct left *left, enum sim_loss loss,
                                    const struct oracle_match *found) {
    size_t power_low = left->loss == SIM_KILL ? left->power_low : found->oldest;
    return (struct left){.loss = loss,
                         .low = loss == SIM_KILL ? found->oldest : power_low,
                         .high = found->youngest,
                         .power_low = power_low};
}

/* ----------------------------------------------------------------------------------- recovery -- */

/* Another process may be configured otherwise, and the clock may have been set meanwhile. */
static void change_surroundings(struct life *life, struct seeded *random) {
    flowdb_config config = life_choose_config(random);
    config.default_ttl_secs = life->config.default_ttl_secs;
    life->config = config;
    static const int64_t moves[] = {
        0, 0, 0, 1, ORACLE_HOUR, -ORACLE_HOUR, 30 * ORACLE_HOUR, -30 * ORACLE_HOUR};
    atomic_fetch_add(&life->clock.wall_us, moves[seeded_below(random, 8)]);
}

static void look_read_only(const struct spot *spot, struct life *life, const struct left *left,
                           struct seeded *random) {
    uint64_t before = sim_fs_fingerprint(&life->sim), operations = life->sim.operations;
    struct oracle_match found;
    life->config.read_only = true;
    flowdb_status status = life_open(life);
    if (status != FLOWDB_OK && (status != FLOWDB_NOT_FOUND || left->low > 0))
        fail_at(spot, life, left->loss, "it does not open for reading");
    flowdb *db = life->db;
    life->db = NULL;
    life->config.read_only = false;
    if (status != FLOWDB_OK)
        return;
    life->db = db;
    if (!life_check(life, left->low, left->high, random, &found))
        fail_at(spot, life, left->loss, "a reader finds what never was");
    life->db = NULL;
    if (flowdb_close(db) != FLOWDB_OK || life->sim.operations != operations ||
        sim_fs_fingerprint(&life->sim) != before)
        fail_at(spot, life, left->loss, "a reader changed something");
}

static void note_problem(void *context, const char *file, uint64_t offset, const char *what) {
    unsigned *problems = context;
    ++*problems;
    fprintf(stderr, "%s @%" PRIu64 ": %s\n", file, offset, what);
}

/* What a crash leaves is no damage: there is nothing to report, nor to repair. */
static void look_for_damage(const struct spot *spot, struct life *life, const struct left *left,
                            bool repairs) {
    struct fl_file *lock;
    /* The file itself is what it may create. */
    if (repairs && fl_fs_lock(&life->sim.fs, "/db/LOCK", &lock) == FLOWDB_OK)
        fl_file_close(lock);
    uint64_t before = sim_fs_fingerprint(&life->sim);
    unsigned problems = 0;
    flowdb_status status =
        repairs ? fl_engine_repair(life->config.data_dir, &life->env, note_problem, &problems)
                : fl_engine_verify(life->config.data_dir, &life->env, note_problem, &problems);
    const char *what = repairs ? "repair finds damage" : "verify finds damage";
    if (problems > 0 || (status != FLOWDB_OK && (status != FLOWDB_NOT_FOUND || left->low > 0)))
        fail_at(spot, life, left->loss, what);
    if (sim_fs_fingerprint(&life->sim) != before)
        fail_at(spot, life, left->loss, "looking for damage changed something");
}

/* A few more calls, all of which must succeed and be seen. */
static void go_on(const struct spot *spot, struct life *life, enum sim_loss loss,
                  struct seeded *random) {
    unsigned calls = 1 + seeded_below(random, 6);
    for (unsigned i = 0; i < calls; i++) {
        struct life_call call;
        life_choose_call(life, random, &call);
        if (life_run(life, &call) != FLOWDB_OK)
            fail_at(spot, life, loss, "a call failed after recovery");
    }
    if (!life_check_now(life, random))
        fail_at(spot, life, loss, "what was written after recovery is not there");
}

static void recover(const struct spot *spot, const struct life *from, struct sim_fs *sim,
                    const struct left *left, struct seeded *random, unsigned depth);

/* Opens and compares; the crash that may have been taken meanwhile is put right. */
static struct oracle_match open_and_check(const struct spot *spot, struct life *life,
                                          const struct left *left, struct again *again,
                                          struct seeded *random) {
    struct oracle_match found;
    life->sim.after = crash_again;
    life->sim.after_context = again;
    again->opening = true;
    if (life_open(life) != FLOWDB_OK)
        fail_at(spot, life, left->loss, "it does not open");
    again->opening = false;
    if (!life_check(life, left->low, left->high, random, &found))
        fail_at(spot, life, left->loss, "what was recovered is wrong");
    if (again->taken)
        again->left = left_of_recovery(left, again->left.loss, &found);
    return found;
}

static void recover(const struct spot *spot, const struct life *from, struct sim_fs *sim,
                    const struct left *left, struct seeded *random, unsigned depth) {
    struct explore *explore = spot->explore;
    struct life life, before;
    life_follow(&life, from, sim, left->low, left->high);
    change_surroundings(&life, random);
    explore->recoveries++;
    if (life.checkpoint != 0 && seeded_chance(random, 20)) {
        explore->checkpoints++;
        if (!life_check_checkpoint(&life, &life.sim))
            fail_at(spot, &life, left->loss, "a checkpoint is not what it was");
    }
    if (seeded_chance(random, 15))
        look_read_only(spot, &life, left, random);
    if (seeded_chance(random, 15))
        look_for_damage(spot, &life, left, seeded_chance(random, 40));
    struct again again = {.life = &life, .at = UINT64_MAX, .random = {seeded_next(random)}};
    if (depth < DEPTH_MAX && seeded_chance(random, 60))
        again.at = seeded_below(random, 45);
    struct oracle_match found = open_and_check(spot, &life, left, &again, random);
    if (depth == 0) {
        size_t now = found.youngest, then = from->acknowledged;
        explore->lost += then > now ? then - now : 0;
        explore->unacknowledged += now > then;
    }
    struct sim_fs nothing = {0};
    life_follow(&before, &life, &nothing, left->low, left->high);
    life_settle(&life, &found);
    if (seeded_chance(random, 60))
        go_on(spot, &life, left->loss, random);
    life_kill(&life);
    if (again.taken) {
        explore->again++;
        life.checkpoint = again.checkpoint;
        life.checkpoint_state = again.checkpoint_state;
        recover(spot, again.while_opening ? &before : &life, &again.sim, &again.left, random,
                depth + 1);
    }
    life_deinit(&before);
    life_deinit(&life);
}

/* ------------------------------------------------------------------------------------ a life -- */

static void look_at(const struct spot *spot) {
    struct explore *explore = spot->explore;
    struct seeded random = {mix(spot->seed, spot->operation, spot->number)};
    struct left left = left_of(spot->main, (enum sim_loss)seeded_below(&random, SIM_LOSSES));
    struct sim_fs sim;
    sim_fs_crash(&spot->main->sim, left.loss, &random, &sim);
    explore->states++;
    explore->by_loss[left.loss]++;
    recover(spot, spot->main, &sim, &left, &random, 0);
}

static bool is_wanted(const struct explore *explore, const struct spot *spot) {
    return !explore->replays ||
           (explore->replay_operation == spot->operation && explore->replay_number == spot->number);
}

static void after_operation(void *context) {
    struct spot *spot = context;
    char sentence[1024];
    /* The call under way will not notice. */
    snprintf(sentence, sizeof sentence, "%s", flowdb_last_error());
    spot->operation = spot->main->sim.operations;
    spot->explore->operations++;
    for (spot->number = 0; spot->number < spot->states_per_operation; spot->number++) {
        if (is_wanted(spot->explore, spot))
            look_at(spot);
    }
    fl_fail(FLOWDB_IO_ERROR, "%s", sentence);
}

static void live(struct explore *explore, uint64_t seed, flowdb_wal_sync mode) {
    struct seeded random = {seed};
    struct life life;
    flowdb_config config = life_choose_config(&random);
    config.wal_sync = mode;
    life_init(&life, &config);
    life.medium = seeded_chance(&random, 30);
    life.large = seeded_chance(&random, 10);
    struct spot spot = {.explore = explore,
                        .main = &life,
                        .seed = seed,
                        .states_per_operation = 1 + seeded_below(&random, 4)};
    if (explore->replays)
        spot.states_per_operation = explore->replay_number + 1;
    unsigned calls = 5 + seeded_below(&random, 45);
    life.sim.after = after_operation;
    life.sim.after_context = &spot;
    if (life_open(&life) != FLOWDB_OK)
        fail_at(&spot, &life, SIM_KILL, "it does not open");
    for (unsigned i = 0; i < calls; i++) {
        struct life_call call;
        life_choose_call(&life, &random, &call);
        if (life_run(&life, &call) != FLOWDB_OK)
            fail_at(&spot, &life, SIM_KILL, "a call failed");
        if (!life_check_now(&life, &random))
            fail_at(&spot, &life, SIM_KILL, "a call did something else");
    }
    life_deinit(&life);
    explore->lives++;
}

void explore_init(struct explore *explore, const char *test) {
    *explore = (struct explore){0};
    /* Databases come and go by the thousand: giving their memory back each time would take longer
       than all the rest. */
    mallopt(M_MMAP_THRESHOLD, 64 << 20);
    mallopt(M_TRIM_THRESHOLD, 512 << 20);
    mallopt(M_TOP_PAD, 16 << 20);
    const char *replay = getenv("FLOWDB_CRASH_REPLAY");
    if (replay != NULL) {
        explore->replays = sscanf(replay, "%" SCNx64 ":%" SCNu64 ":%u", &explore->replay_seed,
                                  &explore->replay_operation, &explore->replay_number) == 3;
        assert_true(explore->replays);
    } else {
        explore->seed = seeded_begin(test).state;
    }
}

void explore_lives(struct explore *explore, uint64_t states) {
    for (uint64_t i = 0; explore->states < states; i++) {
        /* The mode is part of the seed, so that it can be replayed. */
        uint64_t seed = mix(explore->seed, i, 0) / 4 * 4 + i % 3;
        if (explore->replays)
            seed = explore->replay_seed;
        live(explore, seed, (flowdb_wal_sync)(seed % 4));
        if (explore->replays)
            return;
    }
}

void explore_print(const struct explore *explore) {
    printf("%" PRIu64 " lives, %" PRIu64 " operations, %" PRIu64 " states (", explore->lives,
           explore->operations, explore->states);
    for (int i = 0; i < SIM_LOSSES; i++)
        printf("%s%" PRIu64 " %s", i > 0 ? ", " : "", explore->by_loss[i],
               sim_loss_name((enum sim_loss)i));
    printf("), %" PRIu64 " recoveries, %" PRIu64 " of them after a crash in or behind a recovery, "
           "%" PRIu64 " checkpoints opened; %" PRIu64
           " acknowledged writes lost where they may be, "
           "%" PRIu64 " unacknowledged kept\n",
           explore->recoveries, explore->again, explore->checkpoints, explore->lost,
           explore->unacknowledged);
}
