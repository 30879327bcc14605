/*
 * What the tests of the public interface share: a database in a temporary folder, and assertions
 * that read like the facts they state.
 *
 * Answers must not depend on where the records lie, so tests of reading run in several places: the
 * helpers that write then flush, or reopen, after every write or after some of them.
 */
#ifndef TESTS_API_FIXTURE_H
#define TESTS_API_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <flowdb/flowdb.h>

enum api_place {
    API_MEMORY,  /* all in the memtable */
    API_TABLES,  /* every write in a table of its own */
    API_MIXED,   /* every other write is followed by a flush */
    API_REOPENED /* every write is followed by closing and opening again */
};

enum { API_PATH_BYTES = 256 };

struct api {
    flowdb *db;
    flowdb_config config; /* of the open database, or the next to be opened */
    enum api_place place;
    unsigned writes;
    char folder[API_PATH_BYTES];
};

/* --- for struct CMUnitTest; *state becomes a struct api with an open, empty database */
int api_setup(void **state);
int api_setup_tables(void **state);
int api_setup_mixed(void **state);
int api_setup_reopened(void **state);
/* The same without opening it. */
int api_setup_closed(void **state);
int api_teardown(void **state);

#define API_TEST(test) \
    { #test, test, api_setup, api_teardown, NULL }
#define API_TEST_CLOSED(test) \
    { #test, test, api_setup_closed, api_teardown, NULL }
#define API_TEST_EVERYWHERE(test)                                                      \
    {#test ", in memory", test, api_setup, api_teardown, NULL},                        \
        {#test ", in tables", test, api_setup_tables, api_teardown, NULL},             \
        {#test ", in memory and tables", test, api_setup_mixed, api_teardown, NULL}, { \
#test ", after reopening", test, api_setup_reopened, api_teardown, NULL        \
    }

/* --- opening */
void api_open(struct api *api);
void api_close(struct api *api);
void api_reopen(struct api *api);
/* Opens with api->config and expects it to fail so, with `named` in the message. */
void api_assert_open_fails(struct api *api, flowdb_status expected, const char *named);

/* --- writing; each asserts success, then flushes or reopens as the place demands */
void api_put(struct api *api, const char *key, int64_t ts, const char *value);
void api_put_until(struct api *api, const char *key, int64_t ts, int64_t expire_at,
                   const char *value);
void api_delete(struct api *api, const char *key, int64_t ts);
/* "" is no bound. */
void api_delete_range(struct api *api, const char *start, const char *end);
void api_write_batch(struct api *api, const flowdb_batch *batch);
/* What the place demands after a write by other means. */
void api_settle(struct api *api);

/* --- reading */
/* `value` NULL: not found. */
void api_assert_get(struct api *api, const char *key, int64_t ts, const char *value);
void api_assert_latest(struct api *api, const char *key, int64_t ts, const char *value);
void api_assert_no_latest(struct api *api, const char *key);
/*
 * Records as "key@ts=value key@ts=value". Reads by query and by scan, forwards; and backwards, with
 * the opposite order expected.
 */
void api_assert_range(struct api *api, flowdb_range range, const char *expected);
void api_assert_all(struct api *api, const char *expected);
/* With these options, in the order that they ask for. */
void api_assert_query(struct api *api, flowdb_range range, const flowdb_read_options *options,
                      const char *expected);
/* What the iterator still yields. */
void api_assert_rest(flowdb_iterator *iterator, const char *expected);
/* The next record, or "done". */
void api_assert_next(flowdb_iterator *iterator, const char *expected);
void api_assert_next_key(flowdb_iterator *iterator, const char *expected);
flowdb_iterator *api_scan(struct api *api, flowdb_range range, bool reverse);

/* --- errors */
/* The call failed so, and its message holds `named`. */
#define api_assert_fails(expected, named, call) \
    api_assert_failure((expected), (named), (call), #call, __FILE__, __LINE__)
void api_assert_failure(flowdb_status expected, const char *named, flowdb_status got,
                        const char *call, const char *file, int line);
#define api_assert_ok(call) api_assert_success((call), #call, __FILE__, __LINE__)
void api_assert_success(flowdb_status got, const char *call, const char *file, int line);

/* --- files */
void api_folder_create(char path[API_PATH_BYTES]);
void api_folder_remove(const char *path);
/* Copies a whole folder: beside an open database, this is what a killed process leaves behind. */
void api_folder_copy(const char *from, const char *to);
/*
 * The path of the file in folder/subfolder whose name holds `part`, the last by name where there are
 * several. Returns how many there are.
 */
unsigned api_find_file(const char *folder, const char *subfolder, const char *part,
                       char path[API_PATH_BYTES * 2]);
/* The file's bytes, to be freed. */
unsigned char *api_read_file(const char *path, size_t *size);
void api_write_file(const char *path, const void *bytes, size_t size);

#endif
