/* get, get_latest, and every kind of range, wherever the records lie. */
#include <stdio.h>
#include <string.h>

#include "api_fixture.h"

static void put_letters(struct api *api) {
    api_put(api, "b", 2, "B2");
    api_put(api, "a", 1, "A1");
    api_put(api, "ab", 1, "AB1");
    api_put(api, "b", 1, "B1");
    api_put(api, "c", -5, "C");
    api_put(api, "b", 3, "B3");
}

static void get_finds_exactly_one_record(void **state) {
    struct api *api = *state;
    put_letters(api);
    api_assert_get(api, "b", 2, "B2");
    api_assert_get(api, "ab", 1, "AB1");
    api_assert_get(api, "c", -5, "C");
    api_assert_get(api, "b", 4, NULL);
    api_assert_get(api, "ba", 1, NULL);
    api_assert_get(api, "a", 0, NULL);
}

static void get_latest_is_the_greatest_ts_and_not_the_last_written(void **state) {
    struct api *api = *state;
    api_put(api, "k", 10, "ten");
    api_put(api, "k", 30, "thirty");
    api_put(api, "k", 20, "twenty");
    api_put(api, "k", -40, "minus");
    api_assert_latest(api, "k", 30, "thirty");
    api_put(api, "k", 30, "thirty-again");
    api_put(api, "k", 5, "five");
    api_assert_latest(api, "k", 30, "thirty-again");
    api_assert_no_latest(api, "j");
    api_assert_no_latest(api, "kk");
}

static void get_latest_falls_back_when_newer_records_are_deleted(void **state) {
    struct api *api = *state;
    api_put(api, "k", 1, "one");
    api_put(api, "k", 2, "two");
    api_put(api, "k", 3, "three");
    api_delete(api, "k", 3);
    api_assert_latest(api, "k", 2, "two");
    api_delete(api, "k", 2);
    api_assert_latest(api, "k", 1, "one");
    api_put(api, "k", 2, "two-again");
    api_assert_latest(api, "k", 2, "two-again");
    api_delete_range(api, "k", "l");
    api_assert_no_latest(api, "k");
    api_put(api, "k", 0, "late");
    api_assert_latest(api, "k", 0, "late");
}

static void get_latest_falls_back_when_newer_records_have_expired(void **state) {
    struct api *api = *state;
    api_put(api, "k", 1, "one");
    api_put_until(api, "k", 2, 1000, "expired");
    api_assert_latest(api, "k", 1, "one");
    api_put_until(api, "k", 1, 1000, "expired-too");
    api_assert_no_latest(api, "k");
}

static void all_is_everything_in_key_and_time_order(void **state) {
    struct api *api = *state;
    put_letters(api);
    api_assert_all(api, "a@1=A1 ab@1=AB1 b@1=B1 b@2=B2 b@3=B3 c@-5=C");
}

static void nothing_found_is_ok_and_empty(void **state) {
    struct api *api = *state;
    flowdb_result result = {0};
    flowdb_range range = flowdb_range_all();
    api_assert_ok(flowdb_query(api->db, &range, NULL, &result));
    assert_int_equal(result.count, 0);
    flowdb_result_free(&result);
    flowdb_result_free(&result);
    put_letters(api);
    api_assert_range(api, flowdb_range_prefix(flowdb_str("bb")), "");
    api_assert_range(api, flowdb_range_time(100, 200), "");
}

static void a_prefix_covers_the_keys_that_begin_so(void **state) {
    struct api *api = *state;
    put_letters(api);
    api_assert_range(api, flowdb_range_prefix(flowdb_str("a")), "a@1=A1 ab@1=AB1");
    api_assert_range(api, flowdb_range_prefix(flowdb_str("ab")), "ab@1=AB1");
    api_assert_range(api, flowdb_range_prefix(flowdb_str("b")), "b@1=B1 b@2=B2 b@3=B3");
    api_assert_range(api, flowdb_range_prefix(flowdb_bytes(NULL, 0)),
                     "a@1=A1 ab@1=AB1 b@1=B1 b@2=B2 b@3=B3 c@-5=C");
}

