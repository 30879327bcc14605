/* flowdb_iterator and flowdb_query: a scan with a limit, and the shape of the API. */
#include "engine/result.h"
#include "engine/scan.h"

#define COUNT_EVERY 4096 /* records that an iterator returns between two looks at the statistics */
#define PATIENCE_MAX 32  /* and at most between two times that it asks for many rows at once */

/* What the next call has to do to get to its record. */
enum step {
    STEP_BEGIN, /* seek to the start of the range */
    STEP_NEXT,  /* the record at hand was returned: move on */
    STEP_SOUGHT /* the record at hand was sought and not returned yet */
};

struct flowdb_iterator {
    struct fl_scan scan;
    const struct fl_row *row; /* the record at hand; NULL at the end */
    enum step step;
    size_t limit; /* SIZE_MAX where there is none */
    size_t returned;
    size_t counted; /* of those, how many are in the statistics */
    struct fl_timing timing;
    /* Rows behind the record at hand that were taken from the scan and are not returned yet. */
    struct fl_stretch stretch;
    size_t taken;
    flowdb_slice current; /* key and ts of the record at hand, where there are any */
    int64_t ts;
    size_t look_at;  /* with more returned than these, it is time to ask for some */
    size_t patience; /* records to return before asking again: more while it is in vain */
    struct fl_buffer key;
    flowdb_status failed; /* returned again and again until a seek succeeds */
    char *failure;        /* its sentence; owned, may be NULL */
};

void flowdb_read_options_init(flowdb_read_options *options, size_t struct_size) {
    const flowdb_read_options defaults = {
        .struct_size = struct_size, .fill_cache = true, .verify_checksums = true};
    memset(options, 0, struct_size);
    memcpy(options, &defaults, FL_MIN(struct_size, sizeof defaults));
}

static flowdb_status read_options(const flowdb_read_options *given, flowdb_read_options *options) {
    flowdb_read_options_init(options, sizeof *options);
    if (given == NULL)
        return FLOWDB_OK;
    size_t least = offsetof(flowdb_read_options, interrupt); /* what the struct began with */
    if (given->struct_size < least)
        return fl_fail(FLOWDB_INVALID_ARGUMENT,
                       "options.struct_size is %zu, expected %zu: start with "
                       "flowdb_read_options_init",
                       given->struct_size, sizeof *options);
    memcpy(options, given, given->struct_size < sizeof *options ? least : sizeof *options);
    return FLOWDB_OK;
}

/* A scan over a public range; *limit is SIZE_MAX where there is none. */
static flowdb_status init_scan(flowdb *db, const flowdb_range *range,
                               const flowdb_read_options *given, struct fl_scan *scan,
                               size_t *limit) {
    flowdb_read_options options;
    flowdb_status status = read_options(given, &options);
    if (status != FLOWDB_OK)
        return status;
    size_t room = range != NULL ? FL_MIN(range->prefix.size, FL_KEY_MAX) + 1 : 1;
    uint8_t *successor = fl_allocate(db->env.alloc, room);
    if (successor == NULL)
        return fl_fail_memory("a scan", room);
    struct fl_bounds bounds;
    struct fl_table_read read = {.verify_checksums = options.verify_checksums,
                                 .fill_cache = options.fill_cache};
    status = fl_range_bounds(range, options.reverse, successor, &bounds);
    if (status == FLOWDB_OK)
        status = fl_scan_init(scan, db, &bounds, &read);
    scan->interrupt = options.interrupt;
    scan->interrupt_context = options.interrupt_context;
    fl_release(db->env.alloc, successor);
    *limit = options.limit > 0 ? options.limit : SIZE_MAX;
    return status;
}

/* The start in the scan's direction: an empty key. */
static flowdb_status seek_start(struct fl_scan *scan, const struct fl_row **row) {
    return fl_scan_seek(scan, (flowdb_slice){0}, 0, row);
}

/* ----------------------------------------------------------------------------------- query -- */

static flowdb_status collect(struct fl_scan *scan, size_t limit,
                             struct fl_result_builder *builder) {
    const struct fl_row *row = NULL;
    flowdb_status status = seek_start(scan, &row);
    while (status == FLOWDB_OK && row != NULL) {
        status = fl_result_builder_add(builder, row);
        if (status == FLOWDB_OK && builder->count == limit)
            break;
        if (status == FLOWDB_OK)
            status = fl_scan_next(scan, &row);
    }
    return status;
}

