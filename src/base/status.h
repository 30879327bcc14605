/* Failures: a status to return and a sentence for flowdb_last_error(), recorded together. */
#ifndef FL_BASE_STATUS_H
#define FL_BASE_STATUS_H

#include <flowdb/flowdb.h>

/* Records the sentence as this thread's last error (cut at 1023 bytes) and returns `status`. */
__attribute__((format(printf, 2, 3))) flowdb_status fl_fail(flowdb_status status,
                                                            const char *format, ...);

/* FLOWDB_NOT_FOUND with a sentence as it is, which must stay for good. That a record is absent is an
   answer rather than a failure, and asked for so often that even copying one would tell. */
flowdb_status fl_not_found(const char *sentence);

/* FLOWDB_NO_MEMORY with a sentence that says what the memory was for. */
flowdb_status fl_fail_memory(const char *what, size_t size);

/* Puts `context` in front of the thread's last error: "context: sentence". Returns `status`. */
__attribute__((format(printf, 2, 3))) flowdb_status fl_fail_within(flowdb_status status,
                                                                   const char *format, ...);

#endif
