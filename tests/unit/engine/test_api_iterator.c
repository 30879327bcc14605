/* Iterators: snapshots, seeking, skipping keys, limits, ends. */
#include "api_fixture.h"

#include "support/seeded.h"

static void put_series(struct api *api) {
    static const char *const keys[] = {"a", "b", "c", "e"};
    static const char *const values[] = {"10", "20", "30"};
    for (int64_t ts = 0; ts < 3; ts++)
        for (unsigned i = 0; i < 4; i++)
            api_put(api, keys[i], 10 * (ts + 1), values[ts]);
}

/* From here on there are iterators, which do not outlive their database. */
static void stay_open(struct api *api) {
    if (api->place == API_REOPENED)
        api->place = API_TABLES;
}

static flowdb_iterator *scan_limited(struct api *api, flowdb_range range, bool reverse,
                                     size_t limit) {
    flowdb_read_options options = flowdb_read_options_default();
    flowdb_iterator *iterator = NULL;
    options.reverse = reverse;
    options.limit = limit;
    api_assert_ok(flowdb_scan(api->db, &range, &options, &iterator));
    return iterator;
}

static void next_returns_the_records_in_order_and_then_done_again_and_again(void **state) {
    struct api *api = *state;
    api_put(api, "a", 1, "x");
    api_put(api, "b", 1, "y");
    flowdb_iterator *iterator = api_scan(api, flowdb_range_all(), false);
    api_assert_next(iterator, "a@1=x");
    api_assert_next(iterator, "b@1=y");
    api_assert_next(iterator, "done");
    api_assert_next(iterator, "done");
    api_assert_next_key(iterator, "done");
    flowdb_iterator_destroy(iterator);
}

static void next_key_skips_what_is_left_of_the_current_key(void **state) {
    struct api *api = *state;
    put_series(api);
    flowdb_iterator *iterator = api_scan(api, flowdb_range_all(), false);
    api_assert_next_key(iterator, "a@10=10");
    api_assert_next_key(iterator, "b@10=10");
    api_assert_next(iterator, "b@20=20");
    api_assert_next_key(iterator, "c@10=10");
    api_assert_next(iterator, "c@20=20");
    api_assert_next(iterator, "c@30=30");
    api_assert_next_key(iterator, "e@10=10");
    api_assert_next_key(iterator, "done");
    api_assert_next(iterator, "done");
    flowdb_iterator_destroy(iterator);
}

static void next_key_backwards_returns_the_latest_record_of_each_key(void **state) {
    struct api *api = *state;
    put_series(api);
    flowdb_iterator *iterator = api_scan(api, flowdb_range_all(), true);
    api_assert_next_key(iterator, "e@30=30");
    api_assert_next_key(iterator, "c@30=30");
    api_assert_next(iterator, "c@20=20");
    api_assert_next_key(iterator, "b@30=30");
    api_assert_next_key(iterator, "a@30=30");
    api_assert_next_key(iterator, "done");
    flowdb_iterator_destroy(iterator);
}

/* What follows the longest key is longer than any key may be. */
static void next_key_passes_over_the_longest_key_and_its_like(void **state) {
    struct api *api = *state;
    enum { LONGEST = 65535 };
    char key[LONGEST] = {0};
    flowdb_record records[4] = {{flowdb_bytes(key, LONGEST - 1), 1, FLOWDB_NEVER, {"a", 1}},
                                {flowdb_bytes(key, LONGEST), 1, FLOWDB_NEVER, {"b", 1}},
                                {flowdb_bytes(key, LONGEST), 2, FLOWDB_NEVER, {"c", 1}},
                                {flowdb_bytes("\xff\xff", 2), 1, FLOWDB_NEVER, {"d", 1}}};
    static const char expected[2][3] = {{'a', 'b', 'd'}, {'d', 'c', 'a'}};
    memset(key, 'k', sizeof key - 1); /* the last byte is 0: the least after a shorter one */
    for (unsigned i = 0; i < 4; i++) {
        api_assert_ok(flowdb_write(api->db, &records[i], 1));
        api_settle(api);
    }
    for (unsigned reverse = 0; reverse < 2; reverse++) {
        flowdb_iterator *iterator = api_scan(api, flowdb_range_all(), reverse == 1);
        flowdb_record record;
        for (unsigned i = 0; i < 3; i++) {
            api_assert_ok(flowdb_iterator_next_key(iterator, &record));
            assert_int_equal(*(const char *)record.value.data, expected[reverse][i]);
        }
        api_assert_next_key(iterator, "done");
        flowdb_iterator_destroy(iterator);
    }
}

