/* The copy that space is measured against: only what is alive, written once. */
#include <malloc.h>

#include "soak.h"

enum { COPY_BATCH = 1000 };

static bool write_copy(struct soak *soak, flowdb_iterator *it, flowdb *copy, uint64_t *records) {
    flowdb_batch *batch = flowdb_batch_create();
    flowdb_status status = batch != NULL ? FLOWDB_OK : FLOWDB_NO_MEMORY;
    flowdb_record record;
    while (status == FLOWDB_OK && (status = flowdb_iterator_next(it, &record)) == FLOWDB_OK) {
        ++*records;
        status = flowdb_batch_put(batch, record.key, record.ts, record.expire_at, record.value);
        if (status == FLOWDB_OK && flowdb_batch_count(batch) >= COPY_BATCH) {
            status = flowdb_write_batch(copy, batch);
            flowdb_batch_clear(batch);
        }
    }
    if (status == FLOWDB_DONE)
        status = flowdb_write_batch(copy, batch);
    if (status == FLOWDB_OK)
        status = flowdb_compact_all(copy);
    flowdb_batch_destroy(batch);
    return soak_expect(soak, status, "copying");
}

/* The bytes in tables of a copy of all records whose keys begin so; 0 where it failed. */
static uint64_t copy_prefix(struct soak *soak, const char *prefix, uint64_t *records) {
    flowdb_config config = flowdb_config_default();
    flowdb_range range = flowdb_range_prefix(flowdb_str(prefix));
    flowdb_iterator *it;
    flowdb *copy;
    uint64_t bytes = 0;
    config.data_dir = soak->ideal_dir;
    *records = 0;
    if (!soak_expect(soak, flowdb_open(&config, &copy), "flowdb_open"))
        return 0;
    if (soak_expect(soak, flowdb_scan(soak->db, &range, NULL, &it), "flowdb_scan")) {
        if (write_copy(soak, it, copy, records))
            bytes = tool_folder_usage(soak->ideal_dir).table_bytes;
        flowdb_iterator_destroy(it);
    }
    soak_expect(soak, flowdb_close(copy), "flowdb_close");
    tool_folder_remove(soak->ideal_dir);
    return bytes;
}

uint64_t soak_copy(struct soak *soak) {
    uint64_t key_records, series_records;
    uint64_t key_bytes = copy_prefix(soak, "churn.", &key_records),
             series_bytes = copy_prefix(soak, "series.", &series_records);
    /* What the copies leave in this thread's heap is no memory of the database that is measured. */
    malloc_trim(0);
    if (atomic_load(&soak->failed))
        return 0;
    if (key_records > 0)
        soak->key_record_bytes = (double)key_bytes / (double)key_records;
    if (series_records > 0)
        soak->series_record_bytes = (double)series_bytes / (double)series_records;
    return key_bytes + series_bytes;
}