static void a_prefix_of_ff_bytes_has_no_upper_bound(void **state) {
    struct api *api = *state;
    api_put(api, "a\xff", 1, "1");
    api_put(api, "a\xff\xff", 1, "2");
    api_put(api, "a\xff\xff\xff", 1, "3");
    api_put(api, "b", 1, "4");
    api_put(api, "\xff", 1, "5");
    api_put(api, "\xff\xff", 1, "6");
    api_put(api, "\xff\xff\xff", 1, "7");
    api_put(api, "\xfe\xff", 1, "8");
    api_assert_range(api, flowdb_range_prefix(flowdb_str("\xff")),
                     "\xff@1=5 \xff\xff@1=6 \xff\xff\xff@1=7");
    api_assert_range(api, flowdb_range_prefix(flowdb_str("\xff\xff")),
                     "\xff\xff@1=6 \xff\xff\xff@1=7");
    api_assert_range(api, flowdb_range_prefix(flowdb_str("a\xff\xff")),
                     "a\xff\xff@1=2 a\xff\xff\xff@1=3");
    api_assert_range(api, flowdb_range_prefix(flowdb_str("\xfe")), "\xfe\xff@1=8");
    api_assert_range(api, flowdb_range_prefix(flowdb_str("a")),
                     "a\xff@1=1 a\xff\xff@1=2 a\xff\xff\xff@1=3");
}

static void times_are_inclusive_at_both_ends(void **state) {
    struct api *api = *state;
    put_letters(api);
    api_assert_range(api, flowdb_range_time(1, 2), "a@1=A1 ab@1=AB1 b@1=B1 b@2=B2");
    api_assert_range(api, flowdb_range_time(2, 2), "b@2=B2");
    api_assert_range(api, flowdb_range_time(INT64_MIN, -5), "c@-5=C");
    api_assert_range(api, flowdb_range_time(INT64_MIN, INT64_MAX),
                     "a@1=A1 ab@1=AB1 b@1=B1 b@2=B2 b@3=B3 c@-5=C");
    api_assert_range(api, flowdb_range_prefix_time(flowdb_str("b"), 2, INT64_MAX), "b@2=B2 b@3=B3");
}

static void keys_are_inclusive_at_both_ends_and_an_empty_one_is_no_bound(void **state) {
    struct api *api = *state;
    flowdb_slice none = {NULL, 0};
    put_letters(api);
    api_assert_range(api, flowdb_range_keys(flowdb_str("ab"), flowdb_str("b")),
                     "ab@1=AB1 b@1=B1 b@2=B2 b@3=B3");
    api_assert_range(api, flowdb_range_keys(flowdb_str("aa"), flowdb_str("az")), "ab@1=AB1");
    api_assert_range(api, flowdb_range_keys(none, flowdb_str("ab")), "a@1=A1 ab@1=AB1");
    api_assert_range(api, flowdb_range_keys(flowdb_str("b"), none), "b@1=B1 b@2=B2 b@3=B3 c@-5=C");
    api_assert_range(api, flowdb_range_keys(none, none),
                     "a@1=A1 ab@1=AB1 b@1=B1 b@2=B2 b@3=B3 c@-5=C");
    api_assert_range(api, flowdb_range_keys_time(flowdb_str("a"), flowdb_str("b"), 1, 1),
                     "a@1=A1 ab@1=AB1 b@1=B1");
}

static void start_after_end_is_an_empty_range_and_no_error(void **state) {
    struct api *api = *state;
    put_letters(api);
    api_assert_range(api, flowdb_range_time(3, 1), "");
    api_assert_range(api, flowdb_range_time(INT64_MAX, INT64_MIN), "");
    api_assert_range(api, flowdb_range_keys(flowdb_str("c"), flowdb_str("a")), "");
    api_assert_range(api, flowdb_range_prefix_time(flowdb_str("b"), 3, 2), "");
    api_assert_range(api, flowdb_range_keys_time(flowdb_str("c"), flowdb_str("a"), 0, 9), "");
}

static void a_limit_cuts_at_the_end_that_the_order_reaches_last(void **state) {
    struct api *api = *state;
    flowdb_read_options options = flowdb_read_options_default();
    put_letters(api);
    options.limit = 3;
    api_assert_query(api, flowdb_range_all(), &options, "a@1=A1 ab@1=AB1 b@1=B1");
    options.reverse = true;
    api_assert_query(api, flowdb_range_all(), &options, "c@-5=C b@3=B3 b@2=B2");
    options.limit = 1;
    api_assert_query(api, flowdb_range_prefix(flowdb_str("b")), &options, "b@3=B3");
    options.limit = 100;
    api_assert_query(api, flowdb_range_prefix(flowdb_str("a")), &options, "ab@1=AB1 a@1=A1");
}

