/* A database that was opened by a relative path, in a program that goes elsewhere. */
#include <string.h>
#include <unistd.h>

#include "engine/engine.h"
#include "engine_fixture.h"

static char before[SCRATCH_PATH];

static int set_up(void **state) {
    engine_set_up(state);
    struct engine *engine = *state;
    assert_non_null(getcwd(before, sizeof before));
    return chdir(engine->folder);
}

static int tear_down(void **state) {
    int left = chdir(before);
    return engine_tear_down(state) != 0 ? -1 : left;
}

static void use(struct engine *engine, const char *relative) {
    engine->config.data_dir = relative;
    engine_open(engine);
    engine_put(engine, "a", 1, "x");
    assert_int_equal(chdir("/"), 0);
    engine_flush(engine);
    engine_put(engine, "b", 1, "y");
    engine_assert_ok(flowdb_compact_all(engine->db));
    engine_assert_contents(engine, "a@1=x b@1=y");
    engine_close(engine);
    assert_int_equal(chdir(engine->folder), 0);
    engine_open(engine);
    engine_assert_contents(engine, "a@1=x b@1=y");
    engine_close(engine);
}

static void it_stays_where_it_was_opened(void **state) {
    use(*state, "one");
    use(*state, "./two");
    use(*state, ".//./three/below");
    assert_true(scratch_exists("three/below/CURRENT"));
}

static void it_may_be_the_working_directory_itself(void **state) {
    use(*state, ".");
    assert_true(scratch_exists("CURRENT"));
}

static void where_there_is_no_working_directory_open_says_so(void **state) {
    struct engine *engine = *state;
    engine->config.data_dir = "one";
    engine->fault.ops = FAULT_MASK(FAULT_WORKING_DIR);
    fault_fs_arm(&engine->fault, 1, false, FAULT_BEFORE, FLOWDB_NOT_FOUND);
    engine_assert_open_fails(engine, FLOWDB_NOT_FOUND, "working_dir");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(it_stays_where_it_was_opened),
        TEST(it_may_be_the_working_directory_itself),
        TEST(where_there_is_no_working_directory_open_says_so),
    };
    return cmocka_run_group_tests_name("working directory", tests, NULL, NULL);
}
