/* Readers beside writers, freezes and flushes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api_team.h"

enum { KEYS = 10, VALUE_BYTES = 300 };

static void key_name(char text[16], unsigned number) {
    snprintf(text, 16, "key%02u", number);
}

/* The round that a value was written in. */
static uint64_t round_of(flowdb_slice value) {
    uint64_t round = UINT64_MAX;
    if (value.size >= sizeof round)
        memcpy(&round, value.data, sizeof round);
    return round;
}

/* --- batches are there whole or not at all */

/* One batch per round: KEYS keys, all with the same value. */
static void write_rounds(struct member *member) {
    struct team *team = member->team;
    unsigned rounds = team_rounds(1500);
    char keys[KEYS][16];
    uint64_t value[VALUE_BYTES / 8] = {0};
    for (unsigned i = 0; i < KEYS; i++)
        key_name(keys[i], i);
    for (unsigned round = 1; round <= rounds && !team_has_failed(team); round++) {
        flowdb_record records[KEYS];
        value[0] = (uint64_t)member->number * 1000000 + round;
        for (unsigned i = 0; i < KEYS; i++)
            records[i] = (flowdb_record){flowdb_str(keys[i]), 1, FLOWDB_NEVER,
                                         flowdb_bytes(value, sizeof value)};
        if (!team_ok(team, flowdb_write(team->db, records, KEYS)))
            return;
        if (member->number == 0)
            atomic_store(&team->published, round);
    }
}

/* Every scan sees all keys with one value. */
static void watch_for_torn_batches(struct member *member) {
    struct team *team = member->team;
    flowdb_read_options options = flowdb_read_options_default();
    flowdb_range range = flowdb_range_prefix(flowdb_str("key"));
    options.reverse = member->number % 2 == 1;
    while (!atomic_load(&team->stop) && !team_has_failed(team)) {
        flowdb_result result = {0};
        if (!team_ok(team, flowdb_query(team->db, &range, &options, &result)))
            return;
        if (result.count != 0 && result.count != KEYS)
            team_fail(team, "%zu of %d records of a batch", result.count, KEYS);
        for (size_t i = 1; i < result.count; i++)
            if (round_of(result.records[i].value) != round_of(result.records[0].value))
                team_fail(team, "records of rounds %" PRIu64 " and %" PRIu64 " in one scan",
                          round_of(result.records[i].value), round_of(result.records[0].value));
        atomic_fetch_add(&team->observed, result.count != 0);
        flowdb_result_free(&result);
    }
}

static void a_scan_sees_batches_whole(void **state) {
    struct team team = {0};
    team_run(&team, *state, 3, write_rounds, 3, watch_for_torn_batches);
    assert_true(atomic_load(&team.observed) > 0);
}

/* --- replacing by a range delete and new records is atomic too */

static void replace_rounds(struct member *member) {
    struct team *team = member->team;
    unsigned rounds = team_rounds(800);
    for (unsigned round = 1; round <= rounds && !team_has_failed(team); round++) {
        flowdb_batch *batch = flowdb_batch_create();
        uint64_t value = round;
        bool good =
            team_ok(team, flowdb_batch_delete_range(batch, flowdb_str("key"), flowdb_str("kez")));
        for (unsigned i = 0; i < KEYS && good; i++) {
            char key[16];
            key_name(key, (i + round) % 90);
            good = team_ok(team, flowdb_batch_put(batch, flowdb_str(key), round, FLOWDB_NEVER,
                                                  flowdb_bytes(&value, sizeof value)));
        }
        good = good && team_ok(team, flowdb_write_batch(team->db, batch));
        flowdb_batch_destroy(batch);
        if (!good || (round % 100 == 0 && !team_ok(team, flowdb_flush(team->db))))
            return;
    }
}

static void a_scan_sees_old_or_new_records_where_a_batch_replaces_them(void **state) {
    struct team team = {0};
    team_run(&team, *state, 1, replace_rounds, 3, watch_for_torn_batches);
    assert_true(atomic_load(&team.observed) > 0);
}

/* --- what was acknowledged is visible */

static void watch_for_stale_reads(struct member *member) {
    struct team *team = member->team;
    char key[16];
    key_name(key, member->number % KEYS);
    while (!atomic_load(&team->stop) && !team_has_failed(team)) {
        uint64_t published = atomic_load(&team->published);
        flowdb_result result = {0};
        if (published == 0)
            continue;
        flowdb_status status = member->number % 2 == 0
                                   ? flowdb_get(team->db, flowdb_str(key), 1, &result)
                                   : flowdb_get_latest(team->db, flowdb_str(key), &result);
        if (!team_check(team, status, "get of what was acknowledged"))
            return;
        if (round_of(result.records[0].value) < published)
            team_fail(team, "got round %" PRIu64 " when %" PRIu64 " had been acknowledged",
                      round_of(result.records[0].value), published);
        atomic_fetch_add(&team->observed, 1);
        flowdb_result_free(&result);
    }
}

