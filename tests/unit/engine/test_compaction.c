/*
 * Compactions of any tables together must change nothing that a reader can see: random subsets are
 * merged, and the contents compared with a plain array that was told the same writes.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/compaction.h"
#include "engine_fixture.h"

enum { KEYS = 12, TIMES = 300, VALUE = 16 };

/* What was last written at a place. */
struct cell {
    bool there;
    int64_t expire_at;
    char value[VALUE];
};

struct world {
    struct engine *engine;
    struct seeded dice;
    struct cell cells[KEYS][TIMES];
    unsigned written;
};

static void name_key(char name[8], unsigned key) {
    snprintf(name, 8, "k%02u", key);
}

static void put(struct world *world, unsigned key, unsigned time, int64_t expire_at) {
    struct cell *cell = &world->cells[key][time];
    char name[8];
    name_key(name, key);
    *cell = (struct cell){.there = true, .expire_at = expire_at};
    snprintf(cell->value, sizeof cell->value, "v%u", world->written++);
    engine_put_until(world->engine, name, time, expire_at, cell->value);
}

static void delete (struct world *world, unsigned key, unsigned time) {
    char name[8];
    name_key(name, key);
    world->cells[key][time].there = false;
    engine_delete(world->engine, name, time);
}

static void delete_keys(struct world *world, unsigned first, unsigned end) {
    char low[8], high[8];
    name_key(low, first);
    name_key(high, end);
    for (unsigned key = first; key < end && key < KEYS; key++) {
        for (unsigned time = 0; time < TIMES; time++)
            world->cells[key][time].there = false;
    }
    engine_delete_range(world->engine, low, high);
}

static int64_t some_expiry(struct world *world) {
    int64_t now = world->engine->clock.wall_us;
    switch (seeded_below(&world->dice, 4)) {
    case 0:
        return now + (int64_t)(1 + seeded_below(&world->dice, 12)) * ENGINE_HOUR;
    case 1:
        return now - ENGINE_HOUR; /* never seen, and yet it hides what is beneath */
    default:
        return FLOWDB_NEVER;
    }
}

/* A table's worth: a stretch of points of a few keys, and something here and there. */
static void write_some(struct world *world) {
    struct seeded *dice = &world->dice;
    unsigned first = seeded_below(dice, KEYS), keys = 1 + seeded_below(dice, 3);
    unsigned from = seeded_below(dice, TIMES), length = seeded_below(dice, 120);
    bool expires = seeded_chance(dice, 30);
    int64_t expire_at = some_expiry(world);
    for (unsigned key = first; key < first + keys && key < KEYS; key++) {
        for (unsigned time = from; time < from + length && time < TIMES; time++)
            put(world, key, time, expires ? expire_at : FLOWDB_NEVER);
    }
    for (unsigned n = seeded_below(dice, 30); n > 0; n--) {
        unsigned key = seeded_below(dice, KEYS), time = seeded_below(dice, TIMES);
        if (seeded_chance(dice, 40))
            delete (world, key, time);
        else
            put(world, key, time, some_expiry(world));
    }
    if (seeded_chance(dice, 25)) {
        unsigned start = seeded_below(dice, KEYS);
        delete_keys(world, start, start + 1 + seeded_below(dice, 3));
    }
    if (seeded_chance(dice, 30))
        put(world, seeded_below(dice, KEYS), seeded_below(dice, TIMES), FLOWDB_NEVER);
}

/* All that there is, against the cells; returns how many records there should be. */
static size_t check(struct world *world, flowdb_iterator *iterator, struct cell (*cells)[TIMES],
                    int64_t now) {
    flowdb_record record;
    size_t live = 0;
    for (unsigned key = 0; key < KEYS; key++) {
        for (unsigned time = 0; time < TIMES; time++) {
            const struct cell *cell = &cells[key][time];
            if (!cell->there || cell->expire_at <= now)
                continue;
            char name[8];
            name_key(name, key);
            engine_assert_ok(flowdb_iterator_next(iterator, &record));
            if (record.key.size != strlen(name) ||
                memcmp(record.key.data, name, record.key.size) != 0 || record.ts != time)
                fail_msg("%.*s@%lld where %s@%u should be", (int)record.key.size,
                         (const char *)record.key.data, (long long)record.ts, name, time);
            assert_int_equal(record.value.size, strlen(cell->value));
            assert_memory_equal(record.value.data, cell->value, record.value.size);
            assert_true(record.expire_at == cell->expire_at);
            live++;
        }
    }
    assert_int_equal(flowdb_iterator_next(iterator, &record), FLOWDB_DONE);
    (void)world;
    return live;
}

