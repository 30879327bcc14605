#include <inttypes.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/status.h"

void flowdb_config_init(flowdb_config *config, size_t struct_size) {
    const flowdb_config defaults = {
        .struct_size = struct_size,
        .data_dir = "./data",
        .create_if_missing = true,
        .auto_background = true,
        .memtable_size_mb = 64,
        .max_frozen_memtables = 2,
        .block_size = 8192,
        .zstd_level = 3,
        .bloom_bits_per_key = 10,
        .wal_segment_size_mb = 64,
        .wal_sync = FLOWDB_SYNC_INTERVAL,
        .wal_sync_interval_ms = 1000,
        .compaction_threshold = 2,
        .flush_interval_ms = 1000,
        .gc_interval_secs = 3600,
        .time_bucket_secs = 3600,
        .index_memory_budget_mb = 256,
        .block_cache_capacity_mb = 128,
        .disk_reserve_mb = 64,
    };
    memset(config, 0, struct_size);
    memcpy(config, &defaults, FL_MIN(struct_size, sizeof defaults));
}

/* The unsigned fields, all with a range: one table for the check and its messages. */
struct field {
    const char *name;
    size_t offset;
    bool wide; /* uint64_t, else uint32_t */
    uint64_t low, high;
};

#define FIELD(name, wide, low, high) \
    { #name, offsetof(flowdb_config, name), wide, low, high }
#define MB_MAX 65536 /* 64 GiB */

static const struct field fields[] = {
    FIELD(memtable_size_mb, false, 1, MB_MAX),
    FIELD(max_frozen_memtables, false, 1, 64),
    FIELD(block_size, false, 128, 1 << 20),
    FIELD(bloom_bits_per_key, false, 0, 64),
    FIELD(wal_segment_size_mb, false, 1, MB_MAX),
    FIELD(wal_sync_interval_ms, false, 1, UINT32_MAX),
    FIELD(compaction_threshold, false, 2, 64),
    FIELD(flush_interval_ms, false, 1, UINT32_MAX),
    FIELD(gc_interval_secs, false, 1, UINT32_MAX),
    FIELD(default_ttl_secs, true, 0, INT64_MAX / 1000000),
    FIELD(time_bucket_secs, false, 1, UINT32_MAX),
    FIELD(index_memory_budget_mb, false, 0, UINT32_MAX),
    FIELD(block_cache_capacity_mb, false, 0, UINT32_MAX),
    FIELD(disk_reserve_mb, false, 0, UINT32_MAX),
};

static uint64_t field_value(const flowdb_config *config, const struct field *field) {
    const char *at = (const char *)config + field->offset;
    uint64_t wide;
    uint32_t narrow;
    if (field->wide) {
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
    memcpy(&narrow, at, sizeof narrow);
    return narrow;
}

flowdb_status flowdb_config_validate(const flowdb_config *config) {
    if (config == NULL)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "config is NULL");
    if (config->struct_size < sizeof *config)
        return fl_fail(FLOWDB_INVALID_ARGUMENT,
                       "struct_size is %zu, expected %zu: start with flowdb_config_init",
                       config->struct_size, sizeof *config);
    if (config->data_dir == NULL || config->data_dir[0] == '\0')
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "data_dir is empty");
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        uint64_t value = field_value(config, &fields[i]);
        if (value < fields[i].low || value > fields[i].high)
            return fl_fail(FLOWDB_INVALID_ARGUMENT,
                           "%s is %" PRIu64 ", outside %" PRIu64 "..%" PRIu64, fields[i].name,
                           value, fields[i].low, fields[i].high);
    }
    if (config->zstd_level < 1 || config->zstd_level > 22)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "zstd_level is %" PRId32 ", outside 1..22",
                       config->zstd_level);
    if ((unsigned)config->wal_sync > FLOWDB_SYNC_BUFFERED)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "wal_sync is %d, outside 0..2",
                       (int)config->wal_sync);
    return FLOWDB_OK;
}