static void a_limit_counts_live_records_only(void **state) {
    struct api *api = *state;
    flowdb_read_options options = flowdb_read_options_default();
    put_letters(api);
    api_delete(api, "a", 1);
    api_put_until(api, "b", 1, 1000, "expired");
    options.limit = 2;
    api_assert_query(api, flowdb_range_all(), &options, "ab@1=AB1 b@2=B2");
}

static void checksums_and_cache_change_no_answer(void **state) {
    struct api *api = *state;
    flowdb_read_options options = flowdb_read_options_default();
    put_letters(api);
    for (unsigned i = 0; i < 4; i++) {
        options.fill_cache = i & 1;
        options.verify_checksums = i & 2;
        api_assert_query(api, flowdb_range_time(1, 2), &options, "a@1=A1 ab@1=AB1 b@1=B1 b@2=B2");
    }
}

static void results_outlive_the_database(void **state) {
    struct api *api = *state;
    flowdb_result one = {0}, latest = {0}, many = {0};
    flowdb_range range = flowdb_range_all();
    put_letters(api);
    api_assert_ok(flowdb_get(api->db, flowdb_str("a"), 1, &one));
    api_assert_ok(flowdb_get_latest(api->db, flowdb_str("b"), &latest));
    api_assert_ok(flowdb_query(api->db, &range, NULL, &many));
    api_delete_range(api, "", "");
    api_close(api);
    assert_memory_equal(one.records[0].value.data, "A1", 2);
    assert_memory_equal(latest.records[0].value.data, "B3", 2);
    assert_int_equal(many.count, 6);
    assert_memory_equal(many.records[5].key.data, "c", 1);
    flowdb_result_free(&one);
    flowdb_result_free(&latest);
    flowdb_result_free(&many);
    assert_null(many.records);
    assert_int_equal(many.count, 0);
}

static void a_failed_read_leaves_its_output_untouched(void **state) {
    struct api *api = *state;
    flowdb_record record;
    flowdb_result result = {&record, 7, api};
    api_assert_fails(FLOWDB_NOT_FOUND, "", flowdb_get(api->db, flowdb_str("k"), 1, &result));
    api_assert_fails(FLOWDB_NOT_FOUND, "", flowdb_get_latest(api->db, flowdb_str("k"), &result));
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "",
                     flowdb_get(api->db, flowdb_bytes("", 0), 1, &result));
    assert_ptr_equal(result.records, &record);
    assert_int_equal(result.count, 7);
    assert_ptr_equal(result.owner, api);
}

/* More than a block, a table and a memtable hold, so that reads cross all their borders. */
static void ranges_are_right_across_many_blocks_and_tables(void **state) {
    struct api *api = *state;
    enum { SERIES = 50, POINTS = 400 };
    flowdb_result result = {0};
    char key[SERIES][32], value[32];
    for (int64_t point = 0; point < POINTS; point++) {
        flowdb_record records[SERIES];
        snprintf(value, sizeof value, "%d.%d", (int)point, (int)point % 10);
        for (int i = 0; i < SERIES; i++) {
            snprintf(key[i], sizeof key[i], "series%02d", i);
            records[i] =
                (flowdb_record){flowdb_str(key[i]), point * 1000, FLOWDB_NEVER, flowdb_str(value)};
        }
        api_assert_ok(flowdb_write(api->db, records, SERIES));
        if (point % 100 == 99)
            api_settle(api);
    }
    flowdb_range all = flowdb_range_all();
    api_assert_ok(flowdb_query(api->db, &all, NULL, &result));
    assert_int_equal(result.count, SERIES * POINTS);
    for (size_t i = 0; i < result.count; i++) {
        assert_int_equal(result.records[i].ts, (int64_t)(i % POINTS) * 1000);
        assert_memory_equal(result.records[i].key.data, key[i / POINTS], 8);
    }
    flowdb_result_free(&result);
    flowdb_range part = flowdb_range_prefix_time(flowdb_str("series31"), 98500, 250000);
    api_assert_ok(flowdb_query(api->db, &part, NULL, &result));
    assert_int_equal(result.count, 152);
    assert_int_equal(result.records[0].ts, 99000);
    assert_int_equal(result.records[151].ts, 250000);
    flowdb_result_free(&result);
    for (int i = 0; i < SERIES; i++)
        api_assert_latest(api, key[i], (POINTS - 1) * 1000, "399.9");
}

