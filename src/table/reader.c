/* Reading blocks and single rows of an open table, and its lifetime; table_open.c opens it. */
#include "table/reader.h"

#include <inttypes.h>

void fl_table_ref(struct fl_table *table) {
    atomic_fetch_add_explicit(&table->refs, 1, memory_order_relaxed);
}

void fl_table_mark_obsolete(struct fl_table *table) {
    atomic_store_explicit(&table->obsolete, true, memory_order_relaxed);
}

uint64_t fl_table_id(const struct fl_table *table) {
    return table->id;
}

const struct fl_table_properties *fl_table_properties(const struct fl_table *table) {
    return &table->properties;
}

flowdb_slice fl_table_min_key(const struct fl_table *table) {
    return table->min_key;
}

flowdb_slice fl_table_max_key(const struct fl_table *table) {
    return table->max_key;
}

flowdb_status fl_table_first_codec(const struct fl_table *table, enum fl_codec *codec) {
    uint8_t byte = FL_CODEC_NONE;
    size_t got = 0;
    flowdb_status status = table->data_end > 0
                               ? fl_file_read_at(table->file, FL_FRAME_CODEC, &byte, 1, &got)
                               : FLOWDB_OK;
    if (status == FLOWDB_OK)
        *codec = (enum fl_codec)byte;
    return status;
}

uint32_t fl_table_key_samples(const struct fl_table *table) {
    return table->index.count > 0 ? table->index.count + 1 : 0;
}

flowdb_status fl_table_key_sample(const struct fl_table *table, uint32_t sample,
                                  struct fl_buffer *key) {
    const struct fl_heads *heads = &table->index.keys;
    key->size = 0;
    if (sample >= heads->count)
        return fl_buffer_append(key, table->max_key.data, table->max_key.size);
    uint32_t start = heads->offsets[sample];
    flowdb_status status = fl_buffer_append(key, heads->prefix, heads->prefix_size);
    return status == FLOWDB_OK
               ? fl_buffer_append(key, heads->rest + start, heads->offsets[sample + 1] - start)
               : status;
}

size_t fl_table_tombstone_memory(const struct fl_table *table) {
    return table->tombstones != NULL ? fl_cache_charge(table->tombstone_memory) : 0;
}

const struct fl_range_tombstone *fl_table_range_tombstones(const struct fl_table *table,
                                                           size_t *count) {
    *count = table->tombstone_count;
    return table->tombstones;
}

void fl_table_pin_release(struct fl_table_pin *pin) {
    fl_block_unref(pin->block);
    pin->block = NULL;
}

/* ------------------------------------------------------------------------------------- blocks -- */

/* Reads [offset, offset + size) into the window, and `ahead` bytes more if there are so many. */
static flowdb_status fill_window(struct fl_table *table, struct fl_window *window, uint64_t offset,
                                 size_t size) {
    uint64_t left = table->data_end - offset;
    size_t wanted = (size_t)FL_MIN((uint64_t)size + window->ahead, left), got;
    window->bytes.size = 0;
    flowdb_status status = fl_buffer_reserve(&window->bytes, wanted);
    if (status == FLOWDB_OK)
        status = fl_file_read_at(table->file, offset, window->bytes.data, wanted, &got);
    if (status != FLOWDB_OK)
        return status;
    window->offset = offset;
    window->bytes.size = got;
    if (got < size)
        return fl_fail(FLOWDB_CORRUPTION, "%s: cut off at offset %" PRIu64, table->path,
                       offset + got);
    return FLOWDB_OK;
}

static bool window_holds(const struct fl_window *window, uint64_t offset, size_t size) {
    return offset - window->offset <= window->bytes.size && /* huge where it is below */
           size <= window->bytes.size - (offset - window->offset);
}

static flowdb_status decode(struct fl_table *table, const uint8_t *bytes, uint64_t offset,
                            size_t size, uint32_t rows, bool verify, struct fl_block **block) {
    struct fl_frame frame;
    struct fl_block *made = NULL;
    flowdb_status status =
        fl_frame_parse(bytes, size, FL_FRAME_DATA, table->id, offset, verify, &frame);
    if (status == FLOWDB_OK)
        status = fl_block_decode(table->env->alloc, &table->unpacker, &frame, &made);
    if (status == FLOWDB_OK && made->rows != rows) {
        fl_block_unref(made);
        status = fl_fail(FLOWDB_CORRUPTION, "a data block is not the one in the index");
    }
    if (status != FLOWDB_OK)
        return fl_fail_within(status, "%s at offset %" PRIu64, table->path, offset);
    *block = made;
    return FLOWDB_OK;
}

