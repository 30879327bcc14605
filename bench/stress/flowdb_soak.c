/* flowdb-soak: churns a database for an hour or more and watches its memory and space. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "soak.h"

static const char program[] = "flowdb-soak";

/* What the run must keep to. */
#define SPACE_CHURN_MAX 2.0
#define SPACE_END_MAX 1.05
enum { SAMPLE_SECONDS = 10, LASTING_TICKS = 500, RESIDENT_SLACK_PERCENT = 20 };

static const char usage[] =
    "Usage: flowdb-soak [OPTION]...\n"
    "Overwrites, deletes, expires and reads for as long as it is told, with the engine's\n"
    "own threads and its default configuration, and reports memory, files and space.\n\n"
    "  --gigabytes N    written at least, as the caller counts (50)\n"
    "  --minutes N      churned at least (60)\n"
    "  --working-set N  megabytes of keys that are overwritten (2000)\n"
    "  --ttl N          seconds after which the series' points expire (120)\n"
    "  --rate N         megabytes written a second at the most (0: as fast as it goes)\n"
    "  --seed N         of what is written and read (from the clock, and printed)\n"
    "  --dir PATH       where the database is made (TMPDIR, or /tmp)\n"
    "  --csv FILE       writes the samples there\n"
    "  --keep           do not remove the database at the end\n"
    "  --help           shows this\n\n"
    "Ends with 1 where a read was wrong, a call failed, tables took over 2.0 times what a\n"
    "fresh copy takes (1.05 after compacting), or memory passed what the configuration allows.\n";

/* memtable x (1 + frozen) + cache + index + batches in flight, and a fifth more. */
static uint64_t resident_allowed(const struct soak *soak) {
    flowdb_config config = flowdb_config_default();
    uint64_t megabytes = (uint64_t)config.memtable_size_mb * (1 + config.max_frozen_memtables) +
                         config.block_cache_capacity_mb + 1;
    return soak->baseline_bytes +
           (megabytes * 1024 * 1024 + soak->index_max_bytes) * (100 + RESIDENT_SLACK_PERCENT) / 100;
}

static void open_database(struct soak *soak) {
    flowdb_config config = flowdb_config_default();
    config.data_dir = soak->data_dir;
    if (!soak_expect(soak, flowdb_open(&config, &soak->db), "flowdb_open"))
        exit(1);
}

/* --------------------------------------------------------------------------------- samples -- */

struct sampler {
    struct soak *soak;
    FILE *csv; /* NULL: none */
    uint64_t last_ns, last_records;
};

struct sample {
    double seconds;
    uint64_t bytes, records, checks;
    double records_per_second;
    uint64_t resident_bytes, pause_ns;
    struct tool_usage usage;
    uint64_t live_key_records, live_series_records;
    double ideal_bytes; /* of tables, were all of what is alive copied now */
    double space;       /* tables that count, in ideal ones */
    double
        files_space; /* all files of tables, in ideal ones: with what a merge writes and replaces */
    flowdb_stats stats;
};

static void print_heads(const struct sampler *sampler) {
    printf("%7s %7s %9s | %6s %6s %6s %6s | %5s %8s %8s %7s %7s | %8s %7s %8s\n", "seconds", "GB",
           "records/s", "RSS MB", "writes", "cache", "index", "files", "tables", "ideal", "x ideal",
           "files x", "pause ms", "stalls", "checks");
    if (sampler->csv != NULL)
        fprintf(sampler->csv,
                "seconds,bytes_written,records_written,records_per_second,resident_bytes,"
                "baseline_bytes,files,table_bytes,table_file_bytes,disk_bytes,live_key_records,"
                "live_series_records,ideal_bytes,space,files_space,pause_ms,checks,write_memory_"
                "bytes,memtable_bytes,"
                "block_cache_bytes,index_bytes,write_stalls,compaction_bytes_in,"
                "compaction_bytes_out\n");
}

