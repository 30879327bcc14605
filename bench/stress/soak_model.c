#include "soak.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { RECORD_BYTES_ABOUT = 110 }; /* of a random key's record, as the caller counts */

void soak_model_init(struct soak *soak) {
    uint64_t group_bytes = (uint64_t)SOAK_GROUP_BLOCKS * SOAK_POINTS * RECORD_BYTES_ABOUT;
    soak->group_count = soak->options.working_set_mb * 1000000 / group_bytes + 1;
    soak->groups = tool_allocate(soak->group_count * sizeof *soak->groups);
    soak->series = tool_allocate(SOAK_SERIES_GROUPS * sizeof *soak->series);
    /* All of it is written to, so that it is resident before the database is opened and only the
       database's memory grows. */
    for (uint64_t i = 0; i < soak->group_count; i++) {
        pthread_mutex_init(&soak->groups[i].lock, NULL);
        memset(soak->groups[i].cells, 0xff, sizeof soak->groups[i].cells);
        for (unsigned k = 0; k < SOAK_GROUP_BLOCKS; k++)
            soak->groups[i].cells[k] = (struct soak_cell){0};
    }
    for (unsigned i = 0; i < SOAK_SERIES_GROUPS; i++) {
        pthread_mutex_init(&soak->series[i].lock, NULL);
        memset(soak->series[i].expire_at, 0xff, sizeof soak->series[i].expire_at);
    }
}

void soak_model_deinit(struct soak *soak) {
    for (uint64_t i = 0; i < soak->group_count; i++)
        pthread_mutex_destroy(&soak->groups[i].lock);
    for (unsigned i = 0; i < SOAK_SERIES_GROUPS; i++)
        pthread_mutex_destroy(&soak->series[i].lock);
    free(soak->groups);
    free(soak->series);
}

flowdb_slice soak_key(uint64_t number, char out[SOAK_KEY_BYTES]) {
    int size = snprintf(out, SOAK_KEY_BYTES, "churn.%09" PRIu64, number % 1000000000);
    return flowdb_bytes(out, (size_t)size);
}

flowdb_slice soak_series_key(uint64_t number, char out[SOAK_KEY_BYTES]) {
    int size = snprintf(out, SOAK_KEY_BYTES, "series.%06" PRIu64, number % 1000000);
    return flowdb_bytes(out, (size_t)size);
}

/* Half of the bytes are random, as in what people store that is no number. */
size_t soak_value(const struct soak *soak, uint64_t key, unsigned point, uint32_t generation,
                  uint8_t out[SOAK_VALUE_BYTES]) {
    uint64_t number =
        tool_mix(tool_mix(soak->options.seed + key * SOAK_KEY_POINTS + point) ^ generation);
    size_t size = 8 + (number >> 32) % (SOAK_VALUE_BYTES - 8);
    memset(out, 'a' + (int)(number % 16), size);
    memcpy(out, &generation, sizeof generation);
    for (size_t at = sizeof generation; at + 8 <= size; at += 16) {
        number = tool_mix(number);
        memcpy(out + at, &number, sizeof number);
    }
    return size;
}

size_t soak_series_value(const struct soak *soak, uint64_t series, uint64_t tick,
                         uint8_t out[SOAK_VALUE_BYTES]) {
    /* A slow wave with noise in its last digit. */
    uint64_t noise = tool_mix(soak->options.seed ^ (series << 40) ^ tick) % 10;
    uint64_t phase = (tick + series * 7) % 2000, height = phase < 1000 ? phase : 2000 - phase;
    return (size_t)snprintf((char *)out, SOAK_VALUE_BYTES, "%" PRIu64 ".%02" PRIu64,
                            20 + height / 100, height % 10 * 10 + noise);
}

/* The first tick that is alive; those before it have expired. Of a locked group. */
static uint64_t first_live(const struct soak_series *series, int64_t now) {
    uint64_t low = series->ticks > SOAK_TICKS ? series->ticks - SOAK_TICKS : 0,
             high = series->ticks;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (series->expire_at[middle % SOAK_TICKS] <= now)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void soak_count_live(struct soak *soak, uint64_t *key_records, uint64_t *series_records) {
    uint64_t blocks = 0, ticks = 0;
    int64_t now = tool_wall_us();
    for (uint64_t i = 0; i < soak->group_count; i++) {
        struct soak_keys *group = &soak->groups[i];
        pthread_mutex_lock(&group->lock);
        for (unsigned k = 0; k < SOAK_GROUP_BLOCKS; k++)
            blocks += group->cells[k].generation != 0 && group->cells[k].expire_at > now;
        pthread_mutex_unlock(&group->lock);
    }
    for (unsigned i = 0; i < SOAK_SERIES_GROUPS; i++) {
        struct soak_series *group = &soak->series[i];
        pthread_mutex_lock(&group->lock);
        ticks += group->ticks - first_live(group, now);
        pthread_mutex_unlock(&group->lock);
    }
    *key_records = blocks * SOAK_POINTS;
    *series_records = ticks * SOAK_GROUP_SERIES;
}

void soak_fail(struct soak *soak, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    flockfile(stderr);
    fprintf(stderr, "FAILED: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    funlockfile(stderr);
    va_end(arguments);
    atomic_store(&soak->failed, true);
    atomic_store(&soak->stop, true);
}

bool soak_expect(struct soak *soak, flowdb_status status, const char *call) {
    if (status != FLOWDB_OK)
        soak_fail(soak, "%s: %s: %s", call, flowdb_status_name(status), flowdb_last_error());
    return status == FLOWDB_OK;
}
