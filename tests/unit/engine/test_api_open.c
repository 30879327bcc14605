/* Opening, closing, reopening, reading only. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api_fixture.h"

static void a_missing_folder_becomes_a_database(void **state) {
    struct api *api = *state;
    char path[API_PATH_BYTES + 32];
    snprintf(path, sizeof path, "%s/new", api->folder);
    api->config.data_dir = path;
    api_open(api);
    api_put(api, "k", 1, "v");
    api_reopen(api);
    api_assert_all(api, "k@1=v");
    api_close(api);
}

static void without_create_if_missing_what_is_missing_is_not_found_and_not_made(void **state) {
    struct api *api = *state;
    char path[API_PATH_BYTES + 32];
    snprintf(path, sizeof path, "%s/missing", api->folder);
    api->config.create_if_missing = false;
    api_assert_open_fails(api, FLOWDB_NOT_FOUND, api->folder); /* an empty folder */
    api->config.data_dir = path;
    api_assert_open_fails(api, FLOWDB_NOT_FOUND, path);
    assert_int_not_equal(access(path, F_OK), 0);
    /* Nothing was begun in the empty folder either: it can still be removed. */
    assert_int_equal(rmdir(api->folder), 0);
    assert_int_equal(mkdir(api->folder, 0755), 0);
}

static void without_create_if_missing_what_is_there_opens(void **state) {
    struct api *api = *state;
    api_open(api);
    api_put(api, "k", 1, "v");
    api->config.create_if_missing = false;
    api_reopen(api);
    api_assert_all(api, "k@1=v");
}

static void everything_survives_reopening(void **state) {
    struct api *api = *state;
    static const flowdb_wal_sync modes[] = {FLOWDB_SYNC_ALWAYS, FLOWDB_SYNC_INTERVAL,
                                            FLOWDB_SYNC_BUFFERED};
    for (unsigned i = 0; i < 3; i++) {
        api->config.wal_sync = modes[i];
        api->config.auto_background = i != 1;
        api_open(api);
        api_put(api, "a", i, "x");
        api_put(api, "b", i, "y");
        api_delete(api, "a", i);
        api_close(api);
    }
    api_open(api);
    api_assert_all(api, "b@0=y b@1=y b@2=y");
    for (unsigned i = 0; i < 5; i++)
        api_reopen(api);
    api_assert_all(api, "b@0=y b@1=y b@2=y");
    /* What was deleted before may be written again after, and newer writes win over older ones. */
    api_put(api, "a", 0, "z");
    api_put(api, "b", 0, "newer");
    api_reopen(api);
    api_assert_all(api, "a@0=z b@0=newer b@1=y b@2=y");
}

static void the_configuration_may_change_between_opens(void **state) {
    struct api *api = *state;
    static const uint32_t block_sizes[] = {128, 1048576, 8192};
    char key[16];
    for (unsigned i = 0; i < 3; i++) {
        api->config.block_size = block_sizes[i];
        api->config.bloom_bits_per_key = i * 10;
        api->config.wal_segment_size_mb = 1 + 63 * (i & 1);
        api_open(api);
        for (unsigned j = 0; j < 500; j++) {
            snprintf(key, sizeof key, "k%u-%03u", i, j);
            api_put(api, key, j, "v");
        }
        api_close(api);
    }
    api_open(api);
    flowdb_result result = {0};
    flowdb_range range = flowdb_range_all();
    api_assert_ok(flowdb_query(api->db, &range, NULL, &result));
    assert_int_equal(result.count, 1500);
    flowdb_result_free(&result);
    api_assert_get(api, "k0-499", 499, "v");
    api_assert_get(api, "k2-500", 500, NULL);
}

static void flush_and_sync_can_be_called_at_any_time(void **state) {
    struct api *api = *state;
    api_open(api);
    api_assert_ok(flowdb_flush(api->db));
    api_assert_ok(flowdb_sync(api->db));
    api_assert_ok(flowdb_flush(api->db));
    api_put(api, "k", 1, "v");
    api_assert_ok(flowdb_sync(api->db));
    api_assert_ok(flowdb_flush(api->db));
    api_assert_ok(flowdb_flush(api->db));
    api_assert_ok(flowdb_sync(api->db));
    api_assert_all(api, "k@1=v");
}

