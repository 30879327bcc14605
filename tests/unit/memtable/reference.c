#include "reference.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/entry.h"
#include "base/hash.h"

enum { VALUE_BYTES = 64 };

/* ------------------------------------------------------------------------------------ pair -- */

static int compare_slices(const void *a, const void *b) {
    return fl_slice_compare(*(const flowdb_slice *)a, *(const flowdb_slice *)b);
}

static size_t random_key(struct seeded *seeded, uint8_t *key) {
    static const char *const starts[] = {"", "host", "host/cpu/", "host/cpu/very/long/beginning/"};
    static const uint8_t alphabet[] = {0, 1, 'a', 'b', 'c', '/', 0xFE, 0xFF};
    const char *start = starts[seeded_below(seeded, 4)];
    size_t size = strlen(start);
    memcpy(key, start, size);
    size_t more = seeded_chance(seeded, 3) ? 200 : 10;
    for (size_t end = size + 1 + seeded_below(seeded, (uint32_t)more); size < end; size++)
        key[size] = alphabet[seeded_below(seeded, sizeof alphabet)];
    return size;
}

void pair_init(struct pair *pair, struct seeded seeded, uint32_t keys, uint32_t times) {
    *pair = (struct pair){.seeded = seeded, .time_count = times, .next_seq = 1};
    failing_alloc_init(&pair->failing);
    fl_chunk_pool_init(&pair->pool, &pair->failing.alloc, 64 << 10, 4);
    pair->key_bytes = malloc((size_t)keys * PAIR_KEY_BYTES);
    pair->keys = malloc(keys * sizeof *pair->keys);
    assert_true(pair->key_bytes != NULL && pair->keys != NULL);
    for (uint32_t i = 0; i < keys; i++) {
        uint8_t *key = pair->key_bytes + (size_t)i * PAIR_KEY_BYTES;
        pair->keys[i] = flowdb_bytes(key, random_key(&pair->seeded, key));
    }
    qsort(pair->keys, keys, sizeof *pair->keys, compare_slices);
    for (uint32_t i = 0; i < keys; i++) {
        if (i == 0 || !fl_slice_equal(pair->keys[i], pair->keys[pair->key_count - 1]))
            pair->keys[pair->key_count++] = pair->keys[i];
    }
    assert_int_equal(fl_memtable_create(&pair->failing.alloc, &pair->pool, 0, &pair->memtable),
                     FLOWDB_OK);
}

void pair_deinit(struct pair *pair) {
    fl_memtable_unref(pair->memtable);
    fl_chunk_pool_deinit(&pair->pool);
    assert_int_equal(pair->failing.live, 0);
    free(pair->key_bytes);
    free(pair->keys);
    free(pair->versions);
    free(pair->ranges);
}

int64_t pair_time(struct pair *pair) {
    uint32_t which = seeded_below(&pair->seeded, pair->time_count);
    if (which == 0)
        return INT64_MIN;
    if (which == 1)
        return INT64_MAX;
    return ((int64_t)which - pair->time_count / 2) * 10;
}

flowdb_slice pair_key_near(struct pair *pair, uint8_t *space) {
    flowdb_slice key = pair->keys[seeded_below(&pair->seeded, pair->key_count)];
    size_t size = key.size;
    memcpy(space, key.data, size);
    switch (seeded_below(&pair->seeded, 8)) {
    case 0:
        space[size++] = (uint8_t)seeded_next(&pair->seeded);
        break;
    case 1:
        size -= size > 1;
        break;
    case 2:
        space[seeded_below(&pair->seeded, (uint32_t)size)] ^= 1;
        break;
    default:
        break;
    }
    return flowdb_bytes(space, size);
}

uint64_t pair_snapshot(struct pair *pair) {
    if (seeded_chance(&pair->seeded, 40))
        return pair->next_seq - 1;
    return seeded_chance(&pair->seeded, 10) ? UINT64_MAX
                                            : seeded_next(&pair->seeded) % pair->next_seq;
}

/* ----------------------------------------------------------------------------------- write -- */

static flowdb_slice value_of(const struct version *version, char *space) {
    if (version->op != FL_OP_PUT || version->seq % 11 == 0)
        return (flowdb_slice){0};
    int size = snprintf(space, VALUE_BYTES, "%llu/%u/%.*s", (unsigned long long)version->seq,
                        version->attempt, (int)(version->seq % 13), "xxxxxxxxxxxxx");
    return flowdb_bytes(space, (size_t)size);
}