static void next_key_skips_keys_that_hold_nothing_live_in_the_range(void **state) {
    struct api *api = *state;
    put_series(api);
    api_delete_range(api, "b", "c");
    api_delete(api, "c", 20);
    flowdb_iterator *iterator = api_scan(api, flowdb_range_time(15, 25), false);
    api_assert_next_key(iterator, "a@20=20");
    api_assert_next_key(iterator, "e@20=20");
    api_assert_next_key(iterator, "done");
    flowdb_iterator_destroy(iterator);
}

static void seek_goes_forwards_and_backwards_to_the_first_record_at_or_after(void **state) {
    struct api *api = *state;
    put_series(api);
    flowdb_iterator *iterator = api_scan(api, flowdb_range_all(), false);
    api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("b"), 20));
    api_assert_next(iterator, "b@20=20");
    api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("b"), 21));
    api_assert_next(iterator, "b@30=30");
    api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("b"), 31));
    api_assert_next(iterator, "c@10=10");
    api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("d"), INT64_MIN));
    api_assert_next(iterator, "e@10=10");
    api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("a"), INT64_MIN));
    api_assert_next(iterator, "a@10=10");
    api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("z"), 0));
    api_assert_next(iterator, "done");
    api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("e"), 30));
    api_assert_next(iterator, "e@30=30");
    api_assert_next(iterator, "done");
    flowdb_iterator_destroy(iterator);
}

static void seek_in_reverse_goes_to_the_first_record_at_or_before(void **state) {
    struct api *api = *state;
    put_series(api);
    flowdb_iterator *iterator = api_scan(api, flowdb_range_all(), true);
    api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("b"), 20));
    api_assert_next(iterator, "b@20=20");
    api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("b"), 9));
    api_assert_next(iterator, "a@30=30");
    api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("d"), 0));
    api_assert_next(iterator, "c@30=30");
    api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("A"), 0));
    api_assert_next(iterator, "done");
    api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("z"), 0));
    api_assert_next(iterator, "e@30=30");
    flowdb_iterator_destroy(iterator);
}

static void seek_stays_inside_the_range(void **state) {
    struct api *api = *state;
    put_series(api);
    flowdb_range range = flowdb_range_keys_time(flowdb_str("b"), flowdb_str("c"), 15, 25);
    flowdb_iterator *iterator = api_scan(api, range, false);
    api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("a"), 0));
    api_assert_next(iterator, "b@20=20");
    api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("b"), 25));
    api_assert_next(iterator, "c@20=20");
    api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("e"), 0));
    api_assert_next(iterator, "done");
    flowdb_iterator_destroy(iterator);
    iterator = api_scan(api, range, true);
    api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("z"), 0));
    api_assert_rest(iterator, "c@20=20 b@20=20");
    flowdb_iterator_destroy(iterator);
}

static void seek_works_after_done(void **state) {
    struct api *api = *state;
    put_series(api);
    flowdb_iterator *iterator = api_scan(api, flowdb_range_prefix(flowdb_str("c")), false);
    api_assert_rest(iterator, "c@10=10 c@20=20 c@30=30");
    api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("c"), 20));
    api_assert_rest(iterator, "c@20=20 c@30=30");
    flowdb_iterator_destroy(iterator);
}