static size_t check_now(struct world *world) {
    flowdb_range all = flowdb_range_all();
    flowdb_iterator *iterator;
    engine_assert_ok(flowdb_scan(world->engine->db, &all, NULL, &iterator));
    size_t live = check(world, iterator, world->cells, world->engine->clock.wall_us);
    flowdb_iterator_destroy(iterator);
    return live;
}

/* Points too: they look into tables in another order than scans. */
static void check_gets(struct world *world) {
    for (unsigned n = 0; n < 60; n++) {
        unsigned key = seeded_below(&world->dice, KEYS), time = seeded_below(&world->dice, TIMES);
        const struct cell *cell = &world->cells[key][time];
        char name[8];
        name_key(name, key);
        flowdb_result result = {0};
        flowdb_status status = flowdb_get(world->engine->db, flowdb_str(name), time, &result);
        bool live = cell->there && cell->expire_at > world->engine->clock.wall_us;
        assert_int_equal(status, live ? FLOWDB_OK : FLOWDB_NOT_FOUND);
        if (live)
            assert_memory_equal(result.records[0].value.data, cell->value, strlen(cell->value));
        flowdb_result_free(&result);
    }
}

/* Outputs may be cut at any times, and at any size. */
static void choose_cuts(struct world *world, struct fl_compaction *compaction) {
    compaction->cut_count = seeded_below(&world->dice, FL_COMPACTION_CUTS_MAX + 1);
    compaction->output_bytes = seeded_chance(&world->dice, 50) ? 3000 : 0;
    for (size_t i = 0; i < compaction->cut_count; i++)
        compaction->cuts[i] =
            (i > 0 ? compaction->cuts[i - 1] : 0) + 1 + seeded_below(&world->dice, TIMES / 3);
}

static void compact_some(struct world *world) {
    flowdb *db = world->engine->db;
    struct fl_version *version = fl_engine_pin(db);
    struct fl_table *inputs[64];
    size_t count = 0;
    for (size_t i = 0; i < version->table_count && count < 64; i++) {
        if (seeded_chance(&world->dice, 35))
            inputs[count++] = version->tables[i];
    }
    struct fl_compaction some = {.inputs = inputs, .input_count = count};
    choose_cuts(world, &some);
    if (count > 0) {
        pthread_mutex_lock(&db->compaction_lock);
        engine_assert_ok(fl_compaction_run(db, &some));
        pthread_mutex_unlock(&db->compaction_lock);
    }
    fl_version_unref(version);
}

/* A snapshot is taken, things are compacted beneath it, and it is read. */
static void compact_beneath_a_snapshot(struct world *world) {
    struct cell(*before)[TIMES] = malloc(sizeof world->cells);
    memcpy(before, world->cells, sizeof world->cells);
    int64_t then = world->engine->clock.wall_us;
    flowdb_range all = flowdb_range_all();
    flowdb_iterator *iterator;
    engine_assert_ok(flowdb_scan(world->engine->db, &all, NULL, &iterator));
    write_some(world);
    engine_flush(world->engine);
    compact_some(world);
    check(world, iterator, before, then);
    flowdb_iterator_destroy(iterator);
    free(before);
}

static void count_tables(flowdb *db, uint64_t *rows, uint64_t *deletes, uint64_t *ranges) {
    struct fl_version *version = fl_engine_pin(db);
    *rows = *deletes = *ranges = 0;
    for (size_t i = 0; i < version->table_count; i++) {
        const struct fl_table_properties *properties = fl_table_properties(version->tables[i]);
        *rows += properties->row_count;
        *deletes += properties->delete_count;
        *ranges += properties->range_tombstone_count;
    }
    fl_version_unref(version);
}

