/*
 * The real file system, or another, with calls that fail on demand.
 *
 * Calls that the test is interested in are counted, and the Nth of them fails: with nothing done,
 * with everything done and only the answer lost, or with half of a write done.
 */
#ifndef TESTS_SUPPORT_FAULT_FS_H
#define TESTS_SUPPORT_FAULT_FS_H

#include <pthread.h>
#include <stdatomic.h>

#include "fs/fs.h"

enum fault_op {
    FAULT_OPEN,
    FAULT_CREATE, /* fl_fs_open with FL_OPEN_CREATE */
    FAULT_READ,
    FAULT_WRITE,
    FAULT_SYNC,
    FAULT_TRUNCATE,
    FAULT_ALLOCATE,
    FAULT_SIZE,
    FAULT_CREATE_DIR,
    FAULT_REMOVE,
    FAULT_REMOVE_DIR,
    FAULT_RENAME,
    FAULT_LINK,
    FAULT_LIST,
    FAULT_SYNC_DIR,
    FAULT_EXISTS,
    FAULT_LOCK,
    FAULT_FREE_SPACE,
    FAULT_WORKING_DIR,
    FAULT_OPS
};

#define FAULT_MASK(op) (UINT32_C(1) << (op))
#define FAULT_MASK_ALL (FAULT_MASK(FAULT_OPS) - 1)

enum fault_way {
    FAULT_BEFORE,  /* nothing is done */
    FAULT_AFTER,   /* all is done; what it gave is taken back */
    FAULT_HALFWAY, /* a write writes half of its bytes, a sync does what sync_halfway does; others
                      as FAULT_BEFORE */
    FAULT_WAYS
};

/* Thread-safe, but for changing its settings other than by arming and disarming. */
struct fault_fs {
    struct fl_fs fs;    /* hand this out */
    struct fl_fs *real; /* that of the machine, unless the test puts another here */

    /* which calls count */
    uint32_t ops;          /* a mask */
    const char *path_part; /* only where the path holds it; NULL: any */

    /* which of them fail, and how */
    uint64_t fail_at; /* from 1; 0: none */
    bool persistent;  /* all after it fail too */
    enum fault_way way;
    flowdb_status status;

    /* Syncs that do not fail are not made: for tests of what the page cache holds. */
    bool skip_syncs;
    /* What a sync that fails halfway does; NULL: nothing. */
    void (*sync_halfway)(void *context, struct fl_file *real);
    void *sync_halfway_context;

    /* What there is to write, as free_space tells it; UINT64_MAX: what there really is. */
    _Atomic uint64_t free_bytes;

    /* Before each call, failing or not; NULL: none. Not under the lock. */
    void (*hook)(void *context, enum fault_op op, const char *path);
    void *hook_context;

    pthread_mutex_t lock;
    /* guarded by lock */
    uint64_t calls;             /* that counted */
    uint64_t failures;          /* injected */
    uint64_t counts[FAULT_OPS]; /* of all calls */
    int64_t open_files;
    enum fault_op failed_op; /* the last that was made to fail */
    char failed_path[512];
};

/* All calls count, none fails. */
void fault_fs_init(struct fault_fs *fault);
void fault_fs_deinit(struct fault_fs *fault);

/* From now on the `at`th call that counts fails; the counting begins anew. */
void fault_fs_arm(struct fault_fs *fault, uint64_t at, bool persistent, enum fault_way way,
                  flowdb_status status);
/* None fails any more. */
void fault_fs_disarm(struct fault_fs *fault);

const char *fault_op_name(enum fault_op op);

#endif
