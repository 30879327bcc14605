/* Where settings come from, and whether they fit together. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"
#include "config/toml.h"
#include "http/address.h"

#define FILE_MAX ((size_t)1 << 20)
#define NAME_ROOM 64

/* ------------------------------------------------------------------------------------- file -- */

struct reading {
    struct fl_config *config;
    const char *path;
    char *error;
};

static bool take_value(void *context, const char *name, const struct fl_value *value,
                       unsigned line) {
    struct reading *reading = context;
    char why[FL_CONFIG_ERROR] = "", origin[FL_CONFIG_ERROR];
    size_t setting = fl_config_find(name);
    snprintf(origin, sizeof origin, "%s, line %u", reading->path, line);
    if (setting == fl_config_count())
        snprintf(why, sizeof why, "unknown key %.200s", name);
    else if (fl_config_set(reading->config, setting, value, origin, why))
        return true;
    snprintf(reading->error, FL_CONFIG_ERROR, "%.200s: line %u: %.250s", reading->path, line, why);
    return false;
}

static char *read_whole(const char *path, size_t *size, char *error) {
    FILE *file = fopen(path, "re");
    char *text = malloc(FILE_MAX + 1);
    if (file == NULL || text == NULL) {
        snprintf(error, FL_CONFIG_ERROR, "%.300s: %s", path,
                 file == NULL ? strerror(errno) : "out of memory");
    } else {
        *size = fread(text, 1, FILE_MAX + 1, file);
        if (ferror(file) == 0 && *size <= FILE_MAX) {
            fclose(file);
            return text;
        }
        snprintf(error, FL_CONFIG_ERROR, "%.300s: %s", path,
                 ferror(file) != 0 ? "it cannot be read" : "it has more than 1 MiB");
    }
    if (file != NULL)
        fclose(file);
    free(text);
    return NULL;
}

bool fl_config_read_file(struct fl_config *config, const char *path, char error[FL_CONFIG_ERROR]) {
    struct reading reading = {config, path, error};
    char why[256] = "";
    size_t size;
    char *text = read_whole(path, &size, error);
    if (text == NULL)
        return false;
    enum fl_toml_status status = fl_toml_read(text, size, take_value, &reading, why, sizeof why);
    free(text);
    if (status == FL_TOML_MALFORMED)
        snprintf(error, FL_CONFIG_ERROR, "%.200s: %s", path, why);
    else if (status == FL_TOML_NO_MEMORY)
        snprintf(error, FL_CONFIG_ERROR, "%.200s: out of memory", path);
    return status == FL_TOML_OK;
}

/* ------------------------------------------------------------------------------- environment -- */

/* "FLOWDB_ENGINE_BLOCK_SIZE" for "engine.block_size". */
static void variable_of(const char *setting, char name[NAME_ROOM]) {
    size_t at = (size_t)snprintf(name, NAME_ROOM, "FLOWDB_");
    for (; *setting != '\0' && at < NAME_ROOM - 1; setting++)
        name[at++] = *setting == '.' ? '_' : (char)toupper((unsigned char)*setting);
    name[at] = '\0';
}

static size_t find_variable(const char *name, size_t size) {
    char variable[NAME_ROOM];
    for (size_t i = 0; i < fl_config_count(); i++) {
        variable_of(fl_config_name(i), variable);
        if (strlen(variable) == size && strncmp(variable, name, size) == 0)
            return i;
    }
    return fl_config_count();
}

bool fl_config_read_environment(struct fl_config *config, char **environment,
                                void (*unknown)(void *context, const char *name), void *context,
                                char error[FL_CONFIG_ERROR]) {
    for (; *environment != NULL; environment++) {
        char name[NAME_ROOM], why[FL_CONFIG_ERROR];
        size_t size = strcspn(*environment, "=");
        if (strncmp(*environment, "FLOWDB_", 7) != 0 || (*environment)[size] == '\0')
            continue;
        snprintf(name, sizeof name, "%.*s", (int)size, *environment);
        size_t setting = find_variable(*environment, size);
        if (setting == fl_config_count()) {
            if (unknown != NULL)
                unknown(context, name);
            continue;
        }
        struct fl_value value = {.type = FL_VALUE_WORD, .text = *environment + size + 1};
        if (!fl_config_set(config, setting, &value, name, why)) {
            snprintf(error, FL_CONFIG_ERROR, "%s: %.400s", name, why);
            return false;
        }
    }
    return true;
}

/* ------------------------------------------------------------------------------------- check -- */

/* Says where the value came from, which setting it is, and what is wrong. False. */
static bool complain(const struct fl_config *config, const char *name, const char *why,
                     char *error) {
    size_t setting = fl_config_find(name);
    snprintf(error, FL_CONFIG_ERROR, "%.200s: %s: %.250s", fl_config_origin(config, setting), name,
             why);
    return false;
}

static bool check_address(const struct fl_config *config, const char *name, const char *text,
                          char *error) {
    struct fl_http_address address;
    const char *reason;
    char why[256];
    if (fl_http_address_parse(text, &address, &reason))
        return true;
    snprintf(why, sizeof why, "%.100s: %s", text, reason);
    return complain(config, name, why, error);
}

/* An empty key would let everyone in who sends an empty one. One that is not printable ASCII cannot be
   sent in a header as it is. */
static bool check_keys(const struct fl_config *config, const char *name,
                       const struct fl_texts *keys, char *error) {
    for (size_t i = 0; i < keys->count; i++) {
        const char *at = keys->items[i];
        char why[128];
        while (*at > 0x20 && *at < 0x7f)
            at++;
        if (*at == '\0' && at != keys->items[i])
            continue;
        snprintf(why, sizeof why,
                 "key %zu must have at least one character, printable ASCII and no space", i + 1);
        return complain(config, name, why, error);
    }
    return true;
}

bool fl_config_check(const struct fl_config *config, char error[FL_CONFIG_ERROR]) {
    if (config->data_dir[0] == '\0')
        return complain(config, "engine.data_dir", "a directory is wanted", error);
    bool has_cert = config->tls_cert_file[0] != '\0', has_key = config->tls_key_file[0] != '\0';
    if (has_cert != has_key)
        return complain(config, has_cert ? "tls_cert_file" : "tls_key_file",
                        "tls_cert_file and tls_key_file belong together: set both or neither",
                        error);
    return check_address(config, "http_addr", config->http_addr, error) &&
           (config->udp_addr[0] == '\0' ||
            check_address(config, "udp_addr", config->udp_addr, error)) &&
           check_keys(config, "api_keys", &config->api_keys, error) &&
           check_keys(config, "read_api_keys", &config->read_api_keys, error);
}

static bool check_file(const struct fl_config *config, const char *name, const char *path,
                       char *error) {
    char why[FL_CONFIG_ERROR];
    size_t size;
    char *text = path[0] != '\0' ? read_whole(path, &size, why) : NULL;
    bool fine = path[0] == '\0' || text != NULL;
    free(text);
    return fine || complain(config, name, why, error);
}

bool fl_config_check_files(const struct fl_config *config, char error[FL_CONFIG_ERROR]) {
    return check_file(config, "tls_cert_file", config->tls_cert_file, error) &&
           check_file(config, "tls_key_file", config->tls_key_file, error);
}