static struct version random_version(struct pair *pair, uint32_t range_percent) {
    struct version version = {.key = seeded_below(&pair->seeded, pair->key_count),
                              .attempt = pair->attempt};
    if (seeded_chance(&pair->seeded, range_percent)) {
        version.op = FL_OP_DELETE_RANGE;
        return version;
    }
    version.op = seeded_chance(&pair->seeded, 80) ? FL_OP_PUT : FL_OP_DELETE;
    version.ts = pair_time(pair);
    version.expire_at = seeded_chance(&pair->seeded, 50) ? FLOWDB_NEVER : version.ts / 2;
    return version;
}

static size_t encode_one(const struct pair *pair, const struct version *version, uint32_t until,
                         uint8_t *at) {
    char value[VALUE_BYTES];
    flowdb_slice key = pair->keys[version->key], nothing = {0};
    if (version->op == FL_OP_DELETE_RANGE) {
        /* The first key stands for no bound as well. */
        flowdb_slice end = until < pair->key_count ? pair->keys[until] : nothing;
        return (size_t)(fl_entry_put(at, version->op, version->key > 0 ? key : nothing, 0, 0, end) -
                        at);
    }
    return (size_t)(fl_entry_put(at, version->op, key, version->ts, version->expire_at,
                                 value_of(version, value)) -
                    at);
}

void pair_make_batch(struct pair *pair, uint32_t count, uint32_t range_percent,
                     struct pair_batch *made) {
    pair->attempt++;
    size_t most = (size_t)count * fl_entry_size_of(PAIR_KEY_BYTES, PAIR_KEY_BYTES);
    uint8_t *bytes = malloc(most), *at = bytes;
    made->versions = malloc(count * sizeof *made->versions);
    made->until = malloc(count * sizeof *made->until);
    made->hashes = malloc(count * sizeof *made->hashes);
    for (uint32_t i = 0; i < count; i++) {
        struct version *version = &made->versions[i];
        *version = random_version(pair, range_percent);
        version->seq = pair->next_seq + i;
        made->until[i] = version->key + 1 + seeded_below(&pair->seeded, pair->key_count);
        made->hashes[i] = fl_hash_key(pair->keys[version->key]);
        at += encode_one(pair, version, made->until[i], at);
    }
    size_t size = (size_t)(at - bytes);
    assert_int_equal(fl_chunk_pool_span(&pair->pool, size, &made->span), FLOWDB_OK);
    memcpy(made->span.data, bytes, size);
    free(bytes);
    made->batch = (struct fl_memtable_batch){.chunk = made->span.chunk,
                                             .entries = made->span.data,
                                             .size = size,
                                             .charge = size,
                                             .hashes = made->hashes,
                                             .count = count,
                                             .first_seq = pair->next_seq};
}

void pair_batch_release(struct pair_batch *made) {
    fl_chunk_unref(made->span.chunk);
    free(made->versions);
    free(made->until);
    free(made->hashes);
}

static void note_range(struct pair *pair, const struct version *version, uint32_t until) {
    if (pair->range_count == pair->range_capacity) {
        pair->range_capacity = pair->range_capacity * 2 + 16;
        pair->ranges = realloc(pair->ranges, pair->range_capacity * sizeof *pair->ranges);
        assert_non_null(pair->ranges);
    }
    struct fl_range_tombstone *range = &pair->ranges[pair->range_count++];
    *range = (struct fl_range_tombstone){
        .seq = version->seq, .ts_start = INT64_MIN, .ts_end = INT64_MAX};
    if (version->key > 0)
        range->start = pair->keys[version->key];
    if (until < pair->key_count)
        range->end = pair->keys[until];
}

void pair_note(struct pair *pair, const struct pair_batch *made) {
    uint32_t count = made->batch.count;
    for (uint32_t i = 0; i < count; i++) {
        if (made->versions[i].op == FL_OP_DELETE_RANGE) {
            note_range(pair, &made->versions[i], made->until[i]);
            continue;
        }
        if (pair->version_count == pair->version_capacity) {
            pair->version_capacity = pair->version_capacity * 2 + 256;
            pair->versions =
                realloc(pair->versions, pair->version_capacity * sizeof *pair->versions);
            assert_non_null(pair->versions);
        }
        pair->versions[pair->version_count++] = made->versions[i];
    }
    pair->sorted = false;
    pair->next_seq += count;
}

