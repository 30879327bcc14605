/* Writes: bounds, batches, atomicity, what a failure leaves behind. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "api_fixture.h"

enum { KEY_MAX = 65535, VALUE_MAX = 16 << 20 };

static flowdb_slice letters(char letter, size_t size) {
    char *bytes = malloc(size + 1);
    assert_non_null(bytes);
    memset(bytes, letter, size);
    return flowdb_bytes(bytes, size);
}

static void letters_free(flowdb_slice slice) {
    free((void *)(uintptr_t)slice.data);
}

static flowdb_status write_one(struct api *api, flowdb_slice key, flowdb_slice value) {
    flowdb_record record = {key, 1, FLOWDB_NEVER, value};
    return flowdb_write(api->db, &record, 1);
}

static void assert_stored(struct api *api, flowdb_slice key, flowdb_slice value) {
    flowdb_result result = {0};
    api_assert_ok(flowdb_get(api->db, key, 1, &result));
    assert_int_equal(result.records[0].key.size, key.size);
    assert_int_equal(result.records[0].value.size, value.size);
    assert_memory_equal(result.records[0].key.data, key.data, key.size);
    if (value.size != 0)
        assert_memory_equal(result.records[0].value.data, value.data, value.size);
    flowdb_result_free(&result);
}

/* ------------------------------------------------------------------------------- bounds */

static void a_key_has_1_to_65535_bytes(void **state) {
    struct api *api = *state;
    flowdb_slice longest = letters('k', KEY_MAX + 1), value = flowdb_str("v"), shortest = {"s", 1};
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "key", write_one(api, longest, value));
    longest.size = KEY_MAX;
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "key", write_one(api, flowdb_bytes(NULL, 0), value));
    api_assert_all(api, "");
    api_assert_ok(write_one(api, longest, value));
    api_settle(api);
    api_assert_ok(write_one(api, shortest, value));
    api_settle(api);
    assert_stored(api, longest, value);
    assert_stored(api, shortest, value);
    letters_free(longest);
}

static void two_long_keys_that_differ_in_the_last_byte_are_two_keys(void **state) {
    struct api *api = *state;
    flowdb_slice one = letters('k', KEY_MAX), two = letters('k', KEY_MAX), shorter = one;
    ((char *)(uintptr_t)two.data)[KEY_MAX - 1] = 'l';
    shorter.size--;
    api_assert_ok(write_one(api, one, flowdb_str("one")));
    api_settle(api);
    api_assert_ok(write_one(api, two, flowdb_str("two")));
    api_settle(api);
    api_assert_ok(write_one(api, shorter, flowdb_str("shorter")));
    api_settle(api);
    assert_stored(api, one, flowdb_str("one"));
    assert_stored(api, two, flowdb_str("two"));
    assert_stored(api, shorter, flowdb_str("shorter"));
    letters_free(one);
    letters_free(two);
}

static void a_value_has_0_to_16_mib(void **state) {
    struct api *api = *state;
    flowdb_slice largest = letters('v', VALUE_MAX + 1), key = flowdb_str("large");
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "value", write_one(api, key, largest));
    api_assert_all(api, "");
    largest.size = VALUE_MAX;
    api_assert_ok(write_one(api, key, largest));
    api_settle(api);
    api_assert_ok(write_one(api, flowdb_str("nothing"), flowdb_bytes(NULL, 0)));
    api_settle(api);
    assert_stored(api, key, largest);
    assert_stored(api, flowdb_str("nothing"), flowdb_bytes("", 0));
    letters_free(largest);
}

