/*
 * GET /admin/series: the keys with a prefix, with what each holds.
 *
 *     {"series":[{"key":"a","records":2,"bytes":9,"exact":true,"first_ts":1,"last_ts":5000001,
 *                 "records_per_sec":0.2,"recent_records_per_sec":0.2}],"count":1}
 *
 * Of a series with at most COUNTED records all are counted. Of a longer one the rest of its time is cut
 * into FIRST_SPANS equal spans; in each the first SAMPLED records are read, and are taken to go on at
 * the same rate to the span's end. Then SPLITS times the span that seems to hold most is cut further, so
 * that a burst is not taken for all of its span. Such figures come with "exact": false: within some
 * percent where records come evenly or at random, and too low where they come in bursts far apart.
 *
 * A page that has read PAGE_ROWS records ends, so that no call reads more than so many, and two series'
 * share.
 */
#include <math.h>
#include <stdlib.h>

#include "api/listing.h"
#include "api/reading.h"

enum {
    COUNTED = 1024,
    FIRST_SPANS = 8,
    SAMPLED = 64,
    SPLITS = 24,
    PARTS = 4, /* of a span that is split */
    SPANS_MAX = FIRST_SPANS + SPLITS * (PARTS - 1),
    PAGE_ROWS = 200000,
    PAGE_SERIES = 100, /* where no limit is given */
    PAGE_SERIES_MAX = 1000,
    RECENT = 32, /* records whose times tell the recent rate */
    CHECK_EVERY = 256
};

struct series {
    struct fl_output key;
    double records, bytes;
    bool exact;
    int64_t first_ts, last_ts, recent_ts; /* recent_ts: of the first of the recent ones */
    unsigned recent;                      /* how many of these there are */
};

struct lister {
    struct series series; /* the one at hand */
    /* The first record of the next one, where it was met while counting this one. */
    bool met;
    struct fl_output met_key;
    int64_t met_ts;
    size_t met_bytes;
    int64_t times[RECENT]; /* of the last records read, in a ring */
    uint64_t rows;         /* read for this page */
};

static bool is_of(const struct series *series, flowdb_slice key) {
    return series->key.size == key.size && memcmp(series->key.data, key.data, key.size) == 0;
}

static size_t bytes_of(const flowdb_record *record) {
    return record->key.size + record->value.size;
}

static void set_key(struct fl_output *to, flowdb_slice key) {
    fl_output_clear(to);
    fl_output_append(to, key.data, key.size);
}

/* ---------------------------------------------------------------------------------- counting -- */

/* The next record of the series at hand; FLOWDB_DONE where it has no more, or the read is to stop. */
static flowdb_status next_of(struct fl_reading *reading, struct lister *lister,
                             flowdb_record *record) {
    if (++lister->rows % CHECK_EVERY == 0)
        reading->stopped = fl_running_check(reading->running);
    if (reading->stopped != FL_RUNNING_GOES_ON)
        return FLOWDB_DONE;
    flowdb_status status = flowdb_iterator_next(reading->iterator, record);
    if (status != FLOWDB_OK || is_of(&lister->series, record->key))
        return status;
    lister->met = true;
    lister->met_ts = record->ts;
    lister->met_bytes = bytes_of(record);
    set_key(&lister->met_key, record->key);
    return FLOWDB_DONE;
}

static void add_counted(struct lister *lister, int64_t ts, size_t bytes) {
    struct series *series = &lister->series;
    lister->times[(uint64_t)series->records % RECENT] = ts;
    series->records++;
    series->bytes += (double)bytes;
    series->last_ts = ts;
}

/* From its first record on. FLOWDB_OK: there is more than is counted. */
static flowdb_status count(struct fl_reading *reading, struct lister *lister) {
    flowdb_record record;
    flowdb_status status = next_of(reading, lister, &record);
    while (status == FLOWDB_OK && lister->series.records < COUNTED) {
        add_counted(lister, record.ts, bytes_of(&record));
        status = next_of(reading, lister, &record);
    }
    return status;
}

/* Of the counted ones. */
static void find_recent(struct lister *lister) {
    struct series *series = &lister->series;
    uint64_t count = (uint64_t)series->records;
    series->recent = count < RECENT ? (unsigned)count : RECENT;
    series->recent_ts = lister->times[(count - series->recent) % RECENT];
}

/* ---------------------------------------------------------------------------------- sampling -- */

/* The last records, found from the end; where the finder sees none, the counted ones stay the last. */
static flowdb_status find_last(struct fl_reading *reading, struct lister *lister) {
    struct series *series = &lister->series;
    flowdb_slice key = flowdb_bytes(series->key.data, series->key.size);
    flowdb_record record;
    unsigned found = 0;
    flowdb_status status = flowdb_iterator_seek(reading->finder, key, INT64_MAX);
    while (status == FLOWDB_OK && found < RECENT) {
        status = flowdb_iterator_next(reading->finder, &record);
        if (status != FLOWDB_OK || !is_of(series, record.key))
            break;
        series->last_ts = found == 0 ? record.ts : series->last_ts;
        series->recent_ts = record.ts;
        series->recent = ++found;
        lister->rows++;
    }
    return status == FLOWDB_DONE ? FLOWDB_OK : status;
}

