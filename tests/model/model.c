/*
 * The model test's main program.
 *
 *   FLOWDB_MODEL_OPERATIONS  how many operations (1000000)
 *   FLOWDB_SEED              the seed (random)
 *   FLOWDB_MODEL_PLAN        "N: A B C-D": only the life that begins with operation N, and of it only
 *                            these; told, and in this process. A failure prints one to be used here.
 */
#include "model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

enum { COST_BYTES = 1 << 20 }; /* about a table's worth of writes */

static const struct operation *const groups[] = {write_operations,    read_operations,
                                                 snapshot_operations, maintenance_operations,
                                                 clock_operations,    thread_operations};
enum { GROUPS = sizeof groups / sizeof *groups, OPERATIONS_MAX = 64 };

/* How often each was run, for the last line: an operation that is never drawn tests nothing. */
struct tally {
    const struct operation *operation;
    uint64_t count;
};

static uint64_t number_from_environment(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text == NULL || *text == '\0' ? otherwise : strtoull(text, NULL, 0);
}

static uint64_t random_seed(void) {
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        perror("getrandom");
    return seed >> 16;
}

void model_trace(const struct model *model, const char *format, ...) {
    if (!model->trace)
        return;
    va_list arguments;
    va_start(arguments, format);
    printf("        ");
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
}

static size_t collect(struct tally *tallies, uint32_t *weights) {
    size_t count = 0;
    *weights = 0;
    for (size_t group = 0; group < GROUPS; group++)
        for (const struct operation *at = groups[group]; at->name != NULL; at++) {
            tallies[count++] = (struct tally){at, 0};
            *weights += at->weight;
        }
    return count;
}

/* splitmix64's constants: numbers that follow one another give generators that do not. */
static void seed_operation(struct model *model, uint64_t salt) {
    struct random random = {model->seed ^ model->operation * UINT64_C(0xbf58476d1ce4e5b9)};
    model->random.state = random_next(&random) + salt;
}

static void begin_life(struct model *model) {
    model->progress->life_first = model->operation;
    seed_operation(model, 1);
    model_begin_life(model);
}

static void run_operation(struct model *model, struct tally *tallies, uint32_t weights) {
    model->progress->operation = model->operation;
    seed_operation(model, 0);
    uint32_t dice = random_below(&model->random, weights);
    struct tally *tally = tallies;
    while (dice >= tally->operation->weight)
        dice -= tally++->operation->weight;
    if (model->trace)
        printf("%8" PRIu64 "  %s\n", model->operation, tally->operation->name);
    tally->operation->run(model);
    tally->count++;
    model->life_operations++;
    model->life_cost += model->life_cost_bytes / COST_BYTES;
    model->life_cost_bytes %= COST_BYTES;
}

void model_run(struct model *model) {
    struct tally tallies[OPERATIONS_MAX];
    uint32_t weights;
    size_t count = collect(tallies, &weights);
    model->operation = 1;
    begin_life(model);
    for (; model->operation <= model->operations; model->operation++) {
        run_operation(model, tallies, weights);
        if (model->life_cost >= model->life_cost_max && model->operation < model->operations) {
            model_end_life(model);
            model->operation++;
            begin_life(model);
            model->operation--;
        }
    }
    model_end_life(model);
    for (size_t i = 0; i < count; i++)
        printf("%10" PRIu64 "  %s\n", tallies[i].count, tallies[i].operation->name);
}

void model_run_plan(struct model *model, const struct model_plan *plan) {
    struct tally tallies[OPERATIONS_MAX];
    uint32_t weights;
    collect(tallies, &weights);
    model->operation = plan->first;
    begin_life(model);
    for (; model->operation <= plan->last; model->operation++)
        if (plan->keep == NULL || plan->keep[model->operation - plan->first])
            run_operation(model, tallies, weights);
    model->operation = plan->last;
    model_end_life(model);
}

/* False where the text is no plan. keep is to be freed. */
static bool parse_plan(const char *text, struct model_plan *plan, bool **keep) {
    enum { LIFE_MAX = 10000000 };
    char *end;
    plan->first = plan->last = strtoull(text, &end, 10);
    if (end == text || *end != ':' || (*keep = calloc(LIFE_MAX, sizeof **keep)) == NULL)
        return false;
    plan->keep = *keep;
    for (text = end + 1; *text != '\0'; text = *end == ' ' ? end + 1 : end) {
        uint64_t from = strtoull(text, &end, 10), to = from;
        if (*end == '-')
            to = strtoull(end + 1, &end, 10);
        if (end == text || from < plan->first || to < from || to - plan->first >= LIFE_MAX ||
            (*end != ' ' && *end != '\0'))
            return false;
        for (plan->last = to; from <= to; from++)
            (*keep)[from - plan->first] = true;
    }
    return true;
}

static int run_given_plan(struct model *model, const char *text) {
    struct model_plan plan;
    bool *keep = NULL;
    if (!parse_plan(text, &plan, &keep)) {
        fprintf(stderr, "model: FLOWDB_MODEL_PLAN is no plan: %s\n", text);
        return 2;
    }
    model->trace = true;
    scratch_create(model->base);
    model_run_plan(model, &plan);
    scratch_remove(model->base);
    free(keep);
    printf("no difference\n");
    return 0;
}

int main(void) {
    const char *plan = getenv("FLOWDB_MODEL_PLAN");
    struct model *model = calloc(1, sizeof *model);
    if (model == NULL || (model->values = malloc((size_t)MODEL_BATCH * WORLD_VALUE_BYTES)) == NULL)
        return 2;
    model->progress = mmap(NULL, sizeof *model->progress, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (model->progress == MAP_FAILED)
        return 2;
    model->seed = number_from_environment("FLOWDB_SEED", random_seed());
    model->operations = number_from_environment("FLOWDB_MODEL_OPERATIONS", 1000000);
    printf("model: seed %" PRIu64 ", %" PRIu64 " operations\n", model->seed, model->operations);
    fflush(stdout);
    int status = plan != NULL ? run_given_plan(model, plan) : model_run_and_shrink(model);
    munmap(model->progress, sizeof *model->progress);
    free(model->values);
    free(model);
    return status;
}