static struct world *begin(void **state, const char *name) {
    struct world *world = calloc(1, sizeof *world);
    world->engine = *state;
    world->dice = seeded_begin(name);
    world->engine->config.compaction_threshold = 64;
    world->engine->config.block_size = 256;
    engine_open(world->engine);
    return world;
}

static void any_tables_may_be_merged_at_any_time(void **state) {
    struct world *world = begin(state, "any tables");
    struct engine *engine = *state;
    for (unsigned round = 0; round < 60; round++) {
        write_some(world);
        if (seeded_chance(&world->dice, 80))
            engine_flush(engine);
        if (seeded_chance(&world->dice, 60))
            compact_some(world);
        if (seeded_chance(&world->dice, 20))
            compact_beneath_a_snapshot(world);
        if (seeded_chance(&world->dice, 15))
            engine_assert_ok(flowdb_gc(engine->db, NULL));
        if (seeded_chance(&world->dice, 10))
            engine_reopen(engine);
        engine->clock.wall_us += ENGINE_HOUR / 2;
        engine->clock.monotonic_us += ENGINE_HOUR / 2;
        check_now(world);
        check_gets(world);
    }
    engine_assert_ok(flowdb_compact_all(engine->db));
    size_t live = check_now(world);
    uint64_t rows, deletes, ranges;
    count_tables(engine->db, &rows, &deletes, &ranges);
    assert_int_equal(rows, live);
    assert_int_equal(deletes, 0);
    assert_int_equal(ranges, 0);
    free(world);
}

/* A clock that jumps hides what it says has expired, but what a compaction does meanwhile must leave
   it there for when the clock is right again. */
static void a_clock_that_jumps_costs_no_records(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put_until(engine, "a", 1, ENGINE_NOW + ENGINE_HOUR, "soon");
    engine_put_until(engine, "b", 1, ENGINE_NOW + 300 * ENGINE_DAY, "late");
    engine_flush(engine);
    engine->clock.wall_us = ENGINE_NOW + ENGINE_YEAR;
    engine_assert_contents(engine, "");
    engine_assert_ok(flowdb_compact_all(engine->db));
    engine_assert_ok(flowdb_gc(engine->db, NULL));
    engine_close(engine);
    engine->clock.wall_us = ENGINE_NOW + 1;
    engine_open(engine);
    engine_assert_contents(engine, "a@1=soon b@1=late");
}

/* Every record of the newer table is expired, but the older one has what it hides. */
static void gc_keeps_an_expired_table_that_hides_something(void **state) {
    struct engine *engine = *state;
    engine->config.compaction_threshold = 64;
    engine_open(engine);
    engine_put(engine, "a", 1, "old");
    engine_put(engine, "b", 1, "other");
    engine_flush(engine);
    engine_put_until(engine, "a", 1, ENGINE_NOW - 1, "new");
    engine_flush(engine);
    engine_put_until(engine, "c", 1, ENGINE_NOW - 1, "garbage");
    engine_put_until(engine, "d", 1, ENGINE_NOW - 1, "garbage");
    engine_flush(engine);
    uint64_t purged = 0, rows, deletes, ranges;
    engine_assert_ok(flowdb_gc(engine->db, &purged));
    assert_int_equal(purged, 2);
    engine_assert_contents(engine, "b@1=other");
    count_tables(engine->db, &rows, &deletes, &ranges);
    assert_int_equal(rows, 3);
}

/* Tombstones go too when nothing is left for them to hide; they are no records. */
static void gc_drops_tombstones_that_hide_nothing(void **state) {
    struct engine *engine = *state;
    engine->config.compaction_threshold = 64;
    engine_open(engine);
    engine_put(engine, "a", 1, "kept");
    engine_put(engine, "b", 1, "hidden");
    engine_put(engine, "m", 1, "hidden too");
    engine_flush(engine);
    engine_delete(engine, "b", 1);
    engine_flush(engine);
    engine_delete_range(engine, "m", "n");
    engine_flush(engine);
    engine_delete(engine, "x", 1);
    engine_delete_range(engine, "y", "z");
    engine_flush(engine);
    uint64_t purged = 7, rows, deletes, ranges;
    engine_assert_ok(flowdb_gc(engine->db, &purged));
    assert_int_equal(purged, 0);
    count_tables(engine->db, &rows, &deletes, &ranges);
    assert_int_equal(deletes, 1);
    assert_int_equal(ranges, 1);
    engine_assert_contents(engine, "a@1=kept");
    engine_assert_ok(flowdb_compact_all(engine->db));
    count_tables(engine->db, &rows, &deletes, &ranges);
    assert_int_equal(rows + deletes + ranges, 1);
}

