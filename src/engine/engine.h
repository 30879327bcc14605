/*
 * The engine's inside, shared by the files of this folder: the only place that knows all the parts.
 *
 * Locks, in the order in which they may be taken (a later one while an earlier one is held, never
 * the other way round):
 *
 *   checkpoint_lock one checkpoint at a time
 *   flush_lock     one flush at a time, from the oldest frozen memtable to its table
 *   compaction_lock one compaction or garbage collection at a time
 *   manifest_lock  edits of the manifest and the set of tables
 *   sync_lock      one sync at a time; logs are closed only under it
 *   commit_lock    writes, one after the other: sequence numbers, log, memtable, freezing
 *   version_lock   the pointer to the current version; held for a few instructions
 *   state_lock     what waiting writers look at
 *   event_lock     past events and their totals (events.h); held for a few instructions
 *
 * The scheduler's own lock is innermost, and held by none of the engine's code.
 *
 * Scans take version_lock alone, point reads nothing (manifest/current.h), and a memtable's own lock where they need its order.
 */
#ifndef FL_ENGINE_ENGINE_H
#define FL_ENGINE_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/bytes.h"
#include "base/chunk.h"
#include "engine/events.h"
#include "engine/scheduler.h"
#include "engine/stats.h"
#include "fs/env.h"
#include "manifest/current.h"
#include "manifest/manifest.h"
#include "manifest/version.h"
#include "wal/wal_writer.h"

#define FL_BATCH_MAX ((size_t)256 << 20) /* encoded bytes */
#define FL_LOGS_MAX 80                   /* frozen memtables (64) and the active one, and some */
#define FL_DAY_US (INT64_C(86400) * 1000000)
#define FL_FLUSH_PATIENCE 3      /* failures in a row after which waiting writers get the reason */
#define FL_FLUSH_FAILURES_MAX 16 /* in a row, over some 40 s, after which writes stop for good */

/* A log and the memtable that it belongs to live and die together. */
struct fl_log {
    uint64_t id;
    struct fl_wal_writer *writer;
};

/* What a memtable held, for the size of what the next one begins with. */
struct fl_content {
    uint64_t series, records;
};

/* The engine's jobs. Where several are due, the one that stands first is stepped first. */
enum fl_engine_job {
    FL_JOB_SYNC,    /* sync the log */
    FL_JOB_FLUSH,   /* the oldest frozen memtable becomes a table */
    FL_JOB_LOG,     /* make the next log ahead */
    FL_JOB_MEMORY,  /* make memory for the writers ahead */
    FL_JOB_SPACE,   /* look how much is free on the disk */
    FL_JOB_COMPACT, /* one round of the policy */
    FL_JOB_GC,
    FL_JOBS
};

/* Writers that met a full frozen list and waited. */
struct fl_stalls {
    uint64_t count, total_us, longest_us;
    uint64_t waiting;         /* now */
    uint64_t paced, paced_us; /* writes that waited for compaction, each a little */
};

struct flowdb {
    /* set at open, never changed */
    struct fl_env env;
    flowdb_config config; /* data_dir is owned; log is the caller's */
    char *wal_dir;
    char *sst_dir;
    struct fl_file *lock_file; /* NULL when read-only */
    struct fl_chunk_pool pool;
    struct fl_cache *cache;              /* of decoded blocks; NULL: none */
    struct fl_index_budget index_budget; /* `used` changes with the open tables */
    int64_t opened_wall_us, opened_monotonic_us;

    pthread_mutex_t checkpoint_lock;
    pthread_mutex_t flush_lock;
    pthread_mutex_t compaction_lock;
    pthread_mutex_t sync_lock;

    pthread_mutex_t commit_lock;
    /* guarded by commit_lock; logs are removed under sync_lock as well */
    struct fl_log logs[FL_LOGS_MAX]; /* oldest first; the last is the active memtable's */
    size_t log_count;
    struct fl_log spare; /* to be the next log; writer NULL: none. Follows on the active one */
    struct fl_memtable *spare_memtable; /* to be the next one; NULL: none */
    struct fl_content last_frozen;      /* zeros where none has been yet */
    uint64_t next_seq;
    struct fl_wal_position durable; /* all before it is on the disk */
    int64_t next_sync_us;           /* monotonic; for inline syncs */

