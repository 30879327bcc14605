/*
 * What the server is told: by defaults, a TOML file, the environment and flags; the later wins.
 *
 * Each setting is a line in the table of settings.c: its name, its kind, its bounds, where its value
 * goes. The file, the environment, the flags and what is printed all go by that table.
 */
#ifndef FL_CONFIG_CONFIG_H
#define FL_CONFIG_CONFIG_H

#include <flowdb/flowdb.h>

#include "config/value.h"

/* Texts. The array and what is in it are the configuration's. */
struct fl_texts {
    char **items;
    size_t count;
};

struct fl_config {
    char *http_addr;
    char *udp_addr; /* "" turns UDP off */
    struct fl_texts api_keys, read_api_keys;
    char *udp_api_key; /* "" is none */
    uint64_t max_udp_packet_size;
    uint64_t max_body_bytes, max_batch_records, max_key_bytes, max_value_bytes;
    uint64_t http_threads; /* 0: as many as there are cores, two at the least */
    uint64_t max_connections;
    uint64_t max_connections_per_ip; /* 0: as many as there may be at all */
    uint64_t idle_timeout_secs, header_timeout_secs;
    uint64_t min_body_bytes_per_sec; /* 0: any rate */
    uint64_t request_timeout_secs;
    struct fl_texts cors_origins, allowed_hosts;
    bool public_metrics;
    char *tls_cert_file, *tls_key_file;  /* both "" or neither */
    uint64_t self_metrics_interval_secs; /* 0 is off */
    flowdb_log_level log_level;
    char *data_dir;
    flowdb_config engine; /* data_dir and log are filled in by whoever opens the database */
    /* Where each setting's value comes from, in the table's order; see fl_config_origin. */
    char **origins;
};

/* Room for any message of these. */
#define FL_CONFIG_ERROR 512

/* The defaults; false where memory is out. Deinit in any case. */
bool fl_config_init(struct fl_config *config);
void fl_config_deinit(struct fl_config *config);

size_t fl_config_count(void);
/* The setting's name, such as "http_addr" or "engine.block_size". */
const char *fl_config_name(size_t setting);
/* fl_config_count() where there is no such setting. */
size_t fl_config_find(const char *name);
/* Is its value a secret? */
bool fl_config_is_secret(size_t setting);
/* "default", "flowdb.toml, line 3", "FLOWDB_UDP_ADDR", "--udp-addr". */
const char *fl_config_origin(const struct fl_config *config, size_t setting);

/* Its value, borrowed: a text, an integer, a boolean or a list. In place of a secret there is a text that
   says that there is one; a list of secrets has a count and that text, but no items. */
struct fl_value fl_config_get(const struct fl_config *config, size_t at);
/* Does the text have one of the secrets in it? */
bool fl_config_reveals(const struct fl_config *config, const char *text);

/* Sets it; false, with a sentence that names it and its range in `error`, where the value is none of
   its kind, or memory is out. Then it is as it was. */
bool fl_config_set(struct fl_config *config, size_t setting, const struct fl_value *value,
                   const char *origin, char error[FL_CONFIG_ERROR]);
/* Adds one text to a list that this origin began; replaces what another origin gave. */
bool fl_config_add(struct fl_config *config, size_t setting, const char *text, const char *origin,
                   char error[FL_CONFIG_ERROR]);

/* ---- load.c ---- */

/* Takes the values of a file. */
bool fl_config_read_file(struct fl_config *config, const char *path, char error[FL_CONFIG_ERROR]);
/* Takes FLOWDB_<NAME> for every setting: the name in capitals, '.' as '_'. `unknown` (may be NULL) is
   called with every other variable that begins so. */
bool fl_config_read_environment(struct fl_config *config, char **environment,
                                void (*unknown)(void *context, const char *name), void *context,
                                char error[FL_CONFIG_ERROR]);
/* What no single setting can tell: that two belong together, that addresses are addresses. */
bool fl_config_check(const struct fl_config *config, char error[FL_CONFIG_ERROR]);
/* That the files which it names can be read. Not part of the check: a reload does not read them. */
bool fl_config_check_files(const struct fl_config *config, char error[FL_CONFIG_ERROR]);
/* All of it as a TOML file to stdout, each value with its origin; of secrets there is a
   comment that says that they are set. */
void fl_config_print(const struct fl_config *config);

#endif
