/* flowdb-stress: works a database hard and checks every answer. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "run.h"

static const char program[] = "flowdb-stress";

static const char usage[] =
    "Usage: flowdb-stress [OPTION]...\n"
    "Writes, reads, compacts and reopens a new database, from one thread and from many,\n"
    "and checks every read against what was written.\n\n"
    "  --seconds N   time for the whole run, shared among the phases (60)\n"
    "  --records N   room for so many records (2000000)\n"
    "  --seed N      of what is written and asked for (from the clock, and printed)\n"
    "  --dir PATH    where the database is made (TMPDIR, or /tmp)\n"
    "  --keep        do not remove the database at the end\n"
    "  --only PHASE  only phases whose name begins so; what they read is written first\n"
    "  --json FILE   writes the results as JSON too\n"
    "  --help        shows this, and the phases\n"
    "  --version     shows the version\n\n"
    "Ends with 0; with 1 where an answer was wrong or a call failed, and keeps the\n"
    "database then; with 2 where it was not started properly.\n";

static void help(void) {
    printf("%s\nPhases:", usage);
    for (unsigned i = 0; i < run_phase_count; i++)
        printf("%s%s", i % 4 == 0 ? "\n  " : " ", run_phases[i].name);
    printf("\n");
}

static void check_only(const char *only) {
    for (unsigned i = 0; i < run_phase_count; i++)
        if (*only != '\0' && strncmp(run_phases[i].name, only, strlen(only)) == 0)
            return;
    tool_refuse(program, "no phase begins with '%s'", only);
}

static void parse(struct run_options *options, int count, char **arguments) {
    static const struct option known[] = {
        {"seconds", required_argument, NULL, 's'}, {"records", required_argument, NULL, 'r'},
        {"seed", required_argument, NULL, 'e'},    {"dir", required_argument, NULL, 'd'},
        {"keep", no_argument, NULL, 'k'},          {"only", required_argument, NULL, 'o'},
        {"json", required_argument, NULL, 'j'},    {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},       {NULL, 0, NULL, 0}};
    opterr = 0;
    for (int option; (option = getopt_long(count, arguments, ":", known, NULL)) != -1;)
        switch (option) {
        case 's':
            options->seconds =
                (unsigned)tool_parse_number(program, "--seconds", optarg, 1, 1000000);
            break;
        case 'r':
            options->records =
                tool_parse_number(program, "--records", optarg, 10000, UINT64_C(1000000000));
            break;
        case 'e':
            options->seed = tool_parse_number(program, "--seed", optarg, 0, UINT64_MAX);
            break;
        case 'd':
            options->folder = optarg;
            break;
        case 'k':
            options->keep = true;
            break;
        case 'o':
            check_only(optarg);
            options->only = optarg;
            break;
        case 'j':
            options->json = optarg;
            break;
        case 'h':
            help();
            exit(0);
        case 'v':
            printf("flowdb-stress %s\n", flowdb_version());
            exit(0);
        case ':':
            tool_refuse(program, "%s needs a value", arguments[optind - 1]);
        default:
            tool_refuse(program, "unknown option '%s'", arguments[optind - 1]);
        }
    if (optind < count)
        tool_refuse(program, "unknown argument '%s'", arguments[optind]);
}

int main(int count, char **arguments) {
    struct run *run = tool_allocate(sizeof *run);
    run->options = (struct run_options){
        .records = 2000000, .seconds = 60, .seed = tool_mix((uint64_t)tool_wall_us()) >> 32};
    parse(&run->options, count, arguments);
    tool_folder_create(program, run->options.folder, program, run->folder);
    snprintf(run->data_dir, sizeof run->data_dir, "%.480s/data", run->folder);
    slots_init(&run->slots, run->options.seed, run->options.records);
    int status = run_all(run);
    slots_deinit(&run->slots);
    if (run->options.keep || status != 0)
        printf("the database is in %s\n", run->data_dir);
    else
        tool_folder_remove(run->folder);
    free(run);
    return status;
}