flowdb_status flowdb_query(flowdb *db, const flowdb_range *range,
                           const flowdb_read_options *options, flowdb_result *out) {
    if (db == NULL || out == NULL)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "%s is NULL", db == NULL ? "db" : "out");
    struct fl_timing timing = fl_stats_begin(&db->stats, db->env.clock, FL_CALL_QUERY);
    struct fl_scan scan;
    size_t limit;
    flowdb_status status = init_scan(db, range, options, &scan, &limit);
    if (status != FLOWDB_OK)
        return status;
    struct fl_result_builder builder;
    fl_result_builder_init(&builder, db->env.alloc);
    status = collect(&scan, limit, &builder);
    if (status == FLOWDB_OK)
        status = fl_result_builder_finish(&builder, out);
    if (status == FLOWDB_OK)
        fl_stats_read(&db->stats, &timing, out->count);
    fl_result_builder_deinit(&builder);
    fl_scan_deinit(&scan);
    fl_stats_end(&db->stats, db->env.clock, FL_CALL_QUERY, &timing);
    return status;
}

/* -------------------------------------------------------------------------------- iterator -- */

flowdb_status flowdb_scan(flowdb *db, const flowdb_range *range, const flowdb_read_options *options,
                          flowdb_iterator **out) {
    if (db == NULL || out == NULL)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "%s is NULL", db == NULL ? "db" : "out");
    flowdb_iterator *iterator = fl_allocate_zeroed(db->env.alloc, 1, sizeof *iterator);
    if (iterator == NULL)
        return fl_fail_memory("an iterator", sizeof *iterator);
    fl_buffer_init(&iterator->key, db->env.alloc);
    struct fl_timing timing = fl_stats_begin_scan(&db->stats, db->env.clock);
    flowdb_status status = init_scan(db, range, options, &iterator->scan, &iterator->limit);
    if (status != FLOWDB_OK) {
        fl_release(db->env.alloc, iterator);
        return status;
    }
    atomic_fetch_add(&db->iterators, 1);
    iterator->timing = timing;
    *out = iterator;
    return FLOWDB_OK;
}

/* Enters what was returned into the statistics: now and then, because a record takes less time than
   that. */
static void count_returned(flowdb_iterator *iterator) {
    struct fl_stats *stats = &iterator->scan.db->stats;
    fl_counters_add(&stats->counters, FL_COUNT_RECORDS_READ,
                    iterator->returned - iterator->counted);
    iterator->counted = iterator->returned;
}

/* At the last record, or where the caller wants no more of them. */
static void end_timing(flowdb_iterator *iterator) {
    flowdb *db = iterator->scan.db;
    fl_stats_end_scan(&db->stats, db->env.clock, &iterator->timing);
}

void flowdb_iterator_destroy(flowdb_iterator *iterator) {
    if (iterator == NULL)
        return;
    flowdb *db = iterator->scan.db;
    const struct fl_alloc *alloc = db->env.alloc;
    end_timing(iterator);
    count_returned(iterator);
    fl_scan_deinit(&iterator->scan);
    fl_buffer_deinit(&iterator->key);
    fl_release(alloc, iterator->failure);
    fl_release(alloc, iterator);
    atomic_fetch_sub(&db->iterators, 1);
}

static flowdb_status keep_failure(flowdb_iterator *iterator, flowdb_status status) {
    const struct fl_alloc *alloc = iterator->scan.db->env.alloc;
    const char *sentence = flowdb_last_error();
    fl_release(alloc, iterator->failure);
    iterator->failure = fl_duplicate(alloc, sentence, strlen(sentence));
    iterator->failed = status;
    iterator->row = NULL;
    return status;
}

static flowdb_status repeat_failure(const flowdb_iterator *iterator) {
    return fl_fail(iterator->failed, "%s",
                   iterator->failure != NULL ? iterator->failure : "the iterator failed before");
}

/* Counts what was returned, and asks for the rows behind the record at hand where they need no more
   than to be returned. */
static __attribute__((noinline)) void look_around(flowdb_iterator *iterator) {
    if (iterator->returned - iterator->counted >= COUNT_EVERY)
        count_returned(iterator);
    iterator->current = iterator->row->key;
    iterator->ts = iterator->row->ts;
    iterator->taken =
        fl_scan_take(&iterator->scan, iterator->limit - iterator->returned, &iterator->stretch);
    iterator->patience = iterator->taken > 0 ? 0 : FL_MIN(iterator->patience * 2 + 1, PATIENCE_MAX);
    iterator->look_at = iterator->returned + iterator->patience;
}

/* The next of the rows that were taken; the scan's row is the last of them. */
static inline void hand_out_taken(flowdb_iterator *iterator, flowdb_record *record) {
    const struct fl_row *row = iterator->row;
    iterator->taken--;
    if (iterator->stretch.keys != NULL)
        iterator->current = *iterator->stretch.keys++;
    iterator->returned++;
    iterator->ts = (int64_t)((uint64_t)iterator->ts + (uint64_t)iterator->stretch.step);
    *record = (flowdb_record){.key = iterator->current,
                              .ts = iterator->ts,
                              .expire_at = row->expire_at,
                              .value = *iterator->stretch.values++};
}

