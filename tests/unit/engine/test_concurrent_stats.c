/* Statistics that are asked for while others write and read; and that nothing was lost at the end. */
#include <stdio.h>

#include "api_team.h"

enum { ROUNDS = 300, BATCH = 10, WORKERS = 4 };

static void work(struct member *member) {
    struct team *team = member->team;
    char key[32];
    for (unsigned i = 0; i < ROUNDS && !team_has_failed(team); i++) {
        flowdb_record records[BATCH];
        snprintf(key, sizeof key, "worker%u", member->number);
        for (unsigned k = 0; k < BATCH; k++)
            records[k] = (flowdb_record){.key = flowdb_str(key),
                                         .ts = i * BATCH + k,
                                         .expire_at = FLOWDB_NEVER,
                                         .value = flowdb_str("v")};
        team_ok(team, flowdb_write(team->db, records, BATCH));
        flowdb_result found = {0};
        team_ok(team, flowdb_get(team->db, flowdb_str(key), i * BATCH, &found));
        flowdb_result_free(&found);
        if (i % 100 == 99)
            team_ok(team, flowdb_flush(team->db));
    }
}

static void watch(struct member *member) {
    struct team *team = member->team;
    uint64_t written = 0, read = 0;
    while (!atomic_load(&team->stop)) {
        flowdb_stats stats = {.struct_size = sizeof stats};
        flowdb_health health = {.struct_size = sizeof health};
        flowdb_tables tables = {0};
        flowdb_events events = {0};
        char *text = NULL;
        team_ok(team, flowdb_get_stats(team->db, &stats));
        team_ok(team, flowdb_get_health(team->db, &health));
        team_ok(team, flowdb_list_tables(team->db, &tables));
        team_ok(team, flowdb_list_events(team->db, &events));
        team_ok(team, flowdb_metrics_text(team->db, &text));
        if (stats.total_records_written < written || stats.total_records_read < read)
            team_fail(team, "a counter ran backwards");
        if (stats.total_records_read > stats.total_get_calls)
            team_fail(team, "more was read than was asked for");
        written = stats.total_records_written;
        read = stats.total_records_read;
        flowdb_free(text);
        flowdb_events_free(&events);
        flowdb_tables_free(&tables);
        atomic_fetch_add(&team->observed, 1);
    }
}

static void nothing_is_lost_while_others_look(void **state) {
    struct api *api = *state;
    struct team team = {0};
    team_run(&team, api, WORKERS, work, 1, watch);
    assert_true(atomic_load(&team.observed) > 0);
    flowdb_stats stats = {.struct_size = sizeof stats};
    api_assert_ok(flowdb_get_stats(api->db, &stats));
    assert_int_equal(stats.total_records_written, WORKERS * ROUNDS * BATCH);
    assert_int_equal(stats.total_write_calls, WORKERS * ROUNDS);
    assert_int_equal(stats.total_get_calls, WORKERS * ROUNDS);
    assert_int_equal(stats.total_records_read, WORKERS * ROUNDS);
    assert_int_equal(stats.writers_stalled, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        API_TEST(nothing_is_lost_while_others_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
