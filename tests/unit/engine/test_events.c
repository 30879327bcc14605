/* What the engine says that it did: each kind of event, with exact numbers and times. */
#include "engine_fixture.h"

#include <string.h>

#include "engine/engine.h"

/* Every sync of a table takes a second, which is then the time that a flush takes. */
static void turn_clock_at_sync(void *context, enum fault_op op, const char *path) {
    struct engine *engine = context;
    if (op == FAULT_SYNC && strstr(path, ".sst") != NULL) {
        atomic_fetch_add(&engine->clock.wall_us, 1000000);
        atomic_fetch_add(&engine->clock.monotonic_us, 1000000);
    }
}

static flowdb_events list(struct engine *engine) {
    flowdb_events events = {0};
    engine_assert_ok(flowdb_list_events(engine->db, &events));
    return events;
}

/* The last event, which must be of this kind; the caller frees *events. */
static const flowdb_event *last(struct engine *engine, flowdb_events *events,
                                flowdb_event_kind kind) {
    *events = list(engine);
    assert_true(events->count > 0);
    const flowdb_event *event = events->events[events->count - 1];
    assert_string_equal(flowdb_event_kind_name(event->kind), flowdb_event_kind_name(kind));
    return event;
}

static struct fl_event_totals totals_of(struct engine *engine, flowdb_event_kind kind) {
    struct fl_event_totals totals;
    fl_engine_event_totals(engine->db, kind, &totals);
    return totals;
}

static void an_open_is_the_first_event(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    flowdb_events events = list(engine);
    assert_int_equal(events.count, 1);
    assert_int_equal(events.events[0]->id, 1);
    assert_int_equal(events.events[0]->kind, FLOWDB_EVENT_OPEN);
    assert_int_equal(events.events[0]->inputs, 0);
    assert_int_equal(events.events[0]->outputs, 0);
    assert_true(events.events[0]->started_at == ENGINE_NOW);
    flowdb_events_free(&events);
    flowdb_events_free(&events);
    assert_null(events.owner);

    engine_put(engine, "a", 1, "x");
    engine_put(engine, "a", 1, "y");
    engine_put(engine, "b", 1, "z");
    engine_go_on_after_crash(engine);
    const flowdb_event *event = last(engine, &events, FLOWDB_EVENT_OPEN);
    assert_int_equal(event->id, 1);
    assert_int_equal(event->inputs, 1); /* log */
    assert_int_equal(event->records_in, 3);
    assert_int_equal(event->outputs, 1);
    assert_int_equal(event->records_out, 2);
    assert_true(event->bytes_out > 0);
    flowdb_events_free(&events);
}

static void a_flush_tells_what_became_of_the_memtable(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine->fault.hook = turn_clock_at_sync;
    engine->fault.hook_context = engine;
    engine_put(engine, "a", 1, "x");
    engine_put(engine, "a", 1, "y");
    engine_put(engine, "b", 1, "z");
    engine_delete(engine, "c", 1);
    engine_flush(engine);
    flowdb_events events;
    const flowdb_event *event = last(engine, &events, FLOWDB_EVENT_FLUSH);
    assert_int_equal(event->status, FLOWDB_OK);
    assert_true(event->started_at == ENGINE_NOW);
    assert_int_equal(event->duration_us, 1000000);
    assert_int_equal(event->inputs, 1);
    assert_int_equal(event->outputs, 1);
    assert_int_equal(event->records_in, 4);
    assert_int_equal(event->records_out, 3);
    const struct fl_version *version = engine->db->version;
    assert_int_equal(event->bytes_out, fl_table_properties(version->tables[0])->file_size);
    assert_true(event->bytes_in > 0);
    assert_string_equal(event->message, "4 entries in memory became 3 records of a table");
    flowdb_events_free(&events);

    struct fl_event_totals totals = totals_of(engine, FLOWDB_EVENT_FLUSH);
    assert_int_equal(totals.ended, 1);
    assert_int_equal(totals.running, 0);
    assert_int_equal(totals.duration_us, 1000000);
    assert_int_equal(totals.records_out, 3);
    /* With nothing to flush there is no event. */
    engine_flush(engine);
    assert_int_equal(totals_of(engine, FLOWDB_EVENT_FLUSH).ended, 1);
}

