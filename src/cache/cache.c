#include "cache/cache.h"

#include <pthread.h>

#include "base/bytes.h"
#include "base/stripe.h"

#define SHARDS_MAX 64
#define SHARD_SMALLEST ((size_t)2 << 20) /* fewer shards rather than smaller ones */

#define POINTER_MASK ((UINT64_C(1) << 48) - 1)
#define ONE_TAKER (UINT64_C(1) << 48)
#define TAKERS_MAX UINT64_C(0x8000)
/* What an entry's count has on top while it is in a slot: takers are counted there, but give their
   references back here. */
#define IN_SLOT (INT64_C(1) << 40)

struct shard {
    pthread_mutex_t lock;
    /* guarded by lock */
    struct fl_cached *hottest, *coldest;
    size_t bytes;
    uint64_t entries, evictions;
    char padding[64];
};

/* What one stripe's threads found and did not find. */
struct tally {
    _Alignas(FL_STRIPE_BYTES) _Atomic uint64_t hits;
    _Atomic uint64_t misses;
};

struct fl_cache {
    struct tally tallies[FL_STRIPES];
    const struct fl_alloc *alloc;
    void *memory; /* that this lies in, aligned */
    _Atomic uint64_t pinned_bytes;
    size_t shard_capacity;
    size_t shard_count; /* a power of two */
    struct shard shards[];
};

void fl_cached_init(struct fl_cached *cached, void (*destroy)(struct fl_cached *cached)) {
    *cached = (struct fl_cached){.destroy = destroy};
    atomic_init(&cached->refs, 1);
}

void fl_cached_end(struct fl_cached *cached) {
    if (cached->cache != NULL)
        atomic_fetch_sub_explicit(&cached->cache->pinned_bytes, cached->charge,
                                  memory_order_relaxed);
    cached->destroy(cached);
}

/* glibc's malloc: a header of 8 bytes, multiples of 16, a rest that is too small to be split off; pages
   of their own from 128 KiB on. */
size_t fl_cache_charge(size_t size) {
    size_t heap = (size + 8 + 15) / 16 * 16 + 16;
    return heap < (size_t)128 << 10 ? heap : (size + 16 + 4095) / 4096 * 4096;
}

flowdb_status fl_cache_create(const struct fl_alloc *alloc, size_t capacity,
                              struct fl_cache **cache) {
    size_t count = 1;
    while (count < SHARDS_MAX && capacity / (count * 2) >= SHARD_SMALLEST)
        count *= 2;
    size_t size = FL_STRIPE_BYTES + sizeof **cache + count * sizeof(struct shard);
    uint8_t *memory = fl_allocate_zeroed(alloc, 1, size);
    if (memory == NULL)
        return fl_fail_memory("the block cache", size);
    size_t behind = (uintptr_t)memory % FL_STRIPE_BYTES;
    struct fl_cache *made = (struct fl_cache *)(void *)(memory + (FL_STRIPE_BYTES - behind));
    made->alloc = alloc;
    made->memory = memory;
    made->shard_capacity = capacity / count;
    made->shard_count = count;
    for (size_t i = 0; i < count; i++)
        pthread_mutex_init(&made->shards[i].lock, NULL);
    *cache = made;
    return FLOWDB_OK;
}

void fl_cache_destroy(struct fl_cache *cache) {
    if (cache == NULL)
        return;
    for (size_t i = 0; i < cache->shard_count; i++)
        pthread_mutex_destroy(&cache->shards[i].lock);
    fl_release(cache->alloc, cache->memory);
}

static struct shard *shard_of(struct fl_cache *cache, const struct fl_cache_slot *slot) {
    uint64_t mixed = ((uint64_t)(uintptr_t)slot >> 3) * UINT64_C(0x9E3779B97F4A7C15);
    return &cache->shards[(mixed >> 32) & (cache->shard_count - 1)];
}

static struct fl_cached *pointer_of(uint64_t word) {
    return (struct fl_cached *)(uintptr_t)(word & POINTER_MASK); /* NOLINT: that is the idea */
}

/* Moves the takers from the slot to the entry, so that their count does not overflow. */
static void settle_takers(struct fl_cache_slot *slot, uint64_t word) {
    struct fl_cached *cached = pointer_of(word);
    int64_t takers = (int64_t)(word >> 48);
    /* First there, then away from here: at no time is anyone uncounted. The entry stays, because
       one of the takers is the caller. */
    atomic_fetch_add_explicit(&cached->refs, takers, memory_order_relaxed);
    if (!atomic_compare_exchange_strong_explicit(&slot->word, &word, word & POINTER_MASK,
                                                 memory_order_acq_rel, memory_order_relaxed))
        atomic_fetch_sub_explicit(&cached->refs, takers, memory_order_relaxed);
}

static struct fl_cached *take(struct fl_cache_slot *slot) {
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    do {
        if (word == 0)
            return NULL;
    } while (!atomic_compare_exchange_weak_explicit(&slot->word, &word, word + ONE_TAKER,
                                                    memory_order_acquire, memory_order_relaxed));
    struct fl_cached *cached = pointer_of(word);
    if ((word >> 48) + 1 >= TAKERS_MAX)
        settle_takers(slot, word + ONE_TAKER);
    if (!atomic_load_explicit(&cached->used, memory_order_relaxed))
        atomic_store_explicit(&cached->used, true, memory_order_relaxed);
    return cached;
}

