/*
 * Logs that are cut, overwritten and flipped at every byte. What comes back is a beginning of what
 * was written, and never anything else; whether the rest is a tear or damage is for what later
 * frames declare durable to say.
 */
#include "log_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static const struct fl_wal_position nowhere = {0};

enum { SOME_ZEROS = 100 };

/* Small frames, each declaring what `declares` of the frames before it are durable; NULL: none. The
   bytes are those of the file, with some of the zeros behind the frames. */
static uint8_t *write_log(struct log_fixture *log, const uint32_t *entries, size_t count,
                          const size_t *declares, size_t *size) {
    log_create(log);
    for (size_t i = 0; i < count; i++) {
        struct fl_wal_position durable = nowhere;
        if (declares != NULL && declares[i] > 0)
            durable = (struct fl_wal_position){.log = LOG_ID,
                                               .offset = log->frames[declares[i] - 1].offset +
                                                         log->frames[declares[i] - 1].size};
        log_append(log, entries[i], i % 3 * 9, durable);
    }
    uint8_t *bytes = log_bytes(log, size);
    *size += SOME_ZEROS;
    return bytes;
}

/* How many frames lie wholly before the offset. */
static size_t frames_before(const struct log_fixture *log, size_t offset) {
    size_t frames = 0;
    while (frames < log->frame_count &&
           log->frames[frames].offset + log->frames[frames].size <= offset)
        frames++;
    return frames;
}

static size_t end_of(const struct log_fixture *log) {
    const struct log_frame *last = &log->frames[log->frame_count - 1];
    return (size_t)last->offset + last->size;
}

/* Reads the bytes as a log. `expected` frames come back; the file's header is whole. */
static void check_prefix(struct log_fixture *log, const uint8_t *bytes, size_t size,
                         size_t expected, bool torn) {
    struct fl_wal_reader reader;
    size_t frames;
    flowdb_status status = log_read(log, log_damaged(log, bytes, size), &frames, &reader);
    if (status != FLOWDB_OK)
        fail_msg("%s: %s", flowdb_status_name(status), flowdb_last_error());
    assert_int_equal(frames, expected);
    assert_int_equal(reader.torn, torn);
    assert_int_equal(reader.offset, expected > 0 ? log->frames[expected - 1].offset +
                                                       log->frames[expected - 1].size
                                                 : FL_WAL_FILE_HEADER);
    fl_wal_reader_close(&reader);
}

static void check_corruption(struct log_fixture *log, const uint8_t *bytes, size_t size,
                             size_t expected) {
    size_t frames;
    const char *path = log_damaged(log, bytes, size);
    assert_int_equal(log_read(log, path, &frames, NULL), FLOWDB_CORRUPTION);
    assert_int_equal(frames, expected);
    assert_non_null(strstr(flowdb_last_error(), path));
    char offset[32];
    snprintf(offset, sizeof offset, "offset %llu",
             expected > 0 ? (unsigned long long)(log->frames[expected - 1].offset +
                                                 log->frames[expected - 1].size)
                          : 32ULL);
    assert_non_null(strstr(flowdb_last_error(), offset));
}

/* With a damaged file header nothing comes back, and the reader says that there is no log. */
static void check_no_log(struct log_fixture *log, const uint8_t *bytes, size_t size) {
    struct fl_wal_reader reader;
    size_t frames;
    assert_int_equal(log_read(log, log_damaged(log, bytes, size), &frames, &reader), FLOWDB_OK);
    assert_null(reader.chunk);
    assert_int_equal(frames, 0);
    fl_wal_reader_close(&reader);
}

/* ------------------------------------------------------------------------------------- cut -- */

static const uint32_t some_entries[] = {1, 3, 2, 1, 4};
enum { SOME = sizeof some_entries / sizeof some_entries[0] };

static void a_log_cut_at_any_byte_gives_the_frames_before_the_cut(void **state) {
    struct log_fixture *log = *state;
    size_t size;
    uint8_t *bytes = write_log(log, some_entries, SOME, NULL, &size);
    for (size_t cut = 0; cut < size; cut++) {
        size_t frames = frames_before(log, cut);
        if (cut < FL_WAL_FILE_HEADER)
            check_no_log(log, bytes, cut);
        else
            check_prefix(log, bytes, cut, frames,
                         cut < end_of(log) && cut != (frames > 0 ? log->frames[frames - 1].offset +
                                                                       log->frames[frames - 1].size
                                                                 : FL_WAL_FILE_HEADER));
    }
    free(bytes);
}