    /* What readers may see. Written under commit_lock, or sync_lock where wal_sync is ALWAYS. */
    _Atomic uint64_t visible_seq;
    _Atomic uint64_t next_id;
    _Atomic int64_t latest_time_us;   /* the highest wall clock seen: expiry never runs backwards */
    _Atomic bool closing;             /* long jobs look at it and stop */
    _Atomic uint64_t pace_ns_per_kib; /* what writes pay while compaction is behind; 0: nothing */
    _Atomic int64_t log_drags_until_us; /* monotonic; set where writes met a log that takes long */
    _Atomic bool space_low;             /* less than disk_reserve_mb is free: puts are refused */
    _Atomic bool compaction_gives_up;   /* so little is free that a running one should stop */
    _Atomic int64_t space_looked_us;    /* monotonic */
    _Atomic int64_t no_room_us; /* monotonic: when a write last found the disk full; 0: one has been
                                   taken since */
    _Atomic uint64_t space_refusals; /* puts refused for that */
    _Atomic uint64_t iterators;      /* alive */
    _Atomic size_t frozen_count; /* log_count - 1, for waiting writers; written under commit_lock */

    pthread_mutex_t manifest_lock;
    struct fl_manifest *manifest; /* guarded by manifest_lock; NULL when read-only */

    pthread_mutex_t version_lock;
    struct fl_version *version; /* guarded by version_lock */
    struct fl_current current;  /* the same, for short reads; replaced under version_lock */

    pthread_mutex_t state_lock;
    pthread_cond_t state_changed; /* waited for on the monotonic clock */
    /* guarded by state_lock */
    struct fl_stalls stalls;
    int64_t pace_until_ns;        /* monotonic; what was written before then is paid for */
    uint32_t flush_failed_in_row; /* of the flush job */
    flowdb_status flush_status;   /* of its last run */
    char flush_message[256];
    _Atomic bool stopped_writes; /* sticky until reopened; the reason is guarded by state_lock */
    char stopped_reason[512];

    pthread_mutex_t event_lock;
    struct fl_events events; /* guarded by event_lock */

    struct fl_stats stats; /* without locks, but for what its comments say */

    struct fl_scheduler scheduler; /* has its own lock */
};

/* ---- engine_open.c ---- */

/* flowdb_open on an environment of the caller's, which must outlive the database. */
flowdb_status fl_engine_open(const flowdb_config *config, const struct fl_env *env, flowdb **out);

/* A handle with nothing opened yet, for what works on closed files. *out is set as soon as there is
   something to destroy, failure or not. */
flowdb_status fl_engine_create(const flowdb_config *config, const struct fl_env *env, flowdb **out);
void fl_engine_destroy(flowdb *db); /* NULL is fine */

/* ---- engine_files.c: names and the numbers in them ---- */

enum fl_file_kind { FL_FILE_OTHER, FL_FILE_WAL, FL_FILE_TABLE, FL_FILE_MANIFEST };

/* "DIR/000012.log"; the caller releases it. NULL when memory is out, which is then recorded. */
char *fl_engine_wal_path(const flowdb *db, uint64_t id);
char *fl_engine_table_path(const flowdb *db, uint64_t id);
enum fl_file_kind fl_engine_parse_name(const char *name, uint64_t *id);

struct fl_id_list {
    uint64_t *ids; /* ascending */
    size_t count, capacity;
};
/* The numbers of the files of one kind in a directory; the caller releases list->ids. */
flowdb_status fl_engine_list_ids(const flowdb *db, const char *dir, enum fl_file_kind kind,
                                 struct fl_id_list *list);

/* ---- engine_state.c: time, versions, failures, messages ---- */

__attribute__((format(printf, 3, 4))) void fl_engine_log(const flowdb *db, flowdb_log_level level,
                                                         const char *format, ...);
int64_t fl_engine_now(flowdb *db);
/* What expired before this may be removed for good: now or, where the clock is more than a day ahead
   of what a steady one says since the open, what that one says. The next open ignores a stored time
   that is so far ahead, and then what only the jump made expired is alive again. */
int64_t fl_engine_purge_time(flowdb *db);
uint64_t fl_engine_new_id(flowdb *db);
/* The current version with a reference for the caller. */
struct fl_version *fl_engine_pin(flowdb *db);
/* One of its tables alone, for what takes long: memtables that were flushed meanwhile are not kept. */
flowdb_status fl_engine_pin_tables(flowdb *db, struct fl_version **version);
/* Puts a version (NULL: none) in the place of the current one; takes the reference. */
void fl_engine_install(flowdb *db, struct fl_version *version);
/* Stops all writes until the database is opened again; the thread's last error is the reason. */
void fl_engine_stop_writes(flowdb *db, const char *what);
flowdb_status fl_engine_check_writable(flowdb *db);
/* Makes the folder's entries durable, and stops writes where that fails: what the kernel could not
   write it may have dropped, and asking again proves nothing. */