struct fl_cached *fl_cache_get(struct fl_cache *cache, struct fl_cache_slot *slot) {
    struct fl_cached *cached = take(slot);
    struct tally *tally = &cache->tallies[fl_stripe()];
    fl_stripe_count(cached != NULL ? &tally->hits : &tally->misses, 1);
    return cached;
}

/* ----------------------------------------------------------- lists; the caller holds the lock -- */

static void unlink_entry(struct shard *shard, struct fl_cached *cached) {
    *(cached->hotter != NULL ? &cached->hotter->colder : &shard->hottest) = cached->colder;
    *(cached->colder != NULL ? &cached->colder->hotter : &shard->coldest) = cached->hotter;
    cached->hotter = cached->colder = NULL;
}

static void link_entry(struct shard *shard, struct fl_cached *cached, bool hot) {
    cached->colder = hot ? shard->hottest : NULL;
    cached->hotter = hot ? NULL : shard->coldest;
    *(cached->colder != NULL ? &cached->colder->hotter : &shard->coldest) = cached;
    *(cached->hotter != NULL ? &cached->hotter->colder : &shard->hottest) = cached;
}

/* Takes the entry out of slot and list; true where nobody refers to it any more. Who still does will
   find it among the pinned, which is why it is put there before it can go. */
static bool take_out(struct shard *shard, struct fl_cached *cached) {
    unlink_entry(shard, cached);
    shard->bytes -= cached->charge;
    shard->entries--;
    uint64_t word = atomic_exchange_explicit(&cached->slot->word, 0, memory_order_acq_rel);
    int64_t change = (int64_t)(word >> 48) - IN_SLOT;
    struct fl_cache *cache = cached->cache;
    size_t charge = cached->charge;
    atomic_fetch_add_explicit(&cache->pinned_bytes, charge, memory_order_relaxed);
    bool dead =
        atomic_fetch_add_explicit(&cached->refs, change, memory_order_acq_rel) + change == 0;
    if (dead)
        atomic_fetch_sub_explicit(&cache->pinned_bytes, charge, memory_order_relaxed);
    return dead;
}

/* Throws out from the cold end until no more than `most` bytes are left. Returns what is to be
   destroyed, chained by `colder`. */
static struct fl_cached *make_room(struct shard *shard, size_t most) {
    struct fl_cached *dead = NULL;
    while (shard->bytes > most) {
        struct fl_cached *coldest = shard->coldest;
        if (atomic_exchange_explicit(&coldest->used, false, memory_order_relaxed)) {
            unlink_entry(shard, coldest);
            link_entry(shard, coldest, true);
            continue;
        }
        shard->evictions++;
        if (take_out(shard, coldest)) {
            coldest->colder = dead;
            dead = coldest;
        }
    }
    return dead;
}

static void destroy_chain(struct fl_cached *dead) {
    for (struct fl_cached *next; dead != NULL; dead = next) {
        next = dead->colder;
        dead->destroy(dead);
    }
}

/* ------------------------------------------------------------------------------ put and drop -- */

bool fl_cache_keeps(const struct fl_cache *cache, size_t charge) {
    return charge <= cache->shard_capacity;
}

struct fl_cached *fl_cache_put(struct fl_cache *cache, struct fl_cache_slot *slot,
                               struct fl_cached *cached, size_t charge, bool hot) {
    if (charge > cache->shard_capacity)
        return cached;
    struct shard *shard = shard_of(cache, slot);
    pthread_mutex_lock(&shard->lock);
    struct fl_cached *there = take(slot);
    struct fl_cached *dead = NULL;
    if (there == NULL) {
        dead = make_room(shard, cache->shard_capacity - charge);
        cached->charge = charge;
        cached->cache = cache;
        cached->slot = slot;
        atomic_fetch_add_explicit(&cached->refs, IN_SLOT, memory_order_relaxed);
        link_entry(shard, cached, hot);
        shard->bytes += charge;
        shard->entries++;
        atomic_store_explicit(&slot->word, (uint64_t)(uintptr_t)cached, memory_order_release);
    }
    pthread_mutex_unlock(&shard->lock);
    destroy_chain(dead);
    if (there == NULL)
        return cached;
    fl_cached_unref(cached);
    return there;
}

void fl_cache_drop(struct fl_cache *cache, struct fl_cache_slot *slot) {
    /* Whoever emptied it is done with it: its memory may go next. */
    if (atomic_load_explicit(&slot->word, memory_order_acquire) == 0)
        return;
    struct shard *shard = shard_of(cache, slot);
    pthread_mutex_lock(&shard->lock);
    struct fl_cached *cached = pointer_of(atomic_load_explicit(&slot->word, memory_order_relaxed));
    bool dead = cached != NULL && take_out(shard, cached);
    pthread_mutex_unlock(&shard->lock);
    if (dead)
        cached->destroy(cached);
}

void fl_cache_counts(struct fl_cache *cache, struct fl_cache_counts *counts) {
    *counts = (struct fl_cache_counts){0};
    for (size_t i = 0; i < cache->shard_count; i++) {
        struct shard *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->lock);
        counts->bytes += shard->bytes;
        counts->entries += shard->entries;
        counts->evictions += shard->evictions;
        pthread_mutex_unlock(&shard->lock);
    }
    for (size_t i = 0; i < FL_STRIPES; i++) {
        struct tally *tally = &cache->tallies[i];
        counts->hits += atomic_load_explicit(&tally->hits, memory_order_relaxed);
        counts->misses += atomic_load_explicit(&tally->misses, memory_order_relaxed);
    }
    counts->pinned_bytes = atomic_load_explicit(&cache->pinned_bytes, memory_order_relaxed);
}
