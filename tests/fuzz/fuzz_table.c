/* A whole table from any bytes: refused, or read in every way without leaving them. The first byte
   says whether the frames are given right checksums, and whether reads look at them. */
#include <stdlib.h>

#include "base/hash.h"
#include "fuzz/common/one_file.h"
#include "fuzz/common/seal.h"
#include "table/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TABLE_ID 9
#define ROWS_MAX 20000 /* of one walk: a small file can state many equal rows */

static volatile uint64_t sink;

static void walk(struct fl_table *table, const struct fl_table_read *read, bool reverse) {
    const struct fl_bounds all = {.ts_low = INT64_MIN, .ts_high = INT64_MAX, .reverse = reverse};
    struct fl_source *source;
    if (fl_table_source(table, &all, read, &source) != FLOWDB_OK)
        return;
    flowdb_status status = fl_source_seek(source, (flowdb_slice){0}, 0);
    for (size_t n = 0; status == FLOWDB_OK && source->valid && n < ROWS_MAX; n++) {
        const struct fl_row *row = &source->row;
        sink += fl_hash_key(row->key) + (uint64_t)row->ts + row->seq;
        if (row->value.size > 0 && row->value.size < 4096)
            sink += fl_hash_key(row->value);
        status = fl_source_next(source);
    }
    fl_source_close(source);
}

static void get(struct fl_table *table, const struct fl_table_read *read, flowdb_slice key,
                int64_t ts) {
    struct fl_row row;
    struct fl_table_pin pin = {0};
    bool found;
    if (fl_table_get(table, key, fl_hash_key(key), ts, read, &found, &row, &pin) == FLOWDB_OK &&
        found)
        sink += row.value.size > 0 ? *(const uint8_t *)row.value.data : row.seq;
    fl_table_pin_release(&pin);
}

static void read_table(struct fl_table *table, bool verify) {
    const struct fl_table_read read = {.verify_checksums = verify};
    const struct fl_table_properties *properties = fl_table_properties(table);
    size_t count;
    const struct fl_range_tombstone *ranges = fl_table_range_tombstones(table, &count);
    for (size_t i = 0; i < count; i++)
        sink += fl_hash_key(ranges[i].start) + fl_hash_key(ranges[i].end) + ranges[i].seq;
    walk(table, &read, false);
    walk(table, &read, true);
    get(table, &read, fl_table_min_key(table), properties->min_ts);
    get(table, &read, fl_table_max_key(table), properties->max_ts);
    get(table, &read, flowdb_str("series-1"), 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct one_file one;
    struct fl_table *table;
    if (size == 0)
        return 0;
    uint8_t *file = malloc(size);
    if (file == NULL)
        abort();
    memcpy(file, data + 1, size - 1);
    if (data[0] & 1)
        seal_table(file, size - 1, TABLE_ID);
    one_file_init(&one, "table", file, size - 1);
    struct fl_env env = one_file_env(&one);
    if (fl_table_open(&env, "table", TABLE_ID, size - 1, &table) == FLOWDB_OK) {
        read_table(table, (data[0] & 2) == 0);
        fl_table_unref(table);
    }
    free(file);
    return 0;
}
