#include "api_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_BYTES = 8192 };

/* -------------------------------------------------------------------------------- setup */

int api_setup_closed(void **state) {
    struct api *api = calloc(1, sizeof *api);
    if (api == NULL)
        return -1;
    api_folder_create(api->folder);
    api->config = flowdb_config_default();
    api->config.data_dir = api->folder;
    api->config.memtable_size_mb = 1;
    api->config.wal_segment_size_mb = 1; /* small files: tests make many */
    *state = api;
    return 0;
}

static int setup_in(void **state, enum api_place place) {
    if (api_setup_closed(state) != 0)
        return -1;
    struct api *api = *state;
    api->place = place;
    return flowdb_open(&api->config, &api->db) == FLOWDB_OK ? 0 : -1;
}

int api_setup(void **state) {
    return setup_in(state, API_MEMORY);
}

int api_setup_tables(void **state) {
    return setup_in(state, API_TABLES);
}

int api_setup_mixed(void **state) {
    return setup_in(state, API_MIXED);
}

int api_setup_reopened(void **state) {
    return setup_in(state, API_REOPENED);
}

int api_teardown(void **state) {
    struct api *api = *state;
    flowdb_status status = api->db == NULL ? FLOWDB_OK : flowdb_close(api->db);
    if (status != FLOWDB_OK)
        print_error("close: %s\n", flowdb_last_error());
    api_folder_remove(api->folder);
    free(api);
    return status == FLOWDB_OK ? 0 : -1;
}

void api_open(struct api *api) {
    api_assert_ok(flowdb_open(&api->config, &api->db));
}

void api_close(struct api *api) {
    flowdb *db = api->db;
    api->db = NULL;
    api_assert_ok(flowdb_close(db));
}

void api_reopen(struct api *api) {
    api_close(api);
    api_open(api);
}

void api_assert_open_fails(struct api *api, flowdb_status expected, const char *named) {
    flowdb *db = (flowdb *)api; /* must not be touched */
    flowdb_status status = flowdb_open(&api->config, &db);
    if (status == FLOWDB_OK)
        flowdb_close(db);
    api_assert_fails(expected, named, status);
    assert_ptr_equal(db, api);
}

/* ------------------------------------------------------------------------------ writing */

void api_settle(struct api *api) {
    api->writes++;
    if (api->place == API_TABLES || (api->place == API_MIXED && api->writes % 2 == 1))
        api_assert_ok(flowdb_flush(api->db));
    if (api->place == API_REOPENED)
        api_reopen(api);
}

void api_put_until(struct api *api, const char *key, int64_t ts, int64_t expire_at,
                   const char *value) {
    flowdb_record record = {flowdb_str(key), ts, expire_at, flowdb_str(value)};
    api_assert_ok(flowdb_write(api->db, &record, 1));
    api_settle(api);
}

void api_put(struct api *api, const char *key, int64_t ts, const char *value) {
    api_put_until(api, key, ts, FLOWDB_NEVER, value);
}

void api_delete(struct api *api, const char *key, int64_t ts) {
    api_assert_ok(flowdb_delete(api->db, flowdb_str(key), ts));
    api_settle(api);
}

void api_delete_range(struct api *api, const char *start, const char *end) {
    api_assert_ok(flowdb_delete_range(api->db, flowdb_str(start), flowdb_str(end)));
    api_settle(api);
}

void api_write_batch(struct api *api, const flowdb_batch *batch) {
    api_assert_ok(flowdb_write_batch(api->db, batch));
    api_settle(api);
}

/* ------------------------------------------------------------------------------ reading */

struct text {
    size_t size;
    char bytes[TEXT_BYTES];
};

static void text_add(struct text *text, const char *bytes, size_t size) {
    assert_true(text->size + size < TEXT_BYTES);
    memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
    text->bytes[text->size] = '\0';
}

static void text_add_record(struct text *text, const flowdb_record *record) {
    char number[32];
    if (text->size != 0)
        text_add(text, " ", 1);
    text_add(text, record->key.data, record->key.size);
    text_add(text, number, (size_t)snprintf(number, sizeof number, "@%" PRId64 "=", record->ts));
    if (record->value.size != 0)
        text_add(text, record->value.data, record->value.size);
}

