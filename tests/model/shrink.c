/*
 * Runs the model in a process of its own, so that whatever ends it, a crash of the engine too, can be
 * tried again with less: the life that failed, and of its operations ever fewer (delta debugging:
 * Zeller and Hildebrandt 2002), each time in a new process.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "model.h"

enum { TRIES = 10, SHRINK_SECONDS = 90, CANDIDATE_SECONDS = 30 };

struct shrink {
    struct model *model;
    uint64_t first, last; /* of the life that failed */
    size_t count;         /* last - first + 1 */
    bool *keep, *candidate;
    struct timespec started;
    unsigned runs;
};

static void go_silent(void) {
    int null = open("/dev/null", O_WRONLY);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    close(null);
}

/* Its exit status, or 128 and the signal's number. */
static int wait_for(pid_t child) {
    int status;
    while (waitpid(child, &status, 0) != child)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static pid_t begin_process(void) {
    fflush(stdout);
    fflush(stderr);
    pid_t child = fork();
    if (child < 0) {
        perror("model: fork");
        exit(2);
    }
    return child;
}

/* exit and not _exit: sanitizers look for leaks there. */
static int run_all(struct model *model) {
    pid_t child = begin_process();
    if (child == 0) {
        model_run(model);
        free(model->values);
        free(model);
        exit(0);
    }
    return wait_for(child);
}

static int run_kept(struct shrink *shrink, const bool *keep, bool traced) {
    struct model *model = shrink->model;
    shrink->runs++;
    scratch_create(model->base);
    pid_t child = begin_process();
    if (child == 0) {
        struct model_plan plan = {shrink->first, shrink->last, keep};
        model->trace = traced;
        if (!traced)
            go_silent();
        alarm(CANDIDATE_SECONDS);
        model_run_plan(model, &plan);
        exit(0);
    }
    int status = wait_for(child);
    scratch_remove(model->base);
    return status;
}

static bool is_failure(int status) {
    return status != 0 && status != 2 && status != 128 + SIGALRM;
}

static double seconds_since(const struct timespec *started) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - started->tv_sec) + (double)(now.tv_nsec - started->tv_nsec) / 1e9;
}

static size_t count_kept(const bool *keep, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        kept += keep[i];
    return kept;
}

/* Takes what the candidate keeps where it fails, and nothing after where it does. */
static bool take(struct shrink *shrink) {
    if (!is_failure(run_kept(shrink, shrink->candidate, false)))
        return false;
    memcpy(shrink->keep, shrink->candidate, shrink->count * sizeof *shrink->keep);
    for (size_t i = shrink->model->progress->operation - shrink->first + 1; i < shrink->count; i++)
        shrink->keep[i] = false;
    return true;
}

/* Leaves out one of `parts` parts of what is kept after the other. True if one was. */
static bool leave_out_parts(struct shrink *shrink, size_t parts) {
    size_t kept = count_kept(shrink->keep, shrink->count), size = (kept + parts - 1) / parts;
    bool taken = false;
    for (size_t skipped = 0; skipped < kept && seconds_since(&shrink->started) < SHRINK_SECONDS;) {
        size_t at = 0;
        memcpy(shrink->candidate, shrink->keep, shrink->count * sizeof *shrink->keep);
        for (size_t i = 0; i < shrink->count; i++)
            if (shrink->candidate[i] && at++ >= skipped && at <= skipped + size)
                shrink->candidate[i] = false;
        if (take(shrink)) {
            taken = true;
            kept = count_kept(shrink->keep, shrink->count);
        } else {
            skipped += size;
        }
    }
    return taken;
}

static void make_smaller(struct shrink *shrink) {
    for (size_t parts = 2; seconds_since(&shrink->started) < SHRINK_SECONDS;) {
        size_t kept = count_kept(shrink->keep, shrink->count);
        bool taken = leave_out_parts(shrink, parts);
        if (!taken && parts >= kept)
            return;
        if (!taken)
            parts = parts * 2 < kept ? parts * 2 : kept;
    }
}

static void print_plan(const struct shrink *shrink) {
    printf("FLOWDB_SEED=%" PRIu64 " FLOWDB_MODEL_PLAN=\"%" PRIu64 ":", shrink->model->seed,
           shrink->first);
    for (size_t i = 0; i < shrink->count; i++) {
        size_t end = i;
        while (end < shrink->count && shrink->keep[end])
            end++;
        if (end == i)
            continue;
        printf(" %" PRIu64, shrink->first + i);
        if (end > i + 1)
            printf("-%" PRIu64, shrink->first + end - 1);
        i = end;
    }
    printf("\"\n");
}

static void shrink_failure(struct model *model) {
    struct shrink shrink = {
        .model = model, .first = model->progress->life_first, .last = model->progress->operation};
    if (shrink.last < shrink.first)
        shrink.last = shrink.first;
    shrink.count = shrink.last - shrink.first + 1;
    shrink.keep = malloc(2 * shrink.count * sizeof *shrink.keep);
    if (shrink.keep == NULL)
        return;
    shrink.candidate = shrink.keep + shrink.count;
    memset(shrink.candidate, true, shrink.count * sizeof *shrink.candidate);
    memset(shrink.keep, true, shrink.count * sizeof *shrink.keep);
    clock_gettime(CLOCK_MONOTONIC, &shrink.started);
    printf("\nshrinking the %zu operations of this life...\n", shrink.count);
    bool again = false;
    for (unsigned i = 0; i < TRIES && !again; i++)
        again = take(&shrink);
    if (again)
        make_smaller(&shrink);
    else
        printf("it does not fail again: threads have a part in it. The whole life:\n");
    print_plan(&shrink);
    if (again) {
        printf("%zu operations are left after %u tries in %.0f s:\n",
               count_kept(shrink.keep, shrink.count), shrink.runs, seconds_since(&shrink.started));
        run_kept(&shrink, shrink.keep, true);
    }
    free(shrink.keep);
}

int model_run_and_shrink(struct model *model) {
    scratch_create(model->base);
    int status = run_all(model);
    scratch_remove(model->base);
    if (status == 0 || status == 2)
        return status;
    if (status != MODEL_EXIT_FAILED)
        fprintf(stderr, "model: ended with status %d in operation %" PRIu64 "\n", status,
                (uint64_t)model->progress->operation);
    shrink_failure(model);
    return 1;
}