static void a_batch_has_the_same_bounds_and_stays_as_it_was_when_it_refuses(void **state) {
    struct api *api = *state;
    flowdb_slice key = letters('k', KEY_MAX + 1), value = letters('v', VALUE_MAX + 1);
    flowdb_slice none = {NULL, 0}, good = flowdb_str("good");
    flowdb_batch *batch = flowdb_batch_create();
    api_assert_ok(flowdb_batch_put(batch, good, 1, FLOWDB_NEVER, good));
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "key",
                     flowdb_batch_put(batch, key, 1, FLOWDB_NEVER, good));
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "key",
                     flowdb_batch_put(batch, none, 1, FLOWDB_NEVER, good));
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "value",
                     flowdb_batch_put(batch, good, 1, FLOWDB_NEVER, value));
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "key", flowdb_batch_delete(batch, key, 1));
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "key", flowdb_batch_delete(batch, none, 1));
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "", flowdb_batch_delete_range(batch, good, good));
    assert_int_equal(flowdb_batch_count(batch), 1);
    api_write_batch(api, batch);
    api_assert_all(api, "good@1=good");
    flowdb_batch_destroy(batch);
    letters_free(key);
    letters_free(value);
}

/* 16 values of 16 MiB are 256 MiB and with their keys more than a batch may encode to. */
static void a_batch_over_256_mib_is_refused_and_stays_as_it_was(void **state) {
    struct api *api = *state;
    flowdb_slice value = letters('v', VALUE_MAX);
    flowdb_batch *batch = flowdb_batch_create();
    flowdb_status status = FLOWDB_OK;
    int64_t added = 0;
    while (added < 17 && status == FLOWDB_OK) {
        status = flowdb_batch_put(batch, flowdb_str("k"), added, FLOWDB_NEVER, value);
        added += status == FLOWDB_OK;
    }
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "268435456", status);
    assert_int_equal(added, 15);
    assert_int_equal(flowdb_batch_count(batch), 15);
    flowdb_batch_destroy(batch);

    flowdb_record records[16];
    for (unsigned i = 0; i < 16; i++)
        records[i] = (flowdb_record){flowdb_str("k"), i, FLOWDB_NEVER, value};
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "268435456", flowdb_write(api->db, records, 16));
    api_assert_all(api, "");
    letters_free(value);
}

static void every_timestamp_is_accepted_and_ordered_as_a_signed_number(void **state) {
    struct api *api = *state;
    api_put(api, "k", 0, "zero");
    api_put(api, "k", INT64_MAX, "last");
    api_put(api, "k", INT64_MIN, "first");
    api_put(api, "k", -1, "before");
    api_assert_all(api, "k@-9223372036854775808=first k@-1=before k@0=zero "
                        "k@9223372036854775807=last");
    api_assert_latest(api, "k", INT64_MAX, "last");
    api_assert_get(api, "k", INT64_MIN, "first");
}

static void a_key_may_hold_any_bytes(void **state) {
    struct api *api = *state;
    static const char *const keys[] = {"\0", "\0\0", "a\0b", "a", "\xff", "\xff\xff", "\x80"};
    static const size_t sizes[] = {1, 2, 3, 1, 1, 2, 1};
    for (size_t i = 0; i < 7; i++) {
        api_assert_ok(
            write_one(api, flowdb_bytes(keys[i], sizes[i]), flowdb_bytes(keys[i], sizes[i])));
        api_settle(api);
    }
    for (size_t i = 0; i < 7; i++)
        assert_stored(api, flowdb_bytes(keys[i], sizes[i]), flowdb_bytes(keys[i], sizes[i]));
}

/* ----------------------------------------------------------------------------- replacing */

static void writing_a_record_again_replaces_it(void **state) {
    struct api *api = *state;
    api_put(api, "k", 1, "old");
    api_put(api, "k", 2, "other");
    api_put(api, "k", 1, "new");
    api_assert_all(api, "k@1=new k@2=other");
    api_assert_get(api, "k", 1, "new");
    api_assert_latest(api, "k", 2, "other");
}