/* --------------------------------------------------------------------------- read only */

static flowdb *open_reader(struct api *api) {
    flowdb_config config = api->config;
    flowdb *reader = NULL;
    config.read_only = true;
    api_assert_ok(flowdb_open(&config, &reader));
    return reader;
}

static void a_read_only_handle_sees_what_was_committed_when_it_opened(void **state) {
    struct api *api = *state;
    api_open(api);
    api_put(api, "flushed", 1, "x");
    api_assert_ok(flowdb_flush(api->db));
    api_put(api, "logged", 1, "y");
    api_put(api, "flushed", 2, "gone");
    api_delete(api, "flushed", 2);
    struct api reader = {.db = open_reader(api)};
    api_assert_all(&reader, "flushed@1=x logged@1=y");
    api_put(api, "later", 1, "z");
    api_delete_range(api, "", "");
    api_assert_ok(flowdb_flush(api->db));
    api_assert_all(&reader, "flushed@1=x logged@1=y");
    api_assert_latest(&reader, "logged", 1, "y");
    api_assert_ok(flowdb_close(reader.db));
    api_assert_all(api, "");
    struct api second = {.db = open_reader(api)};
    api_assert_all(&second, "");
    api_assert_ok(flowdb_close(second.db));
}

static void every_write_to_a_read_only_handle_is_refused(void **state) {
    struct api *api = *state;
    flowdb_slice key = flowdb_str("k");
    flowdb_record record = {key, 1, FLOWDB_NEVER, key};
    flowdb_patch patch = {.value = &key};
    flowdb_result result = {0};
    api_open(api);
    api_put(api, "k", 1, "v");
    api_close(api);
    api->config.read_only = true;
    api_open(api);
    flowdb_batch *batch = flowdb_batch_create();
    api_assert_ok(flowdb_batch_put(batch, key, 1, FLOWDB_NEVER, key));
    api_assert_fails(FLOWDB_READ_ONLY, "", flowdb_write(api->db, &record, 1));
    api_assert_fails(FLOWDB_READ_ONLY, "", flowdb_write_batch(api->db, batch));
    api_assert_fails(FLOWDB_READ_ONLY, "", flowdb_write_batch_owned(api->db, batch));
    api_assert_fails(FLOWDB_READ_ONLY, "", flowdb_delete(api->db, key, 1));
    api_assert_fails(FLOWDB_READ_ONLY, "", flowdb_delete_range(api->db, key, flowdb_str("l")));
    api_assert_fails(FLOWDB_READ_ONLY, "", flowdb_patch_record(api->db, key, 1, &patch, &result));
    api_assert_fails(FLOWDB_READ_ONLY, "", flowdb_flush(api->db));
    api_assert_all(api, "k@1=v");
}

/* Compares two copies of a folder, made before and after. */
static void assert_same_file(const char *one, const char *two, const char *name) {
    char paths[2][API_PATH_BYTES + 64];
    size_t sizes[2];
    snprintf(paths[0], sizeof paths[0], "%s/%s", one, name);
    snprintf(paths[1], sizeof paths[1], "%s/%s", two, name);
    unsigned char *bytes[2] = {api_read_file(paths[0], &sizes[0]),
                               api_read_file(paths[1], &sizes[1])};
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(bytes[0], bytes[1], sizes[0]);
    free(bytes[0]);
    free(bytes[1]);
}

