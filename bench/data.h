/*
 * Records in memory, made before any clock starts.
 *
 * Plain records: keys key_00000000, key_00000001, ...; one record each; values of 128 bytes, all
 * alike or random. Series: keys of 10,000 series (or as many as asked for), short decimal values
 * that walk by at most 0.10 at a step, a point every ten seconds, in order of time.
 */
#ifndef BENCH_DATA_H
#define BENCH_DATA_H

#include <flowdb/flowdb.h>

enum {
    DATA_BATCH = 100,
    DATA_VALUE_BYTES = 128,
    DATA_KEY_ROOM = 16,
    DATA_STEP_US = 10000000, /* between the points of a series */
    DATA_RANGE_POINTS = 360, /* an hour */
    DATA_WINDOW_POINTS = 60  /* ten minutes */
};
#define DATA_START_US INT64_C(1700000000000000)

struct data {
    flowdb_record *records;
    uint64_t count;
    char *keys, *values; /* what the records point into */
};

void data_make_plain(struct data *data, uint64_t count, bool random_values);
void data_make_series(struct data *data, uint64_t series, uint64_t points);
void data_free(struct data *data);
/* Bytes of keys, timestamps and values: what is there to be stored. */
uint64_t data_bytes(const struct data *data);

/* Point `point` of series `number`. */
static inline const flowdb_record *data_point(const struct data *data, uint64_t series,
                                              uint64_t number, uint64_t point) {
    return &data->records[point * series + number];
}

/* Writes the records in batches, from batch `first` on each `step`th. Returns the seconds. */
double data_write(const struct data *data, flowdb *db, uint64_t first, uint64_t step);

/*
 * What a round of point reads asks for, in the order of asking: looking the key up in the records
 * would cost the reader cache misses that are none of the engine's.
 */
struct data_target {
    int64_t ts;
    uint32_t key_size, value_size;
    char key[DATA_KEY_ROOM];
};

void data_target_set(struct data_target *target, const flowdb_record *record);

/* A cheap generator for the order of reads (splitmix64). */
static inline uint64_t data_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}
/* 0 <= result < bound, bound < 2^32 */
static inline uint64_t data_random_below(uint64_t *state, uint64_t bound) {
    return ((data_random(state) >> 32) * bound) >> 32;
}

#endif
