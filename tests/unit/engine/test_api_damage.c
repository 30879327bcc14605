/*
 * Files that were cut, overwritten, flipped or removed. An answer may then be an error, never a
 * wrong one.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api_fixture.h"

enum { BATCHES = 12, BATCH_RECORDS = 3 };

/* What a process that was killed left behind: a copy of an open database's folder. */
struct image {
    struct api api; /* to open it with; not opened yet */
    char folder[API_PATH_BYTES];
    char path[API_PATH_BYTES * 2]; /* of the file to damage */
    unsigned char *bytes;          /* that file as it was */
    size_t size;
    size_t used[BATCHES + 1]; /* a log's bytes in use after each batch */
};

static void image_take(struct image *image, struct api *api, const char *subfolder,
                       const char *part) {
    api_folder_create(image->folder);
    api_folder_copy(api->folder, image->folder);
    image->api.config = api->config;
    image->api.config.data_dir = image->folder;
    image->api.config.read_only = true; /* quick, and the image stays as it is */
    assert_true(api_find_file(image->folder, subfolder, part, image->path) >= 1);
    image->bytes = api_read_file(image->path, &image->size);
}

static void image_free(struct image *image) {
    api_folder_remove(image->folder);
    free(image->bytes);
}

/* Changes one byte of the file, in place: rewriting it would cost a flush to the disk. */
static void image_set(struct image *image, size_t at, unsigned char byte) {
    int file = open(image->path, O_WRONLY | O_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(pwrite(file, &byte, 1, (off_t)at), 1);
    close(file);
}

static void image_flip(struct image *image, size_t at, unsigned char bits) {
    image_set(image, at, image->bytes[at] ^ bits);
}

/* Puts the byte back. */
static void image_heal(struct image *image, size_t at) {
    image_set(image, at, image->bytes[at]);
}

static void write_numbered_batch(struct api *api, unsigned number) {
    flowdb_record records[BATCH_RECORDS];
    char keys[BATCH_RECORDS][16], value[64];
    snprintf(value, sizeof value, "the value of batch %u", number);
    for (unsigned i = 0; i < BATCH_RECORDS; i++) {
        snprintf(keys[i], sizeof keys[i], "part%u", i);
        records[i] = (flowdb_record){flowdb_str(keys[i]), number, FLOWDB_NEVER, flowdb_str(value)};
    }
    api_assert_ok(flowdb_write(api->db, records, BATCH_RECORDS));
}

/* Bytes up to the last that is not zero: logs are allocated ahead. */
static size_t bytes_in_use(const char *folder) {
    char path[API_PATH_BYTES * 2];
    size_t size;
    api_find_file(folder, "wal", ".log", path);
    unsigned char *bytes = api_read_file(path, &size);
    while (size > 0 && bytes[size - 1] == 0)
        size--;
    free(bytes);
    return size;
}

/* Batches 0, 1, ... in one log, with a sync after batch `synced`. */
static void image_of_log(struct image *image, struct api *api, unsigned synced) {
    memset(image, 0, sizeof *image);
    api->config.wal_segment_size_mb = 1;
    api->config.wal_sync_interval_ms = 3600000; /* no sync but ours */
    api->config.auto_background = false;
    api_open(api);
    image->used[0] = bytes_in_use(api->folder);
    for (unsigned i = 0; i < BATCHES; i++) {
        write_numbered_batch(api, i);
        image->used[i + 1] = bytes_in_use(api->folder);
        if (i == synced)
            api_assert_ok(flowdb_sync(api->db));
    }
    image_take(image, api, "wal", ".log");
}

/* How many batches there are; fails unless they are the first ones, and whole. */
static unsigned count_batches(struct api *api) {
    flowdb_range range = flowdb_range_all();
    flowdb_result result = {0};
    char value[64];
    api_assert_ok(flowdb_query(api->db, &range, NULL, &result));
    assert_int_equal(result.count % BATCH_RECORDS, 0);
    size_t batches = result.count / BATCH_RECORDS;
    for (size_t i = 0; i < result.count; i++) {
        const flowdb_record *record = &result.records[i];
        assert_int_equal(record->ts, i % batches);
        assert_int_equal(((const char *)record->key.data)[4], '0' + (int)(i / batches));
        snprintf(value, sizeof value, "the value of batch %u", (unsigned)record->ts);
        assert_int_equal(record->value.size, strlen(value));
        assert_memory_equal(record->value.data, value, strlen(value));
    }
    flowdb_result_free(&result);
    return (unsigned)batches;
}

/* Opens for writing, expects the first `expected` batches, adds one, and finds it again. */
static void assert_goes_on(struct image *image, unsigned expected) {
    char folder[API_PATH_BYTES];
    struct api copy = {.config = image->api.config};
    api_folder_create(folder);
    api_folder_copy(image->folder, folder);
    copy.config.data_dir = folder;
    copy.config.read_only = false;
    api_open(&copy);
    assert_int_equal(count_batches(&copy), expected);
    write_numbered_batch(&copy, expected);
    api_reopen(&copy);
    assert_int_equal(count_batches(&copy), expected + 1);
    api_close(&copy);
    api_folder_remove(folder);
}

/* ---------------------------------------------------------------------------------- log */

static void a_log_cut_at_any_byte_opens_with_the_whole_frames_before_the_cut(void **state) {
    struct image image;
    unsigned last = BATCHES;
    image_of_log(&image, *state, BATCHES);
    /* A frame may end in zeros, which `used` does not count: hence the margin. */
    for (size_t cut = image.used[BATCHES] + 16; cut >= image.used[0]; cut--) {
        assert_int_equal(truncate(image.path, (off_t)cut), 0);
        api_open(&image.api);
        unsigned batches = count_batches(&image.api);
        api_close(&image.api);
        assert_true(batches <= last);
        for (unsigned i = 0; i <= BATCHES; i++)
            if (cut >= image.used[i] + 16)
                assert_true(batches >= i);
        if (batches < last || cut % 97 == 0)
            assert_goes_on(&image, batches);
        last = batches;
    }
    assert_int_equal(last, 0);
    image_free(&image);
}

static void garbage_after_the_last_frame_costs_nothing(void **state) {
    struct image image;
    image_of_log(&image, *state, BATCHES);
    size_t end = image.used[BATCHES] + 16 < image.size ? image.used[BATCHES] + 16 : image.size;
    for (unsigned kind = 0; kind < 40; kind++) {
        size_t length = 1 + kind * kind;
        unsigned char *bytes = malloc(end + length);
        assert_non_null(bytes);
        memcpy(bytes, image.bytes, end);
        for (size_t i = 0; i < length; i++)
            bytes[end + i] = kind % 4 == 0   ? 0
                             : kind % 4 == 1 ? 0xff
                             : kind % 4 == 2 ? image.bytes[i % image.used[0]]
                                             : (unsigned char)((i + kind) * 2654435761u >> 13);
        api_write_file(image.path, bytes, end + length);
        free(bytes);
        api_open(&image.api);
        assert_int_equal(count_batches(&image.api), BATCHES);
        api_close(&image.api);
        if (kind % 10 == 3)
            assert_goes_on(&image, BATCHES);
    }
    image_free(&image);
}

static void a_byte_that_flips_in_a_log_never_gives_a_wrong_answer(void **state) {
    struct image image;
    unsigned refused = 0, shortened = 0;
    image_of_log(&image, *state, BATCHES);
    for (size_t at = 0; at < image.used[BATCHES]; at++) {
        image_flip(&image, at, (unsigned char)(1u << at % 8));
        flowdb_status status = flowdb_open(&image.api.config, &image.api.db);
        image_heal(&image, at);
        if (status == FLOWDB_OK) {
            shortened += count_batches(&image.api) < BATCHES;
            api_close(&image.api);
            continue;
        }
        refused++;
        if (status != FLOWDB_UNSUPPORTED) /* the version byte */
            api_assert_fails(FLOWDB_CORRUPTION, ".log", status);
    }
    /* Every byte of a frame is under its checksum. */
    assert_int_equal(refused + shortened, image.used[BATCHES]);
    image_free(&image);
}

static void damage_before_what_a_later_frame_knows_durable_is_corruption_and_named(void **state) {
    struct image image;
    image_of_log(&image, *state, BATCHES / 2);
    for (unsigned batch = 0; batch < BATCHES / 2; batch++) {
        size_t at = (image.used[batch] + image.used[batch + 1]) / 2;
        image_flip(&image, at, 1);
        api_assert_open_fails(&image.api, FLOWDB_CORRUPTION, ".log");
        image.api.config.read_only = false;
        api_assert_open_fails(&image.api, FLOWDB_CORRUPTION, ".log");
        image.api.config.read_only = true;
        image_heal(&image, at);
    }
    api_open(&image.api);
    assert_int_equal(count_batches(&image.api), BATCHES);
    api_close(&image.api);
    image_free(&image);
}

/* ------------------------------------------------------------------------------- tables */

enum { SERIES = 12, POINTS = 40 };

static void put_series(struct api *api) {
    for (unsigned series = 0; series < SERIES; series++)
        for (int64_t point = 0; point < POINTS; point++) {
            char key[32], value[32];
            snprintf(key, sizeof key, "host%02u.load", series);
            snprintf(value, sizeof value, "%u.%u", series, (unsigned)(point * point % 100));
            api_put(api, key, point * 1000000, value);
        }
    api_delete(api, "host03.load", 5000000);
    api_delete_range(api, "host07", "host08");
    api_put(api, "host07.load", 1, "newer-than-the-range");
}

/* FNV-1a over whatever the reads return. */
static void digest_add(uint64_t *digest, const void *bytes, size_t size) {
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++)
        *digest = (*digest ^ at[i]) * UINT64_C(1099511628211);
}

