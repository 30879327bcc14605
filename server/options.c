#include "options.h"

#include <stdio.h>

#include "logger.h"

static const char usage[] =
    "Usage: flowdb-server [--data-dir DIR] [--http-addr HOST:PORT]\n"
    "                     [--wal-sync always|interval|buffered]\n"
    "                     [--log-level error|warn|info|debug] [--version] [--help]\n"
    "\n"
    "Stores measurements and answers queries over HTTP.\n"
    "\n"
    "  --data-dir DIR         where the database is, made if it is not there (./data)\n"
    "  --http-addr HOST:PORT  where to listen; port 0 picks a free one (0.0.0.0:8080)\n"
    "  --wal-sync MODE        when a write is acknowledged (interval):\n"
    "                           always    once it is on the disk\n"
    "                           interval  once the kernel has it; on the disk within a second\n"
    "                           buffered  at once; within a second in the kernel and on the disk\n"
    "  --log-level LEVEL      how much is logged to stderr (info)\n"
    "  --version              print the version\n"
    "  --help                 print this\n";

static bool set_data_dir(struct fl_options *options, const char *value, const char **reason) {
    *reason = "a directory is wanted";
    options->data_dir = value;
    return value[0] != '\0';
}

static bool set_http_addr(struct fl_options *options, const char *value, const char **reason) {
    options->http_addr = value;
    return fl_http_address_parse(value, &options->http_address, reason);
}

static bool set_log_level(struct fl_options *options, const char *value, const char **reason) {
    *reason = "error, warn, info or debug is wanted";
    return fl_logger_parse_level(value, &options->log_level);
}

static bool set_wal_sync(struct fl_options *options, const char *value, const char **reason) {
    static const struct {
        const char *name;
        flowdb_wal_sync mode;
    } modes[] = {{"always", FLOWDB_SYNC_ALWAYS},
                 {"interval", FLOWDB_SYNC_INTERVAL},
                 {"buffered", FLOWDB_SYNC_BUFFERED}};
    *reason = "always, interval or buffered is wanted";
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(modes[i].name, value) == 0) {
            options->wal_sync = modes[i].mode;
            return true;
        }
    }
    return false;
}

static const struct {
    const char *name;
    bool (*set)(struct fl_options *options, const char *value, const char **reason);
} flags[] = {
    {"--data-dir", set_data_dir},
    {"--http-addr", set_http_addr},
    {"--log-level", set_log_level},
    {"--wal-sync", set_wal_sync},
};

/* One line, whatever bytes the argument holds. */
static enum fl_options_verdict complain(const char *argument, const char *reason) {
    char shown[128];
    snprintf(shown, sizeof shown, "%s", argument);
    for (char *at = shown; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    fprintf(stderr, "flowdb-server: %s: %s\n", shown, reason);
    return FL_OPTIONS_BAD;
}

/* Takes argv[*at], as "--flag value" or "--flag=value", and moves *at to its last word. */
static enum fl_options_verdict take(int argc, char **argv, int *at, struct fl_options *options) {
    const char *word = argv[*at];
    size_t name_size = strcspn(word, "=");
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (strlen(flags[i].name) != name_size || strncmp(flags[i].name, word, name_size) != 0)
            continue;
        const char *value = NULL;
        if (word[name_size] == '=')
            value = word + name_size + 1;
        else if (*at + 1 < argc)
            value = argv[++*at];
        const char *reason = "a value has to follow";
        if (value != NULL && flags[i].set(options, value, &reason))
            return FL_OPTIONS_RUN;
        return complain(word, reason);
    }
    return complain(word, "unknown argument; see flowdb-server --help");
}

enum fl_options_verdict fl_options_parse(int argc, char **argv, struct fl_options *options) {
    const char *reason;
    *options = (struct fl_options){
        .data_dir = "./data", .log_level = FLOWDB_LOG_INFO, .wal_sync = FLOWDB_SYNC_INTERVAL};
    if (!set_http_addr(options, "0.0.0.0:8080", &reason))
        return complain("--http-addr", reason);
    for (int at = 1; at < argc; at++) {
        if (strcmp(argv[at], "--help") == 0) {
            fputs(usage, stdout);
            return FL_OPTIONS_DONE;
        }
        if (strcmp(argv[at], "--version") == 0) {
            printf("flowdb-server %s\n", flowdb_version());
            return FL_OPTIONS_DONE;
        }
        if (take(argc, argv, &at, options) != FL_OPTIONS_RUN)
            return FL_OPTIONS_BAD;
    }
    return FL_OPTIONS_RUN;
}
