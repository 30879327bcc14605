/* Log lines: what stands in a value, whatever its bytes, neither ends the value nor the line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "logger.h"

enum { ROOM = 8192 };

/* What one call writes, behind the time and its space. */
static char *logged(int level, const char *message, const struct fl_log_pair *pairs) {
    int ends[2];
    char *text = calloc(1, ROOM);
    assert_int_equal(pipe(ends), 0);
    struct fl_logger logger = {.fd = ends[1], .level = FLOWDB_LOG_INFO};
    fl_logger_write(&logger, (flowdb_log_level)level, message, pairs);
    close(ends[1]);
    ssize_t size = read(ends[0], text, ROOM - 1);
    close(ends[0]);
    assert_true(size >= 0);
    char *space = strchr(text, ' ');
    if (space != NULL) {
        assert_memory_equal(text, "time=", 5);
        memmove(text, space + 1, strlen(space + 1) + 1);
    }
    return text;
}

static void assert_logged(const char *value, const char *expected) {
    char line[ROOM];
    char *text = logged(FLOWDB_LOG_WARN, "m", (const struct fl_log_pair[]){{"v", value}, {0}});
    snprintf(line, sizeof line, "level=warn msg=\"m\" v=\"%s\"\n", expected);
    assert_string_equal(text, line);
    free(text);
}

static void values_stand_between_their_quotes(void **state) {
    (void)state;
    assert_logged("", "");
    assert_logged("a b=c", "a b=c");
    assert_logged("\" level=error msg=\"forged", "\\\" level=error msg=\\\"forged");
    assert_logged("\\", "\\\\");
    assert_logged("\\\" x=\"", "\\\\\\\" x=\\\"");
}

static void no_byte_ends_a_line_or_moves_a_cursor(void **state) {
    (void)state;
    assert_logged("a\nlevel=error", "a\\x0alevel=error");
    assert_logged("\r\t\x1b[31m\x7f", "\\x0d\\x09\\x1b[31m\\x7f");
    assert_logged("\xc2\x85\xe2\x80\xa8", "\\xc2\\x85\\xe2\\x80\\xa8");
    for (int byte = 1; byte < 256; byte++) {
        char value[2] = {(char)byte, '\0'};
        char *text = logged(FLOWDB_LOG_ERROR, value, NULL);
        size_t size = strlen(text);
        assert_int_equal(text[size - 1], '\n');
        for (size_t i = 0; i + 1 < size; i++)
            assert_true(text[i] >= ' ' && text[i] <= '~');
        free(text);
    }
}

static void a_message_is_a_value_too(void **state) {
    (void)state;
    char *text = logged(FLOWDB_LOG_INFO, "a\" b=\"c\n", NULL);
    assert_string_equal(text, "level=info msg=\"a\\\" b=\\\"c\\x0a\"\n");
    free(text);
}

/* Wherever the room ends, also within an escape, the line ends as others do. */
static void a_line_that_is_too_long_is_cut_and_closed(void **state) {
    (void)state;
    unsigned some = 0, none = 0;
    for (size_t length = 3900; length < 4200; length++) {
        char value[ROOM] = "";
        memset(value, length % 2 == 0 ? 'x' : '\n', length % 2 == 0 ? length : length / 4);
        char *text = logged(FLOWDB_LOG_INFO, "m",
                            (const struct fl_log_pair[]){{"v", value}, {"w", "gone"}, {0}});
        size_t size = strlen(text);
        assert_in_range(size, 3900, 4096 - strlen("time=2026-01-31T12:00:00.123456Z "));
        assert_string_equal(text + size - 2, "\"\n");
        assert_ptr_equal(strchr(text, '\n'), text + size - 1);
        /* The second pair is there as far as there is room, and its name never alone. */
        bool second = strstr(text, "\" w=\"") != NULL;
        assert_int_equal(strchr(text, 'w') != NULL, second);
        some += second;
        none += !second;
        free(text);
    }
    assert_true(some > 50 && none > 50);
}

static void lesser_lines_are_left_out(void **state) {
    (void)state;
    char *text = logged(FLOWDB_LOG_DEBUG, "m", NULL);
    assert_string_equal(text, "");
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_stand_between_their_quotes),
        cmocka_unit_test(no_byte_ends_a_line_or_moves_a_cursor),
        cmocka_unit_test(a_message_is_a_value_too),
        cmocka_unit_test(a_line_that_is_too_long_is_cut_and_closed),
        cmocka_unit_test(lesser_lines_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