static void digest_result(uint64_t *digest, flowdb_result *result) {
    digest_add(digest, &result->count, sizeof result->count);
    for (size_t i = 0; i < result->count; i++) {
        const flowdb_record *record = &result->records[i];
        digest_add(digest, record->key.data, record->key.size);
        digest_add(digest, &record->ts, sizeof record->ts);
        digest_add(digest, &record->expire_at, sizeof record->expire_at);
        digest_add(digest, record->value.data, record->value.size);
    }
    flowdb_result_free(result);
}

/* Reads in every way. FLOWDB_OK with a digest of all answers, or the first failure. */
static flowdb_status read_everything(flowdb *db, uint64_t *digest) {
    flowdb_range ranges[] = {flowdb_range_all(), flowdb_range_prefix(flowdb_str("host07")),
                             flowdb_range_time(5000000, 6000000)};
    flowdb_result result = {0};
    flowdb_status status;
    *digest = UINT64_C(14695981039346656037);
    for (unsigned i = 0; i < 6; i++) {
        flowdb_read_options options = flowdb_read_options_default();
        options.reverse = i & 1;
        if ((status = flowdb_query(db, &ranges[i / 2], &options, &result)) != FLOWDB_OK)
            return status;
        digest_result(digest, &result);
    }
    for (unsigned series = 0; series < SERIES * 2; series++) { /* the second half is absent */
        char key[32];
        snprintf(key, sizeof key, "host%02u.load", series);
        flowdb_status statuses[2] = {flowdb_get_latest(db, flowdb_str(key), &result)};
        if (statuses[0] == FLOWDB_OK)
            digest_result(digest, &result);
        statuses[1] = flowdb_get(db, flowdb_str(key), 5000000, &result);
        if (statuses[1] == FLOWDB_OK)
            digest_result(digest, &result);
        for (unsigned i = 0; i < 2; i++)
            if (statuses[i] != FLOWDB_OK && statuses[i] != FLOWDB_NOT_FOUND)
                return statuses[i];
        digest_add(digest, statuses, sizeof statuses);
    }
    return FLOWDB_OK;
}

