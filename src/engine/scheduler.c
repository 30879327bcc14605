#include "engine/scheduler.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"

#define LONGEST_WAIT_US (INT64_C(60) * 1000000)
#define SHORTEST_WAIT_US 1000

static int64_t later(int64_t now_us, int64_t delay_us) {
    int64_t at;
    return __builtin_add_overflow(now_us, delay_us, &at) ? INT64_MAX : at;
}

void fl_scheduler_init(struct fl_scheduler *scheduler, const struct fl_clock *clock,
                       const struct fl_job_spec *specs, size_t count, void *context,
                       void (*ended)(void *context, size_t job,
                                     const struct fl_job_report *report)) {
    memset(scheduler, 0, sizeof *scheduler);
    scheduler->clock = clock;
    scheduler->context = context;
    scheduler->ended = ended;
    scheduler->job_count = count;
    pthread_mutex_init(&scheduler->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    for (size_t i = 0; i < FL_SCHEDULER_LANES; i++) {
        scheduler->lanes[i].scheduler = scheduler;
        scheduler->lanes[i].number = i;
        pthread_cond_init(&scheduler->lanes[i].changed, &monotonic);
    }
    pthread_condattr_destroy(&monotonic);
    int64_t now_us = fl_clock_monotonic_us(clock);
    for (size_t i = 0; i < count; i++) {
        struct fl_job *job = &scheduler->jobs[i];
        job->spec = specs[i];
        job->report.name = specs[i].name;
        job->due_us = specs[i].interval_us > 0 ? later(now_us, specs[i].interval_us) : INT64_MAX;
    }
}

void fl_scheduler_deinit(struct fl_scheduler *scheduler) {
    for (size_t i = 0; i < FL_SCHEDULER_LANES; i++)
        pthread_cond_destroy(&scheduler->lanes[i].changed);
    pthread_mutex_destroy(&scheduler->lock);
}

/* ------------------------------------------------------------------------------------- runs -- */

/* The caller holds the lock. */
static bool is_due(struct fl_job *job, int64_t now_us) {
    bool wanted = job->report.failed_in_row == 0 && atomic_load(&job->wanted);
    return wanted || job->due_us <= now_us;
}

/* The caller holds the lock. */
static void account(struct fl_job *job, flowdb_status status, int64_t now_us) {
    struct fl_job_report *report = &job->report;
    report->runs++;
    if (status == FLOWDB_OK || status == FLOWDB_DONE) {
        report->status = FLOWDB_OK;
        report->failed_in_row = 0;
        report->message[0] = '\0';
        job->due_us = job->spec.interval_us > 0 ? later(now_us, job->spec.interval_us) : INT64_MAX;
        if (status == FLOWDB_OK)
            atomic_store(&job->wanted, true);
        return;
    }
    uint32_t doublings = FL_MIN(report->failed_in_row, UINT32_C(30));
    int64_t pause_us = job->spec.pause_us;
    while (doublings-- > 0 && pause_us < job->spec.pause_max_us)
        pause_us *= 2;
    report->pause_us = FL_MIN(pause_us, job->spec.pause_max_us);
    job->due_us = later(now_us, report->pause_us);
    report->status = status;
    report->failures++;
    report->failed_in_row += report->failed_in_row < UINT32_MAX;
    snprintf(report->message, sizeof report->message, "%s", flowdb_last_error());
}

static flowdb_status run(struct fl_scheduler *scheduler, size_t number) {
    struct fl_job *job = &scheduler->jobs[number];
    /* Before it looks for work: what is asked for from now on, the next run does. */
    atomic_exchange(&job->wanted, false);
    flowdb_status status = job->spec.run(scheduler->context);
    pthread_mutex_lock(&scheduler->lock);
    account(job, status, fl_clock_monotonic_us(scheduler->clock));
    struct fl_job_report report = job->report;
    pthread_mutex_unlock(&scheduler->lock);
    scheduler->ended(scheduler->context, number, &report);
    return status;
}

flowdb_status fl_scheduler_step(struct fl_scheduler *scheduler, size_t job) {
    return run(scheduler, job);
}

flowdb_status fl_scheduler_step_due(struct fl_scheduler *scheduler, size_t *job) {
    int64_t now_us = fl_clock_monotonic_us(scheduler->clock);
    size_t found = 0;
    pthread_mutex_lock(&scheduler->lock);
    while (found < scheduler->job_count && !is_due(&scheduler->jobs[found], now_us))
        found++;
    pthread_mutex_unlock(&scheduler->lock);
    *job = found < scheduler->job_count ? found : SIZE_MAX;
    return found < scheduler->job_count ? run(scheduler, found) : FLOWDB_DONE;
}

void fl_scheduler_want(struct fl_scheduler *scheduler, size_t number) {
    struct fl_job *job = &scheduler->jobs[number];
    if (atomic_exchange(&job->wanted, true))
        return;
    pthread_mutex_lock(&scheduler->lock);
    pthread_cond_signal(&scheduler->lanes[job->spec.lane].changed);
    pthread_mutex_unlock(&scheduler->lock);
}

void fl_scheduler_retry(struct fl_scheduler *scheduler, size_t number) {
    struct fl_job *job = &scheduler->jobs[number];
    atomic_store(&job->wanted, true);
    pthread_mutex_lock(&scheduler->lock);
    job->due_us = INT64_MIN;
    pthread_cond_signal(&scheduler->lanes[job->spec.lane].changed);
    pthread_mutex_unlock(&scheduler->lock);
}

void fl_scheduler_report(struct fl_scheduler *scheduler, size_t job, struct fl_job_report *report) {
    pthread_mutex_lock(&scheduler->lock);
    *report = scheduler->jobs[job].report;
    pthread_mutex_unlock(&scheduler->lock);
}

/* ---------------------------------------------------------------------------------- threads -- */

/* The lane's job that has been due for longest, or SIZE_MAX and when to look again. The caller holds
   the lock. */
static size_t next_job(struct fl_lane *lane, int64_t now_us, int64_t *next_us) {
    struct fl_scheduler *scheduler = lane->scheduler;
    size_t found = SIZE_MAX;
    *next_us = INT64_MAX;
    for (size_t i = 0; i < scheduler->job_count; i++) {
        struct fl_job *job = &scheduler->jobs[i];
        if (job->spec.lane != lane->number)
            continue;
        *next_us = FL_MIN(*next_us, job->due_us);
        if (is_due(job, now_us) &&
            (found == SIZE_MAX || job->due_us < scheduler->jobs[found].due_us))
            found = i;
    }
    return found;
}

/* Waits for real time to pass, while what is due is told by the engine's clock: this is only about
   when to look. The caller holds the lock. */
static void wait_until(struct fl_lane *lane, int64_t now_us, int64_t next_us) {
    int64_t wait_us = next_us == INT64_MAX ? LONGEST_WAIT_US : next_us - now_us;
    wait_us = FL_MIN(FL_MAX(wait_us, (int64_t)SHORTEST_WAIT_US), LONGEST_WAIT_US);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_us / 1000000;
    until.tv_nsec += (long)(wait_us % 1000000) * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&lane->changed, &lane->scheduler->lock, &until);
}

