/* The random parts that operations are made of. */
#include "model.h"

#include <stdlib.h>

unsigned model_choose_key(struct model *model) {
    return random_below(&model->random, WORLD_KEYS);
}

unsigned model_choose_time(struct model *model) {
    return random_below(&model->random, WORLD_TIMES);
}

void model_values_clear(struct model *model) {
    model->values_used = 0;
}

flowdb_slice model_value(struct model *model, uint64_t value) {
    size_t size = world_value_size(value);
    uint8_t *at = model->values + model->values_used;
    model->values_used += size;
    world_value_write(value, at);
    return flowdb_bytes(at, size);
}

flowdb_slice model_choose_slice(struct model *model, uint8_t bytes[MODEL_SLICE_BYTES]) {
    struct random *random = &model->random;
    flowdb_slice key = world_key(&model->world, model_choose_key(model));
    size_t size = key.size;
    memcpy(bytes, key.data, size);
    switch (random_below(random, 8)) {
    case 0:
    case 1: /* a beginning */
        size = 1 + random_below(random, (uint32_t)size);
        break;
    case 2: /* a neighbour that is no key, perhaps */
        bytes[size - 1] = (uint8_t)(bytes[size - 1] + (random_chance(random, 50) ? 1 : 255));
        break;
    case 3: /* the smallest thing after it */
        bytes[size++] = 0;
        break;
    case 4:
        if (random_chance(random, 50)) {
            size = 1 + random_below(random, 5);
            memset(bytes, 0xff, size);
        }
        break;
    case 5:
        if (random_chance(random, 50))
            size = 0;
        break;
    default:
        break;
    }
    return flowdb_bytes(bytes, size);
}

static int64_t choose_ts(struct model *model) {
    int64_t ts = model->world.times[model_choose_time(model)];
    uint32_t shift = random_below(&model->random, 4);
    if (shift == 1 && ts < INT64_MAX)
        ts++;
    else if (shift == 2 && ts > INT64_MIN)
        ts--;
    return ts;
}

/* Mostly start <= end. */
static void choose_times(struct model *model, struct reference_range *range) {
    range->ts_start = choose_ts(model);
    range->ts_end = choose_ts(model);
    if (range->ts_start > range->ts_end && !random_chance(&model->random, 10)) {
        int64_t swap = range->ts_start;
        range->ts_start = range->ts_end;
        range->ts_end = swap;
    }
}

static void choose_keys(struct model *model, struct choice_range *choice) {
    flowdb_slice start = model_choose_slice(model, choice->bytes[0]);
    flowdb_slice end = model_choose_slice(model, choice->bytes[1]);
    bool inverted = start.size != 0 && end.size != 0 && world_compare(start, end) > 0;
    if (inverted && !random_chance(&model->random, 10)) {
        flowdb_slice swap = start;
        start = end;
        end = swap;
    }
    choice->reference.key_start = start;
    choice->reference.key_end = end;
}

void model_choose_range(struct model *model, struct choice_range *choice) {
    struct reference_range *range = &choice->reference;
    *range = (struct reference_range){.ts_start = INT64_MIN, .ts_end = INT64_MAX};
    switch (random_below(&model->random, 6)) {
    case 0:
        choice->range = flowdb_range_all();
        return;
    case 1:
        range->prefix = model_choose_slice(model, choice->bytes[0]);
        choice->range = flowdb_range_prefix(range->prefix);
        return;
    case 2:
        choose_times(model, range);
        choice->range = flowdb_range_time(range->ts_start, range->ts_end);
        return;
    case 3:
        range->prefix = model_choose_slice(model, choice->bytes[0]);
        choose_times(model, range);
        choice->range = flowdb_range_prefix_time(range->prefix, range->ts_start, range->ts_end);
        return;
    case 4:
        choose_keys(model, choice);
        choice->range = flowdb_range_keys(range->key_start, range->key_end);
        return;
    default:
        choose_keys(model, choice);
        choose_times(model, range);
        choice->range = flowdb_range_keys_time(range->key_start, range->key_end, range->ts_start,
                                               range->ts_end);
    }
}

flowdb_read_options model_choose_options(struct model *model) {
    struct random *random = &model->random;
    flowdb_read_options options = flowdb_read_options_default();
    options.reverse = random_chance(random, 40);
    options.fill_cache = random_chance(random, 70);
    options.verify_checksums = random_chance(random, 70);
    if (random_chance(random, 40))
        options.limit = 1 + random_below(random, random_chance(random, 50) ? 4 : 200);
    return options;
}

struct reference_view model_view(const struct model *model) {
    return (struct reference_view){model->reference.seq, model->now, model->doubtful_seq,
                                   model->purged_until};
}

bool model_resolve_expiry(const struct model *model, int64_t ts, int64_t *expire_at) {
    int64_t ttl;
    if (*expire_at != FLOWDB_NEVER || model->config.default_ttl_secs == 0)
        return true;
    return !__builtin_mul_overflow((int64_t)model->config.default_ttl_secs, 1000000, &ttl) &&
           !__builtin_add_overflow(ts, ttl, expire_at);
}
