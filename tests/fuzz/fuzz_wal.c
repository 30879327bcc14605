/* A log from any bytes: refused, cut, or read without leaving them. The first byte says whether the
   frames are given right checksums. */
#include <stdlib.h>

#include "base/entry.h"
#include "fuzz/common/one_file.h"
#include "fuzz/common/seal.h"
#include "wal/wal_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LOG_ID 7

static volatile uint64_t sink;

static void read_log(const struct fl_env *env, struct fl_chunk_pool *pool) {
    struct fl_wal_reader reader;
    struct fl_wal_frame frame;
    if (fl_wal_reader_open(env, pool, "log", LOG_ID, &reader) != FLOWDB_OK)
        return;
    uint64_t sum = 0;
    flowdb_status status;
    while ((status = fl_wal_reader_next(&reader, &frame)) == FLOWDB_OK) {
        const uint8_t *entry = frame.entries;
        for (uint32_t i = 0; i < frame.count; i++) {
            flowdb_slice key = fl_entry_key(entry), value = fl_entry_value(entry);
            sum += fl_hash_key(key) + fl_hash_key(value) + (uint64_t)fl_entry_ts(entry);
            entry += fl_entry_size(entry);
        }
        if (entry != frame.entries + frame.size)
            abort();
    }
    /* Where it ends is inside the file, and what lies behind it can be asked about. */
    if (reader.chunk != NULL && reader.offset > reader.size)
        abort();
    struct fl_wal_position end = {.log = LOG_ID, .offset = reader.offset};
    sum += fl_wal_reader_declares(&reader, FL_WAL_FILE_HEADER, &end);
    fl_wal_reader_close(&reader);
    sink = sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct one_file one;
    struct fl_chunk_pool pool;
    if (size == 0)
        return 0;
    uint8_t *file = malloc(size);
    if (file == NULL)
        abort();
    memcpy(file, data + 1, size - 1);
    if (data[0] & 1)
        seal_wal(file, size - 1, LOG_ID);
    one_file_init(&one, "log", file, size - 1);
    struct fl_env env = one_file_env(&one);
    fl_chunk_pool_init(&pool, env.alloc, (size_t)64 << 10, 1);
    read_log(&env, &pool);
    fl_chunk_pool_deinit(&pool);
    free(file);
    return 0;
}
