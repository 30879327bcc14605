#include "account.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *path) {
    fprintf(stderr, "cannot use %s: %s\n", path, strerror(errno));
    exit(1);
}

/* The number behind `name` in a file of /proc. */
static uint64_t proc_number(const char *path, const char *name) {
    char line[256];
    uint64_t number = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail(path);
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            number = strtoull(line + strlen(name), NULL, 10);
    fclose(file);
    return number;
}

struct account account_begin(void) {
    static const char clear[] = "/proc/self/clear_refs";
    FILE *file = fopen(clear, "w");
    if (file == NULL || fputs("5", file) < 0 || fclose(file) != 0)
        fail(clear);
    return (struct account){.memory = proc_number("/proc/self/status", "VmRSS:") * 1024,
                            .written = proc_number("/proc/self/io", "wchar:")};
}

struct account account_end(const struct account *begun) {
    uint64_t most = proc_number("/proc/self/status", "VmHWM:") * 1024;
    return (struct account){.memory = most > begun->memory ? most - begun->memory : 0,
                            .written = proc_number("/proc/self/io", "wchar:") - begun->written};
}