static uint64_t only_table(struct engine *engine) {
    struct fl_version *version = fl_engine_pin(engine->db);
    assert_int_equal(version->table_count, 1);
    uint64_t id = fl_table_id(version->tables[0]);
    fl_version_unref(version);
    return id;
}

static void a_table_that_is_as_it_should_be_is_not_rewritten(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    for (int64_t ts = 0; ts < 100; ts++) {
        char value[40];
        snprintf(value, sizeof value, "much like all the others: %lld", (long long)(ts * ts));
        engine_put_until(engine, "a", ts, ENGINE_NOW + (1 + ts) * ENGINE_HOUR, value);
    }
    engine_flush(engine);
    uint64_t flushed = only_table(engine);
    engine_assert_ok(flowdb_compact_all(engine->db));
    uint64_t compacted = only_table(engine);
    assert_true(compacted != flushed); /* it was compressed for speed */
    engine_assert_ok(flowdb_compact_all(engine->db));
    assert_true(only_table(engine) == compacted);
    engine->clock.wall_us += 2 * ENGINE_HOUR;
    engine->clock.monotonic_us += 2 * ENGINE_HOUR;
    engine_assert_ok(flowdb_compact_all(engine->db));
    assert_true(only_table(engine) != compacted);
}

/* Half of what is there has expired: nobody asks, and yet it goes. */
static void garbage_goes_by_itself(void **state) {
    struct engine *engine = *state;
    uint64_t rows, deletes, ranges;
    bool ran = true;
    engine_open(engine);
    for (int64_t ts = 0; ts < 100; ts++)
        engine_put_until(engine, "a", ts, ENGINE_NOW + (1 + ts) * ENGINE_HOUR, "aaaaaaaaaaaaaaaa");
    engine_flush(engine);
    engine->clock.wall_us += 20 * ENGINE_HOUR;
    engine->clock.monotonic_us += 20 * ENGINE_HOUR;
    engine_assert_ok(flowdb_compact(engine->db, &ran));
    assert_false(ran); /* a fifth is too little */
    engine->clock.wall_us += 30 * ENGINE_HOUR;
    engine->clock.monotonic_us += 30 * ENGINE_HOUR;
    engine_assert_ok(flowdb_compact(engine->db, &ran));
    assert_true(ran);
    count_tables(engine->db, &rows, &deletes, &ranges);
    assert_int_equal(rows, 50);
    engine_assert_ok(flowdb_compact(engine->db, &ran));
    assert_false(ran);
    /* And what a range tombstone hides. */
    engine_put(engine, "b", ENGINE_NOW, "bbbbbbbbbbbbbbbbbbbbbbbbbb");
    engine_delete_range(engine, "a", "b");
    engine_flush(engine);
    for (unsigned round = 0; ran || round == 0; round++) {
        assert_true(round < 5);
        engine_assert_ok(flowdb_compact(engine->db, &ran));
    }
    engine_assert_ok(flowdb_gc(engine->db, NULL));
    count_tables(engine->db, &rows, &deletes, &ranges);
    assert_int_equal(rows, 1);
}

/* ---------------------------------------------------------------------- what is not copied -- */

static void put_stretch(struct engine *engine, const char *key, int64_t expire_at) {
    for (int64_t ts = 0; ts < 300; ts++) {
        char value[64];
        snprintf(value, sizeof value, "value %lld", (long long)ts * ts);
        engine_put_until(engine, key, ts, expire_at, value);
    }
}

static uint64_t rows_in_tables(struct engine *engine) {
    uint64_t rows, deletes, ranges;
    count_tables(engine->db, &rows, &deletes, &ranges);
    return rows + deletes + ranges;
}

