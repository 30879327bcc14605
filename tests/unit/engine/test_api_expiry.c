/*
 * Expiry and default_ttl_secs. The engine reads the wall clock: times of expiry here lie far from
 * it on either side.
 */
#include <time.h>

#include "api_fixture.h"

#define LONG_AGO INT64_C(1000000000000000)   /* September 2001 */
#define FAR_FUTURE INT64_C(4102444800000000) /* January 2100 */
enum { HOUR = 3600 };

static int64_t now_us(void) {
    return (int64_t)time(NULL) * 1000000;
}

static int64_t expiry_of(struct api *api, const char *key, int64_t ts) {
    flowdb_result result = {0};
    api_assert_ok(flowdb_get(api->db, flowdb_str(key), ts, &result));
    int64_t expire_at = result.records[0].expire_at;
    flowdb_result_free(&result);
    return expire_at;
}

static void open_with_ttl(struct api *api, uint64_t ttl) {
    api_close(api);
    api->config.default_ttl_secs = ttl;
    api_open(api);
}

static void a_record_is_invisible_from_its_expire_at_on(void **state) {
    struct api *api = *state;
    api_put_until(api, "gone", 1, LONG_AGO, "x");
    api_put_until(api, "gone", 2, INT64_MIN, "x");
    api_put_until(api, "gone", 3, 0, "x");
    api_put_until(api, "here", 1, FAR_FUTURE, "y");
    api_put_until(api, "here", 2, FLOWDB_NEVER, "z");
    api_assert_all(api, "here@1=y here@2=z");
    api_assert_get(api, "gone", 1, NULL);
    api_assert_no_latest(api, "gone");
    assert_true(expiry_of(api, "here", 1) == FAR_FUTURE);
    assert_true(expiry_of(api, "here", 2) == FLOWDB_NEVER);
}

static void the_ts_of_a_record_has_nothing_to_do_with_its_expiry(void **state) {
    struct api *api = *state;
    api_put_until(api, "k", FAR_FUTURE, LONG_AGO, "x");
    api_put_until(api, "k", INT64_MIN, FAR_FUTURE, "y");
    api_assert_all(api, "k@-9223372036854775808=y");
}

static void an_expired_newest_version_hides_the_older_ones(void **state) {
    struct api *api = *state;
    api_put(api, "k", 1, "old");
    api_put_until(api, "k", 1, LONG_AGO, "expired");
    api_assert_get(api, "k", 1, NULL);
    api_assert_no_latest(api, "k");
    api_assert_all(api, "");
    api_put(api, "other", 1, "x"); /* another table on top, where the place is tables */
    api_assert_all(api, "other@1=x");
    api_assert_ok(flowdb_flush(api->db));
    api_reopen(api);
    api_assert_all(api, "other@1=x");
}

static void an_expired_record_can_be_written_again(void **state) {
    struct api *api = *state;
    api_put_until(api, "k", 1, LONG_AGO, "expired");
    api_put(api, "k", 1, "new");
    api_assert_all(api, "k@1=new");
    api_assert_latest(api, "k", 1, "new");
}

static void an_open_iterator_judges_expiry_by_the_time_of_its_opening(void **state) {
    struct api *api = *state;
    /* It expires between the opening and the reading, or before both where the machine is slow. */
    api_put_until(api, "k", 1, now_us() + 1300000, "short-lived");
    api_put(api, "l", 1, "x");
    flowdb_iterator *iterator = api_scan(api, flowdb_range_all(), false);
    flowdb_record record;
    api_assert_ok(flowdb_iterator_next(iterator, &record));
    bool was_there = *(const char *)record.key.data == 'k';
    if (was_there) {
        flowdb_result result = {0};
        while (flowdb_get(api->db, flowdb_str("k"), 1, &result) == FLOWDB_OK)
            flowdb_result_free(&result); /* until it has expired for new reads */
        api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("k"), 1));
        api_assert_rest(iterator, "k@1=short-lived l@1=x");
    }
    flowdb_iterator_destroy(iterator);
    api_assert_all(api, "l@1=x");
}

/* ------------------------------------------------------------------------------ default */

static void default_ttl_counts_from_ts_and_is_stored_at_commit(void **state) {
    struct api *api = *state;
    int64_t now = now_us();
    open_with_ttl(api, HOUR);
    api_put(api, "young", now, "x");
    api_put(api, "old", now - INT64_C(7200000000), "x");
    api_put_until(api, "explicit", now - INT64_C(7200000000), FAR_FUTURE, "y");
    assert_true(expiry_of(api, "young", now) == now + INT64_C(3600000000));
    assert_true(expiry_of(api, "explicit", now - INT64_C(7200000000)) == FAR_FUTURE);
    api_assert_no_latest(api, "old");
    /* What was resolved stays so under another configuration. */
    open_with_ttl(api, 0);
    assert_true(expiry_of(api, "young", now) == now + INT64_C(3600000000));
    api_assert_no_latest(api, "old");
    api_put(api, "never", 1, "z");
    open_with_ttl(api, HOUR);
    assert_true(expiry_of(api, "never", 1) == FLOWDB_NEVER);
}

static void default_ttl_holds_for_batches_owned_or_not(void **state) {
    struct api *api = *state;
    int64_t now = now_us(), expected = now + INT64_C(3600000000);
    flowdb_slice value = flowdb_str("v");
    open_with_ttl(api, HOUR);
    flowdb_batch *batch = flowdb_batch_create();
    api_assert_ok(flowdb_batch_put(batch, flowdb_str("a"), now, FLOWDB_NEVER, value));
    api_write_batch(api, batch);
    api_assert_ok(flowdb_batch_put(batch, flowdb_str("b"), now, FLOWDB_NEVER, value));
    api_assert_ok(flowdb_write_batch_owned(api->db, batch));
    api_settle(api);
    assert_true(expiry_of(api, "a", now) == expected);
    assert_true(expiry_of(api, "b", now) == expected);
}