flowdb_status fl_table_block_frame(struct fl_table *table, const struct fl_partition *partition,
                                   uint32_t at, struct fl_window *window, flowdb_slice *bytes,
                                   struct fl_frame *frame) {
    uint64_t offset = partition->offsets[at];
    size_t size = (size_t)(partition->offsets[at + 1] - offset);
    flowdb_status status = FLOWDB_OK;
    if (!window_holds(window, offset, size))
        status = fill_window(table, window, offset, size);
    if (status != FLOWDB_OK)
        return status;
    const uint8_t *start = window->bytes.data + (offset - window->offset);
    status = fl_frame_parse(start, size, FL_FRAME_DATA, table->id, offset, true, frame);
    if (status != FLOWDB_OK)
        return fl_fail_within(status, "%s at offset %" PRIu64, table->path, offset);
    *bytes = flowdb_bytes(start, size);
    return FLOWDB_OK;
}

static flowdb_status read_block(struct fl_table *table, const struct fl_partition *partition,
                                uint32_t at, const struct fl_table_read *read,
                                struct fl_window *window, struct fl_block **block) {
    uint64_t offset = partition->offsets[at];
    size_t size = (size_t)(partition->offsets[at + 1] - offset);
    struct fl_window once = {.ahead = 0};
    if (window == NULL) {
        window = &once;
        fl_buffer_init(&once.bytes, table->env->alloc);
    }
    flowdb_status status = FLOWDB_OK;
    if (!window_holds(window, offset, size))
        status = fill_window(table, window, offset, size);
    if (status == FLOWDB_OK)
        status = decode(table, window->bytes.data + (offset - window->offset), offset, size,
                        partition->rows[at], read->verify_checksums, block);
    if (window == &once)
        fl_buffer_deinit(&once.bytes);
    return status;
}

flowdb_status fl_table_load_block(struct fl_table *table, const struct fl_partition *partition,
                                  uint32_t at, const struct fl_table_read *read,
                                  struct fl_window *window, struct fl_block **block) {
    if (table->cache == NULL)
        return read_block(table, partition, at, read, window, block);
    struct fl_cache_slot *slot = &table->slots[partition->first_block + at];
    struct fl_cached *cached = fl_cache_get(table->cache, slot);
    if (cached == NULL) {
        struct fl_block *fresh;
        flowdb_status status = read_block(table, partition, at, read, window, &fresh);
        if (status != FLOWDB_OK)
            return status;
        cached = &fresh->cached;
        /* What was not verified is for nobody else. A scan's blocks go to the cold end. */
        if (read->fill_cache && read->verify_checksums)
            cached = fl_cache_put(table->cache, slot, cached, fl_cache_charge(fresh->memory),
                                  window == NULL);
    }
    *block = (struct fl_block *)(void *)cached;
    return FLOWDB_OK;
}

/* ---------------------------------------------------------------------------------------- get -- */

/* A resident filter rules a key out at the price of a cache line; another is asked last. */
bool fl_table_may_contain(struct fl_table *table, flowdb_slice key, uint64_t hash) {
    bool resident = atomic_load_explicit(&table->filter, memory_order_relaxed) != NULL;
    if (table->index.count == 0 || (resident && !fl_table_filter_passes(table, hash)))
        return false;
    return fl_slice_compare(key, table->min_key) >= 0 &&
           fl_slice_compare(key, table->max_key) <= 0 &&
           (resident || fl_table_filter_passes(table, hash));
}

/* What is asked for: a row of exactly this ts or, with `earlier`, else the last one before it. */
struct question {
    flowdb_slice key;
    uint64_t hash;
    int64_t ts;
    bool earlier;
};

/* Where the answer was looked for. */
struct answer {
    struct fl_block *block; /* a reference; NULL: the index knew better */
    uint64_t number;        /* of the block in the table */
    uint32_t place;         /* of the key in the block */
};

/* The last block that begins at or before (key, ts). */
static flowdb_status find_block(struct fl_table *table, const struct question *question,
                                const struct fl_table_read *read, struct answer *answer) {
    const struct fl_index *index = &table->index;
    int64_t ts = question->ts;
    uint32_t at;
    answer->block = NULL;
    if (!fl_index_find(index, question->key, ts, &at) || ts < index->min_ts[at] ||
        (ts > index->max_ts[at] && !question->earlier))
        return FLOWDB_OK;
    struct fl_partition_use use;
    flowdb_status status = fl_table_use_partition(table, at, read->fill_cache, &use);
    if (status != FLOWDB_OK)
        return status;
    const struct fl_partition *partition = use.partition;
    at = fl_partition_find(partition, question->key, ts);
    answer->number = partition->first_block + at;
    if (ts >= partition->min_ts[at] && (ts <= partition->max_ts[at] || question->earlier))
        status = fl_table_load_block(table, partition, at, read, NULL, &answer->block);
    fl_partition_use_end(&use);
    return status;
}