static flowdb_status open_and_read(struct image *image, uint64_t *digest) {
    flowdb_status status = flowdb_open(&image->api.config, &image->api.db);
    if (status != FLOWDB_OK)
        return status;
    status = read_everything(image->api.db, digest);
    api_close(&image->api);
    return status;
}

/* Flips one bit of every byte in turn. Returns how many flips were found out. */
static size_t flip_every_byte(struct image *image) {
    uint64_t right, digest;
    size_t found = 0;
    api_assert_ok(open_and_read(image, &right));
    for (size_t at = 0; at < image->size; at++) {
        image_flip(image, at, (unsigned char)(1u << at % 8));
        flowdb_status status = open_and_read(image, &digest);
        image_heal(image, at);
        if (status == FLOWDB_OK && digest != right)
            fail_msg("byte %zu of %s flipped: a wrong answer", at, image->path);
        if (status != FLOWDB_OK && status != FLOWDB_CORRUPTION && status != FLOWDB_UNSUPPORTED)
            fail_msg("byte %zu of %s flipped: %s, %s", at, image->path, flowdb_status_name(status),
                     flowdb_last_error());
        found += status != FLOWDB_OK;
    }
    api_assert_ok(open_and_read(image, &digest));
    assert_true(digest == right);
    return found;
}

