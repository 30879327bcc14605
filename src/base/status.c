#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

/* The only state that outlives a call: each thread's last failure. */
static _Thread_local char last_error[1024];
/* A sentence that stands for it; NULL: it is the above. */
static _Thread_local const char *last_sentence;

flowdb_status fl_fail(flowdb_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last_error, sizeof last_error, format, arguments);
    va_end(arguments);
    last_sentence = NULL;
    return status;
}

flowdb_status fl_not_found(const char *sentence) {
    last_sentence = sentence;
    return FLOWDB_NOT_FOUND;
}

flowdb_status fl_fail_memory(const char *what, size_t size) {
    return fl_fail(FLOWDB_NO_MEMORY, "out of memory: %zu bytes for %s", size, what);
}

flowdb_status fl_fail_within(flowdb_status status, const char *format, ...) {
    char sentence[2 * sizeof last_error];
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(sentence, sizeof last_error, format, arguments);
    va_end(arguments);
    size_t used = written > 0 ? strlen(sentence) : 0;
    snprintf(sentence + used, sizeof sentence - used, ": %s", flowdb_last_error());
    memcpy(last_error, sentence, sizeof last_error - 1);
    last_sentence = NULL;
    return status;
}

const char *flowdb_last_error(void) {
    return last_sentence != NULL ? last_sentence : last_error;
}

const char *flowdb_status_name(flowdb_status status) {
    static const char *const names[] = {
        [FLOWDB_OK] = "FLOWDB_OK",
        [FLOWDB_DONE] = "FLOWDB_DONE",
        [FLOWDB_NOT_FOUND] = "FLOWDB_NOT_FOUND",
        [FLOWDB_INVALID_ARGUMENT] = "FLOWDB_INVALID_ARGUMENT",
        [FLOWDB_IO_ERROR] = "FLOWDB_IO_ERROR",
        [FLOWDB_CORRUPTION] = "FLOWDB_CORRUPTION",
        [FLOWDB_NO_MEMORY] = "FLOWDB_NO_MEMORY",
        [FLOWDB_NO_SPACE] = "FLOWDB_NO_SPACE",
        [FLOWDB_LOCKED] = "FLOWDB_LOCKED",
        [FLOWDB_READ_ONLY] = "FLOWDB_READ_ONLY",
        [FLOWDB_UNSUPPORTED] = "FLOWDB_UNSUPPORTED",
        [FLOWDB_INTERRUPTED] = "FLOWDB_INTERRUPTED",
        [FLOWDB_WOULD_WAIT] = "FLOWDB_WOULD_WAIT",
    };
    size_t index = (size_t)status;
    return index < sizeof names / sizeof names[0] ? names[index] : "FLOWDB_UNKNOWN";
}

const char *flowdb_version(void) {
    return FLOWDB_VERSION_STRING;
}