static void within_one_write_the_later_record_wins(void **state) {
    struct api *api = *state;
    flowdb_record records[3] = {{flowdb_str("k"), 1, FLOWDB_NEVER, flowdb_str("one")},
                                {flowdb_str("k"), 2, FLOWDB_NEVER, flowdb_str("other")},
                                {flowdb_str("k"), 1, FLOWDB_NEVER, flowdb_str("two")}};
    api_assert_ok(flowdb_write(api->db, records, 3));
    api_settle(api);
    api_assert_all(api, "k@1=two k@2=other");
}

static void within_a_batch_puts_and_deletes_apply_in_their_order(void **state) {
    struct api *api = *state;
    flowdb_batch *batch = flowdb_batch_create();
    flowdb_slice a = flowdb_str("a"), b = flowdb_str("b"), c = flowdb_str("c");
    api_put(api, "b", 5, "earlier");
    api_assert_ok(flowdb_batch_put(batch, a, 1, FLOWDB_NEVER, flowdb_str("gone")));
    api_assert_ok(flowdb_batch_delete(batch, a, 1));
    api_assert_ok(flowdb_batch_delete(batch, a, 2));
    api_assert_ok(flowdb_batch_put(batch, a, 2, FLOWDB_NEVER, flowdb_str("stays")));
    api_assert_ok(flowdb_batch_put(batch, b, 1, FLOWDB_NEVER, flowdb_str("gone")));
    api_assert_ok(flowdb_batch_delete_range(batch, b, c));
    api_assert_ok(flowdb_batch_put(batch, b, 2, FLOWDB_NEVER, flowdb_str("stays")));
    assert_int_equal(flowdb_batch_count(batch), 7);
    api_write_batch(api, batch);
    api_assert_all(api, "a@2=stays b@2=stays");
    flowdb_batch_destroy(batch);
}

/* ------------------------------------------------------------------------------- batches */

static void nothing_to_write_is_fine(void **state) {
    struct api *api = *state;
    flowdb_batch *batch = flowdb_batch_create();
    api_assert_ok(flowdb_write(api->db, NULL, 0));
    api_assert_ok(flowdb_write_batch(api->db, batch));
    assert_int_equal(flowdb_batch_count(batch), 0);
    api_assert_ok(flowdb_write_batch_owned(api->db, batch));
    flowdb_batch_destroy(NULL);
    api_assert_all(api, "");
}

static void a_batch_copies_what_is_added(void **state) {
    struct api *api = *state;
    char key[] = "key", value[] = "value";
    flowdb_batch *batch = flowdb_batch_create();
    api_assert_ok(flowdb_batch_put(batch, flowdb_str(key), 1, FLOWDB_NEVER, flowdb_str(value)));
    memset(key, 'x', 3);
    memset(value, 'x', 5);
    api_write_batch(api, batch);
    flowdb_batch_destroy(batch);
    api_assert_all(api, "key@1=value");
}

static void a_written_batch_can_be_written_again_extended_and_cleared(void **state) {
    struct api *api = *state;
    flowdb_batch *batch = flowdb_batch_create();
    flowdb_slice a = flowdb_str("a"), b = flowdb_str("b"), one = flowdb_str("1");
    api_assert_ok(flowdb_batch_put(batch, a, 1, FLOWDB_NEVER, one));
    api_write_batch(api, batch);
    assert_int_equal(flowdb_batch_count(batch), 1);
    api_put(api, "a", 1, "between");
    api_write_batch(api, batch);
    api_assert_all(api, "a@1=1");
    api_assert_ok(flowdb_batch_put(batch, b, 1, FLOWDB_NEVER, one));
    api_write_batch(api, batch);
    api_assert_all(api, "a@1=1 b@1=1");
    flowdb_batch_clear(batch);
    assert_int_equal(flowdb_batch_count(batch), 0);
    api_assert_ok(flowdb_batch_delete(batch, b, 1));
    api_write_batch(api, batch);
    flowdb_batch_destroy(batch);
    api_assert_all(api, "a@1=1");
}

