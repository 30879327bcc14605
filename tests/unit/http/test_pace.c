/* How slow a client may be, second by second on a clock of the test's. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "http/pace.h"

#define SECOND INT64_C(1000000)

static const struct fl_http_pace_limits limits = {
    .idle_us = 60 * SECOND, .patience_us = 5 * SECOND, .body_bytes_per_sec = 1024};

/* A connection that was made at second 0, and what it has done. */
struct client {
    struct fl_http_pace pace;
    struct fl_http_sight sight;
};

static enum fl_http_pace_verdict look(struct client *client) {
    client->sight.now_us += SECOND;
    return fl_http_pace_look(&client->pace, &limits, &client->sight);
}

/* How many seconds it is let be, `most` at most, while each brings so many bytes. */
static unsigned lasts(struct client *client, unsigned most, uint64_t received, uint64_t body,
                      enum fl_http_pace_verdict end) {
    for (unsigned second = 1; second <= most; second++) {
        client->sight.received += received;
        client->sight.body += body;
        enum fl_http_pace_verdict verdict = look(client);
        if (verdict == FL_HTTP_PACE_FINE)
            continue;
        assert_int_equal(verdict, end);
        return second;
    }
    return most + 1;
}

static void enter(struct client *client, enum fl_http_phase phase) {
    client->sight.turn += phase == FL_HTTP_AWAITED;
    client->sight.phase = phase;
    client->sight.body = 0;
}

static void silence_is_borne_for_a_minute(void **state) {
    (void)state;
    struct client client = {0};
    assert_int_equal(lasts(&client, 100, 0, 0, FL_HTTP_PACE_IDLE), 60);
}

static void headers_have_five_seconds_from_their_first_byte(void **state) {
    (void)state;
    for (uint64_t rate = 0; rate <= 1000; rate += 500) {
        struct client client = {0};
        assert_int_equal(lasts(&client, 30, 0, 0, FL_HTTP_PACE_IDLE), 31);
        client.sight.received = 1;
        /* The first look sees them begin. */
        assert_int_equal(lasts(&client, 100, rate, 0, FL_HTTP_PACE_SLOW_HEADERS), 6);
    }
}

static void a_byte_a_second_from_the_start_is_no_better(void **state) {
    (void)state;
    struct client client = {0};
    assert_int_equal(lasts(&client, 100, 1, 0, FL_HTTP_PACE_SLOW_HEADERS), 6);
}

static void each_request_begins_anew(void **state) {
    (void)state;
    struct client client = {0};
    for (unsigned request = 0; request < 50; request++) {
        client.sight.received += 100;
        assert_int_equal(lasts(&client, 4, 10, 0, FL_HTTP_PACE_FINE), 5);
        enter(&client, FL_HTTP_BODY);
        assert_int_equal(lasts(&client, 4, 10, 0, FL_HTTP_PACE_FINE), 5);
        enter(&client, FL_HTTP_ANSWERED);
        assert_int_equal(lasts(&client, 4, 0, 0, FL_HTTP_PACE_FINE), 5);
        enter(&client, FL_HTTP_AWAITED);
    }
    /* Requests that come and go between two looks are no slow one. */
    for (unsigned second = 0; second < 100; second++) {
        client.sight.turn += 1000;
        assert_int_equal(lasts(&client, 1, 100000, 0, FL_HTTP_PACE_FINE), 2);
    }
}

static void what_came_with_the_last_request_is_not_waited_for_longer_than_silence(void **state) {
    (void)state;
    struct client client = {0};
    client.sight.received = 100;
    assert_int_equal(look(&client), FL_HTTP_PACE_FINE);
    enter(&client, FL_HTTP_AWAITED);
    assert_int_equal(lasts(&client, 100, 0, 0, FL_HTTP_PACE_IDLE), 61);
}

static void a_body_has_to_come_at_its_rate(void **state) {
    (void)state;
    static const struct {
        uint64_t bytes;
        unsigned lasts;
    } rates[] = {{0, 7}, {1, 7}, {512, 12}, {1023, 1000}, {1024, 1001}, {100000, 1001}};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct client client = {0};
        enter(&client, FL_HTTP_BODY);
        unsigned seconds = lasts(&client, 1000, 0, rates[i].bytes, FL_HTTP_PACE_SLOW_BODY);
        if (rates[i].bytes == 1023) /* five seconds' credit at a thousandth a second */
            assert_in_range(seconds, 999, 1001);
        else
            assert_int_equal(seconds, rates[i].lasts);
    }
}

static void a_fast_start_buys_no_long_silence(void **state) {
    (void)state;
    struct client client = {0};
    enter(&client, FL_HTTP_BODY);
    assert_int_equal(lasts(&client, 10, 0, UINT64_C(1) << 62, FL_HTTP_PACE_FINE), 11);
    assert_int_equal(lasts(&client, 100, 0, 0, FL_HTTP_PACE_SLOW_BODY), 6);
}

static void time_in_which_bytes_wait_for_the_server_is_not_the_clients(void **state) {
    (void)state;
    for (int phase = FL_HTTP_AWAITED; phase <= FL_HTTP_BODY; phase++) {
        struct client client = {0};
        if (phase == FL_HTTP_BODY)
            enter(&client, FL_HTTP_BODY);
        client.sight.received = 1;
        assert_int_equal(lasts(&client, 4, 0, 0, FL_HTTP_PACE_FINE), 5);
        client.sight.unread = true;
        assert_int_equal(lasts(&client, 1000, 0, 0, FL_HTTP_PACE_FINE), 1001);
        client.sight.unread = false;
        assert_in_range(
            lasts(&client, 100, 0, 0, FL_HTTP_PACE_SLOW_HEADERS + (phase == FL_HTTP_BODY)), 2, 3);
    }
}

static void the_server_may_take_its_time(void **state) {
    (void)state;
    struct client client = {0};
    enter(&client, FL_HTTP_ANSWERED);
    assert_int_equal(lasts(&client, 10000, 0, 0, FL_HTTP_PACE_FINE), 10001);
}

static void without_a_rate_any_will_do(void **state) {
    (void)state;
    struct fl_http_pace_limits none = limits;
    struct fl_http_pace pace = {0};
    struct fl_http_sight sight = {.phase = FL_HTTP_BODY};
    none.body_bytes_per_sec = 0;
    for (; sight.now_us < 1000 * SECOND; sight.now_us += SECOND)
        assert_int_equal(fl_http_pace_look(&pace, &none, &sight), FL_HTTP_PACE_FINE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_is_borne_for_a_minute),
        cmocka_unit_test(headers_have_five_seconds_from_their_first_byte),
        cmocka_unit_test(a_byte_a_second_from_the_start_is_no_better),
        cmocka_unit_test(each_request_begins_anew),
        cmocka_unit_test(what_came_with_the_last_request_is_not_waited_for_longer_than_silence),
        cmocka_unit_test(a_body_has_to_come_at_its_rate),
        cmocka_unit_test(a_fast_start_buys_no_long_silence),
        cmocka_unit_test(time_in_which_bytes_wait_for_the_server_is_not_the_clients),
        cmocka_unit_test(the_server_may_take_its_time),
        cmocka_unit_test(without_a_rate_any_will_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
