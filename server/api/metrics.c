#include "api/metrics.h"

#include <inttypes.h>
#include <stdio.h>

#include "api/figures.h"

static void append_head(struct fl_output *output, const char *name, const char *type,
                        const char *help) {
    fl_output_format(output, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void append_number(struct fl_output *output, const char *name, const char *type,
                          const char *help, uint64_t value) {
    append_head(output, name, type, help);
    fl_output_format(output, "%s %" PRIu64 "\n", name, value);
}

/* A counter, and the name that it had in the original, which does not end as a counter's should. */
static void append_renamed(struct fl_output *output, const char *old, const char *help,
                           uint64_t value) {
    fl_output_format(output,
                     "# HELP %s_total %s\n# TYPE %s_total counter\n%s_total %" PRIu64 "\n"
                     "# HELP %s The same as %s_total.\n# TYPE %s untyped\n%s %" PRIu64 "\n",
                     old, help, old, old, value, old, old, old, old, value);
}

/* --------------------------------------------------------------------------------------- UDP -- */

static void append_udp(struct fl_output *output, const struct fl_figures *figures) {
    append_renamed(output, "flowdb_udp_packets_received",
                   "Datagrams that arrived, those too that the kernel dropped.",
                   figures->udp_packets_received);
    append_renamed(output, "flowdb_udp_packets_dropped", "Datagrams that were not stored.",
                   figures->udp_packets_dropped);
    append_head(output, "flowdb_udp_drops_total", "counter",
                "Datagrams that were not stored, by reason.");
    for (unsigned drop = FL_FRAME_FINE + 1; drop < FL_UDP_DROPS; drop++)
        fl_output_format(output, "flowdb_udp_drops_total{reason=\"%s\"} %" PRIu64 "\n",
                         fl_udp_drop_name(drop), figures->udp.dropped[drop]);
    append_number(output, "flowdb_udp_received_bytes_total", "counter",
                  "Bytes of the datagrams that were received.", figures->udp.bytes);
    append_number(output, "flowdb_udp_records_total", "counter",
                  "Records of datagrams that were stored.", figures->udp.records);
    append_number(output, "flowdb_udp_commits_total", "counter",
                  "Commits of datagrams that waited together.", figures->udp.batches);
}

/* ------------------------------------------------------------------------------------ ingest -- */

static void append_ingest(struct fl_output *output, const struct fl_counters *counters) {
    static const struct {
        const char *name, *help;
        size_t offset;
    } series[] = {
        {"flowdb_ingest_records_total", "Records that were stored, by protocol.",
         offsetof(struct fl_protocol_counts, records)},
        {"flowdb_ingest_bytes_total", "Bytes of what brought them, decompressed.",
         offsetof(struct fl_protocol_counts, bytes)},
        {"flowdb_ingest_writes_total", "Commits of them.",
         offsetof(struct fl_protocol_counts, writes)},
        {"flowdb_ingest_expired_total", "Those whose expiry was past when they were written.",
         offsetof(struct fl_protocol_counts, expired)},
        {"flowdb_ingest_rejected_total", "Requests and datagrams refused for what they held.",
         offsetof(struct fl_protocol_counts, rejected)},
    };
    for (size_t i = 0; i < sizeof series / sizeof series[0]; i++) {
        append_head(output, series[i].name, "counter", series[i].help);
        for (unsigned protocol = 0; protocol < FL_PROTOCOLS; protocol++) {
            struct fl_protocol_counts counts;
            uint64_t value;
            fl_counters_protocol(counters, (enum fl_protocol)protocol, &counts);
            memcpy(&value, (const char *)&counts + series[i].offset, sizeof value);
            fl_output_format(output, "%s{protocol=\"%s\"} %" PRIu64 "\n", series[i].name,
                             fl_protocol_name((enum fl_protocol)protocol), value);
        }
    }
    append_number(output, "flowdb_unit_warnings_total", "counter",
                  "Writes whose timestamps look like another unit than microseconds.",
                  fl_counters_unit_warnings(counters));
}

/* -------------------------------------------------------------------------------------- HTTP -- */

/* A label: of the route table, so nothing that a client sent. */
static const char *path_of(const struct fl_http_service *service, size_t route) {
    return route < service->route_count ? service->routes[route].path : "unknown";
}

/* Two routes may have one path; what has one path has one line. */
static bool is_first_of_path(const struct fl_http_service *service, size_t route) {
    for (size_t i = 0; i < route && route < service->route_count; i++)
        if (strcmp(service->routes[i].path, service->routes[route].path) == 0)
            return false;
    return true;
}

static bool has_path(const struct fl_http_service *service, size_t route, size_t first) {
    return strcmp(path_of(service, route), path_of(service, first)) == 0;
}

static void append_answers(struct fl_output *output, const struct fl_http_service *service,
                           size_t first) {
    const struct fl_http_meters *meters = service->meters;
    for (unsigned method = 0; method < FL_HTTP_METHODS; method++) {
        for (unsigned status = 0; status < FL_HTTP_STATUSES; status++) {
            uint64_t count = 0;
            char text[16] = "none";
            for (size_t i = first; i < meters->count; i++)
                if (has_path(service, i, first))
                    count += fl_http_meter_read(&meters->routes[i].answers[method][status]);
            if (count == 0)
                continue;
            if (fl_http_meter_statuses[status] != 0)
                snprintf(text, sizeof text, "%u", fl_http_meter_statuses[status]);
            fl_output_format(
                output,
                "flowdb_http_responses_total{path=\"%s\",method=\"%s\",status=\"%s\"} %" PRIu64
                "\n",
                path_of(service, first),
                fl_http_method_name(method < FL_HTTP_METHODS - 1 ? 1U << method : 0), text, count);
        }
    }
}

/* Paths that nobody asked for yet have no histogram. */
static void append_latency(struct fl_output *output, const struct fl_http_service *service,
                           size_t first) {
    static const char name[] = "flowdb_http_request_duration_seconds";
    const struct fl_http_meters *meters = service->meters;
    const char *path = path_of(service, first);
    uint64_t buckets[FL_HTTP_LATENCY_BUCKETS] = {0}, count = 0, sum_us = 0;
    for (size_t i = first; i < meters->count; i++) {
        if (!has_path(service, i, first))
            continue;
        sum_us += fl_http_meter_read(&meters->routes[i].latency_us);
        for (unsigned bucket = 0; bucket < FL_HTTP_LATENCY_BUCKETS; bucket++)
            buckets[bucket] += fl_http_meter_read(&meters->routes[i].latencies[bucket]);
    }
    for (unsigned bucket = 0; bucket < FL_HTTP_LATENCY_BUCKETS; bucket++)
        count += buckets[bucket];
    if (count == 0)
        return;
    uint64_t below = 0;
    for (unsigned bucket = 0; bucket < FL_HTTP_LATENCY_BUCKETS - 1; bucket++) {
        below += buckets[bucket];
        fl_output_format(output, "%s_bucket{path=\"%s\",le=\"%g\"} %" PRIu64 "\n", name, path,
                         (double)fl_http_meter_bounds_us[bucket] * 1e-6, below);
    }
    fl_output_format(output,
                     "%s_bucket{path=\"%s\",le=\"+Inf\"} %" PRIu64 "\n"
                     "%s_sum{path=\"%s\"} %.17g\n%s_count{path=\"%s\"} %" PRIu64 "\n",
                     name, path, count, name, path, (double)sum_us * 1e-6, name, path, count);
}

static void append_http(struct fl_output *output, const struct fl_http_service *service,
                        const struct fl_figures *figures) {
    append_number(output, "flowdb_http_requests_total", "counter",
                  "Requests whose headers were read.", figures->http_requests_total);
    append_number(output, "flowdb_http_requests_rejected_total", "counter",
                  "Requests that were answered with a status from 400 on.",
                  figures->http_requests_rejected);
    append_number(output, "flowdb_http_requests_active", "gauge",
                  "Requests between their headers and the end of their answer.",
                  figures->http_requests_active);
    append_number(output, "flowdb_http_connections", "gauge", "Open connections.",
                  figures->http_connections);
    append_head(output, "flowdb_http_connections_cut_total", "counter",
                "Connections that the server ended: too slow, idle or too many.");
    for (unsigned cut = 0; cut < FL_HTTP_CUTS; cut++)
        fl_output_format(output, "flowdb_http_connections_cut_total{reason=\"%s\"} %" PRIu64 "\n",
                         fl_http_cut_name(cut), fl_http_meter_read(&service->meters->cuts[cut]));
    append_number(output, "flowdb_http_request_bytes_total", "counter",
                  "Bytes of requests' bodies, as they arrived.", figures->http_bytes_in);
    append_number(output, "flowdb_http_response_bytes_total", "counter",
                  "Bytes of answers' bodies, as they were sent.", figures->http_bytes_out);
    if (fl_http_meter_read(&service->meters->ended) == 0)
        return;
    append_head(output, "flowdb_http_responses_total", "counter",
                "Requests that ended, by path, method and the answer's status.");
    for (size_t i = 0; i < service->meters->count; i++)
        if (is_first_of_path(service, i))
            append_answers(output, service, i);
    append_head(output, "flowdb_http_request_duration_seconds", "histogram",
                "From a request's headers to the end of its answer, by path.");
    for (size_t i = 0; i < service->meters->count; i++)
        if (is_first_of_path(service, i))
            append_latency(output, service, i);
}

/* ----------------------------------------------------------------------------------- process -- */

static void append_process(struct fl_output *output, const struct fl_figures *figures) {
    append_head(output, "flowdb_build_info", "gauge", "Always 1; the labels say what runs.");
    fl_output_format(output, "flowdb_build_info{version=\"%s\"} 1\n", flowdb_version());
    append_head(output, "process_cpu_seconds_total", "counter",
                "Processor time that the process has used.");
    fl_output_format(output, "process_cpu_seconds_total %.6f\n", figures->cpu_seconds);
    if (figures->resident_bytes > 0)
        append_number(output, "process_resident_memory_bytes", "gauge",
                      "Memory of the process that is in RAM.", figures->resident_bytes);
}

void fl_metrics_append(const struct fl_http_service *service, struct fl_output *output) {
    struct fl_figures figures;
    fl_figures_read(service->app, service->meters, &figures);
    append_udp(output, &figures);
    append_ingest(output, ((const struct fl_api *)service->app)->counters);
    append_http(output, service, &figures);
    append_process(output, &figures);
}