/* The words in opposite order. */
static void text_reverse(const char *words, struct text *reversed) {
    const char *end = words + strlen(words);
    reversed->size = 0;
    reversed->bytes[0] = '\0';
    while (end > words) {
        const char *start = end;
        while (start > words && start[-1] != ' ')
            start--;
        if (reversed->size != 0)
            text_add(reversed, " ", 1);
        text_add(reversed, start, (size_t)(end - start));
        end = start > words ? start - 1 : start;
    }
}

static void assert_single(const flowdb_result *result, const char *key, int64_t ts,
                          const char *value) {
    assert_int_equal(result->count, 1);
    const flowdb_record *record = &result->records[0];
    assert_int_equal(record->key.size, strlen(key));
    assert_memory_equal(record->key.data, key, strlen(key));
    assert_true(record->ts == ts);
    assert_int_equal(record->value.size, strlen(value));
    if (*value != '\0')
        assert_memory_equal(record->value.data, value, strlen(value));
}

void api_assert_get(struct api *api, const char *key, int64_t ts, const char *value) {
    flowdb_result result = {0};
    flowdb_status status = flowdb_get(api->db, flowdb_str(key), ts, &result);
    if (value == NULL) {
        api_assert_fails(FLOWDB_NOT_FOUND, "", status);
        assert_null(result.records);
        return;
    }
    api_assert_ok(status);
    assert_single(&result, key, ts, value);
    flowdb_result_free(&result);
}

void api_assert_latest(struct api *api, const char *key, int64_t ts, const char *value) {
    flowdb_result result = {0};
    api_assert_ok(flowdb_get_latest(api->db, flowdb_str(key), &result));
    assert_single(&result, key, ts, value);
    flowdb_result_free(&result);
}

void api_assert_no_latest(struct api *api, const char *key) {
    flowdb_result result = {0};
    api_assert_fails(FLOWDB_NOT_FOUND, "", flowdb_get_latest(api->db, flowdb_str(key), &result));
    assert_null(result.records);
}

void api_assert_rest(flowdb_iterator *iterator, const char *expected) {
    struct text text = {0};
    flowdb_record record;
    flowdb_status status;
    while ((status = flowdb_iterator_next(iterator, &record)) == FLOWDB_OK)
        text_add_record(&text, &record);
    assert_int_equal(status, FLOWDB_DONE);
    assert_string_equal(text.bytes, expected);
}

static void assert_step(flowdb_status status, const flowdb_record *record, const char *expected) {
    struct text text = {0};
    if (status == FLOWDB_OK)
        text_add_record(&text, record);
    else if (status == FLOWDB_DONE)
        text_add(&text, "done", 4);
    else
        fail_msg("%s: %s", flowdb_status_name(status), flowdb_last_error());
    assert_string_equal(text.bytes, expected);
}

void api_assert_next(flowdb_iterator *iterator, const char *expected) {
    flowdb_record record = {0};
    flowdb_status status = flowdb_iterator_next(iterator, &record);
    assert_step(status, &record, expected);
}

void api_assert_next_key(flowdb_iterator *iterator, const char *expected) {
    flowdb_record record = {0};
    flowdb_status status = flowdb_iterator_next_key(iterator, &record);
    assert_step(status, &record, expected);
}

flowdb_iterator *api_scan(struct api *api, flowdb_range range, bool reverse) {
    flowdb_read_options options = flowdb_read_options_default();
    flowdb_iterator *iterator = NULL;
    options.reverse = reverse;
    api_assert_ok(flowdb_scan(api->db, &range, &options, &iterator));
    assert_non_null(iterator);
    return iterator;
}

void api_assert_query(struct api *api, flowdb_range range, const flowdb_read_options *options,
                      const char *expected) {
    struct text text = {0};
    flowdb_result result = {0};
    flowdb_iterator *iterator = NULL;
    api_assert_ok(flowdb_query(api->db, &range, options, &result));
    for (size_t i = 0; i < result.count; i++)
        text_add_record(&text, &result.records[i]);
    flowdb_result_free(&result);
    assert_string_equal(text.bytes, expected);
    api_assert_ok(flowdb_scan(api->db, &range, options, &iterator));
    api_assert_rest(iterator, expected);
    flowdb_iterator_destroy(iterator);
}