static void after_a_seek_there_is_no_current_key_to_skip(void **state) {
    struct api *api = *state;
    put_series(api);
    flowdb_iterator *iterator = api_scan(api, flowdb_range_all(), false);
    api_assert_next(iterator, "a@10=10");
    api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("a"), 20));
    api_assert_next_key(iterator, "a@20=20");
    api_assert_next_key(iterator, "b@10=10");
    flowdb_iterator_destroy(iterator);
}

static void a_limit_counts_what_was_returned_across_seeks_and_skips(void **state) {
    struct api *api = *state;
    put_series(api);
    flowdb_iterator *iterator = scan_limited(api, flowdb_range_all(), false, 4);
    api_assert_next(iterator, "a@10=10");
    api_assert_next_key(iterator, "b@10=10");
    api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("c"), 0));
    api_assert_next(iterator, "c@10=10");
    api_assert_next(iterator, "c@20=20");
    api_assert_next(iterator, "done");
    api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("a"), 0));
    api_assert_next(iterator, "done");
    api_assert_next_key(iterator, "done");
    flowdb_iterator_destroy(iterator);
}

static void a_scan_sees_the_database_as_it_was_when_it_was_opened(void **state) {
    struct api *api = *state;
    put_series(api);
    flowdb_iterator *forwards = api_scan(api, flowdb_range_prefix(flowdb_str("b")), false);
    flowdb_iterator *backwards = api_scan(api, flowdb_range_prefix(flowdb_str("b")), true);
    api_assert_next(forwards, "b@10=10");
    stay_open(api);
    api_put(api, "b", 20, "changed");
    api_put(api, "b", 15, "added");
    api_put(api, "b", 40, "added");
    api_delete(api, "b", 10);
    api_delete_range(api, "a", "z");
    api_put_until(api, "b", 30, 1000, "expired");
    api_assert_ok(flowdb_flush(api->db));
    api_assert_all(api, "");
    api_assert_rest(forwards, "b@20=20 b@30=30");
    api_assert_rest(backwards, "b@30=30 b@20=20 b@10=10");
    api_assert_ok(flowdb_iterator_seek(forwards, flowdb_str("b"), 15));
    api_assert_rest(forwards, "b@20=20 b@30=30");
    flowdb_iterator_destroy(forwards);
    flowdb_iterator_destroy(backwards);
}

static void a_range_is_borrowed_for_the_call_only(void **state) {
    struct api *api = *state;
    char start[] = "b", end[] = "c", prefix[] = "b";
    put_series(api);
    flowdb_range keys = flowdb_range_keys(flowdb_str(start), flowdb_str(end));
    flowdb_range prefixed = flowdb_range_prefix(flowdb_str(prefix));
    flowdb_iterator *one = api_scan(api, keys, false), *two = api_scan(api, prefixed, true);
    start[0] = end[0] = prefix[0] = 'z';
    memset(&keys, 0xff, sizeof keys);
    memset(&prefixed, 0xff, sizeof prefixed);
    api_assert_rest(one, "b@10=10 b@20=20 b@30=30 c@10=10 c@20=20 c@30=30");
    api_assert_rest(two, "b@30=30 b@20=20 b@10=10");
    flowdb_iterator_destroy(one);
    flowdb_iterator_destroy(two);
}

static void a_returned_record_is_valid_until_the_next_call(void **state) {
    struct api *api = *state;
    put_series(api);
    flowdb_iterator *iterator = api_scan(api, flowdb_range_all(), false);
    flowdb_record record;
    api_assert_ok(flowdb_iterator_next(iterator, &record));
    stay_open(api);
    for (unsigned i = 0; i < 20; i++)
        api_put(api, "a", 10, "changed-under-it");
    api_assert_ok(flowdb_flush(api->db));
    assert_int_equal(record.key.size, 1);
    assert_memory_equal(record.key.data, "a", 1);
    assert_memory_equal(record.value.data, "10", 2);
    flowdb_iterator_destroy(iterator);
}

