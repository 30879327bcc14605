/*
 * The policy by numbers alone: tables that exist only on paper, through months of a clock that the
 * test turns. What matters is bounded: how many tables there are, how often a byte is rewritten, how
 * much more is kept than what counts.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/compaction.h"
#include "engine_fixture.h"

#define HOUR ENGINE_HOUR
#define MB (UINT64_C(1) << 20)
enum { TABLES_MAX = 2000, ROUNDS_MAX = 50 };

struct paper {
    struct fl_compaction_policy policy;
    struct fl_compaction_table tables[TABLES_MAX];
    size_t count, count_max;
    uint64_t next_id, next_seq;
    uint64_t written, rewritten; /* bytes */
    uint64_t dropped;            /* as whole tables that had expired */
    int64_t ttl_us;              /* 0: nothing expires */
    uint64_t distinct; /* bytes of all keys there are: more in one table is overwritten; 0: any */
    struct failing_alloc failing;
};

/* Keys are two digits; a table has a range of them. */
static flowdb_slice key_of(unsigned hundredth) {
    static char names[101][3];
    snprintf(names[hundredth], sizeof names[0], "%02u", hundredth < 100 ? hundredth : 99);
    return flowdb_bytes(names[hundredth], 2);
}

static struct paper *begin(uint32_t threshold) {
    struct paper *paper = calloc(1, sizeof *paper);
    assert_non_null(paper);
    failing_alloc_init(&paper->failing);
    paper->policy = (struct fl_compaction_policy){.now_us = ENGINE_NOW,
                                                  .bucket_us = HOUR,
                                                  .threshold = threshold,
                                                  .small_bytes = 4 * MB,
                                                  .output_bytes = 512 * MB,
                                                  .budget = UINT64_MAX};
    return paper;
}

/* Adds a table, compressed to a fifth. */
static struct fl_compaction_table *add(struct paper *paper, int64_t min_ts, int64_t max_ts,
                                       uint64_t bytes) {
    assert_true(paper->count < TABLES_MAX);
    struct fl_compaction_table *table = &paper->tables[paper->count++];
    *table = (struct fl_compaction_table){.id = ++paper->next_id,
                                          .min_key = key_of(0),
                                          .max_key = key_of(99),
                                          .min_ts = min_ts,
                                          .max_ts = max_ts,
                                          .min_seq = paper->next_seq + 1,
                                          .max_seq = paper->next_seq + 10,
                                          .bytes = bytes,
                                          .file_size = bytes / 5};
    paper->next_seq += 10;
    return table;
}

static void remove_table(struct paper *paper, size_t at) {
    paper->tables[at] = paper->tables[--paper->count];
}

/* What of the table's times has expired. */
static double expired_share(const struct paper *paper, const struct fl_compaction_table *table) {
    int64_t before = paper->policy.now_us - paper->ttl_us;
    if (paper->ttl_us == 0 || before < table->min_ts)
        return 0;
    if (before >= table->max_ts)
        return 1;
    return (double)(before - table->min_ts) / (double)(table->max_ts - table->min_ts);
}

static void estimate(struct paper *paper) {
    for (size_t i = 0; i < paper->count; i++) {
        struct fl_compaction_table *table = &paper->tables[i];
        table->garbage = (uint64_t)(expired_share(paper, table) * (double)table->bytes);
    }
}

/* Bytes of the table whose times lie between, as if they were spread evenly. */
static double bytes_between(const struct fl_compaction_table *table, int64_t from, int64_t to) {
    double low = (double)FL_MAX(from, table->min_ts), high = (double)FL_MIN(to, table->max_ts + 1);
    double span = (double)table->max_ts + 1 - (double)table->min_ts;
    return high > low ? (double)table->bytes * ((high - low) / span) : 0;
}

