/* The table of settings, and what can be said of each of them by itself. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"
#include "text/utf8.h"

enum kind {
    KIND_TEXT,
    KIND_TEXTS,
    KIND_NUMBER, /* uint64_t in struct fl_config, with bounds of its own */
    KIND_BOOL,
    KIND_LOG_LEVEL,
    /* fields of flowdb_config, whose bounds the library knows */
    KIND_ENGINE_BOOL,
    KIND_ENGINE_U32,
    KIND_ENGINE_I32,
    KIND_ENGINE_U64,
    KIND_ENGINE_SYNC
};

struct setting {
    const char *name;
    enum kind kind;
    bool secret;
    size_t offset; /* in struct fl_config, or in its engine */
    uint64_t low, high;
    const char *text; /* default of a text */
    uint64_t number;  /* default of a number */
};

#define AT(field) offsetof(struct fl_config, field)
#define TEXT(field, value) \
    { #field, KIND_TEXT, false, AT(field), 0, 0, value, 0 }
#define TEXTS(field, hide) \
    { #field, KIND_TEXTS, hide, AT(field), 0, 0, NULL, 0 }
#define NUMBER(field, low, high, value) \
    { #field, KIND_NUMBER, false, AT(field), low, high, NULL, value }
#define ENGINE(field, kind) \
    { "engine." #field, kind, false, offsetof(flowdb_config, field), 0, 0, NULL, 0 }

static const struct setting settings[] = {
    TEXT(http_addr, "0.0.0.0:8080"),
    TEXT(udp_addr, "0.0.0.0:9090"),
    TEXTS(api_keys, true),
    TEXTS(read_api_keys, true),
    {"udp_api_key", KIND_TEXT, true, AT(udp_api_key), 0, 0, "", 0},
    NUMBER(max_udp_packet_size, 1, 65507, 1400),
    NUMBER(max_body_bytes, 1, UINT64_C(1) << 30, 16 << 20),
    NUMBER(max_batch_records, 1, 1000000, 10000),
    NUMBER(max_key_bytes, 1, 65535, 4096),
    NUMBER(max_value_bytes, 0, 16 << 20, 65536),
    NUMBER(http_threads, 0, 1024, 0),
    NUMBER(max_connections, 1, 100000, 1024),
    NUMBER(max_connections_per_ip, 0, 100000, 0),
    NUMBER(idle_timeout_secs, 1, 86400, 60),
    NUMBER(header_timeout_secs, 1, 3600, 5),
    NUMBER(min_body_bytes_per_sec, 0, 1 << 30, 1024),
    NUMBER(request_timeout_secs, 1, 86400, 30),
    TEXTS(cors_origins, false),
    TEXTS(allowed_hosts, false),
    {"public_metrics", KIND_BOOL, false, AT(public_metrics), 0, 0, NULL, 0},
    TEXT(tls_cert_file, ""),
    TEXT(tls_key_file, ""),
    NUMBER(self_metrics_interval_secs, 0, 86400, 0),
    {"log_level", KIND_LOG_LEVEL, false, AT(log_level), 0, 0, NULL, FLOWDB_LOG_INFO},
    {"engine.data_dir", KIND_TEXT, false, AT(data_dir), 0, 0, "./data", 0},
    ENGINE(create_if_missing, KIND_ENGINE_BOOL),
    ENGINE(read_only, KIND_ENGINE_BOOL),
    ENGINE(auto_background, KIND_ENGINE_BOOL),
    ENGINE(memtable_size_mb, KIND_ENGINE_U32),
    ENGINE(max_frozen_memtables, KIND_ENGINE_U32),
    ENGINE(block_size, KIND_ENGINE_U32),
    ENGINE(zstd_level, KIND_ENGINE_I32),
    ENGINE(bloom_bits_per_key, KIND_ENGINE_U32),
    ENGINE(wal_segment_size_mb, KIND_ENGINE_U32),
    ENGINE(wal_sync, KIND_ENGINE_SYNC),
    ENGINE(wal_sync_interval_ms, KIND_ENGINE_U32),
    ENGINE(compaction_threshold, KIND_ENGINE_U32),
    ENGINE(flush_interval_ms, KIND_ENGINE_U32),
    ENGINE(gc_interval_secs, KIND_ENGINE_U32),
    ENGINE(default_ttl_secs, KIND_ENGINE_U64),
    ENGINE(time_bucket_secs, KIND_ENGINE_U32),
    ENGINE(index_memory_budget_mb, KIND_ENGINE_U32),
    ENGINE(block_cache_capacity_mb, KIND_ENGINE_U32),
    ENGINE(disk_reserve_mb, KIND_ENGINE_U32),
};
#define SETTINGS (sizeof settings / sizeof settings[0])

static const char *const sync_names[] = {"always", "interval", "buffered"};
static const char *const level_names[] = {"error", "warn", "info", "debug"};

size_t fl_config_count(void) {
    return SETTINGS;
}

const char *fl_config_name(size_t setting) {
    return settings[setting].name;
}

size_t fl_config_find(const char *name) {
    size_t at = 0;
    while (at < SETTINGS && strcmp(settings[at].name, name) != 0)
        at++;
    return at;
}

bool fl_config_is_secret(size_t setting) {
    return settings[setting].secret;
}

const char *fl_config_origin(const struct fl_config *config, size_t setting) {
    return config->origins[setting] != NULL ? config->origins[setting] : "default";
}

static void *place_of(struct fl_config *config, const struct setting *setting) {
    bool in_engine = setting->kind >= KIND_ENGINE_BOOL;
    return in_engine ? (char *)&config->engine + setting->offset : (char *)config + setting->offset;
}

/* ---------------------------------------------------------------------------------- lifetime -- */

static void free_texts(struct fl_texts *texts) {
    for (size_t i = 0; i < texts->count; i++)
        free(texts->items[i]);
    free(texts->items);
    *texts = (struct fl_texts){0};
}

bool fl_config_init(struct fl_config *config) {
    *config = (struct fl_config){.engine = flowdb_config_default()};
    config->origins = calloc(SETTINGS, sizeof *config->origins);
    if (config->origins == NULL)
        return false;
    for (size_t i = 0; i < SETTINGS; i++) {
        void *place = place_of(config, &settings[i]);
        if (settings[i].kind == KIND_TEXT) {
            char *text = strdup(settings[i].text);
            memcpy(place, &text, sizeof text);
            if (text == NULL)
                return false;
        } else if (settings[i].kind == KIND_NUMBER) {
            memcpy(place, &settings[i].number, sizeof settings[i].number);
        }
    }
    config->log_level = FLOWDB_LOG_INFO;
    return true;
}

void fl_config_deinit(struct fl_config *config) {
    for (size_t i = 0; i < SETTINGS; i++) {
        void *place = place_of(config, &settings[i]);
        if (settings[i].kind == KIND_TEXT)
            free(*(char **)place);
        else if (settings[i].kind == KIND_TEXTS)
            free_texts(place);
        if (config->origins != NULL)
            free(config->origins[i]);
    }
    free(config->origins);
    *config = (struct fl_config){0};
}

/* ------------------------------------------------------------------------------------ values -- */

static bool refuse(const struct setting *setting, const char *wanted, char *error) {
    snprintf(error, FL_CONFIG_ERROR, "%s must be %s", setting->name, wanted);
    return false;
}

static bool parse_bool(const struct setting *setting, const struct fl_value *value, bool *into,
                       char *error) {
    bool is_word = value->type == FL_VALUE_WORD;
    if (value->type == FL_VALUE_BOOLEAN)
        *into = value->boolean;
    else if (is_word && strcmp(value->text, "true") == 0)
        *into = true;
    else if (is_word && strcmp(value->text, "false") == 0)
        *into = false;
    else
        return refuse(setting, "true or false", error);
    return true;
}

static bool parse_word(const char *text, int64_t *into) {
    char *end;
    errno = 0;
    *into = strtoll(text, &end, 10);
    return (isdigit((unsigned char)*text) || *text == '-') && *end == '\0' && errno == 0;
}

static bool parse_integer(const struct setting *setting, const struct fl_value *value, int64_t low,
                          uint64_t high, int64_t *into, char *error) {
    char wanted[96];
    if (value->type == FL_VALUE_INTEGER)
        *into = value->integer;
    snprintf(wanted, sizeof wanted, "an integer from %" PRId64 " to %" PRIu64, low, high);
    if ((value->type == FL_VALUE_INTEGER ||
         (value->type == FL_VALUE_WORD && parse_word(value->text, into))) &&
        *into >= low && (*into < 0 || (uint64_t)*into <= high))
        return true;
    return refuse(setting, wanted, error);
}

static bool parse_choice(const struct setting *setting, const struct fl_value *value,
                         const char *const *names, unsigned count, unsigned *into, char *error) {
    char wanted[96];
    size_t at = 0;
    bool is_text = value->type == FL_VALUE_TEXT || value->type == FL_VALUE_WORD;
    for (*into = 0; *into < count; ++*into)
        if (is_text && strcmp(names[*into], value->text) == 0)
            return true;
    for (unsigned i = 0; i < count; i++)
        at += (size_t)snprintf(wanted + at, sizeof wanted - at, "%s\"%s\"",
                               i == 0          ? ""
                               : i + 1 < count ? ", "
                                               : " or ",
                               names[i]);
    return refuse(setting, wanted, error);
}

static bool no_memory(char *error) {
    snprintf(error, FL_CONFIG_ERROR, "out of memory");
    return false;
}

static bool set_text(const struct setting *setting, const struct fl_value *value, char **into,
                     char *error) {
    if (value->type != FL_VALUE_TEXT && value->type != FL_VALUE_WORD)
        return refuse(setting, "a text in quotes", error);
    char *text = strdup(value->text);
    if (text == NULL)
        return no_memory(error);
    free(*into);
    *into = text;
    return true;
}

static bool add_text(struct fl_texts *texts, const char *text, size_t size) {
    char *copy = strndup(text, size);
    char **items = copy != NULL ? realloc(texts->items, (texts->count + 1) * sizeof *items) : NULL;
    if (items == NULL) {
        free(copy);
        return false;
    }
    items[texts->count++] = copy;
    texts->items = items;
    return true;
}

/* A word is a list with commas between; an empty one is an empty list. */
static bool split_word(struct fl_texts *texts, const char *word) {
    while (*word != '\0') {
        size_t size = strcspn(word, ",");
        if (!add_text(texts, word, size))
            return false;
        word += size;
        if (*word == ',' && *++word == '\0')
            return add_text(texts, "", 0);
    }
    return true;
}

static bool set_texts(const struct setting *setting, const struct fl_value *value,
                      struct fl_texts *into, char *error) {
    struct fl_texts made = {0};
    bool fine = true;
    if (value->type == FL_VALUE_WORD)
        fine = split_word(&made, value->text);
    else if (value->type == FL_VALUE_LIST)
        for (size_t i = 0; i < value->count && fine; i++)
            fine = add_text(&made, value->items[i], strlen(value->items[i]));
    else
        return refuse(setting, "a list of texts, such as [\"one\", \"two\"]", error);
    if (!fine) {
        free_texts(&made);
        return no_memory(error);
    }
    free_texts(into);
    *into = made;
    return true;
}

/* The library is asked about one field at a time, the others at their defaults, so that it names the
   one that was set. */
static bool check_engine(const struct setting *setting, const void *field, size_t size,
                         char *error) {
    flowdb_config scratch = flowdb_config_default();
    memcpy((char *)&scratch + setting->offset, field, size);
    if (flowdb_config_validate(&scratch) == FLOWDB_OK)
        return true;
    snprintf(error, FL_CONFIG_ERROR, "engine.%s", flowdb_last_error());
    return false;
}

static bool set_engine_number(struct fl_config *config, const struct setting *setting,
                              const struct fl_value *value, char *error) {
    int64_t number;
    bool is_signed = setting->kind == KIND_ENGINE_I32, wide = setting->kind == KIND_ENGINE_U64;
    int64_t low = is_signed ? INT32_MIN : 0;
    uint64_t high = wide ? INT64_MAX : is_signed ? INT32_MAX : UINT32_MAX;
    if (!parse_integer(setting, value, low, high, &number, error))
        return false;
    uint32_t narrow = (uint32_t)number; /* an int32_t has the same bytes */
    const void *field = wide ? (const void *)&number : (const void *)&narrow;
    size_t size = wide ? sizeof number : sizeof narrow;
    if (!check_engine(setting, field, size, error))
        return false;
    memcpy(place_of(config, setting), field, size);
    return true;
}

static bool set_value(struct fl_config *config, const struct setting *setting,
                      const struct fl_value *value, char *error) {
    void *place = place_of(config, setting);
    int64_t number;
    unsigned choice;
    switch (setting->kind) {
    case KIND_TEXT:
        return set_text(setting, value, place, error);
    case KIND_TEXTS:
        return set_texts(setting, value, place, error);
    case KIND_NUMBER:
        if (!parse_integer(setting, value, (int64_t)setting->low, setting->high, &number, error))
            return false;
        *(uint64_t *)place = (uint64_t)number;
        return true;
    case KIND_BOOL:
    case KIND_ENGINE_BOOL:
        return parse_bool(setting, value, place, error);
    case KIND_LOG_LEVEL:
        if (!parse_choice(setting, value, level_names, 4, &choice, error))
            return false;
        config->log_level = (flowdb_log_level)choice;
        return true;
    case KIND_ENGINE_SYNC:
        if (!parse_choice(setting, value, sync_names, 3, &choice, error))
            return false;
        config->engine.wal_sync = (flowdb_wal_sync)choice;
        return true;
    case KIND_ENGINE_U32:
    case KIND_ENGINE_I32:
    case KIND_ENGINE_U64:
        break;
    }
    return set_engine_number(config, setting, value, error);
}

static bool note_origin(struct fl_config *config, size_t setting, const char *origin, char *error) {
    char *copy = strdup(origin);
    if (copy == NULL)
        return no_memory(error);
    free(config->origins[setting]);
    config->origins[setting] = copy;
    return true;
}

bool fl_config_set(struct fl_config *config, size_t setting, const struct fl_value *value,
                   const char *origin, char error[FL_CONFIG_ERROR]) {
    if (value->type == FL_VALUE_OTHER) {
        snprintf(error, FL_CONFIG_ERROR, "%s cannot be %s", settings[setting].name, value->text);
        return false;
    }
    return set_value(config, &settings[setting], value, error) &&
           note_origin(config, setting, origin, error);
}

bool fl_config_add(struct fl_config *config, size_t setting, const char *text, const char *origin,
                   char error[FL_CONFIG_ERROR]) {
    struct fl_texts *texts = place_of(config, &settings[setting]);
    if (strcmp(fl_config_origin(config, setting), origin) != 0)
        free_texts(texts);
    return (add_text(texts, text, strlen(text)) || no_memory(error)) &&
           note_origin(config, setting, origin, error);
}

/* ----------------------------------------------------------------------------------- reading -- */

/* What stands for a secret that is set. */
static const char hidden[] = "(not shown)";

static struct fl_value value_of_text(const char *text, bool secret) {
    return (struct fl_value){.type = FL_VALUE_TEXT,
                             .text = secret && text[0] != '\0' ? hidden : text};
}

static struct fl_value value_of_texts(const struct fl_texts *texts, bool secret) {
    return (struct fl_value){.type = FL_VALUE_LIST,
                             .text = secret ? hidden : NULL,
                             .items = secret ? NULL : (const char *const *)texts->items,
                             .count = texts->count};
}

static struct fl_value value_of_integer(int64_t integer) {
    return (struct fl_value){.type = FL_VALUE_INTEGER, .integer = integer};
}

struct fl_value fl_config_get(const struct fl_config *config, size_t at) {
    const struct setting *setting = &settings[at];
    const void *place = place_of((struct fl_config *)(uintptr_t)config, setting);
    switch (setting->kind) {
    case KIND_TEXT:
        return value_of_text(*(char *const *)place, setting->secret);
    case KIND_TEXTS:
        return value_of_texts(place, setting->secret);
    case KIND_BOOL:
    case KIND_ENGINE_BOOL:
        return (struct fl_value){.type = FL_VALUE_BOOLEAN, .boolean = *(const bool *)place};
    case KIND_LOG_LEVEL:
        return value_of_text(level_names[config->log_level], false);
    case KIND_ENGINE_SYNC:
        return value_of_text(sync_names[config->engine.wal_sync], false);
    case KIND_ENGINE_U32:
        return value_of_integer(*(const uint32_t *)place);
    case KIND_ENGINE_I32:
        return value_of_integer(*(const int32_t *)place);
    case KIND_NUMBER:
    case KIND_ENGINE_U64:
        break;
    }
    return value_of_integer((int64_t) * (const uint64_t *)place);
}

static bool has_secret(const struct setting *setting, const void *place, const char *text) {
    if (setting->kind == KIND_TEXT)
        return (*(char *const *)place)[0] != '\0' && strstr(text, *(char *const *)place) != NULL;
    const struct fl_texts *texts = place;
    for (size_t i = 0; i < texts->count; i++)
        if (strstr(text, texts->items[i]) != NULL)
            return true;
    return false;
}

bool fl_config_reveals(const struct fl_config *config, const char *text) {
    for (size_t i = 0; i < SETTINGS; i++) {
        const void *place = place_of((struct fl_config *)(uintptr_t)config, &settings[i]);
        if (settings[i].secret && has_secret(&settings[i], place, text))
            return true;
    }
    return false;
}

/* ---------------------------------------------------------------------------------- printing -- */

/* As a TOML basic string. The environment may hold what is not UTF-8, which TOML has no way to write:
   then U+FFFD stands for each such byte. NULL is empty. */
static void print_text(const char *text) {
    text = text != NULL ? text : "";
    bool utf8 = fl_utf8_valid(text, strlen(text));
    putchar('"');
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\')
            printf("\\%c", byte);
        else if (byte < 0x20 || byte == 0x7f)
            printf("\\u%04X", byte);
        else if (byte >= 0x80 && !utf8)
            printf("\xef\xbf\xbd");
        else
            putchar(byte);
    }
    putchar('"');
}

static void print_value(const struct fl_value *value) {
    switch (value->type) {
    case FL_VALUE_BOOLEAN:
        printf("%s", value->boolean ? "true" : "false");
        break;
    case FL_VALUE_INTEGER:
        printf("%" PRId64, value->integer);
        break;
    case FL_VALUE_LIST:
        putchar('[');
        for (size_t i = 0; i < value->count; i++) {
            printf("%s", i > 0 ? ", " : "");
            print_text(value->items[i]);
        }
        putchar(']');
        break;
    default:
        print_text(value->text);
    }
}

/* A secret that is set is a comment: what stands for it would be taken for it, or refused. */
static bool print_hidden(const struct setting *setting, const char *name,
                         const struct fl_value *value, const char *origin) {
    bool is_list = value->type == FL_VALUE_LIST;
    if (!setting->secret || (is_list ? value->count == 0 : value->text[0] == '\0'))
        return false;
    if (is_list)
        printf("# %s: %zu set, not shown", name, value->count);
    else
        printf("# %s: set, not shown", name);
    printf("  # %s\n", origin);
    return true;
}

void fl_config_print(const struct fl_config *config) {
    static const char table[] = "engine.";
    bool in_engine = false;
    for (size_t i = 0; i < SETTINGS; i++) {
        const char *name = settings[i].name;
        if (strncmp(name, table, strlen(table)) == 0) {
            if (!in_engine)
                printf("\n[engine]\n");
            in_engine = true;
            name += strlen(table);
        }
        struct fl_value value = fl_config_get(config, i);
        const char *origin = fl_config_origin(config, i);
        if (print_hidden(&settings[i], name, &value, origin))
            continue;
        printf("%s = ", name);
        print_value(&value);
        printf("  # %s\n", origin);
    }
}