static void a_batch_can_be_written_to_two_databases(void **state) {
    struct api *api = *state;
    char folder[API_PATH_BYTES];
    flowdb_config config = api->config;
    flowdb *other;
    api_folder_create(folder);
    config.data_dir = folder;
    api_assert_ok(flowdb_open(&config, &other));
    flowdb_batch *batch = flowdb_batch_create();
    api_assert_ok(flowdb_batch_put(batch, flowdb_str("a"), 1, FLOWDB_NEVER, flowdb_str("both")));
    api_put(api, "z", 1, "so-that-sequences-differ");
    api_write_batch(api, batch);
    api_assert_ok(flowdb_write_batch(other, batch));
    flowdb_batch_destroy(batch);
    struct api second = {.db = other};
    api_assert_all(&second, "a@1=both");
    api_assert_get(api, "a", 1, "both");
    api_assert_ok(flowdb_close(other));
    api_folder_remove(folder);
}

/* That it is freed either way is for the leak checker to say. */
static void an_owned_batch_is_written_and_taken_also_on_failure(void **state) {
    struct api *api = *state;
    api_close(api);
    api->config.default_ttl_secs = 3600;
    api_open(api);
    flowdb_batch *batch = flowdb_batch_create();
    int64_t future = INT64_C(4102444800000000);
    api_assert_ok(flowdb_batch_put(batch, flowdb_str("a"), 1, future, flowdb_str("owned")));
    api_assert_ok(flowdb_write_batch_owned(api->db, batch));
    api_settle(api);
    batch = flowdb_batch_create();
    api_assert_ok(flowdb_batch_put(batch, flowdb_str("b"), 1, future, flowdb_str("lost")));
    api_assert_ok(flowdb_batch_put(batch, flowdb_str("c"), INT64_MAX, FLOWDB_NEVER,
                                   flowdb_str("beyond the end of time")));
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "1", flowdb_write_batch_owned(api->db, batch));
    api_assert_all(api, "a@1=owned");
}

static void a_batch_larger_than_memtable_and_segment_is_one_batch(void **state) {
    struct api *api = *state;
    enum { RECORDS = 5000 };
    flowdb_range range = flowdb_range_prefix(flowdb_str("bulk"));
    flowdb_result result = {0};
    api_close(api);
    api->config.memtable_size_mb = 1;
    api->config.wal_segment_size_mb = 1;
    api_open(api);
    api_put(api, "a", 1, "before");
    flowdb_batch *batch = flowdb_batch_create();
    flowdb_slice value = letters('v', 1000);
    for (int64_t i = 0; i < RECORDS; i++)
        api_assert_ok(flowdb_batch_put(batch, flowdb_str("bulk"), i, FLOWDB_NEVER, value));
    api_write_batch(api, batch);
    api_put(api, "z", 1, "after");
    api_assert_ok(flowdb_query(api->db, &range, NULL, &result));
    assert_int_equal(result.count, RECORDS);
    for (size_t i = 0; i < RECORDS; i++)
        assert_int_equal(result.records[i].ts, i);
    flowdb_result_free(&result);
    api_reopen(api);
    api_assert_ok(flowdb_query(api->db, &range, NULL, &result));
    assert_int_equal(result.count, RECORDS);
    flowdb_result_free(&result);
    flowdb_batch_destroy(batch);
    letters_free(value);
}

/* ------------------------------------------------------------------------------- failures */

static void a_write_that_is_refused_names_the_record_and_writes_none(void **state) {
    struct api *api = *state;
    flowdb_record records[8];
    for (unsigned i = 0; i < 8; i++)
        records[i] = (flowdb_record){flowdb_str("k"), i, FLOWDB_NEVER, flowdb_str("v")};
    records[5].key = flowdb_bytes("", 0);
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "5", flowdb_write(api->db, records, 8));
    api_assert_all(api, "");
    records[5].key = flowdb_str("k");
    api_assert_ok(flowdb_write(api->db, records, 8));
    api_assert_latest(api, "k", 7, "v");
}

