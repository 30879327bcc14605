#include "manifest/version.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"

static int compare_tables(const void *left, const void *right) {
    const struct fl_table *a = *(struct fl_table *const *)left;
    const struct fl_table *b = *(struct fl_table *const *)right;
    uint64_t x = fl_table_properties(a)->max_seq, y = fl_table_properties(b)->max_seq;
    return x > y ? -1 : x < y;
}

static int compare_times(const void *left, const void *right) {
    const struct fl_table *a = *(struct fl_table *const *)left;
    const struct fl_table *b = *(struct fl_table *const *)right;
    int64_t x = fl_table_properties(a)->max_ts, y = fl_table_properties(b)->max_ts;
    return x > y ? -1 : x < y;
}

static flowdb_status build_skyline(struct fl_version *version) {
    size_t total = 0;
    for (size_t i = 0; i < version->table_count; i++) {
        size_t count;
        fl_table_range_tombstones(version->tables[i], &count);
        total += count;
    }
    if (total == 0)
        return FLOWDB_OK;
    struct fl_range_tombstone *all = fl_allocate(version->alloc, total * sizeof *all);
    if (all == NULL)
        return fl_fail_memory("range tombstones", total * sizeof *all);
    size_t used = 0;
    for (size_t i = 0; i < version->table_count; i++) {
        size_t count;
        const struct fl_range_tombstone *some =
            fl_table_range_tombstones(version->tables[i], &count);
        if (count > 0)
            memcpy(all + used, some, count * sizeof *all);
        used += count;
    }
    flowdb_status status = fl_skyline_build(version->alloc, NULL, all, total, &version->skyline);
    fl_release(version->alloc, all);
    return status;
}

static flowdb_status allocate(const struct fl_alloc *alloc, struct fl_table *const *tables,
                              size_t table_count, size_t frozen_capacity,
                              struct fl_version **version) {
    size_t size = sizeof **version + (frozen_capacity + 2 * table_count) * sizeof(void *);
    struct fl_version *made = fl_allocate_zeroed(alloc, 1, size);
    if (made == NULL)
        return fl_fail_memory("a version", size);
    made->alloc = alloc;
    atomic_init(&made->refs, 1);
    made->frozen = (struct fl_memtable **)(void *)(made + 1);
    made->frozen_capacity = frozen_capacity;
    made->tables = (struct fl_table **)(void *)(made->frozen + frozen_capacity);
    made->by_time = made->tables + table_count;
    for (size_t i = 0; i < table_count; i++) {
        fl_table_ref(tables[i]);
        made->by_time[i] = made->tables[made->table_count++] = tables[i];
    }
    *version = made;
    return FLOWDB_OK;
}

flowdb_status fl_version_create(const struct fl_alloc *alloc, struct fl_table *const *tables,
                                size_t table_count, size_t frozen_capacity, _Atomic size_t *used,
                                struct fl_version **version) {
    struct fl_version *made;
    flowdb_status status = allocate(alloc, tables, table_count, frozen_capacity, &made);
    if (status != FLOWDB_OK)
        return status;
    if (table_count > 0) {
        qsort(made->tables, table_count, sizeof(struct fl_table *), compare_tables);
        qsort(made->by_time, table_count, sizeof(struct fl_table *), compare_times);
    }
    status = build_skyline(made);
    if (status != FLOWDB_OK) {
        fl_version_unref(made);
        return status;
    }
    fl_skyline_charge(made->skyline, used);
    *version = made;
    return FLOWDB_OK;
}

flowdb_status fl_version_copy_tables(const struct fl_version *from, size_t frozen_capacity,
                                     struct fl_version **version) {
    flowdb_status status =
        allocate(from->alloc, from->tables, from->table_count, frozen_capacity, version);
    if (status == FLOWDB_OK) {
        memcpy((*version)->by_time, from->by_time, from->table_count * sizeof(struct fl_table *));
        fl_skyline_ref(from->skyline);
        (*version)->skyline = from->skyline;
    }
    return status;
}

void fl_version_set_memtables(struct fl_version *version, struct fl_memtable *active,
                              struct fl_memtable *const *frozen, size_t frozen_count) {
    assert(version->active == NULL && frozen_count <= version->frozen_capacity);
    version->active = active;
    fl_memtable_ref(active);
    for (size_t i = 0; i < frozen_count; i++) {
        version->frozen[i] = frozen[i];
        fl_memtable_ref(frozen[i]);
    }
    version->frozen_count = frozen_count;
}

void fl_version_ref(struct fl_version *version) {
    atomic_fetch_add_explicit(&version->refs, 1, memory_order_relaxed);
}

void fl_version_unref(struct fl_version *version) {
    if (version == NULL || atomic_fetch_sub_explicit(&version->refs, 1, memory_order_acq_rel) != 1)
        return;
    fl_skyline_unref(version->skyline);
    fl_memtable_unref(version->active);
    for (size_t i = 0; i < version->frozen_count; i++)
        fl_memtable_unref(version->frozen[i]);
    for (size_t i = 0; i < version->table_count; i++)
        fl_table_unref(version->tables[i]);
    fl_release(version->alloc, version);
}