static void image_of_table(struct image *image, struct api *api, uint32_t block_size,
                           const char *subfolder, const char *part) {
    memset(image, 0, sizeof *image);
    api->config.block_size = block_size;
    api_open(api);
    put_series(api);
    api_assert_ok(flowdb_flush(api->db));
    image_take(image, api, subfolder, part);
}

static void a_byte_that_flips_in_a_table_is_corruption_and_never_a_wrong_answer(void **state) {
    static const uint32_t block_sizes[] = {128, 8192};
    struct api *api = *state;
    for (unsigned i = 0; i < 2; i++) {
        struct image image;
        image_of_table(&image, api, block_sizes[i], "sst", ".sst");
        size_t found = flip_every_byte(&image);
        /* Every byte is read by something and under a checksum, but for what no read here needs. */
        print_message("block size %u: %zu of %zu flips found\n", block_sizes[i], found, image.size);
        assert_true(found >= image.size - image.size / 20);
        image_free(&image);
        api_close(api);
        api_folder_remove(api->folder);
    }
}

static void a_byte_that_flips_in_the_manifest_or_current_never_gives_a_wrong_answer(void **state) {
    static const char *const parts[] = {"MANIFEST", "CURRENT"};
    struct api *api = *state;
    for (unsigned i = 0; i < 2; i++) {
        struct image image;
        image_of_table(&image, api, 8192, "", parts[i]);
        size_t found = flip_every_byte(&image);
        print_message("%s: %zu of %zu flips found\n", parts[i], found, image.size);
        assert_true(found > image.size / 2);
        image_free(&image);
        api_close(api);
        api_folder_remove(api->folder);
    }
}

static void a_cut_table_is_corruption_and_named(void **state) {
    struct image image;
    uint64_t digest;
    image_of_table(&image, *state, 512, "sst", ".sst");
    for (size_t cut = 0; cut < image.size; cut += cut < 64 || image.size - cut < 64 ? 1 : 41) {
        api_write_file(image.path, image.bytes, cut);
        api_assert_fails(FLOWDB_CORRUPTION, ".sst", open_and_read(&image, &digest));
    }
    image_free(&image);
}

/* An unchecked read may return what is not right, but must not crash or hang on it. */
static void reading_a_damaged_table_without_checksums_does_no_harm(void **state) {
    struct image image;
    flowdb_read_options options = flowdb_read_options_default();
    flowdb_range range = flowdb_range_all();
    options.verify_checksums = false;
    image_of_table(&image, *state, 512, "sst", ".sst");
    for (size_t at = 0; at < image.size; at++) {
        flowdb_result result = {0};
        image_flip(&image, at, 0x55);
        if (flowdb_open(&image.api.config, &image.api.db) == FLOWDB_OK) {
            if (flowdb_query(image.api.db, &range, &options, &result) == FLOWDB_OK)
                flowdb_result_free(&result);
            api_close(&image.api);
        }
        image_heal(&image, at);
    }
    image_free(&image);
}

/* ------------------------------------------------------------------------ missing files */

