/*
 * A database that is churned for hours by two writers, and a compact model of what it must hold.
 *
 * Random keys: "churn." keys of 4 blocks of 8 points; a block is written, given a time of expiry or
 * deleted as a whole, and ranges of keys are deleted. Its cell in the model says how often it was
 * written and when what is there expires.
 *
 * Series: "series." keys that all get a point at each tick, in order of time, ten seconds of the
 * data's time apart, and that expire `ttl` seconds of the clock later. The model has one number for
 * a tick of a group of series.
 *
 * Keys and series lie in groups. A group's lock is held by whoever writes to it or checks a read of
 * it, so that a check knows exactly what there must be; only what expires while a read goes on may
 * be there or not.
 */
#ifndef STRESS_SOAK_H
#define STRESS_SOAK_H

#include <pthread.h>

#include "latency.h"
#include "tool.h"

enum {
    SOAK_GROUP_KEYS = 64,
    SOAK_BLOCKS = 4, /* of a key */
    SOAK_POINTS = 8, /* of a block */
    SOAK_KEY_POINTS = SOAK_BLOCKS * SOAK_POINTS,
    SOAK_GROUP_BLOCKS = SOAK_GROUP_KEYS * SOAK_BLOCKS,
    SOAK_GROUP_SERIES = 100,
    SOAK_SERIES_GROUPS = 50,
    SOAK_TICKS = 1 << 15, /* of which the expiry is known: the last ones */
    SOAK_KEY_BYTES = 24,
    SOAK_VALUE_BYTES = 160,
    SOAK_WRITERS = 2,
    SOAK_BATCH_MAX = 1024
};
#define SOAK_START_US INT64_C(1700000000000000)
#define SOAK_STEP_US 10000000

struct soak_options {
    uint64_t gigabytes, minutes, seed;
    uint64_t working_set_mb; /* of the random keys, as the caller's bytes */
    unsigned ttl_seconds;
    unsigned rate_mb; /* a second, as the caller counts; 0: as fast as it goes */
    const char *folder, *csv;
    bool keep;
};

/* What a block holds: nothing where `generation` is 0 or expire_at has passed. */
struct soak_cell {
    int64_t expire_at;
    uint32_t generation; /* of what is there; 0: nothing, or deleted */
    uint32_t written;    /* how often */
};

struct soak_keys {
    pthread_mutex_t lock;
    /* guarded by lock */
    struct soak_cell cells[SOAK_GROUP_BLOCKS];
};

struct soak_series {
    pthread_mutex_t lock;
    /* guarded by lock */
    uint64_t ticks;                /* written so far */
    int64_t expire_at[SOAK_TICKS]; /* of tick t at t % SOAK_TICKS, ascending with t */
};

struct soak {
    struct soak_options options;
    char folder[TOOL_PATH_BYTES], data_dir[TOOL_PATH_BYTES], ideal_dir[TOOL_PATH_BYTES];
    flowdb *db;
    uint64_t group_count;
    struct soak_keys *groups;
    struct soak_series *series; /* SOAK_SERIES_GROUPS */
    uint64_t baseline_bytes;    /* resident before the database was opened */
    uint64_t started_ns;
    uint64_t churn_from_ns, churn_from_bytes; /* when the rate began to count */

    _Atomic uint64_t bytes, records; /* written, as the caller counts: key, ts, expiry, value */
    _Atomic uint64_t checks;         /* reads that were right */
    _Atomic uint64_t pause_ns;       /* the longest write since the last sample */
    _Atomic uint64_t next_fill;      /* the next group to be filled */
    _Atomic bool stop;               /* the writers' time is over */
    _Atomic bool failed;             /* a wrong answer or a failed call, which was printed */
    _Atomic bool keep_series;        /* ticks do not expire any more */

    /* bytes in tables for a record of random keys and of series, as a fresh copy has them */
    double key_record_bytes, series_record_bytes;

    /* violations and what the report shows */
    double space_max, files_space_max, space_end;
    uint64_t resident_max, pause_max_ns, index_max_bytes;
};

/* --- soak_model.c */
void soak_model_init(struct soak *soak);
void soak_model_deinit(struct soak *soak);
flowdb_slice soak_key(uint64_t number, char out[SOAK_KEY_BYTES]);
flowdb_slice soak_series_key(uint64_t number, char out[SOAK_KEY_BYTES]);
size_t soak_value(const struct soak *soak, uint64_t key, unsigned point, uint32_t generation,
                  uint8_t out[SOAK_VALUE_BYTES]);
size_t soak_series_value(const struct soak *soak, uint64_t series, uint64_t tick,
                         uint8_t out[SOAK_VALUE_BYTES]);
/* How many records are alive, of keys and of series. Takes the groups' locks one by one. */
void soak_count_live(struct soak *soak, uint64_t *key_records, uint64_t *series_records);

/* Prints and remembers that something is wrong. */
__attribute__((format(printf, 2, 3))) void soak_fail(struct soak *soak, const char *format, ...);
/* soak_fail unless the status is FLOWDB_OK. */
bool soak_expect(struct soak *soak, flowdb_status status, const char *call);

/* --- soak_write.c: threads' functions; the context is a struct soak_thread */
struct soak_thread {
    struct soak *soak;
    unsigned index;
    pthread_t thread;
    struct tool_random random;
};
void *soak_fill(void *context);  /* every group once */
void *soak_churn(void *context); /* until soak->stop */
/* Takes away all that the series have; nothing else may be writing. */
void soak_delete_series(struct soak *soak);
/* So many ticks of all series that do not expire. Where others that expire are to follow, these must
   be deleted first: expiry is searched by tick. */
void soak_write_lasting(struct soak_thread *thread, unsigned ticks);

/* --- soak_check.c */
void *soak_verify(void *context); /* sampled reads, until soak->stop */
/* Reads all there is and compares it. */
void soak_verify_all(struct soak *soak);

/* --- soak_copy.c */
/* Copies what is alive into fresh databases, one for the keys and one for the series, compacts and
   measures these. Sets *_record_bytes and returns the bytes of both; 0 where it failed. */
uint64_t soak_copy(struct soak *soak);

#endif