/* One output for the times [from, to), split by size into tables side by side. */
static void add_outputs(struct paper *paper, const struct fl_compaction_table *inputs, size_t count,
                        int64_t from, int64_t to) {
    struct fl_compaction_table merged = {.min_seq = UINT64_MAX, .min_ts = to, .max_ts = from};
    double bytes = 0;
    for (size_t i = 0; i < count; i++) {
        double some = bytes_between(&inputs[i], from, to);
        if (some < 1)
            continue;
        bytes += some;
        merged.min_ts = FL_MIN(merged.min_ts, FL_MAX(inputs[i].min_ts, from));
        merged.max_ts = FL_MAX(merged.max_ts, FL_MIN(inputs[i].max_ts, to - 1));
        merged.min_seq = FL_MIN(merged.min_seq, inputs[i].min_seq);
        merged.max_seq = FL_MAX(merged.max_seq, inputs[i].max_seq);
    }
    if (bytes < 1)
        return;
    if (paper->distinct > 0)
        bytes = FL_MIN(bytes, (double)paper->distinct);
    unsigned parts = (unsigned)(bytes / 5 / (double)paper->policy.output_bytes) + 1;
    for (unsigned part = 0; part < parts; part++) {
        struct fl_compaction_table *table =
            add(paper, merged.min_ts, merged.max_ts, (uint64_t)bytes / parts);
        table->min_key = key_of(part * 100 / parts);
        table->max_key = key_of((part + 1) * 100 / parts - 1);
        table->min_seq = merged.min_seq;
        table->max_seq = merged.max_seq;
    }
}

static int descending(const void *left, const void *right) {
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    return a < b ? 1 : a > b ? -1 : 0;
}

static bool compact_once(struct paper *paper) {
    size_t chosen[FL_COMPACTION_INPUTS_MAX], count;
    estimate(paper);
    engine_assert_ok(fl_compaction_choose(&paper->failing.alloc, &paper->policy, paper->tables,
                                          paper->count, chosen, &count));
    if (count == 0)
        return false;
    struct fl_compaction_table inputs[FL_COMPACTION_INPUTS_MAX];
    int64_t cuts[FL_COMPACTION_CUTS_MAX], low = INT64_MAX, high = INT64_MIN;
    qsort(chosen, count, sizeof *chosen, descending);
    for (size_t i = 0; i < count; i++) {
        assert_true(i == 0 || chosen[i] != chosen[i - 1]);
        inputs[i] = paper->tables[chosen[i]];
        remove_table(paper, chosen[i]);
        low = FL_MIN(low, inputs[i].min_ts);
        high = FL_MAX(high, inputs[i].max_ts);
        /* Reading counts for nothing, but what is written does; what has expired is not. */
        double share = expired_share(paper, &inputs[i]);
        inputs[i].bytes -= (uint64_t)(share * (double)inputs[i].bytes);
        paper->rewritten += inputs[i].bytes;
        if (share > 0)
            inputs[i].min_ts = FL_MIN(paper->policy.now_us - paper->ttl_us, inputs[i].max_ts);
    }
    size_t cut_count =
        fl_compaction_cuts(low, high, paper->policy.now_us, paper->policy.bucket_us, cuts);
    for (size_t i = 0; i <= cut_count; i++)
        add_outputs(paper, inputs, count, i > 0 ? cuts[i - 1] : INT64_MIN,
                    i < cut_count ? cuts[i] : INT64_MAX);
    return true;
}

/* Whatever is written, it comes to rest. */
static void settle(struct paper *paper) {
    unsigned rounds = 0;
    while (compact_once(paper))
        assert_true(++rounds < ROUNDS_MAX);
    paper->count_max = FL_MAX(paper->count_max, paper->count);
}

static void drop_expired(struct paper *paper) {
    for (size_t i = paper->count; i-- > 0;) {
        if (expired_share(paper, &paper->tables[i]) < 1)
            continue;
        paper->dropped += paper->tables[i].bytes;
        remove_table(paper, i);
    }
}

static void flush(struct paper *paper, int64_t min_ts, int64_t max_ts, uint64_t bytes) {
    add(paper, min_ts, max_ts, bytes);
    paper->written += bytes;
    settle(paper);
}

static uint64_t stored(const struct paper *paper) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < paper->count; i++)
        bytes += paper->tables[i].bytes;
    return bytes;
}

static double rewrites(const struct paper *paper) {
    return (double)paper->rewritten / (double)paper->written;
}

static void end(struct paper *paper, const char *what) {
    printf("%s: at most %zu tables, each byte rewritten %.1f times\n", what, paper->count_max,
           paper->written > 0 ? rewrites(paper) : 0);
    assert_int_equal(paper->failing.live, 0);
    free(paper);
}

/* ------------------------------------------------------------------------------------ windows -- */

