/* A log being written, beside a list of the frames that must come back. */
#ifndef TESTS_UNIT_WAL_LOG_FIXTURE_H
#define TESTS_UNIT_WAL_LOG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/chunk.h"
#include "support/failing_alloc.h"
#include "support/fault_fs.h"
#include "support/scratch.h"
#include "support/seeded.h"
#include "wal/wal_reader.h"
#include "wal/wal_writer.h"

enum { LOG_ID = 12, LOG_FRAMES_MAX = 2000 };

/* A frame that was appended. */
struct log_frame {
    uint8_t *bytes; /* header and payload, in memory that lives as long as the fixture */
    size_t size;    /* of both */
    uint64_t offset;
    uint64_t first_seq;
    uint32_t count;
};

struct log_fixture {
    char folder[SCRATCH_PATH];
    char path[SCRATCH_PATH];
    struct failing_alloc failing;
    struct fault_fs fault;
    struct fl_env env;
    struct fl_chunk_pool pool;
    struct fl_wal_writer *writer;
    struct log_frame frames[LOG_FRAMES_MAX];
    size_t frame_count;
    uint64_t next_seq;
};

int log_set_up(void **state);
/* Fails if memory or files leaked. */
int log_tear_down(void **state);
#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, log_set_up, log_tear_down)

/* Creates the log and asserts that it worked. */
void log_create(struct log_fixture *log);
void log_close(struct log_fixture *log);
/* Closes the log, removes it and forgets its frames. */
void log_start_over(struct log_fixture *log);

/* Frame contents: `entries` puts of some size. The frame is in the list once it was accepted. */
struct log_frame log_make_frame(struct log_fixture *log, uint32_t entries, size_t value_size);
flowdb_status log_append_frame(struct log_fixture *log, struct log_frame *frame,
                               struct fl_wal_position durable, bool buffered);
/* Makes one, appends it, and asserts that it worked. */
void log_append(struct log_fixture *log, uint32_t entries, size_t value_size,
                struct fl_wal_position durable);

/* Reads the log. FLOWDB_OK at its end; *frames is how many came back, each of which must be the one
   that was written at its place. `reader` may be NULL; else the caller closes it. */
flowdb_status log_read(struct log_fixture *log, const char *path, size_t *frames,
                       struct fl_wal_reader *reader);
/* All that was accepted comes back, and nothing else. */
void log_check(struct log_fixture *log, bool torn);

/* The file up to the end of its frames, to be freed. */
uint8_t *log_bytes(struct log_fixture *log, size_t *size);
/* A copy of the log, damaged or not, under the same id; where it is. */
const char *log_damaged(struct log_fixture *log, const uint8_t *bytes, size_t size);

#endif
