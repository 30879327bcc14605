/*
 * The model test's main program.
 *
 *   FLOWDB_MODEL_OPERATIONS  how many operations (200000)
 *   FLOWDB_SEED              the seed (random)
 */
#include "model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>

enum { COST_BYTES = 1 << 20 }; /* about a table's worth of writes */

static const struct operation *const groups[] = {write_operations, read_operations,
                                                 snapshot_operations, maintenance_operations};
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

static void run(struct model *model, struct tally *tallies, uint32_t weights) {
    model_begin_life(model);
    for (model->operation = 1; model->operation <= model->operations; model->operation++) {
        uint32_t dice = random_below(&model->random, weights);
        struct tally *tally = tallies;
        while (dice >= tally->operation->weight)
            dice -= tally++->operation->weight;
        tally->operation->run(model);
        tally->count++;
        model->life_operations++;
        model->life_cost += model->life_cost_bytes / COST_BYTES;
        model->life_cost_bytes %= COST_BYTES;
        if (model->life_cost >= model->life_cost_max) {
            model_end_life(model);
            model_begin_life(model);
        }
    }
    model_end_life(model);
}

int main(void) {
    struct tally tallies[OPERATIONS_MAX];
    uint32_t weights;
    struct model *model = calloc(1, sizeof *model);
    if (model == NULL || (model->values = malloc((size_t)MODEL_BATCH * WORLD_VALUE_BYTES)) == NULL)
        return 2;
    model->seed = number_from_environment("FLOWDB_SEED", random_seed());
    model->operations = number_from_environment("FLOWDB_MODEL_OPERATIONS", 200000);
    model->random.state = model->seed;
    printf("model: seed %" PRIu64 ", %" PRIu64 " operations\n", model->seed, model->operations);
    fflush(stdout);
    size_t count = collect(tallies, &weights);
    run(model, tallies, weights);
    for (size_t i = 0; i < count; i++)
        printf("%10" PRIu64 "  %s\n", tallies[i].count, tallies[i].operation->name);
    free(model->values);
    free(model);
    return 0;
}
