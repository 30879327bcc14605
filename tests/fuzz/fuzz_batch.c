/* Operations on a batch, drawn from the bytes: what it holds afterwards is what was added, as entries
   that a log may carry. */
#include <stdlib.h>

#include "base/hash.h"
#include "engine/batch.h"
#include "fuzz/common/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ADDED_MAX = 4096 };

/* A slice of the input, or of zeros behind a size that the input cannot fill. */
static flowdb_slice take_slice(struct bytes *bytes) {
    static const uint8_t zeros[70000];
    size_t size = (size_t)bytes_take(bytes, 1);
    if (size == 255) /* around the longest key */
        return flowdb_bytes(zeros, FL_KEY_MAX - 2 + bytes_take(bytes, 1) % 5);
    if (size == 254)
        return flowdb_bytes(zeros, bytes_take(bytes, 2) % 1000);
    size_t left = (size_t)(bytes->end - bytes->at);
    flowdb_slice slice = flowdb_bytes(bytes->at, size < left ? size : left);
    bytes->at += slice.size;
    return slice;
}

struct added {
    uint64_t hash; /* of all that the entry holds */
};

static uint64_t hash_entry(enum fl_op op, flowdb_slice key, int64_t ts, int64_t expire_at,
                           flowdb_slice value) {
    uint64_t numbers[3] = {(uint64_t)op, (uint64_t)ts, (uint64_t)expire_at};
    return fl_hash_key(key) * 3 + fl_hash_key(value) * 5 +
           fl_hash_key(flowdb_bytes(numbers, sizeof numbers)) * 7 + key.size;
}

static bool is_key(flowdb_slice key) {
    return key.size >= 1 && key.size <= FL_KEY_MAX;
}

static bool is_range(flowdb_slice start, flowdb_slice end) {
    return start.size <= FL_KEY_MAX && end.size <= FL_KEY_MAX &&
           (start.size == 0 || end.size == 0 || fl_slice_compare(start, end) < 0);
}

/* Adds one entry if it is a good one; the batch must agree on whether it is. */
static size_t add(flowdb_batch *batch, struct bytes *bytes, struct added *added) {
    unsigned choice = (unsigned)bytes_take(bytes, 1) % 4;
    flowdb_slice first = take_slice(bytes), second = {0};
    int64_t ts = (int64_t)bytes_take(bytes, 8), expire_at = (int64_t)bytes_take(bytes, 8);
    flowdb_status status;
    bool good;
    if (choice <= 1) {
        second = take_slice(bytes);
        status = flowdb_batch_put(batch, first, ts, expire_at, second);
        good = is_key(first);
        added->hash = hash_entry(FL_OP_PUT, first, ts, expire_at, second);
    } else if (choice == 2) {
        status = flowdb_batch_delete(batch, first, ts);
        good = is_key(first);
        added->hash = hash_entry(FL_OP_DELETE, first, ts, FLOWDB_NEVER, second);
    } else {
        second = take_slice(bytes);
        status = flowdb_batch_delete_range(batch, first, second);
        good = is_range(first, second);
        added->hash = hash_entry(FL_OP_DELETE_RANGE, first, 0, 0, second);
    }
    expect(good ? status == FLOWDB_OK : status == FLOWDB_INVALID_ARGUMENT);
    return good;
}

static void check(const flowdb_batch *batch, const struct added *added, size_t count) {
    expect(flowdb_batch_count(batch) == count);
    const uint8_t *entry = batch->data + FL_WAL_FRAME_HEADER, *end = batch->data + batch->size;
    for (size_t i = 0; i < count; i++) {
        expect(fl_entry_valid(entry, (size_t)(end - entry)));
        flowdb_slice key = fl_entry_key(entry);
        expect(added[i].hash == hash_entry(fl_entry_op(entry), key, fl_entry_ts(entry),
                                           fl_entry_expire_at(entry), fl_entry_value(entry)));
        expect(batch->hashes[i] == fl_hash_key(key));
        entry += fl_entry_size(entry);
    }
    expect(count == 0 || entry == end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct added added[ADDED_MAX];
    struct bytes bytes = {.at = data, .end = data + size};
    flowdb_batch *batch = flowdb_batch_create();
    size_t count = 0;
    expect(batch != NULL);
    while (bytes.at < bytes.end && count < ADDED_MAX) {
        if (*bytes.at == 0xEE) {
            flowdb_batch_clear(batch);
            count = 0;
            bytes.at++;
            continue;
        }
        count += add(batch, &bytes, &added[count]);
    }
    if (count > 0)
        check(batch, added, count);
    flowdb_batch_destroy(batch);
    return 0;
}
