#include "api/self_metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "api/figures.h"
#include "api/ticker.h"

/* More than there are figures; what came beyond it would be left out. */
#define SAMPLES_MAX 192

struct sample {
    char key[64];
    char value[32];
};

struct fl_self_metrics {
    const struct fl_api *api;
    const struct fl_http_meters *meters;
    const struct fl_logger *logger;
    struct fl_ticker *ticker;
    /* the ticker's */
    bool failing;
    size_t count;
    struct sample samples[SAMPLES_MAX];
    flowdb_record records[SAMPLES_MAX];
};

/* One more, whose value is to be filled in. The last one is overwritten where there is no room. */
static struct sample *add(struct fl_self_metrics *metrics, const char *name, const char *label) {
    if (metrics->count < SAMPLES_MAX)
        metrics->count++;
    struct sample *sample = &metrics->samples[metrics->count - 1];
    snprintf(sample->key, sizeof sample->key, "flowdb.%s%s%s", name, label[0] != '\0' ? "." : "",
             label);
    return sample;
}

static void add_integer(struct fl_self_metrics *metrics, const char *name, const char *label,
                        uint64_t value) {
    struct sample *sample = add(metrics, name, label);
    snprintf(sample->value, sizeof sample->value, "%" PRIu64, value);
}

static void add_real(struct fl_self_metrics *metrics, const char *name, double value) {
    struct sample *sample = add(metrics, name, "");
    snprintf(sample->value, sizeof sample->value, "%.15g", value);
}

static void add_stats(struct fl_self_metrics *metrics, const flowdb_stats *stats) {
    const flowdb_stats_field *field;
    for (size_t i = 0; (field = flowdb_stats_field_at(i)) != NULL; i++) {
        const char *at = (const char *)stats + field->offset;
        uint64_t integer;
        double real;
        if (field->is_double) {
            memcpy(&real, at, sizeof real);
            add_real(metrics, field->name, real);
        } else {
            memcpy(&integer, at, sizeof integer);
            add_integer(metrics, field->name, "", integer);
        }
    }
}

static void add_figures(struct fl_self_metrics *metrics) {
    struct fl_figures figures;
    struct fl_figure named[FL_FIGURES_NAMED];
    fl_figures_read(metrics->api, metrics->meters, &figures);
    fl_figures_name(&figures, named);
    for (size_t i = 0; i < FL_FIGURES_NAMED; i++)
        add_real(metrics, named[i].name, named[i].value);
}

static void add_ingest(struct fl_self_metrics *metrics) {
    for (unsigned at = 0; at < FL_PROTOCOLS; at++) {
        enum fl_protocol protocol = (enum fl_protocol)at;
        const char *label = fl_protocol_name(protocol);
        struct fl_protocol_counts counts;
        fl_counters_protocol(metrics->api->counters, protocol, &counts);
        add_integer(metrics, "ingest_records_total", label, counts.records);
        add_integer(metrics, "ingest_bytes_total", label, counts.bytes);
        add_integer(metrics, "ingest_writes_total", label, counts.writes);
        add_integer(metrics, "ingest_expired_total", label, counts.expired);
        add_integer(metrics, "ingest_rejected_total", label, counts.rejected);
    }
}

static flowdb_status write_samples(struct fl_self_metrics *metrics) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    for (size_t i = 0; i < metrics->count; i++)
        metrics->records[i] =
            (flowdb_record){.key = flowdb_str(metrics->samples[i].key),
                            .ts = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000,
                            .expire_at = FLOWDB_NEVER,
                            .value = flowdb_str(metrics->samples[i].value)};
    return flowdb_write(metrics->api->db, metrics->records, metrics->count);
}

/* One line when it begins to fail, and one when it is over. */
static void tell(struct fl_self_metrics *metrics, flowdb_status status) {
    bool failing = status != FLOWDB_OK;
    if (failing && !metrics->failing)
        fl_logger_write(
            metrics->logger, FLOWDB_LOG_WARN,
            "the server's own metrics cannot be written, and are left out until they can",
            (const struct fl_log_pair[]){{"status", flowdb_status_name(status)},
                                         {"reason", flowdb_last_error()},
                                         {NULL, NULL}});
    else if (!failing && metrics->failing)
        fl_logger_write(metrics->logger, FLOWDB_LOG_INFO,
                        "the server's own metrics are written again", NULL);
    metrics->failing = failing;
}

static void tick(void *context) {
    struct fl_self_metrics *metrics = context;
    flowdb_stats stats = {.struct_size = sizeof stats};
    flowdb_status status = flowdb_get_stats(metrics->api->db, &stats);
    metrics->count = 0;
    if (status == FLOWDB_OK) {
        add_stats(metrics, &stats);
        add_figures(metrics);
        add_ingest(metrics);
        status = write_samples(metrics);
    }
    tell(metrics, status);
}

struct fl_self_metrics *fl_self_metrics_start(const struct fl_api *api,
                                              const struct fl_http_meters *meters,
                                              const struct fl_logger *logger) {
    struct fl_self_metrics *metrics = calloc(1, sizeof *metrics);
    if (metrics == NULL)
        return NULL;
    metrics->api = api;
    metrics->meters = meters;
    metrics->logger = logger;
    metrics->ticker = fl_ticker_start("flowdb-self", api->config->self_metrics_interval_secs * 1000,
                                      tick, metrics);
    if (metrics->ticker != NULL)
        return metrics;
    free(metrics);
    return NULL;
}

void fl_self_metrics_stop(struct fl_self_metrics *metrics) {
    if (metrics == NULL)
        return;
    fl_ticker_stop(metrics->ticker);
    free(metrics);
}