/* What lies from `start` to `end`, both inclusive. */
struct span {
    int64_t start, end;
    double records, bytes;
    bool whole; /* all of it was read */
};

static flowdb_status sample(struct fl_reading *reading, struct lister *lister, struct span *span) {
    flowdb_slice key = flowdb_bytes(lister->series.key.data, lister->series.key.size);
    flowdb_record record = {0};
    int64_t last = span->start;
    span->records = span->bytes = 0;
    flowdb_status status = flowdb_iterator_seek(reading->iterator, key, span->start);
    if (status == FLOWDB_OK)
        status = next_of(reading, lister, &record);
    while (status == FLOWDB_OK && record.ts <= span->end && span->records < SAMPLED) {
        span->records++;
        span->bytes += (double)bytes_of(&record);
        last = record.ts;
        status = next_of(reading, lister, &record);
    }
    span->whole = status != FLOWDB_OK || record.ts > span->end;
    if (!span->whole) {
        double stretch = ((double)span->end - (double)span->start + 1) /
                         ((double)last - (double)span->start + 1);
        span->records *= stretch;
        span->bytes *= stretch;
    }
    return status == FLOWDB_DONE ? FLOWDB_OK : status;
}

/* Cuts what lies from `start` to `end` into so many spans at most, and samples them; *count is how many. */
static flowdb_status sample_parts(struct fl_reading *reading, struct lister *lister, int64_t start,
                                  int64_t end, unsigned parts, struct span *spans,
                                  unsigned *count) {
    /* Distances between times are taken modulo 2^64. */
    uint64_t rest = (uint64_t)end - (uint64_t)start, step = rest / parts;
    flowdb_status status = FLOWDB_OK;
    *count = 0;
    for (uint64_t at = 0; *count < parts && at <= rest && status == FLOWDB_OK; at += step + 1) {
        uint64_t left = rest - at;
        spans[*count].start = (int64_t)((uint64_t)start + at);
        spans[*count].end = (int64_t)((uint64_t)start + at + (left < step ? left : step));
        status = sample(reading, lister, &spans[(*count)++]);
    }
    return status;
}

/* The one that seems to hold most and can be cut; NULL where there is none. */
static struct span *find_largest(struct span *spans, unsigned count) {
    struct span *largest = NULL;
    for (unsigned i = 0; i < count; i++)
        if (!spans[i].whole && spans[i].end > spans[i].start &&
            (largest == NULL || spans[i].records > largest->records))
            largest = &spans[i];
    return largest;
}

static flowdb_status split(struct fl_reading *reading, struct lister *lister, struct span *spans,
                           unsigned *count) {
    struct span parts[PARTS], *largest = find_largest(spans, *count);
    unsigned made;
    if (largest == NULL)
        return FLOWDB_DONE;
    flowdb_status status =
        sample_parts(reading, lister, largest->start, largest->end, PARTS, parts, &made);
    *largest = parts[0];
    for (unsigned i = 1; i < made; i++)
        spans[(*count)++] = parts[i];
    return status;
}

/* Goes on behind what was counted, up to the last record, on which the iterator is left. */
static flowdb_status estimate(struct fl_reading *reading, struct lister *lister) {
    struct series *series = &lister->series;
    struct span spans[SPANS_MAX];
    unsigned count = 0;
    int64_t counted_ts = series->last_ts;
    flowdb_status status = find_last(reading, lister);
    series->exact = false;
    if (status != FLOWDB_OK || series->last_ts <= counted_ts)
        return status;
    status =
        sample_parts(reading, lister, counted_ts + 1, series->last_ts, FIRST_SPANS, spans, &count);
    for (unsigned i = 0; i < SPLITS && status == FLOWDB_OK; i++)
        status = split(reading, lister, spans, &count);
    if (status != FLOWDB_OK && status != FLOWDB_DONE)
        return status;
    for (unsigned i = 0; i < count; i++) {
        series->records += spans[i].records;
        series->bytes += spans[i].bytes;
    }
    flowdb_record last;
    lister->met = false;
    status = flowdb_iterator_seek(
        reading->iterator, flowdb_bytes(series->key.data, series->key.size), series->last_ts);
    return status == FLOWDB_OK ? next_of(reading, lister, &last) : status;
}

/* ------------------------------------------------------------------------------------- pages -- */

