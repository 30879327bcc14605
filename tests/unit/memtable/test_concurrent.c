/*
 * One writer, and readers beside it that each stay with the snapshot they began with.
 *
 * Batch number b holds, for each of a few keys: (key, 0) anew, (key, b), and every so often a key
 * that nobody had before and a range delete. So a snapshot tells what must be there: all of b
 * batches and nothing of the next.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/entry.h"
#include "base/hash.h"
#include "memtable/memtable.h"
#include "support/seeded.h"

enum { KEYS = 5, PER_BATCH = 2 * KEYS + 2, BATCHES = 4000, READERS = 3 };

struct world {
    struct fl_chunk_pool pool;
    struct fl_memtable *memtable;
    _Atomic uint64_t visible_seq;
    _Atomic bool written;
    _Atomic unsigned wrong;
};

struct reader {
    struct world *world;
    struct seeded seeded;
    unsigned reads;
};

static flowdb_slice key_of(unsigned number, char space[16]) {
    int size = snprintf(space, 16, "key/%04u", number);
    return flowdb_bytes(space, (size_t)size);
}

/* ---------------------------------------------------------------------------------- writer -- */

struct entries {
    uint8_t *at;
    uint64_t hashes[PER_BATCH];
    uint32_t count;
};

static void add(struct entries *entries, enum fl_op op, flowdb_slice key, int64_t ts,
                flowdb_slice value) {
    entries->at = fl_entry_put(entries->at, op, key, ts, FLOWDB_NEVER, value);
    entries->hashes[entries->count++] = fl_hash_key(key);
}

static bool write_batch(struct world *world, uint64_t batch) {
    struct fl_span span;
    if (fl_chunk_pool_span(&world->pool, (size_t)PER_BATCH * 64, &span) != FLOWDB_OK)
        return false;
    struct entries entries = {.at = span.data};
    char space[16], end[16];
    flowdb_slice value = flowdb_bytes(&batch, sizeof batch);
    for (unsigned i = 0; i < KEYS; i++) {
        flowdb_slice key = key_of(i, space);
        add(&entries, FL_OP_PUT, key, 0, value);
        add(&entries, FL_OP_PUT, key, (int64_t)batch, value);
    }
    /* In no order, so that the directory gets runs that must be merged. */
    add(&entries, FL_OP_PUT, key_of(1000 + (unsigned)(batch * 7919 % 8999), space), 1, value);
    unsigned first = 5000 + (unsigned)batch % 4999;
    flowdb_slice until = key_of(first + 1, end);
    add(&entries, FL_OP_DELETE_RANGE, key_of(first, space), 0, until);
    struct fl_memtable_batch made = {.chunk = span.chunk,
                                     .entries = span.data,
                                     .size = (size_t)(entries.at - span.data),
                                     .charge = span.size,
                                     .hashes = entries.hashes,
                                     .count = entries.count,
                                     .first_seq = (batch - 1) * PER_BATCH + 1};
    bool right = fl_memtable_prepare(world->memtable, &made) == FLOWDB_OK;
    if (right && batch % 5 == 0) {
        /* Cancelled once, as after a failed write, and then again. */
        fl_memtable_cancel(world->memtable);
        right = fl_memtable_prepare(world->memtable, &made) == FLOWDB_OK;
    }
    if (right) {
        fl_memtable_publish(world->memtable);
        atomic_store_explicit(&world->visible_seq, batch * PER_BATCH, memory_order_release);
    }
    fl_chunk_unref(span.chunk);
    return right;
}

static void *write_all(void *argument) {
    struct world *world = argument;
    for (uint64_t batch = 1; batch <= BATCHES; batch++) {
        if (!write_batch(world, batch))
            atomic_fetch_add(&world->wrong, 1);
    }
    atomic_store(&world->written, true);
    return NULL;
}

/* --------------------------------------------------------------------------------- readers -- */

static bool is_batch(const struct fl_row *row, uint64_t batch) {
    return row->value.size == sizeof batch && memcmp(row->value.data, &batch, sizeof batch) == 0;
}

static bool gets_are_right(struct reader *reader, uint64_t seq) {
    uint64_t batch = seq / PER_BATCH;
    char space[16];
    for (unsigned i = 0; i < KEYS; i++) {
        flowdb_slice key = key_of(i, space);
        uint64_t hash = fl_hash_key(key);
        struct fl_memtable *memtable = reader->world->memtable;
        struct fl_row row;
        bool there = fl_memtable_get(memtable, key, hash, 0, seq, &row);
        if (there != (batch > 0) || (there && !is_batch(&row, batch)))
            return false;
        uint64_t some = 1 + seeded_next(&reader->seeded) % BATCHES;
        there = fl_memtable_get(memtable, key, hash, (int64_t)some, seq, &row);
        if (there != (some <= batch) || (there && !is_batch(&row, some)))
            return false;
    }
    return true;
}

