/* Deletes of records and of ranges, wherever what they hide and they themselves lie. */
#include "api_fixture.h"

static void a_deleted_record_is_hidden_and_its_neighbours_are_not(void **state) {
    struct api *api = *state;
    api_put(api, "k", 1, "one");
    api_put(api, "k", 2, "two");
    api_put(api, "l", 2, "two");
    api_delete(api, "k", 2);
    api_assert_get(api, "k", 2, NULL);
    api_assert_all(api, "k@1=one l@2=two");
}

static void a_deleted_record_can_be_written_again(void **state) {
    struct api *api = *state;
    api_put(api, "k", 1, "one");
    api_delete(api, "k", 1);
    api_put(api, "k", 1, "again");
    api_assert_all(api, "k@1=again");
    api_delete(api, "k", 1);
    api_assert_all(api, "");
}

static void deleting_what_is_not_there_is_fine(void **state) {
    struct api *api = *state;
    api_delete(api, "k", 1);
    api_delete(api, "k", 1);
    api_delete_range(api, "a", "z");
    api_assert_all(api, "");
    api_put(api, "k", 1, "one");
    api_assert_all(api, "k@1=one");
}

static void a_delete_hides_all_older_versions(void **state) {
    struct api *api = *state;
    api_put(api, "k", 1, "one");
    api_put(api, "k", 1, "two");
    api_put(api, "k", 1, "three");
    api_delete(api, "k", 1);
    api_assert_get(api, "k", 1, NULL);
    api_assert_no_latest(api, "k");
    api_assert_all(api, "");
}

static void put_letters(struct api *api) {
    api_put(api, "a", 1, "1");
    api_put(api, "b", -9, "2");
    api_put(api, "b", 9, "3");
    api_put(api, "ba", 1, "4");
    api_put(api, "c", 1, "5");
    api_put(api, "d", 1, "6");
}

static void a_deleted_range_includes_its_start_and_not_its_end_at_every_ts(void **state) {
    struct api *api = *state;
    put_letters(api);
    api_delete_range(api, "b", "c");
    api_assert_all(api, "a@1=1 c@1=5 d@1=6");
    api_assert_get(api, "b", -9, NULL);
    api_assert_get(api, "b", 9, NULL);
    api_assert_no_latest(api, "ba");
    api_assert_latest(api, "c", 1, "5");
}

static void an_empty_start_or_end_is_no_bound(void **state) {
    struct api *api = *state;
    put_letters(api);
    api_delete_range(api, "", "b");
    api_assert_all(api, "b@-9=2 b@9=3 ba@1=4 c@1=5 d@1=6");
    api_delete_range(api, "c", "");
    api_assert_all(api, "b@-9=2 b@9=3 ba@1=4");
    api_put(api, "z", 1, "7");
    api_put(api, "a", 1, "8");
    api_assert_all(api, "a@1=8 b@-9=2 b@9=3 ba@1=4 z@1=7");
    api_delete_range(api, "", "");
    api_assert_all(api, "");
}

static void a_deleted_range_hides_only_what_was_written_before_it(void **state) {
    struct api *api = *state;
    put_letters(api);
    api_delete_range(api, "a", "c");
    api_put(api, "b", 9, "new");
    api_put(api, "bb", 1, "new");
    api_assert_all(api, "b@9=new bb@1=new c@1=5 d@1=6");
    api_assert_get(api, "b", 9, "new");
    api_assert_latest(api, "b", 9, "new");
    api_delete_range(api, "b", "bb");
    api_assert_all(api, "bb@1=new c@1=5 d@1=6");
}

static void overlapping_ranges_each_hide_what_is_older_than_they(void **state) {
    struct api *api = *state;
    put_letters(api);
    api_delete_range(api, "a", "c");
    api_put(api, "a", 1, "x");
    api_put(api, "b", 1, "x");
    api_put(api, "c", 1, "x");
    api_delete_range(api, "b", "d");
    api_put(api, "c", 2, "y");
    api_assert_all(api, "a@1=x c@2=y d@1=6");
    api_delete_range(api, "a", "b");
    api_assert_all(api, "c@2=y d@1=6");
}

static void a_range_that_begins_outside_a_query_is_honoured_inside(void **state) {
    struct api *api = *state;
    put_letters(api);
    api_delete_range(api, "a", "d");
    api_assert_range(api, flowdb_range_keys(flowdb_str("b"), flowdb_str("c")), "");
    api_assert_range(api, flowdb_range_prefix(flowdb_str("b")), "");
    api_assert_range(api, flowdb_range_time(9, 9), "");
    api_assert_get(api, "c", 1, NULL);
    api_assert_all(api, "d@1=6");
}

static void a_range_of_keys_with_nothing_between_them_is_honoured(void **state) {
    struct api *api = *state;
    flowdb_slice start = flowdb_str("k"), end = flowdb_bytes("k\0", 2);
    api_put(api, "k", 1, "one");
    api_put(api, "ka", 1, "stays");
    api_assert_ok(flowdb_delete_range(api->db, start, end));
    api_settle(api);
    api_assert_all(api, "ka@1=stays");
}

static void a_range_whose_start_is_not_before_its_end_is_refused(void **state) {
    struct api *api = *state;
    api_put(api, "b", 1, "x");
    flowdb_slice b = flowdb_str("b"), a = flowdb_str("a");
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "", flowdb_delete_range(api->db, b, b));
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "", flowdb_delete_range(api->db, b, a));
    api_assert_all(api, "b@1=x");
}

static void a_delete_needs_a_key(void **state) {
    struct api *api = *state;
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "key",
                     flowdb_delete(api->db, flowdb_bytes(NULL, 0), 1));
}

static void records_in_old_tables_stay_hidden_through_later_flushes(void **state) {
    struct api *api = *state;
    put_letters(api);
    api_assert_ok(flowdb_flush(api->db));
    api_delete(api, "a", 1);
    api_assert_ok(flowdb_flush(api->db));
    api_delete_range(api, "b", "c");
    api_assert_ok(flowdb_flush(api->db));
    api_put(api, "e", 1, "7");
    api_assert_ok(flowdb_flush(api->db));
    api_reopen(api);
    api_assert_all(api, "c@1=5 d@1=6 e@1=7");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        API_TEST_EVERYWHERE(a_deleted_record_is_hidden_and_its_neighbours_are_not),
        API_TEST_EVERYWHERE(a_deleted_record_can_be_written_again),
        API_TEST_EVERYWHERE(deleting_what_is_not_there_is_fine),
        API_TEST_EVERYWHERE(a_delete_hides_all_older_versions),
        API_TEST_EVERYWHERE(a_deleted_range_includes_its_start_and_not_its_end_at_every_ts),
        API_TEST_EVERYWHERE(an_empty_start_or_end_is_no_bound),
        API_TEST_EVERYWHERE(a_deleted_range_hides_only_what_was_written_before_it),
        API_TEST_EVERYWHERE(overlapping_ranges_each_hide_what_is_older_than_they),
        API_TEST_EVERYWHERE(a_range_that_begins_outside_a_query_is_honoured_inside),
        API_TEST_EVERYWHERE(a_range_of_keys_with_nothing_between_them_is_honoured),
        API_TEST_EVERYWHERE(a_range_whose_start_is_not_before_its_end_is_refused),
        API_TEST(a_delete_needs_a_key),
        API_TEST(records_in_old_tables_stay_hidden_through_later_flushes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
