/*
 * Configuration files, and variables of the environment, one to a line. What is taken is printed as a file
 * that is taken as well, and printed the same; a refusal says why. The first byte chooses which it is.
 */
#include <netdb.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"
#include "fuzz/server/given.h"
#include "http/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In getaddrinfo's place: no name is looked up. */
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **found);
int __real_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **found);

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **found) {
    struct addrinfo numeric = *hints;
    numeric.ai_flags |= AI_NUMERICHOST;
    return __real_getaddrinfo(host, port, &numeric, found);
}

enum { VARIABLES = 16 };

static bool read_file(struct fl_config *config, const char *text, size_t size, char *error) {
    char path[32];
    int file = memfd_create("config", MFD_CLOEXEC);
    expect(file >= 0 && write(file, text, size) == (ssize_t)size && lseek(file, 0, SEEK_SET) == 0);
    snprintf(path, sizeof path, "/dev/fd/%d", file);
    bool good = fl_config_read_file(config, path, error);
    close(file);
    return good;
}

static bool read_environment(struct fl_config *config, struct bytes *bytes, char *error) {
    char *variables[VARIABLES + 1] = {NULL};
    for (size_t i = 0; i < VARIABLES && bytes_left(bytes) > 0; i++) {
        flowdb_slice line = given_line(bytes);
        variables[i] = calloc(1, line.size + 1);
        expect(variables[i] != NULL);
        memcpy(variables[i], line.data, line.size);
    }
    bool good = fl_config_read_environment(config, variables, NULL, NULL, error);
    for (size_t i = 0; i < VARIABLES; i++)
        free(variables[i]);
    return good;
}

/* To be freed. Without the comments, which say where each value comes from. */
static char *print(const struct fl_config *config, size_t *size) {
    char *text = NULL;
    FILE *before = stdout, *into = open_memstream(&text, size);
    expect(into != NULL);
    stdout = into;
    fl_config_print(config);
    stdout = before;
    fclose(into);
    return text;
}

static void drop_origins(char *text) {
    for (char *line = text; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n'), *comment = NULL;
        for (char *at = line; (at = strstr(at, "  # ")) != NULL && at < end; at++)
            comment = at;
        if (comment != NULL)
            memset(comment, ' ', (size_t)(end - comment));
        line = end != NULL ? end + 1 : NULL;
    }
}

/* Whether a line is the same as another, spaces aside; goes to the next of each. */
static bool line_is_same(char **one, char **two) {
    char *at = *one, *other = *two, *end = at + strcspn(at, "\n"),
         *other_end = other + strcspn(other, "\n");
    *one = end + (*end != '\0');
    *two = other_end + (*other_end != '\0');
    for (;; at++, other++) {
        at += strspn(at, " ");
        other += strspn(other, " ");
        if (at == end || other == other_end)
            return at == end && other == other_end;
        if (*at != *other)
            return false;
    }
}

/* What is read is printed so that it reads as the same, but for secrets, which are comments. */
static void check_print(const struct fl_config *config) {
    struct fl_config again;
    char error[FL_CONFIG_ERROR] = "";
    size_t size, other_size;
    char *text = print(config, &size);
    expect(fl_config_init(&again));
    if (!read_file(&again, text, size, error)) {
        fprintf(stderr, "%s\n%s", error, text);
        abort();
    }
    char *other = print(&again, &other_size);
    drop_origins(text);
    drop_origins(other);
    for (char *one = text, *two = other; *one != '\0' || *two != '\0';) {
        bool is_comment = *one == '#';
        expect(line_is_same(&one, &two) || is_comment);
    }
    free(text);
    free(other);
    fl_config_deinit(&again);
}

static void check_address(const char *text) {
    struct fl_http_address address, again;
    char written[FL_HTTP_ADDRESS_TEXT], rewritten[FL_HTTP_ADDRESS_TEXT];
    const char *reason = NULL;
    if (!fl_http_address_parse(text, &address, &reason)) {
        expect(reason != NULL && reason[0] != '\0');
        return;
    }
    fl_http_address_format(&address, written);
    expect(fl_http_address_parse(written, &again, &reason));
    fl_http_address_format(&again, rewritten);
    expect(strcmp(written, rewritten) == 0);
    expect(fl_http_address_is_loopback(&address) == fl_http_address_is_loopback(&again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes bytes = {.at = data, .end = data + size};
    struct fl_config config;
    char error[FL_CONFIG_ERROR] = "";
    expect(fl_config_init(&config));
    bool good = bytes_below(&bytes, 2) == 0
                    ? read_file(&config, (const char *)bytes.at, bytes_left(&bytes), error)
                    : read_environment(&config, &bytes, error);
    if (good) {
        check_print(&config);
        check_address(config.http_addr);
        good = fl_config_check(&config, error);
    }
    expect(good == (error[0] == '\0') && strlen(error) < FL_CONFIG_ERROR);
    fl_config_deinit(&config);
    return 0;
}