/* Blocks of which nothing else has a row, but that hold what must go. */
static void blocks_with_rows_that_go_are_not_copied_whole(void **state) {
    struct engine *engine = *state;
    engine->config.block_size = 1024;
    engine_open(engine);
    put_stretch(engine, "expires", ENGINE_NOW + ENGINE_HOUR);
    put_stretch(engine, "hidden", FLOWDB_NEVER);
    put_stretch(engine, "stays", FLOWDB_NEVER);
    engine_flush(engine);
    assert_int_equal(rows_in_tables(engine), 900);
    engine_delete_range(engine, "h", "i");
    engine->clock.wall_us += 2 * ENGINE_HOUR;
    engine->clock.monotonic_us += 2 * ENGINE_HOUR;
    engine_assert_ok(flowdb_compact_all(engine->db));
    assert_int_equal(rows_in_tables(engine), 300);
}

/* The tombstone lies inside one block and covers neither its first key nor its last. */
static void a_tombstone_inside_a_block_is_seen(void **state) {
    struct engine *engine = *state;
    engine->config.block_size = 512;
    engine_open(engine);
    for (int key = 0; key < 26; key++) {
        char name[] = {(char)('a' + key), 0}, value[64];
        snprintf(value, sizeof value, "a value that fills blocks: %d .............", key);
        engine_put(engine, name, 0, value);
    }
    engine_flush(engine);
    for (int key = 1; key < 25; key += 2) {
        char start[] = {(char)('a' + key), 0}, end[] = {(char)('a' + key), '0', 0};
        engine_delete_range(engine, start, end);
    }
    engine_assert_ok(flowdb_compact_all(engine->db));
    assert_int_equal(rows_in_tables(engine), 14);
}

/* Rows in order of their keys, and yet each table holds what lies between two cuts. */
static void outputs_are_cut_by_time_and_by_size(void **state) {
    struct engine *engine = *state;
    engine->config.block_size = 256;
    engine->config.compaction_threshold = 64;
    engine_open(engine);
    put_stretch(engine, "a", FLOWDB_NEVER);
    put_stretch(engine, "b", FLOWDB_NEVER);
    engine_flush(engine);
    struct fl_version *version = fl_engine_pin(engine->db);
    struct fl_compaction cut = {.inputs = version->tables,
                                .input_count = version->table_count,
                                .cuts = {100, 250},
                                .cut_count = 2};
    pthread_mutex_lock(&engine->db->compaction_lock);
    engine_assert_ok(fl_compaction_run(engine->db, &cut));
    pthread_mutex_unlock(&engine->db->compaction_lock);
    fl_version_unref(version);
    version = fl_engine_pin(engine->db);
    assert_int_equal(version->table_count, 3);
    unsigned seen = 0;
    for (size_t i = 0; i < 3; i++) {
        const struct fl_table_properties *properties = fl_table_properties(version->tables[i]);
        assert_int_equal(properties->key_count, 2);
        seen += properties->min_ts == 0 && properties->max_ts == 99;
        seen += properties->min_ts == 100 && properties->max_ts == 249;
        seen += properties->min_ts == 250 && properties->max_ts == 299;
    }
    assert_int_equal(seen, 3);
    struct fl_compaction split = {
        .inputs = version->tables, .input_count = 3, .output_bytes = 1000};
    pthread_mutex_lock(&engine->db->compaction_lock);
    engine_assert_ok(fl_compaction_run(engine->db, &split));
    pthread_mutex_unlock(&engine->db->compaction_lock);
    fl_version_unref(version);
    /* The limit is a wish where one key has more: there a table may end inside it, a little later. */
    version = fl_engine_pin(engine->db);
    assert_true(version->table_count > 2);
    for (size_t i = 0; i < version->table_count; i++)
        assert_true(fl_table_properties(version->tables[i])->file_size < 1000 * 5 / 4 + 1000);
    fl_version_unref(version);
}

/* ------------------------------------------------------------------------- faults, and ends -- */

