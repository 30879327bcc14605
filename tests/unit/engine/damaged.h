/*
 * A small database of which is known what each file holds, to be damaged: as a crash leaves it, with
 * tables, one of which came of a compaction, two logs, and a manifest of several edits.
 */
#ifndef TESTS_UNIT_ENGINE_DAMAGED_H
#define TESTS_UNIT_ENGINE_DAMAGED_H

#include "engine_fixture.h"

#include "engine/repair.h"

/* Where a write lies. In this order they were made. */
enum place { IN_OLD_TABLE, IN_NEW_TABLE, IN_OLD_LOG, IN_NEW_LOG, PLACES };

enum write_op { WRITE_PUT, WRITE_DELETE, WRITE_DELETE_RANGE };

struct write {
    enum write_op op;
    char key[8], end[8];
    int64_t ts;
    char value[24];
    enum place place;
};

enum { WRITES_MAX = 2048, FILES = 6 };

struct damaged_file {
    char path[SCRATCH_PATH];
    const char *name; /* in the directory; the end of the path */
    uint8_t *bytes;
    size_t size;
    bool holds[PLACES];
};

struct damaged {
    struct engine *engine;
    struct write writes[WRITES_MAX];
    size_t count;
    enum place place; /* of the writes that are being made */
    struct damaged_file files[FILES];
    size_t largest_block; /* rows */
};

/* Makes it in engine->copy; nothing is open. */
struct damaged *damaged_make(struct engine *engine);
void damaged_free(struct damaged *damaged);
/* All files as they were, nothing else. */
void damaged_restore(struct damaged *damaged);

/* Whatever is read now is right: an error, or what was written up to some write, of which those in
   tables are no part where `whole` is set. True where all is there. */
bool damaged_reads_right(struct damaged *damaged, const char *what);

/* Calls, with the problems counted. */
struct told {
    unsigned lines;
    char first[512];
    bool print;
};
void tell(void *context, const char *file, uint64_t offset, const char *what);
flowdb_status verify_copy(struct engine *engine, struct told *told);
flowdb_status repair_copy(struct engine *engine, struct told *told);

/*
 * After a repair: the directory verifies and opens; what it shows was written; nothing shows that a
 * delete or a newer version in a file other than `hurt` hides; and all is there but `lost_max` of
 * what `hurt`, or a log behind it, held.
 */
void damaged_assert_salvaged(struct damaged *damaged, const struct damaged_file *hurt,
                             size_t lost_max, const char *what);

#endif
