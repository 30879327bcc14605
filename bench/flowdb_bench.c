/* flowdb-bench: how fast the library writes and reads. See README.md. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

static const char usage[] =
    "usage: flowdb-bench [option]...\n"
    "  --rounds N    rounds of each row after one to warm up; the median counts (5)\n"
    "  --records N   records of the plain rows (100000)\n"
    "  --series N    series of the series rows (10000)\n"
    "  --points N    points of each series (500)\n"
    "  --threads N   writers of the concurrent row (8)\n"
    "  --dir PATH    where the databases are made (TMPDIR, or /tmp)\n"
    "  --only TEXT   only rows whose name holds TEXT\n"
    "  --json FILE   writes the results as JSON too\n"
    "  --smoke       a few records, one round: does it run?\n";

static void refuse(const char *what, const char *argument) {
    fprintf(stderr, "flowdb-bench: %s %s\n%s", what, argument, usage);
    exit(2);
}

static uint64_t parse_number(const char *option, const char *text, uint64_t minimum,
                             uint64_t maximum) {
    char *end;
    uint64_t number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || number < minimum || number > maximum)
        refuse("a wrong number for", option);
    return number;
}

static void make_tiny(struct bench_options *options) {
    options->smoke = true;
    options->rounds = 1;
    options->records = 2000;
    options->series = 20;
    options->points = 50;
    options->threads = 2;
}

static void parse(struct bench_options *options, int count, char **arguments) {
    static const struct option known[] = {{"rounds", required_argument, NULL, 'r'},
                                          {"records", required_argument, NULL, 'n'},
                                          {"series", required_argument, NULL, 's'},
                                          {"points", required_argument, NULL, 'p'},
                                          {"threads", required_argument, NULL, 't'},
                                          {"dir", required_argument, NULL, 'd'},
                                          {"only", required_argument, NULL, 'o'},
                                          {"json", required_argument, NULL, 'j'},
                                          {"smoke", no_argument, NULL, 'k'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(count, arguments, "", known, NULL)) != -1;)
        switch (option) {
        case 'r':
            options->rounds = (unsigned)parse_number("--rounds", optarg, 1, BENCH_ROUNDS_MAX);
            break;
        case 'n':
            options->records = parse_number("--records", optarg, 1, 100000000);
            break;
        case 's':
            options->series = parse_number("--series", optarg, 1, 10000000);
            break;
        case 'p':
            options->points = parse_number("--points", optarg, 1, 1000000);
            break;
        case 't':
            options->threads = (unsigned)parse_number("--threads", optarg, 1, 1024);
            break;
        case 'd':
            options->folder = optarg;
            break;
        case 'o':
            options->only = optarg;
            break;
        case 'j':
            options->json = optarg;
            break;
        case 'k':
            make_tiny(options);
            break;
        case 'h':
            printf("%s", usage);
            exit(0);
        default:
            fprintf(stderr, "%s", usage);
            exit(2);
        }
    if (optind < count)
        refuse("unknown argument", arguments[optind]);
}

int main(int count, char **arguments) {
    struct bench bench = {
        .options = {.rounds = 5, .records = 100000, .series = 10000, .points = 500, .threads = 8}};
    parse(&bench.options, count, arguments);
    bench_folder_create(&bench);
    if (!bench.options.smoke)
        bench_warm_memory((size_t)1 << 30);
    bench_writes(&bench);
    bench_reads(&bench);
    bench_series(&bench);
    bench_overlaps(&bench);
    bench_mixes(&bench);
    bench_costs(&bench);
    bench_report(&bench);
    bench_folder_remove(&bench);
    return 0;
}