flowdb_status fl_engine_sync_dir(flowdb *db, const char *dir);

/* ---- engine_commit.c ---- */

/* Entries in their final form, ready to be logged. */
struct fl_commit {
    struct fl_chunk *chunk; /* borrowed; holds the frame */
    uint8_t *frame;         /* FL_WAL_FRAME_HEADER bytes of room, then the payload */
    size_t payload_size;
    uint64_t payload_sum; /* fl_wal_payload_sum */
    size_t charge;        /* bytes of memory that it costs */
    const uint64_t *hashes;
    uint32_t count;
    uint32_t puts; /* of them; with any, it is refused where space is low */
    bool tries;    /* FLOWDB_WOULD_WAIT, with nothing done, rather than wait */
};
flowdb_status fl_engine_commit(flowdb *db, const struct fl_commit *commit);

/* Takes commit_lock when the active memtable and its log have room for `payload_size` more bytes:
   freezes, flushes or waits as need be. `puts`: FLOWDB_NO_SPACE where space is low. On failure the
   lock is not held. */
flowdb_status fl_engine_begin_commit(flowdb *db, size_t payload_size, bool puts);
/* The same, or FLOWDB_WOULD_WAIT. */
flowdb_status fl_engine_try_begin_commit(flowdb *db, size_t payload_size, bool puts);
/* Logs, applies and publishes under commit_lock, then releases it and makes it as durable as the
   configuration says. */
flowdb_status fl_engine_end_commit(flowdb *db, const struct fl_commit *commit);

/* ---- engine_log.c ---- */

/* Creates a log, durably with its directory entry. */
flowdb_status fl_engine_create_log(flowdb *db, uint64_t previous, struct fl_log *log);
/* Syncs one log, and counts it. After a failure writes are stopped. */
flowdb_status fl_engine_sync_log(flowdb *db, struct fl_wal_writer *writer);
/* Makes everything appended before the call durable and, in ALWAYS mode, visible. */
flowdb_status fl_engine_sync(flowdb *db);
/* The same for what lies before a position; shares the work of whoever is at it. */
flowdb_status fl_engine_sync_to(flowdb *db, const struct fl_wal_position *position);
/* Hands what is buffered to the kernel. A log that cannot be cut back after a failure stops writes. */
flowdb_status fl_engine_drain(flowdb *db);
/* The same; the caller holds commit_lock. */
flowdb_status fl_engine_drain_locked(flowdb *db);
/* Closes and removes the oldest log; its memtable is in a table. */
void fl_engine_retire_log(flowdb *db);

/* ---- engine_spare.c ---- */

/* Removes a log that nothing refers to, unless a seal that names it may have reached the disk. */
void fl_engine_discard_log(flowdb *db, struct fl_log *log);
/* Makes the next log and memtable ahead, unless there are some: FLOWDB_DONE. */
flowdb_status fl_engine_prepare_log(flowdb *db);
/* Is it time to, with so much in the active log and memtable? The caller holds commit_lock. */
bool fl_engine_wants_log(const flowdb *db, uint64_t log_bytes, uint64_t memtable_bytes);
/* The log and the memtable that follow on the active ones: the spare ones, or else new ones. The
   caller holds commit_lock. */
flowdb_status fl_engine_next_log(flowdb *db, struct fl_log *log, struct fl_memtable **memtable);
/* For a close: the database is the caller's alone. */
void fl_engine_drop_spare(flowdb *db);

/* ---- engine_freeze.c ---- */

/* How many series to expect in a memtable of which nothing is known. */
size_t fl_engine_expected_series(const flowdb *db);
/* Freezes the active memtable and begins a new log. The caller holds commit_lock. */
flowdb_status fl_engine_freeze(flowdb *db);

/* ---- engine_flush.c ---- */

/* As its configuration wants its tables. */
struct fl_table_options fl_engine_table_options(const flowdb *db, enum fl_codec codec);
/* Opens a table of this database, with the block cache and the index budget. */
flowdb_status fl_engine_open_table(flowdb *db, const char *path, uint64_t id, uint64_t size,
                                   struct fl_table **table);
/* Writes a memtable to a new table and opens it. FLOWDB_OK with *table NULL where it is empty. */
flowdb_status fl_engine_build_table(flowdb *db, struct fl_memtable *memtable,
                                    struct fl_table **table);
/* Removes what a failed build left; the failure stays the thread's last error. */
void fl_engine_discard_file(flowdb *db, const char *path, flowdb_status status);
/* Flushes the oldest frozen memtable; FLOWDB_DONE if there is none. */
flowdb_status fl_engine_flush_oldest(flowdb *db);