static void there_are_few_windows_however_long_the_history(void **state) {
    (void)state;
    struct fl_window_id last = {99, 0};
    size_t windows = 0;
    for (int64_t ts = ENGINE_NOW - 10 * ENGINE_YEAR; ts <= ENGINE_NOW; ts += HOUR / 4) {
        struct fl_window_id window = fl_compaction_window(ts, ENGINE_NOW, HOUR);
        windows += window.level != last.level || window.number != last.number;
        assert_true(window.level <= last.level); /* narrower and narrower */
        last = window;
    }
    assert_in_range(windows, 20, 40);
    assert_int_equal(last.level, 1);
    assert_int_equal(fl_compaction_window(ENGINE_NOW + 2 * HOUR, ENGINE_NOW, HOUR).level, 0);
    assert_int_equal(fl_compaction_window(INT64_MAX, ENGINE_NOW, HOUR).level, 0);
    assert_true(fl_compaction_window(INT64_MIN, ENGINE_NOW, HOUR).level > 10);
    assert_true(fl_compaction_window(-1, 0, HOUR).number == -1);
}

static void cuts_lie_where_windows_begin(void **state) {
    (void)state;
    struct seeded dice = seeded_begin("cuts");
    for (int round = 0; round < 2000; round++) {
        int64_t cuts[FL_COMPACTION_CUTS_MAX];
        int64_t min_ts = (int64_t)seeded_next(&dice), max_ts = (int64_t)seeded_next(&dice);
        if (round % 2 == 0) {
            min_ts = ENGINE_NOW - (int64_t)(seeded_next(&dice) % (5 * ENGINE_YEAR));
            max_ts = ENGINE_NOW + 3 * HOUR - (int64_t)(seeded_next(&dice) % (uint64_t)(9 * HOUR));
        }
        if (min_ts > max_ts)
            continue;
        size_t count = fl_compaction_cuts(min_ts, max_ts, ENGINE_NOW, HOUR, cuts);
        struct fl_window_id first = fl_compaction_window(min_ts, ENGINE_NOW, HOUR);
        struct fl_window_id last = fl_compaction_window(max_ts, ENGINE_NOW, HOUR);
        if (first.level == last.level && first.number == last.number)
            assert_int_equal(count, 0);
        for (size_t i = 0; i < count; i++) {
            assert_true(cuts[i] > min_ts && cuts[i] <= max_ts);
            assert_true(i == 0 || cuts[i] > cuts[i - 1]);
            assert_int_equal(cuts[i] % HOUR, 0);
        }
    }
}

/* --------------------------------------------------------------------------------- long runs -- */

static void months_of_records_in_order_of_time_are_few_tables(void **state) {
    (void)state;
    struct paper *paper = begin(2);
    for (int i = 0; i < 10000; i++) {
        int64_t now = paper->policy.now_us += HOUR / 6;
        flush(paper, now - HOUR / 6, now, 64 * MB);
    }
    /* Half a terabyte lies in full tables of 2.5 GB before compression; the others are few. */
    assert_true(paper->count < stored(paper) / (1280 * MB) + 60);
    assert_true(stored(paper) == paper->written || stored(paper) > paper->written / 1000 * 999);
    assert_true(rewrites(paper) < 12);
    end(paper, "in order of time");
}

static void records_that_overwrite_one_another_take_half_as_much_room_again(void **state) {
    (void)state;
    struct paper *paper = begin(2);
    paper->distinct = 2000 * MB;
    double most = 0;
    for (int i = 0; i < 10000; i++) {
        paper->policy.now_us += ENGINE_HOUR / 3600;
        flush(paper, ENGINE_NOW, ENGINE_NOW, 64 * MB);
        if (i > 200)
            most = FL_MAX(most, (double)stored(paper) / (double)paper->distinct);
    }
    printf("%.2f times the room\n", most);
    assert_true(most <= 1.55);
    assert_true(paper->count_max < 20);
    assert_true(rewrites(paper) < 8);
    end(paper, "overwriting");
}

static void what_expires_goes_by_whole_tables(void **state) {
    (void)state;
    struct paper *paper = begin(2);
    paper->ttl_us = 7 * ENGINE_DAY;
    double most = 0;
    for (int i = 0; i < 10000; i++) {
        int64_t now = paper->policy.now_us += HOUR / 6;
        drop_expired(paper);
        flush(paper, now - HOUR / 6, now, 64 * MB);
        double live = 7 * 24 * 6 * 64.0 * (double)MB;
        if (i > 7 * 24 * 6)
            most = FL_MAX(most, (double)stored(paper) / live);
    }
    printf("%.2f times what lives, %.0f %% dropped by whole tables\n", most,
           100 * (double)paper->dropped / (double)paper->written);
    assert_true(most <= 1.5);
    assert_true(paper->dropped > paper->written / 2);
    assert_true(rewrites(paper) < 12);
    end(paper, "expiring");
}