/* Also where every frame declares all before it durable: the frames that say so are gone too. */
static void a_cut_is_a_tear_whatever_the_frames_before_it_declare(void **state) {
    struct log_fixture *log = *state;
    static const size_t declares[SOME] = {0, 1, 2, 3, 4};
    size_t size;
    uint8_t *bytes = write_log(log, some_entries, SOME, declares, &size);
    for (size_t cut = FL_WAL_FILE_HEADER; cut < end_of(log); cut++) {
        size_t frames = frames_before(log, cut), whole;
        assert_int_equal(log_read(log, log_damaged(log, bytes, cut), &whole, NULL), FLOWDB_OK);
        assert_int_equal(whole, frames);
    }
    free(bytes);
}

static void a_log_overwritten_from_any_byte_on_gives_the_frames_before(void **state) {
    struct log_fixture *log = *state;
    struct seeded seeded = seeded_begin("wal garbage");
    size_t size;
    uint8_t *bytes = write_log(log, some_entries, SOME, NULL, &size);
    uint8_t *damaged = malloc(size);
    for (int garbage = 0; garbage < 3; garbage++) {
        for (size_t from = FL_WAL_FILE_HEADER; from < size; from++) {
            memcpy(damaged, bytes, from);
            for (size_t at = from; at < size; at++)
                damaged[at] = garbage == 0   ? 0
                              : garbage == 1 ? 0xFF
                                             : (uint8_t)seeded_next(&seeded);
            /* Zeros over what ended in zeros change nothing; a frame cut in zeros is torn. */
            size_t frames = frames_before(log, from);
            while (frames < log->frame_count &&
                   memcmp(damaged + log->frames[frames].offset, bytes + log->frames[frames].offset,
                          log->frames[frames].size) == 0)
                frames++;
            size_t end = frames > 0
                             ? (size_t)log->frames[frames - 1].offset + log->frames[frames - 1].size
                             : FL_WAL_FILE_HEADER;
            bool torn = false;
            for (size_t at = end; at < size; at++)
                torn = torn || damaged[at] != 0;
            check_prefix(log, damaged, size, frames, torn);
        }
    }
    free(bytes);
    free(damaged);
}

/* ------------------------------------------------------------------------------------ flip -- */

/* Nothing is declared durable: a hole is where the log ends, whole frames behind it or not. */
static void any_flipped_bit_ends_a_log_that_declares_nothing(void **state) {
    struct log_fixture *log = *state;
    size_t size;
    uint8_t *bytes = write_log(log, some_entries, SOME, NULL, &size);
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (bit / 8 < FL_WAL_FILE_HEADER)
            check_no_log(log, bytes, size);
        else
            check_prefix(log, bytes, size, frames_before(log, bit / 8), true);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    free(bytes);
}

/* Each frame declares all before it durable, as when every write is synced: only the last one can
   be torn. */
