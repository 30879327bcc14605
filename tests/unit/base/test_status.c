/* Statuses and the sentences that go with them. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

/* Runs first: nothing has failed on this thread yet. */
static void the_last_error_is_empty_before_the_first(void **state) {
    (void)state;
    assert_string_equal(flowdb_last_error(), "");
}

static void a_failure_returns_its_status_and_keeps_its_sentence(void **state) {
    (void)state;
    assert_int_equal(fl_fail(FLOWDB_LOCKED, "%s is %d", "x", 3), FLOWDB_LOCKED);
    assert_string_equal(flowdb_last_error(), "x is 3");
    assert_int_equal(fl_fail_memory("a thing", 123), FLOWDB_NO_MEMORY);
    assert_non_null(strstr(flowdb_last_error(), "123 bytes for a thing"));
}

static void context_goes_in_front(void **state) {
    (void)state;
    fl_fail(FLOWDB_IO_ERROR, "inner");
    assert_int_equal(fl_fail_within(FLOWDB_IO_ERROR, "record %d", 7), FLOWDB_IO_ERROR);
    assert_string_equal(flowdb_last_error(), "record 7: inner");
    fl_fail_within(FLOWDB_IO_ERROR, "outer");
    assert_string_equal(flowdb_last_error(), "outer: record 7: inner");
}

static void that_something_is_absent_is_said_until_the_next_failure(void **state) {
    (void)state;
    fl_fail(FLOWDB_IO_ERROR, "before");
    assert_int_equal(fl_not_found("it is not there"), FLOWDB_NOT_FOUND);
    assert_string_equal(flowdb_last_error(), "it is not there");
    assert_int_equal(fl_fail_within(FLOWDB_NOT_FOUND, "looked"), FLOWDB_NOT_FOUND);
    assert_string_equal(flowdb_last_error(), "looked: it is not there");
    fl_not_found("it is not there");
    fl_fail(FLOWDB_IO_ERROR, "behind");
    assert_string_equal(flowdb_last_error(), "behind");
    fl_fail_within(FLOWDB_IO_ERROR, "in front");
    assert_string_equal(flowdb_last_error(), "in front: behind");
}

static void long_sentences_are_cut_at_1023_bytes(void **state) {
    (void)state;
    char text[3000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    fl_fail(FLOWDB_IO_ERROR, "%s", text);
    assert_int_equal(strlen(flowdb_last_error()), 1023);
    fl_fail_within(FLOWDB_IO_ERROR, "context");
    assert_int_equal(strlen(flowdb_last_error()), 1023);
    assert_memory_equal(flowdb_last_error(), "context: xxx", 12);
    /* A context that is too long leaves no room, and that is all. */
    fl_fail(FLOWDB_IO_ERROR, "short");
    fl_fail_within(FLOWDB_IO_ERROR, "%s", text);
    assert_int_equal(strlen(flowdb_last_error()), 1023);
    fl_fail(FLOWDB_IO_ERROR, "short");
    assert_string_equal(flowdb_last_error(), "short");
}

static void every_status_has_its_name(void **state) {
    (void)state;
    static const char *const names[] = {
        "FLOWDB_OK",        "FLOWDB_DONE",       "FLOWDB_NOT_FOUND",   "FLOWDB_INVALID_ARGUMENT",
        "FLOWDB_IO_ERROR",  "FLOWDB_CORRUPTION", "FLOWDB_NO_MEMORY",   "FLOWDB_NO_SPACE",
        "FLOWDB_LOCKED",    "FLOWDB_READ_ONLY",  "FLOWDB_UNSUPPORTED", "FLOWDB_INTERRUPTED",
        "FLOWDB_WOULD_WAIT"};
    for (int i = 0; i <= (int)FLOWDB_WOULD_WAIT; i++)
        assert_string_equal(flowdb_status_name((flowdb_status)i), names[i]);
    assert_string_equal(flowdb_status_name((flowdb_status)(FLOWDB_WOULD_WAIT + 1)),
                        "FLOWDB_UNKNOWN");
    assert_string_equal(flowdb_status_name((flowdb_status)-1), "FLOWDB_UNKNOWN");
    assert_string_equal(flowdb_status_name((flowdb_status)1000000), "FLOWDB_UNKNOWN");
}

/* NULL where the thread had an error already. */
static void *fail_elsewhere(void *argument) {
    const char *before = flowdb_last_error();
    bool empty = before[0] == '\0';
    fl_fail(FLOWDB_IO_ERROR, "elsewhere");
    return empty ? argument : NULL;
}

static void each_thread_has_its_own_last_error(void **state) {
    (void)state;
    fl_fail(FLOWDB_IO_ERROR, "here");
    pthread_t thread;
    int mark;
    void *was_empty = NULL;
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, &mark), 0);
    assert_int_equal(pthread_join(thread, &was_empty), 0);
    assert_ptr_equal(was_empty, &mark);
    assert_string_equal(flowdb_last_error(), "here");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_error_is_empty_before_the_first),
        cmocka_unit_test(a_failure_returns_its_status_and_keeps_its_sentence),
        cmocka_unit_test(context_goes_in_front),
        cmocka_unit_test(that_something_is_absent_is_said_until_the_next_failure),
        cmocka_unit_test(long_sentences_are_cut_at_1023_bytes),
        cmocka_unit_test(every_status_has_its_name),
        cmocka_unit_test(each_thread_has_its_own_last_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