static void a_read_only_handle_changes_no_file(void **state) {
    struct api *api = *state;
    char copy[API_PATH_BYTES], crashed[API_PATH_BYTES], log[API_PATH_BYTES * 2];
    api_folder_create(copy);
    api_folder_create(crashed);
    api_open(api);
    api_put(api, "flushed", 1, "x");
    api_assert_ok(flowdb_flush(api->db));
    api_put(api, "logged", 1, "y");
    api_folder_copy(api->folder, crashed); /* with a log that needs recovery */
    api_folder_copy(crashed, copy);
    struct api reader = {.config = api->config};
    reader.config.data_dir = crashed;
    reader.config.read_only = true;
    api_open(&reader);
    api_assert_all(&reader, "flushed@1=x logged@1=y");
    api_close(&reader);
    static const char *const folders[] = {"", "wal", "sst"};
    for (unsigned i = 0; i < 3; i++) {
        char before[API_PATH_BYTES * 2];
        assert_int_equal(api_find_file(copy, folders[i], "", before),
                         api_find_file(crashed, folders[i], "", log));
    }
    assert_same_file(copy, crashed, "CURRENT");
    api_find_file(copy, "wal", ".log", log);
    assert_same_file(copy, crashed, log + strlen(copy) + 1);
    api_folder_remove(copy);
    api_folder_remove(crashed);
}

static void what_is_not_there_cannot_be_opened_for_reading_only(void **state) {
    struct api *api = *state;
    char path[API_PATH_BYTES + 32];
    snprintf(path, sizeof path, "%s/missing", api->folder);
    api->config.read_only = true;
    api_assert_open_fails(api, FLOWDB_NOT_FOUND, api->folder);
    api->config.data_dir = path;
    api_assert_open_fails(api, FLOWDB_NOT_FOUND, path);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void a_file_in_the_folders_place_is_an_error_that_names_it(void **state) {
    struct api *api = *state;
    char path[API_PATH_BYTES + 32];
    flowdb *db = NULL;
    snprintf(path, sizeof path, "%s/file", api->folder);
    api_write_file(path, "x", 1);
    api->config.data_dir = path;
    assert_int_not_equal(flowdb_open(&api->config, &db), FLOWDB_OK);
    assert_null(db);
    assert_non_null(strstr(flowdb_last_error(), path));
}

/* ---------------------------------------------------------------------------------- log */

struct lines {
    unsigned count;
    bool newline, empty;
};

static void count_line(void *context, flowdb_log_level level, const char *message) {
    struct lines *lines = context;
    (void)level;
    __atomic_fetch_add(&lines->count, 1, __ATOMIC_RELAXED);
    if (strchr(message, '\n') != NULL)
        __atomic_store_n(&lines->newline, true, __ATOMIC_RELAXED);
    if (*message == '\0')
        __atomic_store_n(&lines->empty, true, __ATOMIC_RELAXED);
}

static void the_log_gets_whole_lines_without_newlines(void **state) {
    struct api *api = *state;
    struct lines lines = {0};
    api->config.log = count_line;
    api->config.log_context = &lines;
    api_open(api);
    api_put(api, "k", 1, "v");
    api_reopen(api);
    api_close(api);
    assert_true(lines.count > 0);
    assert_false(lines.newline);
    assert_false(lines.empty);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        API_TEST_CLOSED(a_missing_folder_becomes_a_database),
        API_TEST_CLOSED(without_create_if_missing_what_is_missing_is_not_found_and_not_made),
        API_TEST_CLOSED(without_create_if_missing_what_is_there_opens),
        API_TEST_CLOSED(everything_survives_reopening),
        API_TEST_CLOSED(the_configuration_may_change_between_opens),
        API_TEST_CLOSED(flush_and_sync_can_be_called_at_any_time),
        API_TEST_CLOSED(a_read_only_handle_sees_what_was_committed_when_it_opened),
        API_TEST_CLOSED(every_write_to_a_read_only_handle_is_refused),
        API_TEST_CLOSED(a_read_only_handle_changes_no_file),
        API_TEST_CLOSED(what_is_not_there_cannot_be_opened_for_reading_only),
        API_TEST_CLOSED(a_file_in_the_folders_place_is_an_error_that_names_it),
        API_TEST_CLOSED(the_log_gets_whole_lines_without_newlines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