/* Tables keep numbers as such, and write their text when it is asked for. */
static void numbers_come_back_as_the_text_that_was_written(void **state) {
    struct api *api = *state;
    static const char *const texts[] = {"12.50", "-0.25", "NaN", "", "1e3", "99999999.99", "7.00"};
    enum { KEYS = 3, TIMES = 200 };
    char keys[KEYS][16], texts_of[TIMES][32];
    for (int time = 0; time < TIMES; time++)
        snprintf(texts_of[time], sizeof texts_of[time], "%d.%02d", time * 7919 % 1000, time % 100);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        snprintf(texts_of[20 + 3 * i], sizeof texts_of[0], "%s", texts[i]);
    /* Two rounds: the second replaces every third record. */
    for (int round = 0; round < 2; round++) {
        flowdb_batch *batch = flowdb_batch_create();
        assert_non_null(batch);
        for (int key = 0; key < KEYS; key++) {
            snprintf(keys[key], sizeof keys[key], "k%d", key);
            for (int time = 0; time < TIMES; time += 1 + 2 * round)
                api_assert_ok(flowdb_batch_put(batch, flowdb_str(keys[key]), time, FLOWDB_NEVER,
                                               flowdb_str(texts_of[time])));
        }
        api_write_batch(api, batch);
        flowdb_batch_destroy(batch);
    }
    flowdb_range all = flowdb_range_all();
    for (int reverse = 0; reverse < 2; reverse++) {
        flowdb_read_options options;
        flowdb_read_options_init(&options, sizeof options);
        options.reverse = reverse == 1;
        flowdb_iterator *iterator;
        flowdb_record record;
        api_assert_ok(flowdb_scan(api->db, &all, &options, &iterator));
        for (int at = 0; at < KEYS * TIMES; at++) {
            int place = reverse == 1 ? KEYS * TIMES - 1 - at : at;
            api_assert_ok(flowdb_iterator_next(iterator, &record));
            assert_int_equal(record.ts, place % TIMES);
            assert_int_equal(record.value.size, strlen(texts_of[record.ts]));
            if (record.value.size > 0)
                assert_memory_equal(record.value.data, texts_of[record.ts], record.value.size);
        }
        flowdb_iterator_destroy(iterator);
    }
    for (int key = 0; key < KEYS; key++) {
        for (int time = 0; time < TIMES; time++)
            api_assert_get(api, keys[key], time, texts_of[time]);
        api_assert_latest(api, keys[key], TIMES - 1, texts_of[TIMES - 1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        API_TEST_EVERYWHERE(get_finds_exactly_one_record),
        API_TEST_EVERYWHERE(get_latest_is_the_greatest_ts_and_not_the_last_written),
        API_TEST_EVERYWHERE(get_latest_falls_back_when_newer_records_are_deleted),
        API_TEST_EVERYWHERE(get_latest_falls_back_when_newer_records_have_expired),
        API_TEST_EVERYWHERE(all_is_everything_in_key_and_time_order),
        API_TEST_EVERYWHERE(nothing_found_is_ok_and_empty),
        API_TEST_EVERYWHERE(a_prefix_covers_the_keys_that_begin_so),
        API_TEST_EVERYWHERE(a_prefix_of_ff_bytes_has_no_upper_bound),
        API_TEST_EVERYWHERE(times_are_inclusive_at_both_ends),
        API_TEST_EVERYWHERE(keys_are_inclusive_at_both_ends_and_an_empty_one_is_no_bound),
        API_TEST_EVERYWHERE(start_after_end_is_an_empty_range_and_no_error),
        API_TEST_EVERYWHERE(a_limit_cuts_at_the_end_that_the_order_reaches_last),
        API_TEST_EVERYWHERE(a_limit_counts_live_records_only),
        API_TEST_EVERYWHERE(checksums_and_cache_change_no_answer),
        API_TEST_EVERYWHERE(results_outlive_the_database),
        API_TEST(a_failed_read_leaves_its_output_untouched),
        API_TEST_EVERYWHERE(ranges_are_right_across_many_blocks_and_tables),
        API_TEST_EVERYWHERE(numbers_come_back_as_the_text_that_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
