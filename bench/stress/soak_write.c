/* The churn: what the writers do. */
#include "soak.h"

/* Of 1,000 writes to random keys, how many are what; the rest are puts that last. */
enum { RANGE_DELETES = 4, DELETES = 80, EXPIRING = 80, BLOCKS_A_BATCH = 12 };

struct batch {
    flowdb_batch *batch;
    uint64_t bytes, records;
};

static flowdb_status put(struct batch *batch, flowdb_slice key, int64_t ts, int64_t expire_at,
                         flowdb_slice value) {
    batch->bytes += key.size + 16 + value.size;
    batch->records++;
    return flowdb_batch_put(batch->batch, key, ts, expire_at, value);
}

/* Commits, times it, and empties the batch. */
static bool commit(struct soak *soak, struct batch *batch, flowdb_status built) {
    if (!soak_expect(soak, built, "flowdb_batch_put"))
        return false;
    uint64_t started = tool_now_ns();
    flowdb_status status = flowdb_write_batch(soak->db, batch->batch);
    uint64_t took = tool_now_ns() - started, longest = atomic_load(&soak->pause_ns);
    while (took > longest && !atomic_compare_exchange_weak(&soak->pause_ns, &longest, took))
        ;
    if (!soak_expect(soak, status, "flowdb_write_batch"))
        return false;
    atomic_fetch_add(&soak->bytes, batch->bytes);
    atomic_fetch_add(&soak->records, batch->records);
    flowdb_batch_clear(batch->batch);
    batch->bytes = batch->records = 0;
    return true;
}

static int64_t expiry_in(int64_t seconds) {
    return tool_wall_us() + seconds * 1000000;
}

/* ------------------------------------------------------------------------------ random keys -- */

static flowdb_status put_block(struct soak *soak, struct batch *batch, uint64_t group,
                               unsigned block, int64_t expire_at) {
    struct soak_cell *cell = &soak->groups[group].cells[block];
    uint64_t number = group * SOAK_GROUP_KEYS + block / SOAK_BLOCKS;
    char key[SOAK_KEY_BYTES];
    uint8_t value[SOAK_VALUE_BYTES];
    flowdb_slice name = soak_key(number, key);
    flowdb_status status = FLOWDB_OK;
    cell->generation = ++cell->written;
    cell->expire_at = expire_at;
    for (unsigned i = 0; i < SOAK_POINTS && status == FLOWDB_OK; i++) {
        unsigned point = block % SOAK_BLOCKS * SOAK_POINTS + i;
        size_t size = soak_value(soak, number, point, cell->generation, value);
        status = put(batch, name, SOAK_START_US + (int64_t)point * SOAK_STEP_US, expire_at,
                     flowdb_bytes(value, size));
    }
    return status;
}

static flowdb_status delete_block(struct soak *soak, struct batch *batch, uint64_t group,
                                  unsigned block) {
    char key[SOAK_KEY_BYTES];
    flowdb_slice name = soak_key(group * SOAK_GROUP_KEYS + block / SOAK_BLOCKS, key);
    flowdb_status status = FLOWDB_OK;
    soak->groups[group].cells[block].generation = 0;
    for (unsigned i = 0; i < SOAK_POINTS && status == FLOWDB_OK; i++) {
        unsigned point = block % SOAK_BLOCKS * SOAK_POINTS + i;
        status =
            flowdb_batch_delete(batch->batch, name, SOAK_START_US + (int64_t)point * SOAK_STEP_US);
    }
    return status;
}

static flowdb_status delete_keys(struct soak_thread *thread, struct batch *batch, uint64_t group) {
    struct soak *soak = thread->soak;
    unsigned first = (unsigned)tool_below(&thread->random, SOAK_GROUP_KEYS - 8),
             end = first + 1 + (unsigned)tool_below(&thread->random, 8);
    char start_bytes[SOAK_KEY_BYTES], end_bytes[SOAK_KEY_BYTES];
    for (unsigned block = first * SOAK_BLOCKS; block < end * SOAK_BLOCKS; block++)
        soak->groups[group].cells[block].generation = 0;
    return flowdb_batch_delete_range(batch->batch,
                                     soak_key(group * SOAK_GROUP_KEYS + first, start_bytes),
                                     soak_key(group * SOAK_GROUP_KEYS + end, end_bytes));
}

/* Between being built and being committed the model is ahead of the database: under the lock. */
static bool churn_keys(struct soak_thread *thread, struct batch *batch) {
    struct soak *soak = thread->soak;
    uint64_t group = tool_below(&thread->random, soak->group_count);
    flowdb_status status = FLOWDB_OK;
    pthread_mutex_lock(&soak->groups[group].lock);
    for (unsigned i = 0; i < BLOCKS_A_BATCH && status == FLOWDB_OK; i++) {
        unsigned block = (unsigned)tool_below(&thread->random, SOAK_GROUP_BLOCKS);
        unsigned kind = (unsigned)tool_below(&thread->random, 1000);
        if (kind < RANGE_DELETES)
            status = delete_keys(thread, batch, group);
        else if (kind < RANGE_DELETES + DELETES)
            status = delete_block(soak, batch, group, block);
        else if (kind < RANGE_DELETES + DELETES + EXPIRING)
            status = put_block(
                soak, batch, group, block,
                expiry_in(1 + (int64_t)tool_below(&thread->random, soak->options.ttl_seconds)));
        else
            status = put_block(soak, batch, group, block, FLOWDB_NEVER);
    }
    bool committed = commit(soak, batch, status);
    pthread_mutex_unlock(&soak->groups[group].lock);
    return committed;
}