static void missing_arguments_are_refused(void **state) {
    struct api *api = *state;
    flowdb_result result = {0};
    flowdb_iterator *iterator = NULL;
    flowdb_range range = flowdb_range_all();
    flowdb_patch patch = {NULL, NULL};
    flowdb_slice key = flowdb_str("k"), hole = {NULL, 3};
    flowdb_record record = {key, 1, FLOWDB_NEVER, hole};
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "", flowdb_write(api->db, NULL, 1));
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "", flowdb_write(api->db, &record, 1));
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "", flowdb_write_batch(api->db, NULL));
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "", flowdb_write_batch_owned(api->db, NULL));
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "", flowdb_delete(api->db, hole, 1));
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "", flowdb_get(api->db, key, 1, NULL));
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "", flowdb_get(api->db, hole, 1, &result));
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "", flowdb_get_latest(api->db, key, NULL));
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "", flowdb_query(api->db, NULL, NULL, &result));
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "", flowdb_query(api->db, &range, NULL, NULL));
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "", flowdb_scan(api->db, NULL, NULL, &iterator));
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "", flowdb_scan(api->db, &range, NULL, NULL));
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "",
                     flowdb_patch_record(api->db, key, 1, NULL, &result));
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "",
                     flowdb_patch_record(api->db, flowdb_bytes(NULL, 0), 1, &patch, &result));
    assert_null(result.records);
    assert_null(iterator);
    api_assert_ok(flowdb_close(NULL));
    flowdb_iterator_destroy(NULL);
    flowdb_batch_destroy(NULL);
    flowdb_result_free(NULL);
    flowdb_result_free(&result);
}

static void *another_thread(void *argument) {
    struct api *api = argument;
    bool empty = flowdb_last_error()[0] == '\0';
    flowdb_result result = {0};
    flowdb_get(api->db, flowdb_bytes(NULL, 0), 1, &result);
    return empty && flowdb_last_error()[0] != '\0' ? api : NULL;
}

static void the_last_error_is_a_threads_own_and_survives_success(void **state) {
    struct api *api = *state;
    char before[1100];
    pthread_t thread;
    void *good;
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "", flowdb_write(api->db, NULL, 3));
    snprintf(before, sizeof before, "%s", flowdb_last_error());
    assert_true(before[0] != '\0');
    assert_int_equal(pthread_create(&thread, NULL, another_thread, api), 0);
    pthread_join(thread, &good);
    assert_non_null(good);
    assert_string_equal(flowdb_last_error(), before);
    api_put(api, "k", 1, "v");
    assert_string_equal(flowdb_last_error(), before);
}

/* --------------------------------------------------------------------------------- patch */

static void a_patch_changes_what_it_names_and_returns_the_record(void **state) {
    struct api *api = *state;
    int64_t expire_at = INT64_C(4102444800000000);
    flowdb_slice value = flowdb_str("new");
    flowdb_result result = {0};
    api_put(api, "k", 1, "old");
    api_assert_ok(flowdb_patch_record(api->db, flowdb_str("k"), 1, &(flowdb_patch){.value = &value},
                                      &result));
    api_settle(api);
    assert_int_equal(result.count, 1);
    assert_memory_equal(result.records[0].key.data, "k", 1);
    assert_memory_equal(result.records[0].value.data, "new", 3);
    assert_true(result.records[0].expire_at == FLOWDB_NEVER);
    flowdb_result_free(&result);
    api_assert_get(api, "k", 1, "new");
    api_assert_ok(flowdb_patch_record(api->db, flowdb_str("k"), 1,
                                      &(flowdb_patch){.expire_at = &expire_at}, &result));
    api_settle(api);
    assert_true(result.records[0].expire_at == expire_at);
    assert_memory_equal(result.records[0].value.data, "new", 3);
    flowdb_result_free(&result);
    api_assert_ok(flowdb_get(api->db, flowdb_str("k"), 1, &result));
    assert_true(result.records[0].expire_at == expire_at);
    flowdb_result_free(&result);
    api_assert_all(api, "k@1=new");
}