static void close_with_iterators_alive_is_refused_and_changes_nothing(void **state) {
    struct api *api = *state;
    put_series(api);
    flowdb_iterator *one = api_scan(api, flowdb_range_prefix(flowdb_str("a")), false);
    flowdb_iterator *two = api_scan(api, flowdb_range_prefix(flowdb_str("e")), false);
    stay_open(api);
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "iterator", flowdb_close(api->db));
    api_put(api, "f", 1, "still-open");
    api_assert_rest(one, "a@10=10 a@20=20 a@30=30");
    flowdb_iterator_destroy(one);
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "iterator", flowdb_close(api->db));
    flowdb_iterator_destroy(two);
    api_reopen(api);
    api_assert_get(api, "f", 1, "still-open");
}

static void an_iterator_over_nothing_is_done_at_once(void **state) {
    struct api *api = *state;
    flowdb_iterator *iterator = api_scan(api, flowdb_range_all(), false);
    api_assert_next(iterator, "done");
    api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("a"), 0));
    api_assert_next_key(iterator, "done");
    flowdb_iterator_destroy(iterator);
    put_series(api);
    iterator = api_scan(api, flowdb_range_keys(flowdb_str("x"), flowdb_str("b")), true);
    api_assert_next(iterator, "done");
    api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("c"), 20));
    api_assert_next(iterator, "done");
    flowdb_iterator_destroy(iterator);
}

static void done_leaves_the_record_untouched(void **state) {
    struct api *api = *state;
    flowdb_iterator *iterator = api_scan(api, flowdb_range_all(), false);
    flowdb_record record;
    memset(&record, 0x5a, sizeof record);
    flowdb_record before = record;
    assert_int_equal(flowdb_iterator_next(iterator, &record), FLOWDB_DONE);
    assert_int_equal(flowdb_iterator_next_key(iterator, &record), FLOWDB_DONE);
    assert_memory_equal(&record, &before, sizeof record);
    flowdb_iterator_destroy(iterator);
}

/* Many rows that are alike, which an iterator takes from its tables many at a time. */
enum { ALIKE_KEYS = 30, ALIKE_LONE = 4000, ALIKE_POINTS = 150, ALIKE_PARTS = 2, ALIKE_RUN = 75 };
#define ALIKE_ALL (ALIKE_KEYS * ALIKE_POINTS + ALIKE_LONE)

struct alike {
    char key[8], value[8];
    int64_t ts;
};

/* Series of points, then keys of one point each. Each batch has every other run of them. */
static struct alike *write_alike(struct api *api) {
    struct alike *all = calloc(ALIKE_ALL, sizeof *all);
    flowdb_batch *batches[ALIKE_PARTS] = {flowdb_batch_create(), flowdb_batch_create()};
    for (unsigned i = 0; i < ALIKE_ALL; i++) {
        bool lone = i >= ALIKE_KEYS * ALIKE_POINTS;
        unsigned number = lone ? i - ALIKE_KEYS * ALIKE_POINTS : i / ALIKE_POINTS;
        snprintf(all[i].key, sizeof all[i].key, "%c%04u", lone ? 'z' : 'a', number % 10000);
        snprintf(all[i].value, sizeof all[i].value, "%u.5", i % 1000);
        all[i].ts = lone ? 7 : 10 * (i % ALIKE_POINTS);
        api_assert_ok(flowdb_batch_put(batches[i / ALIKE_RUN % ALIKE_PARTS], flowdb_str(all[i].key),
                                       all[i].ts, FLOWDB_NEVER, flowdb_str(all[i].value)));
    }
    for (unsigned i = 0; i < ALIKE_PARTS; i++) {
        api_write_batch(api, batches[i]);
        flowdb_batch_destroy(batches[i]);
    }
    return all;
}

static void assert_alike(const flowdb_record *record, const struct alike *expected) {
    assert_int_equal(record->ts, expected->ts);
    assert_int_equal(record->key.size, strlen(expected->key));
    assert_memory_equal(record->key.data, expected->key, record->key.size);
    assert_int_equal(record->value.size, strlen(expected->value));
    assert_memory_equal(record->value.data, expected->value, record->value.size);
}