static void old_records_among_new_ones_find_their_windows(void **state) {
    (void)state;
    struct paper *paper = begin(2);
    for (int i = 0; i < 3000; i++) {
        int64_t now = paper->policy.now_us += HOUR / 6;
        flush(paper, i % 10 == 0 ? now - 2 * ENGINE_YEAR : now - HOUR / 6, now, 64 * MB);
    }
    /* What is two years old lies by itself: reading the last day opens little of it. */
    uint64_t spanning = 0;
    for (size_t i = 0; i < paper->count; i++) {
        const struct fl_compaction_table *table = &paper->tables[i];
        if (table->max_ts > paper->policy.now_us - ENGINE_DAY &&
            table->min_ts < paper->policy.now_us - 30 * ENGINE_DAY)
            spanning += table->bytes;
    }
    assert_true(spanning < stored(paper) / 20);
    assert_true(paper->count_max < 200);
    assert_true(rewrites(paper) < 20);
    end(paper, "backfilling");
}

static void records_from_the_future_are_like_others(void **state) {
    (void)state;
    struct paper *paper = begin(4);
    for (int i = 0; i < 3000; i++) {
        int64_t now = paper->policy.now_us += HOUR / 6;
        flush(paper, now - HOUR / 6, i % 7 == 0 ? INT64_MAX - 1 : now + HOUR / 60, 64 * MB);
    }
    assert_true(paper->count_max < 150);
    end(paper, "from the future");
}

/* ------------------------------------------------------------------------------- single choices -- */

static size_t choose(struct paper *paper, size_t *chosen) {
    size_t count;
    engine_assert_ok(fl_compaction_choose(&paper->failing.alloc, &paper->policy, paper->tables,
                                          paper->count, chosen, &count));
    return count;
}

/* Two tables that a merge was split into would otherwise be merged for ever. */
static void full_tables_side_by_side_are_left_alone(void **state) {
    (void)state;
    struct paper *paper = begin(2);
    size_t chosen[FL_COMPACTION_INPUTS_MAX];
    for (unsigned part = 0; part < 4; part++) {
        struct fl_compaction_table *table = add(paper, ENGINE_NOW, ENGINE_NOW, 2560 * MB);
        table->min_key = key_of(part * 25);
        table->max_key = key_of(part * 25 + 24);
    }
    assert_int_equal(choose(paper, chosen), 0);
    /* Another four over them are merged with them, all eight. */
    for (unsigned part = 0; part < 4; part++) {
        struct fl_compaction_table *table = add(paper, ENGINE_NOW, ENGINE_NOW, 2560 * MB);
        table->min_key = key_of(part * 25);
        table->max_key = key_of(part * 25 + 24);
    }
    assert_int_equal(choose(paper, chosen), 8);
    paper->policy.budget = 7 * 512 * MB;
    assert_int_equal(choose(paper, chosen), 0);
    end(paper, "full tables");
}

static void tables_of_different_windows_are_not_merged(void **state) {
    (void)state;
    struct paper *paper = begin(2);
    size_t chosen[FL_COMPACTION_INPUTS_MAX];
    add(paper, ENGINE_NOW - 30 * HOUR, ENGINE_NOW - 29 * HOUR, 64 * MB);
    add(paper, ENGINE_NOW - 2 * HOUR, ENGINE_NOW - 2 * HOUR, 64 * MB);
    assert_int_equal(choose(paper, chosen), 0);
    add(paper, ENGINE_NOW - 2 * HOUR, ENGINE_NOW - 2 * HOUR, 100 * MB);
    assert_int_equal(choose(paper, chosen), 2);
    paper->policy.threshold = 3;
    assert_int_equal(choose(paper, chosen), 0);
    end(paper, "windows");
}