/* Two tables whose blocks are copied, and a third over both; what comes of them is known. */
static void prepare_merge(struct engine *engine) {
    engine->config.block_size = 256;
    engine->config.compaction_threshold = 64;
    scratch_remove(engine->data);
    engine_open(engine);
    put_stretch(engine, "a", FLOWDB_NEVER);
    engine_flush(engine);
    put_stretch(engine, "b", FLOWDB_NEVER);
    engine_flush(engine);
    engine_put(engine, "a", 0, "value 0");
    engine_put(engine, "b", 299, "value 89401");
    engine_flush(engine);
    engine_assert_ok(flowdb_sync(engine->db));
}

static void check_merge(struct engine *engine) {
    static char expected[600 * 24];
    if (expected[0] == '\0') {
        size_t used = 0;
        for (int i = 0; i < 600; i++)
            used += (size_t)snprintf(expected + used, sizeof expected - used, "%s%c@%d=value %d",
                                     i > 0 ? " " : "", i < 300 ? 'a' : 'b', i % 300,
                                     i % 300 * (i % 300));
    }
    flowdb_status status;
    char *contents = engine_contents(engine->db, &status);
    engine_assert_ok(status);
    assert_string_equal(contents, expected);
    free(contents);
}

static size_t table_files(struct engine *engine) {
    char first[SCRATCH_PATH], last[SCRATCH_PATH];
    return scratch_find(scratch_in(engine->data, "sst"), ".sst", first, last);
}

struct moment {
    struct engine *engine;
    uint64_t at, calls;
    bool crash;
    bool cut; /* into three outputs */
};

/* At the moment's call the process dies, as far as a copy of its files can tell, or begins to close
   the database. */
static void come_to_an_end(void *context, enum fault_op op, const char *path) {
    struct moment *moment = context;
    (void)op;
    (void)path;
    if (++moment->calls != moment->at)
        return;
    if (moment->crash)
        engine_crash(moment->engine);
    else
        atomic_store(&moment->engine->db->closing, true);
}

static flowdb_status compact_until(struct engine *engine, struct moment *moment) {
    struct fl_version *version = fl_engine_pin(engine->db);
    struct fl_compaction all = {.inputs = version->tables,
                                .input_count = version->table_count,
                                .cuts = {100, 200},
                                .cut_count = moment->cut ? 2 : 0};
    engine->fault.hook = come_to_an_end;
    engine->fault.hook_context = moment;
    pthread_mutex_lock(&engine->db->compaction_lock);
    flowdb_status status = fl_compaction_run(engine->db, &all);
    pthread_mutex_unlock(&engine->db->compaction_lock);
    engine->fault.hook = NULL;
    fl_version_unref(version);
    return status;
}

static void a_compaction_that_is_stopped_leaves_its_inputs(void **state) {
    struct engine *engine = *state;
    bool stopped_once = false;
    for (uint64_t at = 1;; at++) {
        prepare_merge(engine);
        struct moment moment = {.engine = engine, .at = at};
        flowdb_status status = compact_until(engine, &moment);
        atomic_store(&engine->db->closing, false);
        if (status == FLOWDB_DONE) {
            stopped_once = true;
            assert_int_equal(table_files(engine), 3);
        } else {
            engine_assert_ok(status);
            assert_int_equal(table_files(engine), 1);
        }
        check_merge(engine);
        engine_assert_ok(flowdb_compact_all(engine->db));
        check_merge(engine);
        engine_close(engine);
        if (moment.calls < at)
            break;
    }
    assert_true(stopped_once);
}

static void a_crash_at_any_file_operation_of_a_compaction_loses_nothing(void **state) {
    struct engine *engine = *state;
    for (uint64_t at = 1;; at++) {
        prepare_merge(engine);
        struct moment moment = {.engine = engine, .at = at, .crash = true, .cut = true};
        engine_assert_ok(compact_until(engine, &moment));
        engine_close(engine);
        if (moment.calls < at)
            break;
        engine_use_copy(engine);
        engine_open(engine);
        check_merge(engine);
        engine_assert_ok(flowdb_compact_all(engine->db));
        check_merge(engine);
        engine_close(engine);
        engine_use_original(engine);
    }
}