/* All rows of one key, by a source of one key or of the keys around it. */
static bool source_is_right(struct reader *reader, uint64_t seq) {
    uint64_t batch = seq / PER_BATCH, rows = 0;
    char low[16], high[16];
    unsigned key = seeded_below(&reader->seeded, KEYS);
    bool one = seeded_chance(&reader->seeded, 50), reverse = seeded_chance(&reader->seeded, 50);
    struct fl_bounds bounds = {.key_low = key_of(key, low),
                               .key_high = key_of(one ? key : key + 1, high),
                               .key_high_kind = one ? FL_BOUND_INCLUSIVE : FL_BOUND_EXCLUSIVE,
                               .ts_low = INT64_MIN,
                               .ts_high = INT64_MAX,
                               .reverse = reverse};
    struct fl_source *source;
    if (fl_memtable_source(reader->world->memtable, &bounds, seq, &source) != FLOWDB_OK)
        return false;
    bool right = fl_source_seek(source, (flowdb_slice){0}, 0) == FLOWDB_OK;
    for (; right && source->valid; rows++) {
        uint64_t ts = reverse ? batch - rows : rows;
        right = source->row.ts == (int64_t)ts && is_batch(&source->row, ts == 0 ? batch : ts) &&
                fl_source_next(source) == FLOWDB_OK;
    }
    fl_source_close(source);
    return right && rows == (batch > 0 ? batch + 1 : 0);
}

/* Every key there is, in order. */
static bool scan_is_right(struct reader *reader, uint64_t seq) {
    struct fl_bounds bounds = {.ts_low = 1, .ts_high = 1};
    struct fl_source *source;
    if (fl_memtable_source(reader->world->memtable, &bounds, seq, &source) != FLOWDB_OK)
        return false;
    uint64_t batch = seq / PER_BATCH, rows = 0;
    char before[16] = "";
    bool right = fl_source_seek(source, (flowdb_slice){0}, 0) == FLOWDB_OK;
    for (; right && source->valid; rows++) {
        flowdb_slice key = source->row.key;
        right = key.size < sizeof before && fl_slice_compare(flowdb_str(before), key) < 0;
        if (right)
            snprintf(before, sizeof before, "%.*s", (int)key.size, (const char *)key.data);
        right = right && fl_source_next(source) == FLOWDB_OK;
    }
    fl_source_close(source);
    return right && rows == batch + (batch > 0 ? KEYS : 0);
}

static bool ranges_are_right(struct reader *reader, uint64_t seq) {
    struct fl_memtable_ranges ranges;
    if (fl_memtable_ranges(reader->world->memtable, seq, &ranges) != FLOWDB_OK)
        return false;
    bool right = true;
    for (int i = 0; i < 5; i++) {
        uint64_t batch = 1 + seeded_next(&reader->seeded) % BATCHES;
        char space[16];
        flowdb_slice key = key_of(5000 + (unsigned)batch % 4999, space);
        uint64_t expected = batch * PER_BATCH <= seq ? batch * PER_BATCH : 0;
        right = right && fl_memtable_ranges_seq(&ranges, key) == expected;
    }
    fl_memtable_ranges_release(&ranges);
    return right;
}

static void *read_along(void *argument) {
    struct reader *reader = argument;
    struct world *world = reader->world;
    bool last = false;
    fl_memtable_ref(world->memtable);
    while (!last) {
        last = atomic_load(&world->written);
        uint64_t seq = atomic_load_explicit(&world->visible_seq, memory_order_acquire);
        /* Some snapshots are older than what can be seen by now. */
        if (seeded_chance(&reader->seeded, 20))
            seq = seeded_next(&reader->seeded) % (seq / PER_BATCH + 1) * PER_BATCH;
        bool right = gets_are_right(reader, seq) && source_is_right(reader, seq) &&
                     ranges_are_right(reader, seq);
        if (reader->reads % 8 == 0)
            right = right && scan_is_right(reader, seq);
        if (!right)
            atomic_fetch_add(&world->wrong, 1);
        reader->reads++;
    }
    fl_memtable_unref(world->memtable);
    return NULL;
}

static void readers_see_whole_batches_and_nothing_newer(void **state) {
    (void)state;
    struct seeded seeded = seeded_begin("memtable, concurrent");
    struct world world = {0};
    fl_chunk_pool_init(&world.pool, fl_alloc_system(), 64 << 10, 4);
    assert_int_equal(fl_memtable_create(fl_alloc_system(), &world.pool, 0, &world.memtable),
                     FLOWDB_OK);
    pthread_t writer, threads[READERS];
    struct reader readers[READERS];
    for (int i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.world = &world, .seeded = {seeded_next(&seeded)}};
        assert_int_equal(pthread_create(&threads[i], NULL, read_along, &readers[i]), 0);
    }
    assert_int_equal(pthread_create(&writer, NULL, write_all, &world), 0);
    assert_int_equal(pthread_join(writer, NULL), 0);
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(readers[i].reads > 0);
    }
    assert_int_equal(atomic_load(&world.wrong), 0);
    fl_memtable_unref(world.memtable);
    fl_chunk_pool_deinit(&world.pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_see_whole_batches_and_nothing_newer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