static bool fill_group(struct soak *soak, struct batch *batch, uint64_t group) {
    bool committed = true;
    pthread_mutex_lock(&soak->groups[group].lock);
    for (unsigned block = 0; block < SOAK_GROUP_BLOCKS && committed; block += 8) {
        flowdb_status status = FLOWDB_OK;
        for (unsigned i = 0; i < 8 && status == FLOWDB_OK; i++)
            status = put_block(soak, batch, group, block + i, FLOWDB_NEVER);
        committed = commit(soak, batch, status);
    }
    pthread_mutex_unlock(&soak->groups[group].lock);
    return committed;
}

/* ----------------------------------------------------------------------------------- series -- */

static bool write_tick(struct soak *soak, struct batch *batch, unsigned group) {
    struct soak_series *series = &soak->series[group];
    char key[SOAK_KEY_BYTES];
    uint8_t value[SOAK_VALUE_BYTES];
    flowdb_status status = FLOWDB_OK;
    pthread_mutex_lock(&series->lock);
    uint64_t tick = series->ticks;
    int64_t expire_at =
        atomic_load(&soak->keep_series) ? FLOWDB_NEVER : expiry_in(soak->options.ttl_seconds);
    /* The model searches by it, whatever the clock does. */
    if (tick > 0 && expire_at < series->expire_at[(tick - 1) % SOAK_TICKS])
        expire_at = series->expire_at[(tick - 1) % SOAK_TICKS];
    for (unsigned i = 0; i < SOAK_GROUP_SERIES && status == FLOWDB_OK; i++) {
        uint64_t number = group * SOAK_GROUP_SERIES + i;
        size_t size = soak_series_value(soak, number, tick, value);
        status =
            put(batch, soak_series_key(number, key), SOAK_START_US + (int64_t)tick * SOAK_STEP_US,
                expire_at, flowdb_bytes(value, size));
    }
    series->expire_at[tick % SOAK_TICKS] = expire_at;
    series->ticks++;
    bool committed = commit(soak, batch, status);
    pthread_mutex_unlock(&series->lock);
    return committed;
}

/* ---------------------------------------------------------------------------------- threads -- */

static bool begin(struct soak *soak, struct batch *batch) {
    *batch = (struct batch){.batch = flowdb_batch_create()};
    if (batch->batch == NULL)
        soak_fail(soak, "flowdb_batch_create: out of memory");
    return batch->batch != NULL;
}

void *soak_fill(void *context) {
    struct soak_thread *thread = context;
    struct soak *soak = thread->soak;
    struct batch batch;
    uint64_t group;
    if (!begin(soak, &batch))
        return NULL;
    while ((group = atomic_fetch_add(&soak->next_fill, 1)) < soak->group_count &&
           !atomic_load(&soak->stop) && fill_group(soak, &batch, group))
        ;
    flowdb_batch_destroy(batch.batch);
    return NULL;
}

/* Waits while more was written than the rate allows by now. */
static void keep_to_rate(const struct soak *soak) {
    while (soak->options.rate_mb > 0 && !atomic_load(&soak->stop) &&
           (double)(atomic_load(&soak->bytes) - soak->churn_from_bytes) >
               (double)(tool_now_ns() - soak->churn_from_ns) * 1e-3 * (double)soak->options.rate_mb)
        tool_sleep_ms(5);
}

/* A tick of one group and a batch of random keys in turn: about as many records of either. */
void *soak_churn(void *context) {
    struct soak_thread *thread = context;
    struct soak *soak = thread->soak;
    struct batch batch;
    if (!begin(soak, &batch))
        return NULL;
    for (unsigned group = thread->index; !atomic_load(&soak->stop); group += SOAK_WRITERS) {
        keep_to_rate(soak);
        if (!write_tick(soak, &batch, group % SOAK_SERIES_GROUPS) || !churn_keys(thread, &batch))
            break;
    }
    flowdb_batch_destroy(batch.batch);
    return NULL;
}

void soak_write_lasting(struct soak_thread *thread, unsigned ticks) {
    struct soak *soak = thread->soak;
    struct batch batch;
    if (!begin(soak, &batch))
        return;
    atomic_store(&soak->keep_series, true);
    for (unsigned i = 0; i < ticks * SOAK_SERIES_GROUPS && !atomic_load(&soak->failed); i++)
        write_tick(soak, &batch, i % SOAK_SERIES_GROUPS);
    atomic_store(&soak->keep_series, false);
    flowdb_batch_destroy(batch.batch);
}

void soak_delete_series(struct soak *soak) {
    char key[SOAK_KEY_BYTES];
    soak_expect(soak, flowdb_delete_range(soak->db, soak_series_key(0, key), flowdb_bytes(NULL, 0)),
                "flowdb_delete_range");
    for (unsigned i = 0; i < SOAK_SERIES_GROUPS; i++)
        for (uint64_t tick = 0; tick < soak->series[i].ticks; tick++)
            soak->series[i].expire_at[tick % SOAK_TICKS] = 0;
}