/* ---- engine_tables.c ---- */

/* A change of the set of tables. Arrays are borrowed. */
struct fl_table_change {
    struct fl_table *const *added;
    size_t added_count;
    struct fl_table *const *removed;
    size_t removed_count;
    bool
        oldest_flushed; /* the oldest frozen memtable is in tables now; the caller holds flush_lock */
};

/* Makes the change durable with one edit, then installs the version that has it. */
flowdb_status fl_engine_change_tables(flowdb *db, const struct fl_table_change *change);
/* Everything is in tables: the manifest is told that no log is needed, and the last one goes. */
flowdb_status fl_engine_retire_all_logs(flowdb *db);

/* ---- engine_compact.c ---- */

/* One round of the policy; *ran tells whether there was anything to do. */
flowdb_status fl_engine_compact_once(flowdb *db, bool *ran);

/* How many tables wait to be merged. */
flowdb_status fl_engine_compaction_backlog(flowdb *db, size_t *tables);

/* ---- engine_background.c ---- */

void fl_engine_init_jobs(flowdb *db);
/* Starts the threads, where the configuration has any. */
flowdb_status fl_engine_start_jobs(flowdb *db);
/* Sets `closing` and returns when no job runs any more. */
void fl_engine_stop_jobs(flowdb *db);
/*
 * Runs a job once in the calling thread, due or not, as a thread of the engine would, with all that
 * its outcome leads to. FLOWDB_OK: it did something and there may be more; FLOWDB_DONE: there is
 * nothing more to do. With auto_background = false nothing else runs jobs, so that the same calls at
 * the same times do the same.
 */
flowdb_status fl_engine_step(flowdb *db, enum fl_engine_job job);
/* Runs the job that is due by the engine's clock, or wanted; *job is FL_JOBS where none is, and then
   the answer is FLOWDB_DONE. */
flowdb_status fl_engine_step_due(flowdb *db, enum fl_engine_job *job);
/* Wants memory made ahead, when little is ready for the writers; cheap to ask. */
void fl_engine_wake_for_memory(flowdb *db);

/* ---- engine_space.c ---- */

/* Asks how much is free, and has puts refused or taken accordingly. */
void fl_engine_look_at_space(flowdb *db);
/* FLOWDB_NO_SPACE where puts are refused; costs one load where they are not. */
flowdb_status fl_engine_check_space(flowdb *db);
/* What became of a write that the disk was asked to take; cheap where all is well. */
void fl_engine_note_room(flowdb *db, flowdb_status status);
/* Is a write that comes now likely to find no room, as the last one did? */
bool fl_engine_lacks_room(flowdb *db, uint64_t free_bytes);
/* How many bytes of tables a compaction may take as its inputs: half of what is free. The rest is for
   flushes meanwhile. */
uint64_t fl_engine_compaction_budget(flowdb *db);
/* For a compaction under way. FLOWDB_DONE: stop, the database is closing; FLOWDB_NO_SPACE: give up. */
flowdb_status fl_engine_check_go_on(flowdb *db);

/* ---- engine_stall.c ---- */

/* Waits until a background flush has made room. Where flushing goes on failing, or writes have been
   stopped, it returns with the reason. */
flowdb_status fl_engine_wait_for_room(flowdb *db);
/* Tells waiting writers that there may be room. */
void fl_engine_notify(flowdb *db);
/* Tells them what became of the flush job. */
void fl_engine_note_flush(flowdb *db, const struct fl_job_report *report);
/* Has writes pay for the tables that wait to be merged, from now on; never with
   auto_background = false. */
void fl_engine_set_pace(flowdb *db);
/* Waits for what so many bytes written cost, or, if it `tries`, leaves that to the next that are.
   The caller holds no lock. */
void fl_engine_pace(flowdb *db, size_t bytes, bool tries);
/* Is it known beforehand that a write of so many bytes waits? Takes no lock that is held while anything
   waits for the disk. FLOWDB_OK or FLOWDB_WOULD_WAIT. */
flowdb_status fl_engine_check_waits(flowdb *db, size_t bytes);
/* commit_lock, or FLOWDB_WOULD_WAIT where whoever has it takes long. */
flowdb_status fl_engine_try_commit_lock(flowdb *db);
/* A write has had commit_lock since then. */
void fl_engine_note_log(flowdb *db, int64_t began_us);
void fl_engine_stalls(flowdb *db, struct fl_stalls *stalls);

#endif
