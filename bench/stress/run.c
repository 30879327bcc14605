#include "run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { PROGRESS_MS = 100 };

bool run_goes_on(const struct worker *worker) {
    const struct run *run = worker->run;
    return !atomic_load_explicit(&run->stopping, memory_order_relaxed) &&
           tool_now_ns() < run->deadline_ns;
}

void run_count(struct worker *worker, uint64_t started_ns, uint64_t records) {
    latency_add(&worker->latency, tool_now_ns() - started_ns);
    atomic_fetch_add_explicit(&worker->operations, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&worker->records, records, memory_order_relaxed);
}

static void tell(struct worker *worker, _Atomic uint64_t *counter, const char *kind,
                 const char *call, const char *message) {
    struct run *run = worker->run;
    uint64_t before = atomic_fetch_add(counter, 1);
    atomic_fetch_add(&worker->errors, 1);
    atomic_store(&run->stopping, true);
    if (before >= RUN_MESSAGES_MAX)
        return;
    pthread_mutex_lock(&run->message_lock);
    fprintf(stderr, "\n%s in %s, %s: %s\n", kind, worker->phase->name, call, message);
    pthread_mutex_unlock(&run->message_lock);
}

void run_failed(struct worker *worker, const char *call, flowdb_status status) {
    char message[SLOTS_MESSAGE_BYTES];
    snprintf(message, sizeof message, "%s: %.400s", flowdb_status_name(status),
             flowdb_last_error());
    tell(worker, &worker->run->failures, "FAILED", call, message);
}

void run_mismatch(struct worker *worker, const char *call, const char *message) {
    tell(worker, &worker->run->mismatches, "MISMATCH", call, message);
}

static void *work(void *context) {
    struct worker *worker = context;
    worker->phase->work(worker);
    atomic_store(&worker->done, true);
    return NULL;
}

static void start(struct run *run, const struct phase *phase, unsigned number,
                  struct worker *workers) {
    struct slots_area area = {0, (phase->series ? phase->series : run->slots.series) - 1, 0,
                              (phase->points ? phase->points : run->slots.points) - 1};
    for (unsigned i = 0; i < phase->threads; i++) {
        struct worker *worker = &workers[i];
        *worker = (struct worker){.run = run, .phase = phase, .index = i};
        worker->random.state = tool_mix(run->options.seed ^ tool_mix(number * 100 + i));
        worker->noted = tool_allocate(slots_area_count(&area) * sizeof *worker->noted);
        if (pthread_create(&worker->thread, NULL, work, worker) != 0) {
            fprintf(stderr, "cannot start a thread\n");
            exit(1);
        }
    }
}

static bool sum_up(struct worker *workers, const struct phase *phase, struct result *result) {
    bool done = true;
    result->operations = result->records = result->errors = 0;
    for (unsigned i = 0; i < phase->threads; i++) {
        done = atomic_load(&workers[i].done) && done;
        result->operations += atomic_load(&workers[i].operations);
        result->records += atomic_load(&workers[i].records);
        result->errors += atomic_load(&workers[i].errors);
    }
    return done;
}

static void run_phase(struct run *run, const struct phase *phase, unsigned number, bool reported) {
    struct worker *workers = tool_allocate(phase->threads * sizeof *workers);
    struct result *result = &run->results[run->result_count];
    uint64_t started = tool_now_ns();
    *result = (struct result){.phase = phase};
    start(run, phase, number, workers);
    /* Short phases are many; a slice of a millisecond keeps them from costing a whole one each. */
    for (unsigned slept_ms = 0; !sum_up(workers, phase, result); slept_ms++) {
        tool_sleep_ms(1);
        if (slept_ms % PROGRESS_MS == PROGRESS_MS - 1)
            report_progress(run, phase, result->records, result->operations,
                            (double)(tool_now_ns() - started) / 1e9);
    }
    result->seconds = (double)(tool_now_ns() - started) / 1e9;
    for (unsigned i = 0; i < phase->threads; i++) {
        pthread_join(workers[i].thread, NULL);
        latency_merge(&result->latency, &workers[i].latency);
        free(workers[i].noted);
    }
    sum_up(workers, phase, result);
    free(workers);
    if (!reported)
        return;
    report_row(result);
    run->result_count++;
}

static bool is_asked_for(const struct run *run, const struct phase *phase) {
    const char *only = run->options.only;
    return only == NULL || strncmp(phase->name, only, strlen(only)) == 0;
}

/* Shares what is left of the time among the phases that are left. */
static void set_deadline(struct run *run, unsigned from) {
    uint64_t weights = 0, now = tool_now_ns(),
             end = run->started_ns + (uint64_t)run->options.seconds * 1000000000;
    for (unsigned i = from; i < run_phase_count; i++)
        if (is_asked_for(run, &run_phases[i]) || run_phases[i].loads)
            weights += run_phases[i].weight;
    run->deadline_ns = now;
    if (end > now && weights > 0)
        run->deadline_ns += (end - now) / weights * run_phases[from].weight;
}

int run_all(struct run *run) {
    run->started_ns = tool_now_ns();
    pthread_mutex_init(&run->message_lock, NULL);
    flowdb_status status = run_open(run);
    if (status != FLOWDB_OK) {
        fprintf(stderr, "flowdb-stress: cannot open %s: %s\n", run->data_dir, flowdb_last_error());
        return 1;
    }
    report_head(run);
    for (unsigned i = 0; i < run_phase_count && !atomic_load(&run->stopping); i++) {
        bool reported = is_asked_for(run, &run_phases[i]);
        set_deadline(run, i);
        if (reported || run_phases[i].loads)
            run_phase(run, &run_phases[i], i, reported);
    }
    if (run->db != NULL && flowdb_close(run->db) != FLOWDB_OK) {
        fprintf(stderr, "flowdb-stress: cannot close: %s\n", flowdb_last_error());
        atomic_fetch_add(&run->failures, 1);
    }
    run->usage = tool_folder_usage(run->data_dir);
    report_end(run);
    bool reported = run->options.json == NULL || report_json(run);
    pthread_mutex_destroy(&run->message_lock);
    return reported && run->mismatches + run->failures == 0 ? 0 : 1;
}
