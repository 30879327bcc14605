#include "recovery_fixture.h"

size_t recovery_count(const char *folder, const char *sub, const char *part) {
    return scratch_find(scratch_in(folder, sub), part, NULL, NULL);
}

void recovery_remove(const char *path) {
    assert_int_equal(fl_fs_remove(fl_fs_posix(), path), FLOWDB_OK);
}

const char *recovery_fill_chain(struct engine *engine) {
    engine_open(engine);
    engine_put(engine, "a", 1, "first");
    for (char key[] = "k0"; key[1] <= '9'; key[1]++)
        engine_put_large(engine, key);
    engine_put(engine, "a", 1, "last");
    engine_delete(engine, "k0", 0);
    assert_int_equal(recovery_count(engine->data, "wal", ".log"), 3);
    return "a@1=last k1@0=#300000 k2@0=#300000 k3@0=#300000 k4@0=#300000 k5@0=#300000 "
           "k6@0=#300000 k7@0=#300000 k8@0=#300000 k9@0=#300000";
}

void recovery_find_log(struct engine *engine, bool last, char path[SCRATCH_PATH]) {
    const char *folder = scratch_in(engine->copy, "wal");
    assert_true(scratch_find(folder, ".log", last ? NULL : path, last ? path : NULL) > 0);
}

uint8_t *recovery_read_last_log(struct engine *engine, char path[SCRATCH_PATH], size_t *size) {
    recovery_find_log(engine, true, path);
    return scratch_read(path, size);
}
