#include "fuzz/operations/view.h"

#include "base/bytes.h"
#include "engine/engine.h"

static const struct oracle_cell absent;

static struct oracle_time time_of(const struct life *life) {
    return (struct oracle_time){fl_engine_now(life->db), life->purged_us};
}

static const struct oracle_state *state_of(const struct life *life) {
    return &life->oracle.states[life->acknowledged];
}

/* ---------------------------------------------------------------------------------- ranges -- */

/* Keys there are, their beginnings, and bytes between them. */
static flowdb_slice take_key(struct bytes *bytes) {
    static const struct {
        const char *bytes;
        size_t size;
    } keys[] = {{"", 0},     {"\0", 1}, {"a", 1},           {"a\xff", 2},       {"b", 1},
                {"bb", 2},   {"m/", 2}, {"m/cpu,h=1", 9},   {"\xff", 1},        {"\xff\xff", 2},
                {"\0\0", 2}, {"c", 1},  {"m/cpu,h=11", 10}, {"\xff\xff\xff", 3}};
    unsigned key = bytes_below(bytes, sizeof keys / sizeof keys[0]);
    return flowdb_bytes(keys[key].bytes, keys[key].size);
}

/* A time there is, or one beside it, or the first or last of all. */
static int64_t take_time(struct bytes *bytes) {
    unsigned choice = bytes_below(bytes, ORACLE_TIMES * 3 + 2);
    if (choice >= ORACLE_TIMES * 3)
        return choice % 2 != 0 ? INT64_MIN : INT64_MAX;
    return oracle_time(choice / 3) + (int64_t)(choice % 3) - 1;
}

static flowdb_range take_range(struct bytes *bytes) {
    unsigned kind = bytes_below(bytes, 6);
    int64_t start = INT64_MIN, end = INT64_MAX;
    flowdb_slice first = {0}, last = {0};
    if (kind == 1 || kind == 3 || kind == 5) {
        start = take_time(bytes);
        end = take_time(bytes);
    }
    if (kind >= 2)
        first = take_key(bytes);
    if (kind >= 4)
        last = take_key(bytes);
    switch (kind) {
    case 0:
        return flowdb_range_all();
    case 1:
        return flowdb_range_time(start, end);
    case 2:
        return flowdb_range_prefix(first);
    case 3:
        return flowdb_range_prefix_time(first, start, end);
    case 4:
        return flowdb_range_keys(first, last);
    default:
        return flowdb_range_keys_time(first, last, start, end);
    }
}

static bool is_inside(const flowdb_range *range, unsigned cell) {
    flowdb_slice key = oracle_key(cell / ORACLE_TIMES), prefix = range->prefix;
    int64_t ts = oracle_time(cell % ORACLE_TIMES);
    return ts >= range->ts_start && ts <= range->ts_end && key.size >= prefix.size &&
           (prefix.size == 0 || memcmp(key.data, prefix.data, prefix.size) == 0) &&
           (range->key_start.size == 0 || fl_slice_compare(key, range->key_start) >= 0) &&
           (range->key_end.size == 0 || fl_slice_compare(key, range->key_end) <= 0);
}

/* --------------------------------------------------------------------------------- iterators -- */

void view_open(struct view *view, struct life *life, struct bytes *bytes) {
    flowdb_range range = take_range(bytes);
    flowdb_read_options options = flowdb_read_options_default();
    unsigned flags = (unsigned)bytes_take(bytes, 1);
    options.reverse = (flags & 1) != 0;
    options.fill_cache = (flags & 2) == 0;
    options.verify_checksums = (flags & 4) == 0;
    options.limit = (flags & 24) == 24 ? flags >> 5 : 0;
    *view = (struct view){.state = *state_of(life),
                          .time = time_of(life),
                          .reverse = options.reverse,
                          .limit = options.limit,
                          .at = options.reverse ? ORACLE_CELLS - 1 : 0,
                          .key = -1};
    for (unsigned cell = 0; cell < ORACLE_CELLS; cell++)
        view->inside[cell] = is_inside(&range, cell);
    expect(flowdb_scan(life->db, &range, &options, &view->iterator) == FLOWDB_OK);
}

void view_close(struct view *view) {
    flowdb_iterator_destroy(view->iterator);
    view->iterator = NULL;
}

/* What lies between is passed over, so it must not be there. */
static void pass(struct view *view, int to) {
    for (int step = view->reverse ? -1 : 1; view->at != to; view->at += step)
        expect(!view->inside[view->at] ||
               oracle_cell_matches(&view->state.cells[view->at], &absent, &view->time));
}