/* A batch belongs to no database: what one resolved must not stick to it. */
static void a_batch_that_is_written_again_is_resolved_again(void **state) {
    struct api *api = *state;
    int64_t now = now_us();
    flowdb_batch *batch = flowdb_batch_create();
    api_assert_ok(flowdb_batch_put(batch, flowdb_str("a"), now, FLOWDB_NEVER, flowdb_str("v")));
    open_with_ttl(api, HOUR);
    api_write_batch(api, batch);
    assert_true(expiry_of(api, "a", now) == now + INT64_C(3600000000));
    open_with_ttl(api, 0);
    api_write_batch(api, batch);
    assert_true(expiry_of(api, "a", now) == FLOWDB_NEVER);
    flowdb_batch_destroy(batch);
}

static void a_ts_beyond_which_default_ttl_overflows_is_refused_by_its_index(void **state) {
    struct api *api = *state;
    int64_t last = INT64_MAX - INT64_C(3600000000);
    flowdb_record records[3] = {{flowdb_str("a"), FAR_FUTURE, FLOWDB_NEVER, flowdb_str("x")},
                                {flowdb_str("b"), INT64_MAX, FAR_FUTURE, flowdb_str("y")},
                                {flowdb_str("c"), last + 1, FLOWDB_NEVER, flowdb_str("z")}};
    open_with_ttl(api, HOUR);
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "2", flowdb_write(api->db, records, 3));
    api_assert_all(api, "");
    records[2].ts = last - 1;
    api_assert_ok(flowdb_write(api->db, records, 3));
    api_settle(api);
    assert_true(expiry_of(api, "c", last - 1) == INT64_MAX - 1);
    flowdb_batch *batch = flowdb_batch_create();
    api_assert_ok(
        flowdb_batch_put(batch, flowdb_str("d"), INT64_MAX, FLOWDB_NEVER, flowdb_str("x")));
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "0", flowdb_write_batch(api->db, batch));
    flowdb_batch_destroy(batch);
    api_assert_no_latest(api, "d");
}

static void the_longest_ttl_with_the_earliest_ts_does_not_wrap(void **state) {
    struct api *api = *state;
    open_with_ttl(api, 9223372036854);
    api_put(api, "k", INT64_MIN, "expired-in-1969");
    api_put(api, "k", 1000, "lasts");
    api_assert_all(api, "k@1000=lasts");
    assert_true(expiry_of(api, "k", 1000) == INT64_C(9223372036854001000));
}

static void a_patch_keeps_expire_at_and_never_applies_the_default(void **state) {
    struct api *api = *state;
    flowdb_slice value = flowdb_str("patched");
    int64_t never = FLOWDB_NEVER, now = now_us();
    flowdb_patch new_value = {.value = &value}, no_expiry = {.expire_at = &never};
    api_put(api, "k", 1, "x");
    open_with_ttl(api, HOUR);
    api_assert_ok(flowdb_patch_record(api->db, flowdb_str("k"), 1, &new_value, NULL));
    api_settle(api);
    assert_true(expiry_of(api, "k", 1) == FLOWDB_NEVER);
    api_put(api, "young", now, "x");
    api_assert_ok(flowdb_patch_record(api->db, flowdb_str("young"), now, &new_value, NULL));
    api_settle(api);
    assert_true(expiry_of(api, "young", now) == now + INT64_C(3600000000));
    api_assert_ok(flowdb_patch_record(api->db, flowdb_str("young"), now, &no_expiry, NULL));
    api_settle(api);
    assert_true(expiry_of(api, "young", now) == FLOWDB_NEVER);
}

static void a_patch_to_a_past_expiry_returns_the_record_and_hides_it(void **state) {
    struct api *api = *state;
    int64_t past = LONG_AGO;
    flowdb_patch patch = {.expire_at = &past};
    flowdb_result result = {0};
    api_put(api, "k", 1, "x");
    api_assert_ok(flowdb_patch_record(api->db, flowdb_str("k"), 1, &patch, &result));
    api_settle(api);
    assert_true(result.records[0].expire_at == LONG_AGO);
    flowdb_result_free(&result);
    api_assert_get(api, "k", 1, NULL);
    api_assert_fails(FLOWDB_NOT_FOUND, "",
                     flowdb_patch_record(api->db, flowdb_str("k"), 1, &patch, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        API_TEST_EVERYWHERE(a_record_is_invisible_from_its_expire_at_on),
        API_TEST_EVERYWHERE(the_ts_of_a_record_has_nothing_to_do_with_its_expiry),
        API_TEST_EVERYWHERE(an_expired_newest_version_hides_the_older_ones),
        API_TEST_EVERYWHERE(an_expired_record_can_be_written_again),
        API_TEST(an_open_iterator_judges_expiry_by_the_time_of_its_opening),
        API_TEST_EVERYWHERE(default_ttl_counts_from_ts_and_is_stored_at_commit),
        API_TEST_EVERYWHERE(default_ttl_holds_for_batches_owned_or_not),
        API_TEST_EVERYWHERE(a_batch_that_is_written_again_is_resolved_again),
        API_TEST_EVERYWHERE(a_ts_beyond_which_default_ttl_overflows_is_refused_by_its_index),
        API_TEST_EVERYWHERE(the_longest_ttl_with_the_earliest_ts_does_not_wrap),
        API_TEST_EVERYWHERE(a_patch_keeps_expire_at_and_never_applies_the_default),
        API_TEST_EVERYWHERE(a_patch_to_a_past_expiry_returns_the_record_and_hides_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