void api_assert_range(struct api *api, flowdb_range range, const char *expected) {
    struct text reversed = {0};
    flowdb_read_options options = flowdb_read_options_default();
    api_assert_query(api, range, NULL, expected);
    options.reverse = true;
    text_reverse(expected, &reversed);
    api_assert_query(api, range, &options, reversed.bytes);
}

void api_assert_all(struct api *api, const char *expected) {
    api_assert_range(api, flowdb_range_all(), expected);
}

/* ------------------------------------------------------------------------------- errors */

void api_assert_failure(flowdb_status expected, const char *named, flowdb_status got,
                        const char *call, const char *file, int line) {
    if (got != expected) {
        print_error("%s:\nexpected %s, got %s\n", call, flowdb_status_name(expected),
                    flowdb_status_name(got));
        if (got != FLOWDB_OK)
            print_error("last error: %s\n", flowdb_last_error());
        _fail(file, line);
    }
    if (strstr(flowdb_last_error(), named) == NULL) {
        print_error("%s:\n\"%s\" does not name \"%s\"\n", call, flowdb_last_error(), named);
        _fail(file, line);
    }
}

void api_assert_success(flowdb_status got, const char *call, const char *file, int line) {
    if (got == FLOWDB_OK)
        return;
    print_error("%s:\n%s: %s\n", call, flowdb_status_name(got), flowdb_last_error());
    _fail(file, line);
}

/* -------------------------------------------------------------------------------- files */

void api_folder_create(char path[API_PATH_BYTES]) {
    const char *base = getenv("TMPDIR");
    snprintf(path, API_PATH_BYTES, "%s/flowdb-api-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(path) == NULL)
        fail_msg("cannot create %s: %s", path, strerror(errno));
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw) {
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

void api_folder_remove(const char *path) {
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

unsigned char *api_read_file(const char *path, size_t *size) {
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(fstat(file, &status), 0);
    unsigned char *bytes = malloc((size_t)status.st_size + 1);
    assert_non_null(bytes);
    *size = 0;
    ssize_t got;
    while ((got = read(file, bytes + *size, (size_t)status.st_size - *size)) > 0)
        *size += (size_t)got;
    close(file);
    return bytes;
}

void api_write_file(const char *path, const void *bytes, size_t size) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, size), size);
    close(file);
}

static void copy_entry(const char *from, const char *to) {
    struct stat status;
    assert_int_equal(stat(from, &status), 0);
    if (S_ISDIR(status.st_mode)) {
        api_folder_copy(from, to);
        return;
    }
    size_t size;
    unsigned char *bytes = api_read_file(from, &size);
    api_write_file(to, bytes, size);
    free(bytes);
}

void api_folder_copy(const char *from, const char *to) {
    DIR *folder = opendir(from);
    assert_non_null(folder);
    assert_true(mkdir(to, 0755) == 0 || errno == EEXIST);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char source[API_PATH_BYTES * 3], target[API_PATH_BYTES * 3];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(source, sizeof source, "%s/%s", from, entry->d_name);
        snprintf(target, sizeof target, "%s/%s", to, entry->d_name);
        copy_entry(source, target);
    }
    closedir(folder);
}

unsigned api_find_file(const char *folder, const char *subfolder, const char *part,
                       char path[API_PATH_BYTES * 2]) {
    char inside[API_PATH_BYTES + 32], last[128] = "";
    unsigned count = 0;
    snprintf(inside, sizeof inside, "%s/%s", folder, subfolder);
    DIR *stream = opendir(inside);
    assert_non_null(stream);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        if (entry->d_name[0] == '.' || strstr(entry->d_name, part) == NULL)
            continue;
        count++;
        if (strcmp(entry->d_name, last) > 0)
            snprintf(last, sizeof last, "%.127s", entry->d_name);
    }
    closedir(stream);
    snprintf(path, API_PATH_BYTES * 2, "%s/%s", inside, last);
    return count;
}