void pair_write(struct pair *pair, uint32_t count, uint32_t range_percent) {
    struct pair_batch made;
    pair_make_batch(pair, count, range_percent, &made);
    assert_int_equal(fl_memtable_prepare(pair->memtable, &made.batch), FLOWDB_OK);
    fl_memtable_publish(pair->memtable);
    pair_note(pair, &made);
    pair_batch_release(&made);
}

void pair_cancel(struct pair *pair, uint32_t count, uint32_t range_percent) {
    struct pair_batch made;
    pair_make_batch(pair, count, range_percent, &made);
    assert_int_equal(fl_memtable_prepare(pair->memtable, &made.batch), FLOWDB_OK);
    fl_memtable_cancel(pair->memtable);
    pair_batch_release(&made);
}

/* ------------------------------------------------------------------------------- reference -- */

static int compare_versions(const void *left, const void *right) {
    const struct version *a = left, *b = right;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    if (a->ts != b->ts)
        return a->ts < b->ts ? -1 : 1;
    return a->seq > b->seq ? -1 : a->seq < b->seq;
}

static void sort_versions(struct pair *pair) {
    if (!pair->sorted && pair->version_count > 0)
        qsort(pair->versions, pair->version_count, sizeof *pair->versions, compare_versions);
    pair->sorted = true;
}

const struct version *pair_find(struct pair *pair, uint32_t key, int64_t ts, uint64_t seq) {
    sort_versions(pair);
    struct version from = {.key = key, .ts = ts, .seq = seq};
    size_t low = 0, high = pair->version_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_versions(&pair->versions[middle], &from) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    const struct version *found = &pair->versions[low];
    return low < pair->version_count && found->key == key && found->ts == ts ? found : NULL;
}

static void check_row(struct pair *pair, const struct fl_row *row, const struct version *version) {
    char value[VALUE_BYTES];
    assert_true(fl_slice_equal(row->key, pair->keys[version->key]));
    assert_true(row->ts == version->ts && row->seq == version->seq && row->op == version->op);
    assert_true(row->expire_at == version->expire_at);
    assert_true(fl_slice_equal(row->value, value_of(version, value)));
}

void pair_check_gets(struct pair *pair, uint64_t seq, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t key = seeded_below(&pair->seeded, pair->key_count);
        int64_t ts = pair_time(pair);
        struct fl_row row;
        bool there = fl_memtable_get(pair->memtable, pair->keys[key], fl_hash_key(pair->keys[key]),
                                     ts, seq, &row);
        const struct version *version = pair_find(pair, key, ts, seq);
        assert_int_equal(there, version != NULL);
        if (there)
            check_row(pair, &row, version);
    }
}

void pair_check_ranges(struct pair *pair, uint64_t seq) {
    struct fl_memtable_ranges ranges;
    assert_int_equal(fl_memtable_ranges(pair->memtable, seq, &ranges), FLOWDB_OK);
    for (uint32_t i = 0; i < 60; i++) {
        uint8_t space[PAIR_KEY_BYTES + 1];
        flowdb_slice key = pair_key_near(pair, space);
        uint64_t covering = 0;
        for (size_t r = 0; r < pair->range_count && pair->ranges[r].seq <= seq; r++) {
            if (fl_slice_compare(pair->ranges[r].start, key) <= 0 &&
                (pair->ranges[r].end.size == 0 || fl_slice_compare(key, pair->ranges[r].end) < 0))
                covering = pair->ranges[r].seq;
        }
        assert_true(fl_memtable_ranges_seq(&ranges, key) == covering);
    }
    fl_memtable_ranges_release(&ranges);
    size_t count;
    const struct fl_range_tombstone *all = fl_memtable_range_tombstones(pair->memtable, &count);
    assert_int_equal(count, pair->range_count);
    for (size_t r = 0; r < count; r++) {
        assert_true(all[r].seq == pair->ranges[r].seq);
        assert_true(fl_slice_equal(all[r].start, pair->ranges[r].start));
        assert_true(fl_slice_equal(all[r].end, pair->ranges[r].end));
    }
}