static unsigned next_key_of(const struct alike *all, unsigned at) {
    unsigned next = at + 1;
    while (next < ALIKE_ALL && strcmp(all[next].key, all[at].key) == 0)
        next++;
    return next;
}

/* Steps, skips and seeks as the dice say, against the array that was written. */
static void walk_alike(struct api *api, const struct alike *all, struct seeded *dice) {
    size_t limit = seeded_chance(dice, 30) ? 1 + seeded_below(dice, 300) : 0, returned = 0;
    flowdb_iterator *iterator = scan_limited(api, flowdb_range_all(), false, limit);
    unsigned next = 0; /* what comes next */
    for (bool at_hand = false; next < ALIKE_ALL && (limit == 0 || returned < limit);) {
        unsigned what = seeded_below(dice, 400);
        flowdb_record record;
        if (what < 3) {
            next = seeded_below(dice, ALIKE_ALL);
            api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str(all[next].key), all[next].ts));
            at_hand = false;
        }
        unsigned skipped = what < 6 && at_hand ? next_key_of(all, next - 1) : next;
        if (skipped == ALIKE_ALL)
            continue;
        next = skipped;
        api_assert_ok(what < 6 ? flowdb_iterator_next_key(iterator, &record)
                               : flowdb_iterator_next(iterator, &record));
        assert_alike(&record, &all[next++]);
        at_hand = true;
        returned++;
    }
    if (returned == limit || next == ALIKE_ALL)
        api_assert_next(iterator, "done");
    flowdb_iterator_destroy(iterator);
}

static void steps_skips_and_seeks_agree_where_many_rows_are_alike(void **state) {
    struct api *api = *state;
    struct seeded dice = seeded_begin("alike");
    struct alike *all = write_alike(api);
    for (unsigned round = 0; round < 40; round++)
        walk_alike(api, all, &dice);
    free(all);
}

/* ------------------------------------------------------------------------------- interrupts -- */

struct interrupt {
    unsigned asked;
    unsigned yes_at; /* which time it says yes; 0: never */
};

static bool ask(void *context) {
    struct interrupt *interrupt = context;
    return ++interrupt->asked == interrupt->yes_at;
}

/* So many records that no one sees, between two that are seen. */
enum { UNSEEN = 10000 };

static void put_unseen(struct api *api) {
    api_put(api, "a", 1, "first");
    flowdb_batch *batch = flowdb_batch_create();
    for (int ts = 0; ts < UNSEEN; ts++)
        api_assert_ok(
            flowdb_batch_put(batch, flowdb_str("b"), ts, FLOWDB_NEVER, flowdb_str("hidden")));
    api_write_batch(api, batch);
    flowdb_batch_destroy(batch);
    api_delete_range(api, "b", "c");
    api_put(api, "c", 1, "last");
    stay_open(api);
}

static flowdb_iterator *scan_interrupted(struct api *api, struct interrupt *interrupt,
                                         bool reverse) {
    flowdb_range all = flowdb_range_all();
    flowdb_read_options options = flowdb_read_options_default();
    flowdb_iterator *iterator = NULL;
    options.reverse = reverse;
    options.interrupt = ask;
    options.interrupt_context = interrupt;
    api_assert_ok(flowdb_scan(api->db, &all, &options, &iterator));
    return iterator;
}

static void a_call_that_passes_over_many_records_can_be_interrupted(void **state) {
    struct api *api = *state;
    put_unseen(api);
    for (int reverse = 0; reverse < 2; reverse++) {
        struct interrupt interrupt = {.yes_at = 2};
        flowdb_iterator *iterator = scan_interrupted(api, &interrupt, reverse == 1);
        flowdb_record record;
        api_assert_next(iterator, reverse == 1 ? "c@1=last" : "a@1=first");
        api_assert_fails(FLOWDB_INTERRUPTED, "interrupted",
                         flowdb_iterator_next(iterator, &record));
        assert_int_equal(interrupt.asked, 2);
        /* It goes on failing until it is put elsewhere. */
        api_assert_fails(FLOWDB_INTERRUPTED, "interrupted",
                         flowdb_iterator_next_key(iterator, &record));
        api_assert_ok(flowdb_iterator_seek(iterator, flowdb_str("c"), 1));
        api_assert_next(iterator, "c@1=last");
        flowdb_iterator_destroy(iterator);
    }
}