static void print_sample(const struct sample *sample) {
    const flowdb_stats *stats = &sample->stats;
    printf("%7.0f %7.2f %9.0f | %6.0f %6.0f %6.0f %6.0f | %5" PRIu64
           " %8.0f %8.0f %7.2f %7.2f | %8.1f %7" PRIu64 " %8" PRIu64 "\n",
           sample->seconds, (double)sample->bytes / 1e9, sample->records_per_second,
           (double)sample->resident_bytes / 1e6, (double)stats->write_memory_bytes / 1e6,
           (double)stats->block_cache_bytes / 1e6, (double)stats->index_bytes / 1e6,
           sample->usage.files, (double)stats->sstable_bytes / 1e6, sample->ideal_bytes / 1e6,
           sample->space, sample->files_space, (double)sample->pause_ns / 1e6,
           stats->total_write_stalls, sample->checks);
    fflush(stdout);
}

static void write_sample(FILE *csv, const struct soak *soak, const struct sample *sample) {
    const flowdb_stats *stats = &sample->stats;
    fprintf(csv, "%.1f,%" PRIu64 ",%" PRIu64 ",%.0f,%" PRIu64 ",%" PRIu64, sample->seconds,
            sample->bytes, sample->records, sample->records_per_second, sample->resident_bytes,
            soak->baseline_bytes);
    fprintf(csv,
            ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
            ",%.0f,%.4f,%.4f",
            sample->usage.files, stats->sstable_bytes, sample->usage.table_bytes,
            sample->usage.bytes, sample->live_key_records, sample->live_series_records,
            sample->ideal_bytes, sample->space, sample->files_space);
    fprintf(csv, ",%.3f,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64,
            (double)sample->pause_ns / 1e6, sample->checks, stats->write_memory_bytes,
            stats->memtable_bytes, stats->block_cache_bytes, stats->index_bytes);
    fprintf(csv, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n", stats->total_write_stalls,
            stats->total_compaction_bytes_in, stats->total_compaction_bytes_out);
    fflush(csv);
}

static void note_worst(struct soak *soak, const struct sample *sample) {
    if (sample->space > soak->space_max)
        soak->space_max = sample->space;
    if (sample->files_space > soak->files_space_max)
        soak->files_space_max = sample->files_space;
    if (sample->resident_bytes > soak->resident_max)
        soak->resident_max = sample->resident_bytes;
    if (sample->pause_ns > soak->pause_max_ns)
        soak->pause_max_ns = sample->pause_ns;
    if (sample->stats.index_bytes > soak->index_max_bytes)
        soak->index_max_bytes = sample->stats.index_bytes;
}

static void take_sample(struct sampler *sampler) {
    struct soak *soak = sampler->soak;
    uint64_t now = tool_now_ns();
    struct sample sample = {.seconds = (double)(now - soak->started_ns) / 1e9,
                            .bytes = soak->bytes,
                            .records = soak->records,
                            .checks = soak->checks,
                            .resident_bytes = tool_resident_bytes(),
                            .pause_ns = atomic_exchange(&soak->pause_ns, 0),
                            .usage = tool_folder_usage(soak->data_dir),
                            .stats = {.struct_size = sizeof sample.stats}};
    sample.records_per_second =
        (double)(sample.records - sampler->last_records) * 1e9 / (double)(now - sampler->last_ns);
    soak_expect(soak, flowdb_get_stats(soak->db, &sample.stats), "flowdb_get_stats");
    soak_count_live(soak, &sample.live_key_records, &sample.live_series_records);
    sample.ideal_bytes = (double)sample.live_key_records * soak->key_record_bytes +
                         (double)sample.live_series_records * soak->series_record_bytes;
    if (sample.ideal_bytes > 0)
        sample.space = (double)sample.stats.sstable_bytes / sample.ideal_bytes;
    if (sample.ideal_bytes > 0)
        sample.files_space = (double)sample.usage.table_bytes / sample.ideal_bytes;
    note_worst(soak, &sample);
    print_sample(&sample);
    if (sampler->csv != NULL)
        write_sample(sampler->csv, soak, &sample);
    sampler->last_ns = now;
    sampler->last_records = sample.records;
}

/* ---------------------------------------------------------------------------------- phases -- */

static void start(struct soak *soak, struct soak_thread *threads, unsigned count,
                  void *(*run)(void *)) {
    for (unsigned i = 0; i < count; i++) {
        threads[i].soak = soak;
        threads[i].index = i;
        threads[i].random.state = tool_mix(soak->options.seed + i);
        if (pthread_create(&threads[i].thread, NULL, run, &threads[i]) != 0) {
            fprintf(stderr, "cannot start a thread\n");
            exit(1);
        }
    }
}

