#include "data.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

enum { SERIES_VALUE_ROOM = 12 };

static void allocate(struct data *data, uint64_t count, uint64_t keys, size_t value_room) {
    *data = (struct data){.records = bench_allocate(count * sizeof *data->records),
                          .count = count,
                          .keys = bench_allocate(keys * DATA_KEY_ROOM),
                          .values = bench_allocate(count * value_room)};
}

void data_make_plain(struct data *data, uint64_t count, bool random_values) {
    uint64_t random = 1;
    allocate(data, count, count, random_values ? DATA_VALUE_BYTES : 1);
    char *constant = NULL;
    if (!random_values) {
        free(data->values);
        constant = data->values = bench_allocate(DATA_VALUE_BYTES);
        memset(constant, 'v', DATA_VALUE_BYTES);
    }
    for (uint64_t i = 0; i < count; i++) {
        char *key = data->keys + i * DATA_KEY_ROOM, *value = constant;
        int size = snprintf(key, DATA_KEY_ROOM, "key_%08" PRIu64, i % 100000000);
        if (random_values) {
            value = data->values + i * DATA_VALUE_BYTES;
            for (size_t at = 0; at < DATA_VALUE_BYTES; at += 8) {
                uint64_t word = data_random(&random);
                memcpy(value + at, &word, sizeof word);
            }
        }
        data->records[i] =
            (flowdb_record){flowdb_bytes(key, (size_t)size), DATA_START_US + (int64_t)i,
                            FLOWDB_NEVER, flowdb_bytes(value, DATA_VALUE_BYTES)};
    }
}

void data_make_series(struct data *data, uint64_t series, uint64_t points) {
    uint64_t random = 2;
    allocate(data, series * points, series, SERIES_VALUE_ROOM);
    int32_t *hundredths = bench_allocate(series * sizeof *hundredths);
    for (uint64_t i = 0; i < series; i++) {
        hundredths[i] = (int32_t)data_random_below(&random, 10000);
        snprintf(data->keys + i * DATA_KEY_ROOM, DATA_KEY_ROOM, "sensor_%05" PRIu64, i % 100000000);
    }
    flowdb_record *record = data->records;
    char *value = data->values;
    for (uint64_t point = 0; point < points; point++) {
        int64_t ts = DATA_START_US + (int64_t)point * DATA_STEP_US;
        for (uint64_t number = 0; number < series; number++) {
            int32_t now = hundredths[number] += (int32_t)data_random_below(&random, 21) - 10;
            int size = snprintf(value, SERIES_VALUE_ROOM, "%s%d.%02d", now < 0 ? "-" : "",
                                abs(now) / 100 % 100000, abs(now) % 100);
            *record++ = (flowdb_record){flowdb_str(data->keys + number * DATA_KEY_ROOM), ts,
                                        FLOWDB_NEVER, flowdb_bytes(value, (size_t)size)};
            value += SERIES_VALUE_ROOM;
        }
    }
    free(hundredths);
}

void data_free(struct data *data) {
    free(data->records);
    free(data->keys);
    free(data->values);
    *data = (struct data){0};
}

uint64_t data_bytes(const struct data *data) {
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < data->count; i++)
        bytes += data->records[i].key.size + sizeof(int64_t) + data->records[i].value.size;
    return bytes;
}

void data_target_set(struct data_target *target, const flowdb_record *record) {
    target->ts = record->ts;
    target->key_size = (uint32_t)record->key.size;
    target->value_size = (uint32_t)record->value.size;
    memcpy(target->key, record->key.data, record->key.size);
}

double data_write(const struct data *data, flowdb *db, uint64_t first, uint64_t step) {
    double start = bench_now();
    for (uint64_t at = first * DATA_BATCH; at < data->count; at += step * DATA_BATCH) {
        uint64_t left = data->count - at;
        bench_check(flowdb_write(db, data->records + at, left < DATA_BATCH ? left : DATA_BATCH));
    }
    return bench_now() - start;
}
