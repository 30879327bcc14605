#include "merge/skyline.h"

#include <stdlib.h>

#include "base/bytes.h"

/* A tombstone begins or ends at a key. */
struct edge {
    flowdb_slice key;
    uint64_t seq;
    bool end;
};

/* The tombstones that are open at the sweep's place: a max-heap from which ended ones are removed
   when they come to the top. */
struct heap {
    uint64_t *seqs;
    size_t count;
};

static int compare_edges(const void *left, const void *right) {
    const struct edge *a = left, *b = right;
    return fl_slice_compare(a->key, b->key);
}

static void heap_push(struct heap *heap, uint64_t seq) {
    size_t at = heap->count++;
    while (at > 0 && heap->seqs[(at - 1) / 2] < seq) {
        heap->seqs[at] = heap->seqs[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap->seqs[at] = seq;
}

static void heap_pop(struct heap *heap) {
    uint64_t moved = heap->seqs[--heap->count];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < heap->count; at = child) {
        if (child + 1 < heap->count && heap->seqs[child + 1] > heap->seqs[child])
            child++;
        if (heap->seqs[child] <= moved)
            break;
        heap->seqs[at] = heap->seqs[child];
    }
    heap->seqs[at] = moved;
}

static size_t add_edges(struct edge *edges, size_t count, flowdb_slice start, flowdb_slice end,
                        uint64_t seq) {
    edges[count++] = (struct edge){.key = start, .seq = seq};
    if (end.size > 0)
        edges[count++] = (struct edge){.key = end, .seq = seq, .end = true};
    return count;
}

static size_t collect_edges(const struct fl_skyline *base,
                            const struct fl_range_tombstone *tombstones, size_t count,
                            struct edge *edges) {
    size_t n = 0;
    for (size_t i = 0; base != NULL && i < base->count; i++) {
        flowdb_slice end = i + 1 < base->count ? base->pieces[i + 1].start : (flowdb_slice){0};
        if (base->pieces[i].seq > 0)
            n = add_edges(edges, n, base->pieces[i].start, end, base->pieces[i].seq);
    }
    for (size_t i = 0; i < count; i++)
        n = add_edges(edges, n, tombstones[i].start, tombstones[i].end, tombstones[i].seq);
    return n;
}

/* Ended tombstones wait in a heap of their own: where both tops are equal they cancel out, and an
   ended one below the top does not matter yet. */
static uint64_t top_after_cancelling(struct heap *open, struct heap *ended) {
    while (ended->count > 0 && open->seqs[0] == ended->seqs[0]) {
        heap_pop(open);
        heap_pop(ended);
    }
    return open->count > 0 ? open->seqs[0] : 0;
}

static void sweep(const struct edge *edges, size_t count, struct heap *open, struct heap *ended,
                  struct fl_skyline *skyline) {
    for (size_t i = 0; i < count;) {
        flowdb_slice key = edges[i].key;
        for (; i < count && fl_slice_equal(edges[i].key, key); i++)
            heap_push(edges[i].end ? ended : open, edges[i].seq);
        uint64_t seq = top_after_cancelling(open, ended);
        uint64_t before = skyline->count > 0 ? skyline->pieces[skyline->count - 1].seq : 0;
        if (seq != before)
            skyline->pieces[skyline->count++] = (struct fl_skyline_piece){.start = key, .seq = seq};
        skyline->max_seq = FL_MAX(skyline->max_seq, seq);
    }
}

/* Gives back the room for pieces that did not come to be: many tombstones of one range have few. Where
   there is no memory to do so, it stays as it is. */
static struct fl_skyline *fit(struct fl_skyline *skyline) {
    size_t bytes = sizeof *skyline + skyline->count * sizeof(struct fl_skyline_piece);
    if (bytes > skyline->bytes / 2)
        return skyline;
    struct fl_skyline *fitting = fl_reallocate(skyline->alloc, skyline, bytes);
    if (fitting == NULL)
        return skyline;
    fitting->bytes = bytes;
    return fitting;
}

flowdb_status fl_skyline_build(const struct fl_alloc *alloc, const struct fl_skyline *base,
                               const struct fl_range_tombstone *tombstones, size_t count,
                               struct fl_skyline **skyline) {
    size_t total = count + (base != NULL ? base->count : 0);
    if (total == 0) {
        *skyline = NULL;
        return FLOWDB_OK;
    }
    size_t bytes = sizeof **skyline + 2 * total * sizeof(struct fl_skyline_piece);
    struct fl_skyline *made = fl_allocate(alloc, bytes);
    struct edge *edges = fl_allocate(alloc, 2 * total * sizeof *edges);
    uint64_t *seqs = fl_allocate(alloc, 2 * total * sizeof *seqs);
    flowdb_status status = FLOWDB_OK;
    if (made == NULL || edges == NULL || seqs == NULL) {
        fl_release(alloc, made);
        status = fl_fail_memory("range tombstones", bytes);
    } else {
        *made = (struct fl_skyline){.alloc = alloc, .bytes = bytes};
        atomic_init(&made->refs, 1);
        struct heap open = {.seqs = seqs}, ended = {.seqs = seqs + total};
        size_t n = collect_edges(base, tombstones, count, edges);
        qsort(edges, n, sizeof *edges, compare_edges);
        sweep(edges, n, &open, &ended, made);
        *skyline = fit(made);
    }
    fl_release(alloc, edges);
    fl_release(alloc, seqs);
    return status;
}

void fl_skyline_charge(struct fl_skyline *skyline, _Atomic size_t *used) {
    if (skyline == NULL || used == NULL)
        return;
    skyline->charged = used;
    atomic_fetch_add_explicit(used, skyline->bytes, memory_order_relaxed);
}

static void destroy(struct fl_skyline *skyline) {
    if (skyline->charged != NULL)
        atomic_fetch_sub_explicit(skyline->charged, skyline->bytes, memory_order_relaxed);
    fl_release(skyline->alloc, skyline);
}

void fl_skyline_ref(struct fl_skyline *skyline) {
    if (skyline != NULL)
        atomic_fetch_add_explicit(&skyline->refs, 1, memory_order_relaxed);
}

void fl_skyline_unref(struct fl_skyline *skyline) {
    if (skyline != NULL && atomic_fetch_sub_explicit(&skyline->refs, 1, memory_order_acq_rel) == 1)
        destroy(skyline);
}

/* How many pieces start at or below the key. */
static size_t count_up_to(const struct fl_skyline *skyline, flowdb_slice key) {
    size_t low = 0, high = skyline->count; /* the first piece that starts above the key */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (fl_slice_compare(skyline->pieces[middle].start, key) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t fl_skyline_seq(const struct fl_skyline *skyline, flowdb_slice key) {
    size_t count = skyline != NULL ? count_up_to(skyline, key) : 0;
    return count > 0 ? skyline->pieces[count - 1].seq : 0;
}

uint64_t fl_skyline_seq_within(const struct fl_skyline *skyline, flowdb_slice low,
                               flowdb_slice high) {
    uint64_t largest = fl_skyline_seq(skyline, low);
    if (skyline == NULL)
        return 0;
    size_t end = count_up_to(skyline, high);
    for (size_t i = count_up_to(skyline, low); i < end; i++)
        largest = FL_MAX(largest, skyline->pieces[i].seq);
    return largest;
}
