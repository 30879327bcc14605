/*
 * GET /admin/tables: the tables that make up the database, by tier and window, the newest windows first.
 *
 *     {"windows":[{"level":1,"start":0,"end":3600000000,"tables":1,"file_bytes":900,"records":7}],
 *      "tables":[{"id":9,"level":1, ...}],"count":1}
 *
 * The list is one copy of what the engine knows of each; the answer is written from it as the client
 * takes it.
 */
#include <stdlib.h>

#include "api/api.h"
#include "api/listing.h"
#include "api/precision.h"

struct listing {
    struct fl_http_source source; /* first: the reply owns the listing by it */
    enum fl_precision precision;
    flowdb_tables tables;
    const flowdb_table **sorted;
    size_t next_window; /* in `sorted`, the first table of the window to be written next */
    size_t next_table;
    struct fl_json_writer writer;
};

static int compare(int64_t a, int64_t b) {
    return (a > b) - (a < b);
}

static int by_window(const void *a, const void *b) {
    const flowdb_table *first = *(const flowdb_table *const *)a;
    const flowdb_table *second = *(const flowdb_table *const *)b;
    int order = compare(first->window_level, second->window_level);
    if (order == 0)
        order = compare(second->window_start, first->window_start);
    if (order == 0)
        order = (second->max_sequence > first->max_sequence) -
                (second->max_sequence < first->max_sequence);
    return order;
}

/* A window of level 0 has no bounds. */
static void write_bounds(struct listing *listing, const flowdb_table *table, const char *start,
                         const char *end) {
    if (table->window_level == 0)
        return;
    fl_list_int(&listing->writer, start, fl_time_write(listing->precision, table->window_start));
    fl_list_int(&listing->writer, end, fl_time_write(listing->precision, table->window_end));
}

static void write_window(struct listing *listing) {
    struct fl_json_writer *writer = &listing->writer;
    const flowdb_table *first = listing->sorted[listing->next_window];
    uint64_t tables = 0, bytes = 0, records = 0;
    for (; listing->next_window < listing->tables.count; listing->next_window++) {
        const flowdb_table *table = listing->sorted[listing->next_window];
        if (table->window_level != first->window_level ||
            table->window_start != first->window_start)
            break;
        tables++;
        bytes += table->file_bytes;
        records += table->records;
    }
    fl_json_begin_object(writer);
    fl_list_uint(writer, "level", first->window_level);
    write_bounds(listing, first, "start", "end");
    fl_list_uint(writer, "tables", tables);
    fl_list_uint(writer, "file_bytes", bytes);
    fl_list_uint(writer, "records", records);
    fl_json_end_object(writer);
}

/* What covers nothing, as a table of range deletes alone, has no ranges. */
static void write_ranges(struct listing *listing, const flowdb_table *table) {
    struct fl_json_writer *writer = &listing->writer;
    if (table->records > 0) {
        fl_list_key(writer, "min_key", "min_key_base64", table->min_key);
        fl_list_key(writer, "max_key", "max_key_base64", table->max_key);
        fl_list_int(writer, "min_ts", fl_time_write(listing->precision, table->min_ts));
        fl_list_int(writer, "max_ts", fl_time_write(listing->precision, table->max_ts));
    }
    if (table->records > table->deletes)
        fl_list_int(writer, "max_expire_at",
                    fl_time_write_expiry(listing->precision, table->max_expire_at));
}

static const struct fl_list_field figures[] = {
    FL_LIST_FIELD(flowdb_table, min_sequence), FL_LIST_FIELD(flowdb_table, max_sequence),
    FL_LIST_FIELD(flowdb_table, file_bytes),   FL_LIST_FIELD(flowdb_table, raw_bytes),
    FL_LIST_FIELD(flowdb_table, records),      FL_LIST_FIELD(flowdb_table, deletes),
    FL_LIST_FIELD(flowdb_table, keys),         FL_LIST_FIELD(flowdb_table, range_tombstones),
    FL_LIST_FIELD(flowdb_table, blocks)};

static void write_table(struct listing *listing) {
    struct fl_json_writer *writer = &listing->writer;
    const flowdb_table *table = listing->sorted[listing->next_table++];
    fl_json_begin_object(writer);
    fl_list_uint(writer, "id", table->id);
    fl_list_uint(writer, "level", table->window_level);
    write_bounds(listing, table, "window_start", "window_end");
    write_ranges(listing, table);
    fl_list_fields(writer, table, figures, sizeof figures / sizeof *figures);
    fl_json_end_object(writer);
}

static enum fl_http_fill fill(struct fl_http_source *source, struct fl_output *output,
                              size_t target) {
    struct listing *listing = (struct listing *)source;
    size_t count = listing->tables.count;
    listing->writer.output = output;
    while (output->size < target && !output->failed) {
        if (listing->next_window < count) {
            write_window(listing);
            continue;
        }
        if (listing->next_table == 0) {
            fl_list_end(&listing->writer);
            fl_list_begin(&listing->writer, "tables");
        }
        if (listing->next_table < count) {
            write_table(listing);
            continue;
        }
        fl_list_end(&listing->writer);
        fl_list_uint(&listing->writer, "count", count);
        fl_json_end_object(&listing->writer);
        return FL_HTTP_DONE;
    }
    return FL_HTTP_MORE;
}

static void destroy(struct fl_http_source *source) {
    struct listing *listing = (struct listing *)source;
    flowdb_tables_free(&listing->tables);
    free(listing->sorted);
    free(listing);
}

static flowdb_status list(flowdb *db, struct listing *listing) {
    flowdb_status status = flowdb_list_tables(db, &listing->tables);
    size_t count = listing->tables.count;
    if (status != FLOWDB_OK || count == 0)
        return status;
    listing->sorted = malloc(count * sizeof *listing->sorted);
    if (listing->sorted == NULL)
        return FLOWDB_NO_MEMORY;
    memcpy(listing->sorted, listing->tables.tables, count * sizeof *listing->sorted);
    qsort(listing->sorted, count, sizeof *listing->sorted, by_window);
    return FLOWDB_OK;
}

static void finish_tables(struct fl_http_request *request) {
    struct fl_http_reply *reply = &request->reply;
    struct listing *listing = calloc(1, sizeof *listing);
    if (listing == NULL) {
        fl_http_reply_fail(reply, 500, "out of memory");
        return;
    }
    listing->source = (struct fl_http_source){fill, destroy};
    listing->precision = fl_precision_of(&request->params);
    listing->writer.output = &reply->body;
    reply->source = &listing->source;
    flowdb_status status = list(fl_api_db(request), listing);
    if (status != FLOWDB_OK) {
        fl_api_fail(request, status);
        return;
    }
    reply->status = 200;
    fl_json_begin_object(&listing->writer);
    fl_list_begin(&listing->writer, "windows");
    if (fill(reply->source, &reply->body, (size_t)32 << 10) == FL_HTTP_DONE) {
        reply->source = NULL;
        destroy(&listing->source);
    }
}

const struct fl_http_handler fl_api_tables = {.finish = finish_tables};