static void a_read_that_starts_after_a_write_returned_sees_it(void **state) {
    struct team team = {0};
    team_run(&team, *state, 1, write_rounds, 4, watch_for_stale_reads);
    assert_true(atomic_load(&team.observed) > 0);
}

/* --- snapshots */

/* One series, appended in order. */
static void append(struct member *member) {
    struct team *team = member->team;
    unsigned rounds = team_rounds(6000);
    char value[VALUE_BYTES];
    memset(value, 'v', sizeof value);
    for (unsigned round = 0; round < rounds && !team_has_failed(team); round++) {
        flowdb_record record = {flowdb_str("series"), round, FLOWDB_NEVER,
                                flowdb_bytes(value, 1 + round % (VALUE_BYTES - 1))};
        if (!team_ok(team, flowdb_write(team->db, &record, 1)))
            return;
        atomic_store(&team->published, round + 1);
        if (round % 1000 == 999 && !team_ok(team, flowdb_flush(team->db)))
            return;
    }
}

/* Counts what the iterator has left; fails where there is a gap. */
static uint64_t count_series(struct team *team, flowdb_iterator *iterator) {
    flowdb_record record;
    flowdb_status status;
    uint64_t count = 0;
    while ((status = flowdb_iterator_next(iterator, &record)) == FLOWDB_OK) {
        if (record.ts != (int64_t)count || record.value.size != 1 + count % (VALUE_BYTES - 1) ||
            *(const char *)record.value.data != 'v')
            team_fail(team, "record %" PRIu64 " of a snapshot has ts %" PRId64, count, record.ts);
        count++;
    }
    if (status != FLOWDB_DONE)
        team_check(team, status, "next");
    return count;
}

static void watch_snapshots(struct member *member) {
    struct team *team = member->team;
    flowdb_range range = flowdb_range_all();
    while (!atomic_load(&team->stop) && !team_has_failed(team)) {
        uint64_t published = atomic_load(&team->published);
        flowdb_iterator *iterator = NULL;
        if (!team_ok(team, flowdb_scan(team->db, &range, NULL, &iterator)))
            return;
        uint64_t first = count_series(team, iterator);
        if (first < published)
            team_fail(team, "a snapshot has %" PRIu64 " records of %" PRIu64, first, published);
        for (unsigned i = 0; i < 3; i++) { /* the same again, however much was written since */
            if (!team_ok(team, flowdb_iterator_seek(iterator, flowdb_str("series"), INT64_MIN)))
                break;
            uint64_t again = count_series(team, iterator);
            if (again != first)
                team_fail(team, "a snapshot had %" PRIu64 " records, and then %" PRIu64, first,
                          again);
        }
        flowdb_iterator_destroy(iterator);
        atomic_fetch_add(&team->observed, 1);
    }
}

static void a_snapshot_stays_the_same_while_writes_and_flushes_go_on(void **state) {
    struct team team = {0};
    team_run(&team, *state, 1, append, 3, watch_snapshots);
    assert_true(atomic_load(&team.observed) > 0);
}

/* --- read-only handles */

/* Small tables, many flushes and compactions: files come and go under whoever opens. */
static void append_and_compact(struct member *member) {
    struct team *team = member->team;
    unsigned rounds = team_rounds(3000);
    char value[VALUE_BYTES];
    memset(value, 'v', sizeof value);
    for (unsigned round = 0; round < rounds && !team_has_failed(team); round++) {
        flowdb_record record = {flowdb_str("series"), round, FLOWDB_NEVER,
                                flowdb_bytes(value, 1 + round % (VALUE_BYTES - 1))};
        if (!team_ok(team, flowdb_write(team->db, &record, 1)))
            return;
        atomic_store(&team->published, round + 1);
        if (round % 20 == 19 && !team_ok(team, flowdb_flush(team->db)))
            return;
        if (round % 50 == 49 && !team_ok(team, flowdb_compact_all(team->db)))
            return;
    }
}

static void watch_by_opening(struct member *member) {
    struct team *team = member->team;
    flowdb_config config = *team->config;
    flowdb_range range = flowdb_range_all();
    config.read_only = true;
    while (!atomic_load(&team->stop) && !team_has_failed(team)) {
        uint64_t published = atomic_load(&team->published);
        flowdb *reader = NULL;
        flowdb_iterator *iterator = NULL;
        if (!team_ok(team, flowdb_open(&config, &reader)))
            return;
        if (team_ok(team, flowdb_scan(reader, &range, NULL, &iterator))) {
            uint64_t count = count_series(team, iterator);
            if (count < published)
                team_fail(team, "a read-only handle sees %" PRIu64 " records of %" PRIu64, count,
                          published);
            atomic_fetch_add(&team->observed, 1);
        }
        flowdb_iterator_destroy(iterator);
        if (!team_ok(team, flowdb_close(reader)))
            return;
    }
}

static void read_only_handles_open_beside_flushes_and_compactions(void **state) {
    struct team team = {0};
    team_run(&team, *state, 1, append_and_compact, 2, watch_by_opening);
    assert_true(atomic_load(&team.observed) > 0);
}