static void a_patch_of_nothing_returns_the_record_and_one_of_an_absent_record_fails(void **state) {
    struct api *api = *state;
    flowdb_slice value = flowdb_str("v");
    flowdb_patch nothing = {NULL, NULL}, something = {.value = &value};
    flowdb_result result = {0};
    api_put(api, "k", 1, "old");
    api_put(api, "deleted", 1, "x");
    api_delete(api, "deleted", 1);
    api_put_until(api, "expired", 1, 1000, "x");
    api_assert_ok(flowdb_patch_record(api->db, flowdb_str("k"), 1, &nothing, &result));
    assert_memory_equal(result.records[0].value.data, "old", 3);
    flowdb_result_free(&result);
    const char *absent[] = {"j", "deleted", "expired"};
    for (size_t i = 0; i < 3; i++)
        api_assert_fails(
            FLOWDB_NOT_FOUND, "",
            flowdb_patch_record(api->db, flowdb_str(absent[i]), 1, &something, &result));
    api_assert_fails(FLOWDB_NOT_FOUND, "",
                     flowdb_patch_record(api->db, flowdb_str("k"), 2, &nothing, NULL));
    assert_null(result.records);
    api_assert_ok(flowdb_patch_record(api->db, flowdb_str("k"), 1, &something, NULL));
    api_assert_all(api, "k@1=v");
}

static void a_patch_has_the_bounds_of_a_write(void **state) {
    struct api *api = *state;
    flowdb_slice value = letters('v', VALUE_MAX + 1);
    flowdb_patch patch = {.value = &value};
    flowdb_result result = {0};
    api_put(api, "k", 1, "old");
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "value",
                     flowdb_patch_record(api->db, flowdb_str("k"), 1, &patch, &result));
    assert_null(result.records);
    api_assert_all(api, "k@1=old");
    letters_free(value);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        API_TEST_EVERYWHERE(a_key_has_1_to_65535_bytes),
        API_TEST_EVERYWHERE(two_long_keys_that_differ_in_the_last_byte_are_two_keys),
        API_TEST_EVERYWHERE(a_value_has_0_to_16_mib),
        API_TEST(a_batch_has_the_same_bounds_and_stays_as_it_was_when_it_refuses),
        API_TEST(a_batch_over_256_mib_is_refused_and_stays_as_it_was),
        API_TEST_EVERYWHERE(every_timestamp_is_accepted_and_ordered_as_a_signed_number),
        API_TEST_EVERYWHERE(a_key_may_hold_any_bytes),
        API_TEST_EVERYWHERE(writing_a_record_again_replaces_it),
        API_TEST_EVERYWHERE(within_one_write_the_later_record_wins),
        API_TEST_EVERYWHERE(within_a_batch_puts_and_deletes_apply_in_their_order),
        API_TEST(nothing_to_write_is_fine),
        API_TEST(a_batch_copies_what_is_added),
        API_TEST_EVERYWHERE(a_written_batch_can_be_written_again_extended_and_cleared),
        API_TEST(a_batch_can_be_written_to_two_databases),
        API_TEST_EVERYWHERE(an_owned_batch_is_written_and_taken_also_on_failure),
        API_TEST_EVERYWHERE(a_batch_larger_than_memtable_and_segment_is_one_batch),
        API_TEST(a_write_that_is_refused_names_the_record_and_writes_none),
        API_TEST(missing_arguments_are_refused),
        API_TEST(the_last_error_is_a_threads_own_and_survives_success),
        API_TEST_EVERYWHERE(a_patch_changes_what_it_names_and_returns_the_record),
        API_TEST_EVERYWHERE(
            a_patch_of_nothing_returns_the_record_and_one_of_an_absent_record_fails),
        API_TEST(a_patch_has_the_bounds_of_a_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
