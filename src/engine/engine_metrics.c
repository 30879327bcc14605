/* flowdb_metrics_text: the statistics in Prometheus' text format 0.0.4, driven by stats_fields.c. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "engine/observe.h"

/* The text grows behind room for its allocator, which flowdb_free needs. */
#define OWNER_ROOM ((size_t)16)

struct text {
    struct fl_buffer buffer;
    flowdb_status status; /* of all that was appended so far */
};

__attribute__((format(printf, 2, 3))) static void append(struct text *text, const char *format,
                                                         ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (text->status == FLOWDB_OK)
        text->status = fl_buffer_append(&text->buffer, line, FL_MIN((size_t)size, sizeof line - 1));
}

/* ------------------------------------------------------------------------------------- fields -- */

static void append_value(struct text *text, const char *name, const flowdb_stats_field *field,
                         const flowdb_stats *stats) {
    const uint8_t *at = (const uint8_t *)stats + field->offset;
    uint64_t number;
    double real;
    if (field->is_double) {
        memcpy(&real, at, sizeof real);
        append(text, "%s %.17g\n", name, real);
        return;
    }
    memcpy(&number, at, sizeof number);
    if (field->scale == 1)
        append(text, "%s %" PRIu64 "\n", name, number);
    else
        append(text, "%s %.17g\n", name, (double)number * field->scale);
}

/* What the file system does not tell has no sample. */
static bool is_known(const flowdb_stats_field *field, const flowdb_stats *stats) {
    return field->offset != offsetof(flowdb_stats, disk_free_bytes) ||
           stats->disk_free_bytes != UINT64_MAX;
}

static void append_fields(struct text *text, const flowdb_stats *stats) {
    const flowdb_stats_field *field;
    for (size_t i = 0; (field = flowdb_stats_field_at(i)) != NULL; i++) {
        if (field->metric == NULL || !is_known(field, stats))
            continue;
        append(text, "# HELP %s %s\n# TYPE %s %s\n", field->metric, field->help, field->metric,
               field->kind == FLOWDB_STATS_COUNTER ? "counter" : "gauge");
        append_value(text, field->metric, field, stats);
        if (field->old_metric == NULL)
            continue;
        append(text, "# HELP %s The same as %s.\n# TYPE %s untyped\n", field->old_metric,
               field->metric, field->old_metric);
        append_value(text, field->old_metric, field, stats);
    }
}

/* --------------------------------------------------------------------------------- histograms -- */

struct exposed {
    const char *name, *help;
    const struct fl_histogram *histogram;
    uint32_t first_bits, last_bits; /* bounds are these powers of two of nanoseconds */
};

static void append_histogram(struct text *text, const struct exposed *exposed) {
    struct fl_histogram_counts counts;
    fl_histogram_read(exposed->histogram, &counts);
    const char *name = exposed->name;
    append(text, "# HELP %s %s\n# TYPE %s histogram\n", name, exposed->help, name);
    for (uint32_t bits = exposed->first_bits; bits <= exposed->last_bits; bits++)
        append(text, "%s_bucket{le=\"%.9g\"} %" PRIu64 "\n", name,
               (double)(UINT64_C(1) << bits) * 1e-9, fl_histogram_at_most(&counts, bits));
    append(text, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, counts.count);
    append(text, "%s_sum %.17g\n%s_count %" PRIu64 "\n", name, (double)counts.sum * 1e-9, name,
           counts.count);
}

static void append_histograms(struct text *text, const struct fl_stats *stats) {
    const struct exposed all[] = {
        {"flowdb_write_latency_seconds", "How long writing calls took.",
         &stats->calls[FL_CALL_WRITE], 9, 34},
        {"flowdb_get_latency_seconds", "How long gets took.", &stats->calls[FL_CALL_GET], 6, 31},
        {"flowdb_query_latency_seconds",
         "How long queries took, and scans from their begin to their end.",
         &stats->calls[FL_CALL_QUERY], 9, 36},
        {"flowdb_flush_latency_seconds", "How long flushes of one memtable took.", &stats->flushes,
         18, 38},
        {"flowdb_wal_sync_latency_seconds", "How long syncs of a log took.", &stats->syncs, 14, 36},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        append_histogram(text, &all[i]);
}

/* ---------------------------------------------------------------------------------------- all -- */

static flowdb_status write_text(flowdb *db, struct text *text) {
    static const uint8_t room[OWNER_ROOM];
    text->status = fl_buffer_append(&text->buffer, room, sizeof room);
    flowdb_stats stats;
    fl_engine_gather_stats(db, &stats);
    append_fields(text, &stats);
    append_histograms(text, &db->stats);
    if (text->status == FLOWDB_OK)
        text->status = fl_buffer_append(&text->buffer, "", 1);
    return text->status;
}

flowdb_status flowdb_metrics_text(flowdb *db, char **text) {
    if (db == NULL || text == NULL)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "%s is NULL", db == NULL ? "db" : "text");
    struct text made;
    fl_buffer_init(&made.buffer, db->env.alloc);
    flowdb_status status = write_text(db, &made);
    if (status != FLOWDB_OK) {
        fl_buffer_deinit(&made.buffer);
        return status;
    }
    memcpy(made.buffer.data, &db->env.alloc, sizeof db->env.alloc);
    *text = (char *)made.buffer.data + OWNER_ROOM;
    return FLOWDB_OK;
}

void flowdb_free(void *pointer) {
    if (pointer == NULL)
        return;
    uint8_t *memory = (uint8_t *)pointer - OWNER_ROOM;
    const struct fl_alloc *alloc;
    memcpy(&alloc, memory, sizeof alloc);
    fl_release(alloc, memory);
}
