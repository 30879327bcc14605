/* What a run prints, and its JSON file. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "run.h"

enum { PLAIN_SECONDS = 5, LINE_BYTES = 160 };

void report_head(const struct run *run) {
    printf("flowdb-stress %s: seed %" PRIu64 ", %u series of %u points, %u s, in %s\n",
           flowdb_version(), run->options.seed, run->slots.series, run->slots.points,
           run->options.seconds, run->data_dir);
    printf("%-22s %11s %-11s %11s  %9s %9s %9s %9s\n", "phase", "operations", "", "records/s",
           "p50 us", "p99 us", "p99.9 us", "max us");
    fflush(stdout);
}

static unsigned columns(void) {
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
}

void report_progress(const struct run *run, const struct phase *phase, uint64_t records,
                     uint64_t operations, double seconds) {
    char line[LINE_BYTES];
    double rate = (double)(records > 0 ? records : operations) / seconds;
    int size = snprintf(line, sizeof line,
                        "%-22s %11" PRIu64 " %-11s %11.0f  %.1f s, %.0f of %u s of the run",
                        phase->name, operations, phase->unit, rate, seconds,
                        (double)(tool_now_ns() - run->started_ns) / 1e9, run->options.seconds);
    if (isatty(STDOUT_FILENO)) {
        /* A line that wraps could not be drawn over. */
        unsigned room = columns() - 1;
        printf("\r\x1b[K%.*s", (int)((unsigned)size < room ? (unsigned)size : room), line);
        fflush(stdout);
    } else if ((uint64_t)(seconds * 10) % ((uint64_t)PLAIN_SECONDS * 10) == 0) {
        printf("%s\n", line);
        fflush(stdout);
    }
}

static double records_per_second(const struct result *result) {
    return result->seconds > 0 ? (double)result->records / result->seconds : 0;
}

void report_row(const struct result *result) {
    const struct latency *latency = &result->latency;
    if (isatty(STDOUT_FILENO))
        printf("\r\x1b[K");
    printf("%-22s %11" PRIu64 " %-11s %11.0f  %9.1f %9.1f %9.1f %9.1f\n", result->phase->name,
           result->operations, result->phase->unit, records_per_second(result),
           latency_percentile_us(latency, 50), latency_percentile_us(latency, 99),
           latency_percentile_us(latency, 99.9), (double)latency->max_ns / 1000);
    fflush(stdout);
}

void report_end(const struct run *run) {
    printf("%" PRIu64 " files, %.1f MB, of which tables %.1f MB; %.1f s\n", run->usage.files,
           (double)run->usage.bytes / 1e6, (double)run->usage.table_bytes / 1e6,
           (double)(tool_now_ns() - run->started_ns) / 1e9);
    if (run->mismatches + run->failures == 0)
        printf("every read was right\n");
    else
        printf("%" PRIu64 " wrong answers, %" PRIu64 " calls failed\n", run->mismatches,
               run->failures);
    fflush(stdout);
}

static void write_result(FILE *file, const struct result *result, bool last) {
    const struct latency *latency = &result->latency;
    fprintf(file,
            "    {\"phase\": \"%s\", \"threads\": %u, \"unit\": \"%s\", \"operations\": %" PRIu64
            ", \"records\": %" PRIu64 ", \"errors\": %" PRIu64
            ", \"seconds\": %.6f, \"records_per_second\": %.1f,\n     \"latency_us\": {\"p50\": "
            "%.3f, \"p90\": %.3f, \"p99\": %.3f, \"p99.9\": %.3f, \"max\": %.3f}}%s\n",
            result->phase->name, result->phase->threads, result->phase->unit, result->operations,
            result->records, result->errors, result->seconds, records_per_second(result),
            latency_percentile_us(latency, 50), latency_percentile_us(latency, 90),
            latency_percentile_us(latency, 99), latency_percentile_us(latency, 99.9),
            (double)latency->max_ns / 1000, last ? "" : ",");
}

bool report_json(const struct run *run) {
    FILE *file = fopen(run->options.json, "w");
    if (file == NULL) {
        fprintf(stderr, "flowdb-stress: cannot write %s: %s\n", run->options.json, strerror(errno));
        return false;
    }
    fprintf(file,
            "{\n  \"version\": \"%s\",\n  \"seed\": %" PRIu64 ",\n  \"seconds\": %u,\n"
            "  \"series\": %u,\n  \"points\": %u,\n  \"mismatches\": %" PRIu64
            ",\n  \"failed_calls\": %" PRIu64 ",\n  \"files\": %" PRIu64 ",\n  \"bytes\": %" PRIu64
            ",\n  \"table_bytes\": %" PRIu64 ",\n  \"phases\": [\n",
            flowdb_version(), run->options.seed, run->options.seconds, run->slots.series,
            run->slots.points, run->mismatches, run->failures, run->usage.files, run->usage.bytes,
            run->usage.table_bytes);
    for (unsigned i = 0; i < run->result_count; i++)
        write_result(file, &run->results[i], i + 1 == run->result_count);
    fprintf(file, "  ]\n}\n");
    bool written = ferror(file) == 0;
    if (fclose(file) != 0 || !written) {
        fprintf(stderr, "flowdb-stress: cannot write %s\n", run->options.json);
        return false;
    }
    return true;
}