/* The first record of the next series. */
static flowdb_status begin_series(struct fl_reading *reading, struct lister *lister) {
    struct series *series = &lister->series;
    flowdb_record record = {.ts = lister->met_ts};
    size_t bytes = lister->met_bytes;
    if (lister->met) {
        set_key(&series->key, flowdb_bytes(lister->met_key.data, lister->met_key.size));
    } else {
        flowdb_status status = flowdb_iterator_next_key(reading->iterator, &record);
        if (status != FLOWDB_OK)
            return status;
        bytes = bytes_of(&record);
        set_key(&series->key, record.key);
    }
    lister->met = false;
    series->records = series->bytes = 0;
    series->exact = true;
    series->first_ts = record.ts;
    add_counted(lister, record.ts, bytes);
    return FLOWDB_OK;
}

static flowdb_status next_series(struct fl_reading *reading, flowdb_record *record) {
    struct lister *lister = reading->own;
    flowdb_status status = begin_series(reading, lister);
    if (status != FLOWDB_OK)
        return status;
    status = count(reading, lister);
    find_recent(lister);
    if (status == FLOWDB_OK)
        status = estimate(reading, lister);
    if (status != FLOWDB_OK && status != FLOWDB_DONE)
        return status;
    if (lister->series.key.failed || lister->met_key.failed)
        return FLOWDB_NO_MEMORY;
    if (lister->rows >= PAGE_ROWS && reading->limit > reading->writer.count)
        reading->limit = reading->writer.count + 1;
    *record = (flowdb_record){.key = {lister->series.key.data, lister->series.key.size}};
    return FLOWDB_OK;
}

/* Of so many records between two times; null where there is no time between them. */
static double rate(double records, int64_t first_ts, int64_t last_ts) {
    double secs = ((double)last_ts - (double)first_ts) * 1e-6;
    return secs > 0 ? (records - 1) / secs : NAN;
}

static void write_series(const struct fl_record_writer *writer, struct fl_json_writer *json) {
    const struct lister *lister = writer->more_context;
    const struct series *series = &lister->series;
    fl_list_double(json, "records", round(series->records));
    fl_list_double(json, "bytes", round(series->bytes));
    fl_list_bool(json, "exact", series->exact);
    fl_list_int(json, "first_ts", fl_time_write(writer->precision, series->first_ts));
    fl_list_int(json, "last_ts", fl_time_write(writer->precision, series->last_ts));
    fl_list_double(json, "records_per_sec",
                   rate(series->records, series->first_ts, series->last_ts));
    fl_list_double(json, "recent_records_per_sec",
                   rate(series->recent, series->recent_ts, series->last_ts));
}

static void release(void *own) {
    struct lister *lister = own;
    fl_output_deinit(&lister->series.key);
    fl_output_deinit(&lister->met_key);
    free(lister);
}

static flowdb_status open_iterators(struct fl_reading *reading, const struct fl_cursor *place) {
    flowdb *db = fl_api_db(reading->request);
    flowdb_range range =
        flowdb_range_prefix(fl_http_params_bytes(&reading->request->params, FL_PARAM_PREFIX));
    flowdb_read_options options = fl_reading_options(reading);
    options.fill_cache = false; /* what others read is not to make room for this */
    flowdb_status status = flowdb_scan(db, &range, &options, &reading->iterator);
    options.reverse = true;
    if (status == FLOWDB_OK)
        status = flowdb_scan(db, &range, &options, &reading->finder);
    return status == FLOWDB_OK && place != NULL ? fl_reading_skip_key(reading, place) : status;
}

static bool begin_series_list(struct fl_http_request *request) {
    return fl_http_params_number(&request->params, FL_PARAM_LIMIT, 1) <= PAGE_SERIES_MAX ||
           fl_http_reply_fail(&request->reply, 400, "limit must be at most %d", PAGE_SERIES_MAX);
}

static void start(struct fl_reading *reading, const struct fl_cursor *place) {
    struct fl_http_request *request = reading->request;
    struct lister *lister = calloc(1, sizeof *lister);
    if (lister == NULL) {
        fl_http_reply_fail(&request->reply, 500, "out of memory");
        return;
    }
    reading->own = lister;
    reading->release_own = release;
    reading->step = next_series;
    reading->limit = (uint64_t)fl_http_params_number(&request->params, FL_PARAM_LIMIT, PAGE_SERIES);
    reading->writer.format = FL_FORMAT_JSON;
    reading->writer.keys_only = true;
    reading->writer.more = write_series;
    reading->writer.more_context = lister;
    fl_reading_start(reading, open_iterators(reading, place));
}

static void finish_series_list(struct fl_http_request *request) {
    struct fl_output bytes = {0};
    struct fl_cursor place;
    bool paged = false;
    if (fl_cursor_read(request, &bytes, &place, &paged)) {
        struct fl_reading *reading = fl_reading_create(request);
        if (reading != NULL)
            start(reading, paged ? &place : NULL);
    }
    fl_output_deinit(&bytes);
}

const struct fl_http_handler fl_api_series = {.begin = begin_series_list,
                                              .finish = finish_series_list};
