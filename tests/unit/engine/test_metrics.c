/* flowdb_metrics_text: the Prometheus text, value by value. tests/format/metrics reads
   it as a scraper would; here its numbers are compared with flowdb_get_stats. */
#include "engine_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"

static char *text_of(struct engine *engine) {
    char *text = NULL;
    engine_assert_ok(flowdb_metrics_text(engine->db, &text));
    return text;
}

/* The value of the sample with that name and labels. */
static double sample(const char *text, const char *name) {
    size_t size = strlen(name);
    for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n') + 1) {
        if (strncmp(line, name, size) == 0 && line[size] == ' ')
            return strtod(line + size, NULL);
    }
    fail_msg("no sample %s", name);
    return -1;
}

static void assert_line(const char *text, const char *line) {
    char whole[256];
    snprintf(whole, sizeof whole, "\n%s\n", line);
    if (strstr(text, whole) == NULL)
        fail_msg("no line \"%s\" in\n%s", line, text);
}

static void do_some_of_everything(struct engine *engine) {
    engine_put(engine, "a", 1, "x");
    engine_put_until(engine, "b", 2, ENGINE_NOW + 10, "yy");
    engine_delete(engine, "c", 3);
    engine_flush(engine);
    engine_put(engine, "d", 4, "z");
    engine_flush(engine);
    atomic_fetch_add(&engine->clock.wall_us, 20);
    atomic_fetch_add(&engine->clock.monotonic_us, 2500000);
    engine_assert_ok(flowdb_compact_all(engine->db));
    engine_assert_ok(flowdb_gc(engine->db, NULL));
    flowdb_result found = {0};
    engine_assert_ok(flowdb_get(engine->db, flowdb_str("a"), 1, &found));
    flowdb_result_free(&found);
    engine_sync(engine);
}

static void every_field_has_the_value_of_the_statistics(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    do_some_of_everything(engine);
    atomic_store(&engine->fault.free_bytes, 123456789);
    char *text = text_of(engine);
    flowdb_stats stats = {.struct_size = sizeof stats};
    engine_assert_ok(flowdb_get_stats(engine->db, &stats));
    const flowdb_stats_field *field;
    for (size_t i = 0; (field = flowdb_stats_field_at(i)) != NULL; i++) {
        if (field->metric == NULL)
            continue;
        uint64_t number;
        double expected;
        memcpy(&number, (const char *)&stats + field->offset, sizeof number);
        memcpy(&expected, (const char *)&stats + field->offset, sizeof expected);
        if (!field->is_double)
            expected = (double)number * field->scale;
        if (sample(text, field->metric) != expected)
            fail_msg("%s is %g, not %g", field->metric, sample(text, field->metric), expected);
        if (field->old_metric != NULL)
            assert_true(sample(text, field->old_metric) == expected);
    }
    flowdb_free(text);
}

/* What the original's users have on their dashboards. */
static void the_original_s_names_are_kept(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    do_some_of_everything(engine);
    char *text = text_of(engine);
    assert_line(text, "# TYPE flowdb_records_written untyped");
    assert_line(text, "flowdb_records_written 3");
    assert_line(text, "# TYPE flowdb_records_written_total counter");
    assert_line(text, "flowdb_records_written_total 3");
    assert_line(text, "flowdb_bytes_written 8");
    assert_line(text, "flowdb_records_read 1");
    assert_line(text, "flowdb_records_expired 1");
    assert_line(text, "flowdb_flushes_total 2");
    assert_line(text, "flowdb_gc_runs_total 1");
    assert_line(text, "flowdb_compaction_runs_total 1");
    assert_line(text, "flowdb_records_purged_by_gc 0");
    assert_line(text, "flowdb_memtable_records 0");
    assert_line(text, "flowdb_uptime_seconds 2");
    flowdb_free(text);
}

