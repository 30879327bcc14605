#include "logger.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Longer lines are cut, which a closing quote and the newline still follow. */
#define LINE_CAPACITY 4096
#define LINE_TAIL 2

static const char *const level_names[] = {"error", "warn", "info", "debug"};

struct line {
    size_t size;
    bool cut; /* nothing is to follow */
    char bytes[LINE_CAPACITY];
};

/* A closing quote may have taken a byte of the tail's. */
static size_t line_room(const struct line *line) {
    size_t most = sizeof line->bytes - LINE_TAIL;
    return line->size < most ? most - line->size : 0;
}

static bool line_append(struct line *line, const char *text, size_t size) {
    line->cut = line->cut || size > line_room(line);
    if (line->cut)
        return false;
    memcpy(line->bytes + line->size, text, size);
    line->size += size;
    return true;
}

static void line_append_time(struct line *line) {
    struct timespec now = {0};
    struct tm utc = {0};
    char text[48];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t size = strftime(text, sizeof text, "time=%Y-%m-%dT%H:%M:%S", &utc);
    int fraction = snprintf(text + size, sizeof text - size, ".%06ldZ", now.tv_nsec / 1000);
    line_append(line, text, size + (size_t)fraction);
}

static void line_append_quoted(struct line *line, const char *value) {
    bool room = line_append(line, "\"", 1);
    for (const char *at = value; *at != '\0' && room; at++) {
        unsigned char byte = (unsigned char)*at;
        char escaped[5];
        if (byte == '"' || byte == '\\')
            room = line_append(line, (char[]){'\\', *at}, 2);
        else if (byte >= 0x20 && byte < 0x7f)
            room = line_append(line, at, 1);
        else
            room = line_append(line, escaped,
                               (size_t)snprintf(escaped, sizeof escaped, "\\x%02x", byte));
    }
    line->bytes[line->size++] = '"';
}

static void line_append_pair(struct line *line, const char *name, const char *value) {
    enum { AROUND = 4 }; /* a space, an equals sign and quotes: whole, or not at all */
    size_t size = strlen(name);
    line->cut = line->cut || size + AROUND > line_room(line);
    if (line_append(line, " ", 1) && line_append(line, name, size) && line_append(line, "=", 1))
        line_append_quoted(line, value);
}

void fl_logger_write(const struct fl_logger *logger, flowdb_log_level level, const char *message,
                     const struct fl_log_pair *pairs) {
    if ((int)level > atomic_load_explicit(&logger->level, memory_order_relaxed))
        return;
    struct line line = {0};
    line_append_time(&line);
    line_append(&line, " level=", 7);
    line_append(&line, level_names[level], strlen(level_names[level]));
    line_append_pair(&line, "msg", message);
    for (; pairs != NULL && pairs->name != NULL; pairs++)
        line_append_pair(&line, pairs->name, pairs->value);
    line.bytes[line.size++] = '\n';
    /* Nobody is left to be told where stderr itself fails. */
    while (write(logger->fd, line.bytes, line.size) < 0 && errno == EINTR)
        continue;
}