static void a_compaction_tells_its_inputs_and_outputs(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    engine_put(engine, "b", 1, "x");
    engine_flush(engine);
    engine_put(engine, "a", 1, "y");
    engine_flush(engine);
    const struct fl_version *version = engine->db->version;
    uint64_t bytes_in = fl_table_properties(version->tables[0])->file_size +
                        fl_table_properties(version->tables[1])->file_size;
    bool ran = false;
    engine_assert_ok(flowdb_compact(engine->db, &ran));
    assert_true(ran);
    flowdb_events events;
    const flowdb_event *event = last(engine, &events, FLOWDB_EVENT_COMPACTION);
    assert_int_equal(event->inputs, 2);
    assert_int_equal(event->outputs, 1);
    assert_int_equal(event->records_in, 3);
    assert_int_equal(event->records_out, 2);
    assert_int_equal(event->bytes_in, bytes_in);
    version = engine->db->version;
    assert_int_equal(event->bytes_out, fl_table_properties(version->tables[0])->file_size);
    assert_string_equal(event->message, "2 tables with 3 records became 1 with 2");
    flowdb_events_free(&events);
    /* Nothing to do is no event. */
    engine_assert_ok(flowdb_compact(engine->db, &ran));
    assert_false(ran);
    assert_int_equal(totals_of(engine, FLOWDB_EVENT_COMPACTION).ended, 1);
}

static void gc_counts_what_it_dropped(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put_until(engine, "a", 1, ENGINE_NOW + 10, "x");
    engine_put_until(engine, "b", 1, ENGINE_NOW + 10, "x");
    engine_flush(engine);
    engine_put(engine, "c", 1, "x");
    engine_flush(engine);
    atomic_fetch_add(&engine->clock.wall_us, 20);
    uint64_t purged;
    engine_assert_ok(flowdb_gc(engine->db, &purged));
    assert_int_equal(purged, 2);
    flowdb_events events;
    const flowdb_event *event = last(engine, &events, FLOWDB_EVENT_GC);
    assert_int_equal(event->inputs, 1);
    assert_int_equal(event->records_in, 2);
    assert_int_equal(event->outputs, 0);
    assert_true(event->started_at == ENGINE_NOW + 20);
    assert_string_equal(event->message, "1 tables with 2 expired records dropped");
    flowdb_events_free(&events);
}

static void a_failure_is_kept_with_its_sentence(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    engine->fault.path_part = ".sst";
    fault_fs_arm(&engine->fault, 1, true, FAULT_BEFORE, FLOWDB_NO_SPACE);
    assert_int_equal(flowdb_flush(engine->db), FLOWDB_NO_SPACE);
    char sentence[512];
    snprintf(sentence, sizeof sentence, "%s", flowdb_last_error());
    fault_fs_disarm(&engine->fault);
    flowdb_events events;
    const flowdb_event *event = last(engine, &events, FLOWDB_EVENT_FLUSH);
    assert_int_equal(event->status, FLOWDB_NO_SPACE);
    assert_int_equal(event->records_out, 0);
    assert_string_equal(event->message, sentence);
    flowdb_events_free(&events);
    struct fl_event_totals totals = totals_of(engine, FLOWDB_EVENT_FLUSH);
    assert_int_equal(totals.ended, 0);
    assert_int_equal(totals.failed, 1);
    assert_int_equal(totals.running, 0);
    assert_int_equal(totals.records_in, 0);
}

static void the_end_of_writes_is_an_event(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    engine->fault.ops = FAULT_MASK(FAULT_SYNC);
    fault_fs_arm(&engine->fault, 1, false, FAULT_BEFORE, FLOWDB_IO_ERROR);
    assert_int_equal(flowdb_sync(engine->db), FLOWDB_IO_ERROR);
    fault_fs_disarm(&engine->fault);
    flowdb_events events;
    const flowdb_event *event = last(engine, &events, FLOWDB_EVENT_WRITES_STOPPED);
    assert_int_equal(event->status, FLOWDB_READ_ONLY);
    assert_non_null(strstr(event->message, "a log could not be synced"));
    flowdb_events_free(&events);
    assert_int_equal(totals_of(engine, FLOWDB_EVENT_WRITES_STOPPED).ended, 1);
    assert_int_equal(flowdb_close(engine->db), FLOWDB_READ_ONLY);
    engine->db = NULL;
}

