/*
 * Time as the model has it: a steady clock that goes forward, and a wall clock that follows it but for
 * its jumps, of seconds, days and years, either way.
 *
 * What the engine must make of it: in one opening time never runs backwards; the highest time seen is
 * stored, and at the next opening counts again unless it is more than a day ahead of the wall clock.
 */
#include <inttypes.h>

#include "engine/engine.h"
#include "model.h"

#define SECOND_US INT64_C(1000000)
#define YEARS_US (INT64_C(3652) * FL_DAY_US)

static int64_t wall_us(const struct model *model) {
    return atomic_load(&model->clock.wall_us);
}

bool model_clock_is_straight(const struct model *model) {
    return wall_us(model) == model->now;
}

/* Expired records may be removed from now on, unless only a jump made them expire: but for a day, it
   is the steady clock that counts. */
static void note_purges(struct model *model) {
    int64_t steady =
        model->opened_us + atomic_load(&model->clock.monotonic_us) - model->opened_monotonic_us;
    int64_t until = model->now <= steady + FL_DAY_US ? model->now : steady;
    if (until > model->purged_until)
        model->purged_until = until;
}

/* The engine sees what time it is when it reads a range. */
static void let_see(struct model *model) {
    flowdb_range nothing = flowdb_range_time(1, 0);
    flowdb_iterator *iterator;
    model->now = FL_MAX(model->now, wall_us(model));
    note_purges(model);
    model_expect_status(model, FLOWDB_OK, flowdb_scan(model->db, &nothing, NULL, &iterator),
                        "scan of nothing");
    flowdb_iterator_destroy(iterator);
}

void model_clock_begin(struct model *model) {
    model->steady_us = INT64_C(1700000000) * SECOND_US +
                       (int64_t)random_below(&model->random, 1000000) * SECOND_US;
    fake_clock_init(&model->clock, model->steady_us);
    model->now = model->purged_until = INT64_MIN;
    model->doubtful_seq = 0;
}

void model_clock_open(struct model *model) {
    int64_t wall = wall_us(model);
    if (model->now > wall && (uint64_t)model->now - (uint64_t)wall > (uint64_t)FL_DAY_US) {
        model->doubtful_seq = model->reference.seq;
        model->now = wall;
        model_event(model, "time went back");
    }
    model->now = FL_MAX(model->now, wall);
    model->opened_us = model->now;
    model->opened_monotonic_us = atomic_load(&model->clock.monotonic_us);
    note_purges(model);
}

static void pass(struct model *model, int64_t us) {
    model_trace(model, "%" PRId64 " us", us);
    model->steady_us += us;
    atomic_fetch_add(&model->clock.monotonic_us, us);
    note_purges(model);
    atomic_fetch_add(&model->clock.wall_us, us);
    let_see(model);
}

static void run_pass(struct model *model) {
    static const int64_t units[] = {1, 1000, SECOND_US, SECOND_US, 60 * SECOND_US};
    pass(model,
         units[random_below(&model->random, 5)] * (1 + (int64_t)random_below(&model->random, 100)));
}

static void run_pass_long(struct model *model) {
    pass(model, 3600 * SECOND_US * (1 + (int64_t)random_below(&model->random, 60)));
}

static void run_jump(struct model *model) {
    static const int64_t ways[] = {SECOND_US,     -SECOND_US,    3600 * SECOND_US, -FL_DAY_US / 2,
                                   FL_DAY_US / 2, 3 * FL_DAY_US, -3 * FL_DAY_US,   40 * FL_DAY_US,
                                   YEARS_US,      -YEARS_US};
    int64_t by = 0; /* back to where it should be */
    if (random_chance(&model->random, 60))
        by = ways[random_below(&model->random, sizeof ways / sizeof *ways)];
    model_trace(model, "%" PRId64 " s off", by / SECOND_US);
    atomic_store(&model->clock.wall_us, model->steady_us + by);
    model_event(model, by == 0 ? "the clock is put right" : "the clock jumps");
    let_see(model);
}

const struct operation clock_operations[] = {{"time passes", 300, run_pass},
                                             {"hours pass", 12, run_pass_long},
                                             {"the clock jumps", 12, run_jump},
                                             {NULL, 0, NULL}};
