/* Searching the index in memory. */
#include "base/coding.h"
#include "table/index.h"

static flowdb_slice rest_of(const struct fl_heads *keys, uint32_t i) {
    return flowdb_bytes(keys->rest + keys->offsets[i], keys->offsets[i + 1] - keys->offsets[i]);
}

/* How many entries are at or before (key, ts). */
static uint32_t count_up_to(const struct fl_heads *keys, const int64_t *first_ts, flowdb_slice key,
                            int64_t ts) {
    size_t shared = FL_MIN(key.size, (size_t)keys->prefix_size);
    int order = shared > 0 ? memcmp(key.data, keys->prefix, shared) : 0;
    if (order != 0)
        return order < 0 ? 0 : keys->count;
    if (key.size < keys->prefix_size)
        return 0;
    flowdb_slice rest = fl_slice_behind(key, shared);
    uint64_t head = fl_get_head(rest.data, rest.size);
    uint32_t low = 0, count = keys->count;
    while (count > 0) {
        uint32_t half = count / 2, middle = low + half;
        bool before = keys->heads[middle] < head;
        if (keys->heads[middle] == head) {
            order = fl_slice_compare(rest_of(keys, middle), rest);
            before = order < 0 || (order == 0 && first_ts[middle] <= ts);
        }
        low = before ? middle + 1 : low;
        count = before ? count - half - 1 : half;
    }
    return low;
}

bool fl_index_find(const struct fl_index *index, flowdb_slice key, int64_t ts,
                   uint32_t *partition) {
    if (index->count == 0)
        return false;
    uint32_t before = count_up_to(&index->keys, index->first_ts, key, ts);
    if (before == 0)
        return false;
    *partition = before - 1;
    return true;
}

uint32_t fl_partition_find(const struct fl_partition *partition, flowdb_slice key, int64_t ts) {
    uint32_t before = count_up_to(&partition->keys, partition->first_ts, key, ts);
    return before > 0 ? before - 1 : 0;
}

int fl_heads_compare(const struct fl_heads *keys, uint32_t at, flowdb_slice key) {
    size_t shared = FL_MIN(key.size, (size_t)keys->prefix_size);
    int order = shared > 0 ? memcmp(keys->prefix, key.data, shared) : 0;
    if (order != 0)
        return order;
    if (key.size < keys->prefix_size)
        return 1;
    return fl_slice_compare(rest_of(keys, at), fl_slice_behind(key, shared));
}