/* The row among those of the key at answer->place. */
static bool find_row(const struct question *question, const struct answer *answer,
                     struct fl_row *row, struct fl_decimal_text *text) {
    const struct fl_block *block = answer->block;
    uint32_t place = answer->place;
    uint32_t begin = fl_block_run(block, place), end = fl_block_run(block, place + 1);
    uint32_t at = fl_block_find_ts(block, place, question->ts);
    if (at == end || (int64_t)fl_ramp_at(&block->ts, place, begin, at) != question->ts) {
        if (!question->earlier || at == begin)
            return false;
        at--;
    }
    row->key = question->key;
    fl_block_row(block, place, at, row, text);
    /* The value is copied next, or not at all. */
    __builtin_prefetch(row->value.data);
    __builtin_prefetch((const char *)row->value.data + 64);
    return true;
}

static bool is_at(const struct fl_block *block, uint32_t place, flowdb_slice key) {
    return place < block->keys && fl_key_equal(fl_block_key(block, place), key);
}

/* Looks where the key was found before, if that block is in the cache. False says nothing. */
static bool recall(struct fl_table *table, const struct question *question, struct answer *answer,
                   struct fl_row *row, struct fl_decimal_text *text) {
    struct fl_memo *memo = atomic_load_explicit(&table->memo, memory_order_acquire);
    struct fl_memo_place known;
    if (memo == NULL || !fl_memo_find(memo, question->hash, &known))
        return false;
    struct fl_cache_slot *slot = &table->slots[known.block];
    if (atomic_load_explicit(&slot->word, memory_order_relaxed) == 0)
        return false;
    struct fl_block *block = (struct fl_block *)(void *)fl_cache_get(table->cache, slot);
    if (block == NULL)
        return false;
    answer->block = block;
    answer->place = known.key;
    /* The key's last run of the block may go on in the next. */
    if (is_at(block, known.key, question->key) &&
        (!question->earlier || known.key + 1 < block->keys) &&
        find_row(question, answer, row, text))
        return true;
    fl_block_unref(block);
    return false;
}

static flowdb_status find(struct fl_table *table, const struct question *question,
                          const struct fl_table_read *read, bool *found, struct fl_row *row,
                          struct fl_table_pin *pin) {
    struct answer answer;
    *found = recall(table, question, &answer, row, &pin->text);
    if (*found) {
        pin->block = answer.block;
        return FLOWDB_OK;
    }
    if (!fl_table_may_contain(table, question->key, question->hash))
        return FLOWDB_OK;
    flowdb_status status = find_block(table, question, read, &answer);
    if (status != FLOWDB_OK || answer.block == NULL)
        return status;
    answer.place = fl_block_find_key(answer.block, question->key);
    *found = is_at(answer.block, answer.place, question->key) &&
             find_row(question, &answer, row, &pin->text);
    if (!*found) {
        fl_block_unref(answer.block);
        return FLOWDB_OK;
    }
    pin->block = answer.block;
    struct fl_memo *memo = table->cache != NULL ? fl_table_want_memo(table) : NULL;
    if (memo != NULL)
        fl_memo_note(memo, question->hash,
                     (struct fl_memo_place){.block = answer.number, .key = answer.place});
    return FLOWDB_OK;
}

flowdb_status fl_table_get(struct fl_table *table, flowdb_slice key, uint64_t hash, int64_t ts,
                           const struct fl_table_read *read, bool *found, struct fl_row *row,
                           struct fl_table_pin *pin) {
    const struct question question = {.key = key, .hash = hash, .ts = ts};
    *found = false;
    /* A series lies in all tables, and its points of some time in one or two. */
    if (ts < table->properties.min_ts || ts > table->properties.max_ts)
        return FLOWDB_OK;
    return find(table, &question, read, found, row, pin);
}

flowdb_status fl_table_latest(struct fl_table *table, flowdb_slice key, uint64_t hash, int64_t ts,
                              const struct fl_table_read *read, bool *found, struct fl_row *row,
                              struct fl_table_pin *pin) {
    const struct question question = {.key = key, .hash = hash, .ts = ts, .earlier = true};
    return find(table, &question, read, found, row, pin);
}
