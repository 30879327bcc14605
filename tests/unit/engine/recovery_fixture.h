/* What tests of opening after a crash share: a database of several logs, and its files. */
#ifndef TESTS_UNIT_ENGINE_RECOVERY_FIXTURE_H
#define TESTS_UNIT_ENGINE_RECOVERY_FIXTURE_H

#include "engine_fixture.h"

#include "engine/engine.h"

size_t recovery_count(const char *folder, const char *sub, const char *part);
void recovery_remove(const char *path);

/* Fills four memtables without flushing any; the contents afterwards. */
const char *recovery_fill_chain(struct engine *engine);

/* The copy's first or last log. */
void recovery_find_log(struct engine *engine, bool last, char path[SCRATCH_PATH]);
uint8_t *recovery_read_last_log(struct engine *engine, char path[SCRATCH_PATH], size_t *size);

#endif