/* --- a busy mixture, for the thread sanitizer */

/* One call, chosen by the dice. */
static flowdb_status call_anything(struct team *team, uint64_t dice, const flowdb_record *record,
                                   flowdb_result *result) {
    flowdb_range range = flowdb_range_prefix(flowdb_str("key1"));
    flowdb_patch change = {.value = &record->value};
    bool rarely = (dice >> 20) % 32 == 0;
    switch ((dice >> 40) % 14) {
    case 0:
        return flowdb_delete(team->db, record->key, record->ts);
    case 1:
        return flowdb_get(team->db, record->key, record->ts, result);
    case 2:
        return flowdb_get_latest(team->db, record->key, result);
    case 3:
        return flowdb_query(team->db, &range, NULL, result);
    case 4:
        return flowdb_patch_record(team->db, record->key, record->ts, &change, result);
    case 5:
        return rarely ? flowdb_flush(team->db) : FLOWDB_OK;
    case 6:
        return rarely ? flowdb_sync(team->db) : FLOWDB_OK;
    case 7:
        return rarely ? flowdb_delete_range(team->db, record->key, flowdb_str("key99")) : FLOWDB_OK;
    case 8:
        return rarely ? flowdb_compact(team->db, NULL) : FLOWDB_OK;
    case 9:
        return !rarely                 ? FLOWDB_OK
               : (dice >> 30) % 2 == 0 ? flowdb_compact_all(team->db)
                                       : flowdb_gc(team->db, NULL);
    default:
        return flowdb_write(team->db, record, 1);
    }
}

static void do_anything(struct member *member) {
    struct team *team = member->team;
    unsigned rounds = team_rounds(1500);
    uint64_t dice = member->number + 1;
    char key[16], value[VALUE_BYTES];
    memset(value, 'x', sizeof value);
    for (unsigned round = 0; round < rounds && !team_has_failed(team); round++) {
        flowdb_result result = {0};
        dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        key_name(key, (unsigned)(dice >> 33) % 30);
        flowdb_record record = {flowdb_str(key), (int64_t)(dice >> 58), FLOWDB_NEVER,
                                flowdb_bytes(value, sizeof value)};
        flowdb_status status = call_anything(team, dice, &record, &result);
        flowdb_result_free(&result);
        if (status != FLOWDB_NOT_FOUND && !team_check(team, status, "a call"))
            return;
    }
}

/* Iterators that are left half way. */
static void iterate(struct member *member) {
    struct team *team = member->team;
    flowdb_range range = flowdb_range_all();
    flowdb_read_options options = flowdb_read_options_default();
    options.reverse = member->number == 1;
    while (!atomic_load(&team->stop) && !team_has_failed(team)) {
        flowdb_iterator *iterator = NULL;
        flowdb_record record;
        flowdb_status status = FLOWDB_OK;
        if (!team_ok(team, flowdb_scan(team->db, &range, &options, &iterator)))
            return;
        for (unsigned i = 0; i < 100 && status == FLOWDB_OK; i++)
            status = i % 10 == 9 ? flowdb_iterator_next_key(iterator, &record)
                                 : flowdb_iterator_next(iterator, &record);
        if (status != FLOWDB_DONE)
            team_check(team, status, "next");
        flowdb_iterator_destroy(iterator);
    }
}

static void all_calls_may_meet(void **state) {
    struct api *api = *state;
    struct team team = {0};
    team_run(&team, api, 8, do_anything, 2, iterate);
    /* All ways of reading agree on what is left, now and after reopening. */
    flowdb_range range = flowdb_range_all();
    flowdb_result all = {0}, again = {0};
    api_assert_ok(flowdb_query(api->db, &range, NULL, &all));
    for (size_t i = 0; i < all.count; i++) {
        flowdb_result one = {0};
        api_assert_ok(flowdb_get(api->db, all.records[i].key, all.records[i].ts, &one));
        flowdb_result_free(&one);
    }
    api_reopen(api);
    api_assert_ok(flowdb_query(api->db, &range, NULL, &again));
    assert_int_equal(all.count, again.count);
    for (size_t i = 0; i < all.count; i++) {
        assert_int_equal(all.records[i].ts, again.records[i].ts);
        assert_int_equal(all.records[i].key.size, again.records[i].key.size);
        assert_memory_equal(all.records[i].key.data, again.records[i].key.data,
                            all.records[i].key.size);
    }
    flowdb_result_free(&all);
    flowdb_result_free(&again);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        API_TEST(a_scan_sees_batches_whole),
        API_TEST(a_scan_sees_old_or_new_records_where_a_batch_replaces_them),
        API_TEST(a_read_that_starts_after_a_write_returned_sees_it),
        API_TEST(a_snapshot_stays_the_same_while_writes_and_flushes_go_on),
        API_TEST(read_only_handles_open_beside_flushes_and_compactions),
        API_TEST(all_calls_may_meet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
