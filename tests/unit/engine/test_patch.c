/* A patch that other writes come in between: it reads under no lock, and must lose none of them. */
#include <string.h>

#include "engine/engine.h"
#include "engine_fixture.h"

/* Writes while the patch reads its record from the disk. */
struct intruder {
    struct engine *engine;
    void (*intrude)(struct engine *engine, unsigned time);
    unsigned times; /* left */
    unsigned done;
    bool busy; /* what it does reads as well */
};

static void on_read(void *context, enum fault_op op, const char *path) {
    struct intruder *intruder = context;
    if (op != FAULT_READ || strstr(path, ".sst") == NULL || intruder->times == 0 || intruder->busy)
        return;
    intruder->busy = true;
    intruder->times--;
    intruder->intrude(intruder->engine, ++intruder->done);
    intruder->busy = false;
}

static void open_with_record_on_disk(struct engine *engine) {
    engine->config.block_cache_capacity_mb = 0;
    engine_open(engine);
    engine_put(engine, "a", 1, "old");
    engine_flush(engine);
}

/* Patches the expiry, which keeps the value. */
static flowdb_status patch_expiry(struct engine *engine, flowdb_result *updated) {
    int64_t expire_at = ENGINE_NOW + ENGINE_HOUR;
    flowdb_patch patch = {.expire_at = &expire_at};
    return flowdb_patch_record(engine->db, flowdb_str("a"), 1, &patch, updated);
}

static flowdb_status patch_beside(struct engine *engine, void (*intrude)(struct engine *, unsigned),
                                  unsigned times, flowdb_result *updated) {
    open_with_record_on_disk(engine);
    struct intruder intruder = {.engine = engine, .intrude = intrude, .times = times};
    engine->fault.hook_context = &intruder;
    engine->fault.hook = on_read;
    flowdb_status status = patch_expiry(engine, updated);
    engine->fault.hook = NULL;
    assert_int_equal(intruder.times, 0);
    return status;
}

static void assert_patched(struct engine *engine, const char *value, flowdb_result *updated) {
    assert_true(fl_slice_equal(updated->records[0].value, flowdb_str(value)));
    flowdb_result_free(updated);
    flowdb_result found = {0};
    engine_assert_ok(flowdb_get(engine->db, flowdb_str("a"), 1, &found));
    assert_true(fl_slice_equal(found.records[0].value, flowdb_str(value)));
    assert_true(found.records[0].expire_at == ENGINE_NOW + ENGINE_HOUR);
    flowdb_result_free(&found);
}

static void write_it(struct engine *engine, unsigned time) {
    char value[16];
    snprintf(value, sizeof value, "new%u", time);
    engine_put(engine, "a", 1, value);
}

static void a_write_in_between_is_kept(void **state) {
    flowdb_result updated = {0};
    engine_assert_ok(patch_beside(*state, write_it, 1, &updated));
    assert_patched(*state, "new1", &updated);
}

static void write_another(struct engine *engine, unsigned time) {
    (void)time;
    engine_put(engine, "a", 2, "other time");
    engine_put(engine, "b", 1, "other key");
    engine_delete_range(engine, "b", "");
}

static void writes_to_other_records_do_not_matter(void **state) {
    flowdb_result updated = {0};
    engine_assert_ok(patch_beside(*state, write_another, 1, &updated));
    assert_patched(*state, "old", &updated);
}

static void write_and_flush(struct engine *engine, unsigned time) {
    write_it(engine, time);
    engine_flush(engine);
}

/* What was written is in no memtable any more. Each try reads the disk, and the last holds the lock,
   so the intruder must not come a fourth time. */
static void a_write_that_was_flushed_since_is_kept(void **state) {
    flowdb_result updated = {0};
    engine_assert_ok(patch_beside(*state, write_and_flush, 3, &updated));
    assert_patched(*state, "new3", &updated);
}

static void write_and_freeze(struct engine *engine, unsigned time) {
    write_it(engine, time);
    char key[16];
    size_t frozen = atomic_load(&engine->db->frozen_count);
    for (unsigned i = 0; atomic_load(&engine->db->frozen_count) == frozen; i++) {
        snprintf(key, sizeof key, "k%u", i);
        engine_put_large(engine, key);
    }
}

static void a_write_that_was_frozen_since_is_kept(void **state) {
    flowdb_result updated = {0};
    engine_assert_ok(patch_beside(*state, write_and_freeze, 1, &updated));
    assert_patched(*state, "new1", &updated);
}

static void delete_it(struct engine *engine, unsigned time) {
    (void)time;
    engine_delete(engine, "a", 1);
}

static void delete_its_range(struct engine *engine, unsigned time) {
    (void)time;
    engine_delete_range(engine, "a", "b");
}

static void a_delete_in_between_leaves_nothing_to_patch(void **state) {
    struct engine *engine = *state;
    flowdb_result updated = {0};
    assert_int_equal(patch_beside(engine, delete_it, 1, &updated), FLOWDB_NOT_FOUND);
    assert_null(updated.records);
    engine_assert_contents(engine, "");
    engine_close(engine);
    scratch_remove(engine->data);
    assert_int_equal(patch_beside(engine, delete_its_range, 1, &updated), FLOWDB_NOT_FOUND);
    engine_assert_contents(engine, "");
}

/* Nothing else is held up by the reading. */
static void an_empty_patch_only_reads(void **state) {
    struct engine *engine = *state;
    open_with_record_on_disk(engine);
    flowdb_patch patch = {0};
    flowdb_result updated = {0};
    uint64_t writes = engine->fault.counts[FAULT_WRITE];
    engine_assert_ok(flowdb_patch_record(engine->db, flowdb_str("a"), 1, &patch, &updated));
    assert_true(fl_slice_equal(updated.records[0].value, flowdb_str("old")));
    flowdb_result_free(&updated);
    assert_int_equal(engine->fault.counts[FAULT_WRITE], writes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(a_write_in_between_is_kept),
        ENGINE_TEST(writes_to_other_records_do_not_matter),
        ENGINE_TEST(a_write_that_was_flushed_since_is_kept),
        ENGINE_TEST(a_write_that_was_frozen_since_is_kept),
        ENGINE_TEST(a_delete_in_between_leaves_nothing_to_patch),
        ENGINE_TEST(an_empty_patch_only_reads),
    };
    return cmocka_run_group_tests_name("patch", tests, NULL, NULL);
}