static void join(struct soak_thread *threads, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i].thread, NULL);
}

/* Every key once, and enough ticks to measure what theirs take. */
static void fill(struct soak *soak) {
    struct soak_thread threads[SOAK_WRITERS];
    start(soak, threads, SOAK_WRITERS, soak_fill);
    join(threads, SOAK_WRITERS);
    soak_write_lasting(&threads[0], LASTING_TICKS);
    soak_copy(soak);
    soak_delete_series(soak);
    printf("%" PRIu64 " keys of %u points filled; a fresh copy takes %.2f bytes for a record of "
           "theirs, %.2f for one of a series\n",
           soak->group_count * SOAK_GROUP_KEYS, SOAK_KEY_POINTS, soak->key_record_bytes,
           soak->series_record_bytes);
}

static void churn(struct soak *soak, struct sampler *sampler) {
    struct soak_thread writers[SOAK_WRITERS], verifier[1];
    uint64_t begun = tool_now_ns(), next = begun;
    sampler->last_ns = soak->churn_from_ns = begun;
    soak->churn_from_bytes = soak->bytes;
    sampler->last_records = soak->records;
    atomic_store(&soak->pause_ns, 0);
    print_heads(sampler);
    start(soak, writers, SOAK_WRITERS, soak_churn);
    start(soak, verifier, 1, soak_verify);
    while (!atomic_load(&soak->stop)) {
        next += (uint64_t)SAMPLE_SECONDS * 1000000000;
        while (tool_now_ns() < next && !atomic_load(&soak->stop))
            tool_sleep_ms(100);
        take_sample(sampler);
        if (soak->bytes >= soak->options.gigabytes * 1000000000 &&
            tool_now_ns() - begun >= soak->options.minutes * 60 * UINT64_C(1000000000))
            atomic_store(&soak->stop, true);
    }
    join(writers, SOAK_WRITERS);
    join(verifier, 1);
}

/* Waits until nothing expires any more, so that the copy holds what the database does. */
static void settle(struct soak *soak) {
    struct soak_thread thread = {.soak = soak};
    soak_write_lasting(&thread, LASTING_TICKS);
    printf("waiting %u s for what has a time to expire\n", soak->options.ttl_seconds + 1);
    fflush(stdout);
    tool_sleep_ms((soak->options.ttl_seconds + 1) * 1000);
    soak_verify_all(soak);
    if (!soak_expect(soak, flowdb_compact_all(soak->db), "flowdb_compact_all"))
        return;
    soak_verify_all(soak);
    uint64_t bytes = tool_folder_usage(soak->data_dir).table_bytes, ideal = soak_copy(soak);
    if (ideal > 0)
        soak->space_end = (double)bytes / (double)ideal;
    printf("compacted: %.1f MB in tables; a fresh copy of what is alive: %.1f MB\n",
           (double)bytes / 1e6, (double)ideal / 1e6);
}

/* ------------------------------------------------------------------------------------ main -- */

static bool within(const char *what, double value, double limit, const char *unit) {
    printf("%-34s %10.3f%s, at most %.3f%s: %s\n", what, value, unit, limit, unit,
           value <= limit ? "kept" : "NOT KEPT");
    return value <= limit;
}

static int report(const struct soak *soak) {
    bool kept = !atomic_load(&soak->failed);
    printf("\n%.1f GB in %" PRIu64 " records, %" PRIu64 " reads checked, longest write %.1f ms\n",
           (double)soak->bytes / 1e9, (uint64_t)soak->records, (uint64_t)soak->checks,
           (double)soak->pause_max_ns / 1e6);
    kept = within("space while churned, x ideal", soak->space_max, SPACE_CHURN_MAX, "") && kept;
    printf("%-34s %10.3f\n", "with files merges write or replace", soak->files_space_max);
    kept = within("space after compacting, x ideal", soak->space_end, SPACE_END_MAX, "") && kept;
    kept = within("resident memory", (double)soak->resident_max / 1e6,
                  (double)resident_allowed(soak) / 1e6, " MB") &&
           kept;
    printf("(of it %.1f MB the model of what was written)\n", (double)soak->baseline_bytes / 1e6);
    printf(atomic_load(&soak->failed) ? "a read or a call went wrong\n" : "every read was right\n");
    return kept ? 0 : 1;
}

