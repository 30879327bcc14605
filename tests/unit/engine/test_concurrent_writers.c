/* Writers beside one another, with memtables freezing and flushing under them. */
#include <inttypes.h>
#include <stdio.h>

#include "api_team.h"

enum { WRITERS = 8, BATCH = 20, VALUE_BYTES = 200 };

/* --- nothing is lost, whatever the way of syncing */

static void append_batches(struct member *member) {
    struct team *team = member->team;
    char key[32], value[VALUE_BYTES];
    memset(value, 'a' + (int)member->number, sizeof value);
    snprintf(key, sizeof key, "writer%02u", member->number);
    uint64_t rounds = atomic_load(&team->published);
    for (uint64_t round = 0; round < rounds; round++) {
        flowdb_record records[BATCH];
        for (unsigned i = 0; i < BATCH; i++)
            records[i] = (flowdb_record){flowdb_str(key), (int64_t)(round * BATCH + i),
                                         FLOWDB_NEVER, flowdb_bytes(value, sizeof value)};
        if (!team_ok(team, flowdb_write(team->db, records, BATCH)))
            return;
    }
}

static void assert_complete(struct api *api, uint64_t rounds) {
    for (unsigned writer = 0; writer < WRITERS; writer++) {
        char key[32];
        flowdb_result result = {0};
        snprintf(key, sizeof key, "writer%02u", writer);
        flowdb_range range = flowdb_range_prefix(flowdb_str(key));
        api_assert_ok(flowdb_query(api->db, &range, NULL, &result));
        assert_int_equal(result.count, rounds * BATCH);
        for (size_t i = 0; i < result.count; i++) {
            assert_int_equal(result.records[i].ts, i);
            assert_int_equal(result.records[i].value.size, VALUE_BYTES);
            assert_int_equal(*(const char *)result.records[i].value.data, 'a' + (int)writer);
        }
        flowdb_result_free(&result);
    }
}

static void append_in(struct api *api, flowdb_wal_sync mode, bool background, unsigned rounds) {
    struct team team = {.published = rounds};
    api->config.wal_sync = mode;
    api->config.wal_sync_interval_ms = 10;
    api->config.auto_background = background;
    api->config.max_frozen_memtables = 1;
    api_open(api);
    team_run(&team, api, WRITERS, append_batches, 0, NULL);
    assert_complete(api, rounds);
    api_reopen(api);
    assert_complete(api, rounds);
}

static void eight_writers_lose_nothing_with_interval_syncs(void **state) {
    append_in(*state, FLOWDB_SYNC_INTERVAL, true, team_rounds(1200));
}

static void eight_writers_lose_nothing_with_buffered_logs(void **state) {
    append_in(*state, FLOWDB_SYNC_BUFFERED, true, team_rounds(1200));
}

static void eight_writers_lose_nothing_with_a_sync_for_every_write(void **state) {
    append_in(*state, FLOWDB_SYNC_ALWAYS, true, team_rounds(60));
}

static void eight_writers_lose_nothing_without_background_threads(void **state) {
    append_in(*state, FLOWDB_SYNC_INTERVAL, false, team_rounds(1200));
}

/* --- flush and sync from several threads */

static void append_and_flush(struct member *member) {
    struct team *team = member->team;
    char key[32];
    unsigned rounds = team_rounds(60);
    snprintf(key, sizeof key, "writer%02u", member->number);
    for (unsigned round = 0; round < rounds; round++) {
        flowdb_record record = {flowdb_str(key), round, FLOWDB_NEVER, flowdb_str(key)};
        flowdb_result result = {0};
        if (!team_ok(team, flowdb_write(team->db, &record, 1)))
            return;
        if (round % 4 == member->number % 4 && !team_ok(team, flowdb_flush(team->db)))
            return;
        if (round % 4 == (member->number + 2) % 4 && !team_ok(team, flowdb_sync(team->db)))
            return;
        if (!team_ok(team, flowdb_get_latest(team->db, flowdb_str(key), &result)))
            return;
        if (result.records[0].ts != (int64_t)round)
            team_fail(team, "%s: latest is %" PRId64 " and not %u", key, result.records[0].ts,
                      round);
        flowdb_result_free(&result);
    }
}

static void flushes_and_syncs_may_meet(void **state) {
    struct api *api = *state;
    struct team team = {0};
    team_run(&team, api, 4, append_and_flush, 0, NULL);
    flowdb_range range = flowdb_range_all();
    flowdb_result result = {0};
    api_reopen(api);
    api_assert_ok(flowdb_query(api->db, &range, NULL, &result));
    assert_int_equal(result.count, 4 * team_rounds(60));
    flowdb_result_free(&result);
}

/* --- owned batches, deletes and ranges of several writers */

