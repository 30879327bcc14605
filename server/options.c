#include "options.h"

#include <stdio.h>
#include <unistd.h>

static const char usage[] =
    "Usage: flowdb-server [--config FILE] [--data-dir DIR] [--http-addr HOST:PORT]\n"
    "                     [--udp-addr HOST:PORT] [--api-key KEY]...\n"
    "                     [--wal-sync always|interval|buffered]\n"
    "                     [--log-level error|warn|info|debug]\n"
    "                     [--check-config] [--print-config] [--version] [--help]\n"
    "\n"
    "Stores measurements that arrive over HTTP and UDP, and answers queries.\n"
    "\n"
    "  --config FILE          settings in TOML; the environment and flags win over them\n"
    "  --data-dir DIR         where the database is, made if it is not there (./data)\n"
    "  --http-addr HOST:PORT  where to listen; port 0 picks a free one (0.0.0.0:8080)\n"
    "  --udp-addr HOST:PORT   the same for datagrams; \"\" turns them off (0.0.0.0:9090)\n"
    "  --api-key KEY          who may read and write must send it; may be given several times\n"
    "  --wal-sync MODE        when a write is acknowledged (interval):\n"
    "                           always    once it is on the disk\n"
    "                           interval  once the kernel has it; on the disk within a second\n"
    "                           buffered  at once; within a second in the kernel and on the disk\n"
    "  --log-level LEVEL      how much is logged to stderr (info)\n"
    "  --check-config         say whether the configuration is good, and exit\n"
    "  --print-config         print it, each value with where it comes from, and exit\n"
    "  --version              print the version\n"
    "  --help                 print this\n"
    "\n"
    "Each setting of the file can be given in the environment as well: http_addr as\n"
    "FLOWDB_HTTP_ADDR, block_size of [engine] as FLOWDB_ENGINE_BLOCK_SIZE.\n";

/* Flags that set something. */
static const struct {
    const char *flag, *setting;
    bool repeats; /* adds to a list */
} flags[] = {
    {"--data-dir", "engine.data_dir", false}, {"--http-addr", "http_addr", false},
    {"--udp-addr", "udp_addr", false},        {"--api-key", "api_keys", true},
    {"--wal-sync", "engine.wal_sync", false}, {"--log-level", "log_level", false},
};

/* What the words of the command line ask for. */
struct request {
    const char *config_file; /* NULL: none */
    bool help, version, check, print;
};

/* A word of the command line: its name, and its value where it has one. */
struct word {
    const char *text;
    size_t name_size;
    const char *value; /* NULL: none */
};

static bool is_flag(const struct word *word, const char *name) {
    return strlen(name) == word->name_size && strncmp(name, word->text, word->name_size) == 0;
}

/* Secrets do not go into messages, so only the name of a flag is shown. */
static bool complain(const struct word *word, const char *reason, char *error) {
    snprintf(error, FL_CONFIG_ERROR, "%.*s: %.400s",
             (int)(word->name_size < 64 ? word->name_size : 64), word->text, reason);
    return false;
}

/* Takes argv[*at], as "--flag value" or "--flag=value", and moves *at to its last word. */
static struct word take_word(const struct fl_options *options, int *at, bool has_value) {
    struct word word = {.text = options->argv[*at]};
    word.name_size = strcspn(word.text, "=");
    if (word.text[word.name_size] == '=')
        word.value = word.text + word.name_size + 1;
    else if (has_value && *at + 1 < options->argc)
        word.value = options->argv[++*at];
    return word;
}

static bool set_by_flag(const struct word *word, size_t flag, struct fl_config *config,
                        char *error) {
    char why[FL_CONFIG_ERROR];
    size_t setting = fl_config_find(flags[flag].setting);
    if (word->value == NULL)
        return complain(word, "a value has to follow", error);
    struct fl_value value = {.type = FL_VALUE_WORD, .text = word->value};
    bool fine = flags[flag].repeats
                    ? fl_config_add(config, setting, word->value, flags[flag].flag, why)
                    : fl_config_set(config, setting, &value, flags[flag].flag, why);
    return fine || complain(word, why, error);
}

