/* flowdb-growth: what an operation costs as data grow, and how long writers pause. See ../README.md. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "growth.h"

static const char usage[] =
    "usage: flowdb-growth [option]... RECORDS SERIES\n"
    "       flowdb-growth [option]... --stall SECONDS\n"
    "Prints lines of JSON. RECORDS must be a multiple of SERIES.\n"
    "  --rounds N    rounds of each read; the median counts (5)\n"
    "  --reads N     of a round (20000)\n"
    "  --keep N      megabytes after which --stall writes over what it wrote (1000)\n"
    "  --no-warm     does not touch a gigabyte of memory first\n"
    "  --dir PATH    where the database is made (TMPDIR, or /tmp)\n";

__attribute__((noreturn)) static void refuse(void) {
    fprintf(stderr, "%s", usage);
    exit(2);
}

static uint64_t parse_number(const char *text, uint64_t maximum) {
    char *end;
    uint64_t number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || number == 0 || number > maximum)
        refuse();
    return number;
}

void growth_row(const struct growth *growth, const char *row, const char *unit, double value) {
    printf("{\"records\": %llu, \"series\": %llu, \"row\": \"%s\", \"unit\": \"%s\", "
           "\"value\": %.6g}\n",
           (unsigned long long)growth->records, (unsigned long long)growth->series, row, unit,
           value);
    fflush(stdout);
}

int main(int count, char **arguments) {
    static const struct option known[] = {{"rounds", required_argument, NULL, 'r'},
                                          {"reads", required_argument, NULL, 'n'},
                                          {"keep", required_argument, NULL, 'k'},
                                          {"dir", required_argument, NULL, 'd'},
                                          {"stall", required_argument, NULL, 's'},
                                          {"no-warm", no_argument, NULL, 'w'},
                                          {NULL, 0, NULL, 0}};
    struct growth growth = {
        .bench = {.options = {.rounds = 5}}, .reads = 20000, .keep_mb = 1000, .warm = true};
    uint64_t stall = 0;
    for (int option; (option = getopt_long(count, arguments, "", known, NULL)) != -1;)
        if (option == 'r')
            growth.bench.options.rounds = (unsigned)parse_number(optarg, BENCH_ROUNDS_MAX);
        else if (option == 'n')
            growth.reads = parse_number(optarg, 100000000);
        else if (option == 'k')
            growth.keep_mb = parse_number(optarg, 1000000);
        else if (option == 'd')
            growth.bench.options.folder = optarg;
        else if (option == 'w')
            growth.warm = false;
        else if (option == 's')
            stall = parse_number(optarg, 86400);
        else
            refuse();
    if (count - optind != (stall == 0 ? 2 : 0))
        refuse();
    if (stall == 0) {
        growth.records = parse_number(arguments[optind], 1000000000);
        growth.series = parse_number(arguments[optind + 1], 10000000);
        if (growth.records % growth.series != 0)
            refuse();
        growth.points = growth.records / growth.series;
    }
    bench_folder_create(&growth.bench);
    if (stall != 0)
        growth_stall(&growth, stall);
    else
        growth_costs(&growth);
    bench_folder_remove(&growth.bench);
    return 0;
}