static void parse(struct soak_options *options, int count, char **arguments) {
    static const struct option known[] = {{"gigabytes", required_argument, NULL, 'g'},
                                          {"minutes", required_argument, NULL, 'm'},
                                          {"working-set", required_argument, NULL, 'w'},
                                          {"ttl", required_argument, NULL, 't'},
                                          {"rate", required_argument, NULL, 'r'},
                                          {"seed", required_argument, NULL, 'e'},
                                          {"dir", required_argument, NULL, 'd'},
                                          {"csv", required_argument, NULL, 'c'},
                                          {"keep", no_argument, NULL, 'k'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    opterr = 0;
    for (int option; (option = getopt_long(count, arguments, ":", known, NULL)) != -1;)
        switch (option) {
        case 'g':
            options->gigabytes = tool_parse_number(program, "--gigabytes", optarg, 0, 1000000);
            break;
        case 'm':
            options->minutes = tool_parse_number(program, "--minutes", optarg, 0, 1000000);
            break;
        case 'w':
            options->working_set_mb =
                tool_parse_number(program, "--working-set", optarg, 1, 1000000);
            break;
        case 't':
            options->ttl_seconds = (unsigned)tool_parse_number(program, "--ttl", optarg, 1, 86400);
            break;
        case 'r':
            options->rate_mb = (unsigned)tool_parse_number(program, "--rate", optarg, 0, 100000);
            break;
        case 'e':
            options->seed = tool_parse_number(program, "--seed", optarg, 0, UINT64_MAX);
            break;
        case 'd':
            options->folder = optarg;
            break;
        case 'c':
            options->csv = optarg;
            break;
        case 'k':
            options->keep = true;
            break;
        case 'h':
            printf("%s", usage);
            exit(0);
        case ':':
            tool_refuse(program, "%s needs a value", arguments[optind - 1]);
        default:
            tool_refuse(program, "unknown option '%s'", arguments[optind - 1]);
        }
    if (optind < count)
        tool_refuse(program, "unknown argument '%s'", arguments[optind]);
}

static FILE *open_csv(const char *path) {
    FILE *file = path != NULL ? fopen(path, "w") : NULL;
    if (path != NULL && file == NULL)
        tool_refuse(program, "cannot write %s: %s", path, strerror(errno));
    return file;
}

int main(int count, char **arguments) {
    struct soak *soak = tool_allocate(sizeof *soak);
    soak->options = (struct soak_options){.gigabytes = 50,
                                          .minutes = 60,
                                          .working_set_mb = 2000,
                                          .ttl_seconds = 120,
                                          .seed = tool_mix((uint64_t)tool_wall_us()) >> 32};
    parse(&soak->options, count, arguments);
    struct sampler sampler = {.soak = soak, .csv = open_csv(soak->options.csv)};
    tool_folder_create(program, soak->options.folder, program, soak->folder);
    snprintf(soak->data_dir, sizeof soak->data_dir, "%.480s/data", soak->folder);
    snprintf(soak->ideal_dir, sizeof soak->ideal_dir, "%.480s/ideal", soak->folder);
    soak_model_init(soak);
    soak->baseline_bytes = tool_resident_bytes();
    soak->started_ns = tool_now_ns();
    printf("flowdb-soak %s: seed %" PRIu64 ", %" PRIu64 " GB and %" PRIu64 " minutes, in %s\n",
           flowdb_version(), soak->options.seed, soak->options.gigabytes, soak->options.minutes,
           soak->data_dir);
    fflush(stdout);
    open_database(soak);
    fill(soak);
    if (!atomic_load(&soak->failed))
        churn(soak, &sampler);
    if (!atomic_load(&soak->failed))
        settle(soak);
    soak_expect(soak, flowdb_close(soak->db), "flowdb_close");
    int status = report(soak);
    if (sampler.csv != NULL)
        fclose(sampler.csv);
    if (soak->options.keep || status != 0)
        printf("the database is in %s\n", soak->data_dir);
    else
        tool_folder_remove(soak->folder);
    soak_model_deinit(soak);
    free(soak);
    return status;
}