static void any_flipped_bit_in_what_is_declared_durable_is_corruption(void **state) {
    struct log_fixture *log = *state;
    static const size_t declares[SOME] = {0, 1, 2, 3, 4};
    size_t size;
    uint8_t *bytes = write_log(log, some_entries, SOME, declares, &size);
    for (size_t bit = FL_WAL_FILE_HEADER * 8; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        size_t frames = frames_before(log, bit / 8);
        if (frames < SOME - 1)
            check_corruption(log, bytes, size, frames);
        else
            check_prefix(log, bytes, size, frames, true);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    free(bytes);
}

/* The fourth frame declares the first two. */
static void a_hole_is_damage_only_where_a_later_frame_declares_it_durable(void **state) {
    struct log_fixture *log = *state;
    static const size_t declares[SOME] = {0, 0, 0, 2, 2};
    size_t size;
    uint8_t *bytes = write_log(log, some_entries, SOME, declares, &size);
    uint8_t *damaged = malloc(size);
    for (size_t frame = 0; frame < SOME; frame++) {
        size_t from = (size_t)log->frames[frame].offset;
        for (size_t length = 1; length <= log->frames[frame].size; length++) {
            memcpy(damaged, bytes, size);
            memset(damaged + from, 0, length);
            if (frame < 2)
                check_corruption(log, damaged, size, frame);
            else /* a last frame that is all zeros was never there */
                check_prefix(log, damaged, size, frame,
                             frame < SOME - 1 || length < log->frames[frame].size);
        }
    }
    /* Where the frames that declare are torn as well, nobody speaks of it. */
    memcpy(damaged, bytes, size);
    damaged[log->frames[0].offset] ^= 1;
    damaged[log->frames[3].offset] ^= 1;
    damaged[log->frames[4].offset] ^= 1;
    check_prefix(log, damaged, size, 0, true);
    free(bytes);
    free(damaged);
}

/* Pages reach the disk in any order: whatever subset of them did, a beginning comes back. */
static void any_subset_of_pages_that_reached_the_disk_gives_a_prefix(void **state) {
    struct log_fixture *log = *state;
    struct seeded seeded = seeded_begin("wal pages");
    log_create(log);
    for (int i = 0; i < 60; i++)
        log_append(log, 1 + seeded_below(&seeded, 6), seeded_below(&seeded, 700), nowhere);
    size_t size;
    uint8_t *bytes = log_bytes(log, &size), *crashed = malloc(size);
    static const size_t pages[] = {1, 512, 4096};
    for (int round = 0; round < 300; round++) {
        size_t page = pages[round % 3], first_lost = size;
        uint32_t percent = 1 + seeded_below(&seeded, 99);
        memcpy(crashed, bytes, size);
        for (size_t at = 0; at < size; at += page) {
            size_t from = FL_MAX(at, FL_WAL_FILE_HEADER), end = FL_MIN(at + page, size);
            bool lost = seeded_chance(&seeded, percent) && (page > 1 || seeded_chance(&seeded, 3));
            if (!lost || from >= end)
                continue;
            memset(crashed + from, seeded_chance(&seeded, 70) ? 0 : 0xE5, end - from);
            if (memcmp(crashed + from, bytes + from, end - from) != 0 && first_lost == size)
                for (first_lost = from; crashed[first_lost] == bytes[first_lost];)
                    first_lost++;
        }
        struct fl_wal_reader reader;
        size_t frames;
        assert_int_equal(log_read(log, log_damaged(log, crashed, size), &frames, &reader),
                         FLOWDB_OK);
        assert_int_equal(frames, frames_before(log, first_lost));
        fl_wal_reader_close(&reader);
    }
    free(bytes);
    free(crashed);
}

/* -------------------------------------------------------------------------------- declares -- */

static void check_declares(struct log_fixture *log, size_t from, uint64_t id, uint64_t offset,
                           bool expected) {
    struct fl_wal_reader reader;
    struct fl_wal_position position = {.log = id, .offset = offset};
    assert_int_equal(fl_wal_reader_open(&log->env, &log->pool, log->path, LOG_ID, &reader),
                     FLOWDB_OK);
    assert_int_equal(fl_wal_reader_declares(&reader, from, &position), expected);
    fl_wal_reader_close(&reader);
}

static void a_log_declares_what_its_frames_say_of_earlier_logs(void **state) {
    struct log_fixture *log = *state;
    log_create(log);
    log_append(log, 1, 1, nowhere);
    check_declares(log, FL_WAL_FILE_HEADER, 0, 0, false);
    log_append(log, 1, 1, (struct fl_wal_position){.log = 7, .offset = 500});
    check_declares(log, FL_WAL_FILE_HEADER, 6, UINT64_MAX, true);
    check_declares(log, FL_WAL_FILE_HEADER, 7, 499, true);
    check_declares(log, FL_WAL_FILE_HEADER, 7, 500, false);
    check_declares(log, FL_WAL_FILE_HEADER, 8, 0, false);
    check_declares(log, (size_t)log->frames[1].offset, 7, 499, true);
    check_declares(log, (size_t)log->frames[1].offset + 1, 7, 499, false);
    assert_int_equal(
        fl_wal_seal(log->writer, 13, &(struct fl_wal_position){.log = 9, .offset = 32}), FLOWDB_OK);
    check_declares(log, FL_WAL_FILE_HEADER, 8, UINT64_MAX, true); /* the seal says so */
    check_declares(log, FL_WAL_FILE_HEADER, 9, 32, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        LOG_TEST(a_log_cut_at_any_byte_gives_the_frames_before_the_cut),
        LOG_TEST(a_cut_is_a_tear_whatever_the_frames_before_it_declare),
        LOG_TEST(a_log_overwritten_from_any_byte_on_gives_the_frames_before),
        LOG_TEST(any_flipped_bit_ends_a_log_that_declares_nothing),
        LOG_TEST(any_flipped_bit_in_what_is_declared_durable_is_corruption),
        LOG_TEST(a_hole_is_damage_only_where_a_later_frame_declares_it_durable),
        LOG_TEST(any_subset_of_pages_that_reached_the_disk_gives_a_prefix),
        LOG_TEST(a_log_declares_what_its_frames_say_of_earlier_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