static flowdb_status advance(flowdb_iterator *iterator) {
    switch (iterator->step) {
    case STEP_BEGIN:
        return seek_start(&iterator->scan, &iterator->row);
    case STEP_NEXT:
        return iterator->row != NULL ? fl_scan_next(&iterator->scan, &iterator->row) : FLOWDB_OK;
    case STEP_SOUGHT:
    default:
        return FLOWDB_OK;
    }
}

/* Hands out the record at hand, or says that there is none. */
static flowdb_status hand_out(flowdb_iterator *iterator, flowdb_record *record) {
    const struct fl_row *row = iterator->row;
    iterator->step = STEP_NEXT;
    if (row == NULL) {
        end_timing(iterator);
        count_returned(iterator);
        return FLOWDB_DONE;
    }
    *record = (flowdb_record){
        .key = row->key, .ts = row->ts, .expire_at = row->expire_at, .value = row->value};
    iterator->returned++;
    return FLOWDB_OK;
}

/* A function of its own, so that handing out what was taken saves no registers. */
static __attribute__((noinline)) flowdb_status next_of_scan(flowdb_iterator *iterator,
                                                            flowdb_record *record) {
    if (iterator->failed != FLOWDB_OK)
        return repeat_failure(iterator);
    if (iterator->returned >= iterator->limit)
        return FLOWDB_DONE;
    bool goes_on = iterator->step == STEP_NEXT && iterator->row != NULL;
    flowdb_status status =
        goes_on ? fl_scan_next(&iterator->scan, &iterator->row) : advance(iterator);
    if (status != FLOWDB_OK)
        return keep_failure(iterator, status);
    status = hand_out(iterator, record);
    if (iterator->returned > iterator->look_at && status == FLOWDB_OK)
        look_around(iterator);
    return status;
}

flowdb_status flowdb_iterator_next(flowdb_iterator *iterator, flowdb_record *record) {
    if (iterator->taken == 0)
        return next_of_scan(iterator, record);
    hand_out_taken(iterator, record);
    return FLOWDB_OK;
}

flowdb_status flowdb_iterator_seek(flowdb_iterator *iterator, flowdb_slice key, int64_t ts) {
    if (key.data == NULL && key.size > 0)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "key is NULL with a size of %zu", key.size);
    /* The empty key is below every key: nothing is at or after it when going down. */
    bool nothing = key.size == 0 && iterator->scan.bounds.reverse;
    iterator->taken = 0;
    const struct fl_row *row = NULL;
    flowdb_status status = nothing ? FLOWDB_OK : fl_scan_seek(&iterator->scan, key, ts, &row);
    if (status != FLOWDB_OK)
        return keep_failure(iterator, status);
    iterator->row = row;
    iterator->step = STEP_SOUGHT;
    iterator->failed = FLOWDB_OK;
    return FLOWDB_OK;
}

/* Moves from the record at hand, which was returned, to the first of the next key. */
static flowdb_status skip_key(flowdb_iterator *iterator) {
    struct fl_buffer *key = &iterator->key;
    flowdb_slice at_hand = iterator->taken > 0 ? iterator->current : iterator->row->key;
    iterator->taken = 0;
    key->size = 0;
    flowdb_status status = fl_buffer_append(key, at_hand.data, at_hand.size);
    if (status == FLOWDB_OK)
        status = fl_buffer_append(key, "", 1);
    if (status != FLOWDB_OK)
        return status;
    flowdb_slice current = flowdb_bytes(key->data, key->size - 1);
    if (!iterator->scan.bounds.reverse)
        /* The key with a zero byte behind it is the least above it. */
        return fl_scan_seek(&iterator->scan, flowdb_bytes(key->data, key->size), INT64_MIN,
                            &iterator->row);
    status = fl_scan_seek(&iterator->scan, current, INT64_MIN, &iterator->row);
    if (status == FLOWDB_OK && iterator->row != NULL && fl_slice_equal(iterator->row->key, current))
        status = fl_scan_next(&iterator->scan, &iterator->row);
    return status;
}

flowdb_status flowdb_iterator_next_key(flowdb_iterator *iterator, flowdb_record *record) {
    if (iterator->failed != FLOWDB_OK)
        return repeat_failure(iterator);
    if (iterator->returned >= iterator->limit)
        return FLOWDB_DONE;
    bool skip = iterator->step == STEP_NEXT && iterator->row != NULL;
    flowdb_status status = skip ? skip_key(iterator) : advance(iterator);
    return status == FLOWDB_OK ? hand_out(iterator, record) : keep_failure(iterator, status);
}