/* One word that sets nothing, or --config. */
static bool take_request(const struct word *word, struct request *request, char *error) {
    const struct {
        const char *name;
        bool *asked;
    } switches[] = {{"--help", &request->help},
                    {"--version", &request->version},
                    {"--check-config", &request->check},
                    {"--print-config", &request->print}};
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        if (!is_flag(word, switches[i].name))
            continue;
        *switches[i].asked = true;
        return word->value == NULL || complain(word, "it takes no value", error);
    }
    return complain(word, "unknown argument; see flowdb-server --help", error);
}

/* Goes over the words twice: first for what is asked for, then, over what the file and the environment
   have set, for the flags that set. */
static bool take_words(const struct fl_options *options, struct request *request,
                       struct fl_config *config, char *error) {
    for (int at = 1; at < options->argc; at++) {
        struct word word = {.text = options->argv[at],
                            .name_size = strcspn(options->argv[at], "=")};
        size_t flag = 0;
        while (flag < sizeof flags / sizeof flags[0] && !is_flag(&word, flags[flag].flag))
            flag++;
        bool sets = flag < sizeof flags / sizeof flags[0], names_file = is_flag(&word, "--config");
        word = take_word(options, &at, sets || names_file);
        if (names_file) {
            if (word.value == NULL || word.value[0] == '\0')
                return complain(&word, "a file has to follow", error);
            request->config_file = word.value;
        } else if (sets && config != NULL) {
            if (!set_by_flag(&word, flag, config, error))
                return false;
        } else if (!sets && !take_request(&word, request, error)) {
            return false;
        }
        if (request->help || request->version)
            return true;
    }
    return true;
}

static bool load(const struct fl_options *options, struct request *request,
                 struct fl_config *config, char *error) {
    if (!fl_config_init(config)) {
        snprintf(error, FL_CONFIG_ERROR, "out of memory");
        return false;
    }
    if (!take_words(options, request, NULL, error) || request->help || request->version)
        return request->help || request->version;
    return (request->config_file == NULL ||
            fl_config_read_file(config, request->config_file, error)) &&
           fl_config_read_environment(config, environ, NULL, NULL, error) &&
           take_words(options, request, config, error) && fl_config_check(config, error);
}

bool fl_options_reload(const struct fl_options *options, struct fl_config *config,
                       char error[FL_CONFIG_ERROR]) {
    struct request request = {0};
    return load(options, &request, config, error);
}

/* One line, whatever bytes the argument holds. */
static void print_error(char *error) {
    for (char *at = error; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    fprintf(stderr, "flowdb-server: %s\n", error);
}

enum fl_options_verdict fl_options_parse(const struct fl_options *options,
                                         struct fl_config *config) {
    struct request request = {0};
    char error[FL_CONFIG_ERROR] = "";
    bool fine = load(options, &request, config, error);
    if (fine && !request.help && !request.version && !request.print)
        fine = fl_config_check_files(config, error);
    if (!fine) {
        print_error(error);
        return FL_OPTIONS_BAD;
    }
    if (request.help)
        fputs(usage, stdout);
    else if (request.version)
        printf("flowdb-server %s\n", flowdb_version());
    else if (request.print)
        fl_config_print(config);
    else if (request.check)
        printf("the configuration is good\n");
    else
        return FL_OPTIONS_RUN;
    return FL_OPTIONS_DONE;
}

void fl_options_unknown_variables(void (*unknown)(void *context, const char *name), void *context) {
    struct fl_config config;
    char error[FL_CONFIG_ERROR];
    if (fl_config_init(&config))
        (void)fl_config_read_environment(&config, environ, unknown, context, error);
    fl_config_deinit(&config);
}