static void check_record(struct view *view, const flowdb_record *record) {
    unsigned cell = 0;
    struct oracle_cell found;
    expect(oracle_read_record(record, &cell, &found) && view->inside[cell]);
    expect(view->reverse ? (int)cell <= view->at : (int)cell >= view->at);
    pass(view, (int)cell);
    expect(oracle_cell_matches(&view->state.cells[cell], &found, &view->time));
    expect(view->limit == 0 || view->returned < view->limit);
    view->returned++;
    view->at += view->reverse ? -1 : 1;
    view->key = (int)(cell / ORACLE_TIMES);
}

static bool step(struct view *view, bool next_key) {
    flowdb_record record;
    int end = view->reverse ? -1 : ORACLE_CELLS;
    flowdb_status status = next_key ? flowdb_iterator_next_key(view->iterator, &record)
                                    : flowdb_iterator_next(view->iterator, &record);
    bool ended = view->limit != 0 && view->returned == view->limit;
    while (next_key && view->key >= 0 && view->at != end && view->at / ORACLE_TIMES == view->key)
        view->at += view->reverse ? -1 : 1;
    expect(status == FLOWDB_OK || status == FLOWDB_DONE);
    if (status == FLOWDB_OK)
        check_record(view, &record);
    else if (!ended)
        pass(view, end);
    return status == FLOWDB_OK;
}

static void seek(struct view *view, struct bytes *bytes) {
    flowdb_slice key = take_key(bytes);
    int64_t ts = take_time(bytes);
    if (key.size == 0)
        key = oracle_key(bytes_below(bytes, ORACLE_KEYS));
    expect(flowdb_iterator_seek(view->iterator, key, ts) == FLOWDB_OK);
    int at = 0, order = 1;
    for (; at < ORACLE_CELLS; at++) {
        int64_t other = oracle_time((unsigned)at % ORACLE_TIMES);
        order = fl_slice_compare(oracle_key((unsigned)at / ORACLE_TIMES), key);
        order = order != 0 ? order : (other > ts) - (other < ts);
        if (order >= 0)
            break;
    }
    view->at = view->reverse && (at == ORACLE_CELLS || order > 0) ? at - 1 : at;
    view->key = -1;
}

bool view_step(struct view *view, struct bytes *bytes) {
    unsigned how = bytes_below(bytes, 8);
    if (how == 7)
        seek(view, bytes);
    return step(view, how >= 5);
}

void view_finish(struct view *view) {
    while (step(view, false))
        continue;
    expect(!step(view, false)); /* an end stays an end */
}

/* ------------------------------------------------------------------------------------ points -- */

/* NOT_FOUND stands for an empty cell. */
static struct oracle_cell take_result(flowdb_status status, flowdb_result *result, unsigned *cell) {
    struct oracle_cell found = absent;
    expect(status == FLOWDB_OK || status == FLOWDB_NOT_FOUND);
    if (status == FLOWDB_OK)
        expect(result->count == 1 && oracle_read_record(&result->records[0], cell, &found));
    flowdb_result_free(result);
    return found;
}

void view_get(struct life *life, struct bytes *bytes) {
    unsigned wanted = bytes_below(bytes, ORACLE_CELLS), cell = wanted;
    flowdb_result result = {0};
    flowdb_status status = flowdb_get(life->db, oracle_key(wanted / ORACLE_TIMES),
                                      oracle_time(wanted % ORACLE_TIMES), &result);
    struct oracle_cell found = take_result(status, &result, &cell);
    struct oracle_time time = time_of(life);
    expect(cell == wanted && oracle_cell_matches(&state_of(life)->cells[wanted], &found, &time));
}

void view_latest(struct life *life, struct bytes *bytes) {
    unsigned key = bytes_below(bytes, ORACLE_KEYS), cell = key * ORACLE_TIMES;
    flowdb_result result = {0};
    flowdb_status status = flowdb_get_latest(life->db, oracle_key(key), &result);
    struct oracle_cell found = take_result(status, &result, &cell);
    struct oracle_time time = time_of(life);
    expect(cell / ORACLE_TIMES == key);
    for (unsigned at = (key + 1) * ORACLE_TIMES - 1; at > cell; at--)
        expect(oracle_cell_matches(&state_of(life)->cells[at], &absent, &time));
    expect(oracle_cell_matches(&state_of(life)->cells[cell], &found, &time));
}

void view_query(struct life *life, struct bytes *bytes) {
    flowdb_range range = take_range(bytes);
    flowdb_result result = {0};
    struct oracle_state found;
    struct oracle_time time = time_of(life);
    expect(flowdb_query(life->db, &range, NULL, &result) == FLOWDB_OK);
    expect(oracle_read(&result, &found));
    for (unsigned cell = 0; cell < ORACLE_CELLS; cell++)
        expect(is_inside(&range, cell)
                   ? oracle_cell_matches(&state_of(life)->cells[cell], &found.cells[cell], &time)
                   : found.cells[cell].value == 0);
    flowdb_result_free(&result);
}