/* Each round replaces the writer's records by new ones, in one batch. */
static void replace_by_batches(struct member *member) {
    struct team *team = member->team;
    char start[32], end[32];
    unsigned rounds = team_rounds(300);
    snprintf(start, sizeof start, "writer%02u", member->number);
    snprintf(end, sizeof end, "writer%02u", member->number + 1);
    for (unsigned round = 0; round < rounds; round++) {
        flowdb_batch *batch = flowdb_batch_create();
        bool good =
            batch != NULL &&
            team_ok(team, flowdb_batch_delete_range(batch, flowdb_str(start), flowdb_str(end)));
        for (unsigned i = 0; good && i < BATCH; i++)
            good = team_ok(team, flowdb_batch_put(batch, flowdb_str(start), round + i, FLOWDB_NEVER,
                                                  flowdb_str(end)));
        if (good)
            good = team_ok(team, flowdb_batch_delete(batch, flowdb_str(start), round));
        if (!good) {
            flowdb_batch_destroy(batch);
            return;
        }
        if (!team_ok(team, flowdb_write_batch_owned(team->db, batch)))
            return;
    }
}

static void assert_replaced(struct api *api) {
    for (unsigned writer = 0; writer < WRITERS; writer++) {
        char key[32];
        flowdb_result result = {0};
        snprintf(key, sizeof key, "writer%02u", writer);
        flowdb_range range = flowdb_range_prefix(flowdb_str(key));
        api_assert_ok(flowdb_query(api->db, &range, NULL, &result));
        assert_int_equal(result.count, BATCH - 1);
        assert_int_equal(result.records[0].ts, team_rounds(300));
        flowdb_result_free(&result);
    }
}

static void writers_that_delete_their_ranges_do_not_touch_each_others(void **state) {
    struct api *api = *state;
    struct team team = {0};
    team_run(&team, api, WRITERS, replace_by_batches, 0, NULL);
    assert_replaced(api);
    api_assert_ok(flowdb_flush(api->db));
    assert_replaced(api);
    api_reopen(api);
    assert_replaced(api);
}

/* --- patches */

/* Even members change the value, odd ones the time of expiry; the last round is known. */
static void patch(struct member *member) {
    struct team *team = member->team;
    unsigned rounds = team_rounds(1200);
    for (unsigned round = 1; round <= rounds; round++) {
        char text[32];
        snprintf(text, sizeof text, "%u", round);
        flowdb_slice value = flowdb_str(text);
        int64_t expire_at = INT64_C(4102444800000000) + round;
        flowdb_patch change = {.value = member->number % 2 == 0 ? &value : NULL,
                               .expire_at = member->number % 2 == 1 ? &expire_at : NULL};
        flowdb_result result = {0};
        if (!team_ok(team, flowdb_patch_record(team->db, flowdb_str("k"), 1, &change, &result)))
            return;
        flowdb_result_free(&result);
    }
}

static void patches_of_different_fields_do_not_undo_each_other(void **state) {
    struct api *api = *state;
    struct team team = {0};
    flowdb_result result = {0};
    char last[32];
    api_put(api, "k", 1, "0");
    team_run(&team, api, 4, patch, 0, NULL);
    snprintf(last, sizeof last, "%u", team_rounds(1200));
    api_assert_ok(flowdb_get(api->db, flowdb_str("k"), 1, &result));
    /* Two members write each field: the last round of one of them is what stays. */
    assert_int_equal(result.records[0].value.size, strlen(last));
    assert_memory_equal(result.records[0].value.data, last, strlen(last));
    assert_true(result.records[0].expire_at == INT64_C(4102444800000000) + team_rounds(1200));
    flowdb_result_free(&result);
}

/* A delete beside patches: once it is deleted, no patch may bring it back. */
static void patch_until_gone(struct member *member) {
    struct team *team = member->team;
    flowdb_slice value = flowdb_str("patched");
    flowdb_patch change = {.value = &value};
    for (;;) {
        flowdb_status status = flowdb_patch_record(team->db, flowdb_str("k"), 1, &change, NULL);
        if (status == FLOWDB_NOT_FOUND)
            return;
        if (!team_check(team, status, "patch"))
            return;
        if (atomic_fetch_add(&team->observed, 1) > 200 &&
            !team_ok(team, flowdb_delete(team->db, flowdb_str("k"), 1)))
            return;
    }
}

static void a_patch_does_not_bring_a_deleted_record_back(void **state) {
    struct api *api = *state;
    for (unsigned round = 0; round < team_rounds(10); round++) {
        struct team team = {0};
        api_put(api, "k", 1, "first");
        team_run(&team, api, 4, patch_until_gone, 0, NULL);
        api_assert_get(api, "k", 1, NULL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        API_TEST_CLOSED(eight_writers_lose_nothing_with_interval_syncs),
        API_TEST_CLOSED(eight_writers_lose_nothing_with_buffered_logs),
        API_TEST_CLOSED(eight_writers_lose_nothing_with_a_sync_for_every_write),
        API_TEST_CLOSED(eight_writers_lose_nothing_without_background_threads),
        API_TEST(flushes_and_syncs_may_meet),
        API_TEST(writers_that_delete_their_ranges_do_not_touch_each_others),
        API_TEST(patches_of_different_fields_do_not_undo_each_other),
        API_TEST(a_patch_does_not_bring_a_deleted_record_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