static void an_interrupt_that_says_no_changes_nothing(void **state) {
    struct api *api = *state;
    put_unseen(api);
    struct interrupt interrupt = {.yes_at = 0};
    flowdb_iterator *iterator = scan_interrupted(api, &interrupt, false);
    api_assert_rest(iterator, "a@1=first c@1=last");
    flowdb_iterator_destroy(iterator);
    /* Compaction may have dropped what is hidden in tables. */
    if (api->place == API_MEMORY)
        assert_int_equal(interrupt.asked, UNSEEN / 4096);
}

static void options_of_a_program_that_knows_no_interrupt_are_taken(void **state) {
    struct api *api = *state;
    put_unseen(api);
    struct interrupt interrupt = {.yes_at = 1};
    flowdb_range all = flowdb_range_all();
    flowdb_read_options options = flowdb_read_options_default();
    options.interrupt = ask;
    options.interrupt_context = &interrupt;
    options.struct_size = offsetof(flowdb_read_options, interrupt);
    flowdb_result result = {0};
    api_assert_ok(flowdb_query(api->db, &all, &options, &result));
    assert_int_equal(result.count, 2);
    assert_int_equal(interrupt.asked, 0);
    flowdb_result_free(&result);
    options.struct_size = sizeof options;
    api_assert_fails(FLOWDB_INTERRUPTED, "interrupted",
                     flowdb_query(api->db, &all, &options, &result));
    assert_null(result.records);
    options.struct_size = offsetof(flowdb_read_options, interrupt) - 1;
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "struct_size",
                     flowdb_query(api->db, &all, &options, &result));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        API_TEST_EVERYWHERE(next_returns_the_records_in_order_and_then_done_again_and_again),
        API_TEST_EVERYWHERE(next_key_skips_what_is_left_of_the_current_key),
        API_TEST_EVERYWHERE(next_key_backwards_returns_the_latest_record_of_each_key),
        API_TEST_EVERYWHERE(next_key_passes_over_the_longest_key_and_its_like),
        API_TEST_EVERYWHERE(next_key_skips_keys_that_hold_nothing_live_in_the_range),
        API_TEST_EVERYWHERE(seek_goes_forwards_and_backwards_to_the_first_record_at_or_after),
        API_TEST_EVERYWHERE(seek_in_reverse_goes_to_the_first_record_at_or_before),
        API_TEST_EVERYWHERE(seek_stays_inside_the_range),
        API_TEST_EVERYWHERE(seek_works_after_done),
        API_TEST_EVERYWHERE(after_a_seek_there_is_no_current_key_to_skip),
        API_TEST_EVERYWHERE(a_limit_counts_what_was_returned_across_seeks_and_skips),
        API_TEST_EVERYWHERE(a_scan_sees_the_database_as_it_was_when_it_was_opened),
        API_TEST_EVERYWHERE(a_range_is_borrowed_for_the_call_only),
        API_TEST_EVERYWHERE(a_returned_record_is_valid_until_the_next_call),
        API_TEST_EVERYWHERE(close_with_iterators_alive_is_refused_and_changes_nothing),
        API_TEST_EVERYWHERE(an_iterator_over_nothing_is_done_at_once),
        API_TEST(done_leaves_the_record_untouched),
        API_TEST_EVERYWHERE(steps_skips_and_seeks_agree_where_many_rows_are_alike),
        API_TEST(a_call_that_passes_over_many_records_can_be_interrupted),
        API_TEST_EVERYWHERE(an_interrupt_that_says_no_changes_nothing),
        API_TEST(options_of_a_program_that_knows_no_interrupt_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