/* The rows that a source with these bounds has, in its order; to be freed. */
static const struct version **rows_within(struct pair *pair, const struct fl_bounds *bounds,
                                          uint64_t seq, size_t *count) {
    sort_versions(pair);
    const struct version **rows = malloc((pair->version_count + 1) * sizeof(*rows));
    assert_non_null(rows);
    size_t n = 0;
    for (size_t i = 0; i < pair->version_count; i++) {
        const struct version *version = &pair->versions[i];
        flowdb_slice key = pair->keys[version->key];
        bool newest = n == 0 || rows[n - 1]->key != version->key || rows[n - 1]->ts != version->ts;
        if (version->seq <= seq && newest && version->ts >= bounds->ts_low &&
            version->ts <= bounds->ts_high && !fl_bounds_below(bounds, key) &&
            !fl_bounds_above(bounds, key))
            rows[n++] = version;
    }
    for (size_t i = 0; bounds->reverse && i < n / 2; i++) {
        const struct version *swap = rows[i];
        rows[i] = rows[n - 1 - i];
        rows[n - 1 - i] = swap;
    }
    *count = n;
    return rows;
}

static size_t position_of(const struct pair *pair, const struct version **rows, size_t count,
                          bool reverse, flowdb_slice key, int64_t ts) {
    size_t at = 0;
    while (key.size > 0 && at < count) {
        int order = fl_slice_compare(pair->keys[rows[at]->key], key);
        if (order == 0)
            order = rows[at]->ts < ts ? -1 : rows[at]->ts > ts;
        if (reverse ? order <= 0 : order >= 0)
            break;
        at++;
    }
    return at;
}

void pair_check_source(struct pair *pair, const struct fl_bounds *bounds, uint64_t seq) {
    size_t count;
    const struct version **rows = rows_within(pair, bounds, seq, &count);
    struct fl_source *source;
    assert_int_equal(fl_memtable_source(pair->memtable, bounds, seq, &source), FLOWDB_OK);
    assert_false(source->valid);
    for (unsigned round = 0; round < 6; round++) {
        uint8_t space[PAIR_KEY_BYTES + 1];
        flowdb_slice key = {0};
        if (round > 0)
            key = pair_key_near(pair, space);
        int64_t ts = pair_time(pair);
        assert_int_equal(fl_source_seek(source, key, ts), FLOWDB_OK);
        size_t at = position_of(pair, rows, count, bounds->reverse, key, ts);
        size_t steps = round == 0 ? SIZE_MAX : seeded_below(&pair->seeded, 30);
        for (; steps > 0; steps--, at++) {
            assert_int_equal(source->valid, at < count);
            if (!source->valid)
                break;
            check_row(pair, &source->row, rows[at]);
            assert_int_equal(fl_source_next(source), FLOWDB_OK);
        }
    }
    fl_source_close(source);
    free(rows);
}

void pair_check_all(struct pair *pair, uint64_t seq) {
    struct fl_bounds bounds = {.ts_low = INT64_MIN, .ts_high = INT64_MAX};
    pair_check_source(pair, &bounds, seq);
    bounds.reverse = true;
    pair_check_source(pair, &bounds, seq);
    pair_check_ranges(pair, seq);
    pair_check_gets(pair, seq, 50);
}

struct fl_bounds pair_bounds(struct pair *pair, uint8_t *low, uint8_t *high) {
    struct fl_bounds bounds = {
        .ts_low = INT64_MIN, .ts_high = INT64_MAX, .reverse = seeded_chance(&pair->seeded, 50)};
    if (seeded_chance(&pair->seeded, 60))
        bounds.key_low = pair_key_near(pair, low);
    if (seeded_chance(&pair->seeded, 60)) {
        bounds.key_high = pair_key_near(pair, high);
        bounds.key_high_kind =
            seeded_chance(&pair->seeded, 50) ? FL_BOUND_INCLUSIVE : FL_BOUND_EXCLUSIVE;
    }
    if (seeded_chance(&pair->seeded, 15)) {
        bounds.key_low = bounds.key_high = pair_key_near(pair, low);
        bounds.key_high_kind =
            seeded_chance(&pair->seeded, 90) ? FL_BOUND_INCLUSIVE : FL_BOUND_EXCLUSIVE;
    }
    if (seeded_chance(&pair->seeded, 50))
        bounds.ts_low = pair_time(pair) / 10 * 9;
    if (seeded_chance(&pair->seeded, 50))
        bounds.ts_high = pair_time(pair);
    return bounds;
}
