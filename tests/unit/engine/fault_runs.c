#include "fault_runs.h"

#include <stdlib.h>
#include <string.h>

const struct fault faults[FAULTS] = {
    {FAULT_BEFORE, FLOWDB_IO_ERROR, false}, {FAULT_HALFWAY, FLOWDB_NO_SPACE, false},
    {FAULT_AFTER, FLOWDB_IO_ERROR, false},  {FAULT_BEFORE, FLOWDB_IO_ERROR, true},
    {FAULT_HALFWAY, FLOWDB_NO_SPACE, true},
};

void prepare_seed(struct engine *engine) {
    scratch_remove(engine->data);
    engine_open(engine);
    engine_put(engine, "a", 1, "t1");
    engine_put(engine, "b", 1, "old");
    engine_flush(engine);
    engine_put_until(engine, "x", 1, ENGINE_NOW - ENGINE_HOUR, "garbage");
    engine_flush(engine);
    engine_put(engine, "a", 2, "t2");
    engine_put(engine, "b", 1, "t1");
    engine_put(engine, "d", 5, "t5");
    engine_close(engine);
    scratch_copy(engine->data, scratch_in(engine->folder, "seed"));
}

void prepare(struct engine *engine) {
    scratch_copy(scratch_in(engine->folder, "seed"), engine->data);
    engine_open(engine);
    engine_put(engine, "a", 2, "m2");
    engine_put(engine, "c", 1, "m1");
}

flowdb_record record_of(const char *key, int64_t ts, const char *value) {
    return (flowdb_record){
        .key = flowdb_str(key), .ts = ts, .expire_at = FLOWDB_NEVER, .value = flowdb_str(value)};
}

bool goes_on(struct engine *engine, const char *what) {
    flowdb_record record = record_of("z", 9, "on");
    flowdb_status status = flowdb_write(engine->db, &record, 1);
    if (status != FLOWDB_OK &&
        (status != FLOWDB_READ_ONLY || strstr(flowdb_last_error(), "reopen") == NULL))
        fail_msg("%s: then a write: %s: %s", what, flowdb_status_name(status), flowdb_last_error());
    return status == FLOWDB_OK;
}

static bool is_one_of(const char *text, const char *const possible[POSSIBLE_MAX]) {
    for (size_t i = 0; possible[i] != NULL; i++) {
        if (strcmp(text, possible[i]) == 0)
            return true;
    }
    return false;
}

void assert_one_of(struct engine *engine, const char *const possible[POSSIBLE_MAX], bool on,
                   const char *what) {
    flowdb_status status;
    char *text = engine_contents(engine->db, &status);
    engine_assert_ok(status);
    char *written = strstr(text, " z@9=on");
    if (written != NULL)
        *written = '\0';
    if (!is_one_of(text, possible))
        fail_msg("%s\n  found:    %s\n  expected: %s%s%s", what, text, possible[0],
                 possible[1] != NULL ? "\n  or:       " : "",
                 possible[1] != NULL ? possible[1] : "");
    if (on != (written != NULL))
        fail_msg("%s: what was written afterwards is %s", what, on ? "gone" : "there");
    free(text);
}

void assert_contents(struct engine *engine, const char *expected, bool on, const char *what) {
    const char *const possible[POSSIBLE_MAX] = {expected};
    assert_one_of(engine, possible, on, what);
}
