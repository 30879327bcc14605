/* Reads that are compared with the model: sampled ones beside the writers, and all at the end. */
#include <inttypes.h>

#include "soak.h"

enum { SLEEP_MS = 1, TICKS_READ = 60 };

/* Whether a record must be there for a read that began and ended at these times. */
enum presence { MUST, MAY, MUST_NOT };

static enum presence presence(bool written, int64_t expire_at, int64_t began, int64_t ended) {
    if (!written || (expire_at != FLOWDB_NEVER && expire_at <= began))
        return MUST_NOT;
    return expire_at > ended ? MUST : MAY;
}

/* What a read of an ascending series of (key, ts) places is compared with. */
struct expectation {
    struct soak *soak;
    int64_t began, ended;
    const flowdb_record *record; /* the next of the answer; NULL where it has ended */
    const char *call;
};

/* Is the place's record the next of the answer, as it must be, or not there, as it must be? Advances
   by setting *taken. */
static bool compare(struct expectation *expectation, flowdb_slice key, int64_t ts,
                    enum presence wanted, int64_t expire_at, flowdb_slice value, bool *taken) {
    const flowdb_record *record = expectation->record;
    *taken = record != NULL && record->ts == ts && record->key.size == key.size &&
             memcmp(record->key.data, key.data, key.size) == 0;
    if (*taken && wanted != MUST_NOT && record->expire_at == expire_at &&
        record->value.size == value.size && memcmp(record->value.data, value.data, value.size) == 0)
        return true;
    if (!*taken && wanted != MUST)
        return true;
    uint32_t generation = 0;
    if (*taken && record->value.size >= sizeof generation)
        memcpy(&generation, record->value.data, sizeof generation);
    soak_fail(
        expectation->soak,
        "%s: key %.*s ts %" PRId64 ": expected %s, expire_at %" PRId64 ", got %s of %zu bytes, "
        "expire_at %" PRId64 ", first word %u, between %" PRId64 " and %" PRId64,
        expectation->call, (int)key.size, (const char *)key.data, ts,
        wanted == MUST_NOT ? "no record" : "a record", expire_at,
        *taken ? "one" : "none, or another,", record != NULL ? record->value.size : 0,
        record != NULL ? record->expire_at : 0, generation, expectation->began, expectation->ended);
    return false;
}

static bool compare_key(struct expectation *expectation, uint64_t number, unsigned point,
                        bool *taken) {
    struct soak *soak = expectation->soak;
    const struct soak_cell *cell =
        &soak->groups[number / SOAK_GROUP_KEYS]
             .cells[number % SOAK_GROUP_KEYS * SOAK_BLOCKS + point / SOAK_POINTS];
    char key[SOAK_KEY_BYTES];
    uint8_t value[SOAK_VALUE_BYTES];
    size_t size = soak_value(soak, number, point, cell->generation, value);
    return compare(
        expectation, soak_key(number, key), SOAK_START_US + (int64_t)point * SOAK_STEP_US,
        presence(cell->generation != 0, cell->expire_at, expectation->began, expectation->ended),
        cell->expire_at, flowdb_bytes(value, size), taken);
}

static bool compare_tick(struct expectation *expectation, uint64_t number, uint64_t tick,
                         bool *taken) {
    struct soak *soak = expectation->soak;
    const struct soak_series *series = &soak->series[number / SOAK_GROUP_SERIES];
    int64_t expire_at = series->expire_at[tick % SOAK_TICKS];
    char key[SOAK_KEY_BYTES];
    uint8_t value[SOAK_VALUE_BYTES];
    size_t size = soak_series_value(soak, number, tick, value);
    return compare(expectation, soak_series_key(number, key),
                   SOAK_START_US + (int64_t)tick * SOAK_STEP_US,
                   presence(true, expire_at, expectation->began, expectation->ended), expire_at,
                   flowdb_bytes(value, size), taken);
}

/* --------------------------------------------------------------------------------- sampled -- */

static bool end_of(struct expectation *expectation) {
    if (expectation->record != NULL)
        soak_fail(expectation->soak, "%s: a record too many, key %.*s ts %" PRId64,
                  expectation->call, (int)expectation->record->key.size,
                  (const char *)expectation->record->key.data, expectation->record->ts);
    return expectation->record == NULL;
}

/* One point of a random key, or all that it has. Under its group's lock. */
static void check_key(struct soak *soak, struct tool_random *random, uint64_t number) {
    char key[SOAK_KEY_BYTES];
    flowdb_slice name = soak_key(number, key);
    flowdb_result result = {0};
    bool one = tool_below(random, 2) == 0, taken;
    unsigned point = (unsigned)tool_below(random, SOAK_KEY_POINTS);
    struct expectation expectation = {.soak = soak, .call = one ? "flowdb_get" : "flowdb_query"};
    flowdb_range range = flowdb_range_keys(name, name);
    expectation.began = tool_wall_us();
    flowdb_status status =
        one ? flowdb_get(soak->db, name, SOAK_START_US + (int64_t)point * SOAK_STEP_US, &result)
            : flowdb_query(soak->db, &range, NULL, &result);
    expectation.ended = tool_wall_us();
    if (!(one && status == FLOWDB_NOT_FOUND) && !soak_expect(soak, status, expectation.call))
        return;
    size_t at = 0;
    for (unsigned i = one ? point : 0; i <= (one ? point : SOAK_KEY_POINTS - 1); i++, at += taken) {
        expectation.record = at < result.count ? &result.records[at] : NULL;
        if (!compare_key(&expectation, number, i, &taken))
            goto out;
    }
    expectation.record = at < result.count ? &result.records[at] : NULL;
    if (end_of(&expectation))
        atomic_fetch_add(&soak->checks, 1);
out:
    flowdb_result_free(&result);
}

