/* flowdb_range: building one, and what it means. */
#include "base/bytes.h"
#include "engine/scan.h"

/* flowdb_range.kind. A zeroed range is none of them, so that it is noticed. */
enum { RANGE_KEYS = 1, RANGE_PREFIX = 2 };

static flowdb_range make_range(uint32_t kind, int64_t ts_start, int64_t ts_end) {
    flowdb_range range = {.ts_start = ts_start, .ts_end = ts_end, .kind = kind};
    return range;
}

flowdb_range flowdb_range_all(void) {
    return make_range(RANGE_KEYS, INT64_MIN, INT64_MAX);
}

flowdb_range flowdb_range_time(int64_t ts_start, int64_t ts_end) {
    return make_range(RANGE_KEYS, ts_start, ts_end);
}

flowdb_range flowdb_range_prefix(flowdb_slice prefix) {
    return flowdb_range_prefix_time(prefix, INT64_MIN, INT64_MAX);
}

flowdb_range flowdb_range_prefix_time(flowdb_slice prefix, int64_t ts_start, int64_t ts_end) {
    flowdb_range range = make_range(RANGE_PREFIX, ts_start, ts_end);
    range.prefix = prefix;
    return range;
}

flowdb_range flowdb_range_keys(flowdb_slice key_start, flowdb_slice key_end) {
    return flowdb_range_keys_time(key_start, key_end, INT64_MIN, INT64_MAX);
}

flowdb_range flowdb_range_keys_time(flowdb_slice key_start, flowdb_slice key_end, int64_t ts_start,
                                    int64_t ts_end) {
    flowdb_range range = make_range(RANGE_KEYS, ts_start, ts_end);
    range.key_start = key_start;
    range.key_end = key_end;
    return range;
}

static flowdb_status check_slice(const char *name, flowdb_slice slice) {
    if (slice.size > FL_KEY_MAX)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "%s has %zu bytes, outside 0..%zu", name,
                       slice.size, FL_KEY_MAX);
    if (slice.data == NULL && slice.size > 0)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "%s is NULL with a size of %zu", name, slice.size);
    return FLOWDB_OK;
}

flowdb_status fl_range_bounds(const flowdb_range *range, bool reverse, uint8_t *successor,
                              struct fl_bounds *bounds) {
    if (range == NULL || (range->kind != RANGE_KEYS && range->kind != RANGE_PREFIX))
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "range is %s: build it with one of flowdb_range_*",
                       range == NULL ? "NULL" : "not initialised");
    flowdb_status status = check_slice("prefix", range->prefix);
    if (status == FLOWDB_OK)
        status = check_slice("key_start", range->key_start);
    if (status == FLOWDB_OK)
        status = check_slice("key_end", range->key_end);
    if (status != FLOWDB_OK)
        return status;
    *bounds =
        (struct fl_bounds){.ts_low = range->ts_start, .ts_high = range->ts_end, .reverse = reverse};
    if (range->kind == RANGE_PREFIX) {
        bounds->key_low = range->prefix;
        size_t size = fl_prefix_successor(range->prefix, successor);
        bounds->key_high = flowdb_bytes(successor, size);
        bounds->key_high_kind = size > 0 ? FL_BOUND_EXCLUSIVE : FL_BOUND_NONE;
        return FLOWDB_OK;
    }
    bounds->key_low = range->key_start;
    bounds->key_high = range->key_end;
    bounds->key_high_kind = range->key_end.size > 0 ? FL_BOUND_INCLUSIVE : FL_BOUND_NONE;
    return FLOWDB_OK;
}
