/* The scheduler by itself: what is due when, what follows a failure, and threads that come and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/scheduler.h"
#include "support/fake_clock.h"

enum { FIRST, SECOND, JOBS };
enum { MS = 1000, SECOND_US = 1000000 };

struct bench {
    struct fake_clock clock;
    struct fl_scheduler scheduler;
    flowdb_status answers[JOBS]; /* of the next runs */
    unsigned runs[JOBS];
    bool wants_itself;         /* as if somebody asked for a job while it runs */
    struct fl_job_report last; /* that `ended` was told */
    size_t last_job;
};

static flowdb_status run(struct bench *bench, size_t job) {
    bench->runs[job]++;
    if (bench->wants_itself)
        fl_scheduler_want(&bench->scheduler, job);
    flowdb_status status = bench->answers[job];
    return status == FLOWDB_OK || status == FLOWDB_DONE ? status : fl_fail(status, "job %zu", job);
}

static flowdb_status run_first(void *context) {
    return run(context, FIRST);
}

static flowdb_status run_second(void *context) {
    return run(context, SECOND);
}

static void ended(void *context, size_t job, const struct fl_job_report *report) {
    struct bench *bench = context;
    bench->last = *report;
    bench->last_job = job;
}

static void begin(struct bench *bench) {
    static const struct fl_job_spec specs[JOBS] = {
        [FIRST] = {"first", 0, SECOND_US, 10 * MS, 100 * MS, run_first},
        [SECOND] = {"second", 1, 0, 10 * MS, 100 * MS, run_second}};
    *bench = (struct bench){.answers = {FLOWDB_DONE, FLOWDB_DONE}};
    fake_clock_init(&bench->clock, 0);
    fl_scheduler_init(&bench->scheduler, &bench->clock.clock, specs, JOBS, bench, ended);
}

static void turn_clock(struct bench *bench, int64_t us) {
    atomic_fetch_add(&bench->clock.monotonic_us, us);
}

/* The job that was due; JOBS where none was. */
static size_t step_due(struct bench *bench) {
    size_t job;
    flowdb_status status = fl_scheduler_step_due(&bench->scheduler, &job);
    if (job == SIZE_MAX)
        assert_int_equal(status, FLOWDB_DONE);
    return job == SIZE_MAX ? JOBS : job;
}

static void nothing_is_due_at_first(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench);
    assert_int_equal(step_due(&bench), JOBS);
    assert_int_equal(bench.runs[FIRST] + bench.runs[SECOND], 0);
    fl_scheduler_deinit(&bench.scheduler);
}

static void a_job_is_due_when_its_interval_has_passed(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench);
    turn_clock(&bench, SECOND_US - 1);
    assert_int_equal(step_due(&bench), JOBS);
    turn_clock(&bench, 1);
    assert_int_equal(step_due(&bench), FIRST);
    assert_int_equal(step_due(&bench), JOBS);
    turn_clock(&bench, 5 * SECOND_US);
    assert_int_equal(step_due(&bench), FIRST);
    assert_int_equal(step_due(&bench), JOBS);
    fl_scheduler_deinit(&bench.scheduler);
}

static void a_wanted_job_runs_until_it_is_done(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench);
    bench.answers[SECOND] = FLOWDB_OK;
    fl_scheduler_want(&bench.scheduler, SECOND);
    assert_int_equal(step_due(&bench), SECOND);
    assert_int_equal(step_due(&bench), SECOND);
    bench.answers[SECOND] = FLOWDB_DONE;
    assert_int_equal(step_due(&bench), SECOND);
    assert_int_equal(step_due(&bench), JOBS);
    fl_scheduler_deinit(&bench.scheduler);
}

static void what_is_wanted_while_it_runs_runs_again(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench);
    bench.wants_itself = true;
    fl_scheduler_want(&bench.scheduler, SECOND);
    assert_int_equal(step_due(&bench), SECOND);
    bench.wants_itself = false;
    assert_int_equal(step_due(&bench), SECOND);
    assert_int_equal(step_due(&bench), JOBS);
    fl_scheduler_deinit(&bench.scheduler);
}

static void the_first_of_two_due_jobs_is_stepped_first(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench);
    fl_scheduler_want(&bench.scheduler, SECOND);
    fl_scheduler_want(&bench.scheduler, FIRST);
    assert_int_equal(step_due(&bench), FIRST);
    assert_int_equal(step_due(&bench), SECOND);
    fl_scheduler_deinit(&bench.scheduler);
}

static void pauses_after_failures_double_up_to_a_bound(void **state) {
    (void)state;
    static const int64_t pauses[] = {10 * MS, 20 * MS, 40 * MS, 80 * MS, 100 * MS, 100 * MS};
    struct bench bench;
    begin(&bench);
    bench.answers[SECOND] = FLOWDB_IO_ERROR;
    fl_scheduler_want(&bench.scheduler, SECOND);
    for (uint32_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++) {
        assert_int_equal(step_due(&bench), SECOND);
        assert_int_equal(bench.last.failed_in_row, i + 1);
        assert_string_equal(bench.last.message, "job 1");
        fl_scheduler_want(&bench.scheduler, SECOND);
        turn_clock(&bench, pauses[i] - 1);
        assert_int_equal(step_due(&bench), JOBS);
        turn_clock(&bench, 1);
    }
    bench.answers[SECOND] = FLOWDB_DONE;
    assert_int_equal(step_due(&bench), SECOND);
    assert_int_equal(bench.last.failed_in_row, 0);
    assert_int_equal(bench.last.failures, 6);
    assert_int_equal(bench.last.runs, 7);
    assert_int_equal(bench.last.status, FLOWDB_OK);
    assert_string_equal(bench.last.message, "");
    fl_scheduler_deinit(&bench.scheduler);
}

static void a_retry_ends_the_pause(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench);
    bench.answers[SECOND] = FLOWDB_NO_SPACE;
    assert_int_equal(fl_scheduler_step(&bench.scheduler, SECOND), FLOWDB_NO_SPACE);
    assert_int_equal(step_due(&bench), JOBS);
    fl_scheduler_retry(&bench.scheduler, SECOND);
    assert_int_equal(step_due(&bench), SECOND);
    struct fl_job_report report;
    fl_scheduler_report(&bench.scheduler, SECOND, &report);
    assert_int_equal(report.failed_in_row, 2);
    assert_int_equal(report.status, FLOWDB_NO_SPACE);
    fl_scheduler_deinit(&bench.scheduler);
}

static void stopping_without_threads_is_harmless(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench);
    fl_scheduler_stop(&bench.scheduler);
    fl_scheduler_stop(&bench.scheduler);
    fl_scheduler_deinit(&bench.scheduler);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_due_at_first),
        cmocka_unit_test(a_job_is_due_when_its_interval_has_passed),
        cmocka_unit_test(a_wanted_job_runs_until_it_is_done),
        cmocka_unit_test(what_is_wanted_while_it_runs_runs_again),
        cmocka_unit_test(the_first_of_two_due_jobs_is_stepped_first),
        cmocka_unit_test(pauses_after_failures_double_up_to_a_bound),
        cmocka_unit_test(a_retry_ends_the_pause),
        cmocka_unit_test(stopping_without_threads_is_harmless),
    };
    return cmocka_run_group_tests_name("scheduler", tests, NULL, NULL);
}