static void the_ring_keeps_the_last_and_their_numbers(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    enum { NOTES = FL_EVENTS_KEPT + 72 };
    for (unsigned i = 0; i < NOTES; i++)
        fl_engine_event_note(engine->db, FLOWDB_EVENT_RETRY, FLOWDB_IO_ERROR, "try %u", i);
    flowdb_events events = list(engine);
    assert_int_equal(events.count, FL_EVENTS_KEPT);
    for (unsigned i = 0; i < FL_EVENTS_KEPT; i++) {
        char expected[32];
        snprintf(expected, sizeof expected, "try %u", NOTES - FL_EVENTS_KEPT + i);
        assert_string_equal(events.events[i]->message, expected);
        assert_int_equal(events.events[i]->id, NOTES - FL_EVENTS_KEPT + i + 2);
    }
    flowdb_events_free(&events);
    assert_int_equal(totals_of(engine, FLOWDB_EVENT_RETRY).ended, NOTES);
    /* What is too long is cut. */
    char message[2 * FL_EVENT_MESSAGE];
    memset(message, 'm', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    fl_engine_event_note(engine->db, FLOWDB_EVENT_RETRY, FLOWDB_IO_ERROR, "%s", message);
    assert_int_equal(strlen(last(engine, &events, FLOWDB_EVENT_RETRY)->message),
                     FL_EVENT_MESSAGE - 1);
    flowdb_events_free(&events);
}

static void work_that_goes_on_is_counted_until_it_ends(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    struct fl_event one, other;
    fl_engine_event_begin(engine->db, FLOWDB_EVENT_CHECKPOINT, &one);
    fl_engine_event_begin(engine->db, FLOWDB_EVENT_CHECKPOINT, &other);
    assert_int_equal(totals_of(engine, FLOWDB_EVENT_CHECKPOINT).running, 2);
    fl_engine_event_forget(engine->db, &other);
    assert_int_equal(totals_of(engine, FLOWDB_EVENT_CHECKPOINT).running, 1);
    fl_engine_event_end(engine->db, &one, FLOWDB_DONE);
    struct fl_event_totals totals = totals_of(engine, FLOWDB_EVENT_CHECKPOINT);
    assert_int_equal(totals.running, 0);
    assert_int_equal(totals.ended + totals.failed, 0);
    flowdb_events events;
    const flowdb_event *event = last(engine, &events, FLOWDB_EVENT_CHECKPOINT);
    assert_int_equal(event->status, FLOWDB_DONE);
    assert_string_equal(event->message, "given up: the database is closing");
    flowdb_events_free(&events);
}

/* A monotonic clock never runs backwards, but one that did must give no time near 2^64. */
static void no_duration_is_negative(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    atomic_store(&engine->clock.monotonic_us, 1000);
    struct fl_event event;
    fl_engine_event_begin(engine->db, FLOWDB_EVENT_CHECKPOINT, &event);
    atomic_store(&engine->clock.monotonic_us, 10);
    fl_engine_event_end(engine->db, &event, FLOWDB_OK);
    flowdb_events events;
    assert_int_equal(last(engine, &events, FLOWDB_EVENT_CHECKPOINT)->duration_us, 0);
    flowdb_events_free(&events);
}

static void a_read_only_open_tells_what_it_holds_in_memory(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    engine_leave_crashed(engine);
    engine->config.read_only = true;
    engine_open(engine);
    flowdb_events events;
    const flowdb_event *event = last(engine, &events, FLOWDB_EVENT_OPEN);
    assert_int_equal(event->inputs, 1);
    assert_int_equal(event->records_in, 1);
    assert_int_equal(event->outputs, 0);
    flowdb_events_free(&events);
}

static void what_it_cannot_do_it_refuses(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    flowdb_events events = {.count = 77};
    assert_int_equal(flowdb_list_events(NULL, &events), FLOWDB_INVALID_ARGUMENT);
    assert_int_equal(flowdb_list_events(engine->db, NULL), FLOWDB_INVALID_ARGUMENT);
    engine->failing.calls = 0;
    engine->failing.fail_at = 1;
    assert_int_equal(flowdb_list_events(engine->db, &events), FLOWDB_NO_MEMORY);
    engine->failing.fail_at = 0;
    assert_int_equal(events.count, 77);
    assert_null(events.owner);
    flowdb_events_free(NULL);
    for (int kind = 0; kind < FL_EVENT_KINDS; kind++)
        assert_string_not_equal(flowdb_event_kind_name((flowdb_event_kind)kind), "unknown");
    assert_string_equal(flowdb_event_kind_name((flowdb_event_kind)FL_EVENT_KINDS), "unknown");
}

static void a_list_outlives_the_database(void **state) {
    struct engine *engine = *state;
    engine_open(engine);
    flowdb_events events = list(engine);
    engine_close(engine);
    assert_string_equal(events.events[0]->message, "0 entries of 0 logs read back into 0 tables");
    flowdb_events_free(&events);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(an_open_is_the_first_event),
        ENGINE_TEST(a_flush_tells_what_became_of_the_memtable),
        ENGINE_TEST(a_compaction_tells_its_inputs_and_outputs),
        ENGINE_TEST(gc_counts_what_it_dropped),
        ENGINE_TEST(a_failure_is_kept_with_its_sentence),
        ENGINE_TEST(the_end_of_writes_is_an_event),
        ENGINE_TEST(the_ring_keeps_the_last_and_their_numbers),
        ENGINE_TEST(work_that_goes_on_is_counted_until_it_ends),
        ENGINE_TEST(no_duration_is_negative),
        ENGINE_TEST(what_it_cannot_do_it_refuses),
        ENGINE_TEST(a_read_only_open_tells_what_it_holds_in_memory),
        ENGINE_TEST(a_list_outlives_the_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