/* Half the size of what it lies over is enough, where it does lie over it. */
static void what_is_overwritten_is_merged_with_what_lies_over_it(void **state) {
    (void)state;
    struct paper *paper = begin(2);
    size_t chosen[FL_COMPACTION_INPUTS_MAX];
    paper->policy.bucket_us = 10 * HOUR;
    int64_t begun = paper->policy.now_us = ENGINE_NOW / (10 * HOUR) * (10 * HOUR) + 9 * HOUR;
    begun -= 8 * HOUR;
    add(paper, begun, begun + HOUR, 2000 * MB);
    add(paper, begun, begun + HOUR, 700 * MB);
    add(paper, begun, begun + HOUR, 300 * MB);
    assert_int_equal(choose(paper, chosen), 3);
    paper->tables[2].file_size -= 2;
    assert_int_equal(choose(paper, chosen), 0);
    paper->tables[2].file_size += 2;
    /* The budget, the threshold, other keys and later times forbid it. */
    paper->policy.budget = 599 * MB;
    assert_int_equal(choose(paper, chosen), 0);
    paper->policy.budget = UINT64_MAX;
    paper->policy.threshold = 4;
    assert_int_equal(choose(paper, chosen), 0);
    paper->policy.threshold = 2;
    paper->tables[0].max_key = key_of(40);
    paper->tables[1].min_key = key_of(41);
    assert_int_equal(choose(paper, chosen), 0);
    paper->tables[1].min_key = key_of(40);
    assert_int_equal(choose(paper, chosen), 3);
    paper->tables[1].min_ts += HOUR / 2 + HOUR / 6;
    paper->tables[1].max_ts += HOUR / 2 + HOUR / 6;
    assert_int_equal(choose(paper, chosen), 0);
    /* So does it that they belong to a window of their own. */
    paper->tables[1].min_ts = begun;
    paper->tables[1].max_ts = begun + 9 * HOUR;
    assert_int_equal(choose(paper, chosen), 0);
    end(paper, "overwritten");
}

static void garbage_is_merged_with_what_it_hides(void **state) {
    (void)state;
    struct paper *paper = begin(4);
    size_t chosen[FL_COMPACTION_INPUTS_MAX];
    add(paper, ENGINE_NOW - 90 * HOUR, ENGINE_NOW - 9 * HOUR, 300 * MB);
    add(paper, ENGINE_NOW - 500 * HOUR, ENGINE_NOW - 400 * HOUR, 100 * MB);
    struct fl_compaction_table *table =
        add(paper, ENGINE_NOW - 10 * HOUR, ENGINE_NOW - 2 * HOUR, 100 * MB);
    table->garbage = 80 * MB;
    assert_int_equal(choose(paper, chosen), 0); /* 80 of 500 */
    table->bytes = 250 * MB;
    table->garbage = 200 * MB;
    assert_int_equal(choose(paper, chosen), 2);
    assert_int_equal(chosen[0] + chosen[1], 2); /* the first and the last */
    /* What is newer than the garbage hides nothing of it that matters. */
    add(paper, ENGINE_NOW - 10 * HOUR, ENGINE_NOW - 9 * HOUR, 30 * MB);
    assert_int_equal(choose(paper, chosen), 2);
    paper->policy.budget = 60 * MB;
    assert_int_equal(choose(paper, chosen), 0);
    paper->policy.budget = UINT64_MAX;
    /* What would have to be rewritten with the one is too much; the other lies alone. */
    paper->tables[2].garbage = 80 * MB;
    table = add(paper, ENGINE_NOW - 1000 * HOUR, ENGINE_NOW - 900 * HOUR, 200 * MB);
    table->garbage = 150 * MB;
    assert_int_equal(choose(paper, chosen), 1);
    assert_int_equal(chosen[0], 4);
    end(paper, "garbage");
}

static void without_memory_nothing_is_chosen_and_it_says_so(void **state) {
    (void)state;
    struct paper *paper = begin(2);
    size_t chosen[FL_COMPACTION_INPUTS_MAX], count = 7;
    add(paper, ENGINE_NOW, ENGINE_NOW, MB);
    add(paper, ENGINE_NOW, ENGINE_NOW, MB);
    paper->failing.fail_at = paper->failing.calls + 1;
    assert_int_equal(fl_compaction_choose(&paper->failing.alloc, &paper->policy, paper->tables,
                                          paper->count, chosen, &count),
                     FLOWDB_NO_MEMORY);
    assert_int_equal(count, 0);
    free(paper);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_are_few_windows_however_long_the_history),
        cmocka_unit_test(cuts_lie_where_windows_begin),
        cmocka_unit_test(months_of_records_in_order_of_time_are_few_tables),
        cmocka_unit_test(records_that_overwrite_one_another_take_half_as_much_room_again),
        cmocka_unit_test(what_expires_goes_by_whole_tables),
        cmocka_unit_test(old_records_among_new_ones_find_their_windows),
        cmocka_unit_test(records_from_the_future_are_like_others),
        cmocka_unit_test(full_tables_side_by_side_are_left_alone),
        cmocka_unit_test(tables_of_different_windows_are_not_merged),
        cmocka_unit_test(what_is_overwritten_is_merged_with_what_lies_over_it),
        cmocka_unit_test(garbage_is_merged_with_what_it_hides),
        cmocka_unit_test(without_memory_nothing_is_chosen_and_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