static void *lane_main(void *argument) {
    struct fl_lane *lane = argument;
    struct fl_scheduler *scheduler = lane->scheduler;
    pthread_setname_np(pthread_self(), lane->name);
    pthread_mutex_lock(&scheduler->lock);
    while (!scheduler->stopping) {
        int64_t next_us, now_us = fl_clock_monotonic_us(scheduler->clock);
        size_t job = next_job(lane, now_us, &next_us);
        if (job == SIZE_MAX) {
            wait_until(lane, now_us, next_us);
            continue;
        }
        pthread_mutex_unlock(&scheduler->lock);
        (void)run(scheduler, job);
        pthread_mutex_lock(&scheduler->lock);
    }
    pthread_mutex_unlock(&scheduler->lock);
    return NULL;
}

flowdb_status fl_scheduler_start(struct fl_scheduler *scheduler,
                                 const char *const lane_names[FL_SCHEDULER_LANES]) {
    for (size_t i = 0; i < FL_SCHEDULER_LANES; i++) {
        if (lane_names[i] == NULL)
            continue;
        struct fl_lane *lane = &scheduler->lanes[i];
        lane->name = lane_names[i];
        int error = pthread_create(&lane->thread, NULL, lane_main, lane);
        if (error != 0) {
            fl_scheduler_stop(scheduler);
            return fl_fail(FLOWDB_NO_MEMORY, "cannot start thread %s: error %d", lane->name, error);
        }
        lane->runs = true;
    }
    return FLOWDB_OK;
}

void fl_scheduler_stop(struct fl_scheduler *scheduler) {
    pthread_mutex_lock(&scheduler->lock);
    scheduler->stopping = true;
    for (size_t i = 0; i < FL_SCHEDULER_LANES; i++)
        pthread_cond_signal(&scheduler->lanes[i].changed);
    pthread_mutex_unlock(&scheduler->lock);
    for (size_t i = 0; i < FL_SCHEDULER_LANES; i++) {
        if (scheduler->lanes[i].runs)
            pthread_join(scheduler->lanes[i].thread, NULL);
        scheduler->lanes[i].runs = false;
    }
}