/* Both ways of opening refuse, and neither makes a new database over what is left. */
static void assert_refused_without(struct image *image, const char *path, const char *named) {
    size_t size;
    unsigned char *bytes = api_read_file(path, &size);
    assert_int_equal(unlink(path), 0);
    for (unsigned i = 0; i < 3; i++) {
        image->api.config.read_only = i == 0;
        api_assert_open_fails(&image->api, FLOWDB_CORRUPTION, named);
    }
    image->api.config.read_only = true;
    api_write_file(path, bytes, size);
    free(bytes);
}

static void a_missing_file_is_named_and_the_database_does_not_open(void **state) {
    struct api *api = *state;
    struct image image;
    uint64_t right, digest;
    char path[API_PATH_BYTES * 2];
    image_of_table(&image, api, 8192, "sst", ".sst");
    api_assert_ok(open_and_read(&image, &right));
    assert_refused_without(&image, image.path, strrchr(image.path, '/') + 1);
    assert_int_equal(api_find_file(image.folder, "", "MANIFEST", path), 1);
    assert_refused_without(&image, path, strrchr(path, '/') + 1);
    assert_int_equal(api_find_file(image.folder, "", "CURRENT", path), 1);
    assert_refused_without(&image, path, "CURRENT");
    assert_true(api_find_file(image.folder, "wal", ".log", path) >= 1);
    assert_refused_without(&image, path, strrchr(path, '/') + 1);
    /* With all of them back it opens as before. */
    api_assert_ok(open_and_read(&image, &digest));
    assert_true(digest == right);
    image_free(&image);
}

static void without_current_and_manifest_tables_are_not_taken_for_an_empty_database(void **state) {
    struct image image;
    char path[API_PATH_BYTES * 2];
    image_of_table(&image, *state, 8192, "sst", ".sst");
    api_find_file(image.folder, "", "MANIFEST", path);
    assert_int_equal(unlink(path), 0);
    api_find_file(image.folder, "", "CURRENT", path);
    assert_int_equal(unlink(path), 0);
    image.api.config.read_only = false;
    api_assert_open_fails(&image.api, FLOWDB_CORRUPTION, "CURRENT");
    assert_int_equal(access(image.path, F_OK), 0);
    image_free(&image);
}

static void files_that_belong_to_nothing_do_no_harm(void **state) {
    struct api *api = *state;
    char path[API_PATH_BYTES + 64];
    api_open(api);
    put_series(api);
    api_close(api);
    static const char *const names[] = {"sst/000999.sst", "sst/000998.sst.tmp", "notes.txt",
                                        "wal/readme",     "CURRENT.tmp",        "sst/garbage"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", api->folder, names[i]);
        api_write_file(path, "left over", 9);
    }
    api_open(api);
    api_assert_latest(api, "host07.load", 1, "newer-than-the-range");
    api_put(api, "k", 1, "v");
    api_assert_ok(flowdb_flush(api->db));
    api_reopen(api);
    api_assert_get(api, "k", 1, "v");
    snprintf(path, sizeof path, "%s/notes.txt", api->folder);
    assert_int_equal(access(path, F_OK), 0); /* what is not the engine's is not its to remove */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        API_TEST_CLOSED(a_log_cut_at_any_byte_opens_with_the_whole_frames_before_the_cut),
        API_TEST_CLOSED(garbage_after_the_last_frame_costs_nothing),
        API_TEST_CLOSED(a_byte_that_flips_in_a_log_never_gives_a_wrong_answer),
        API_TEST_CLOSED(damage_before_what_a_later_frame_knows_durable_is_corruption_and_named),
        API_TEST_CLOSED(a_byte_that_flips_in_a_table_is_corruption_and_never_a_wrong_answer),
        API_TEST_CLOSED(a_byte_that_flips_in_the_manifest_or_current_never_gives_a_wrong_answer),
        API_TEST_CLOSED(a_cut_table_is_corruption_and_named),
        API_TEST_CLOSED(reading_a_damaged_table_without_checksums_does_no_harm),
        API_TEST_CLOSED(a_missing_file_is_named_and_the_database_does_not_open),
        API_TEST_CLOSED(without_current_and_manifest_tables_are_not_taken_for_an_empty_database),
        API_TEST_CLOSED(files_that_belong_to_nothing_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