static void a_compaction_without_memory_leaves_its_inputs(void **state) {
    struct engine *engine = *state;
    struct moment never = {.engine = engine, .cut = true};
    for (uint64_t nth = 1;; nth++) {
        prepare_merge(engine);
        engine->failing.fail_at = engine->failing.calls + nth;
        flowdb_status status = compact_until(engine, &never);
        bool struck = engine->failing.calls >= engine->failing.fail_at;
        engine->failing.fail_at = 0;
        if (status != FLOWDB_OK) {
            assert_int_equal(status, FLOWDB_NO_MEMORY);
            assert_int_equal(table_files(engine), 3);
        }
        check_merge(engine);
        engine_close(engine);
        if (!struck)
            break;
    }
}

static void a_compaction_whose_files_fail_leaves_its_inputs(void **state) {
    static const enum fault_op ops[] = {FAULT_OPEN, FAULT_CREATE, FAULT_READ, FAULT_WRITE,
                                        FAULT_SIZE};
    struct engine *engine = *state;
    struct moment never = {.engine = engine};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        for (uint64_t nth = 1;; nth++) {
            prepare_merge(engine);
            engine->fault.ops = FAULT_MASK(ops[i]);
            engine->fault.path_part = "sst/";
            fault_fs_arm(&engine->fault, nth, false, FAULT_HALFWAY, FLOWDB_IO_ERROR);
            flowdb_status status = compact_until(engine, &never);
            bool struck = engine->fault.failures > 0;
            fault_fs_disarm(&engine->fault);
            engine->fault.ops = FAULT_MASK_ALL;
            engine->fault.path_part = NULL;
            assert_int_equal(status, struck ? FLOWDB_IO_ERROR : FLOWDB_OK);
            assert_int_equal(table_files(engine), struck ? 3 : 1);
            check_merge(engine);
            engine_close(engine);
            if (!struck)
                break;
        }
    }
}

/* ---------------------------------------------------------------------------------- memory -- */

struct pins {
    flowdb *db;
    unsigned writes;
    int64_t refs_max; /* of the current version, while tables were written */
};

static void count_pins(void *context, enum fault_op op, const char *path) {
    struct pins *pins = context;
    (void)path;
    if (op != FAULT_WRITE)
        return;
    pins->writes++;
    pins->refs_max = FL_MAX(pins->refs_max, atomic_load(&pins->db->version->refs));
}

/* A version holds its memtables, and compactions take long: memtables that are flushed meanwhile would
   stay, one after the other. */
static void a_compaction_holds_no_memtables(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    for (unsigned all = 0; all < 2; all++) {
        for (unsigned i = 0; i < 8; i++) {
            engine_put(engine, "key", (int64_t)i, "value");
            engine_flush(engine);
        }
        int64_t before = atomic_load(&engine->db->version->refs);
        struct pins pins = {engine->db, 0, 0};
        bool ran = true;
        engine->fault.hook = count_pins;
        engine->fault.hook_context = &pins;
        engine_assert_ok(all ? flowdb_compact_all(engine->db) : flowdb_compact(engine->db, &ran));
        engine->fault.hook = NULL;
        assert_true(ran && pins.writes > 0);
        assert_int_equal(pins.refs_max, before);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(any_tables_may_be_merged_at_any_time),
        ENGINE_TEST(a_clock_that_jumps_costs_no_records),
        ENGINE_TEST(gc_keeps_an_expired_table_that_hides_something),
        ENGINE_TEST(gc_drops_tombstones_that_hide_nothing),
        ENGINE_TEST(a_table_that_is_as_it_should_be_is_not_rewritten),
        ENGINE_TEST(garbage_goes_by_itself),
        ENGINE_TEST(blocks_with_rows_that_go_are_not_copied_whole),
        ENGINE_TEST(a_tombstone_inside_a_block_is_seen),
        ENGINE_TEST(outputs_are_cut_by_time_and_by_size),
        ENGINE_TEST(a_compaction_that_is_stopped_leaves_its_inputs),
        ENGINE_TEST(a_crash_at_any_file_operation_of_a_compaction_loses_nothing),
        ENGINE_TEST(a_compaction_without_memory_leaves_its_inputs),
        ENGINE_TEST(a_compaction_whose_files_fail_leaves_its_inputs),
        ENGINE_TEST(a_compaction_holds_no_memtables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
