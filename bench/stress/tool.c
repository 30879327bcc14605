#include "tool.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

uint64_t tool_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int64_t tool_wall_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void tool_sleep_ms(unsigned ms) {
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

void *tool_allocate(size_t size) {
    void *memory = calloc(1, size > 0 ? size : 1);
    if (memory == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    return memory;
}

void tool_refuse(const char *program, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", program);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n'%s --help' lists what there is.\n", program);
    va_end(arguments);
    exit(2);
}

uint64_t tool_parse_number(const char *program, const char *option, const char *text,
                           uint64_t minimum, uint64_t maximum) {
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || number < minimum ||
        number > maximum)
        tool_refuse(program, "%s takes a whole number from %" PRIu64 " to %" PRIu64 ", not '%s'",
                    option, minimum, maximum, text);
    return number;
}

void tool_folder_create(const char *program, const char *base, const char *name,
                        char path[TOOL_PATH_BYTES]) {
    if (base == NULL)
        base = getenv("TMPDIR");
    if (base == NULL || *base == '\0')
        base = "/tmp";
    int size = snprintf(path, TOOL_PATH_BYTES, "%s/%s-XXXXXX", base, name);
    if (size >= TOOL_PATH_BYTES - 64)
        tool_refuse(program, "the path of --dir is too long: '%s'", base);
    if (mkdtemp(path) == NULL)
        tool_refuse(program, "cannot make a folder in '%s': %s", base, strerror(errno));
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw) {
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

void tool_folder_remove(const char *path) {
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static _Thread_local struct tool_usage usage_found; /* nftw takes no context */

static int add_usage(const char *path, const struct stat *status, int type, struct FTW *ftw) {
    (void)ftw;
    if (type != FTW_F)
        return 0;
    const char *ending = strrchr(path, '.');
    usage_found.files++;
    usage_found.bytes += (uint64_t)status->st_size;
    if (ending != NULL && strcmp(ending, ".sst") == 0)
        usage_found.table_bytes += (uint64_t)status->st_size;
    return 0;
}

struct tool_usage tool_folder_usage(const char *path) {
    usage_found = (struct tool_usage){0};
    nftw(path, add_usage, 16, FTW_PHYS);
    return usage_found;
}

uint64_t tool_resident_bytes(void) {
    unsigned long size, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}