/* The latest point of a series, or an hour's worth of its ticks. Under its group's lock. */
static void check_series(struct soak *soak, struct tool_random *random, uint64_t number) {
    const struct soak_series *series = &soak->series[number / SOAK_GROUP_SERIES];
    char key[SOAK_KEY_BYTES];
    flowdb_slice name = soak_series_key(number, key);
    flowdb_result result = {0};
    bool latest = tool_below(random, 2) == 0, taken;
    if (series->ticks == 0)
        return;
    uint64_t known = series->ticks < SOAK_TICKS ? series->ticks : SOAK_TICKS;
    uint64_t first = series->ticks - 1 - tool_below(random, latest ? 1 : known);
    uint64_t last = first + TICKS_READ < series->ticks ? first + TICKS_READ : series->ticks - 1;
    struct expectation expectation = {.soak = soak,
                                      .call = latest ? "flowdb_get_latest" : "flowdb_query"};
    flowdb_range range =
        flowdb_range_keys_time(name, name, SOAK_START_US + (int64_t)first * SOAK_STEP_US,
                               SOAK_START_US + (int64_t)last * SOAK_STEP_US);
    expectation.began = tool_wall_us();
    flowdb_status status = latest ? flowdb_get_latest(soak->db, name, &result)
                                  : flowdb_query(soak->db, &range, NULL, &result);
    expectation.ended = tool_wall_us();
    if (!(latest && status == FLOWDB_NOT_FOUND) && !soak_expect(soak, status, expectation.call))
        return;
    size_t at = 0;
    for (uint64_t tick = first; tick <= last; tick++, at += taken) {
        expectation.record = at < result.count ? &result.records[at] : NULL;
        if (!compare_tick(&expectation, number, tick, &taken))
            goto out;
    }
    expectation.record = at < result.count ? &result.records[at] : NULL;
    if (end_of(&expectation))
        atomic_fetch_add(&soak->checks, 1);
out:
    flowdb_result_free(&result);
}

void *soak_verify(void *context) {
    struct soak_thread *thread = context;
    struct soak *soak = thread->soak;
    while (!atomic_load(&soak->stop)) {
        uint64_t key = tool_below(&thread->random, soak->group_count * SOAK_GROUP_KEYS);
        uint64_t series =
            tool_below(&thread->random, (uint64_t)SOAK_SERIES_GROUPS * SOAK_GROUP_SERIES);
        /* The one that is waited for here waits for its disk: others are as good. */
        if (pthread_mutex_trylock(&soak->groups[key / SOAK_GROUP_KEYS].lock) == 0) {
            check_key(soak, &thread->random, key);
            pthread_mutex_unlock(&soak->groups[key / SOAK_GROUP_KEYS].lock);
        }
        if (pthread_mutex_trylock(&soak->series[series / SOAK_GROUP_SERIES].lock) == 0) {
            check_series(soak, &thread->random, series);
            pthread_mutex_unlock(&soak->series[series / SOAK_GROUP_SERIES].lock);
        }
        tool_sleep_ms(SLEEP_MS);
    }
    return NULL;
}

/* --------------------------------------------------------------------------------- at the end -- */

struct sweep {
    struct expectation expectation;
    flowdb_iterator *it;
    flowdb_record record;
};

static bool sweep_next(struct sweep *sweep) {
    flowdb_status status = flowdb_iterator_next(sweep->it, &sweep->record);
    sweep->expectation.record = status == FLOWDB_OK ? &sweep->record : NULL;
    return status == FLOWDB_DONE ||
           soak_expect(sweep->expectation.soak, status, "flowdb_iterator_next");
}

static void sweep_all(struct sweep *sweep) {
    struct soak *soak = sweep->expectation.soak;
    bool taken;
    if (!sweep_next(sweep))
        return;
    /* In the order of the keys: "churn" before "series". */
    for (uint64_t key = 0; key < soak->group_count * SOAK_GROUP_KEYS; key++)
        for (unsigned point = 0; point < SOAK_KEY_POINTS; point++)
            if (!compare_key(&sweep->expectation, key, point, &taken) ||
                (taken && !sweep_next(sweep)))
                return;
    for (uint64_t number = 0; number < (uint64_t)SOAK_SERIES_GROUPS * SOAK_GROUP_SERIES; number++) {
        uint64_t ticks = soak->series[number / SOAK_GROUP_SERIES].ticks;
        for (uint64_t tick = ticks < SOAK_TICKS ? 0 : ticks - SOAK_TICKS; tick < ticks; tick++)
            if (!compare_tick(&sweep->expectation, number, tick, &taken) ||
                (taken && !sweep_next(sweep)))
                return;
    }
    end_of(&sweep->expectation);
}

void soak_verify_all(struct soak *soak) {
    struct sweep sweep = {.expectation = {.soak = soak, .call = "reading all of it"}};
    flowdb_range all = flowdb_range_all();
    sweep.expectation.began = tool_wall_us();
    if (!soak_expect(soak, flowdb_scan(soak->db, &all, NULL, &sweep.it), "flowdb_scan"))
        return;
    sweep.expectation.ended = tool_wall_us();
    sweep_all(&sweep);
    flowdb_iterator_destroy(sweep.it);
}