/* Cumulative, in seconds, and the last bucket is the count. */
static void latencies_are_histograms(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    struct fl_histogram *syncs = &engine->db->stats.syncs;
    struct fl_histogram_counts before;
    fl_histogram_read(syncs, &before);
    fl_histogram_record(syncs, UINT64_C(1) << 20, 1);       /* at most 2^20 ns */
    fl_histogram_record(syncs, (UINT64_C(1) << 20) + 1, 1); /* above it */
    fl_histogram_record(syncs, UINT64_C(1) << 39, 1);       /* above the last bound */
    char *text = text_of(engine);
    const char *name = "flowdb_wal_sync_latency_seconds";
    char line[128];
    double n = (double)before.count;
    snprintf(line, sizeof line, "%s_bucket{le=\"0.000524288\"}", name);
    assert_true(sample(text, line) == n);
    snprintf(line, sizeof line, "%s_bucket{le=\"0.001048576\"}", name);
    assert_true(sample(text, line) == n + 1);
    snprintf(line, sizeof line, "%s_bucket{le=\"0.002097152\"}", name);
    assert_true(sample(text, line) == n + 2);
    snprintf(line, sizeof line, "%s_bucket{le=\"68.7194767\"}", name);
    assert_true(sample(text, line) == n + 2);
    snprintf(line, sizeof line, "%s_bucket{le=\"+Inf\"}", name);
    assert_true(sample(text, line) == n + 3);
    snprintf(line, sizeof line, "%s_count", name);
    assert_true(sample(text, line) == n + 3);
    snprintf(line, sizeof line, "%s_sum", name);
    double sum = ((double)before.sum + 2097153.0 + (double)(UINT64_C(1) << 39)) * 1e-9;
    assert_true(sample(text, line) == sum);
    assert_line(text, "# TYPE flowdb_wal_sync_latency_seconds histogram");
    flowdb_free(text);
}

static void what_the_disk_does_not_tell_is_left_out(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine->fault.ops = FAULT_MASK(FAULT_FREE_SPACE);
    fault_fs_arm(&engine->fault, 1, true, FAULT_BEFORE, FLOWDB_IO_ERROR);
    char *text = text_of(engine);
    assert_null(strstr(text, "flowdb_disk_free_bytes"));
    assert_non_null(strstr(text, "flowdb_disk_reserve_bytes"));
    flowdb_free(text);
}

/* Every allocation fails once. */
static void without_memory_nothing_is_handed_out(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    int64_t live = engine->failing.live;
    char *text = (char *)engine; /* must not be touched */
    uint64_t nth = 1;
    for (;; nth++) {
        engine->failing.calls = 0;
        engine->failing.fail_at = nth;
        flowdb_status status = flowdb_metrics_text(engine->db, &text);
        engine->failing.fail_at = 0;
        if (status == FLOWDB_OK)
            break;
        assert_int_equal(status, FLOWDB_NO_MEMORY);
        assert_ptr_equal(text, engine);
        assert_int_equal(engine->failing.live, live);
    }
    assert_true(nth > 3);
    assert_int_equal(engine->failing.live, live + 1);
    flowdb_free(text);
    assert_int_equal(engine->failing.live, live);
    flowdb_free(NULL);
    assert_int_equal(flowdb_metrics_text(NULL, &text), FLOWDB_INVALID_ARGUMENT);
    assert_int_equal(flowdb_metrics_text(engine->db, NULL), FLOWDB_INVALID_ARGUMENT);
}

/* For the checker: prints the text of a database that has done some of everything. */
static int print_text(void) {
    void *state = NULL;
    if (engine_set_up(&state) != 0)
        return 1;
    struct engine *engine = state;
    engine_open(engine);
    do_some_of_everything(engine);
    char *text = text_of(engine);
    fputs(text, stdout);
    flowdb_free(text);
    return engine_tear_down(&state);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--print") == 0)
        return print_text();
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(every_field_has_the_value_of_the_statistics),
        ENGINE_TEST(the_original_s_names_are_kept),
        ENGINE_TEST(latencies_are_histograms),
        ENGINE_TEST(what_the_disk_does_not_tell_is_left_out),
        ENGINE_TEST(without_memory_nothing_is_handed_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
